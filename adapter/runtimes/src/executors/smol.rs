//! async-executor (1.0 to 1.14), behind smol and async-std: its executors and their tasks.
//!
//! An executor's `State.active: Mutex<Slab<Waker>>` lists all its live tasks, a waker's data is the task's header. No
//! static leads to an executor that somebody keeps on a stack or leaks, so they are found the other way round: a task's
//! function for scheduling it (`S`) holds the pointer to the state, which is believed if the state lists the task.
//! `blocking` (1.0 to 1.7) runs its jobs as such tasks, without a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Runtime, RuntimeKey, RuntimeKind, TaskKey, TaskKind};
use weft_values::{Place, Stop};

use super::async_task::{HeaderPlan, RUN, TaskState, TaskType, TaskTypes};
use crate::chain::at;
use crate::describe::captured;
use crate::heap::{Heap, vtables};
use crate::leaves::find_pointer;
use crate::names::{base, krate};
use crate::roster::{Executor, Found, Progress, Roster};
use crate::shape::{Choice, Kind, choice, find_member, vector};
use crate::threads::{Driven, ThreadView};

/// Most tasks of one executor.
const MAX_TASKS: u64 = 4_000_000;

/// Runtimes that have no place of their own. No address is as low as these.
const BLOCKING: RuntimeKey = RuntimeKey(1);
const OTHER: RuntimeKey = RuntimeKey(2);

/// Whose tasks they are, as their function for scheduling them tells.
#[derive(Clone, Debug)]
enum Owner {
    /// An executor: where its state lies, and the state's type.
    Executor(MemAddr, Type),
    /// The pool of threads for blocking jobs, of which there is one in a program.
    Blocking,
    /// An executor that nobody knows, which uses the same tasks: what their function for scheduling points to.
    Other(Option<MemAddr>),
}

impl Owner {
    fn runtime(&self) -> RuntimeKey {
        match self {
            Self::Executor(address, _) => RuntimeKey(address.raw()),
            Self::Blocking => BLOCKING,
            Self::Other(to) => to.map_or(OTHER, |to| RuntimeKey(to.raw())),
        }
    }
}

/// Whether a future only drives an executor for others, which is no task of the user's: what smol's and async-std's own
/// threads run.
pub(crate) fn is_worker(future: &Type) -> bool {
    let drives = ["async_executor", "async_global_executor"].contains(&krate(future.path())) && future.is_coroutine();
    (drives && captured(future).is_none()) || future.path().contains("async_global_executor::threading::")
}

/// Whether it is the part of `Executor::run` that runs others' tasks, beside the future that was given to it.
pub(crate) fn runs_others(future: &Type) -> bool {
    let path = base(future.path());
    path.starts_with("async_executor::") && path.contains("::run::") && path.contains("::{async_block_env#")
}

/// Whether it is the pair of a future and of that part.
pub(crate) fn drives_executor(pair: &Type) -> bool {
    let mut arguments = pair.template_arguments().iter().filter_map(|argument| pair.at(argument.ty));
    base(pair.path()).ends_with("::Or") && arguments.any(|argument| runs_others(&argument))
}

/// async-executor in a stopped program.
pub(crate) struct Smol<'a> {
    stop: &'a Stop,
    types: &'a TaskTypes,
    plan: HeaderPlan,
    vtables: FxHashSet<u64>,
}

impl<'a> Smol<'a> {
    /// Looks for tasks of that kind; none if the program's debug information has none.
    pub(crate) fn find(stop: &'a Stop, types: &'a TaskTypes) -> Option<Self> {
        let plans = stop.modules.iter().filter_map(|module| Some((module, HeaderPlan::of(&module.image)?)));
        let mut found: Option<Self> = None;
        for (module, plan) in plans {
            let tables = vtables(stop, module, &module.image.functions(RUN), plan.run);
            let smol = found.get_or_insert_with(|| Self { stop, types, plan, vtables: FxHashSet::default() });
            smol.vtables.extend(tables);
        }
        found
    }

    /// The state that a place leads to: an executor, a reference to one, what shares it. Its address and its type.
    fn state(&self, ty: &Type, place: MemAddr) -> Option<(MemAddr, Type)> {
        let is_state = |target: &Type| {
            let shared = target.path().strip_prefix("alloc::sync::ArcInner<").unwrap_or(target.path());
            base(shared.trim_end_matches('>')) == "async_executor::State"
        };
        let (offset, target) = find_pointer(ty, 8, &is_state)?;
        let address = self.stop.memory.read_pointer(at(place, offset)).ok().filter(|address| address.raw() != 0)?;
        match find_member(&target, &["data"], 1) {
            Some((data, state)) if base(target.path()) == "alloc::sync::ArcInner" => Some((at(address, data), state)),
            _ => Some((address, target)),
        }
    }

    /// The executor that a coroutine of async-executor's own drives (`Executor::run`): what it captures leads there.
    fn driven(&self, coroutine: &Place) -> Option<RuntimeKey> {
        let ty = Some(&coroutine.ty).filter(|ty| krate(ty.path()) == "async_executor")?;
        let captures = ty.at(ty.variant_part()?.variants.first()?.member.ty?)?;
        let place = coroutine.address()?;
        let (state, _) = self.state(&captures, place).or_else(|| {
            let is_executor = |target: &Type| target.path().starts_with("async_executor::");
            let (offset, executor) = find_pointer(&captures, 2, &is_executor)?;
            self.state(&executor, self.stop.memory.read_pointer(at(place, offset)).ok()?)
        })?;
        Some(RuntimeKey(state.raw()))
    }

    fn owner(&self, kind: &TaskType, header: MemAddr) -> Option<Owner> {
        let (offset, schedule) = kind.schedule.as_ref()?;
        if let Some((address, state)) = self.state(schedule, at(header, *offset)) {
            return Some(Owner::Executor(address, state));
        }
        if kind.is_job() {
            return Some(Owner::Blocking);
        }
        let read = |inner: u64| self.stop.memory.read_pointer(at(at(header, *offset), inner)).ok();
        Some(Owner::Other(find_pointer(schedule, 6, &|_| true).and_then(|(inner, _)| read(inner))))
    }

    fn found(&self, kind: &TaskType, header: MemAddr, runtime: RuntimeKey, blocking: bool) -> Found {
        let state = kind.state(self.stop, header);
        let progress = state.map_or(Progress::Unknown, TaskState::progress);
        let running = state.is_some_and(TaskState::is_running);
        let ended = matches!(progress, Progress::Ended(_));
        let waits_for_thread = blocking && !running && matches!(progress, Progress::Woken | Progress::Idle);
        Found {
            // Its kind tells it from the next task at the same address.
            key: TaskKey { address: header.raw(), id: kind.identity() },
            runtime,
            id: None,
            name: Arc::clone(&kind.name),
            entry: kind.entry.clone(),
            spawned_at: None,
            kind: if blocking { TaskKind::Blocking } else { TaskKind::Task },
            running,
            progress: if waits_for_thread { Progress::Queued } else { progress },
            future: (!ended).then(|| kind.entry_future(header)),
            error: state.is_none().then(|| format!("the task's header at {header} cannot be read")),
        }
    }

    /// Adds an executor and its tasks by its own list, if that lists one of the tasks that say they are its own; and
    /// those of them that have ended, which it lists no more.
    fn executor(&self, roster: &mut Roster, address: MemAddr, state: Type, claims: &[MemAddr]) {
        let Some(plan) = SlabPlan::of(&state) else {
            roster.notes.push(format!("`{}` has no list of tasks that is known", state.path()));
            return;
        };
        let active = plan.read(self.stop, address);
        let listed: FxHashSet<MemAddr> = active.headers.iter().copied().collect();
        if !claims.iter().any(|header| listed.contains(header)) {
            return;
        }
        let is_over = |header: &&MemAddr| {
            let state = self.types.of(self.stop, &self.plan, **header).and_then(|kind| kind.state(self.stop, **header));
            !listed.contains(header) && state.is_some_and(TaskState::is_complete)
        };
        if let Some(count) = active.count.filter(|count| usize::try_from(*count) != Ok(listed.len())) {
            roster.notes.push(format!("the executor counts {count} tasks, {} were found in its list", listed.len()));
        }
        let ended = claims.iter().filter(is_over).copied();
        let headers: Vec<MemAddr> = active.headers.iter().copied().chain(ended).collect();
        self.push(roster, &Owner::Executor(address, state), &headers);
    }

    /// Adds tasks of one owner.
    fn push(&self, roster: &mut Roster, owner: &Owner, headers: &[MemAddr]) {
        let key = owner.runtime();
        if !roster.runtimes.iter().any(|runtime| runtime.key == key) {
            roster.runtimes.push(runtime(owner));
        }
        let blocking = matches!(owner, Owner::Blocking);
        roster.tasks.extend(headers.iter().filter_map(|header| {
            let kind = self.types.of(self.stop, &self.plan, *header)?;
            Some(self.found(&kind, *header, key, blocking))
        }));
    }
}

impl Executor for Smol<'_> {
    fn words(&self) -> FxHashSet<u64> {
        self.vtables.clone()
    }

    fn roster(&mut self, heap: &Heap) -> Roster {
        let mut roster = Roster::default();
        let mut executors: BTreeMap<MemAddr, (Type, Vec<MemAddr>)> = BTreeMap::new();
        for (hit, _) in heap.of(&self.vtables) {
            let Some(header) = hit.raw().checked_sub(self.plan.vtable).map(MemAddr::new) else { continue };
            let Some(kind) = self.types.of(self.stop, &self.plan, header) else { continue };
            if !kind.state(self.stop, header).is_some_and(TaskState::is_listed) {
                continue;
            }
            match self.owner(&kind, header) {
                Some(Owner::Executor(address, state)) => {
                    executors.entry(address).or_insert_with(|| (state, Vec::new())).1.push(header);
                }
                Some(owner) => self.push(&mut roster, &owner, &[header]),
                None => {}
            }
        }
        for (address, (state, claims)) in executors {
            self.executor(&mut roster, address, state, &claims);
        }
        roster
    }

    fn runtime_of(&self, thread: &ThreadView) -> Option<RuntimeKey> {
        thread.activations.iter().find_map(|activation| match &activation.what {
            Driven::Task { header: Some(header), .. } => {
                let kind = self.types.of(self.stop, &self.plan, *header)?;
                self.owner(&kind, *header).map(|owner| owner.runtime())
            }
            Driven::Root { place: Some(place), .. } => self.driven(place),
            _ => None,
        })
    }

    fn task_at(&self, header: MemAddr, near: RuntimeKey) -> Option<Found> {
        let kind = self.types.of(self.stop, &self.plan, header)?;
        let owner = self.owner(&kind, header);
        let runtime = owner.as_ref().map_or(near, Owner::runtime);
        Some(self.found(&kind, header, runtime, matches!(owner, Some(Owner::Blocking))))
    }
}

fn runtime(owner: &Owner) -> Runtime {
    Runtime {
        key: owner.runtime(),
        kind: match owner {
            Owner::Executor(..) | Owner::Blocking => RuntimeKind::Smol,
            Owner::Other(_) => RuntimeKind::Unknown,
        },
        name: match owner {
            Owner::Executor(..) => None,
            Owner::Blocking => Some("blocking".to_owned()),
            Owner::Other(_) => Some("async-task".to_owned()),
        },
        os_threads: Vec::new(),
        task_count: 0,
    }
}

/// The headers that an executor's list names, and how many tasks it counts.
#[derive(Debug, Default)]
struct Active {
    headers: Vec<MemAddr>,
    count: Option<u64>,
}

/// Where the list of an executor's tasks lies in its state.
struct SlabPlan {
    /// Of the entries' pointer and of their number.
    entries: (u64, u64),
    size: u64,
    /// `Vacant` and `Occupied`; of the second the offset of the waker's data.
    entry: Choice,
    data: u64,
    /// Of the number of tasks.
    count: Option<u64>,
}

impl SlabPlan {
    fn of(state: &Type) -> Option<Self> {
        let (active, mutex) = find_member(state, &["active"], 2)?;
        let (inner, entries) = find_member(&mutex, &["entries"], 6)?;
        let start = active.checked_add(inner)?;
        let Kind::Vector { data, length, element } = vector(&entries)? else { return None };
        let count = find_member(&mutex, &["len"], 4).and_then(|(offset, _)| active.checked_add(offset));
        let variants = choice(&element, element.variant_part()?, &|_| true);
        let occupied = variants.variants.iter().find(|variant| variant.name == "Occupied")?.parts.first()?;
        let (data_at, _) = find_member(&occupied.ty, &["data"], 3)?;
        Some(Self {
            entries: (start.checked_add(data)?, start.checked_add(length)?),
            size: element.size().max(1),
            data: occupied.offset.checked_add(data_at)?,
            entry: variants,
            count,
        })
    }

    fn read(&self, stop: &Stop, state: MemAddr) -> Active {
        let word = |offset: u64| stop.memory.read_u64(at(state, offset)).ok();
        let (start, length) = self.entries;
        let mut active = Active { count: self.count.and_then(word), ..Active::default() };
        let (Some(start), Some(length)) = (word(start), word(length)) else { return active };
        for index in 0..length.min(MAX_TASKS) {
            let entry = at(MemAddr::new(start), index.saturating_mul(self.size));
            let tag = self.entry.tag.map(|(offset, size)| {
                usize::try_from(size).ok().and_then(|size| stop.memory.read_uint(at(entry, offset), size).ok())
            });
            // An entry that cannot be read ends the list: so does the memory.
            let selected = match tag {
                Some(None) => break,
                Some(tag) => self.entry.select(tag),
                None => self.entry.select(None),
            };
            if selected.is_some_and(|(_, variant)| variant.name == "Occupied") {
                active.headers.extend(stop.memory.read_pointer(at(entry, self.data)).ok());
            }
        }
        active
    }
}
