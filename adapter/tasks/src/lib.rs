//! What an async program is, whatever it is written in.
//!
//! For: the words in which both backends (native and Python) tell what they found — snapshot, runtime, task, wait,
//! logical frame, problem — and the checks that draw conclusions from them. Not for: finding any of it, or for the
//! wire (`protocol` has its own types).
//!
//! **Invariant:** plain data; this room depends on no other.
//! **Invariant:** a task is identified by its [`TaskKey`]; the numbers that a user sees are given by `session`.

mod checks;
mod frame;
mod snapshot;
mod wait;

pub use checks::check;
pub use frame::{Frame, FrameBody, FrameKind, Location};
pub use snapshot::{Awaiter, Runtime, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Via};
pub use wait::{Held, Hold, Polled, Problem, ProblemKind, Resource, Severity, Wait, WaitKind, Want, duration};
