//! From a stopped program to the list of its tasks.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_symbols::DebugInfo;
use weft_tasks::{
    Awaiter, Held, Location, Runtime, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Via, Wait,
};
use weft_values::{Frame, Stop};

use crate::blocked::blocked;
use crate::chain::{Chain, Node, joined, wait_of};
use crate::executors::{Pools, Smol, is_worker, unknown};
use crate::heap::Heap;
use crate::holds;
use crate::labels::RootName;
use crate::listing::{Details, EntryFuture, Listing};
use crate::matching::{assign, polled};
use crate::roster::{Executor, Found, Inside, Progress};
use crate::runtimes::Runtimes;
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
    tasks: FxHashMap<TaskKey, Details>,
    by_header: FxHashMap<MemAddr, (TaskKey, Arc<str>)>,
    /// Who joins whom, and whether through a set.
    joins: Vec<(TaskKey, TaskKey, bool)>,
    /// The headers of tasks whose handles somebody has, with that one's runtime.
    handles: FxHashMap<MemAddr, RuntimeKey>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(runtimes: &'a Runtimes, stop: &'a Stop) -> Self {
        let tokio = Tokio::find(stop, &runtimes.cells).map(|tokio| Box::new(tokio) as Box<dyn Executor>);
        let smol = Smol::find(stop, &runtimes.task_types).map(|smol| Box::new(smol) as Box<dyn Executor>);
        let pools = Pools::find(stop, &runtimes.shapes).map(|pools| Box::new(pools) as Box<dyn Executor>);
        Self {
            only_tokio: tokio.is_some() && smol.is_none() && pools.is_none(),
            runtimes,
            stop,
            executors: tokio.into_iter().chain(smol).chain(pools).collect(),
            inside: Vec::new(),
            threads: Vec::new(),
            snapshot: Snapshot::default(),
            tasks: FxHashMap::default(),
            by_header: FxHashMap::default(),
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
        self.by_header.extend(found.iter().map(|task| (task.header(), (task.key, Arc::clone(&task.name)))));
        assign(self.stop, &mut self.threads, &self.inside, &mut found);
        found.extend(self.unclaimed());
        for task in found {
            self.task(task);
        }
        self.roots();
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
        let mut seen: FxHashSet<MemAddr> = owned.iter().map(Found::header).collect();
        let mut found = Vec::new();
        for view in &self.threads {
            let Some(runtime) = self.runtime_of_thread(view.tid) else { continue };
            for activation in &view.activations {
                let Driven::Task { header: Some(header), .. } = activation.what else { continue };
                found.extend(self.task_at(header, runtime).filter(|task| seen.insert(task.header())));
            }
        }
        found
    }

    fn task(&mut self, found: Found) {
        if self.tasks.contains_key(&found.key) {
            return;
        }
        let polled = found.running.then(|| polled(&self.threads, found.key)).flatten();
        let chain = match (&polled, &found.future) {
            (Some(polled), _) => Chain { nodes: self.physical(*polled), ..Chain::default() },
            // A job is a closure: before it runs there is nothing in it to walk.
            (None, Some(future)) if !found.running && found.kind != TaskKind::Blocking => {
                self.walk(future, found.runtime)
            }
            _ => Chain::default(),
        };
        let mut error = found.error.clone().or_else(|| chain.error.clone());
        if found.running && polled.is_none() {
            error.get_or_insert_with(|| "the thread that runs it was not found".to_owned());
        }
        let mut task = Task {
            key: found.key,
            runtime_task_id: found.id,
            name: Arc::clone(&found.name),
            kind: found.kind,
            runtime: found.runtime,
            state: found.state(chain.unresumed),
            ended: matches!(found.progress, Progress::Ended(_)),
            location: None,
            entry: found.entry,
            spawned_at: None,
            spawned_by: None,
            os_thread: polled.and_then(|(thread, _)| self.threads.get(thread)).map(|view| view.tid),
            waiting_on: None,
            holds: Vec::new(),
            awaited_by: Vec::new(),
            frames: 0,
            error,
        };
        let at_rest = !found.running && !task.ended && task.kind != TaskKind::Blocking;
        task.holds = self.held(task.runtime, polled, found.future.as_ref().filter(|_| at_rest), &chain);
        self.push(task, &chain.nodes, Details { index: 0, future: found.future, polled });
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
    fn roots(&mut self) {
        let mut found = Vec::new();
        for (thread, view) in self.threads.iter().enumerate() {
            let Some(runtime) = self.runtime_of_thread(view.tid) else { continue };
            for (position, activation) in view.activations.iter().enumerate() {
                if matches!(&activation.what, Driven::Root { future, .. } if !future.as_ref().is_some_and(is_worker)) {
                    found.push(((thread, position), view.tid, runtime, activation.clone()));
                }
            }
        }
        for (polled, tid, runtime, root) in found {
            self.root(polled, tid, runtime, &root);
        }
    }

    fn root(&mut self, polled: (usize, usize), tid: i32, runtime: RuntimeKey, root: &Activation) {
        let Driven::Root { place, poller, .. } = &root.what else { return };
        let Some(RootName { key, name, entry }) = RootName::of(self.stop, &root.what) else { return };
        let future = place
            .as_ref()
            .and_then(|place| Some(EntryFuture { ty: place.ty.clone(), address: place.address()?, poller: *poller }));
        let chain = match &future {
            _ if root.running => Chain { nodes: self.physical(polled), ..Chain::default() },
            Some(future) => self.walk(future, runtime),
            None => Chain {
                error: Some("the compiler kept no pointer to this future: what it awaits is not known".to_owned()),
                ..Chain::default()
            },
        };
        let state = if root.running { State::Running } else { State::Waiting };
        if let Some(activation) = self.threads.get_mut(polled.0).and_then(|view| view.activations.get_mut(polled.1)) {
            activation.key = Some(key);
        }
        let holds = self.held(runtime, root.running.then_some(polled), future.as_ref(), &chain);
        let task = Task {
            key,
            runtime_task_id: None,
            name,
            kind: TaskKind::Root,
            runtime,
            state: if chain.unresumed { State::Created } else { state },
            ended: false,
            location: None,
            entry,
            spawned_at: None,
            spawned_by: None,
            os_thread: root.running.then_some(tid),
            waiting_on: None,
            holds,
            awaited_by: Vec::new(),
            frames: 0,
            error: chain.error.clone(),
        };
        self.push(task, &chain.nodes, Details { index: 0, future, polled: Some(polled) });
    }

    /// Adds a task with what its chain says.
    fn push(&mut self, mut task: Task, nodes: &[Node], details: Details) {
        task.frames = nodes.iter().map(count).fold(0, usize::saturating_add);
        task.location = innermost(nodes);
        match task.state {
            State::Waiting | State::Cancelled => task.waiting_on = wait_of(nodes),
            State::Running => task.waiting_on = details.polled.and_then(|polled| self.blocked(polled)),
            _ => {}
        }
        let mut targets = Vec::new();
        joined(nodes, &mut targets);
        self.joins.extend(targets.into_iter().map(|(target, set)| (task.key, target, set)));
        self.tasks.insert(task.key, Details { index: self.snapshot.tasks.len(), ..details });
        self.snapshot.tasks.push(task);
    }

    /// What a task holds: in its entry future, which is at rest, or in the frames that poll it.
    fn held(
        &mut self,
        runtime: RuntimeKey,
        polled: Option<(usize, usize)>,
        future: Option<&EntryFuture>,
        chain: &Chain,
    ) -> Vec<Held> {
        let finder = self.runtimes.holds(self.stop);
        let has = match (polled, future) {
            (Some(polled), _) => finder.on_stack(self.own_frames(polled)),
            (None, Some(future)) => finder.at_rest(future, chain),
            (None, None) => return Vec::new(),
        };
        self.handles.extend(has.handles.into_iter().map(|header| (header, runtime)));
        has.held
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

    /// The chain of a future at rest that belongs to this runtime.
    fn walk(&mut self, future: &EntryFuture, runtime: RuntimeKey) -> Chain {
        let met = RefCell::new(Vec::new());
        let key_of = |header: MemAddr| {
            if let Some(known) = self.by_header.get(&header) {
                return Some(known.clone());
            }
            let task = self.task_at(header, runtime)?;
            let known = (task.key, task.name);
            met.borrow_mut().push((header, known.clone()));
            Some(known)
        };
        let chain = self.runtimes.chain(self.stop, &key_of, future);
        self.by_header.extend(met.into_inner());
        chain
    }

    /// Tasks that no runtime owns but somebody joins: jobs that wait for a thread, tasks that have ended.
    fn joined_outside(&mut self) {
        for _ in 0..8 {
            let outside: Vec<(TaskKey, TaskKey)> = self
                .joins
                .iter()
                .filter(|(_, target, _)| !self.tasks.contains_key(target))
                .map(|(awaiter, target, _)| (*awaiter, *target))
                .take(MAX_JOINED)
                .collect();
            if outside.is_empty() {
                return;
            }
            for (awaiter, target) in outside {
                let runtime = self.tasks.get(&awaiter).and_then(|details| self.snapshot.tasks.get(details.index));
                let Some(runtime) = runtime.map(|task| task.runtime) else { continue };
                if let Some(task) = self.task_at(MemAddr::new(target.address), runtime) {
                    self.task(task);
                }
            }
        }
    }

    /// Tasks that have panicked and that nobody joins at the moment, while somebody still has a handle to them: who has
    /// none left cannot learn of the panic, and neither can we. Other tasks that have ended are of no interest until they
    /// are joined.
    fn panicked_outside(&mut self) {
        let ended: Vec<_> = std::mem::take(&mut self.handles).into_iter().collect();
        let unknown = ended.into_iter().filter(|(header, _)| !self.by_header.contains_key(header));
        let found: Vec<Found> =
            unknown.take(MAX_JOINED).filter_map(|(header, near)| self.task_at(header, near)).collect();
        for task in found.into_iter().filter(|task| task.progress == Progress::Ended(State::Failed)) {
            self.by_header.insert(task.header(), (task.key, Arc::clone(&task.name)));
            self.task(task);
        }
    }

    fn finish(mut self) -> Listing {
        let joins = std::mem::take(&mut self.joins);
        for (awaiter, target, set) in joins {
            let via = if set { Via::JoinSet } else { Via::Join };
            let index = self.tasks.get(&target).map(|details| details.index);
            if let Some(task) = index.and_then(|index| self.snapshot.tasks.get_mut(index)) {
                let awaiter = Awaiter { task: awaiter, via };
                if !task.awaited_by.contains(&awaiter) {
                    task.awaited_by.push(awaiter);
                }
            }
        }
        holds::unite(&mut self.snapshot.tasks);
        let order: FxHashMap<RuntimeKey, usize> =
            self.snapshot.runtimes.iter().enumerate().map(|(index, runtime)| (runtime.key, index)).collect();
        self.snapshot.tasks.sort_by_key(|task| (order.get(&task.runtime).copied(), task.runtime_task_id, task.key));
        for (index, task) in self.snapshot.tasks.iter().enumerate() {
            if let Some(details) = self.tasks.get_mut(&task.key) {
                details.index = index;
            }
        }
        for runtime in &mut self.snapshot.runtimes {
            let live = self.snapshot.tasks.iter().filter(|task| task.runtime == runtime.key && !task.ended);
            runtime.task_count = live.count();
        }
        self.snapshot.problems = weft_tasks::check(&self.snapshot);
        let broken = |view: &ThreadView| Some(format!("thread {}: {}", view.tid, view.broken.as_ref()?));
        for note in self.threads.iter().filter_map(broken).collect::<Vec<_>>() {
            self.note(note);
        }
        Listing {
            snapshot: Arc::new(self.snapshot),
            generation: self.stop.generation,
            tasks: self.tasks,
            threads: self.threads,
            by_header: self.by_header,
        }
    }
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
