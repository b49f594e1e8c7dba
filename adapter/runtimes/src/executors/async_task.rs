//! Tasks of `async-task` (4.1 to 4.7), which async-executor, smol, async-std and `blocking` are made of.
//!
//! `Header<M>` begins a task's memory; its vtable leads to `RawTask<F, T, S, M>::run`, whose generic arguments name the
//! future and the function that schedules it, and to `TaskLayout`, which says where both lie.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Image, Type};
use weft_tasks::{Location, State};
use weft_values::Stop;

use crate::chain::at;
use crate::describe::describe;
use crate::listing::{Dropper, EntryFuture};
use crate::names::base;
use crate::roster::Progress;
use crate::shape::{find_member, pointee};

/// The function in a task's vtable that polls it.
pub(crate) const RUN: &str = "async_task::raw::RawTask::run";
const HEADER: &str = "async_task::header::Header";

/// `Header.state`; the bits are the same in async-task 3.0 to 4.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskState(pub(crate) u64);

impl TaskState {
    const SCHEDULED: u64 = 1;
    const RUNNING: u64 = 1 << 1;
    const COMPLETED: u64 = 1 << 2;
    const CLOSED: u64 = 1 << 3;
    /// Somebody has the handle.
    const TASK: u64 = 1 << 4;
    /// From this bit on the word counts wakers and places in queues.
    const REFERENCE: u64 = 1 << 8;

    pub(crate) fn is_running(self) -> bool {
        self.0 & Self::RUNNING != 0
    }

    pub(crate) fn is_complete(self) -> bool {
        self.0 & Self::COMPLETED != 0
    }

    /// Whether it is alive, or holds a result that somebody can still take. Without a handle or any other reference the
    /// task's memory has been given back.
    pub(crate) fn is_listed(self) -> bool {
        let is_held = self.0 & Self::TASK != 0;
        if self.is_complete() { is_held && self.0 & Self::CLOSED == 0 } else { is_held || self.0 >= Self::REFERENCE }
    }

    /// What the word says about the task's progress.
    pub(crate) fn progress(self) -> Progress {
        match self.0 {
            _ if self.is_complete() => Progress::Ended(State::Done),
            word if word & Self::CLOSED != 0 => Progress::Aborted,
            word if word & Self::SCHEDULED != 0 => Progress::Woken,
            _ => Progress::Idle,
        }
    }
}

/// What all tasks with one vtable have in common.
#[derive(Debug)]
pub(crate) struct TaskType {
    /// The entry future's type (`F`).
    pub(crate) future: Type,
    /// The type of the function that schedules it (`S`), and where that lies from the header on.
    pub(crate) schedule: Option<(u64, Type)>,
    /// Where the future lies from the header on.
    offset: u64,
    state: u64,
    /// Of the vtable's pointer in the header, and of `drop_future` in the vtable.
    dropper: Option<(u64, u64)>,
    pub(crate) name: Arc<str>,
    pub(crate) entry: Option<Arc<Location>>,
    run: FileAddr,
    image: Arc<Image>,
}

impl TaskType {
    /// A task's state word.
    pub(crate) fn state(&self, stop: &Stop, header: MemAddr) -> Option<TaskState> {
        stop.memory.read_u64(at(header, self.state)).ok().map(TaskState)
    }

    /// Whether it is a job for a thread that may block.
    pub(crate) fn is_job(&self) -> bool {
        self.schedule.as_ref().is_some_and(|(_, schedule)| crate::names::krate(schedule.path()) == "blocking")
    }

    /// What tells tasks of this kind from others.
    pub(crate) fn identity(&self) -> u64 {
        self.run.raw()
    }

    /// A task's entry future.
    pub(crate) fn entry_future(&self, header: MemAddr) -> EntryFuture {
        let address = at(header, self.offset);
        let task = header..at(address, self.future.size());
        let dropper = self.dropper.map(|offsets| Dropper { task, offsets });
        EntryFuture { ty: self.future.clone(), address, dropper }
    }
}

/// Where a header and its vtable keep things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderPlan {
    /// In the header, of the pointer to the vtable.
    pub(crate) vtable: u64,
    state: u64,
    /// In the vtable, of `run`.
    pub(crate) run: u64,
    /// In the vtable, of `drop_future`.
    drop_future: Option<u64>,
    /// In the vtable, of the pointer to the layout; in that, of the offsets of future and schedule function.
    layout: (u64, u64, u64),
}

impl HeaderPlan {
    /// Of an image that has such tasks.
    pub(crate) fn of(image: &Arc<Image>) -> Option<Self> {
        let header = image.types_of_any_arguments(HEADER).next()?;
        let offset = |ty: &Type, name: &str| find_member(ty, &[name], 1).map(|(offset, _)| offset);
        let (vtable, pointer) = find_member(&header, &["vtable"], 1)?;
        let table = pointee(&pointer)?;
        let (info, pointer) = find_member(&table, &["layout_info"], 1)?;
        let layout = pointee(&pointer)?;
        Some(Self {
            vtable,
            state: offset(&header, "state")?,
            run: offset(&table, "run")?,
            drop_future: offset(&table, "drop_future"),
            layout: (info, offset(&layout, "offset_f")?, offset(&layout, "offset_s")?),
        })
    }
}

/// The kinds of tasks met so far, by image and vtable.
#[derive(Debug, Default)]
pub(crate) struct TaskTypes {
    known: RwLock<FxHashMap<(usize, FileAddr), Arc<TaskType>>>,
}

impl TaskTypes {
    /// What kind of task has its header there; none if there is no such task.
    pub(crate) fn of(&self, stop: &Stop, plan: &HeaderPlan, header: MemAddr) -> Option<Arc<TaskType>> {
        let vtable = stop.memory.read_pointer(at(header, plan.vtable)).ok()?;
        let (module, file) = stop.modules.to_file(vtable)?;
        let key = (Arc::as_ptr(&module.image) as usize, file);
        if let Some(kind) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(kind));
        }
        let kind = Arc::new(resolve(stop, plan, vtable)?);
        // A kind is found again by its image's address: it keeps the image, so that no other can take its place.
        if Arc::ptr_eq(&kind.image, &module.image) {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&kind));
        }
        Some(kind)
    }
}

fn resolve(stop: &Stop, plan: &HeaderPlan, vtable: MemAddr) -> Option<TaskType> {
    let run = stop.memory.read_pointer(at(vtable, plan.run)).ok()?;
    let (module, file) = stop.modules.to_file(run)?;
    let frames = module.image.frames_at(file).ok()?;
    let concrete = frames.last().filter(|concrete| is_run(concrete))?;
    let future = concrete.template_argument("F")?;
    let (info, future_offset, schedule_offset) = plan.layout;
    let layout = stop.memory.read_pointer(at(vtable, info)).ok()?;
    let offset = stop.memory.read_u64(at(layout, future_offset)).ok()?;
    let schedule = stop.memory.read_u64(at(layout, schedule_offset)).ok().zip(concrete.template_argument("S"));
    let (name, entry) = describe(&future);
    Some(TaskType {
        name,
        entry,
        future,
        schedule,
        offset,
        state: plan.state,
        dropper: plan.drop_future.map(|function| (plan.vtable, function)),
        run: file,
        image: Arc::clone(&module.image),
    })
}

/// Whether this is the function that polls a task: `RawTask<..>::run<..>`.
pub(crate) fn is_run(code: &CodeFrame) -> bool {
    let path = base(&code.function.path);
    path.starts_with("async_task::raw::RawTask<") && path.ends_with(">::run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_tasks_are_understood() {
        for (word, progress) in [
            (0x111, Progress::Woken),
            (0x110, Progress::Idle),
            (0x130, Progress::Idle),
            (0x112, Progress::Idle),
            (0x109, Progress::Aborted),
            (0x114, Progress::Ended(State::Done)),
        ] {
            assert_eq!(TaskState(word).progress(), progress, "{word:#x}");
        }
        assert!(TaskState(0x112).is_running());
        assert!(!TaskState(0xc).is_listed() && !TaskState(0x11c).is_listed() && TaskState(0x114).is_listed());
    }
}
