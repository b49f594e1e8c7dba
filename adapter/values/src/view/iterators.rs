//! Iterators over memory: what is still to come.

use weft_symbols::Type;

use super::Child;
use super::shape::Shape;
use crate::{At, Meta, Place, Stop, ValueError};

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "core::slice::iter::Iter" => slice(stop, place).map(|rest| shown("Iter", rest)),
        "core::slice::iter::IterMut" => slice(stop, place).map(|rest| shown("IterMut", rest)),
        "alloc::vec::into_iter::IntoIter" => vec(stop, place).map(|rest| shown("IntoIter", rest)),
        "core::str::iter::Chars" => place.member("iter").and_then(|iter| slice(stop, &iter)).map(chars),
        _ => return None,
    })
}

fn shown(name: &str, rest: Place) -> Shape {
    Shape::Fields { name: name.to_owned(), fields: vec![Child::extra("[rest]", Ok(rest))], is_tuple: true }
}

/// The text that is left.
fn chars(bytes: Place) -> Shape {
    let meta = match bytes.meta {
        Meta::Length(len) => Meta::Str(len),
        other => other,
    };
    shown("Chars", Place { meta, ..bytes })
}

fn element(place: &Place) -> Result<Type, ValueError> {
    place.ty.template_argument("T").ok_or_else(|| ValueError::NoType("the iterator's elements".to_owned()))
}

/// `{ptr, end_or_len}`; before Rust 1.75 `{ptr, end}`. Of elements without size the second says how many there are.
fn slice(stop: &Stop, place: &Place) -> Result<Place, ValueError> {
    let element = element(place)?;
    let start = place.member("ptr")?.peel().read_pointer(stop)?.raw();
    match place.member("end_or_len") {
        Ok(end) if element.size() == 0 => {
            let len = end.peel().read_pointer(stop)?.raw();
            rest(element, start, start.wrapping_add(len))
        }
        Ok(end) => rest(element, start, end.peel().read_pointer(stop)?.raw()),
        Err(_) => rest(element, start, place.member("end")?.peel().read_pointer(stop)?.raw()),
    }
}

fn vec(stop: &Stop, place: &Place) -> Result<Place, ValueError> {
    let start = place.member("ptr")?.peel().read_pointer(stop)?.raw();
    rest(element(place)?, start, place.member("end")?.peel().read_pointer(stop)?.raw())
}

/// The elements between two addresses; those without size are counted in bytes.
fn rest(element: Type, start: u64, end: u64) -> Result<Place, ValueError> {
    let len = remaining(element.size(), start, end)?;
    Ok(Place { ty: element, at: At::Memory(weft_memory::MemAddr::new(start)), meta: Meta::Length(len) })
}

fn remaining(size: u64, start: u64, end: u64) -> Result<u64, ValueError> {
    let invalid = || ValueError::Invalid(format!("an iterator from {start:#x} to {end:#x}"));
    match size {
        0 => Ok(end.wrapping_sub(start)),
        size => {
            let bytes = end.checked_sub(start).ok_or_else(invalid)?;
            bytes.is_multiple_of(size).then_some(bytes.checked_div(size)).flatten().ok_or_else(invalid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_that_ends_before_it_begins_is_none() {
        assert_eq!(remaining(8, 0x1000, 0x1010), Ok(2));
        assert_eq!(remaining(0, 0x1000, 0x1003), Ok(3));
        assert!(remaining(8, 0x1000, 0x1004).is_err());
        assert!(remaining(1, 0x1000, 0xfff).is_err());
    }
}
