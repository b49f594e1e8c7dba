//! Tokio's runtimes and tasks: from the threads' contexts to the lists of owned tasks.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::{DebugInfo, Image};
use weft_tasks::{Runtime, RuntimeKey, RuntimeKind, TaskKey, TaskKind};
use weft_values::{Place, Stop};

use super::cell::{Cells, Entry};
use super::context::{Context, contexts};
use super::header::HeaderPlan;
use super::outcome::Outcome;
use super::owned::owned_tasks;
use super::state::TaskState;
use crate::listing::EntryFuture;
use crate::roster::{Executor, Found, Inside, Progress, Roster};
use crate::shape::find_member;
use crate::text::string;

/// What is not seen of tasks that are bound to a thread.
pub(crate) const LOCAL_SET: &str = "tasks of a LocalSet are listed only while they run or somebody joins them";

/// Tokio in a stopped program.
pub(crate) struct Tokio<'a> {
    stop: &'a Stop,
    cells: &'a Cells,
    contexts: Vec<Context>,
    plan: Option<HeaderPlan>,
}

impl<'a> Tokio<'a> {
    /// Looks for Tokio; none if the program's debug information has none.
    pub(crate) fn find(stop: &'a Stop, cells: &'a Cells) -> Option<Self> {
        let (contexts, has_tokio) = contexts(stop);
        has_tokio.then_some(Self { stop, cells, contexts, plan: None })
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
            kind,
            running: entry.state.is_some_and(TaskState::is_running),
            progress: entry.state.map_or(Progress::Unknown, |state| progress(state, entry, kind)),
            future: cell.and_then(|cell| {
                let poller = cell.poller(self.stop);
                Some(EntryFuture { ty: cell.future.clone()?, address: entry.future?, poller })
            }),
            error: message.or_else(|| entry.error.clone()),
        }
    }

    fn runtime(&self, key: RuntimeKey, handle: &Place) -> Runtime {
        let mine = self.contexts.iter().filter(|context| context.runtime() == Some(key));
        Runtime {
            key,
            kind: kind_of(handle),
            name: name_of(self.stop, handle),
            os_threads: mine.map(|context| context.tid).collect(),
            task_count: 0,
        }
    }
}

impl Executor for Tokio<'_> {
    fn roster(&mut self) -> Roster {
        let mut roster = Roster::default();
        if self.contexts.is_empty() {
            roster.notes.push(
                "no thread is inside a Tokio runtime at the moment; tasks of a current-thread runtime that nobody \
                 drives cannot be seen"
                    .to_owned(),
            );
        }
        let mut seen = FxHashSet::default();
        for context in &self.contexts {
            let Some(key) = context.runtime() else { continue };
            roster.threads.push(Inside { tid: context.tid, runtime: key, current: context.current_task });
            if !seen.insert(key) {
                continue;
            }
            let owned = owned_tasks(self.stop, &context.handle);
            let before = roster.tasks.len();
            if let Some((_, plan)) = owned.header {
                let entries = owned.headers.iter().map(|header| self.cells.read(self.stop, &plan, *header));
                roster.tasks.extend(entries.map(|entry| self.found(&entry, key)));
                self.plan.get_or_insert(plan);
            }
            let listed = roster.tasks.len().saturating_sub(before);
            roster.notes.extend(owned.errors);
            if let Some(count) = owned.count.filter(|count| usize::try_from(*count) != Ok(listed)) {
                roster.notes.push(format!("the runtime counts {count} tasks, {listed} were found in its lists"));
            }
            roster.runtimes.push(self.runtime(key, &context.handle));
        }
        roster
    }

    fn task_at(&self, header: MemAddr, near: RuntimeKey) -> Option<Found> {
        let entry = self.cells.read(self.stop, self.plan.as_ref()?, header);
        let is_task = entry.cell.as_ref().is_some_and(|cell| !cell.is_worker);
        is_task.then(|| self.found(&entry, near))
    }
}

/// Whether a program that says nothing of Tokio's types has its code. Line tables alone leave only the symbols.
pub(crate) fn has_code(image: &Arc<Image>) -> bool {
    const POLL: &str = "tokio::runtime::task::raw::poll";
    image.debug_info() != DebugInfo::Absent
        && (!image.functions(POLL).is_empty() || !image.symbols_containing("5tokio7runtime4task3raw4poll").is_empty())
}

fn progress(state: TaskState, entry: &Entry, kind: TaskKind) -> Progress {
    match state.progress(entry.outcome.as_ref()) {
        Progress::Woken | Progress::Idle if kind == TaskKind::Blocking && !state.is_running() => Progress::Queued,
        progress => progress,
    }
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
fn name_of(stop: &Stop, handle: &Place) -> Option<String> {
    let (offset, option) = find_member(&handle.ty, &["name"], 1)?;
    let some = Place::at(option, handle.at.plus(offset)).variant(stop).ok().filter(|active| active.name == "Some")?;
    string(stop, &some.place.peel(), 200)
}
