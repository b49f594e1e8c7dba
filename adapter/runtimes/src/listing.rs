//! What is found, in the words that the faces of the debugger use.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
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
    pub(crate) entries: Entries,
    pub(crate) threads: Vec<ThreadView>,
}

/// What the snapshot does not tell of a task.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    /// Which task's.
    pub(crate) key: TaskKey,
    /// Its place in the snapshot.
    pub(crate) row: u32,
    /// The entry future; none if it could not be found.
    pub(crate) future: Option<EntryFuture>,
    /// While running: the thread's position in `threads` and the activation's in the thread.
    pub(crate) polled: Option<(usize, usize)>,
    /// Its executor says that it is being polled.
    pub(crate) running: bool,
}

/// The details of all tasks, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    list: Vec<Details>,
    /// Finds a task's place in the list by its address. Only places are kept here: there may be a hundred thousand.
    places: HashTable<u32>,
}

impl Entries {
    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.list.reserve(count);
        let list = &self.list;
        self.places.reserve(count, |at| hash_at(list, *at));
    }

    /// Adds those of a task that has none yet.
    pub(crate) fn push(&mut self, details: Details) {
        let Ok(at) = u32::try_from(self.list.len()) else { return };
        let hash = hash(details.key.address);
        self.list.push(details);
        let list = &self.list;
        self.places.insert_unique(hash, at, |at| hash_at(list, *at));
    }

    /// Those of a place in the list.
    pub(crate) fn get(&self, at: usize) -> Option<&Details> {
        self.list.get(at)
    }

    /// Those of a task.
    pub(crate) fn of(&self, key: TaskKey) -> Option<&Details> {
        self.get(self.find(key.address, |details| details.key == key)?)
    }

    pub(crate) fn of_mut(&mut self, key: TaskKey) -> Option<&mut Details> {
        let at = self.find(key.address, |details| details.key == key)?;
        self.list.get_mut(at)
    }

    /// Those of the task with its header there.
    pub(crate) fn at_header(&self, header: MemAddr) -> Option<&Details> {
        self.get(self.find(header.raw(), |details| details.key.address == header.raw())?)
    }

    fn find(&self, address: u64, is_it: impl Fn(&Details) -> bool) -> Option<usize> {
        let place = |at: &u32| usize::try_from(*at).ok();
        self.places.find(hash(address), |at| place(at).and_then(|at| self.get(at)).is_some_and(&is_it)).and_then(place)
    }
}

fn hash_at(list: &[Details], at: u32) -> u64 {
    usize::try_from(at).ok().and_then(|at| list.get(at)).map_or(0, |details| hash(details.key.address))
}

fn hash(address: u64) -> u64 {
    let mut hasher = FxHasher::default();
    address.hash(&mut hasher);
    hasher.finish()
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
        self.entries.of(key)
    }

    /// The task with its header there.
    pub(crate) fn named(&self, header: MemAddr) -> Option<Named> {
        self.row(self.entries.at_header(header)?).map(|task| (task.key, Arc::clone(&task.name)))
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
    /// A suspended coroutine; for [`crate::Runtimes::suspended`].
    Suspended(Suspended),
    /// A frame on a thread's stack; for `weft_values::variables`.
    Physical(Box<Frame>),
}

/// A coroutine at rest.
#[derive(Clone, Debug)]
pub struct Suspended {
    /// Its environment.
    pub environment: Place,
    /// What drops the task that it is part of.
    pub(crate) dropper: Option<Dropper>,
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
