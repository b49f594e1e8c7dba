//! Structs, tuples, enums, unions, closures: shown as what they are made of.

use weft_symbols::TypeKind;

use super::Child;
use super::shape::Shape;
use crate::captures::captured;
use crate::names::without_arguments;
use crate::{FieldPlace, Place, Stop, ValueError};

/// A struct, tuple or closure; or an enum in its active variant.
pub(super) fn structure(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    if let TypeKind::Struct { variants: Some(_), .. } = place.ty.kind() {
        let variant = place.variant(stop)?;
        let fields = variant.place.members();
        return Ok(fields_shape(variant.name, &fields));
    }
    let path = place.ty.path();
    if is_closure(path) {
        return Ok(closure(stop, place));
    }
    Ok(fields_shape(own_name(place.ty.name()), &written_fields(place)))
}

/// All members: which one is meant, the debug information does not know.
pub(super) fn union(place: &Place) -> Shape {
    fields_shape(own_name(place.ty.name()), &place.members())
}

/// The fields, without those that lie outside of the struct: debug information gives a function item, which has no
/// size, the type of a function pointer.
fn written_fields(place: &Place) -> Vec<FieldPlace> {
    let end = place.ty.size();
    let start = place.address();
    let fits = |field: &FieldPlace| match (&field.place, start) {
        (Ok(inner), Some(start)) => {
            let offset = inner.address().and_then(|address| address.since(start));
            offset
                .is_none_or(|offset| offset.saturating_add(inner.ty.size()) <= end || inner.meta != crate::Meta::Sized)
        }
        _ => true,
    };
    place.members().into_iter().filter(fits).collect()
}

fn fields_shape(name: String, members: &[FieldPlace]) -> Shape {
    let is_tuple = !members.is_empty() && members.iter().all(|member| tuple_index(&member.name).is_some());
    let fields = members
        .iter()
        .filter(|member| !member.name.is_empty())
        .map(|member| Child::field(tuple_index(&member.name).unwrap_or(&member.name), member.place.clone()))
        .collect();
    Shape::Fields { name, fields, is_tuple }
}

/// `__0` → `0`.
pub(crate) fn tuple_index(name: &str) -> Option<&str> {
    let index = name.strip_prefix("__")?;
    (!index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())).then_some(index)
}

/// What stands before a struct's fields: its name without arguments, nothing for tuples.
fn own_name(name: &str) -> String {
    if name.starts_with('(') {
        String::new()
    } else {
        without_arguments(name).rsplit("::").next().unwrap_or(name).into()
    }
}

pub(crate) fn is_closure(path: &str) -> bool {
    without_arguments(path).rsplit("::").next().is_some_and(|last| last.starts_with("{closure_env#"))
}

/// A closure with what it captured, under the names of the source.
fn closure(stop: &Stop, place: &Place) -> Shape {
    let fields = written_fields(place)
        .into_iter()
        .map(|field| {
            let (name, place) = captured(stop, &field.name, field.place);
            Child::field(name, place)
        })
        .collect();
    Shape::Fields { name: crate::short_type_name(place.ty.path()), fields, is_tuple: false }
}
