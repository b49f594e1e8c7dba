//! Executors beside Tokio: async-executor (behind smol and async-std), futures' pools, and those that nobody knows.

mod async_task;
mod boxed;
mod leaves;
mod pollers;
mod pools;
mod smol;
pub(crate) mod unknown;

pub(crate) use async_task::{HeaderPlan as AsyncTaskPlan, TaskTypes};
pub(crate) use leaves::{Object, leaf_kind, wait_kind_of_module};
pub(crate) use pollers::{PollKind, Poller, poller};
pub(crate) use pools::Pools;
pub(crate) use smol::{Smol, drives_executor, is_worker, runs_others};
