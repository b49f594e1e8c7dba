//! Tokio's runtimes and tasks: from the threads' contexts and from memory to the lists of owned tasks, to the queues of
//! blocking jobs, and from there to what is the same for all executors.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::{DebugInfo, Image};
use weft_tasks::{RuntimeKey, TaskKey, TaskKind};
use weft_values::Stop;

use super::blocking::{queued, spawner_of_jobs};
use super::cell::{Cells, Entry, POLL};
use super::context::{Context, contexts, copies};
use super::header::HeaderPlan;
use super::heap::{Owner, search};
use super::outcome::Outcome;
use super::recorded::Recorded;
use super::scheduler::Scheduler;
use super::state::TaskState;
use crate::heap::Heap;
use crate::listing::EntryFuture;
use crate::roster::{Executor, Found, Inside, Progress, Roster};

/// Counts the lists of tasks that were ever made in a process, from 1 on (Tokio from 1.9).
const NEXT_LIST: &str = "tokio::runtime::task::list::NEXT_OWNED_TASKS_ID";
const HEADER: &str = "tokio::runtime::task::core::Header";

/// Tokio in a stopped program, all copies of it.
pub(crate) struct Tokio<'a> {
    stop: &'a Stop,
    cells: &'a Cells,
    contexts: Vec<Context>,
    /// Where tasks were spawned, as Tokio says.
    recorded: Recorded,
    /// How the copies' headers look; most programs have one.
    plans: Vec<HeaderPlan>,
    /// The runtimes that are listed.
    runtimes: FxHashSet<RuntimeKey>,
}

impl<'a> Tokio<'a> {
    /// Looks for Tokio; none if the program's debug information has none.
    pub(crate) fn find(stop: &'a Stop, cells: &'a Cells) -> Option<Self> {
        let (contexts, has_tokio) = contexts(stop);
        let recorded = Recorded::default();
        let tokio = Self { stop, cells, contexts, recorded, plans: Vec::new(), runtimes: FxHashSet::default() };
        has_tokio.then_some(tokio)
    }

    /// The schedulers that threads are inside.
    fn entered(&self) -> Vec<Owner> {
        let mut seen = FxHashSet::default();
        let schedulers = self.contexts.iter().map(|context| &context.scheduler);
        let each = schedulers.filter(|scheduler| seen.insert(scheduler.key));
        each.map(|scheduler| Owner::of(self.stop, self.cells, scheduler.clone())).collect()
    }

    /// Whether all lists that were ever made are among these, and can be read.
    fn is_everything(&self, owners: &[Owner]) -> bool {
        let lists: FxHashSet<(RuntimeKey, Option<u64>)> =
            owners.iter().filter_map(|owner| Some((owner.scheduler.key, owner.list.as_ref()?.id))).collect();
        let made = lists_made(self.stop);
        owners.iter().all(Owner::is_whole) && made.is_some_and(|made| u64::try_from(lists.len()) == Ok(made))
    }

    /// The headers of jobs that wait for a thread of this runtime.
    fn jobs(&self, owner: &Owner, notes: &mut Vec<String>) -> Vec<MemAddr> {
        let of_thread = || {
            let mut mine = self.contexts.iter().filter(|context| context.scheduler.key == owner.scheduler.key);
            mine.find_map(|context| context.blocking.clone())
        };
        let Some(spawner) = spawner_of_jobs(&owner.scheduler.place).or_else(of_thread) else { return Vec::new() };
        let (headers, errors) = queued(self.stop, &spawner);
        notes.extend(errors);
        headers
    }

    /// How the headers of all copies look, as far as their lists or types tell.
    fn plans(&self, owners: &[Owner]) -> Vec<HeaderPlan> {
        let of_lists = owners.iter().filter_map(|owner| owner.list.as_ref()?.plan.clone());
        let images = self.stop.modules.iter().map(|module| &module.image);
        let of_types = images.flat_map(header_plans);
        let mut plans = Vec::new();
        for plan in of_lists.chain(of_types) {
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
        plans
    }

    /// What lies at a header, by the plan of the copy that made it.
    fn read(&self, header: MemAddr) -> Option<Entry> {
        let mut entries = self.plans.iter().map(|plan| (plan, self.cells.read(self.stop, plan, header)));
        entries.find_map(|(plan, entry)| entry.fits(plan).then_some(entry))
    }

    /// Adds a scheduler's tasks.
    fn add(&self, owner: &Owner, roster: &mut Roster) {
        let key = owner.scheduler.key;
        let mut listed: u64 = 0;
        for header in owner.headers() {
            // One that cannot be read is listed all the same.
            let entry =
                self.read(header).or_else(|| self.plans.first().map(|plan| self.cells.read(self.stop, plan, header)));
            roster.tasks.extend(entry.map(|entry| self.found(&entry, key)));
            listed = listed.saturating_add(1);
        }
        if let Some(list) = &owner.list {
            roster.notes.extend(list.errors.iter().cloned());
            if let Some(count) = list.count.filter(|count| *count != listed) {
                roster.notes.push(format!("the runtime counts {count} tasks, {listed} were found"));
            }
        }
        for header in self.jobs(owner, &mut roster.notes) {
            roster.tasks.extend(self.task_at(header, key));
        }
        let mine = self.contexts.iter().filter(|context| context.scheduler.key == key);
        roster.runtimes.push(owner.scheduler.runtime(self.stop, mine.map(|context| context.tid).collect()));
    }

    /// Adds tasks that were never polled and do not know their scheduler: with one runtime there is only one that it can
    /// be.
    fn add_unbound(&self, unbound: &[MemAddr], roster: &mut Roster) {
        match roster.runtimes.as_slice() {
            _ if unbound.is_empty() => {}
            [only] => {
                let key = only.key;
                let entries = unbound.iter().filter_map(|header| self.read(*header));
                roster.tasks.extend(entries.map(|entry| self.found(&entry, key)).collect::<Vec<_>>());
            }
            _ => roster.notes.push(format!(
                "{} tasks that were never polled are not listed: this version of Tokio does not say whose they are",
                unbound.len()
            )),
        }
    }

    fn found(&self, entry: &Entry, runtime: RuntimeKey) -> Found {
        let cell = entry.cell.as_ref();
        let kind = cell.map_or(TaskKind::Task, |cell| cell.kind);
        let message = match &entry.outcome {
            Some(Outcome::Panic(Some(message))) => Some(format!("panicked: {message}")),
            _ => None,
        };
        Found {
            key: TaskKey { address: entry.header.raw(), id: entry.id.unwrap_or(0) },
            runtime,
            id: entry.id,
            name: entry.name(),
            entry: entry.declared(),
            spawned_at: cell
                .and_then(|cell| cell.layout.as_ref()?.recorded.as_ref())
                .and_then(|at| self.recorded.of(self.stop, at, entry.header)),
            kind,
            running: entry.state.is_some_and(TaskState::is_running),
            progress: entry.state.map_or(Progress::Unknown, |state| progress(state, entry, kind)),
            future: cell.and_then(|cell| {
                let dropper = cell.layout.as_ref().and_then(|layout| layout.dropper(entry.header));
                Some(EntryFuture { ty: cell.future.clone()?, address: entry.future?, dropper })
            }),
            error: message.or_else(|| entry.error.clone()),
        }
    }
}

impl Executor for Tokio<'_> {
    fn roster(&mut self, _heap: &Heap) -> Roster {
        let mut roster = Roster::default();
        let each = self.contexts.iter();
        roster.threads.extend(each.map(|context| Inside {
            tid: context.tid,
            runtime: context.scheduler.key,
            current: context.current_task,
        }));
        let mut owners = self.entered();
        let mut unbound = Vec::new();
        if !self.is_everything(&owners) {
            let pass = search(self.stop, self.cells, owners);
            (owners, unbound) = (pass.owners, pass.unbound);
            if pass.left_out > 0 {
                let megabytes = pass.left_out >> 20;
                roster.notes.push(format!("{megabytes} MiB of the program's memory were not searched for tasks"));
            }
        }
        self.plans = self.plans(&owners);
        self.runtimes = owners.iter().map(|owner| owner.scheduler.key).collect();
        for owner in &owners {
            self.add(owner, &mut roster);
        }
        self.add_unbound(&unbound, &mut roster);
        roster
    }

    fn task_at(&self, header: MemAddr, near: RuntimeKey) -> Option<Found> {
        let entry = self.read(header)?;
        let cell = entry.cell.as_ref().filter(|cell| !cell.is_worker)?;
        let layout = cell.layout.as_ref();
        let pointed = layout.and_then(|layout| layout.scheduler(self.stop, header));
        let scheduler = pointed.and_then(|pointed| Scheduler::of_task(self.stop, pointed));
        let own = scheduler.map(|scheduler| scheduler.key).filter(|key| self.runtimes.contains(key));
        Some(self.found(&entry, own.unwrap_or(near)))
    }
}

/// How many lists of tasks were ever made in this process; none if one of the copies of Tokio does not say.
fn lists_made(stop: &Stop) -> Option<u64> {
    let mut made: u64 = 0;
    for module in stop.modules.iter().filter(|module| copies(&module.image) > 0) {
        let counters = module.image.statics(NEXT_LIST);
        if counters.len() < copies(&module.image) {
            return None;
        }
        for counter in counters {
            let next = stop.memory.read_u64(module.bias.to_memory(counter.address)).ok()?;
            made = made.checked_add(next.checked_sub(1)?)?;
        }
    }
    Some(made)
}

/// How the headers of a file's tasks look, as far as types tell: different ones, of several copies of Tokio.
pub(crate) fn header_plans(image: &Arc<Image>) -> Vec<HeaderPlan> {
    let mut plans = Vec::new();
    if copies(image) > 0 {
        for plan in image.types(HEADER).iter().filter_map(|ty| HeaderPlan::of(ty).ok()) {
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
    }
    plans
}

/// Whether a program that says nothing of Tokio's types has its code. Line tables alone leave only the symbols.
pub(crate) fn has_code(image: &Arc<Image>) -> bool {
    image.debug_info() != DebugInfo::Absent
        && (!image.functions(POLL).is_empty() || !image.symbols_containing("5tokio7runtime4task3raw4poll").is_empty())
}

fn progress(state: TaskState, entry: &Entry, kind: TaskKind) -> Progress {
    match state.progress(entry.outcome.as_ref()) {
        Progress::Woken | Progress::Idle if kind == TaskKind::Blocking && !state.is_running() => Progress::Queued,
        progress => progress,
    }
}
