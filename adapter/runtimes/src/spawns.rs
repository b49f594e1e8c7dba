//! Where tasks were spawned: recorded while the program ran, told when somebody asks.
//!
//! Of each task that comes into being the stack of the thread that spawns it is kept, as addresses; equal stacks are kept
//! once. What the addresses mean is worked out for those that are shown. Tasks that have ended are forgotten when as many
//! have come as there were.

use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::{FileAddr, MemAddr, Memory, Registers};
use weft_symbols::Modules;
use weft_tasks::{Location, RuntimeKind, Snapshot, Task, TaskKey};
use weft_values::{Frame, FunctionAt, functions_at};

use crate::executors::{PollKind, poller};
use crate::names::location;

/// Calls of one stack that are kept.
const MOST_CALLS: usize = 64;
/// Different stacks that are kept.
const MOST_STACKS: usize = 16 * 1024;
/// Tasks whose sites are kept.
const MOST_TASKS: usize = 1 << 20;
/// So many come before it is looked for the first time which of them have ended.
const FIRST_LOOK: usize = 64 * 1024;
/// Tasks that may have their number and be in no list yet, as many as threads spawn at once.
const IN_THE_MAKING: u64 = 256;

/// A task that is about to be made.
#[derive(Clone, Copy)]
pub struct Spawn<'a> {
    /// Its number.
    pub task: u64,
    /// The thread that makes it.
    pub tid: i32,
    /// The number of the task that the thread polls. `Some(None)`: none; none: that is not known.
    pub polled: Option<Option<u64>>,
    /// The thread's registers.
    pub registers: &'a Registers,
    /// The program's files.
    pub modules: &'a Arc<Modules>,
    /// Its memory; this thread stands.
    pub memory: &'a dyn Memory,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct SpawnSites(Mutex<Sites>);

#[derive(Debug, Default)]
struct Sites {
    by_task: FxHashMap<u64, Site>,
    stacks: Vec<Arc<Trace>>,
    /// Where in `stacks` a stack is, of those made of `modules`.
    numbers: FxHashMap<Box<[Call]>, u32>,
    modules: Option<Arc<Modules>>,
    /// How many there were when it was looked last which have ended.
    lasting: usize,
    /// What cannot be seen.
    unseen: Vec<String>,
    /// Some were not kept: there are too many.
    full: bool,
}

/// Where one task was spawned.
#[derive(Clone, Copy, Debug)]
struct Site {
    /// Place in `stacks`.
    stack: u32,
    spawner: Spawner,
}

/// Who spawned a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spawner {
    /// A task, by its number.
    Task(u64),
    /// A thread that polled no task: in a `block_on`, or beside all runtimes.
    Thread(i32),
    Unknown,
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call {
    /// Where it executes, or will return to.
    pc: MemAddr,
    /// Its canonical frame address, where it takes that to know who spawned; else zero.
    cfa: MemAddr,
}

/// A stack that spawned, innermost frame first.
#[derive(Debug)]
pub(crate) struct Trace {
    calls: Box<[Call]>,
    /// The files as they were then.
    modules: Arc<Modules>,
    told: OnceLock<Told>,
}

/// What a stack means.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The user's frames, innermost first, up to the executor's.
    pub(crate) frames: Vec<TraceFrame>,
    /// The functions that drive a root on it, innermost first.
    drivers: Vec<Driver>,
}

/// A frame of a stack that spawned.
#[derive(Clone, Debug)]
pub(crate) struct TraceFrame {
    pub(crate) name: String,
    pub(crate) location: Option<Arc<Location>>,
    pub(crate) user_code: bool,
}

/// A function on a stack that drives a root: a copy of it, in a frame of a thread's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// Where this copy's code begins.
    pub(crate) entry: FileAddr,
    pub(crate) cfa: MemAddr,
}

impl Driver {
    /// The function of a frame, if it drives a root.
    pub(crate) fn of(frame: &Frame) -> Option<Self> {
        let code = frame.code.as_ref().filter(|code| poller(code).is_some_and(|it| it.kind == PollKind::BlockOn))?;
        Some(Self { entry: code.entry, cfa: frame.cfa? })
    }
}

/// A root that is listed, with the functions that drive it.
#[derive(Debug)]
pub(crate) struct DrivenRoot {
    pub(crate) key: TaskKey,
    pub(crate) tid: i32,
    pub(crate) drivers: Vec<Driver>,
}

impl SpawnSites {
    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps where a task is spawned; what was kept of that task stays.
    pub(crate) fn record(&self, spawn: &Spawn<'_>) {
        let spawner = match spawn.polled {
            Some(Some(task)) => Spawner::Task(task),
            Some(None) => Spawner::Thread(spawn.tid),
            None => Spawner::Unknown,
        };
        let calls = calls(spawn, spawner == Spawner::Thread(spawn.tid));
        let mut sites = self.lock();
        if sites.by_task.len() >= MOST_TASKS {
            sites.full = true;
            return;
        }
        let Some(stack) = sites.stack(calls, spawn.modules) else {
            sites.full = true;
            return;
        };
        if let Entry::Vacant(vacant) = sites.by_task.entry(spawn.task) {
            vacant.insert(Site { stack, spawner });
        }
    }

    /// Says what cannot be seen, in sentences.
    pub(crate) fn set_unseen(&self, unseen: Vec<String>) {
        self.lock().unseen = unseen;
    }

    /// Whether so many were recorded that it is time to look which of them have ended.
    pub(crate) fn is_due(&self) -> bool {
        let sites = self.lock();
        sites.by_task.len() >= sites.lasting.saturating_mul(2).max(FIRST_LOOK)
    }

    /// Forgets the tasks that are not listed any more, by a list that was made while the program stood and still stands.
    pub(crate) fn retain_listed(&self, snapshot: &Snapshot) {
        let listed: FxHashSet<u64> = snapshot.tasks.iter().filter_map(|task| task.runtime_task_id).collect();
        let mut sites = self.lock();
        let newest = sites.by_task.keys().copied().max().unwrap_or(0);
        sites.by_task.retain(|task, _| listed.contains(task) || newest.saturating_sub(*task) < IN_THE_MAKING);
        sites.by_task.shrink_to_fit();
        sites.lasting = sites.by_task.len();
    }

    /// Forgets everything: another program runs, whose tasks have the same numbers.
    pub(crate) fn clear(&self) {
        *self.lock() = Sites::default();
    }

    /// Fills in where tasks were spawned, and by whom.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot, roots: &[DrivenRoot]) {
        let found: Vec<(usize, Arc<Trace>, Spawner)> = {
            let sites = self.lock();
            for note in sites.notes() {
                snapshot.notes.push(note);
            }
            if sites.by_task.is_empty() {
                return;
            }
            let numbers = snapshot.tasks.iter().enumerate().filter(|(_, task)| is_tokio(&snapshot.runtimes, task));
            let site = |(index, task): (usize, &Task)| {
                let site = sites.by_task.get(&task.runtime_task_id?)?;
                Some((index, sites.trace(*site)?, site.spawner))
            };
            numbers.filter_map(site).collect()
        };
        let keys = keys(snapshot);
        for (index, trace, spawner) in found {
            let Some(task) = snapshot.tasks.get_mut(index) else { continue };
            let told = trace.told();
            if task.spawned_at.is_none() {
                task.spawned_at = told.location();
            }
            task.spawned_by = match spawner {
                Spawner::Task(number) => keys.get(&number).copied().flatten(),
                Spawner::Thread(tid) => told.root(tid, roots),
                Spawner::Unknown => None,
            };
        }
    }

    /// The stack that spawned a task of a snapshot.
    pub(crate) fn trace_of(&self, snapshot: &Snapshot, task: &Task) -> Option<Arc<Trace>> {
        let number = task.runtime_task_id.filter(|_| is_tokio(&snapshot.runtimes, task))?;
        let sites = self.lock();
        sites.trace(*sites.by_task.get(&number)?)
    }
}

impl Sites {
    fn trace(&self, site: Site) -> Option<Arc<Trace>> {
        self.stacks.get(usize::try_from(site.stack).ok()?).cloned()
    }

    /// The place of a stack among those that are kept; none if there are too many.
    fn stack(&mut self, calls: Box<[Call]>, modules: &Arc<Modules>) -> Option<u32> {
        if !self.modules.as_ref().is_some_and(|known| Arc::ptr_eq(known, modules)) {
            self.numbers.clear();
            self.modules = Some(Arc::clone(modules));
        }
        if let Some(known) = self.numbers.get(&calls) {
            return Some(*known);
        }
        if self.stacks.len() >= MOST_STACKS {
            return None;
        }
        let number = u32::try_from(self.stacks.len()).ok()?;
        let trace = Trace { calls: calls.clone(), modules: Arc::clone(modules), told: OnceLock::new() };
        self.stacks.push(Arc::new(trace));
        self.numbers.insert(calls, number);
        Some(number)
    }

    fn notes(&self) -> impl Iterator<Item = String> + '_ {
        let full = format!(
            "not every spawn site was kept: there are more than {MOST_TASKS} tasks, or {MOST_STACKS} different stacks that \
             spawn"
        );
        self.unseen.iter().cloned().chain(self.full.then_some(full))
    }
}

/// The stack of a thread that spawns, as far as it is kept.
fn calls(spawn: &Spawn<'_>, with_frames: bool) -> Box<[Call]> {
    let mut registers = *spawn.registers;
    let mut is_return_address = false;
    let mut below = MemAddr::new(0);
    let mut calls = Vec::with_capacity(MOST_CALLS);
    while calls.len() < MOST_CALLS && registers.pc().raw() != 0 {
        let pc = registers.pc();
        let caller = spawn.modules.caller(&registers, is_return_address, spawn.memory).ok().flatten();
        let cfa = caller.as_ref().map(|caller| caller.cfa);
        calls.push(Call { pc, cfa: cfa.filter(|_| with_frames).unwrap_or(MemAddr::new(0)) });
        // A task is spawned by code that was called: beyond a signal handler, and where the stack does not rise, it ends.
        let Some(caller) = caller.filter(|caller| !caller.signal_frame && caller.cfa > below) else { break };
        (registers, is_return_address, below) = (caller.registers, true, caller.cfa);
    }
    calls.into()
}

impl Trace {
    /// What it means; worked out once.
    pub(crate) fn told(&self) -> &Told {
        self.told.get_or_init(|| {
            let mut told = Told::default();
            let mut own = true;
            for (index, call) in self.calls.iter().enumerate() {
                for function in functions_at(&self.modules, call.pc, index > 0) {
                    let poller = function.code.as_ref().and_then(|code| Some((poller(code)?, code.entry)));
                    if let Some((poller, entry)) = poller {
                        // What lies outside is the executor's.
                        own = false;
                        if poller.kind == PollKind::BlockOn {
                            told.drivers.push(Driver { entry, cfa: call.cfa });
                        }
                    }
                    told.frames.extend(TraceFrame::of(&function).filter(|_| own));
                }
            }
            told
        })
    }
}

impl TraceFrame {
    /// A frame of the user's; none for what runtimes and the standard library do in between.
    fn of(function: &FunctionAt) -> Option<Self> {
        let is_coroutine = function.code.as_ref().is_some_and(|code| code.function.kind.is_coroutine());
        let source = function.source.as_ref().filter(|source| source.line > 0);
        (function.user_code || is_coroutine).then(|| Self {
            name: function.name.clone(),
            location: source.map(location),
            user_code: function.user_code,
        })
    }
}

impl Told {
    /// Where the innermost frame of the user's is.
    fn location(&self) -> Option<Arc<Location>> {
        self.frames.iter().filter(|frame| frame.user_code).find_map(|frame| frame.location.clone())
    }

    /// The root that the thread drove, if it is listed.
    fn root(&self, tid: i32, roots: &[DrivenRoot]) -> Option<TaskKey> {
        let innermost = self.drivers.first()?;
        let drives = |root: &&DrivenRoot| root.tid == tid && root.drivers.contains(innermost);
        roots.iter().find(drives).map(|root| root.key)
    }
}

fn is_tokio(runtimes: &[weft_tasks::Runtime], task: &Task) -> bool {
    runtimes.iter().find(|runtime| runtime.key == task.runtime).is_some_and(|runtime| {
        use RuntimeKind::{TokioCurrentThread, TokioLocalSet, TokioMultiThread};
        matches!(runtime.kind, TokioMultiThread | TokioCurrentThread | TokioLocalSet)
    })
}

/// Tokio's tasks by their numbers; none for a number that several have.
fn keys(snapshot: &Snapshot) -> FxHashMap<u64, Option<TaskKey>> {
    let mut keys = FxHashMap::default();
    for task in snapshot.tasks.iter().filter(|task| is_tokio(&snapshot.runtimes, task)) {
        let Some(number) = task.runtime_task_id else { continue };
        keys.entry(number).and_modify(|key| *key = None).or_insert(Some(task.key));
    }
    keys
}

#[cfg(test)]
mod tests {
    use weft_memory::{Bytes, DwarfRegister};
    use weft_tasks::{Runtime, RuntimeKey, State, TaskKind};

    use super::*;

    const TOKIO: RuntimeKey = RuntimeKey(1);
    const OTHER: RuntimeKey = RuntimeKey(2);

    /// Task `number` comes into being at an address, and `polled` is what its thread polls.
    fn spawn(sites: &SpawnSites, number: u64, at: u64, polled: Option<Option<u64>>) {
        let mut registers = Registers::unknown(0);
        registers.set(DwarfRegister::RA, Some(at));
        let (modules, memory) = (Arc::default(), Bytes::new());
        let files = sites.lock().modules.clone().unwrap_or(modules);
        sites.record(&Spawn { task: number, tid: 7, polled, registers: &registers, modules: &files, memory: &memory });
    }

    fn task(runtime: RuntimeKey, number: u64) -> Task {
        Task {
            key: TaskKey { address: number << 8, id: number },
            runtime_task_id: Some(number),
            name: "mine::f".into(),
            kind: TaskKind::Task,
            runtime,
            state: State::Waiting,
            ended: false,
            location: None,
            entry: None,
            spawned_at: None,
            spawned_by: None,
            os_thread: None,
            waiting_on: None,
            holds: Vec::new(),
            awaited_by: Vec::new(),
            frames: 1,
            error: None,
        }
    }

    fn snapshot(tasks: Vec<Task>) -> Snapshot {
        let runtime = |key, kind| Runtime { key, kind, name: None, os_threads: Vec::new(), task_count: 0 };
        let runtimes = vec![runtime(TOKIO, RuntimeKind::TokioMultiThread), runtime(OTHER, RuntimeKind::Smol)];
        Snapshot { runtimes, tasks, ..Snapshot::default() }
    }

    /// Who spawned the tasks of a snapshot.
    fn spawners(sites: &SpawnSites, tasks: Vec<Task>) -> Vec<Option<u64>> {
        let mut snapshot = snapshot(tasks);
        sites.fill(&mut snapshot, &[]);
        snapshot.tasks.iter().map(|task| task.spawned_by.map(|key| key.id)).collect()
    }

    #[test]
    fn a_spawner_is_named_while_it_is_listed_and_known_by_its_number() {
        let sites = SpawnSites::default();
        spawn(&sites, 2, 0x10, Some(Some(1)));
        spawn(&sites, 3, 0x10, Some(None));
        spawn(&sites, 4, 0x10, None);
        // What was recorded first stays.
        spawn(&sites, 2, 0x20, Some(Some(4)));
        let numbers = |numbers: &[u64]| numbers.iter().map(|number| task(TOKIO, *number)).collect::<Vec<_>>();
        assert_eq!(spawners(&sites, numbers(&[1, 2, 3, 4, 5])), [None, Some(1), None, None, None]);
        assert_eq!(spawners(&sites, numbers(&[2])), [None], "it has ended");
        assert_eq!(spawners(&sites, numbers(&[1, 1, 2])), [None, None, None], "it may be either");
        assert_eq!(spawners(&sites, vec![task(TOKIO, 1), task(OTHER, 2)]), [None, None], "another executor's numbers");
        sites.clear();
        assert_eq!(spawners(&sites, numbers(&[1, 2])), [None, None]);
    }

    #[test]
    fn a_root_is_known_by_the_call_that_drives_it() {
        let driver = |cfa| Driver { entry: FileAddr::new(0x10), cfa: MemAddr::new(cfa) };
        let root = |id, tid, cfa| DrivenRoot { key: TaskKey { address: 0, id }, tid, drivers: vec![driver(cfa)] };
        let told = Told { frames: Vec::new(), drivers: vec![driver(0x100), driver(0x200)] };
        let by = |tid, root| told.root(tid, &[root]).map(|key| key.id);
        assert_eq!(by(7, root(1, 7, 0x100)), Some(1));
        assert_eq!(by(7, root(1, 8, 0x100)), None, "another thread");
        assert_eq!(by(7, root(1, 7, 0x300)), None, "another call");
        assert_eq!(by(7, root(1, 7, 0x200)), None, "a root is driven inside this one, which has ended");
    }

    #[test]
    fn equal_stacks_are_kept_once_and_not_too_many() {
        let sites = SpawnSites::default();
        (1..=100).for_each(|number| spawn(&sites, number, 0x10 + number % 3, Some(Some(1))));
        assert_eq!(sites.lock().stacks.len(), 3);
        assert_eq!(sites.lock().by_task.len(), 100);
        (0..MOST_STACKS as u64).for_each(|number| spawn(&sites, 1000 + number, 0x1000 + number, Some(Some(1))));
        assert_eq!(sites.lock().stacks.len(), MOST_STACKS);
        let mut listed = snapshot(vec![task(TOKIO, 1)]);
        sites.fill(&mut listed, &[]);
        assert_eq!(listed.notes.len(), 1);
        assert!(listed.notes[0].starts_with("not every spawn site was kept"), "{:?}", listed.notes);
    }

    #[test]
    fn tasks_that_have_ended_are_forgotten_when_many_have_come() {
        let sites = SpawnSites::default();
        let count = FIRST_LOOK as u64;
        (1..count).for_each(|number| spawn(&sites, number, 0x10, None));
        assert!(!sites.is_due());
        spawn(&sites, count, 0x10, None);
        assert!(sites.is_due());
        sites.retain_listed(&snapshot(vec![task(TOKIO, 3), task(TOKIO, 500)]));
        let kept = |number| sites.lock().by_task.contains_key(&number);
        assert_eq!([3, 4, 500, count - IN_THE_MAKING, count].map(kept), [true, false, true, false, true]);
        assert_eq!(sites.lock().by_task.len() as u64, 2 + IN_THE_MAKING);
        assert!(!sites.is_due());
    }
}
