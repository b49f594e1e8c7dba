//! Who is there: runtimes and their tasks, in words that no executor owns.
//!
//! An executor finds what it has ([`Executor::roster`]) and says nothing of what a task does: that is worked out from its
//! entry future, which is the same for all of them.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_tasks::{Location, Runtime, RuntimeKey, State, TaskKey, TaskKind};

use crate::heap::Heap;
use crate::listing::EntryFuture;
use crate::threads::ThreadView;

/// One executor's way to its tasks, at one stop.
pub(crate) trait Executor {
    /// The words that betray its tasks in memory, wherever they lie there; none if it does without.
    fn words(&self) -> FxHashSet<u64> {
        FxHashSet::default()
    }

    /// Everything it finds, with a look at where in memory its words lie. Called once; what cannot be read is in the notes
    /// and in the tasks' errors.
    fn roster(&mut self, heap: &Heap) -> Roster;

    /// Whose thread this is, as what it polls tells; none if that is not for this executor to say.
    fn runtime_of(&self, _thread: &ThreadView) -> Option<RuntimeKey> {
        None
    }

    /// The task whose header lies at an address, which some handle or frame names; none if it is not one of this
    /// executor's, or one of its own that no user knows. `near`: the runtime of who names it, which it is counted to if it
    /// does not say whose it is.
    fn task_at(&self, header: MemAddr, near: RuntimeKey) -> Option<Found>;
}

/// What an executor has found.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// The runtimes; who counts their tasks does so later.
    pub(crate) runtimes: Vec<Runtime>,
    /// Their tasks, each once.
    pub(crate) tasks: Vec<Found>,
    /// The threads that are inside a runtime, those that wait in it too.
    pub(crate) threads: Vec<Inside>,
    /// What could not be seen, in plain words.
    pub(crate) notes: Vec<String>,
}

/// A thread inside a runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside {
    pub(crate) tid: i32,
    pub(crate) runtime: RuntimeKey,
    /// The runtime's number of the task that the thread says it runs; may be that of one it has run.
    pub(crate) current: Option<u64>,
}

/// A task, before anything is known of what it does.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: TaskKey,
    pub(crate) runtime: RuntimeKey,
    /// The runtime's own number for it.
    pub(crate) id: Option<u64>,
    pub(crate) name: Arc<str>,
    /// Where its entry function is declared.
    pub(crate) entry: Option<Arc<Location>>,
    /// Where it was spawned, as the runtime itself says.
    pub(crate) spawned_at: Option<Arc<Location>>,
    pub(crate) kind: TaskKind,
    /// A thread polls it at the moment.
    pub(crate) running: bool,
    pub(crate) progress: Progress,
    /// None once it has ended, or if it could not be found.
    pub(crate) future: Option<EntryFuture>,
    /// What could not be decoded, or how it failed.
    pub(crate) error: Option<String>,
}

/// How far a task is, as its executor tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is over, in this state.
    Ended(State),
    /// It is to end without being polled to its end.
    Aborted,
    /// To be polled next.
    Woken,
    /// Nobody has woken it.
    Idle,
    /// A job that waits for a thread and was never run.
    Queued,
    /// The executor's word could not be read.
    Unknown,
}

impl Found {
    /// Where its header lies.
    pub(crate) fn header(&self) -> MemAddr {
        MemAddr::new(self.key.address)
    }

    /// What a user reads. `unresumed`: the entry future was never polled.
    pub(crate) fn state(&self, unresumed: bool) -> State {
        match self.progress {
            Progress::Ended(state) => state,
            Progress::Aborted => State::Cancelled,
            _ if self.running => State::Running,
            _ if unresumed => State::Created,
            Progress::Queued => State::Created,
            Progress::Woken => State::Ready,
            Progress::Idle | Progress::Unknown => State::Waiting,
        }
    }
}
