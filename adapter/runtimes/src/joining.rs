//! Where a task's code ends on a stack, and who goes on when the task has ended.

use weft_values::{Frame, Stop};

use crate::executors::{PollKind, poller};
use crate::names::within;
use crate::tokio::{Ending, drops_task, is_of_task};

/// What lies between a future and those who called the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A task ends here: what lies outside on the stack is not its own.
    Task,
    /// A thread has nothing else to do than to drive this future: who called that goes on when the future has ended.
    Thread,
}

/// What kind of edge an executor's function is, if it is one.
pub fn edge(frame: &Frame) -> Option<Edge> {
    let code = frame.code.as_ref()?;
    let path = code.function.path.as_str();
    match poller(code).map(|poller| poller.kind) {
        Some(PollKind::Task | PollKind::Object) => Some(Edge::Task),
        Some(PollKind::BlockOn) => Some(Edge::Thread),
        // Who drops a task's future need not poll it.
        _ if drops_task(path) || within(path, "async_task::raw") => Some(Edge::Task),
        _ => None,
    }
}

/// The task whose edge is at `at` in a stack that is current: the thread polls its future or drops it. None for executors
/// other than Tokio, and where the debug information does not say.
pub fn ending(stop: &Stop, frames: &[Frame], at: usize) -> Option<Ending> {
    let run = frames.get(at..)?;
    let is_of = |frame: &&Frame| frame.code.as_ref().is_none_or(|code| is_of_task(&code.function.path));
    let length = run.iter().take_while(is_of).count();
    Ending::of(stop, run.get(..length)?)
}

/// The position in a stack of the last function of an edge that begins at `at`: what it returns to is the executor's own.
pub fn end_of_edge(frames: &[Frame], at: usize) -> usize {
    let is_of = |frame: &Frame| {
        let of_task = |path: &str| is_of_task(path) || within(path, "async_task::raw");
        frame.code.as_ref().is_some_and(|code| of_task(&code.function.path))
    };
    let run = frames.iter().enumerate().skip(at).take_while(|(_, frame)| is_of(frame));
    run.filter(|(_, frame)| edge(frame).is_some()).last().map_or(at, |(last, _)| last)
}
