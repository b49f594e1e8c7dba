//! References, raw pointers, `Box`, function pointers and trait objects.

use weft_memory::MemAddr;
use weft_symbols::{CodeFrame, TypeKind};

use super::Child;
use super::shape::Shape;
use crate::{At, Meta, Place, Stop, ValueError};

/// A thin pointer: what it refers to stands for a reference or a `Box`; a raw pointer is an address.
pub(super) fn thin(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let TypeKind::Pointer(pointee) = place.ty.kind() else {
        return Err(ValueError::NotPointer(crate::short_type_name(place.ty.path())));
    };
    let target = pointee.and_then(|die| place.ty.at(die));
    if target.as_ref().is_some_and(|ty| matches!(ty.kind(), TypeKind::Subroutine)) {
        return function(stop, place).map(Shape::Leaf);
    }
    if target.is_none() || is_raw(place) {
        return raw(stop, place);
    }
    let target = place.deref(stop)?;
    aligned(&target)?;
    Ok(Shape::through(target))
}

/// A reference leads to a multiple of its target's alignment, which for numbers is their size.
fn aligned(target: &Place) -> Result<(), ValueError> {
    let size = target.ty.size();
    let natural = matches!(target.ty.kind(), TypeKind::Base(_)) && matches!(size, 2 | 4 | 8);
    let align = target.ty.align().or(natural.then_some(size)).filter(|align| align.is_power_of_two());
    match (target.address(), align) {
        (Some(address), Some(align)) if !address.raw().is_multiple_of(align) => Err(ValueError::Unavailable(format!(
            "misaligned pointer {address}: a `{}` lies at multiples of {align}",
            super::type_name(target)
        ))),
        _ => Ok(()),
    }
}

/// A wide pointer: a slice, `str` or trait object behind a reference or `Box`, or a raw one.
pub(super) fn wide(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    if is_raw(place) { raw(stop, place) } else { place.deref(stop).map(Shape::through) }
}

/// Whether this is an address and no reference: a raw or function pointer, thin or wide.
pub(crate) fn is_raw_pointer(place: &Place) -> bool {
    match place.ty.kind() {
        TypeKind::Pointer(target) => {
            let target = target.and_then(|die| place.ty.at(die));
            is_raw(place) || target.is_none_or(|ty| matches!(ty.kind(), TypeKind::Subroutine))
        }
        _ => place.is_wide_pointer() && is_raw(place),
    }
}

fn is_raw(place: &Place) -> bool {
    let name = place.ty.name();
    !(name.starts_with('&') || name.starts_with("Box<") || name.starts_with("alloc::boxed::Box<"))
}

fn raw(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    // The address comes first in wide pointers too.
    let number = crate::place::little_endian(&place.read_at(stop, 0, 8)?);
    let address = MemAddr::new(u64::try_from(number).map_err(|_| ValueError::TooLarge(8))?);
    if address.raw() == 0 {
        return Ok(Shape::Leaf("0x0".to_owned()));
    }
    let target = Child::extra("*", place.deref(stop));
    // What a wide pointer says besides the address.
    let more = match target.place.as_ref().map(|target| target.meta) {
        Ok(Meta::Length(len) | Meta::Tail(len) | Meta::Str(len)) => format!(" (length {len})"),
        _ => String::new(),
    };
    let fields = if target.place.is_ok() { vec![target] } else { Vec::new() };
    Ok(Shape::Summary { text: format!("{address}{more}"), fields })
}

/// A function pointer: the address, and the function there. A function item, which has no bytes, has the type of a
/// pointer in the debug information.
fn function(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    if matches!(&place.at, At::Bytes { bytes, .. } if bytes.is_empty()) {
        return Ok(format!("<function item of type `{}`>", crate::short_type_name(place.ty.path())));
    }
    let address = place.read_pointer(stop)?;
    if address.raw() == 0 {
        return Ok("0x0".to_owned());
    }
    let name = function_name(stop, address);
    Ok(name.map_or_else(|| format!("{address} <no function there>"), |name| format!("{address} {name}")))
}

/// The function at an address.
pub(super) fn function_name(stop: &Stop, address: MemAddr) -> Option<String> {
    if let Some(code) = concrete_function(stop, address) {
        return Some(code.function.name.clone());
    }
    let (module, file_address) = stop.modules.to_file(address)?;
    let symbol = module.image.symbol_at(file_address)?;
    Some(weft_symbols::symbol_name(&symbol.name))
}

/// The debug information of the function at an address.
pub(super) fn concrete_function(stop: &Stop, address: MemAddr) -> Option<CodeFrame> {
    let (module, file_address) = stop.modules.to_file(address)?;
    module.image.frames_at(file_address).ok()?.into_iter().last()
}

/// A trait object whose concrete type is not to be found: the vtable has no debug information, or it is none.
pub(super) fn unknown_object(stop: &Stop, place: &Place, vtable: MemAddr) -> Result<String, ValueError> {
    let name = crate::short_type_name(place.ty.path());
    // Size and alignment follow the first slot of every vtable.
    let align = vtable.checked_add(16).and_then(|at| stop.memory.read_u64(at).ok());
    if stop.modules.at(vtable).is_none() || !align.is_some_and(u64::is_power_of_two) {
        return Err(ValueError::Invalid(format!("no vtable of `{name}` at {vtable}")));
    }
    Ok(format!("<{name} of a type without debug information, vtable {vtable}>"))
}
