//! The operations that bring a value of the program onto the stack of the quick form, where that is simple.

use weft_symbols::Type;

use super::number::FloatType;
use super::quick::{Form, Operation, Source, Tags};
use super::spot::Spot;
use super::value::{Kind, Value};
use super::variants;
use crate::view::tuple_index;

/// A constant as the machine has it.
pub(super) fn number(value: &Value) -> Option<i128> {
    Some(match value {
        Value::Integer(integer) => integer.signed()?,
        Value::Float(value, _) => value.to_bits().into(),
        Value::Bool(value) => (*value).into(),
        Value::Char(value) => u32::from(*value).into(),
        Value::Pointer(address, _) => address.raw().into(),
        _ => return None,
    })
}

/// The operation that loads a value, behind references.
pub(super) fn load(spot: &Spot) -> Option<Vec<Operation>> {
    let (kind, spot) = spot.value();
    let spot = spot?;
    let (size, form) = match kind {
        Kind::Integer(Some(ty)) if ty.size <= 8 => (ty.size, if ty.signed { Form::Signed } else { Form::Unsigned }),
        Kind::Bool => (1, Form::Bool),
        Kind::Char => (4, Form::Char),
        // The address comes first in wide pointers too.
        Kind::Pointer(_) => (8, Form::Unsigned),
        Kind::Float(Some(FloatType::F32)) => (4, Form::F32),
        Kind::Float(_) => (8, Form::F64),
        _ => return None,
    };
    let is_whole = matches!(form, Form::Unsigned) && size == 8 || spot.place.ty.size() == u64::from(size);
    let from = spot.source(0, size.into()).filter(|_| is_whole)?;
    Some(loaded(&spot, Operation::Load { from, size, form }))
}

/// A load with what comes before it.
fn loaded(spot: &Spot, load: Operation) -> Vec<Operation> {
    spot.before().iter().cloned().chain([load]).collect()
}

/// The number of an enum without data.
pub(super) fn enumeration_number(spot: &Spot) -> Option<Vec<Operation>> {
    let spot = spot.value().1?;
    let size = u8::try_from(spot.place.ty.size()).ok().filter(|size| (1..=8).contains(size))?;
    let form = if variants::is_signed(&spot.place.ty) { Form::Signed } else { Form::Unsigned };
    let from = spot.source(0, size.into())?;
    Some(loaded(&spot, Operation::Load { from, size, form }))
}

/// The operation that says whether an enum is in a variant.
pub(super) fn discriminant(spot: &Spot, variant: &str) -> Option<Vec<Operation>> {
    let ty = &spot.place.ty;
    let (offset, size) = match ty.variant_part() {
        Some(part) => (part.discriminant.as_ref()?.offset, ty.discriminant_size()),
        None => (0, ty.size()),
    };
    let size = u8::try_from(size).ok().filter(|size| (1..=8).contains(size))?;
    let from: Source = spot.source(offset, size.into())?;
    let form = Form::Variant(Box::new(tags(ty, size, variant)?));
    Some(loaded(spot, Operation::Load { from, size, form }))
}

fn tags(ty: &Type, size: u8, variant: &str) -> Option<Tags> {
    let mut tags = Tags::default();
    if let weft_symbols::TypeKind::Enumeration { enumerators, .. } = ty.kind() {
        let unused = 128_u32.checked_sub(u32::from(size).checked_mul(8)?)?;
        let mask = u128::MAX.checked_shr(unused)?;
        for enumerator in enumerators {
            let tag = enumerator.value.cast_unsigned() & mask;
            let list = if enumerator.name == variant { &mut tags.own } else { &mut tags.others };
            list.push((tag, tag));
        }
        return Some(tags);
    }
    for it in &ty.variant_part()?.variants {
        let is_own = it.member.name == variant;
        if it.discriminants.is_empty() {
            // Of several without a list, which cannot be, the first would count.
            tags.rest = tags.rest.or(Some(is_own));
        }
        let list = if is_own { &mut tags.own } else { &mut tags.others };
        list.extend(&it.discriminants);
    }
    Some(tags)
}

/// What a variant holds.
pub(super) fn payload(spot: &Spot, variant: &str) -> Option<Spot> {
    let part = spot.place.ty.variant_part()?;
    let found = part.variants.iter().find(|it| it.member.name == variant)?;
    let held = spot.inner(&found.member)?;
    held.place.ty.members().iter().any(|member| tuple_index(&member.name).is_some()).then_some(held)
}
