//! Tokio: where its runtimes are, which tasks they own, and what a task's cell says.
//!
//! Roots are the threads' `CONTEXT` thread-locals (Tokio 1.22 to 1.54; older ones keep a `Handle` there, 1.0 to 1.21).
//! From a runtime's handle the list of owned tasks leads to every header; a header's vtable leads to the `poll`
//! function, whose generic arguments name the future; the cell's type, by name, says where everything is.

mod cell;
mod context;
mod header;
mod outcome;
mod owned;
mod state;

pub(crate) use cell::{Cells, Entry, concrete, describe};
pub(crate) use context::{Context, contexts};
pub(crate) use header::HeaderPlan;
pub(crate) use outcome::Outcome;
pub(crate) use owned::owned_tasks;
pub(crate) use state::TaskState;
