//! From a stopped program to the list of its tasks.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use weft_memory::MemAddr;
use weft_symbols::{DebugInfo, Image, Type};
use weft_tasks::{Awaiter, Location, Runtime, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Via};
use weft_values::{Place, Stop, environment};

use crate::chain::{Chain, Node, joined, wait_of};
use crate::listing::{Details, EntryFuture, Listing};
use crate::runtimes::Runtimes;
use crate::shape::find_member;
use crate::text::string;
use crate::threads::{Activation, Driven, ThreadView, view};
use crate::tokio::{Context, Entry, HeaderPlan, Outcome, TaskState, concrete, contexts, describe, owned_tasks};

/// Most tasks that are added because somebody joins them although no runtime owns them.
const MAX_JOINED: usize = 10_000;

/// What is not seen of tasks that are bound to a thread.
const LOCAL_SET: &str = "tasks of a LocalSet are listed only while they run or somebody joins them";

/// Collects the tasks of one stop.
pub(crate) struct Collector<'a> {
    runtimes: &'a Runtimes,
    stop: &'a Stop,
    contexts: Vec<Context>,
    threads: Vec<ThreadView>,
    snapshot: Snapshot,
    tasks: FxHashMap<TaskKey, Details>,
    by_header: FxHashMap<MemAddr, (TaskKey, Arc<str>)>,
    plan: Option<HeaderPlan>,
    /// Who joins whom, and whether through a set.
    joins: Vec<(TaskKey, TaskKey, bool)>,
}

/// A task found, before anything is known of what it does.
struct Found {
    entry: Entry,
    runtime: RuntimeKey,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(runtimes: &'a Runtimes, stop: &'a Stop) -> Self {
        Self {
            runtimes,
            stop,
            contexts: Vec::new(),
            threads: Vec::new(),
            snapshot: Snapshot::default(),
            tasks: FxHashMap::default(),
            by_header: FxHashMap::default(),
            plan: None,
            joins: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) -> Listing {
        let (contexts, has_tokio) = contexts(self.stop);
        self.contexts = contexts;
        self.note_blindness(has_tokio);
        let tids: FxHashSet<i32> = self.contexts.iter().map(|context| context.tid).collect();
        let threads = self.stop.threads.iter().filter(|thread| tids.contains(&thread.tid));
        self.threads = threads.map(|thread| view(self.stop, thread.tid)).collect();
        let mut found = self.owned();
        let beside = self.beside(&found);
        found.extend(beside);
        self.name(&found);
        self.match_threads(&found);
        for task in found {
            self.task(task);
        }
        self.roots();
        self.joined_outside();
        self.finish()
    }

    /// What keeps everything from being seen, in plain words.
    fn note_blindness(&mut self, has_tokio: bool) {
        let Some(program) = self.stop.modules.iter().next() else {
            self.note("the files that the program consists of are not known".to_owned());
            return;
        };
        let name = program.image.name();
        if program.image.debug_info() == DebugInfo::Absent {
            self.note(format!("{name} has no debug information: build it with `debug = true` to see its tasks"));
        } else if !has_tokio && has_tokio_code(&program.image) {
            self.note(format!(
                "the debug information of {name} has no types: build it with `debug = true` to see its tasks"
            ));
        } else if !has_tokio {
            self.note(format!("{name} has no async runtime that is supported; Tokio is"));
        } else if self.contexts.is_empty() {
            self.note(
                "no thread is inside a Tokio runtime at the moment; tasks of a current-thread runtime that nobody \
                 drives cannot be seen"
                    .to_owned(),
            );
        }
    }

    fn note(&mut self, note: String) {
        if !self.snapshot.notes.contains(&note) {
            self.snapshot.notes.push(note);
        }
    }

    /// The tasks that runtimes own, runtime by runtime.
    fn owned(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        let mut seen: FxHashSet<MemAddr> = FxHashSet::default();
        for context in self.contexts.clone() {
            let Some(address) = context.address() else { continue };
            if !seen.insert(address) {
                continue;
            }
            let key = RuntimeKey(address.raw());
            let owned = owned_tasks(self.stop, &context.handle);
            let before = found.len();
            if let Some((_, plan)) = &owned.header {
                found.extend(
                    owned.headers.iter().map(|header| Found {
                        entry: self.runtimes.cells.read(self.stop, plan, *header),
                        runtime: key,
                    }),
                );
                self.plan.get_or_insert_with(|| plan.clone());
            }
            let task_count = found.len().saturating_sub(before);
            for error in owned.errors {
                self.note(error);
            }
            if let Some(count) = owned.count.filter(|count| usize::try_from(*count) != Ok(task_count)) {
                self.note(format!("the runtime counts {count} tasks, {task_count} were found in its lists"));
            }
            self.snapshot.runtimes.push(Runtime {
                key,
                kind: kind_of(&context.handle),
                name: runtime_name(self.stop, &context.handle),
                os_threads: self.threads_of(address),
                task_count: 0,
            });
        }
        found
    }

    fn threads_of(&self, handle: MemAddr) -> Vec<i32> {
        let mine = self.contexts.iter().filter(|context| context.address() == Some(handle));
        mine.map(|context| context.tid).collect()
    }

    fn runtime_of_thread(&self, tid: i32) -> Option<RuntimeKey> {
        let context = self.contexts.iter().find(|context| context.tid == tid)?;
        context.address().map(|address| RuntimeKey(address.raw()))
    }

    /// Tasks that threads run at the moment although no runtime owns them: jobs on threads made for blocking, tasks of a
    /// thread-bound set. Those that launch workers are no tasks of the user's.
    fn beside(&mut self, owned: &[Found]) -> Vec<Found> {
        let Some(plan) = self.plan.clone() else { return Vec::new() };
        let mut seen: FxHashSet<MemAddr> = owned.iter().map(|found| found.entry.header).collect();
        let mut found = Vec::new();
        for view in &self.threads {
            let Some(runtime) = self.runtime_of_thread(view.tid) else { continue };
            for activation in &view.activations {
                let Driven::Task { header: Some(header), .. } = activation.what else { continue };
                let entry = self.runtimes.cells.read(self.stop, &plan, header);
                let is_task = entry.cell.as_ref().is_some_and(|cell| !cell.is_worker);
                if is_task && seen.insert(header) {
                    found.push(Found { entry, runtime });
                }
            }
        }
        let is_local = |found: &Found| found.entry.cell.as_ref().is_some_and(|cell| cell.kind == TaskKind::Local);
        if found.iter().any(is_local) {
            self.note(LOCAL_SET.to_owned());
        }
        found
    }

    fn name(&mut self, found: &[Found]) {
        for task in found {
            self.by_header.insert(task.entry.header, (key_of(&task.entry), task.entry.name()));
        }
    }

    /// Which task each activation is: by the header in its frames, else by where its outermost coroutine lies, else by the
    /// id the thread says it runs, else because only one running task has such a future.
    fn match_threads(&mut self, found: &[Found]) {
        let running: Vec<&Entry> = found
            .iter()
            .map(|task| &task.entry)
            .filter(|entry| entry.state.is_some_and(|state| state.is_running()))
            .collect();
        for view in &mut self.threads {
            let current = self.contexts.iter().find(|context| context.tid == view.tid).and_then(|it| it.current_task);
            for activation in &mut view.activations {
                let Driven::Task { header, future } = &activation.what else { continue };
                let same_future =
                    |entry: &&&Entry| match (entry.cell.as_ref().and_then(|cell| cell.future.as_ref()), future) {
                        (Some(of_entry), Some(future)) => of_entry.path() == future.path(),
                        _ => true,
                    };
                let by_header = running.iter().find(|entry| Some(entry.header) == *header);
                let environment = view
                    .frames
                    .get(activation.own.clone())
                    .and_then(|own| own.last())
                    .and_then(|frame| environment(self.stop, frame)?.address());
                let by_environment =
                    || running.iter().find(|entry| environment.is_some() && entry.future == environment);
                let by_id =
                    || running.iter().filter(same_future).find(|entry| current.is_some() && entry.id == current);
                let alone = || {
                    let mut candidates = running.iter().filter(same_future);
                    candidates.next().filter(|_| candidates.next().is_none() && header.is_none())
                };
                activation.key =
                    by_header.or_else(by_environment).or_else(by_id).or_else(alone).map(|entry| key_of(entry));
            }
        }
    }

    /// The thread and activation that poll a task.
    fn polled(&self, key: TaskKey) -> Option<(usize, usize)> {
        self.threads.iter().enumerate().find_map(|(thread, view)| {
            let position = view.activations.iter().position(|activation| activation.key == Some(key))?;
            Some((thread, position))
        })
    }

    fn task(&mut self, found: Found) {
        let Found { entry, runtime } = found;
        let key = key_of(&entry);
        if self.tasks.contains_key(&key) {
            return;
        }
        let running = entry.state.is_some_and(|state| state.is_running());
        let polled = if running { self.polled(key) } else { None };
        let future = entry.cell.as_ref().and_then(|cell| {
            Some(EntryFuture { ty: cell.future.clone()?, address: entry.future?, poller: cell.poller(self.stop) })
        });
        let blocking = entry.cell.as_ref().is_some_and(|cell| cell.kind == TaskKind::Blocking);
        let chain = match (&polled, &future) {
            (Some(polled), _) => Chain { nodes: self.physical(*polled), ..Chain::default() },
            // A job is a closure: before it runs there is nothing in it to walk.
            (None, Some(future)) if !running && !blocking => self.walk(future),
            _ => Chain::default(),
        };
        let message = match &entry.outcome {
            Some(Outcome::Panic(Some(message))) => Some(format!("panicked: {message}")),
            _ => None,
        };
        let mut error = message.or_else(|| entry.error.clone()).or_else(|| chain.error.clone());
        if running && polled.is_none() {
            error.get_or_insert_with(|| "the thread that runs it was not found".to_owned());
        }
        let state = match entry.state {
            // A job that waits for a thread was never run.
            Some(state) => state.state(chain.unresumed || blocking, entry.outcome.as_ref()),
            None => State::Waiting,
        };
        let cell = entry.cell.as_deref();
        let task = Task {
            key,
            runtime_task_id: entry.id,
            name: entry.name().to_string(),
            kind: cell.map_or(TaskKind::Task, |cell| cell.kind),
            runtime,
            state,
            ended: entry.state.is_some_and(TaskState::is_complete),
            location: None,
            entry: entry.declared(),
            spawned_at: None,
            spawned_by: None,
            os_thread: polled.and_then(|(thread, _)| self.threads.get(thread)).map(|view| view.tid),
            waiting_on: None,
            holds: Vec::new(),
            awaited_by: Vec::new(),
            frames: 0,
            error,
        };
        self.push(task, &chain.nodes, Details { index: 0, future, polled });
    }

    /// The futures that threads drive themselves.
    fn roots(&mut self) {
        let mut found = Vec::new();
        for (thread, view) in self.threads.iter().enumerate() {
            let Some(runtime) = self.runtime_of_thread(view.tid) else { continue };
            for (position, activation) in view.activations.iter().enumerate() {
                if matches!(activation.what, Driven::Root { .. }) {
                    found.push(((thread, position), view.tid, runtime, activation.clone()));
                }
            }
        }
        for (polled, tid, runtime, root) in found {
            self.root(polled, tid, runtime, &root);
        }
    }

    fn root(&mut self, polled: (usize, usize), tid: i32, runtime: RuntimeKey, root: &Activation) {
        let Driven::Root { future: ty, place, cfa, poller } = &root.what else { return };
        let Some(address) = place.as_ref().and_then(Place::address).or(*cfa) else { return };
        let key = root_key(address, ty.as_ref().map(Type::path));
        let future = place
            .as_ref()
            .and_then(|place| Some(EntryFuture { ty: place.ty.clone(), address: place.address()?, poller: *poller }));
        let chain = match &future {
            _ if root.running => Chain { nodes: self.physical(polled), ..Chain::default() },
            Some(future) => self.walk(future),
            None => Chain {
                error: Some("the compiler kept no pointer to this future: what it awaits is not known".to_owned()),
                ..Chain::default()
            },
        };
        let behind = place.as_ref().and_then(|place| concrete(self.stop, place));
        let described = behind.or_else(|| ty.as_ref().map(describe));
        let (name, entry) = described.unwrap_or_else(|| ("block_on".to_owned(), None));
        let state = if root.running { State::Running } else { State::Waiting };
        if let Some(activation) = self.threads.get_mut(polled.0).and_then(|view| view.activations.get_mut(polled.1)) {
            activation.key = Some(key);
        }
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
            holds: Vec::new(),
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
        if matches!(task.state, State::Waiting | State::Cancelled) {
            task.waiting_on = wait_of(nodes);
        }
        let mut targets = Vec::new();
        joined(nodes, &mut targets);
        self.joins.extend(targets.into_iter().map(|(target, set)| (task.key, target, set)));
        self.tasks.insert(task.key, Details { index: self.snapshot.tasks.len(), ..details });
        self.snapshot.tasks.push(task);
    }

    fn physical(&self, (thread, activation): (usize, usize)) -> Vec<Node> {
        let own = self.threads.get(thread).and_then(|view| {
            let activation = view.activations.get(activation)?;
            view.frames.get(activation.own.clone())
        });
        crate::stack::physical(own.unwrap_or_default())
    }

    fn walk(&mut self, future: &EntryFuture) -> Chain {
        let met = RefCell::new(Vec::new());
        let key_of = |header: MemAddr| {
            if let Some(known) = self.by_header.get(&header) {
                return Some(known.clone());
            }
            let entry = self.runtimes.cells.read(self.stop, self.plan.as_ref()?, header);
            entry.cell.as_ref()?;
            let known = (key_of(&entry), entry.name());
            met.borrow_mut().push((header, known.clone()));
            Some(known)
        };
        let chain = self.runtimes.chain(self.stop, &key_of, future);
        self.by_header.extend(met.into_inner());
        if chain.local_set {
            self.note(LOCAL_SET.to_owned());
        }
        chain
    }

    /// Tasks that no runtime owns but somebody joins: jobs that wait for a thread, tasks that have ended.
    fn joined_outside(&mut self) {
        let Some(plan) = self.plan.clone() else { return };
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
                let entry = self.runtimes.cells.read(self.stop, &plan, MemAddr::new(target.address));
                self.task(Found { entry, runtime });
            }
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

/// Whether a program that says nothing of Tokio's types has its code. Line tables alone leave only the symbols.
fn has_tokio_code(image: &Arc<Image>) -> bool {
    const POLL: &str = "tokio::runtime::task::raw::poll";
    !image.functions(POLL).is_empty() || !image.symbols_containing("5tokio7runtime4task3raw4poll").is_empty()
}

fn key_of(entry: &Entry) -> TaskKey {
    TaskKey { address: entry.header.raw(), id: entry.id.unwrap_or(0) }
}

/// A root has no header and no number: its future's address and type stand in, because the next `block_on` of a thread
/// puts its future where the last one's was.
fn root_key(address: MemAddr, future: Option<&str>) -> TaskKey {
    let mut hasher = FxHasher::default();
    future.hash(&mut hasher);
    TaskKey { address: address.raw(), id: hasher.finish() }
}

fn kind_of(handle: &Place) -> RuntimeKind {
    let path = handle.ty.path();
    if path.contains("::current_thread") || path.contains("::basic_scheduler") {
        RuntimeKind::TokioCurrentThread
    } else {
        RuntimeKind::TokioMultiThread
    }
}

/// The name given to a runtime's builder (Tokio 1.51 and later keep it).
fn runtime_name(stop: &Stop, handle: &Place) -> Option<String> {
    let (offset, option) = find_member(&handle.ty, &["name"], 1)?;
    let some = Place::at(option, handle.at.plus(offset)).variant(stop).ok().filter(|active| active.name == "Some")?;
    string(stop, &some.place.peel(), 200)
}

fn count(node: &Node) -> usize {
    node.children.iter().map(count).fold(1, usize::saturating_add)
}

/// Where the innermost frame of user code is, else the innermost of all that is anywhere.
fn innermost(nodes: &[Node]) -> Option<Location> {
    fn last(nodes: &[Node], user: bool) -> Option<&Arc<Location>> {
        nodes.iter().find_map(|node| {
            last(&node.children, user).or_else(|| node.location.as_ref().filter(|_| !user || node.user_code))
        })
    }
    last(nodes, true).or_else(|| last(nodes, false)).map(|found| Location::clone(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_follow_each_other_at_one_address_are_two() {
        let at = MemAddr::new(0x7ffc_0000_1000);
        let first = root_key(at, Some("prog::first::{async_fn_env#0}"));
        assert_ne!(first, root_key(at, Some("prog::second::{async_fn_env#0}")));
        assert_eq!(first, root_key(at, Some("prog::first::{async_fn_env#0}")));
    }
}
