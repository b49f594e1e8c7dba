//! Shared ownership, interior mutability and wrappers: `Rc`, `Arc`, `Weak`, cells, atomics, `Pin`.

use super::Child;
use super::shape::Shape;
use crate::{Place, Stop, ValueError};

/// Beginnings of paths of types that are their only field to a reader.
pub(crate) const WRAPPERS: [&str; 4] = [
    "core::sync::atomic::Atomic",
    "core::sync::atomic::private::Align",
    "core::num::nonzero::NonZero",
    "core::num::niche_types::",
];

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "alloc::rc::Rc" => shared(stop, place, "Rc", "value"),
        "alloc::sync::Arc" => shared(stop, place, "Arc", "data"),
        "alloc::rc::Weak" | "alloc::sync::Weak" => weak(stop, place),
        // `Box` with an allocator that has a size.
        "alloc::boxed::Box" => place.member("__0").and_then(|unique| unique.deref(stop)).map(Shape::through),
        "core::cell::RefCell" => ref_cell(stop, place),
        "core::cell::Ref" | "core::cell::RefMut" => {
            place.member("value").and_then(|value| value.deref(stop)).map(Shape::through)
        }
        "core::cell::Cell" => Ok(one_field("Cell", "value", place.peel_field("value"))),
        "core::cell::UnsafeCell"
        | "core::mem::manually_drop::ManuallyDrop"
        | "core::mem::maybe_dangling::MaybeDangling"
        | "core::pin::Pin"
        | "core::num::nonzero::NonZero"
        | "core::ptr::non_null::NonNull"
        | "core::ptr::unique::Unique" => wrapper(place),
        "core::mem::maybe_uninit::MaybeUninit" => Ok(maybe_uninit(place)),
        "core::marker::PhantomData" => phantom(place),
        "core::num::wrapping::Wrapping" | "core::num::saturating::Saturating" => wrapper(place),
        "core::sync::atomic::AtomicBool" => atomic_bool(stop, place),
        "core::sync::atomic::Atomic" if holds_bool(place) => atomic_bool(stop, place),
        path if WRAPPERS.iter().any(|start| path.starts_with(start)) => wrapper(place),
        _ => return None,
    })
}

/// A type that is its only field to a reader.
fn wrapper(place: &Place) -> Result<Shape, ValueError> {
    let inner = place.peel_once().ok_or_else(|| ValueError::NotPointer(place.ty.path().to_owned()))?;
    Ok(Shape::through(inner))
}

/// `PhantomData<String>`: the type is all there is to it.
fn phantom(place: &Place) -> Result<Shape, ValueError> {
    Ok(Shape::Leaf(crate::short_type_name(place.ty.name())))
}

/// Whether it holds a value, only the code around it knows; whoever knows too can look inside.
fn maybe_uninit(place: &Place) -> Shape {
    let item = place.ty.template_argument("T");
    let value = item.map_or_else(|| place.member("value"), |item| Ok(Place::at(item, place.at.clone())));
    let fields = vec![Child::field("value", value)];
    Shape::Summary { text: "<maybe uninitialised>".to_owned(), fields }
}

fn holds_bool(place: &Place) -> bool {
    place.ty.template_argument("T").is_some_and(|ty| ty.name() == "bool")
}

/// An `AtomicBool`, which holds a `u8`.
fn atomic_bool(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    match place.peel().read_uint(stop)? {
        0 => Ok(Shape::Leaf("false".to_owned())),
        1 => Ok(Shape::Leaf("true".to_owned())),
        other => Err(ValueError::Invalid(format!("a bool of {other:#x}"))),
    }
}

fn one_field(name: &str, field: &str, value: Result<Place, ValueError>) -> Shape {
    Shape::Fields { name: name.to_owned(), fields: vec![Child::field(field, value)], is_tuple: false }
}

/// `Rc` and `Arc`: the value, with the counts of references to it. The weak count includes one for all strong ones.
fn shared(stop: &Stop, place: &Place, name: &str, payload: &str) -> Result<Shape, ValueError> {
    let inner = place.member("ptr")?.deref(stop)?;
    let strong = inner.member("strong")?.peel().read_u64(stop)?;
    let weak = inner.member("weak")?.peel().read_u64(stop)?.saturating_sub(1);
    let target = inner.member(payload)?.concrete(stop)?;
    if strong == 0 {
        return Err(ValueError::Invalid(format!("an {name} with no references left")));
    }
    let weak = if weak == 0 { String::new() } else { format!(", weak={weak}") };
    Ok(Shape::Through { prefix: format!("{name}(strong={strong}{weak}) "), target })
}

fn weak(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let pointer = place.member("ptr")?.peel();
    let address = crate::place::little_endian(&pointer.read_at(stop, 0, 8)?);
    if address == u128::from(u64::MAX) {
        return Ok(Shape::Leaf("Weak(never attached)".to_owned()));
    }
    let inner = place.member("ptr")?.deref(stop)?;
    let strong = inner.member("strong")?.peel().read_u64(stop)?;
    if strong == 0 {
        return Ok(Shape::Leaf("Weak(dropped)".to_owned()));
    }
    let target = inner.member("value").or_else(|_| inner.member("data"))?.concrete(stop);
    let fields = vec![Child::extra("[value]", target)];
    Ok(Shape::Summary { text: format!("Weak(strong={strong})"), fields })
}

fn ref_cell(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let borrow = place.member("borrow")?.peel().read_u64(stop)?.cast_signed();
    let name = match borrow {
        0 => "RefCell".to_owned(),
        readers if readers > 0 => format!("RefCell(borrowed {readers}×)"),
        _ => "RefCell(mutably borrowed)".to_owned(),
    };
    Ok(one_field(&name, "value", place.peel_field("value")))
}

impl Place {
    /// A field without the `UnsafeCell` around it.
    fn peel_field(&self, name: &str) -> Result<Self, ValueError> {
        self.member(name).map(|field| field.unwrap_cell())
    }

    /// What lies in an `UnsafeCell`, also in the one that Tokio wraps around it; other places unchanged.
    pub(crate) fn unwrap_cell(&self) -> Self {
        match crate::names::without_arguments(self.ty.path()) {
            "core::cell::UnsafeCell" => self.member("value").unwrap_or_else(|_| self.clone()),
            "tokio::loom::std::unsafe_cell::UnsafeCell" => {
                self.member("__0").map_or_else(|_| self.clone(), |inner| inner.unwrap_cell())
            }
            _ => self.clone(),
        }
    }
}
