//! The entry points, and what is kept between stops.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weft_memory::{MemAddr, Memory};
use weft_symbols::Modules;
use weft_tasks::TaskKey;
use weft_values::Stop;

use crate::chain::{Chain, KeyOf, Node, Visited, Walk};
use crate::collect::Collector;
use crate::executors::TaskTypes;
use crate::holds;
use crate::listing::{EntryFuture, Listing, LogicalStack, Stack};
use crate::polled::{KnownHeaders, OnePoll, Polled, Polling};
use crate::shape::Shapes;
use crate::spawns::{Spawn, SpawnSites};
use crate::tokio::{Cells, KnownEnds, TaskEnd, TaskTable, TaskTraps};
use crate::waits::Known;

/// Reads the tasks of one debuggee. What it works out about types it keeps for the next stop; so it lives as long as the
/// debuggee, and is shared by all who read.
#[derive(Debug, Default)]
pub struct Runtimes {
    pub(crate) shapes: Shapes,
    pub(crate) plans: holds::Plans,
    pub(crate) waits: Known,
    pub(crate) cells: Cells,
    pub(crate) task_types: TaskTypes,
    pub(crate) headers: KnownHeaders,
    /// Where tasks end.
    pub(crate) ends: KnownEnds,
    /// Where tasks were spawned, if somebody watched.
    pub(crate) spawns: SpawnSites,
    /// How many tasks the latest list had.
    pub(crate) listed: AtomicU64,
}

impl Runtimes {
    /// Knows nothing yet; reads nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every task. Never fails: what could not be seen is said in the snapshot's notes and in the tasks' errors. Builds
    /// the images' indices if that has not happened yet.
    pub fn list(&self, stop: &Stop) -> Listing {
        self.list_through(stop.for_a_walk())
    }

    /// As [`Runtimes::list`], of a stop whose memory is quick to read, and which nobody needs any more.
    pub(crate) fn list_through(&self, stop: Stop) -> Listing {
        let mut listing = Collector::new(self, &stop).run();
        // What it keeps of the program's memory is as much as the checks take.
        drop(stop);
        let snapshot = Arc::make_mut(&mut listing.snapshot);
        snapshot.problems = weft_tasks::check(snapshot);
        self.listed.store(listing.snapshot.tasks.len() as u64, Ordering::Relaxed);
        listing
    }

    /// One task's logical stack as a tree, with its awaiters; none if the listing has no such task.
    pub fn stack(&self, stop: &Stop, listing: &Listing, task: TaskKey) -> Option<Stack> {
        crate::stack::tree(self, stop, listing, task)
    }

    /// The stack of an OS thread: if it polls a task, the task's frames, the task's label, its awaiters, and last the
    /// executor's frames. `listing` is asked for only then. Of a deep stack no more is walked than its first `rows` rows
    /// need.
    pub fn thread_stack(&self, stop: &Stop, tid: i32, rows: usize, listing: &dyn Fn() -> Arc<Listing>) -> LogicalStack {
        crate::stack::of_thread(self, stop, tid, rows, listing)
    }

    /// The stack of a task: its logical chain, innermost first (of a running task its part of the thread's stack), then
    /// its awaiters.
    pub fn task_stack(&self, stop: &Stop, listing: &Listing, task: TaskKey) -> Option<LogicalStack> {
        crate::stack::of_task(self, stop, listing, task)
    }

    /// Which task a stopped thread polls, by its stack and what its executor keeps for it. Other threads may be running.
    pub fn polled_by(&self, stop: &Stop, tid: i32) -> Polling {
        crate::polled::polled_by(self, stop, tid)
    }

    /// Tokio's number of the task that a stopped thread says it polls: quick, and enough to know again a thread's task that
    /// [`Runtimes::polled_by`] has told. (A thread of the runtime's that polls none names the job that it is itself.)
    pub fn current_task(&self, stop: &Stop, tid: i32) -> Option<u64> {
        let fs_base = stop.thread(tid)?.registers.fs_base;
        self.current_task_of(&stop.modules, fs_base, stop.memory.as_ref())
    }

    /// The same of a thread that may be running, by its thread pointer.
    pub fn current_task_of(&self, modules: &Modules, fs_base: u64, memory: &dyn Memory) -> Option<u64> {
        crate::polled::current_task(self, modules, fs_base, memory)
    }

    /// The poll that a stopped thread is in, of a task of an executor's; none if it is in none, or nobody can tell.
    pub fn poll_of(&self, stop: &Stop, tid: i32) -> Option<OnePoll> {
        crate::polled::poll_of(self, stop, tid)
    }

    /// A task of an executor's, running or not, without a list of all; none if it is no more. (A future that a thread drives
    /// itself is none.)
    pub fn task(&self, stop: &Stop, key: TaskKey) -> Option<Polled> {
        crate::polled::at_rest(self, stop, key)
    }

    /// Reads what [`Runtimes::task_traps`] needs of a program's files, which may take a while, without a process.
    pub fn look_for_ends(&self, modules: &Modules) {
        crate::tokio::look_ahead(&self.ends, modules);
    }

    /// Where a program is to be stopped to see what becomes of one task of Tokio's; else a sentence says why it cannot be.
    pub fn task_traps(&self, stop: &Stop, task: TaskKey) -> Result<TaskTraps, String> {
        crate::polled::traps(self, stop, task)
    }

    /// By which functions a runtime comes to the task of Tokio's that has these bytes in its own memory. All threads stand.
    pub fn task_table(&self, stop: &Stop, inside: &Range<MemAddr>) -> Option<TaskTable> {
        crate::polled::table(self, stop, inside)
    }

    /// Whether a thread that stands at [`TaskTraps::poll`] is about to poll this task.
    pub fn is_to_poll(&self, stop: &Stop, tid: i32, task: TaskKey) -> bool {
        crate::tokio::is_to_poll(stop, tid, task)
    }

    /// How a task ends, if that is what a thread is about to make known that stands at one of [`TaskTraps::ends`].
    pub fn ending(&self, stop: &Stop, tid: i32, task: TaskKey) -> Option<TaskEnd> {
        crate::polled::ending(self, stop, tid, task)
    }

    /// A thread is about to make a task. For who watches the places where that happens ([`crate::Births`]), on the thread
    /// that stands there; a task that was told of before stays as it was.
    pub fn spawned(&self, spawn: &Spawn<'_>) {
        self.spawns.record(spawn);
    }

    /// Says, in sentences for the user, which spawns cannot be seen.
    pub fn set_unseen_spawns(&self, unseen: Vec<String>) {
        self.spawns.set_unseen(unseen);
    }

    /// Whether so many tasks were spawned since the last time that [`Runtimes::forget_ended_spawns`] is due.
    pub fn is_due_to_forget_spawns(&self) -> bool {
        self.spawns.is_due()
    }

    /// Forgets where tasks were spawned that have ended, by the list of those at a stop that is current.
    pub fn forget_ended_spawns(&self, stop: &Stop) {
        self.spawns.retain_listed(&self.list(stop).snapshot);
    }

    /// Forgets where all tasks were spawned: the process has become another program.
    pub fn forget_all_spawns(&self) {
        self.spawns.clear();
    }

    /// What a future that is at rest waits for.
    pub(crate) fn chain(&self, stop: &Stop, key_of: &KeyOf<'_>, future: &EntryFuture, visited: &mut Visited) -> Chain {
        Walk::new(stop, &self.shapes, &self.waits, key_of, visited).entry(future)
    }

    /// Looks for what tasks hold.
    pub(crate) fn holds<'a>(&'a self, stop: &'a Stop) -> holds::Finder<'a> {
        holds::Finder { stop, shapes: &self.shapes, plans: &self.plans }
    }

    /// The chain of a listed task: its coroutine's state, or its thread's stack while it runs.
    pub(crate) fn nodes(&self, stop: &Stop, listing: &Listing, task: TaskKey) -> Vec<Node> {
        let Some(details) = listing.details(task) else { return Vec::new() };
        if let Some((thread, activation)) = details.polled {
            let view = listing.threads.get(thread);
            let found = view.and_then(|view| Some((view, view.activations.get(activation)?)));
            if let Some((view, activation)) = found.filter(|(_, activation)| activation.running) {
                return crate::stack::physical(view.frames.get(activation.own.clone()).unwrap_or_default());
            }
        }
        let key_of = |header: MemAddr| listing.named(header);
        match &details.future {
            Some(future) => self.chain(stop, &key_of, future, &mut Visited::default()).nodes,
            None => Vec::new(),
        }
    }
}
