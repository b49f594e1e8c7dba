//! Methods before there is a program: the mirror of [`super::methods`].

use super::EvaluateError;
use super::check::{Check, Typed, is_map};
use super::evaluation::Named;
use super::methods::{
    Method, check_itself, check_shown, check_variant, gives_result, holder_fields, is_atomic, is_of_pointer, method,
    no_method_on, taken_out,
};
use super::number::{Integer, IntegerType};
use super::quick::Operation;
use super::spot::{Spot, Step};
use super::syntax::{Node, Operator};
use super::value::{Kind, MAX_DEREFS, Value};
use crate::Meta;
use crate::view::is_raw_pointer;
use weft_symbols::TypeKind;

impl Check<'_> {
    /// `base.name(arguments)`.
    pub(super) fn method(&self, base: &Node, name: &str, arguments: &[Node]) -> Result<Typed, EvaluateError> {
        let method = method(name, arguments.len())?;
        if method == Method::Itself {
            return itself(self.typed(base)?, name);
        }
        for argument in arguments {
            self.argument(argument)?;
        }
        let typed = self.typed(base)?;
        Ok(match method {
            Method::Unwrap(_) if self.is_result_of_lock(base)? => typed,
            Method::Inside => inside(&typed, name)?,
            Method::Len => length(&typed, name)?,
            Method::IsEmpty => empty(length(&typed, name)?),
            Method::Is(variant) => self.is_in(typed, variant, name)?,
            Method::Count | Method::Capacity => Typed::Computed(Kind::Integer(Some(IntegerType::USIZE)), None),
            Method::Contains | Method::ContainsKey | Method::StartsWith | Method::EndsWith => {
                Typed::Computed(Kind::Bool, None)
            }
            _ => Typed::Unknown,
        })
    }

    /// A value that is given to a method: names in it are checked, but for variants.
    pub(super) fn argument(&self, node: &Node) -> Result<(), EvaluateError> {
        match self.named(node) {
            Some(_) => Ok(()),
            None => self.typed(node).map(|_| ()),
        }
    }

    /// Whether what is unwrapped came of a lock whose `Result` has been looked through, as far as is known.
    fn is_result_of_lock(&self, node: &Node) -> Result<bool, EvaluateError> {
        let Some((base, name)) = taken_out(node) else { return Ok(false) };
        let Typed::Spot(spot) = self.typed(base)? else { return Ok(false) };
        Ok(holder(&spot).is_some_and(|(path, _)| gives_result(name, &path)))
    }

    fn is_in(&self, value: Typed, variant: &'static str, name: &str) -> Result<Typed, EvaluateError> {
        match value.kind() {
            Kind::Enumeration(ty) => {
                check_variant(&ty, variant, name)?;
                let operations = self.is_variant(value, Named { path: variant, arguments: &[] })?;
                Ok(Typed::Computed(Kind::Bool, operations))
            }
            Kind::Unknown => Ok(Typed::Computed(Kind::Bool, None)),
            other => Err(no_method_on(&other.name(), name)),
        }
    }
}

/// What a cell or lock holds.
fn inside(value: &Typed, name: &str) -> Result<Typed, EvaluateError> {
    let Typed::Spot(spot) = value else { return Ok(Typed::Unknown) };
    if let Some((_, held)) = holder(spot) {
        return Ok(held);
    }
    let innermost = referred(spot, |_| true);
    let may_be = matches!(innermost.step(), Step::Unknown) || name == "read" && is_raw_pointer(&innermost.place);
    if may_be { Ok(Typed::Unknown) } else { Err(no_method_on(&value.kind().name(), name)) }
}

/// The path of the cell or lock that a spot is or refers to, with what it holds.
fn holder(spot: &Spot) -> Option<(String, Typed)> {
    let mut spot = Spot::clone(spot);
    for _ in 0..MAX_DEREFS {
        let path = spot.place.ty.path().to_owned();
        let held = holder_fields(&path).find_map(|field| spot.member(field));
        if let Some(held) = held {
            return Some((path, Typed::spot(held.unwrapped_cell())));
        }
        let Step::Through(target) = spot.step() else { return None };
        spot = target;
    }
    None
}

/// What a spot refers to, through such pointers and wrappers.
fn referred(spot: &Spot, such: impl Fn(&Spot) -> bool) -> Spot {
    let mut spot = Spot::clone(spot);
    for _ in 0..MAX_DEREFS {
        if is_raw_pointer(&spot.place) || !such(&spot) {
            break;
        }
        let Step::Through(target) = spot.step() else { break };
        spot = target;
    }
    spot
}

/// A value that a method leaves as it is.
fn itself(value: Typed, name: &str) -> Result<Typed, EvaluateError> {
    check_shown(name)?;
    if let Typed::Spot(spot) = &value {
        let looked_at = match is_of_pointer(name) {
            true => referred(spot, |spot| spot.place.ty.name().starts_with('&')),
            false => referred(spot, |spot| !is_atomic(&spot.place)),
        };
        if !matches!(looked_at.step(), Step::Unknown) {
            check_itself(&looked_at.place, name)?;
        }
    }
    Ok(value)
}

/// How many elements, bytes or entries there are.
fn length(value: &Typed, name: &str) -> Result<Typed, EvaluateError> {
    let of = |operations| Typed::Computed(Kind::Integer(Some(IntegerType::USIZE)), operations);
    let spot = match value {
        Typed::Spot(spot) => spot,
        Typed::Unknown | Typed::Computed(Kind::Unknown, _) => return Ok(of(None)),
        Typed::Constant(Value::Text(text) | Value::Bytes(text)) => {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            return Ok(Typed::Constant(Value::Integer(Integer::small(length, IntegerType::USIZE))));
        }
        other => return Err(no_method_on(&other.kind().name(), name)),
    };
    if is_map(value) {
        return Ok(of(None));
    }
    let mut spot = Spot::clone(spot);
    for _ in 0..MAX_DEREFS {
        let run = match spot.step() {
            Step::Through(target) => {
                spot = target;
                continue;
            }
            Step::Text(run) => run,
            Step::Items(_, run) => run,
            Step::ByteText | Step::Unknown => None,
            Step::Fields(_) | Step::Variants(_) | Step::Leaf => {
                return Err(no_method_on(&crate::view::type_name(&spot.place), name));
            }
        };
        if let TypeKind::Array { count: Some(count), .. } = spot.place.ty.kind()
            && spot.place.meta == Meta::Sized
        {
            return Ok(of(Some(vec![Operation::Push((*count).into())])));
        }
        return Ok(of(run.map(|run| vec![Operation::Length(run)])));
    }
    Ok(of(None))
}

fn empty(length: Typed) -> Typed {
    let is_zero = |mut operations: Vec<Operation>| {
        operations.extend([Operation::Push(0), Operation::Compare(Operator::Equal)]);
        operations
    };
    Typed::Computed(Kind::Bool, length.operations().map(is_zero))
}
