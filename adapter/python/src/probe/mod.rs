//! The module of ours inside the program, and the connection to it.
//!
//! For: putting the probe (`*.py` beside this file) into a program, asking it, and turning what it says into the words of
//! `weft-tasks` and `session`. Not for: anything that pydevd knows.
//!
//! **Invariant:** what the probe says is data of a program that may be broken or hostile: every number is looked up, every
//! list has an end, and a wrong one costs the row that it is in.
//! **Invariant:** a question has a deadline; a program that does not answer costs nothing else.

mod link;
mod listing;
mod notice;
mod sources;
mod stack;
mod user_code;
mod values;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use link::{
    Listener, PAUSE, Probe, ProbeError, awaiting, changes, holds, in_container, in_frame, in_message,
};
pub(crate) use listing::Listing;
pub(crate) use notice::Notice;
pub(crate) use stack::Stacks;
pub(crate) use user_code::UserCode;
pub(crate) use values::refused;
pub(crate) use wire::{Hello, Options};
