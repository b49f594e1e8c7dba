//! Tokio: where its runtimes are, which tasks they own, and what a task's cell says.
//!
//! Roots are the threads' `CONTEXT` thread-locals (Tokio 1.22 to 1.54; older ones keep a `Handle` there, 1.0 to 1.21), which
//! lead to the runtimes that threads are inside, and a pass over the program's memory, which finds the others
//! ([`heap`]). From a scheduler the list of owned tasks leads to every header; a header's vtable leads to the `poll`
//! function, whose generic arguments name the future; the cell's type says where everything is.

mod births;
mod blocking;
mod cell;
mod context;
mod ends;
mod handles;
mod header;
mod heap;
mod layout;
mod merged;
mod outcome;
mod owned;
mod recorded;
mod roster;
mod scheduler;
mod state;
mod tables;
mod vtables;

pub(crate) use births::current_tasks;
pub use births::{Births, CurrentTask};
pub(crate) use cell::{Cells, Entry};
pub(crate) use ends::{KnownEnds, ending, is_to_poll, look_ahead, traps};
pub use ends::{TaskEnd, TaskTraps};
pub use handles::Ending;
pub(crate) use handles::{drops_task, is_of_task};
pub(crate) use header::HeaderPlan;
pub(crate) use roster::{Tokio, has_code, header_plans};
pub(crate) use tables::table;
pub use tables::{Busy, TaskTable};
