//! Executors beside Tokio: async-executor (behind smol and async-std), futures' pools, and those that nobody knows.

mod async_task;
mod pollers;
mod smol;

pub(crate) use async_task::TaskTypes;
pub(crate) use pollers::{PollKind, Poller, poller};
pub(crate) use smol::{Smol, is_worker, runs_others};
