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
mod roster;
mod state;

pub(crate) use cell::Cells;
pub(crate) use roster::{LOCAL_SET, Tokio, has_code};
