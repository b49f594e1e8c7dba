//! Which task one stopped thread polls, told by that thread alone: others may be running, so no list of tasks is made.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use weft_memory::{MemAddr, Memory};
use weft_symbols::{Image, Modules, Type};
use weft_tasks::{TaskKey, TaskKind};
use weft_values::{Frame, Stop, WalkEnd, frames};

use crate::executors::{AsyncTaskPlan, is_worker};
use crate::labels::RootName;
use crate::runtimes::Runtimes;
use crate::threads::{self, Activation, Driven};
use crate::tokio::{self, CurrentTask, Entry, HeaderPlan, TaskEnd, TaskTable, TaskTraps};

/// Innermost frames that are looked at first: as many as a task of everyday depth has, with its executor's.
const NEAR: usize = 96;

/// Words of an executor's frames that are looked at for a task's header.
const MOST_WORDS: usize = 4096;

/// What a thread does for tasks.
#[derive(Clone, Debug)]
pub enum Polling {
    /// It polls none: it is none of an executor's threads, or it waits, or it does the executor's own work.
    Nobody,
    /// It polls this one: the innermost, where one is polled inside of another.
    Task(Polled),
    /// It polls a task; a sentence says why nobody can tell which.
    Unknown(String),
}

impl Polling {
    /// The task, if it is known.
    pub fn task(&self) -> Option<&Polled> {
        match self {
            Self::Task(polled) => Some(polled),
            Self::Nobody | Self::Unknown(_) => None,
        }
    }
}

/// One poll of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnePoll {
    /// The task.
    pub task: Polled,
    /// Where the function that polls it returns to.
    pub returns_to: MemAddr,
    /// The stack pointer with which it does.
    pub sp: MemAddr,
    /// Where the innermost frame of user code is: `server::handle, main.rs:12`.
    pub place: Option<String>,
}

/// A task that is being polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polled {
    /// The task, as lists of tasks name it.
    pub key: TaskKey,
    /// The runtime's own number for it.
    pub runtime_id: Option<u64>,
    /// What a user calls it.
    pub name: Arc<str>,
    /// What all tasks made of the same function, block or closure have in common: tasks that are equal in this are siblings.
    pub entry: Arc<str>,
    /// What it is.
    pub kind: TaskKind,
}

/// How the headers of one file's tasks look, and where its threads note what they poll.
#[derive(Clone, Debug)]
struct Headers {
    image: Arc<Image>,
    tokio: Arc<[HeaderPlan]>,
    /// One for each copy of Tokio.
    current: Arc<[CurrentTask]>,
    async_task: Option<AsyncTaskPlan>,
}

/// What was found out about files so far.
#[derive(Debug, Default)]
pub(crate) struct KnownHeaders(RwLock<Vec<Headers>>);

impl KnownHeaders {
    /// Of every file of the program that has tasks.
    fn of(&self, modules: &Modules) -> Vec<Headers> {
        let images = modules.iter().map(|module| &module.image).filter(|image| !image.is_system_runtime());
        images.map(|image| self.of_image(image)).filter(Headers::has_any).collect()
    }

    fn of_image(&self, image: &Arc<Image>) -> Headers {
        let is = |known: &&Headers| Arc::ptr_eq(&known.image, image);
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find(is) {
            return known.clone();
        }
        let found = Headers::find(image);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.push(found.clone());
        found
    }
}

impl Headers {
    fn find(image: &Arc<Image>) -> Self {
        Self {
            image: Arc::clone(image),
            tokio: tokio::header_plans(image).into(),
            current: tokio::current_tasks(image).into(),
            async_task: AsyncTaskPlan::of(image),
        }
    }

    /// The number of the task that a thread says it polls. Of several copies of Tokio it is not known which counted.
    fn current_task(&self, modules: &Modules, fs_base: u64, memory: &dyn Memory) -> Option<u64> {
        let [current] = self.current.as_ref() else { return None };
        current.read(modules, modules.of(&self.image)?, fs_base, memory).flatten()
    }

    fn has_any(&self) -> bool {
        !self.tokio.is_empty() || self.async_task.is_some()
    }
}

/// Tokio's number of the task that a thread with this thread pointer says it polls.
pub(crate) fn current_task(runtimes: &Runtimes, modules: &Modules, fs_base: u64, memory: &dyn Memory) -> Option<u64> {
    let known = runtimes.headers.of(modules);
    known.iter().find_map(|headers| headers.current_task(modules, fs_base, memory))
}

/// The poll that a stopped thread is in, of a task of an executor's.
pub(crate) fn poll_of(runtimes: &Runtimes, stop: &Stop, tid: i32) -> Option<OnePoll> {
    let polling = polled_by(runtimes, stop, tid);
    let task = polling.task().filter(|task| !matches!(task.kind, TaskKind::Blocking | TaskKind::Root))?;
    let (frames, activations) = near(stop, tid);
    let activation = activations.iter().find(|activation| activation.running)?;
    // The outermost function of one poll is called through the task's vtable: it is never a part of another one.
    let executor = frames.get(activation.executor.clone())?;
    let at = executor.iter().rposition(|frame| threads::polls_task(frame) && !frame.inlined)?;
    let edge = executor.get(at)?;
    let own = frames.get(activation.own.clone()).unwrap_or_default();
    let place = own.iter().find(|frame| frame.user_code && frame.source.is_some()).and_then(|frame| {
        let source = frame.source.as_ref()?;
        let file = source.file.file_name()?.to_string_lossy().into_owned();
        Some(format!("{} ({file}:{})", frame.name, source.line))
    });
    let returns_to = frames.get(activation.executor.start.checked_add(at)?.checked_add(1)?)?.pc;
    Some(OnePoll { task: task.clone(), returns_to, sp: edge.cfa?, place })
}

/// A task of an executor's with its header there, running or not; none if there is none any more.
pub(crate) fn at_rest(runtimes: &Runtimes, stop: &Stop, key: TaskKey) -> Option<Polled> {
    let known = runtimes.headers.of(&stop.modules);
    let look = Look { runtimes, stop, tid: 0, any: true };
    let found = look.at(&known, MemAddr::new(key.address), None)?;
    found.task().filter(|task| task.key == key).cloned()
}

/// Where to stop for a task of Tokio's.
pub(crate) fn traps(runtimes: &Runtimes, stop: &Stop, task: TaskKey) -> Result<TaskTraps, String> {
    if let Some((plan, entry)) = tokio_task(runtimes, stop, task) {
        if entry.state.is_some_and(|state| state.is_complete()) {
            return Err("the task has ended".to_owned());
        }
        if entry.cell.as_ref().is_none_or(|cell| cell.layout.is_none()) {
            return Err(entry.error.unwrap_or_else(|| "the task's memory cannot be read".to_owned()));
        }
        return tokio::traps(stop, &runtimes.ends, &plan, &entry);
    }
    Err(match at_rest(runtimes, stop, task) {
        Some(_) => "weft does not know where the executor of this task ends its tasks: that works for Tokio's".to_owned(),
        None => "this is no task of Tokio's, or it is no more: what a thread drives itself (`block_on`) has no end that can be \
                 seen"
            .to_owned(),
    })
}

/// Where the task of Tokio's names its functions that has these bytes in its own memory. All threads stand.
pub(crate) fn table(runtimes: &Runtimes, stop: &Stop, inside: &Range<MemAddr>) -> Option<TaskTable> {
    let listing = runtimes.list(stop);
    let before = listing.snapshot.tasks.iter().filter(|task| task.key.address <= inside.start.raw());
    let nearest = before.max_by_key(|task| task.key.address)?.key;
    let (plan, entry) = tokio_task(runtimes, stop, nearest)?;
    tokio::table(stop, &plan, &entry, inside)
}

/// How a task of Tokio's ends.
pub(crate) fn ending(runtimes: &Runtimes, stop: &Stop, tid: i32, task: TaskKey) -> Option<TaskEnd> {
    let (plan, _) = tokio_task(runtimes, stop, task)?;
    let polled = || polled_by(runtimes, stop, tid).task().map(|polled| polled.key);
    tokio::ending(stop, &runtimes.cells, &plan, tid, task, polled)
}

/// A task of Tokio's, and how its header looks.
fn tokio_task(runtimes: &Runtimes, stop: &Stop, task: TaskKey) -> Option<(HeaderPlan, Entry)> {
    let known = runtimes.headers.of(&stop.modules);
    let plans = known.iter().flat_map(|headers| headers.tokio.iter());
    plans.cloned().find_map(|plan| {
        let entry = runtimes.cells.read(stop, &plan, MemAddr::new(task.address));
        (entry.fits(&plan) && entry.id.unwrap_or(0) == task.id).then_some((plan, entry))
    })
}

/// What a stopped thread polls.
pub(crate) fn polled_by(runtimes: &Runtimes, stop: &Stop, tid: i32) -> Polling {
    let (frames, activations) = near(stop, tid);
    for activation in activations.iter().filter(|activation| activation.running) {
        let told = match &activation.what {
            Driven::Root { .. } => root(stop, activation),
            Driven::Loose { .. } => unknown("the executor that polls it says nowhere which task that is"),
            Driven::Task { header, future } => {
                let executor = frames.get(activation.executor.clone()).unwrap_or_default();
                Look { runtimes, stop, tid, any: false }.task(*header, future.as_ref(), executor)
            }
        };
        // A thread of the runtime's is a job of its own, inside of which it polls tasks, or waits.
        if !matches!(told, Polling::Nobody) {
            return told;
        }
    }
    Polling::Nobody
}

/// The innermost frames of a thread and what is driven in them; all of its frames unless fewer are certain to tell.
fn near(stop: &Stop, tid: i32) -> (Vec<Frame>, Vec<Activation>) {
    let near = frames(stop, tid, NEAR);
    let activations = threads::activations(stop, &near.frames);
    let whole = |activation: &Activation| activation.running && activation.executor.end < near.frames.len();
    if near.end != WalkEnd::Limit || activations.first().is_some_and(whole) {
        return (near.frames, activations);
    }
    let view = threads::view(stop, tid);
    (view.frames, view.activations)
}

fn root(stop: &Stop, activation: &Activation) -> Polling {
    let Driven::Root { future, .. } = &activation.what else { return Polling::Nobody };
    if future.as_ref().is_some_and(is_worker) {
        return Polling::Nobody;
    }
    let Some(RootName { key, name, .. }) = RootName::of(stop, &activation.what) else {
        return unknown("the stack does not say where its future lies");
    };
    let entry = future.as_ref().map_or_else(|| Arc::clone(&name), |future| future.path().into());
    Polling::Task(Polled { key, runtime_id: None, name, entry, kind: TaskKind::Root })
}

fn unknown(why: &str) -> Polling {
    Polling::Unknown(format!("which task this thread polls is not known: {why}"))
}

/// A look at one thread.
struct Look<'a> {
    runtimes: &'a Runtimes,
    stop: &'a Stop,
    tid: i32,
    /// Tasks that nobody polls are meant too.
    any: bool,
}

impl Look<'_> {
    /// The task that these frames of an executor poll, by the header that they name; optimised code may have lost it, or
    /// name another one.
    fn task(&self, header: Option<MemAddr>, future: Option<&Type>, executor: &[Frame]) -> Polling {
        let known = self.runtimes.headers.of(&self.stop.modules);
        if let Some(found) = header.and_then(|header| self.at(&known, header, future)) {
            return found;
        }
        let current = known.iter().find_map(|headers| self.current(headers));
        let scanned = current.and_then(|current| {
            self.pointers(executor).into_iter().find_map(|header| {
                let found = self.at(&known, header, future)?;
                let is_current = found.task().is_none_or(|task| task.runtime_id == Some(current));
                is_current.then_some(found)
            })
        });
        scanned.unwrap_or_else(|| unknown("optimised code has not kept it, and the thread does not say it"))
    }

    /// The task with its header there, if it runs and is made of such a future.
    fn at(&self, known: &[Headers], header: MemAddr, future: Option<&Type>) -> Option<Polling> {
        let plans = || known.iter().flat_map(|headers| headers.tokio.iter());
        let entry = plans().find_map(|plan| {
            let entry = self.runtimes.cells.read(self.stop, plan, header);
            entry.fits(plan).then_some(entry)
        });
        match entry {
            Some(entry) => {
                let is_it = (self.any || entry.is_running()) && future.is_none_or(|future| entry.is_of(future));
                is_it.then(|| of_entry(&entry))
            }
            None => known.iter().filter_map(|headers| headers.async_task.as_ref()).find_map(|plan| {
                let kind = self.runtimes.task_types.of(self.stop, plan, header)?;
                let runs = kind.state(self.stop, header).is_some_and(|state| state.is_running());
                let same = future.is_none_or(|future| future.path() == kind.future.path());
                ((self.any || runs) && same).then(|| {
                    Polling::Task(Polled {
                        key: TaskKey { address: header.raw(), id: kind.identity() },
                        runtime_id: None,
                        name: Arc::clone(&kind.name),
                        entry: kind.future.path().into(),
                        kind: if kind.is_job() { TaskKind::Blocking } else { TaskKind::Task },
                    })
                })
            }),
        }
    }

    /// The number of the task that the thread says it polls.
    fn current(&self, headers: &Headers) -> Option<u64> {
        let fs_base = self.stop.thread(self.tid)?.registers.fs_base;
        headers.current_task(&self.stop.modules, fs_base, self.stop.memory.as_ref())
    }

    /// What may be addresses among the words of these frames.
    fn pointers(&self, run: &[Frame]) -> Vec<MemAddr> {
        let range = run.first().map(|frame| frame.registers.sp()).zip(run.last().and_then(|frame| frame.cfa));
        let Some((start, end)) = range else { return Vec::new() };
        let length = end.since(start).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let Ok(bytes) = self.stop.memory.read_bytes(start, length.min(MOST_WORDS.saturating_mul(8))) else {
            return Vec::new();
        };
        let words = bytes.chunks_exact(8).filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        let mut found: Vec<u64> = words.filter(|word| *word > 0xffff && *word < 1 << 47 && word & 7 == 0).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(MemAddr::new).collect()
    }
}

fn of_entry(entry: &Entry) -> Polling {
    let Some(cell) = entry.cell.as_ref() else { return Polling::Nobody };
    if cell.is_worker {
        return Polling::Nobody;
    }
    Polling::Task(Polled {
        key: TaskKey { address: entry.header.raw(), id: entry.id.unwrap_or(0) },
        runtime_id: entry.id,
        name: entry.name(),
        entry: entry.made_of(),
        kind: cell.kind,
    })
}
