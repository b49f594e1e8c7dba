//! The Python face of a debuggee.
//!
//! For: the other implementation of `session::Debuggee`, for asyncio programs. It lets pydevd (the engine of debugpy)
//! do what pydevd does well ([`link`]), and stands in only where asyncio needs more: the task tree, logical stacks,
//! breakpoints and steps that stay in their task ([`probe`]). The reader that takes the task tree of CPython 3.14 and
//! later from outside the process, through `memory` and `process`, belongs here as well ([`memory`]). Not for: DAP's
//! ids and order (`session` has them), or conclusions from tasks (`tasks::check` draws them).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod attach;
mod breakpoints;
mod cache;
mod children;
mod console;
mod debugpy;
mod ending;
mod face;
mod factory;
mod inject;
mod interpreter;
mod link;
pub mod memory;
mod outside;
mod patience;
mod pause;
mod probe;
mod report;
mod stack;
mod start;
mod state;
mod stepping;
mod tasks;
mod terms;
mod threads;
mod unanswered;
mod undebugged;
mod variables;

pub use factory::PythonFactory;
