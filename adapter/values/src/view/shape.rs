//! What a value is to a reader, before it is written on a line or expanded: every family of types gives shapes, and
//! one writer and one expander work on them.

use weft_symbols::TypeKind;

use super::{
    Child, aggregates, cells, channels, coroutines, crates, iterators, locks, maps, once, pointers, scalars, standard,
    system, text, threads, time,
};
use crate::names::without_arguments;
use crate::{Meta, Place, Sequence, Stop, ValueError};

/// A value as a reader takes it.
pub(super) enum Shape {
    /// Text and nothing inside.
    Leaf(String),
    /// Bytes that are text.
    Text(text::Text),
    /// `Name { a: .., b: .. }`, `Name(.., ..)`, `(.., ..)`, `Name`.
    Fields {
        /// What stands before the brackets.
        name: String,
        /// What stands in them.
        fields: Vec<Child>,
        /// Round brackets, no names.
        is_tuple: bool,
    },
    /// `[.., ..]`.
    Items(Sequence),
    /// `{k: v, ..}` or `{k, ..}`.
    Entries(maps::Entries),
    /// Another value in its stead, with something said before it.
    Through {
        /// `Arc(strong=2) `, or nothing.
        prefix: String,
        /// The value.
        target: Place,
    },
    /// A fixed line, with fields to expand.
    Summary {
        /// The line.
        text: String,
        /// What can be expanded.
        fields: Vec<Child>,
    },
}

impl Shape {
    /// The value behind wrappers that add nothing.
    pub(super) const fn through(target: Place) -> Self {
        Self::Through { prefix: String::new(), target }
    }
}

/// The shape of a place. What is wrong with it comes back as the error.
pub(super) fn shape(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    match place.meta {
        Meta::Str(_) | Meta::Length(_) | Meta::Tail(_) if text::is_text_tail(place) => return text::tail(place),
        Meta::Length(_) => return place.sequence(stop).map(Shape::Items),
        Meta::Vtable(vtable) if crate::navigate::is_dyn(&place.ty) => {
            return pointers::unknown_object(stop, place, vtable).map(Shape::Leaf);
        }
        _ => {}
    }
    match place.ty.kind() {
        TypeKind::Base(encoding) => scalars::base(stop, place, *encoding),
        TypeKind::Enumeration { enumerators, .. } => scalars::enumeration(stop, place, enumerators),
        TypeKind::Pointer(_) => pointers::thin(stop, place),
        TypeKind::Array { .. } => place.sequence(stop).map(Shape::Items),
        TypeKind::Union(_) => cells::known(stop, place, without_arguments(place.ty.path()))
            .unwrap_or_else(|| Ok(aggregates::union(place))),
        TypeKind::Struct { .. } => structure(stop, place),
        TypeKind::Subroutine | TypeKind::Other(_) => {
            Ok(Shape::Leaf(format!("<a value of type `{}`>", crate::short_type_name(place.ty.path()))))
        }
    }
}

/// Structs that have a meaning of their own, by the path of their type; then those that show what they are made of.
fn structure(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    if place.ty.is_coroutine() {
        return coroutines::environment(stop, place);
    }
    if place.is_wide_pointer() {
        return pointers::wide(stop, place);
    }
    let path = without_arguments(place.ty.path());
    let known = text::known(stop, place, path)
        .or_else(|| cells::known(stop, place, path))
        .or_else(|| once::known(stop, place, path))
        .or_else(|| locks::known(stop, place, path))
        .or_else(|| maps::known(stop, place, path))
        .or_else(|| iterators::known(stop, place, path))
        .or_else(|| time::known(stop, place, path))
        .or_else(|| channels::known(stop, place, path))
        .or_else(|| threads::known(stop, place, path))
        .or_else(|| system::known(stop, place, path))
        .or_else(|| crates::known(stop, place, path))
        .or_else(|| standard::known(stop, place, path));
    match known {
        // A type of that name whose parts are called otherwise (another version): as what it is made of.
        Some(Err(ValueError::NoMember { .. } | ValueError::NotPointer(_) | ValueError::NoType(_))) | None => {
            aggregates::structure(stop, place)
        }
        Some(shape) => shape,
    }
}
