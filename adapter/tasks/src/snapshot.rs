//! All tasks of a program at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Held, Location, Problem, Wait, check};

/// What a task is, across snapshots: where its header lies and the runtime's own number for it, which tells
/// two tasks apart that lived at one address one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// Address of the task's header (native), or `id()` of the task object (Python).
    pub address: u64,
    /// The runtime's own id; zero where it has none.
    pub id: u64,
}

/// What a runtime is, across snapshots: the address of its shared handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuntimeKey(pub u64);

/// Which executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuntimeKind {
    /// Tokio's work-stealing scheduler.
    TokioMultiThread,
    /// Tokio's single-threaded scheduler.
    TokioCurrentThread,
    /// Tokio's set of tasks that are bound to a thread.
    TokioLocalSet,
    /// `async-executor`, behind smol and async-std.
    Smol,
    /// `futures`' pool of one thread.
    FuturesLocalPool,
    /// `futures`' pool of threads.
    FuturesThreadPool,
    /// None: threads that drive a future themselves, with a `block_on` that needs no executor.
    BlockOn,
    /// An event loop of Python's asyncio.
    Asyncio,
    /// uvloop: asyncio's tasks on an event loop of its own.
    Uvloop,
    /// An executor that weft does not know: its tasks are found by what futures look like, as well as that goes.
    Unknown,
}

impl RuntimeKind {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokioMultiThread => "tokio-multi-thread",
            Self::TokioCurrentThread => "tokio-current-thread",
            Self::TokioLocalSet => "tokio-local-set",
            Self::Smol => "smol",
            Self::FuturesLocalPool => "futures-local-pool",
            Self::FuturesThreadPool => "futures-thread-pool",
            Self::BlockOn => "block-on",
            Self::Asyncio => "asyncio",
            Self::Uvloop => "uvloop",
            Self::Unknown => "unknown",
        }
    }
}

/// One executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Identity.
    pub key: RuntimeKey,
    /// Which one.
    pub kind: RuntimeKind,
    /// The name its builder gave it.
    pub name: Option<String>,
    /// Operating system ids of the threads that belong to it, as far as they are known.
    pub os_threads: Vec<i32>,
    /// How many live tasks it has.
    pub task_count: usize,
}

/// What a task does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Never polled.
    Created,
    /// Woken, not running.
    Ready,
    /// Being polled by a thread.
    Running,
    /// Suspended.
    Waiting,
    /// Ended with a value that somebody may still take.
    Done,
    /// Ended in a panic or an exception.
    Failed,
    /// Abort was requested, or has happened.
    Cancelled,
}

impl State {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// Spawned onto a runtime.
    Task,
    /// The future that a thread drives itself (`block_on`, `#[tokio::main]`).
    Root,
    /// Spawned onto a thread-bound set.
    Local,
    /// A closure on a thread made for blocking.
    Blocking,
}

impl TaskKind {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Root => "root",
            Self::Local => "local",
            Self::Blocking => "blocking",
        }
    }
}

/// How one task awaits another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Via {
    Join,
    Await,
    Gather,
    TaskGroup,
    Wait,
    Shield,
    JoinSet,
}

impl Via {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Await => "await",
            Self::Gather => "gather",
            Self::TaskGroup => "taskgroup",
            Self::Wait => "wait",
            Self::Shield => "shield",
            Self::JoinSet => "joinset",
        }
    }
}

/// Somebody who awaits a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaiter {
    /// Who.
    pub task: TaskKey,
    /// How.
    pub via: Via,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Identity.
    pub key: TaskKey,
    /// The runtime's own id, where it has one.
    pub runtime_task_id: Option<u64>,
    /// The user's name for it, else the frame name of its entry future.
    pub name: Arc<str>,
    /// What kind.
    pub kind: TaskKind,
    /// Whose it is.
    pub runtime: RuntimeKey,
    /// What it does.
    pub state: State,
    /// Whether it has ended: it is listed only because something still holds its result.
    pub ended: bool,
    /// Where its innermost frame of user code awaits or runs; without one, the innermost frame.
    pub location: Option<Arc<Location>>,
    /// Where its entry function is declared.
    pub entry: Option<Arc<Location>>,
    /// Where it was spawned, if that is recorded.
    pub spawned_at: Option<Arc<Location>>,
    /// Which task spawned it, if that is recorded.
    pub spawned_by: Option<TaskKey>,
    /// The thread that polls it, while running.
    pub os_thread: Option<i32>,
    /// What it waits for, while waiting.
    pub waiting_on: Option<Wait>,
    /// What it holds, as far as that is found.
    pub holds: Vec<Held>,
    /// Who awaits it.
    pub awaited_by: Vec<Awaiter>,
    /// How many frames its own logical stack has.
    pub frames: usize,
    /// What could not be decoded, and why.
    pub error: Option<String>,
}

/// All tasks of a program at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The executors, in the order they were found.
    pub runtimes: Vec<Runtime>,
    /// The tasks: by runtime, then by the runtime's own id.
    pub tasks: Vec<Task>,
    /// What checks concluded.
    pub problems: Vec<Problem>,
    /// What could not be seen and why, in plain words.
    pub notes: Vec<String>,
}

impl Snapshot {
    /// Gives tasks other keys wherever they are named, and concludes anew.
    pub fn rename(&mut self, keys: &HashMap<TaskKey, TaskKey>) {
        let rename = |key: &mut TaskKey| *key = keys.get(key).copied().unwrap_or(*key);
        for task in &mut self.tasks {
            rename(&mut task.key);
            task.spawned_by.iter_mut().for_each(rename);
            task.awaited_by.iter_mut().for_each(|awaiter| rename(&mut awaiter.task));
            if let Some(wait) = &mut task.waiting_on {
                wait.each_task(&rename);
            }
        }
        self.problems = check(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProblemKind, WaitKind};

    fn task(id: u64, awaits: u64) -> Task {
        let key = |id| TaskKey { address: id, id };
        Task {
            key: key(id),
            runtime_task_id: Some(id),
            name: "t".into(),
            kind: TaskKind::Task,
            runtime: RuntimeKey(1),
            state: State::Waiting,
            ended: false,
            location: None,
            entry: None,
            spawned_at: None,
            spawned_by: Some(key(awaits)),
            os_thread: None,
            waiting_on: Some(Wait { tasks: vec![key(awaits)], ..Wait::new(WaitKind::Join, "a task") }),
            holds: Vec::new(),
            awaited_by: vec![Awaiter { task: key(awaits), via: Via::Await }],
            frames: 1,
            error: None,
        }
    }

    #[test]
    fn a_new_key_is_everywhere() {
        let mut snapshot = Snapshot { tasks: vec![task(1, 2), task(2, 1)], ..Snapshot::default() };
        let (old, new) = (TaskKey { address: 1, id: 1 }, TaskKey { address: 1, id: 7 });
        snapshot.rename(&HashMap::from([(old, new)]));
        assert_eq!(snapshot.tasks[0].key, new);
        let other = &snapshot.tasks[1];
        assert_eq!((other.spawned_by, other.awaited_by[0].task), (Some(new), new));
        assert_eq!(other.waiting_on.as_ref().map(|wait| wait.tasks.clone()), Some(vec![new]));
        let [deadlock] = &snapshot.problems[..] else { panic!("{:?}", snapshot.problems) };
        assert_eq!((deadlock.kind, deadlock.tasks.contains(&new)), (ProblemKind::Deadlock, true));
        assert!(deadlock.text.contains("{task:1:7}") && !deadlock.text.contains("{task:1:1}"), "{}", deadlock.text);
    }
}
