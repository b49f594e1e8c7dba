//! The native face of a debuggee: the engine's answers in the session's words, a file per concern.
//!
//! For: turning stops, frames, places and snapshots into what `session` asks for. Not for: deciding anything (`debugger`
//! does), reading anything (`values` and `runtimes` do), or DAP's ids (`session` gives them).
//!
//! **Invariant:** nothing here keeps a stop longer than the objects handed out for it, but the one after the last change of the
//! user's until the next.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod breakpoints;
mod cargo;
mod changes;
mod control;
mod disassembly;
mod factory;
mod files;
mod frame;
mod memory;
mod post_mortem;
mod report;
mod settings;
mod stack;
mod statics;
mod tasks;
mod variables;
mod words;

pub use factory::NativeFactory;
