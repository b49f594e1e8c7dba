//! What the probe tells of all tasks, as a snapshot.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weft_tasks::{
    Awaiter, Held, Hold, Location, Polled, ProblemKind, Resource, Runtime, RuntimeKey, RuntimeKind, Snapshot, State,
    Task, TaskKey, TaskKind, Via, Wait, WaitKind, Want, check, duration,
};

use super::wire::{self, More, Row};
use super::{Probe, ProbeError, UserCode};

/// Every task of a program at one moment.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The tasks.
    pub(crate) snapshot: Arc<Snapshot>,
    places: HashMap<TaskKey, usize>,
    edges: HashMap<TaskKey, Edges>,
}

/// What a listing knows of a task beyond its row.
#[derive(Debug, Default)]
struct Edges {
    /// Where its outermost coroutine is.
    outermost: Option<Arc<Location>>,
    /// The function that created it.
    creator: Option<Arc<str>>,
}

impl Listing {
    /// Asks for every task, and draws conclusions. The program need not be stopped.
    ///
    /// # Errors
    /// As [`Probe::ask`].
    pub(crate) fn take(probe: &Probe, user_code: &UserCode, patience: Duration) -> Result<Self, ProbeError> {
        let told: wire::Tasks = probe.ask("tasks", json!({}), patience)?;
        Ok(Self::of(told, user_code))
    }

    pub(super) fn of(told: wire::Tasks, user_code: &UserCode) -> Self {
        let reader = Reader::new(&told, user_code);
        let snapshot = reader.snapshot();
        let places = snapshot.tasks.iter().enumerate().map(|(at, task)| (task.key, at)).collect();
        let edges = told.tasks.iter().map(|row| (row.key(), reader.edges(row))).collect();
        Self { snapshot: Arc::new(snapshot), places, edges }
    }

    /// Where the outermost coroutine of a task is: the edge of what is its own on the stack of the thread that runs it.
    pub(super) fn outermost(&self, key: TaskKey) -> Option<&Location> {
        self.edges.get(&key)?.outermost.as_deref()
    }

    /// The function that created a task.
    pub(super) fn creator(&self, key: TaskKey) -> Option<&str> {
        self.edges.get(&key)?.creator.as_deref()
    }

    /// A task's row.
    pub(crate) fn task(&self, key: TaskKey) -> Option<&Task> {
        self.snapshot.tasks.get(*self.places.get(&key)?)
    }

    /// The tasks that a thread runs at the moment.
    pub(crate) fn running_on(&self, thread: i64) -> impl Iterator<Item = &Task> {
        let runs = move |task: &&Task| task.state == State::Running && task.os_thread.map(i64::from) == Some(thread);
        self.snapshot.tasks.iter().filter(runs)
    }
}

/// A place in code, as often as it is named.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) name: Arc<str>,
    pub(super) location: Option<Arc<Location>>,
    pub(super) user: bool,
}

/// What strings and places the numbers of an answer stand for.
pub(super) struct Places {
    strings: Vec<Arc<str>>,
    list: Vec<Place>,
}

impl Places {
    pub(super) fn new(strings: &[String], frames: &[(u32, u32, u32, u32)], user_code: &UserCode) -> Self {
        let strings: Vec<Arc<str>> = strings.iter().map(|string| string.as_str().into()).collect();
        let mut files: HashMap<u32, (PathBuf, bool)> = HashMap::new();
        let string = |number: u32| strings.get(index(number)).cloned().unwrap_or_default();
        let mut place = |(name, file, _, line): (u32, u32, u32, u32)| {
            let (path, user) = files.entry(file).or_insert_with(|| {
                let text = string(file);
                (PathBuf::from(&*text), user_code.is_user(&text))
            });
            let location = Location { file: path.clone(), line, column: 0 };
            let location = (line > 0 && !path.as_os_str().is_empty()).then(|| Arc::new(location));
            Place { name: string(name), location, user: *user }
        };
        let list = frames.iter().map(|frame| place(*frame)).collect();
        Self { list, strings }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Place> {
        self.list.get(index(number))
    }

    fn string(&self, number: u32) -> Arc<str> {
        self.strings.get(index(number)).cloned().unwrap_or_default()
    }
}

impl Row {
    fn key(&self) -> TaskKey {
        TaskKey { address: self.address, id: self.number }
    }
}

/// Turns numbers into what they stand for.
struct Reader<'a> {
    told: &'a wire::Tasks,
    places: Places,
    keys: HashMap<u64, TaskKey>,
    numbers: HashMap<u64, TaskKey>,
}

impl<'a> Reader<'a> {
    fn new(told: &'a wire::Tasks, user_code: &UserCode) -> Self {
        Self {
            places: Places::new(&told.strings, &told.frames, user_code),
            keys: told.tasks.iter().map(|row| (row.address, row.key())).collect(),
            numbers: told.tasks.iter().map(|row| (row.number, row.key())).collect(),
            told,
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            runtimes: self.told.loops.iter().map(runtime).collect(),
            tasks: self.told.tasks.iter().map(|row| self.task(row)).collect(),
            problems: Vec::new(),
            notes: self.told.notes.clone(),
        };
        self.unite(&mut snapshot);
        for runtime in &mut snapshot.runtimes {
            let lives = |task: &&Task| task.runtime == runtime.key && !task.ended;
            runtime.task_count = snapshot.tasks.iter().filter(lives).count();
        }
        snapshot.problems = check(&snapshot);
        // Somebody has been given the exception: that is how programs work.
        let retrieved = self.told.tasks.iter().filter(|row| row.more.retrieved == Some(true)).map(Row::key);
        let retrieved: HashSet<TaskKey> = retrieved.collect();
        let matters = |kind, tasks: &[TaskKey]| {
            kind != ProblemKind::PanickedTask || !tasks.iter().any(|key| retrieved.contains(key))
        };
        snapshot.problems.retain(|problem| matters(problem.kind, &problem.tasks));
        snapshot
    }

    fn task(&self, row: &Row) -> Task {
        let more = &row.more;
        let of_loop = row.of_loop.and_then(|number| self.told.loops.get(index(number)));
        let chain = self.chain(row);
        let entry = self.place(row.entry);
        let here = chain.clone().rev().find(|place| place.user).or_else(|| chain.clone().next_back());
        let name = match (row.name.is_empty(), entry) {
            (true, Some(entry)) => entry.name.clone(),
            _ => row.name.as_str().into(),
        };
        Task {
            key: row.key(),
            runtime_task_id: number_in(&name),
            name,
            kind: TaskKind::Task,
            runtime: RuntimeKey(of_loop.map_or(0, |of_loop| of_loop.0)),
            state: state_of(row.state),
            ended: more.ended,
            location: here.or_else(|| self.place(more.failed)).and_then(|place| place.location.clone()),
            entry: entry.and_then(|place| place.location.clone()),
            spawned_at: self.place(row.site).and_then(|place| place.location.clone()),
            spawned_by: row.by.and_then(|number| self.numbers.get(&number).copied()),
            os_thread: more.thread.filter(|thread| *thread > 0),
            waiting_on: self.told_wait(row).map(|wait| self.wait(wait)),
            holds: self.holds(more),
            awaited_by: Vec::new(),
            frames: chain.count().saturating_add(more.left_out),
            error: self.error(more),
        }
    }

    fn edges(&self, row: &Row) -> Edges {
        Edges {
            outermost: self.chain(row).next().and_then(|place| place.location.clone()),
            creator: self.place(row.site).map(|place| place.name.clone()),
        }
    }

    fn place(&self, number: Option<u32>) -> Option<&Place> {
        self.places.get(number?)
    }

    fn told_wait(&self, row: &Row) -> Option<&wire::Wait> {
        self.told.waits.get(index(row.wait?))
    }

    fn error(&self, more: &More) -> Option<String> {
        let opaque = more.opaque.as_ref().map(|class| format!("it was made of a {class}, whose frames cannot be seen"));
        let cut = more.cut.then(|| "its chain is longer than what is shown".to_owned());
        more.error.clone().or(opaque).or(cut)
    }

    /// The places of a task's chain, outermost first.
    fn chain(&self, row: &Row) -> impl DoubleEndedIterator<Item = &Place> + Clone {
        let chain = row.chain.and_then(|number| self.told.chains.get(index(number)));
        chain.into_iter().flatten().filter_map(|place| self.places.get(*place))
    }

    fn holds(&self, more: &More) -> Vec<Held> {
        let held = |(id, type_name, how, place): &(u64, String, String, Option<u32>)| {
            let how = match how.as_str() {
                "lock" => Hold::Lock,
                "permit" => Hold::Permits(1),
                "blocking-lock" => Hold::BlockingLock,
                _ => return None,
            };
            let place = self.place(*place)?;
            Some(Held {
                resource: Resource { id: *id, type_name: type_name.as_str().into() },
                how,
                frame: place.name.clone(),
                location: place.location.clone(),
                polled: Polled::Active,
            })
        };
        more.holds.iter().filter_map(held).collect()
    }

    fn wait(&self, told: &wire::Wait) -> Wait {
        let kind = wait_kind(&told.kind);
        let text = self.places.string(told.text);
        let text = match told.until {
            Some(left) if kind == WaitKind::Sleep => format!("{text}, {} left", duration(left)).into(),
            Some(left) => format!("{text}; timeout in {}", duration(left)).into(),
            None => text,
        };
        let type_name = told.type_name.map(|number| self.places.string(number)).unwrap_or_default();
        let tasks: Vec<TaskKey> = told.on.iter().filter_map(|address| self.keys.get(address).copied()).collect();
        // Each member is a branch if every one of them is a task that is known: what is not may end at any time.
        let of_tasks = matches!(kind, WaitKind::Group | WaitKind::Select) && told.whole && tasks.len() == told.on.len();
        let branch = |task: &TaskKey| Wait { tasks: vec![*task], ..Wait::new(WaitKind::Join, "a task") };
        Wait {
            resource: told.object.map(|id| Resource { id, type_name }),
            want: match (kind, told.free) {
                (WaitKind::Mutex, _) => Want::Alone,
                (WaitKind::Semaphore, Some(_)) => Want::Permits(1),
                _ => Want::Unknown,
            },
            remaining_ms: told.until,
            timed: told.timed,
            fd: told.fd.filter(|fd| *fd >= 0),
            peer: told.peer.as_deref().map(Into::into),
            branches: tasks.iter().filter(|_| of_tasks).map(branch).collect(),
            tasks,
            ..Wait::new(kind, text)
        }
    }

    /// What only all tasks together tell: who awaits whom, who holds what others wait for, whom a time limit reaches.
    fn unite(&self, snapshot: &mut Snapshot) {
        let places: HashMap<TaskKey, usize> =
            snapshot.tasks.iter().enumerate().map(|(at, task)| (task.key, at)).collect();
        let mut holders: HashMap<u64, Vec<TaskKey>> = HashMap::new();
        for task in &snapshot.tasks {
            for held in &task.holds {
                holders.entry(held.resource.id).or_default().push(task.key);
            }
        }
        let mut accounted: HashSet<u64> = HashSet::new();
        for (at, row) in self.told.tasks.iter().enumerate() {
            let (awaiter, wait_told) = (row.key(), self.told_wait(row));
            if let Some(told) = wait_told {
                for place in told.on.iter().filter_map(|address| places.get(self.keys.get(address)?)) {
                    let Some(awaited) = snapshot.tasks.get_mut(*place) else { continue };
                    join(awaited, Awaiter { task: awaiter, via: via_of(&told.via) });
                    let wait = awaited.waiting_on.as_mut().filter(|_| told.cancels);
                    wait.into_iter().for_each(|wait| wait.timed = true);
                }
            }
            let parent = row.more.group.and_then(|address| self.keys.get(&address));
            if let (Some(parent), Some(task)) = (parent, snapshot.tasks.get_mut(at).filter(|task| !task.ended)) {
                join(task, Awaiter { task: *parent, via: Via::TaskGroup });
            }
            let wait = snapshot.tasks.get_mut(at).and_then(|task| task.waiting_on.as_mut());
            if let (Some(wait), Some(told)) = (wait, wait_told) {
                accounted.extend(settle(wait, told, &holders));
            }
        }
        let held = snapshot.tasks.iter_mut().flat_map(|task| &mut task.holds);
        held.filter(|held| accounted.contains(&held.resource.id)).for_each(|held| held.how = Hold::Lock);
    }
}

/// Adds an awaiter, once.
fn join(task: &mut Task, awaiter: Awaiter) {
    if task.key != awaiter.task && task.awaited_by.iter().all(|known| known.task != awaiter.task) {
        task.awaited_by.push(awaiter);
    }
}

/// Says who holds what is waited for. Who is to give it back is only known if all that is taken was found: one holder of a lock, every
/// permit of a semaphore that knows how many it has. Such a semaphore is a lock that several have: its id is given back.
fn settle(wait: &mut Wait, told: &wire::Wait, holders: &HashMap<u64, Vec<TaskKey>>) -> Option<u64> {
    let resource = wait.resource.as_ref()?.id;
    let found = holders.get(&resource)?;
    let taken = told.free.map_or(Some(1), |permits| usize::try_from(permits).ok());
    let accounted = Some(found.len()) == taken;
    wait.want = match (wait.want, accounted) {
        (Want::Alone | Want::Permits(_), true) => Want::Alone,
        _ => Want::Unknown,
    };
    wait.holders = found.clone();
    wait.holders.dedup();
    (accounted && told.free.is_some()).then_some(resource)
}

fn runtime((address, kind, name, thread): &(u64, String, String, i32)) -> Runtime {
    Runtime {
        key: RuntimeKey(*address),
        kind: if kind == "uvloop" { RuntimeKind::Uvloop } else { RuntimeKind::Asyncio },
        name: (!name.is_empty()).then(|| name.clone()),
        os_threads: (*thread > 0).then_some(*thread).into_iter().collect(),
        task_count: 0,
    }
}

/// The number in the name that asyncio gives a task that is given none.
fn number_in(name: &str) -> Option<u64> {
    name.strip_prefix("Task-")?.parse().ok()
}

fn state_of(number: u8) -> State {
    match number {
        0 => State::Created,
        1 => State::Ready,
        2 => State::Running,
        4 => State::Done,
        5 => State::Failed,
        6 => State::Cancelled,
        _ => State::Waiting,
    }
}

fn via_of(word: &str) -> Via {
    match word {
        "gather" => Via::Gather,
        "taskgroup" => Via::TaskGroup,
        "wait" => Via::Wait,
        "shield" => Via::Shield,
        _ => Via::Await,
    }
}

fn wait_kind(word: &str) -> WaitKind {
    use WaitKind::*;
    let kinds =
        [Sleep, Join, Mutex, Semaphore, Notify, Channel, Io, Group, Select, Barrier, Process, BlockingJob, Future];
    kinds.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Unknown)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
