//! Finds executors in a stopped program by the names of their types, never by version, and reads what their tasks do.
//!
//! For: the list of all tasks ([`Runtimes::list`]: cheap, all of them), one task's logical stack ([`Runtimes::stack`]),
//! and the place where a thread's stack and a task's chain become one ([`Runtimes::thread_stack`]). Not for: showing a
//! value (`values`), giving tasks their numbers (`session`), running the program (`debugger`).
//!
//! **Invariant:** layout comes from names in the debug information. A name that is not found makes that task or that
//! field say so; the rest goes on: no task that cannot be decoded hides another.
//! **Invariant:** a running task's truth is its thread's stack, a suspended task's truth is its coroutine's state. A
//! coroutine that is being polled is never read, because its stored state is that of an earlier poll.
//! **Invariant:** every walk through the program's memory is bounded in depth and count and visits nothing twice.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod blocked;
mod branches;
mod chain;
mod channels;
mod cleanup;
mod collect;
mod describe;
mod drops;
mod executors;
mod glance;
mod heap;
mod holds;
mod joining;
mod labels;
mod leaves;
mod listing;
mod matching;
mod moved;
mod names;
mod polled;
mod queues;
mod root;
mod roster;
mod runtimes;
mod shape;
mod spawns;
mod stack;
mod text;
mod threads;
mod tokio;
mod waits;

pub use branches::{macro_branch_of, macro_branches};
pub use glance::Glance;
pub use joining::{Edge, edge, end_of_edge, ending};
pub use listing::{Body, Listing, LogicalFrame, LogicalStack, Stack, StackFrame, Suspended};
pub use names::is_file_of;
pub use polled::{OnePoll, Polled, Polling};
pub use runtimes::Runtimes;
pub use spawns::Spawn;
pub use threads::polls_task;
pub use tokio::{Births, Busy, CurrentTask, Ending, TaskEnd, TaskTable, TaskTraps};
