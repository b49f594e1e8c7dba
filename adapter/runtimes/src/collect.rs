//! From a stopped program to the list of its tasks.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_symbols::DebugInfo;
use weft_tasks::{
    Awaiter, Location, Runtime, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Via, Wait,
};
use weft_values::{Frame, Stop};

use crate::blocked::blocked;
use crate::chain::{Chain, Named, Node, Visited, joined, wait_of};
use crate::executors::{Pools, Smol, is_worker, unknown};
use crate::heap::Heap;
use crate::holds::{self, Belongings};
use crate::labels::RootName;
use crate::listing::{Details, Entries, EntryFuture, Listing};
use crate::matching::{assign, polled};
use crate::roster::{Executor, Found, Inside, Progress};
use crate::runtimes::Runtimes;
use crate::spawns::{DrivenRoot, Driver};
use crate::threads::{Activation, Driven, ThreadView, view};
use crate::tokio::{Tokio, has_code};

/// Most things that are said of one list: torn memory can have something wrong at each of a hundred thousand places.
const MAX_NOTES: usize = 64;

/// Most tasks that are added because somebody joins them although no runtime owns them.
const MAX_JOINED: usize = 10_000;

/// Collects the tasks of one stop.
pub(crate) struct Collector<'a> {
    runtimes: &'a Runtimes,
    stop: &'a Stop,
    executors: Vec<Box<dyn Executor + 'a>>,
    /// No executor but Tokio can be in the program.
    only_tokio: bool,
    inside: Vec<Inside>,
    threads: Vec<ThreadView>,
    snapshot: Snapshot,
    /// What the snapshot does not tell of its tasks. Until the end their order is that of the snapshot.
    entries: Entries,
    /// Tasks by their headers that somebody joins and no list has.
    elsewhere: FxHashMap<MemAddr, Named>,
    /// Kept from one task to the next.
    visited: Visited,
    /// Who joins whom, and whether through a set.
    joins: Vec<(TaskKey, TaskKey, bool)>,
    /// The headers of tasks whose handles somebody has, with that one's runtime.
    handles: FxHashMap<MemAddr, RuntimeKey>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(runtimes: &'a Runtimes, stop: &'a Stop) -> Self {
        let tokio = Tokio::find(stop, &runtimes.cells).map(|tokio| Box::new(tokio) as Box<dyn Executor>);
        let smol = Smol::find(stop, &runtimes.task_types).map(|smol| Box::new(smol) as Box<dyn Executor>);
        let pools = Pools::find(stop, &runtimes.shapes);
        Self {
            only_tokio: tokio.is_some() && smol.is_none() && pools.is_empty(),
            runtimes,
            stop,
            executors: tokio
                .into_iter()
                .chain(smol)
                .chain(pools.into_iter().map(|it| Box::new(it) as Box<dyn Executor>))
                .collect(),
            inside: Vec::new(),
            threads: Vec::new(),
            snapshot: Snapshot::default(),
            entries: Entries::default(),
            elsewhere: FxHashMap::default(),
            visited: Visited::default(),
            joins: Vec::new(),
            handles: FxHashMap::default(),
        }
    }

    pub(crate) fn run(mut self) -> Listing {
        let blind = self.note_blindness();
        let mut found = self.rosters();
        // Without types a stack still names functions that poll, and nothing can be said of what they poll.
        if !blind {
            self.look_at_threads();
        }
        let beside = self.beside(&found);
        found.extend(beside);
        assign(self.stop, &mut self.threads, &self.inside, &mut found);
        found.extend(self.unclaimed());
        found.extend(self.roots());
        let order = Order::of(&self.snapshot.runtimes);
        found.sort_by_cached_key(|task| order.rank(task.runtime, task.id, task.key));
        self.add(found);
        self.joined_outside();
        self.panicked_outside();
        self.note_absence();
        self.finish()
    }

    /// Notes, in plain words, what keeps the program from being seen. Whether nothing can be seen at all: a library may
    /// have what the program lacks.
    fn note_blindness(&mut self) -> bool {
        let why = match self.stop.modules.iter().next() {
            None => "the files that the program consists of are not known".to_owned(),
            Some(program) if program.image.debug_info() == DebugInfo::Absent => {
                let name = program.image.name();
                format!("{name} has no debug information: build it with `debug = true` to see its tasks")
            }
            Some(program) if self.executors.is_empty() && has_code(&program.image) => {
                let name = program.image.name();
                format!("the debug information of {name} has no types: build it with `debug = true` to see its tasks")
            }
            Some(_) => return false,
        };
        self.note(why);
        self.executors.is_empty()
    }

    /// Says what is looked for where nothing was found and nothing else was to be said.
    fn note_absence(&mut self) {
        let program = self.stop.modules.iter().next().map(|program| program.image.name());
        let nothing = self.executors.is_empty() && self.snapshot.runtimes.is_empty() && self.snapshot.notes.is_empty();
        if let Some(name) = program.filter(|_| nothing) {
            self.note(format!(
                "{name} has no async runtime that is known (Tokio, smol, async-std and futures' pools are), and no future was found in it"
            ));
        }
    }

    fn note(&mut self, note: String) {
        match self.snapshot.notes.len() {
            MAX_NOTES => self.snapshot.notes.push("there is more that could not be seen".to_owned()),
            count if count < MAX_NOTES && !self.snapshot.notes.contains(&note) => self.snapshot.notes.push(note),
            _ => {}
        }
    }

    /// What the executors know of themselves, united.
    fn rosters(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        let words: FxHashSet<u64> = self.executors.iter().flat_map(|executor| executor.words()).collect();
        let heap = Heap::scan(self.stop, &words);
        if heap.cut {
            self.note("the program has more memory than is searched: tasks may be missing".to_owned());
        }
        let mut rosters: Vec<_> = self.executors.iter_mut().map(|executor| executor.roster(&heap)).collect();
        if rosters.iter().all(|roster| roster.runtimes.is_empty()) {
            rosters.extend(unknown::in_memory(self.stop, &self.runtimes.shapes));
        }
        for roster in rosters {
            self.snapshot.runtimes.extend(roster.runtimes);
            self.inside.extend(roster.threads);
            found.extend(roster.tasks);
            for note in roster.notes {
                self.note(note);
            }
        }
        found
    }

    /// Looks at the stacks of threads: those that Tokio names; all, if another executor may be at work.
    fn look_at_threads(&mut self) {
        let named: FxHashSet<i32> = self.inside.iter().map(|thread| thread.tid).collect();
        let wanted = self.stop.threads.iter().filter(|thread| !self.only_tokio || named.contains(&thread.tid));
        self.threads = wanted.map(|thread| view(self.stop, thread.tid)).collect();
        for thread in self.threads.iter().filter(|thread| !named.contains(&thread.tid)) {
            let runtime = self.executors.iter().find_map(|executor| executor.runtime_of(thread));
            let Some(key) = runtime else { continue };
            self.inside.push(Inside { tid: thread.tid, runtime: key, current: None });
            if let Some(runtime) = self.snapshot.runtimes.iter_mut().find(|runtime| runtime.key == key) {
                runtime.os_threads.push(thread.tid);
            }
        }
        self.without_executor();
    }

    /// Threads that drive a future themselves without an executor: they stand together as one runtime.
    fn without_executor(&mut self) {
        const NONE: RuntimeKey = RuntimeKey(0);
        let named: FxHashSet<i32> = self.inside.iter().map(|thread| thread.tid).collect();
        let is_root = |activation: &Activation| matches!(activation.what, Driven::Root { .. });
        let drives = |thread: &&ThreadView| !named.contains(&thread.tid) && thread.activations.iter().any(is_root);
        let threads: Vec<i32> = self.threads.iter().filter(drives).map(|thread| thread.tid).collect();
        if threads.is_empty() {
            return;
        }
        self.inside.extend(threads.iter().map(|tid| Inside { tid: *tid, runtime: NONE, current: None }));
        self.snapshot.runtimes.push(Runtime {
            key: NONE,
            kind: RuntimeKind::BlockOn,
            name: None,
            os_threads: threads,
            task_count: 0,
        });
    }

    fn runtime_of_thread(&self, tid: i32) -> Option<RuntimeKey> {
        self.inside.iter().find(|thread| thread.tid == tid).map(|thread| thread.runtime)
    }

    /// The task with this header, whichever executor's it is.
    fn task_at(&self, header: MemAddr, near: RuntimeKey) -> Option<Found> {
        self.executors.iter().find_map(|executor| executor.task_at(header, near))
    }

    /// Tasks that threads run at the moment although no runtime owns them: jobs on threads made for blocking, tasks of a
    /// thread-bound set.
    fn beside(&mut self, owned: &[Found]) -> Vec<Found> {
        let header = |activation: &Activation| match activation.what {
            Driven::Task { header, .. } => header,
            _ => None,
        };
        let activations = self.threads.iter().flat_map(|view| &view.activations);
        let polled: FxHashSet<MemAddr> = activations.filter_map(header).collect();
        let mut seen: FxHashSet<MemAddr> = owned.iter().map(Found::header).filter(|at| polled.contains(at)).collect();
        let mut found = Vec::new();
        for view in &self.threads {
            let Some(runtime) = self.runtime_of_thread(view.tid) else { continue };
            for header in view.activations.iter().filter_map(header) {
                found.extend(self.task_at(header, runtime).filter(|task| seen.insert(task.header())));
            }
        }
        found
    }

    /// Adds tasks, and looks at what each of them does.
    fn add(&mut self, found: Vec<Found>) {
        let first = self.snapshot.tasks.len();
        self.snapshot.tasks.reserve(found.len());
        self.entries.reserve(found.len());
        for task in found {
            self.row(task);
        }
        for at in first..self.snapshot.tasks.len() {
            self.fill(at);
        }
    }

    /// A task's row, as far as its executor tells.
    fn row(&mut self, found: Found) {
        let at = u32::try_from(self.snapshot.tasks.len()).unwrap_or(u32::MAX);
        if at == u32::MAX || self.entries.of(found.key).is_some() {
            return;
        }
        let polled = found.running.then(|| polled(&self.threads, found.key)).flatten();
        self.snapshot.tasks.push(Task {
            key: found.key,
            runtime_task_id: found.id,
            state: found.state(false),
            ended: matches!(found.progress, Progress::Ended(_)),
            name: found.name,
            kind: found.kind,
            runtime: found.runtime,
            location: None,
            entry: found.entry,
            spawned_at: found.spawned_at,
            spawned_by: None,
            os_thread: polled.and_then(|(thread, _)| self.threads.get(thread)).map(|view| view.tid),
            waiting_on: None,
            holds: Vec::new(),
            awaited_by: Vec::new(),
            frames: 0,
            error: found.error,
        });
        let Found { key, future, running, .. } = found;
        self.entries.push(Details { key, row: at, future, polled, running });
    }

    /// What a task does, and what it has.
    fn fill(&mut self, at: usize) {
        let mut visited = std::mem::take(&mut self.visited);
        let (Some(task), Some(details)) = (self.snapshot.tasks.get(at), self.entries.get(at)) else { return };
        let polled = details.polled;
        let future = details.future.as_ref().filter(|_| !details.running && task.kind != TaskKind::Blocking);
        let (chain, met) = match (polled, future) {
            (Some(polled), _) => (Chain { nodes: self.physical(polled), ..Chain::default() }, Vec::new()),
            // A job is a closure: before it runs there is nothing in it to walk.
            (None, Some(future)) => self.walk(future, task.runtime, &mut visited),
            (None, None) => Default::default(),
        };
        let mut has = self.held(polled, future.filter(|_| !task.ended), &chain, &mut visited);
        let lost = (details.running && polled.is_none()).then(|| "the thread that runs it was not found".to_owned());
        let (key, runtime) = (task.key, task.runtime);
        let blocked = polled.filter(|_| task.state == State::Running).and_then(|polled| self.blocked(polled));
        self.visited = visited;
        self.elsewhere.extend(met);
        self.handles.extend(has.handles.into_iter().map(|header| (header, runtime)));
        let mut targets = Vec::new();
        joined(&chain.nodes, &mut targets);
        self.joins.extend(targets.into_iter().map(|(target, set)| (key, target, set)));
        let Some(task) = self.snapshot.tasks.get_mut(at) else { return };
        has.held.shrink_to_fit();
        task.holds = has.held;
        task.error = task.error.take().or(chain.error).or(lost);
        task.frames = chain.nodes.iter().map(count).fold(0, usize::saturating_add);
        task.location = innermost(&chain.nodes);
        if chain.unresumed && matches!(task.state, State::Ready | State::Waiting) {
            task.state = State::Created;
        }
        task.waiting_on = match task.state {
            State::Waiting | State::Cancelled => wait_of(chain.nodes),
            _ => blocked,
        };
    }

    /// Coroutines on stacks that are nobody's task: an executor that is not known polls them.
    fn unclaimed(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        for view in &mut self.threads {
            for activation in view.activations.iter_mut().filter(|activation| activation.key.is_none()) {
                let Some(task) = unknown::on_stack(activation) else { continue };
                activation.key = Some(task.key);
                found.push(task);
            }
        }
        let is_new = !self.snapshot.runtimes.iter().any(|runtime| runtime.key == unknown::RUNTIME);
        if is_new && !found.is_empty() {
            self.snapshot.runtimes.push(unknown::runtime());
            self.note(unknown::ON_STACKS.to_owned());
        }
        found
    }

    /// The futures that threads drive themselves.
    fn roots(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        for view in &mut self.threads {
            let inside = self.inside.iter().find(|thread| thread.tid == view.tid);
            let Some(runtime) = inside.map(|thread| thread.runtime) else { continue };
            for activation in &mut view.activations {
                let Some(root) = root(self.stop, runtime, activation) else { continue };
                activation.key = Some(root.key);
                found.push(root);
            }
        }
        found
    }

    /// The roots that threads drive, with the functions that do.
    fn driven_roots(&self) -> Vec<DrivenRoot> {
        let each =
            self.threads.iter().flat_map(|view| view.activations.iter().map(move |activation| (view, activation)));
        let root = |(view, activation): (&ThreadView, &Activation)| {
            let key = activation.key.filter(|_| matches!(activation.what, Driven::Root { .. }))?;
            let executor = view.frames.get(activation.executor.clone()).unwrap_or_default();
            Some(DrivenRoot { key, tid: view.tid, drivers: executor.iter().filter_map(Driver::of).collect() })
        };
        each.filter_map(root).collect()
    }

    /// What a task holds: in its entry future, which is at rest, or in the frames that poll it.
    fn held(
        &self,
        polled: Option<(usize, usize)>,
        future: Option<&EntryFuture>,
        chain: &Chain,
        visited: &mut Visited,
    ) -> Belongings {
        let finder = self.runtimes.holds(self.stop);
        match (polled, future) {
            (Some(polled), _) => finder.on_stack(self.own_frames(polled)),
            (None, Some(future)) => finder.at_rest(future, chain, visited),
            (None, None) => Belongings::default(),
        }
    }

    /// What a task that is being polled blocks its thread in, if it is the innermost there.
    fn blocked(&self, (thread, activation): (usize, usize)) -> Option<Wait> {
        let view = self.threads.get(thread)?;
        let own = view.activations.get(activation)?.own.clone();
        blocked(self.stop, view.frames.get(own.clone()).filter(|_| own.start == 0)?)
    }

    fn physical(&self, polled: (usize, usize)) -> Vec<Node> {
        crate::stack::physical(self.own_frames(polled))
    }

    /// The frames of a future that a thread polls.
    fn own_frames(&self, (thread, activation): (usize, usize)) -> &[Frame] {
        let own = self.threads.get(thread).and_then(|view| {
            let activation = view.activations.get(activation)?;
            view.frames.get(activation.own.clone())
        });
        own.unwrap_or_default()
    }

    /// The chain of a future at rest that belongs to this runtime, and the tasks it leads to that are in no list.
    fn walk(&self, future: &EntryFuture, runtime: RuntimeKey, visited: &mut Visited) -> (Chain, Vec<(MemAddr, Named)>) {
        let met = RefCell::new(Vec::new());
        let key_of = |header: MemAddr| {
            if let Some(known) = self.named(header) {
                return Some(known);
            }
            let task = self.task_at(header, runtime)?;
            let known = (task.key, task.name);
            met.borrow_mut().push((header, known.clone()));
            Some(known)
        };
        let chain = self.runtimes.chain(self.stop, &key_of, future, visited);
        (chain, met.into_inner())
    }

    /// Which task has its header there, as far as it is known.
    fn named(&self, header: MemAddr) -> Option<Named> {
        let row = |details: &Details| self.snapshot.tasks.get(usize::try_from(details.row).ok()?);
        let listed = self.entries.at_header(header).and_then(row);
        listed.map(|task| (task.key, Arc::clone(&task.name))).or_else(|| self.elsewhere.get(&header).cloned())
    }

    /// Tasks that no runtime owns but somebody joins: jobs that wait for a thread, tasks that have ended.
    fn joined_outside(&mut self) {
        let mut room = MAX_JOINED;
        for _ in 0..8 {
            let outside = self.joins.iter().filter(|(_, target, _)| self.entries.of(*target).is_none());
            let outside: Vec<Found> = outside
                .take(room)
                .filter_map(|(awaiter, target, _)| {
                    let runtime = self.row_of(*awaiter).and_then(|at| self.snapshot.tasks.get(at))?.runtime;
                    self.task_at(MemAddr::new(target.address), runtime)
                })
                .collect();
            if outside.is_empty() {
                return;
            }
            room = room.saturating_sub(outside.len());
            self.add(outside);
        }
    }

    /// Tasks that have panicked and that nobody joins at the moment, while somebody still has a handle to them: who has
    /// none left cannot learn of the panic, and neither can we. Other tasks that have ended are of no interest until they
    /// are joined.
    fn panicked_outside(&mut self) {
        let ended: Vec<_> = std::mem::take(&mut self.handles).into_iter().collect();
        let unknown = ended.into_iter().filter(|(header, _)| self.entries.at_header(*header).is_none());
        let found: Vec<Found> =
            unknown.take(MAX_JOINED).filter_map(|(header, near)| self.task_at(header, near)).collect();
        let failed = |task: &Found| task.progress == Progress::Ended(State::Failed);
        self.add(found.into_iter().filter(failed).collect());
    }

    fn row_of(&self, task: TaskKey) -> Option<usize> {
        self.entries.of(task).and_then(|details| usize::try_from(details.row).ok())
    }

    fn finish(mut self) -> Listing {
        let joins = std::mem::take(&mut self.joins);
        for (awaiter, target, set) in joins {
            let via = if set { Via::JoinSet } else { Via::Join };
            if let Some(task) = self.row_of(target).and_then(|at| self.snapshot.tasks.get_mut(at)) {
                let awaiter = Awaiter { task: awaiter, via };
                if !task.awaited_by.contains(&awaiter) {
                    task.awaited_by.push(awaiter);
                }
            }
        }
        holds::unite(&mut self.snapshot.tasks);
        let roots = self.driven_roots();
        self.runtimes.spawns.fill(&mut self.snapshot, &roots);
        self.sort();
        self.count();
        let broken = |view: &ThreadView| Some(format!("thread {}: {}", view.tid, view.broken.as_ref()?));
        for note in self.threads.iter().filter_map(broken).collect::<Vec<_>>() {
            self.note(note);
        }
        Listing {
            snapshot: Arc::new(self.snapshot),
            generation: self.stop.generation,
            entries: self.entries,
            threads: self.threads,
        }
    }

    /// Brings tasks that were found late to their places.
    fn sort(&mut self) {
        let order = Order::of(&self.snapshot.runtimes);
        let rank = |task: &Task| order.rank(task.runtime, task.runtime_task_id, task.key);
        if self.snapshot.tasks.is_sorted_by_key(rank) {
            return;
        }
        self.snapshot.tasks.sort_by_cached_key(rank);
        for (row, task) in (0_u32..).zip(&self.snapshot.tasks) {
            if let Some(details) = self.entries.of_mut(task.key) {
                details.row = row;
            }
        }
    }

    /// Counts each runtime's tasks.
    fn count(&mut self) {
        let mut live: FxHashMap<RuntimeKey, usize> = FxHashMap::default();
        for task in self.snapshot.tasks.iter().filter(|task| !task.ended) {
            let count = live.entry(task.runtime).or_default();
            *count = count.saturating_add(1);
        }
        for runtime in &mut self.snapshot.runtimes {
            runtime.task_count = live.get(&runtime.key).copied().unwrap_or(0);
        }
    }
}

/// The order of tasks: by runtime, then by its own number.
struct Order(FxHashMap<RuntimeKey, usize>);

impl Order {
    fn of(runtimes: &[Runtime]) -> Self {
        Self(runtimes.iter().enumerate().map(|(index, runtime)| (runtime.key, index)).collect())
    }

    fn rank(&self, runtime: RuntimeKey, id: Option<u64>, key: TaskKey) -> (Option<usize>, Option<u64>, TaskKey) {
        (self.0.get(&runtime).copied(), id, key)
    }
}

/// The future that an activation drives as a root, as a task.
fn root(stop: &Stop, runtime: RuntimeKey, activation: &Activation) -> Option<Found> {
    let Driven::Root { future, place, .. } = &activation.what else { return None };
    if future.as_ref().is_some_and(is_worker) {
        return None;
    }
    let RootName { key, name, entry } = RootName::of(stop, &activation.what)?;
    let future = place
        .as_ref()
        .and_then(|place| Some(EntryFuture { ty: place.ty.clone(), address: place.address()?, dropper: None }));
    let lost = future.is_none() && !activation.running;
    Some(Found {
        key,
        runtime,
        id: None,
        name,
        entry,
        spawned_at: None,
        kind: TaskKind::Root,
        running: activation.running,
        progress: Progress::Idle,
        future,
        error: lost.then(|| "the compiler kept no pointer to this future: what it awaits is not known".to_owned()),
    })
}

fn count(node: &Node) -> usize {
    node.children.iter().map(count).fold(1, usize::saturating_add)
}

/// Where the innermost frame of user code is, else the innermost of all that is anywhere.
fn innermost(nodes: &[Node]) -> Option<Arc<Location>> {
    fn last(nodes: &[Node], user: bool) -> Option<&Arc<Location>> {
        nodes.iter().find_map(|node| {
            last(&node.children, user).or_else(|| node.location.as_ref().filter(|_| !user || node.user_code))
        })
    }
    last(nodes, true).or_else(|| last(nodes, false)).cloned()
}
