//! What is found, in the words that the faces of the debugger use.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Location, Snapshot, Task, TaskKey};
use weft_values::{Frame, Place};

use crate::chain::Named;
use crate::threads::ThreadView;

/// Every task of a stopped program, with what it takes to look at one of them more closely.
#[derive(Debug)]
pub struct Listing {
    /// The tasks.
    pub snapshot: Arc<Snapshot>,
    /// The generation of the stop it was made from.
    pub generation: u64,
    /// Where in `details` each task is.
    pub(crate) index: FxHashMap<TaskKey, u32>,
    pub(crate) details: Vec<Details>,
    pub(crate) threads: Vec<ThreadView>,
    /// The same by header address.
    pub(crate) by_header: FxHashMap<MemAddr, u32>,
}

/// What the snapshot does not tell of a task.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    /// Its place in the snapshot.
    pub(crate) row: u32,
    /// The entry future; none if it could not be found.
    pub(crate) future: Option<EntryFuture>,
    /// While running: the thread's position in `threads` and the activation's in the thread.
    pub(crate) polled: Option<(usize, usize)>,
    /// Its executor says that it is being polled.
    pub(crate) running: bool,
}

/// The future a task was made of.
#[derive(Clone, Debug)]
pub(crate) struct EntryFuture {
    pub(crate) ty: Type,
    pub(crate) address: MemAddr,
    /// What drops it with its task.
    pub(crate) dropper: Option<Dropper>,
}

/// A function in a task's vtable that is given the task's address and drops its future.
#[derive(Clone, Debug)]
pub(crate) struct Dropper {
    /// The task's memory; its header is the first thing in it.
    pub(crate) task: Range<MemAddr>,
    /// In the header, of the pointer to the vtable; in that, of the function.
    pub(crate) offsets: (u64, u64),
}

impl Listing {
    /// Adds what else there is to say of the whole. For a listing that nobody else has seen yet.
    pub fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        Arc::make_mut(&mut self.snapshot).notes.extend(notes);
    }

    /// A task's row.
    pub fn task(&self, key: TaskKey) -> Option<&Task> {
        self.row(self.details(key)?)
    }

    /// What the snapshot does not tell of a task.
    pub(crate) fn details(&self, key: TaskKey) -> Option<&Details> {
        self.details.get(usize::try_from(*self.index.get(&key)?).ok()?)
    }

    /// The task with its header there.
    pub(crate) fn named(&self, header: MemAddr) -> Option<Named> {
        let details = self.details.get(usize::try_from(*self.by_header.get(&header)?).ok()?)?;
        self.row(details).map(|task| (task.key, Arc::clone(&task.name)))
    }

    fn row(&self, details: &Details) -> Option<&Task> {
        self.snapshot.tasks.get(usize::try_from(details.row).ok()?)
    }

    /// The innermost task that a thread polls, roots included if they are being polled.
    pub fn running_on(&self, tid: i32) -> Option<TaskKey> {
        let view = self.threads.iter().find(|view| view.tid == tid)?;
        view.activations.iter().find_map(|activation| activation.running.then_some(activation.key).flatten())
    }
}

/// Where a frame's variables are to be had.
#[derive(Clone, Debug)]
pub enum Body {
    /// A suspended coroutine's environment; for `weft_values::coroutine`.
    Suspended(Place),
    /// A frame on a thread's stack; for `weft_values::variables`.
    Physical(Box<Frame>),
}

/// One task's logical stack as a tree, outermost first.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The tree; after the task's own frames come its awaiters as boundaries.
    pub frames: Vec<weft_tasks::Frame>,
    /// What the tree's `FrameBody`s are indices into.
    pub bodies: Vec<Body>,
}

/// A stack as rows, innermost first: where a thread's frames end, its task's awaiters go on.
#[derive(Clone, Debug, Default)]
pub struct LogicalStack {
    /// The rows.
    pub frames: Vec<LogicalFrame>,
    /// There are more, which were not walked.
    pub goes_on: bool,
}

/// A row of a logical stack.
#[derive(Clone, Debug)]
pub enum LogicalFrame {
    /// A frame.
    Frame(StackFrame),
    /// Above this row are this task's frames; the name is the task's.
    Task(TaskKey, Arc<str>),
    /// Below this row are the suspended frames of an awaiter; the name is the awaiter's.
    AwaitedBy(TaskKey, Arc<str>),
    /// Frames of a thread that stand for themselves and were not worked out; see [`LogicalStack::rows`].
    Skipped {
        /// The thread.
        tid: i32,
        /// Their numbers in its stack.
        frames: Range<usize>,
    },
    /// The stack ends here although its frames do not; a sentence says why.
    Cut(String),
}

/// A frame of a logical stack.
#[derive(Clone, Debug)]
pub struct StackFrame {
    /// The source's name for it.
    pub name: String,
    /// Where it executes or awaits.
    pub location: Option<Arc<Location>>,
    /// Not the user's code.
    pub subtle: bool,
    /// Where execution goes on, for physical frames.
    pub instruction: Option<MemAddr>,
    /// Its variables.
    pub body: Body,
}
