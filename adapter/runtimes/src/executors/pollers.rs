//! The functions with which executors poll futures: every executor's, in one table.

use weft_symbols::CodeFrame;

use super::async_task;
use crate::names::{base, within};

/// What an executor's function polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollKind {
    /// A task.
    Task,
    /// The future that a thread drives itself.
    BlockOn,
    /// A boxed future, whoever it was given to.
    Object,
}

/// A function that polls a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poller {
    pub(crate) kind: PollKind,
    /// The generic argument that names the future's type.
    pub(crate) future: &'static [&'static str],
    /// The module that the frames of one poll of a task lie in.
    pub(crate) machinery: &'static str,
}

const TOKIO_TASK: Poller = Poller { kind: PollKind::Task, future: &["T"], machinery: "tokio::runtime::task" };
const ASYNC_TASK: Poller = Poller { kind: PollKind::Task, future: &["F"], machinery: "async_task::raw" };
const BLOCK_ON: Poller = Poller { kind: PollKind::BlockOn, future: &["F", "impl Future<Output = T>"], machinery: "" };

const OBJECT: Poller = Poller { kind: PollKind::Object, future: &[], machinery: "futures_task::future_obj" };

/// Modules whose `block_on` drives a future.
const BLOCKING: [&str; 11] = [
    "tokio::runtime::park",
    "tokio::runtime::scheduler::current_thread",
    // Up to Tokio 1.22 these.
    "tokio::park::thread",
    "tokio::runtime::enter",
    "tokio::runtime::basic_scheduler",
    "async_io::driver",
    "futures_lite::future",
    "async_global_executor::executor",
    "async_std::task::block_on",
    "futures_executor::local_pool",
    "pollster",
];

/// What the function polls, if it is one that does.
pub(crate) fn poller(code: &CodeFrame) -> Option<Poller> {
    const CRATES: [&str; 7] =
        ["tokio", "async_task", "async_io", "async_global_executor", "async_std", "futures_", "pollster"];
    let path = code.function.path.as_str();
    if !CRATES.iter().any(|krate| path.starts_with(krate)) {
        return None;
    }
    if async_task::is_run(code) {
        return Some(ASYNC_TASK);
    }
    let path = base(path);
    if within(path, "futures_task::future_obj") && path.ends_with("::poll") {
        return Some(OBJECT);
    }
    if path == "tokio::runtime::task::raw::poll"
        || (within(path, "tokio::runtime::task::harness")
            && (path.ends_with("::poll") || path.ends_with("::poll_inner")))
    {
        return Some(TOKIO_TASK);
    }
    let drives =
        ["::block_on", "::run_until"].iter().any(|name| path.ends_with(name)) || path.contains("::block_on::{closure#");
    (drives && BLOCKING.iter().any(|module| within(path, module))).then_some(BLOCK_ON)
}
