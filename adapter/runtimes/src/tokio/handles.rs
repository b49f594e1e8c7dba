//! What becomes of a task that ends: whether there is a `JoinHandle`, and where its awaiter takes the output.
//!
//! All of a `JoinHandle`'s ways to a task go through the task's vtable: `try_read_output` at each poll of the handle,
//! `drop_join_handle_slow` when it is dropped (`runtime/task/{join,raw}.rs`, Tokio 1.0 to 1.54). The header is the first
//! argument of both.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_values::{Frame, Place, Stop};

use super::cell::{Cell, Cells};
use super::context::contexts;
use super::header::HeaderPlan;
use super::layout::{Stage, number, word};
use super::roster::header_plans;
use super::state::TaskState;
use crate::leaves::find_pointer;
use crate::names::{base, within};
use crate::threads::{argument, each_variable};

/// Most bytes of the executor's part of a stack that are searched for a task's header.
const MOST_STACK: u64 = 16 << 10;

/// A task whose future is at its end, which is called by its header as long as that lasts.
#[derive(Clone, Debug)]
pub struct Ending {
    header: MemAddr,
    cell: Arc<Cell>,
    future: Option<Place>,
    vtable: MemAddr,
    /// Offsets in the header.
    offsets: (u64, u64),
    reads_output: MemAddr,
    drops_handle: MemAddr,
}

impl Ending {
    /// The task that the executor's frames `run` poll or drop on a thread; none if they do not tell.
    pub(crate) fn of(stop: &Stop, run: &[Frame]) -> Option<Self> {
        let plans = stop.modules.iter().flat_map(|module| header_plans(&module.image)).collect();
        let search = Search { stop, cells: &Cells::default(), plans, future: argument_path(run) };
        let (task, _) = search.named(run).or_else(|| search.kept(run))?;
        Some(task)
    }

    /// Where its future lay when the task was found, unless that had ended.
    pub fn future(&self) -> Option<&Place> {
        self.future.as_ref()
    }

    /// Where a thread comes by that takes the task's output, and where one that drops its handle.
    pub fn traps(&self) -> BTreeSet<MemAddr> {
        BTreeSet::from([self.reads_output, self.drops_handle])
    }

    /// Whether somebody has a handle for the task. Not, if the task is gone.
    pub fn has_handle(&self, stop: &Stop) -> bool {
        self.state(stop).is_some_and(TaskState::has_join_handle)
    }

    /// Whether the task is over, with its output stored. So it is, if it is gone.
    pub fn is_complete(&self, stop: &Stop) -> bool {
        self.state(stop).is_none_or(TaskState::is_complete)
    }

    /// Whether the task is over, and its output was taken out of it: by whoever has awaited its handle.
    pub fn is_taken(&self, stop: &Stop) -> bool {
        let stage = || Some(self.cell.layout.as_ref()?.stage(stop, self.header));
        self.state(stop).is_some_and(TaskState::is_complete) && matches!(stage(), Some(Ok(Stage::Consumed)))
    }

    /// Whether a call with this first argument, at one of the [`Ending::traps`], is about this task.
    pub fn is_meant(&self, first_argument: Option<u64>) -> bool {
        first_argument == Some(self.header.raw())
    }

    /// Whether a thread that stands at one of the [`Ending::traps`] polls the task's handle; else it drops it.
    pub fn reads_at(&self, pc: MemAddr) -> bool {
        pc == self.reads_output
    }

    /// The state word; none if what lies there is no task any more.
    fn state(&self, stop: &Stop) -> Option<TaskState> {
        let (state, vtable) = self.offsets;
        let is_there = word(stop, self.header, vtable) == Some(self.vtable.raw());
        word(stop, self.header, state).map(TaskState).filter(|state| is_there && state.is_possible())
    }
}

/// Looks for the header of a task that is being polled or dropped.
struct Search<'a> {
    stop: &'a Stop,
    cells: &'a Cells,
    plans: Vec<HeaderPlan>,
    /// The path of its future's type, as the frames tell.
    future: Option<String>,
}

impl Search<'_> {
    /// By a variable of one of the frames.
    fn named(&self, run: &[Frame]) -> Option<(Ending, Option<u64>)> {
        const TARGETS: [&str; 2] = ["tokio::runtime::task::core::Header", "tokio::runtime::task::core::Cell"];
        run.iter().find_map(|frame| {
            let pointer = |ty: &weft_symbols::Type| {
                find_pointer(ty, 4, &|target| TARGETS.contains(&base(target.path()))).map(|(offset, _)| offset)
            };
            let place = each_variable(self.stop, frame, &|ty| pointer(ty).is_some())?;
            // It may be in a register.
            let bytes = place.read_at(self.stop, pointer(&place.ty)?, 8).ok()?;
            self.task(u64::from_le_bytes(bytes.try_into().ok()?))
        })
    }

    /// By a word that the frames keep, in optimised code: one task alone, or the one that the thread says it runs.
    fn kept(&self, run: &[Frame]) -> Option<(Ending, Option<u64>)> {
        let mut words: BTreeSet<u64> = run.iter().flat_map(|frame| frame.registers.known().map(|(_, it)| it)).collect();
        let (from, to) = (run.first()?.registers.sp(), run.last()?.cfa?);
        let size = to.since(from)?.min(MOST_STACK);
        for offset in (0..size).step_by(8) {
            words.extend(word(self.stop, from, offset));
        }
        let found: Vec<_> = words.into_iter().filter_map(|word| self.task(word)).collect();
        if let [only] = found.as_slice() {
            return Some(only.clone());
        }
        let (contexts, _) = contexts(self.stop);
        let current = contexts.iter().find_map(|context| context.current_task)?;
        found.into_iter().find(|(_, id)| *id == Some(current))
    }

    /// The task with this header and its number, if one lies there that is being polled or dropped, with a future as the
    /// frames name it.
    fn task(&self, header: u64) -> Option<(Ending, Option<u64>)> {
        let header = MemAddr::new(header);
        self.plans.iter().find_map(|plan| {
            let state = TaskState(word(self.stop, header, plan.state)?);
            if !header.raw().is_multiple_of(8) || !state.is_running() || !state.is_possible() {
                return None;
            }
            let cell = self.cells.cell(self.stop, plan, header).ok()?;
            let layout = cell.layout.as_ref();
            if layout.is_some_and(|layout| layout.header != *plan) || !self.is_wanted(&cell) {
                return None;
            }
            let id = layout.and_then(|layout| layout.id).and_then(|(at, size)| number(self.stop, header, at, size));
            let vtable = MemAddr::new(word(self.stop, header, plan.vtable)?);
            let method = |offset: Option<u64>| word(self.stop, vtable, offset?).map(MemAddr::new);
            let reads_output = method(plan.try_read_output)?;
            let drops_handle = method(plan.drop_join_handle_slow)?;
            let offsets = (plan.state, plan.vtable);
            let future = match layout.map(|layout| layout.stage(self.stop, header)) {
                Some(Ok(Stage::Running(future))) => Some(future),
                _ => None,
            };
            Some((Ending { header, cell: Arc::clone(&cell), future, vtable, offsets, reads_output, drops_handle }, id))
        })
    }

    fn is_wanted(&self, cell: &Cell) -> bool {
        match (&self.future, &cell.future) {
            (Some(wanted), Some(future)) => future.path() == wanted,
            _ => true,
        }
    }
}

/// The path of the future's type, as the first frame tells whose generic arguments name it.
fn argument_path(run: &[Frame]) -> Option<String> {
    argument(run).map(|ty| ty.path().to_owned())
}

/// Whether a function is Tokio's machinery around one task's future.
pub(crate) fn is_of_task(path: &str) -> bool {
    within(path, "tokio::runtime::task")
}

/// Whether it is the one that ends a task without polling it, and drops its future.
pub(crate) fn drops_task(path: &str) -> bool {
    let path = base(path);
    let shuts_down = ["::shutdown", "::dealloc"].iter().any(|name| path.ends_with(name));
    shuts_down && (within(path, "tokio::runtime::task::raw") || within(path, "tokio::runtime::task::harness"))
}
