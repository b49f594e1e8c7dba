//! Where in a program's code the tasks of Tokio are polled and end: what it takes to stop there for one of them.
//!
//! A task is polled through its vtable, whose `poll` takes the header as its only argument. However it ends (with a value, by a
//! panic, by `abort`, with its runtime), its result lies in its stage by the time that `State::transition_to_complete` marks it
//! as complete (Tokio 1.54: `runtime/task/harness.rs`, `state.rs`). Where it does not lie there yet, the end is not told.

use std::sync::{Arc, PoisonError, RwLock};

use weft_memory::{DwarfRegister, FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Image, Modules};
use weft_tasks::TaskKey;
use weft_values::{Stop, frames};

use super::cell::{Cells, Entry};
use super::header::HeaderPlan;
use super::layout::{Stage, word};
use super::outcome::Outcome;
use crate::names::base;
use crate::shape::pointee;
use crate::threads::each_variable;

/// Marks a task as complete.
const COMPLETE: &str = "tokio::runtime::task::state::State::transition_to_complete";

/// Frames among which an inlined copy of that is looked for.
const NEAR: usize = 8;

/// Places of one file at which tasks end, at most.
const MOST_PLACES: usize = 1_000;

/// Where to stop for one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTraps {
    /// Where it is polled, and others of its kind.
    pub poll: MemAddr,
    /// Where it ends, and all others of its copy of Tokio.
    pub ends: Vec<MemAddr>,
}

/// How a task ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// With a value.
    Completed,
    /// By `abort`, or with its runtime.
    Cancelled,
    /// By a panic; with its message, if that is text.
    Panicked(Option<String>),
}

type Places = Arc<[FileAddr]>;

/// Where tasks end in the files that were looked at.
#[derive(Debug, Default)]
pub(crate) struct KnownEnds(RwLock<Vec<(Arc<Image>, Places)>>);

impl KnownEnds {
    /// Where tasks of a file's Tokio end. Reads all of its units, if the function was inlined.
    pub(crate) fn of(&self, image: &Arc<Image>) -> Places {
        let is = |known: &&(Arc<Image>, Places)| Arc::ptr_eq(&known.0, image);
        if let Some((_, places)) = self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find(is) {
            return Arc::clone(places);
        }
        let mut places: Vec<FileAddr> = image.copies_of(COMPLETE).iter().map(|code| code.entry).collect();
        places.sort_unstable();
        places.dedup();
        places.truncate(MOST_PLACES);
        let places: Places = places.into();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.push((Arc::clone(image), Arc::clone(&places)));
        places
    }
}

/// Where to stop for the task of this header; else why that is not known.
pub(crate) fn traps(stop: &Stop, known: &KnownEnds, plan: &HeaderPlan, entry: &Entry) -> Result<TaskTraps, String> {
    let unreadable = || "the task's header cannot be read".to_owned();
    let vtable = word(stop, entry.header, plan.vtable).map(MemAddr::new).ok_or_else(unreadable)?;
    let poll = word(stop, vtable, plan.poll).map(MemAddr::new).ok_or_else(unreadable)?;
    let (module, _) = stop.modules.to_file(poll).ok_or_else(unreadable)?;
    let ends = known.of(&module.image).iter().map(|place| module.bias.to_memory(*place)).collect::<Vec<_>>();
    if ends.is_empty() {
        let name = module.image.name();
        return Err(format!(
            "{name} has no `State::transition_to_complete`, by which the end of a task is seen: its Tokio is too old, or its \
             debug information lacks that"
        ));
    }
    Ok(TaskTraps { poll, ends })
}

/// How a task ends that a thread is about to mark as complete; none if the thread marks another one, or nobody can tell.
pub(crate) fn ending(
    stop: &Stop,
    cells: &Cells,
    plan: &HeaderPlan,
    tid: i32,
    task: TaskKey,
    polled: impl FnOnce() -> Option<TaskKey>,
) -> Option<TaskEnd> {
    let header = MemAddr::new(task.address);
    let state = header.checked_add(plan.state)?;
    let is_it = match marked(stop, tid) {
        Some(marked) => marked == state,
        None => polled() == Some(task),
    };
    if !is_it {
        return None;
    }
    let cell = cells.cell(stop, plan, header).ok()?;
    Some(match cell.layout.as_ref()?.stage(stop, header).ok()? {
        Stage::Finished(result) => match Outcome::of(stop, &result).ok()? {
            Outcome::Value => TaskEnd::Completed,
            Outcome::Cancelled => TaskEnd::Cancelled,
            Outcome::Panic(message) => TaskEnd::Panicked(message),
        },
        Stage::Running(_) | Stage::Consumed => return None,
    })
}

/// The state word that the thread is about to mark: what the function was called for.
fn marked(stop: &Stop, tid: i32) -> Option<MemAddr> {
    let walk = frames(stop, tid, NEAR).frames;
    let is_it = |code: &CodeFrame| base(&code.function.path) == COMPLETE;
    let frame = walk.iter().find(|frame| frame.code.as_ref().is_some_and(is_it))?;
    if !frame.inlined && frame.code.as_ref().map(|code| code.entry) == frame.file_pc(stop) {
        return frame.registers.get(DwarfRegister::RDI).map(MemAddr::new);
    }
    let is_state = |target: &weft_symbols::Type| base(target.path()) == "tokio::runtime::task::state::State";
    each_variable(stop, frame, &|ty| pointee(ty).is_some_and(|target| is_state(&target)))?.deref(stop).ok()?.address()
}

/// Whether a thread at the begin of a task's `poll` is about to poll this one.
pub(crate) fn is_to_poll(stop: &Stop, tid: i32, task: TaskKey) -> bool {
    stop.thread(tid).and_then(|thread| thread.registers.get(DwarfRegister::RDI)) == Some(task.address)
}

/// Looks where tasks end in all files, so that nobody has to wait for that later.
pub(crate) fn look_ahead(known: &KnownEnds, modules: &Modules) {
    for module in modules.iter().filter(|module| super::context::copies(&module.image) > 0) {
        known.of(&module.image);
    }
}
