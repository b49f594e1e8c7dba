//! Numbers as Rust computes with them: of one type on both sides, never wrapping in silence.

use weft_symbols::{BaseEncoding, Type, TypeKind};

use super::EvaluateError;
use super::syntax::Operator;
use crate::place::sign_extended;

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntegerType {
    /// Bytes: 1, 2, 4, 8 or 16.
    pub(super) size: u8,
    pub(super) signed: bool,
    /// `usize`, `isize`.
    pub(super) pointer_sized: bool,
}

/// The integer types by name.
const INTEGERS: [(&str, IntegerType); 12] = [
    ("u8", IntegerType::new(1, false)),
    ("u16", IntegerType::new(2, false)),
    ("u32", IntegerType::new(4, false)),
    ("u64", IntegerType::new(8, false)),
    ("u128", IntegerType::new(16, false)),
    ("usize", IntegerType::USIZE),
    ("i8", IntegerType::new(1, true)),
    ("i16", IntegerType::new(2, true)),
    ("i32", IntegerType::new(4, true)),
    ("i64", IntegerType::new(8, true)),
    ("i128", IntegerType::new(16, true)),
    ("isize", IntegerType { size: 8, signed: true, pointer_sized: true }),
];

impl IntegerType {
    pub(super) const USIZE: Self = Self { size: 8, signed: false, pointer_sized: true };

    const fn new(size: u8, signed: bool) -> Self {
        Self { size, signed, pointer_sized: false }
    }

    /// The type of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        INTEGERS.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
    }

    /// Its name in Rust.
    pub(super) fn name(self) -> &'static str {
        INTEGERS.iter().find(|(_, ty)| *ty == self).map_or("integer", |(name, _)| name)
    }

    /// What a base type of the program is; types of other languages by their size.
    pub(super) fn of(ty: &Type) -> Option<Self> {
        let signed = match ty.kind() {
            TypeKind::Base(BaseEncoding::Unsigned) => false,
            TypeKind::Base(BaseEncoding::Signed) => true,
            _ => return None,
        };
        let by_size = || {
            let size = u8::try_from(ty.size()).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8 | 16))?;
            Some(Self::new(size, signed))
        };
        Self::named(ty.name()).or_else(by_size)
    }

    /// Its smallest and its largest value.
    pub(super) fn limits(self) -> (Integer, Integer) {
        let ones = u128::MAX.checked_shr(128_u32.saturating_sub(self.bits())).unwrap_or(u128::MAX);
        let (low, high) = if self.signed { (!(ones >> 1), ones >> 1) } else { (0, ones) };
        (Integer { bits: low, ty: Some(self) }, Integer { bits: high, ty: Some(self) })
    }

    /// Bits of it.
    pub(super) const fn bits(self) -> u32 {
        (self.size as u32).saturating_mul(8)
    }
}

/// A floating-point type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatType {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl FloatType {
    /// The type of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "f32" => Some(Self::F32),
            "f64" => Some(Self::F64),
            _ => None,
        }
    }

    /// Its name in Rust.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// An integer: two's complement of 128 bits, and a type that it fits. Without a type it is as written, and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    bits: u128,
    pub(super) ty: Option<IntegerType>,
}

impl Integer {
    /// From bytes of the program, given as an unsigned number.
    pub(super) fn read(bits: u128, ty: IntegerType) -> Self {
        let bits = if ty.signed { sign_extended(bits, ty.size.into()).cast_unsigned() } else { bits };
        Self { bits, ty: Some(ty) }
    }

    /// A literal. One that only a `u128` can hold is one.
    pub(super) fn written(negative: bool, magnitude: u128, ty: Option<IntegerType>) -> Result<Self, EvaluateError> {
        let too_large = || arithmetic("the number is too large");
        let signed = match negative {
            true => 0_i128.checked_sub_unsigned(magnitude),
            false => i128::try_from(magnitude).ok(),
        };
        match (signed, ty) {
            (Some(value), None) => Ok(Self { bits: value.cast_unsigned(), ty: None }),
            (Some(value), Some(ty)) => Self { bits: value.cast_unsigned(), ty: None }.adapted(ty),
            (None, None) if !negative => Ok(Self { bits: magnitude, ty: IntegerType::named("u128") }),
            (None, Some(ty)) if !negative && !ty.signed && ty.size == 16 => Ok(Self { bits: magnitude, ty: Some(ty) }),
            _ => Err(too_large()),
        }
    }

    /// A number that is no more than an index or a length.
    pub(super) fn small(value: u64, ty: IntegerType) -> Self {
        Self { bits: value.into(), ty: Some(ty) }
    }

    const fn is_signed(self) -> bool {
        match self.ty {
            Some(ty) => ty.signed,
            None => true,
        }
    }

    /// The value; none if it is above `i128::MAX`.
    pub(super) fn signed(self) -> Option<i128> {
        if self.is_signed() { Some(self.bits.cast_signed()) } else { i128::try_from(self.bits).ok() }
    }

    /// The value if it is not negative.
    pub(super) fn unsigned(self) -> Option<u128> {
        if self.is_signed() { u128::try_from(self.bits.cast_signed()).ok() } else { Some(self.bits) }
    }

    /// The low bits as they lie in memory.
    pub(super) fn bytes(self, size: usize) -> Vec<u8> {
        self.bits.to_le_bytes().get(..size).unwrap_or_default().to_vec()
    }

    /// As it is written.
    pub(super) fn text(self) -> String {
        if self.is_signed() { self.bits.cast_signed().to_string() } else { self.bits.to_string() }
    }

    /// As a number of this type, if it fits: for literals.
    pub(super) fn adapted(self, ty: IntegerType) -> Result<Self, EvaluateError> {
        let typed = Self { bits: self.bits, ty: Some(ty) };
        if self.fits(ty) {
            Ok(typed)
        } else {
            Err(arithmetic(&format!("the number {} does not fit `{}`", self.text(), ty.name())))
        }
    }

    fn fits(self, ty: IntegerType) -> bool {
        if ty.signed {
            self.signed().is_some_and(|value| sign_extended(value.cast_unsigned(), ty.size.into()) == value)
        } else {
            self.unsigned().is_some_and(|value| value.checked_shr(ty.bits()).unwrap_or(0) == 0)
        }
    }

    /// Cut to the width of a type, as `as` does.
    pub(super) fn cut(self, ty: IntegerType) -> Self {
        let mask = 1_u128.checked_shl(ty.bits()).map_or(u128::MAX, |above| above.wrapping_sub(1));
        Self::read(self.bits & mask, ty)
    }

    /// A number cut to the width of a type.
    pub(super) fn cut_to(value: i128, ty: IntegerType) -> Self {
        Self { bits: value.cast_unsigned(), ty: None }.cut(ty)
    }

    /// The nearest floating-point number.
    #[allow(clippy::cast_precision_loss, reason = "what `as` does")]
    pub(super) fn to_float(self) -> f64 {
        if self.is_signed() { self.bits.cast_signed() as f64 } else { self.bits as f64 }
    }

    pub(super) fn order(self, other: Self) -> std::cmp::Ordering {
        match (self.signed(), other.signed()) {
            (Some(a), Some(b)) => a.cmp(&b),
            // What is above `i128::MAX` is above all that is not.
            (a, b) => b.is_some().cmp(&a.is_some()).then(self.bits.cmp(&other.bits)),
        }
    }

    /// `-x`.
    pub(super) fn negated(self) -> Result<Self, EvaluateError> {
        let negated = self.bits.cast_signed().checked_neg().map(i128::cast_unsigned);
        self.checked(negated, || format!("-({})", self.text()))
    }

    /// `!x`.
    pub(super) fn complement(self) -> Self {
        match self.ty {
            Some(ty) => Self { bits: !self.bits, ..self }.cut(ty),
            None => Self { bits: !self.bits, ..self },
        }
    }

    /// `self op other`; both of one type but for shifts.
    pub(super) fn apply(self, operator: Operator, other: Self) -> Result<Self, EvaluateError> {
        let text = || format!("{} {} {}", self.text(), operator.text(), other.text());
        if matches!(operator, Operator::Divide | Operator::Remainder) && other.bits == 0 {
            return Err(arithmetic(&format!("`{}` divides by zero", text())));
        }
        if matches!(operator, Operator::ShiftLeft | Operator::ShiftRight) {
            return self.shifted(operator, other, text);
        }
        let bits = if self.is_signed() {
            let (a, b) = (self.bits.cast_signed(), other.bits.cast_signed());
            // Rust divides to find a remainder, and that overflows.
            let divides = matches!(operator, Operator::Divide | Operator::Remainder);
            let is_lowest = self.ty.is_some_and(|ty| self.order(ty.limits().0).is_eq());
            let quotient_overflows = divides && b == -1 && is_lowest;
            signed(operator, a, b).filter(|_| !quotient_overflows).map(i128::cast_unsigned)
        } else {
            unsigned(operator, self.bits, other.bits)
        };
        self.checked(bits, text)
    }

    fn shifted(self, operator: Operator, by: Self, text: impl Fn() -> String) -> Result<Self, EvaluateError> {
        let width = self.ty.map_or(128, IntegerType::bits);
        let by = by.unsigned().and_then(|by| u32::try_from(by).ok()).filter(|by| *by < width);
        let bits = by.and_then(|by| match operator {
            Operator::ShiftLeft => self.bits.checked_shl(by),
            _ if self.is_signed() => self.bits.cast_signed().checked_shr(by).map(i128::cast_unsigned),
            _ => self.bits.checked_shr(by),
        });
        // As in Rust, bits that are shifted out are no overflow.
        match (bits, self.ty) {
            (Some(bits), Some(ty)) => Ok(Self { bits, ..self }.cut(ty)),
            (Some(bits), None) => Ok(Self { bits, ..self }),
            (None, _) => Err(self.overflow(&text())),
        }
    }

    fn checked(self, bits: Option<u128>, text: impl Fn() -> String) -> Result<Self, EvaluateError> {
        let result = bits.map(|bits| Self { bits, ..self });
        let fits = |it: &Self| it.ty.is_none_or(|ty| it.fits(ty));
        result.filter(fits).ok_or_else(|| self.overflow(&text()))
    }

    fn overflow(self, text: &str) -> EvaluateError {
        let ty = self.ty.map_or("i128", IntegerType::name);
        arithmetic(&format!("`{text}` overflows `{ty}`; widen it: `as i128`"))
    }
}

fn signed(operator: Operator, a: i128, b: i128) -> Option<i128> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        Operator::And => Some(a & b),
        Operator::Or => Some(a | b),
        Operator::Xor => Some(a ^ b),
        _ => None,
    }
}

fn unsigned(operator: Operator, a: u128, b: u128) -> Option<u128> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        Operator::And => Some(a & b),
        Operator::Or => Some(a | b),
        Operator::Xor => Some(a ^ b),
        _ => None,
    }
}

pub(super) fn arithmetic(sentence: &str) -> EvaluateError {
    EvaluateError::Arithmetic(sentence.to_owned())
}
