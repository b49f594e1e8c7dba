//! Enums compared with one of their variants, `state == State::Open`, `found == Some(5)`.

use weft_symbols::{BaseEncoding, Type, TypeKind, Variant, VariantPart};

use super::EvaluateError;
use super::number::{Integer, IntegerType};
use super::reach::hint;
use crate::names::without_arguments;
use crate::place::sign_extended;
use crate::{Place, Stop, ValueError};

/// An enum's name without its module and arguments: `Option`.
pub(super) fn own_name(ty: &Type) -> String {
    without_arguments(ty.name()).rsplit("::").next().unwrap_or_default().to_owned()
}

/// The names of an enum's variants.
pub(super) fn names(ty: &Type) -> Vec<String> {
    match ty.kind() {
        TypeKind::Enumeration { enumerators, .. } => enumerators.iter().map(|it| it.name.clone()).collect(),
        TypeKind::Struct { variants: Some(part), .. } => {
            part.variants.iter().map(|variant| variant.member.name.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// The variant of an enum that a path means: `State::Open`, `Self::Open`, `module::State::Open`, `Open`.
pub(super) fn meant(ty: &Type, path: &str) -> Result<String, EvaluateError> {
    let (prefix, variant) = path.rsplit_once("::").map_or((None, path), |(prefix, variant)| (Some(prefix), variant));
    let own = own_name(ty);
    if let Some(named) = prefix.and_then(|prefix| prefix.rsplit("::").next())
        && named != own
        && named != "Self"
    {
        return Err(EvaluateError::Mismatch(format!(
            "cannot compare `{}` with `{path}`; its variants are written `{own}::..`",
            crate::type_name(ty)
        )));
    }
    let names = names(ty);
    if names.iter().any(|name| name == variant) {
        return Ok(variant.to_owned());
    }
    let hint = match hint(variant, &names) {
        hint if hint.is_empty() => format!("; it has {}", listed(&names)),
        hint => hint,
    };
    Err(EvaluateError::Mismatch(format!("no variant `{variant}` in `{}`{hint}", crate::type_name(ty))))
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 5 { ", .." } else { "" };
    if shown.is_empty() { "none".to_owned() } else { format!("{}{more}", shown.join(", ")) }
}

/// The type of what a variant holds.
pub(super) fn payload(ty: &Type, variant: &str) -> Option<Type> {
    let part = ty.variant_part()?;
    let found = part.variants.iter().find(|it| it.member.name == variant)?;
    ty.at(found.member.ty?)
}

/// The variants of an enum with data, and the one of that name.
pub(super) fn part<'t>(ty: &'t Type, variant: &str) -> Option<(&'t VariantPart, &'t Variant)> {
    let part = ty.variant_part()?;
    Some((part, part.variants.iter().find(|it| it.member.name == variant)?))
}

/// The bytes of a variant of an enum without data.
pub(super) fn enumerator(ty: &Type, variant: &str) -> Option<Vec<u8>> {
    let TypeKind::Enumeration { enumerators, .. } = ty.kind() else { return None };
    let found = enumerators.iter().find(|it| it.name == variant)?;
    found.value.to_le_bytes().get(..usize::try_from(ty.size()).ok()?).map(<[u8]>::to_vec)
}

/// Refuses another number of values in the brackets than the variant holds.
pub(super) fn check_arguments(ty: &Type, variant: &str, count: usize) -> Result<(), EvaluateError> {
    let held = payload(ty, variant).map_or(0, |payload| {
        payload.members().iter().filter(|member| crate::view::tuple_index(&member.name).is_some()).count()
    });
    if held == count {
        return Ok(());
    }
    Err(EvaluateError::Mismatch(format!("`{}::{variant}` holds {held} values in brackets, not {count}", own_name(ty))))
}

/// Whether an enum is in a variant; then what it holds, if it holds anything.
pub(super) fn active(stop: &Stop, place: &Place, variant: &str) -> Result<Option<Option<Place>>, ValueError> {
    let TypeKind::Enumeration { enumerators, .. } = place.ty.kind() else {
        let active = place.variant(stop)?;
        return Ok((active.name == variant).then_some(Some(active.place)));
    };
    let size = place.ty.size();
    let tag = place.read_uint(stop)?;
    let same = |value: i128| sign_extended(value.cast_unsigned(), size) == sign_extended(tag, size);
    let known = enumerators.iter().find(|it| same(it.value));
    let known = known.ok_or_else(|| ValueError::InvalidTag { ty: crate::type_name(&place.ty), tag })?;
    Ok((known.name == variant).then_some(None))
}

/// The number of a variant of an enum without data, as `as` gives it.
pub(super) fn number(stop: &Stop, place: &Place) -> Result<Integer, EvaluateError> {
    let bits = place.read_uint(stop)?;
    let size = u8::try_from(place.ty.size()).unwrap_or(16);
    Ok(Integer::read(bits, IntegerType { size, signed: is_signed(&place.ty), pointer_sized: false }))
}

/// Whether an enum's numbers have a sign: as its integer type says, and where a variant is negative.
pub(super) fn is_signed(ty: &Type) -> bool {
    let TypeKind::Enumeration { repr, enumerators } = ty.kind() else { return false };
    let repr = repr.and_then(|die| ty.at(die));
    repr.is_some_and(|repr| matches!(repr.kind(), TypeKind::Base(BaseEncoding::Signed)))
        || enumerators.iter().any(|it| it.value < 0)
}
