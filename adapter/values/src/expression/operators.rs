//! What operators take and give: Rust's rules, the same for checking a condition and for evaluating it.

use std::cmp::Ordering;

use super::EvaluateError;
use super::number::{FloatType, IntegerType, arithmetic};
use super::syntax::{Logical, Operator};
use super::value::{Kind, Value};
use crate::{Stop, ValueError};

/// What `left operator right` is, by the kinds of its sides.
pub(super) fn binary(operator: Operator, left: &Kind, right: &Kind) -> Result<Kind, EvaluateError> {
    let own = match (left, right) {
        (Kind::Unknown, _) | (_, Kind::Unknown) if operator.is_comparison() => Some(Kind::Bool),
        (Kind::Unknown, _) | (_, Kind::Unknown) => Some(Kind::Unknown),
        (Kind::Integer(left), Kind::Integer(right)) => integers(operator, *left, *right).map(Kind::Integer),
        (Kind::Float(left), Kind::Float(right)) => floats(operator, *left, *right).map(Kind::Float),
        (Kind::Bool, Kind::Bool) if is_bitwise(operator) || operator.is_comparison() => Some(Kind::Bool),
        (Kind::Char, Kind::Char) | (Kind::Text(_), Kind::Text(_)) | (Kind::Bytes(_), Kind::Bytes(_))
            if operator.is_comparison() =>
        {
            Some(Kind::Bool)
        }
        (Kind::Pointer(_), other) | (other, Kind::Pointer(_)) if operator.is_comparison() => {
            is_address(other).then_some(Kind::Bool)
        }
        (Kind::Enumeration(left), Kind::Enumeration(right)) if operator.is_equality() => {
            (left == right && is_plain(left)).then_some(Kind::Bool)
        }
        _ => None,
    };
    match own {
        Some(_) if operator.is_comparison() => Ok(Kind::Bool),
        Some(kind) => Ok(kind),
        None => Err(mismatch(operator, left, right)),
    }
}

/// Both of one type, or a literal; shifts take any.
fn integers(operator: Operator, left: Option<IntegerType>, right: Option<IntegerType>) -> Option<Option<IntegerType>> {
    match (left, right) {
        _ if matches!(operator, Operator::ShiftLeft | Operator::ShiftRight) => Some(left),
        (Some(left), Some(right)) => (left == right).then_some(Some(left)),
        (left, right) => Some(left.or(right)),
    }
}

fn floats(operator: Operator, left: Option<FloatType>, right: Option<FloatType>) -> Option<Option<FloatType>> {
    if is_bitwise(operator) || matches!(operator, Operator::ShiftLeft | Operator::ShiftRight) {
        return None;
    }
    match (left, right) {
        (Some(left), Some(right)) => (left == right).then_some(Some(left)),
        (left, right) => Some(left.or(right)),
    }
}

const fn is_bitwise(operator: Operator) -> bool {
    matches!(operator, Operator::And | Operator::Or | Operator::Xor)
}

/// What a pointer can be compared with.
fn is_address(kind: &Kind) -> bool {
    match kind {
        Kind::Pointer(_) => true,
        Kind::Integer(ty) => ty.is_none_or(|ty| !ty.signed && ty.size == 8),
        _ => false,
    }
}

/// An enum without data.
fn is_plain(ty: &weft_symbols::Type) -> bool {
    matches!(ty.kind(), weft_symbols::TypeKind::Enumeration { .. })
}

fn mismatch(operator: Operator, left: &Kind, right: &Kind) -> EvaluateError {
    let (a, b) = (left.name(), right.name());
    let what = if operator.is_comparison() {
        format!("cannot compare `{a}` with `{b}`")
    } else {
        format!("cannot compute `{a} {} {b}`", operator.text())
    };
    EvaluateError::Mismatch(format!("{what}{}", fix(operator, left, right)))
}

/// What to write instead.
fn fix(operator: Operator, left: &Kind, right: &Kind) -> String {
    match (left, right) {
        (Kind::Integer(Some(left)), Kind::Integer(Some(right))) => {
            let wider = if left.size >= right.size { left } else { right };
            format!("; convert one side: `as {}`", wider.name())
        }
        (Kind::Float(_), Kind::Integer(None)) | (Kind::Integer(None), Kind::Float(_)) => {
            "; write the number with a point: `1.0`".to_owned()
        }
        (Kind::Float(ty), Kind::Integer(_)) | (Kind::Integer(_), Kind::Float(ty)) => {
            format!("; convert the integer: `as {}`", ty.unwrap_or(FloatType::F64).name())
        }
        (Kind::Float(_), Kind::Float(_)) => "; convert one side: `as f64`".to_owned(),
        (Kind::Pointer(_), Kind::Integer(_)) | (Kind::Integer(_), Kind::Pointer(_)) => {
            "; convert the pointer: `as usize`".to_owned()
        }
        (Kind::Char, Kind::Text(_)) | (Kind::Text(_), Kind::Char) => {
            "; characters are written `'a'`, texts `\"a\"`".to_owned()
        }
        (Kind::Text(_), Kind::Bytes(_)) | (Kind::Bytes(_), Kind::Text(_)) => {
            "; texts are written `\"a\"`, bytes `b\"a\"`".to_owned()
        }
        (Kind::Bool, Kind::Integer(_)) | (Kind::Integer(_), Kind::Bool) => {
            "; a bool is compared with `true` or `false`".to_owned()
        }
        (Kind::Enumeration(ty), other) | (other, Kind::Enumeration(ty)) => enumeration_fix(operator, ty, other),
        (Kind::Found(_), _) | (_, Kind::Found(_)) => "; compare it with `Some(..)`, or add `.unwrap()`".to_owned(),
        (Kind::Other(_), _) | (_, Kind::Other(_)) => "; compare their fields".to_owned(),
        _ => String::new(),
    }
}

fn enumeration_fix(operator: Operator, ty: &weft_symbols::Type, other: &Kind) -> String {
    let name = super::variants::own_name(ty);
    let variant = super::variants::names(ty).into_iter().next().unwrap_or_else(|| "Variant".to_owned());
    match other {
        Kind::Integer(_) if is_plain(ty) => format!("; convert the enum: `as {}`", "i64"),
        _ if operator.is_equality() || operator.is_comparison() => {
            format!("; enums are compared with a variant: `== {name}::{variant}`")
        }
        _ => String::new(),
    }
}

/// The operand of `&&`, `||`.
pub(super) fn logical(operator: Logical, operand: &Kind) -> Result<(), EvaluateError> {
    match operand {
        Kind::Bool | Kind::Unknown => Ok(()),
        other => Err(EvaluateError::Mismatch(format!(
            "`{}` needs a `bool` on both sides, and this is `{}`{}",
            operator.text(),
            other.name(),
            truth(other)
        ))),
    }
}

/// How to make a `bool` of something, as an addition to a sentence.
pub(super) fn truth(kind: &Kind) -> &'static str {
    match kind {
        Kind::Integer(_) | Kind::Pointer(_) => "; compare it: `!= 0`",
        Kind::Float(_) => "; compare it: `!= 0.0`",
        Kind::Text(_) => "; compare it: `== \"text\"`",
        Kind::Char => "; compare it: `== 'a'`",
        Kind::Enumeration(_) | Kind::Found(_) => "; compare it with a variant: `== None`",
        _ => "; compare it with something",
    }
}

/// `-x`.
pub(super) fn negated(kind: &Kind) -> Result<Kind, EvaluateError> {
    match kind {
        Kind::Integer(ty) if ty.is_none_or(|ty| ty.signed) => Ok(kind.clone()),
        Kind::Float(_) | Kind::Unknown => Ok(kind.clone()),
        Kind::Integer(_) => Err(EvaluateError::Mismatch(format!(
            "cannot negate `{}`, which has no sign; convert it: `as i128`",
            kind.name()
        ))),
        _ => Err(EvaluateError::Mismatch(format!("cannot negate `{}`", kind.name()))),
    }
}

/// `!x`.
pub(super) fn complement(kind: &Kind) -> Result<Kind, EvaluateError> {
    match kind {
        Kind::Integer(_) | Kind::Bool | Kind::Unknown => Ok(kind.clone()),
        _ => Err(EvaluateError::Mismatch(format!("cannot apply `!` to `{}`{}", kind.name(), truth(kind)))),
    }
}

/// What a cast goes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Integer(IntegerType),
    Float(FloatType),
    Char,
}

/// `x as target`.
pub(super) fn cast(kind: &Kind, target: &str) -> Result<Target, EvaluateError> {
    let to = match (IntegerType::named(target), FloatType::named(target), target) {
        (Some(ty), ..) => Target::Integer(ty),
        (_, Some(ty), _) => Target::Float(ty),
        (.., "char") => Target::Char,
        _ => return Err(super::unsupported(&format!("`as {target}` is not applied: `as` goes to numbers only"))),
    };
    let is_u8 = |ty: &Option<IntegerType>| ty.is_none_or(|ty| ty.size == 1 && !ty.signed);
    let fits = match (kind, to) {
        (Kind::Unknown, _) => true,
        (Kind::Integer(ty), Target::Char) => is_u8(ty),
        (Kind::Char, target) => target != Target::Float(FloatType::F32) && target != Target::Float(FloatType::F64),
        (Kind::Integer(_) | Kind::Float(_), Target::Integer(_) | Target::Float(_)) => true,
        (Kind::Bool | Kind::Pointer(_), Target::Integer(_)) => true,
        (Kind::Enumeration(ty), Target::Integer(_)) => is_plain(ty),
        _ => false,
    };
    if fits { Ok(to) } else { Err(EvaluateError::Mismatch(format!("cannot convert `{}` to `{target}`", kind.name()))) }
}

impl Target {
    /// What the result is.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Integer(ty) => Kind::Integer(Some(ty)),
            Self::Float(ty) => Kind::Float(Some(ty)),
            Self::Char => Kind::Char,
        }
    }
}

/// Literals take the type of the other side.
pub(super) fn agreed(operator: Operator, left: Value, right: Value) -> Result<(Value, Value), EvaluateError> {
    let is_shift = matches!(operator, Operator::ShiftLeft | Operator::ShiftRight);
    Ok(match (left, right) {
        (Value::Integer(a), Value::Integer(b)) if !is_shift => match (a.ty, b.ty) {
            (Some(ty), None) => (Value::Integer(a), Value::Integer(b.adapted(ty)?)),
            (None, Some(ty)) => (Value::Integer(a.adapted(ty)?), Value::Integer(b)),
            _ => (Value::Integer(a), Value::Integer(b)),
        },
        (Value::Float(a, x), Value::Float(b, y)) => (Value::float(a, x.or(y)), Value::float(b, y.or(x))),
        (pointer @ Value::Pointer(..), Value::Integer(b)) => {
            (pointer, Value::Integer(b.adapted(b.ty.unwrap_or(IntegerType::USIZE))?))
        }
        (Value::Integer(a), pointer @ Value::Pointer(..)) => {
            (Value::Integer(a.adapted(a.ty.unwrap_or(IntegerType::USIZE))?), pointer)
        }
        other => other,
    })
}

/// `left operator right`. Text is read from the program.
pub(super) fn apply(stop: &Stop, operator: Operator, left: Value, right: Value) -> Result<Value, EvaluateError> {
    binary(operator, &left.kind(), &right.kind())?;
    let (left, right) = agreed(operator, left, right)?;
    if operator.is_comparison() {
        return Ok(Value::Bool(match order(stop, operator, &left, &right)? {
            Some(order) => operator.accepts(order),
            // Not a number: unequal to everything.
            None => operator == Operator::Unequal,
        }));
    }
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => a.apply(operator, b).map(Value::Integer),
        (Value::Float(a, ty), Value::Float(b, _)) => Ok(Value::float(float(operator, a, b), ty)),
        (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(match operator {
            Operator::And => a & b,
            Operator::Or => a | b,
            _ => a ^ b,
        })),
        (left, right) => Err(mismatch(operator, &left.kind(), &right.kind())),
    }
}

/// In `f64`, whose results rounded to `f32` are those of `f32` for these operators.
fn float(operator: Operator, a: f64, b: f64) -> f64 {
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a % b,
    }
}

fn order(stop: &Stop, operator: Operator, left: &Value, right: &Value) -> Result<Option<Ordering>, EvaluateError> {
    if let (Some(a), Some(b)) = (left.content(), right.content()) {
        if operator.is_equality() && a.len() != b.len() {
            return Ok(Some(a.len().cmp(&b.len())));
        }
        return Ok(Some(a.read(stop)?.cmp(&b.read(stop)?)));
    }
    Ok(match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.order(*b)),
        (Value::Float(a, _), Value::Float(b, _)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Char(a), Value::Char(b)) => Some(a.cmp(b)),
        (Value::Pointer(a, _), Value::Pointer(b, _)) => Some(a.cmp(b)),
        (Value::Pointer(a, _), Value::Integer(b)) => b.unsigned().map(|b| u128::from(a.raw()).cmp(&b)),
        (Value::Integer(a), Value::Pointer(b, _)) => a.unsigned().map(|a| a.cmp(&u128::from(b.raw()))),
        (Value::Enumeration(a), Value::Enumeration(b)) => Some(a.read_uint(stop)?.cmp(&b.read_uint(stop)?)),
        (left, right) => return Err(mismatch(operator, &left.kind(), &right.kind())),
    })
}

/// `value as target`, cut and rounded as Rust does.
pub(super) fn converted(stop: &Stop, value: Value, target: &str) -> Result<Value, EvaluateError> {
    let target = cast(&value.kind(), target)?;
    let bits = match value {
        Value::Integer(integer) => integer,
        Value::Float(value, _) => return from_float(value, target),
        Value::Bool(value) => super::number::Integer::small(value.into(), IntegerType::USIZE),
        Value::Char(value) => super::number::Integer::small(u32::from(value).into(), IntegerType::USIZE),
        Value::Pointer(address, _) => super::number::Integer::small(address.raw(), IntegerType::USIZE),
        Value::Enumeration(place) => super::variants::number(stop, &place)?,
        other => return Err(EvaluateError::Mismatch(format!("cannot convert `{}`", other.kind().name()))),
    };
    Ok(match target {
        Target::Integer(ty) => Value::Integer(bits.cut(ty)),
        Target::Float(ty) => Value::float(bits.to_float(), Some(ty)),
        Target::Char => {
            let char = bits.unsigned().and_then(|bits| u32::try_from(bits).ok()).and_then(char::from_u32);
            Value::Char(char.ok_or_else(|| arithmetic("this number is no character"))?)
        }
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what `as` does")]
fn from_float(value: f64, target: Target) -> Result<Value, EvaluateError> {
    match target {
        Target::Float(ty) => Ok(Value::float(value, Some(ty))),
        // `as` goes to the nearest number of the type, not-a-number to 0.
        Target::Integer(ty) => {
            let bound = |magnitude: u128, negative| super::number::Integer::written(negative, magnitude, None);
            let truncated = if value < 0.0 { bound((-value) as u128, true) } else { bound(value as u128, false) };
            let limits = ty.limits();
            Ok(Value::Integer(match truncated {
                Ok(integer) if integer.order(limits.0).is_lt() => limits.0,
                Ok(integer) if integer.order(limits.1).is_gt() => limits.1,
                Ok(integer) => integer.cut(ty),
                Err(_) if value < 0.0 => limits.0,
                Err(_) => limits.1,
            }))
        }
        Target::Char => Err(ValueError::Invalid("a float as a char".to_owned()).into()),
    }
}
