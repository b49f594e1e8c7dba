//! What weft adds to the protocol: tasks. Described for readers in `docs/async-dap.md`.

use serde::{Deserialize, Serialize};

use crate::spec::{FrameHint, Source};

/// `asyncTasks` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsyncTasksArguments {
    /// How many matching tasks to skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// How many to return; all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Pages from this snapshot without looking again; fails when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Which tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<TaskFilter>,
}

/// Which tasks: all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFilter {
    /// Is in the name, the state, `file:line` of the location or of the entry, or what it waits on, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// One of these states; any when empty or left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<Vec<TaskState>>,
    /// Belongs to this runtime, by [`Runtime::id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<i64>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Never polled.
    Created,
    /// Woken, not running.
    Ready,
    /// Being polled.
    Running,
    /// Suspended.
    Waiting,
    /// Ended with a result that somebody may still take.
    Done,
    /// Ended in a panic or exception.
    Failed,
    /// Abort requested, or done.
    Cancelled,
}

/// Answer to `asyncTasks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsyncTasksResponse {
    /// The snapshot's number.
    pub generation: u64,
    /// Live tasks of every kind.
    pub total: u64,
    /// Tasks that the filter lets through.
    pub matched: u64,
    /// Every executor.
    pub runtimes: Vec<Runtime>,
    /// The page.
    pub tasks: Vec<Task>,
    /// What is wrong with some of them.
    pub problems: Vec<Problem>,
    /// What could not be seen and why, in plain words.
    pub notes: Vec<String>,
}

/// An executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// Stable in a session.
    pub id: i64,
    /// `tokio-multi-thread` and so on.
    pub kind: String,
    /// Its builder's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its threads, as `threads` names them.
    pub os_threads: Vec<i64>,
    /// Its live tasks.
    pub task_count: u64,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The file.
    pub source: Source,
    /// The line, in the client's counting.
    pub line: i64,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Stable, never reused in a session.
    pub id: i64,
    /// Works in `stackTrace` and in steps; 2^30 or more.
    pub thread_id: i64,
    /// The runtime's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_task_id: Option<u64>,
    /// The user's name for it, else its entry future's.
    pub name: String,
    /// `task`, `root`, `local` or `blocking`.
    pub kind: String,
    /// Its executor.
    pub runtime: i64,
    /// What it does.
    pub state: TaskState,
    /// Where its innermost frame of user code awaits or runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Where its entry function is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Location>,
    /// Where it was spawned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned_at: Option<Location>,
    /// Which task spawned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned_by: Option<i64>,
    /// The thread that polls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_thread: Option<i64>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<Wait>,
    /// Who awaits it.
    pub awaited_by: Vec<AwaitedBy>,
    /// How many tasks it contains, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtasks: Option<u64>,
    /// How many frames its logical stack has.
    pub frames: u64,
    /// What could not be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Somebody who awaits a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedBy {
    /// Which task.
    pub task: i64,
    /// `join`, `await`, `gather`, `taskgroup`, `wait`, `shield` or `joinset`.
    pub via: String,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// `sleep`, `join`, `mutex` and so on.
    pub kind: String,
    /// The same in words.
    pub text: String,
    /// The object, which several tasks may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Until a timer fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
    /// A file descriptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// The other end of a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Tasks that hold the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holders: Option<Vec<i64>>,
    /// Tasks that are waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<i64>>,
}

/// A lock, a channel and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Where it lies.
    pub id: u64,
    /// Its type's name.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `deadlock` and so on.
    pub kind: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    /// A sentence.
    pub text: String,
    /// The tasks concerned.
    pub tasks: Vec<i64>,
    /// The resources concerned.
    pub resources: Vec<u64>,
}

/// `asyncStack` asks this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncStackArguments {
    /// Whose stack.
    pub task: i64,
}

/// Answer to `asyncStack`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AsyncStackResponse {
    /// `frames[0]` is the outermost future; boundaries follow.
    pub frames: Vec<Frame>,
}

/// A node of a logical stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// Works in `scopes`.
    pub id: i64,
    /// What a user reads.
    pub name: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The line, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// What kind of node.
    pub kind: FrameKind,
    /// `subtle`: not the user's code, as in `stackTrace`; nothing means normal.
    #[serde(rename = "presentationHint", skip_serializing_if = "Option::is_none")]
    pub presentation_hint: Option<FrameHint>,
    /// For a boundary: the awaiter, or who spawned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<i64>,
    /// What a reader should know beyond the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Inward.
    pub children: Vec<Frame>,
}

/// What kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameKind {
    /// A suspended coroutine, with the line where it awaits.
    Await,
    /// A frame on a thread.
    Physical,
    /// A primitive future.
    Leaf,
    /// A grouping of several.
    Branch,
    /// An awaiter or spawn site.
    Boundary,
}

/// `asyncFocusTask` asks this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncFocusTaskArguments {
    /// Which task.
    pub task: i64,
    /// Only whether it is listed as a thread: the focus stays where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
}

/// `asyncRunTo` asks this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncRunToArguments {
    /// Which task.
    pub task: i64,
    /// The file.
    pub source: Source,
    /// The line in the client's counting.
    pub line: i64,
}

/// `asyncTaskStops` asks this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncTaskStopsArguments {
    /// Which task.
    pub task: i64,
    /// What it stops for from now on; nothing takes its stops away.
    pub on: Vec<TaskStop>,
}

/// What a task can stop for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStop {
    /// It is about to be polled, each time.
    Polled,
    /// It has ended with a value.
    Completed,
    /// It was aborted, or its runtime has ended.
    Cancelled,
    /// It has ended in a panic.
    Panicked,
}

/// Body of the event `asyncTasksChanged`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncTasksChangedEventBody {
    /// The number that `asyncTasks` answers with now.
    pub generation: u64,
}
