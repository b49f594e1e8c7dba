//! How a task ended: the result that its cell keeps until somebody takes it.
//!
//! `Stage::Finished(Result<T::Output, JoinError>)`; `JoinError.repr` is `Cancelled` or `Panic(payload)` in all of
//! Tokio 1.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{Image, symbol_name};
use weft_values::{Meta, Place, Stop, ValueError};

use crate::text::{string, text};

const STRING: &str = "alloc::string::String";

/// Words from a vtable's start to its first method: drop, size and alignment come before it.
const FIRST_METHOD: u64 = 24;

/// Most bytes of a panic's message that are read.
const MAX_MESSAGE: u64 = 4096;

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a value.
    Value,
    /// By cancellation.
    Cancelled,
    /// In a panic; with its message, if that is text.
    Panic(Option<String>),
}

impl Outcome {
    /// Reads a finished stage's result.
    pub(crate) fn of(stop: &Stop, result: &Place) -> Result<Self, ValueError> {
        let active = result.variant(stop)?;
        if active.name == "Ok" {
            return Ok(Self::Value);
        }
        let repr = active.place.find("repr")?.variant(stop)?;
        match repr.name.as_str() {
            "Cancelled" => Ok(Self::Cancelled),
            "Panic" => {
                let payload = repr.place.deref(stop).ok();
                Ok(Self::Panic(payload.and_then(|payload| message(stop, &payload, result.ty.image()))))
            }
            other => Err(ValueError::Invalid(format!("a join error cannot be `{other}`"))),
        }
    }
}

/// The text of a panic's payload, which is a `&str` or a `String` unless the program made another one.
fn message(stop: &Stop, payload: &Place, image: &Arc<Image>) -> Option<String> {
    let address = payload.address()?;
    match payload.meta {
        Meta::Vtable(vtable) => match type_id_method(stop, vtable)?.as_str() {
            "<&str as core::any::Any>::type_id" => slice(stop, address),
            "alloc::string::String::type_id" => {
                let ty = image.types(STRING).into_iter().next()?;
                string(stop, &Place::new(ty, address), MAX_MESSAGE)
            }
            _ => None,
        },
        _ if payload.ty.path() == "&str" => slice(stop, address),
        _ if payload.ty.path() == STRING => string(stop, payload, MAX_MESSAGE),
        _ => None,
    }
}

/// The name of the method that answers `Any::type_id` in a vtable without types: where the standard library makes the
/// payload, nothing else names the payload's type.
fn type_id_method(stop: &Stop, vtable: MemAddr) -> Option<String> {
    let method = stop.memory.read_pointer(vtable.checked_add(FIRST_METHOD)?).ok()?;
    let (module, address) = stop.modules.to_file(method)?;
    Some(symbol_name(&module.image.symbol_at(address)?.name))
}

/// What a `&str` at this address says.
fn slice(stop: &Stop, address: MemAddr) -> Option<String> {
    let start = stop.memory.read_pointer(address).ok()?;
    let length = stop.memory.read_u64(address.checked_add(8)?).ok()?;
    text(stop, start, length, MAX_MESSAGE)
}
