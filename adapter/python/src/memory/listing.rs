//! All tasks of a Python program at one moment, and their stacks.

use std::collections::{HashMap, HashSet};

use weft_memory::{MemAddr, Memory};
use weft_tasks::{
    Awaiter, Frame, FrameKind, Runtime, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Via, Wait,
    check,
};

use super::chain::{Chains, End, Link};
use super::holds;
use super::objects::Objects;
use super::offsets::{AsyncioOffsets, Offsets};
use super::tasks::{Found, Outcome, Tasks};
use super::threads::{self, Interpreter, Thread};
use super::waits;

/// Frames of one task that are shown.
const MOST_FRAMES: usize = 400;
/// Tasks that one tree shows. They are nested, and some clients read no more than 128 levels of JSON.
const MOST_AWAITERS: usize = 48;

/// What was found in a program: its tasks, and the stack of each, which can be asked for when the program runs again.
#[derive(Default)]
pub struct Listing {
    /// All tasks.
    pub snapshot: Snapshot,
    chains: HashMap<TaskKey, (Vec<Link>, FrameKind)>,
}

impl Listing {
    /// A listing of nothing, and why.
    pub(super) fn empty(note: &str) -> Self {
        let snapshot = Snapshot { notes: vec![note.to_owned()], ..Snapshot::default() };
        Self { snapshot, chains: HashMap::new() }
    }

    /// The coroutines of a task, outermost first, each within the one that awaits it; none for a task that is not there.
    pub fn stack(&self, task: TaskKey) -> Option<Vec<Frame>> {
        let (links, kind) = self.chains.get(&task)?;
        // A deep recursion is shown by its two ends.
        let left_out = links.len().saturating_sub(MOST_FRAMES);
        let (near, far) = (MOST_FRAMES / 2, left_out.saturating_add(MOST_FRAMES / 2));
        let shown = links.iter().enumerate().filter(|(at, _)| left_out == 0 || *at < near || *at >= far);
        let frame = |inner: Vec<Frame>, (at, link): (usize, &Link)| {
            let gap = left_out > 0 && at.saturating_add(1) == near;
            vec![Frame {
                location: link.location.clone(),
                kind: *kind,
                user_code: link.code.user_code,
                note: gap.then(|| format!("{left_out} frames further in are left out")),
                ..node(&link.code.name, inner)
            }]
        };
        Some(shown.rev().fold(Vec::new(), frame))
    }

    /// The same, and behind it for each awaiter a boundary with what it awaits from; each task once.
    pub fn tree(&self, task: TaskKey) -> Option<Vec<Frame>> {
        let tasks: HashMap<TaskKey, &Task> = self.snapshot.tasks.iter().map(|task| (task.key, task)).collect();
        self.branch(task, &tasks, &mut HashSet::from([task]))
    }

    fn branch(&self, key: TaskKey, tasks: &HashMap<TaskKey, &Task>, seen: &mut HashSet<TaskKey>) -> Option<Vec<Frame>> {
        let mut frames = self.stack(key)?;
        for awaiter in tasks.get(&key).into_iter().flat_map(|task| &task.awaited_by) {
            let Some(by) = tasks.get(&awaiter.task) else { continue };
            if seen.len() < MOST_AWAITERS && seen.insert(awaiter.task) {
                let inner = self.branch(awaiter.task, tasks, seen).unwrap_or_default();
                let boundary = node(&by.name, inner);
                frames.push(Frame { kind: FrameKind::Boundary, task: Some(awaiter.task), ..boundary });
            }
        }
        Some(frames)
    }
}

/// A frame of which only the name is known.
fn node(name: &str, children: Vec<Frame>) -> Frame {
    Frame {
        name: name.to_owned(),
        location: None,
        kind: FrameKind::Await,
        user_code: false,
        body: None,
        task: None,
        note: None,
        children,
    }
}

/// Reads all tasks.
pub(super) fn list(memory: &dyn Memory, offsets: &Offsets, asyncio: &AsyncioOffsets, runtime: MemAddr) -> Listing {
    let mut objects = Objects::new(memory, offsets);
    let interpreters = threads::interpreters(&objects, asyncio, runtime);
    let mut tasks = Tasks::new(Chains::new(&mut objects), asyncio);
    let mut met = Met::default();
    for interpreter in &interpreters {
        met.meet(&mut tasks, interpreter);
    }
    if asyncio.future.is_none() {
        met.notes.push(
            "this build of asyncio keeps its futures in another way than is known: which tasks are ready is not told"
                .into(),
        );
    }
    let threads: Vec<&Thread> = interpreters.iter().flat_map(|interpreter| &interpreter.threads).collect();
    met.listing(tasks.chains.objects, &threads)
}

/// The tasks that were met so far.
#[derive(Default)]
struct Met {
    tasks: Vec<MetTask>,
    addresses: HashSet<MemAddr>,
    notes: Vec<String>,
}

/// A task, and what is known of it from where it was found.
struct MetTask {
    found: Found,
    key: TaskKey,
    state: State,
    wait: Option<Wait>,
    /// How it awaits those tasks that it does not await directly.
    via: Via,
    runtime: RuntimeKey,
    /// The thread that executes it.
    os_thread: Option<i32>,
}

impl Met {
    /// The tasks of an interpreter, in the order in which each thread made them; those last whose threads have ended.
    fn meet(&mut self, tasks: &mut Tasks<'_, '_>, interpreter: &Interpreter) {
        for thread in &interpreter.threads {
            let listed = tasks.of_thread(thread);
            if !listed.whole {
                self.notes.push(format!("the tasks of thread {} could not all be read", thread.id));
            }
            // One that was started eagerly enters the list when it is suspended for the first time.
            let own = listed.tasks.into_iter().chain(thread.task);
            self.read(tasks, interpreter, own, thread.address);
        }
        let listed = tasks.of_interpreter(interpreter);
        if !listed.whole {
            self.notes.push("the tasks of threads that have ended could not all be read".into());
        }
        self.read(tasks, interpreter, listed.tasks.into_iter(), interpreter.address);
    }

    fn read(
        &mut self,
        tasks: &mut Tasks<'_, '_>,
        interpreter: &Interpreter,
        addresses: impl Iterator<Item = MemAddr>,
        place: MemAddr,
    ) {
        let mut strange: usize = 0;
        for address in addresses {
            if !self.addresses.insert(address) {
                continue;
            }
            let Some(found) = tasks.read(address, &interpreter.threads) else {
                strange = strange.saturating_add(1);
                continue;
            };
            let os_thread = interpreter.threads.iter().find(|thread| thread.task == Some(address)).map(|it| it.id);
            let state = state(&found, os_thread);
            let (wait, via) = if state == State::Waiting { waits::of(tasks, &found.chain) } else { (None, Via::Await) };
            let runtime = RuntimeKey(found.event_loop.unwrap_or(place).raw());
            self.tasks.push(MetTask { key: found.key, state, wait, via, runtime, os_thread, found });
        }
        if strange > 0 {
            self.notes.push(format!("{strange} of the tasks that are listed could not be read"));
        }
    }

    fn listing(self, objects: &mut Objects<'_>, threads: &[&Thread]) -> Listing {
        let mut listing = Listing::default();
        listing.snapshot.runtimes = self.runtimes(objects, threads);
        let listed: HashMap<TaskKey, &MetTask> = self.tasks.iter().map(|met| (met.key, met)).collect();
        let mut all: Vec<Task> = self.tasks.iter().map(|met| met.task(&listed)).collect();
        let order: HashMap<RuntimeKey, usize> =
            listing.snapshot.runtimes.iter().enumerate().map(|(at, runtime)| (runtime.key, at)).collect();
        all.sort_by_key(|task| order.get(&task.runtime).copied());
        listing.snapshot.tasks = all;
        listing.snapshot.notes = self.notes;
        let timed = self.tasks.iter().filter(|met| holds::is_timed(objects, &met.found.chain.links)).map(|met| met.key);
        let links = |key: TaskKey| listed.get(&key).map(|met| met.found.chain.links.as_slice());
        holds::settle(&mut listing.snapshot, links, timed);
        listing.snapshot.problems = check(&listing.snapshot);
        for met in self.tasks {
            let kind = if met.state == State::Running { FrameKind::Physical } else { FrameKind::Await };
            listing.chains.insert(met.key, (met.found.chain.links, kind));
        }
        listing
    }

    /// The event loops that tasks belong to, in the order in which they were met.
    fn runtimes(&self, objects: &mut Objects<'_>, threads: &[&Thread]) -> Vec<Runtime> {
        let mut runtimes: Vec<Runtime> = Vec::new();
        let mut places: HashMap<RuntimeKey, usize> = HashMap::new();
        let running = threads.iter().filter_map(|thread| Some(RuntimeKey(thread.event_loop?.raw())));
        for (key, live) in running.map(|key| (key, 0)).chain(self.tasks.iter().map(MetTask::counts)) {
            let place = *places.entry(key).or_insert_with(|| {
                runtimes.push(runtime(objects, threads, key));
                runtimes.len().saturating_sub(1)
            });
            if let Some(runtime) = runtimes.get_mut(place) {
                runtime.task_count = runtime.task_count.saturating_add(live);
            }
        }
        runtimes
    }
}

impl MetTask {
    /// The runtime, and how many live tasks this one adds to it.
    fn counts(&self) -> (RuntimeKey, usize) {
        (self.runtime, usize::from(!self.ended()))
    }

    fn ended(&self) -> bool {
        self.found.outcome.is_some_and(|outcome| outcome != Outcome::Pending)
    }

    /// Its name, or that of its coroutine if it has an empty one.
    fn name(&self) -> &str {
        let coroutine = || self.found.chain.links.first().map(|link| link.code.name.as_str());
        Some(self.found.name.as_str()).filter(|name| !name.is_empty()).or_else(coroutine).unwrap_or("?")
    }

    fn task(&self, listed: &HashMap<TaskKey, &MetTask>) -> Task {
        let found = &self.found;
        let links = &found.chain.links;
        let innermost = |wanted: &dyn Fn(&Link) -> bool| links.iter().rev().find(|link| wanted(link));
        let place = innermost(&|link| link.code.user_code && link.location.is_some()).or_else(|| innermost(&|_| true));
        let awaiter = |key: &TaskKey| {
            let by = listed.get(key)?;
            let direct = by.found.chain.end == End::Future(MemAddr::new(self.key.address));
            Some(Awaiter { task: *key, via: if direct { Via::Await } else { by.via } })
        };
        Task {
            key: self.key,
            runtime_task_id: Some(self.key.id).filter(|id| *id != 0),
            name: self.name().into(),
            kind: TaskKind::Task,
            runtime: self.runtime,
            state: self.state,
            ended: self.ended(),
            location: place.and_then(|link| link.location.clone()),
            entry: links.first().and_then(|link| link.code.first.clone()),
            spawned_at: None,
            spawned_by: None,
            os_thread: self.os_thread,
            waiting_on: self.wait.clone(),
            holds: Vec::new(),
            awaited_by: found.awaiters.iter().filter_map(awaiter).collect(),
            frames: links.len(),
            error: links.is_empty().then(|| "its coroutine cannot be read".to_owned()).filter(|_| !self.ended()),
        }
    }
}

fn state(found: &Found, os_thread: Option<i32>) -> State {
    match (found.outcome, &found.chain.end) {
        _ if os_thread.is_some() => State::Running,
        (Some(Outcome::Cancelled), _) => State::Cancelled,
        (Some(Outcome::Finished), _) if found.failed => State::Failed,
        (Some(Outcome::Finished), _) => State::Done,
        (_, End::NotBegun) => State::Created,
        (_, End::Executing) => State::Running,
        (_, End::Yield) => State::Ready,
        _ if found.waits == Some(false) => State::Ready,
        _ => State::Waiting,
    }
}

/// An event loop; what is none (the place where a task was found whose loop is not known) counts as asyncio's.
fn runtime(objects: &mut Objects<'_>, threads: &[&Thread], key: RuntimeKey) -> Runtime {
    let event_loop = MemAddr::new(key.0);
    let is_uvloop = objects.is_kind_of(event_loop, |known| known.name.starts_with("uvloop."));
    let on = |thread: &&&Thread| thread.event_loop == Some(event_loop) || thread.address == event_loop;
    Runtime {
        key,
        kind: if is_uvloop { RuntimeKind::Uvloop } else { RuntimeKind::Asyncio },
        name: None,
        os_threads: threads.iter().filter(on).map(|thread| thread.id).collect(),
        task_count: 0,
    }
}
