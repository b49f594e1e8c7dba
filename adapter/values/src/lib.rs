//! Places in a stopped program and what a user reads there.
//!
//! A place is a type and where it lies. Nothing is read until someone looks, and never more than they look at.
//!
//! For: [`Stop`] (everything known about a stopped program, immutable), [`Place`] and its navigation (member, peel,
//! deref, variant, elements: once, for everybody), a thread's physical stack, a frame's variables, a suspended
//! coroutine's state, a value as a Rust programmer would write it, and expressions over all that. Not for: getting at
//! a process (`process`), running it (`debugger`), knowing what a task is (`runtimes`), ids or DAP (`session`).
//!
//! **Invariant:** nothing here writes to the program (it only says what would have to be written) or keeps what it read; a [`Stop`] that is over answers `Resumed`.
//! **Invariant:** layout is taken from names in the debug information, never from a version.
//! **Invariant:** every walk through the program's memory is bounded in depth and in count, and what cannot be read is
//! a [`ValueError`] in its own place: it never hides a neighbour, and it never panics.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod captures;
mod coroutine;
mod error;
mod expression;
mod frames;
mod merged;
mod names;
mod navigate;
mod place;
mod polling;
mod saved;
mod sequence;
mod stacks;
mod stop;
mod variables;
mod view;
mod watching;

pub use coroutine::{CoroutinePhase, CoroutineState, coroutine, coroutine_phase};
pub use error::ValueError;
pub use expression::{
    AskTask, Compiled, EvaluateError, Message, Offered, Quick, Scope, TaskValue, TaskVariable, Variables, Within,
    Write, as_operand, assignment, completions, evaluate, typed_name,
};
pub use frames::{Done, Frame, FrameWalk, WalkEnd, depth, frames, frames_above_foot, frames_before, frames_in};
pub use names::{short_type_name, type_name};
pub use navigate::{ActiveVariant, FieldPlace};
pub use place::{At, Meta, Place};
pub use saved::{Saved, namesakes};
pub use sequence::Sequence;
pub use stacks::{FunctionAt, Stacks, functions_at};
pub use stop::{Clock, Descriptors, Ends, Stop, ThreadState};
pub use variables::{FrameVariable, environment, no_variables, place_of, variables, way_to_environment};
pub use view::{Child, Children, Filter, View, children, view};
pub use watching::{DataTarget, LocalOf, data_target, place_target};
pub use weft_symbols::is_user_code as is_user_crate;
