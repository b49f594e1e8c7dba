//! By which functions a runtime comes to a task's future: those of the task's vtable, each called with the header.
//!
//! `poll` runs or cancels it, `shutdown` drops it with its runtime, `dealloc` drops what is left of it (`runtime/task/raw.rs`, Tokio
//! 1.0 to 1.54).

use std::ops::Range;

use weft_memory::MemAddr;
use weft_values::Stop;

use super::cell::Entry;
use super::header::HeaderPlan;
use crate::roster::Progress;

/// Where a task of Tokio's names its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTable {
    /// The task: the first argument of each function.
    pub header: MemAddr,
    /// Where the header names the vtable.
    pub word: MemAddr,
    /// Bytes of the vtable.
    pub size: u64,
    /// Offsets in the vtable of all functions that come to the task's future.
    pub entries: Vec<u64>,
    /// Whether a thread is in one of them, or about to be.
    pub busy: Busy,
}

/// Whether a thread has to do with a task's future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// None has: it is neither polled nor scheduled.
    Nobody,
    /// One polls it.
    Polled,
    /// One may be about to.
    Perhaps,
}

/// That of a task whose memory has all of `inside`, which so is nobody else's to poll or drop. None if it has not, or nobody can
/// tell.
pub(crate) fn table(stop: &Stop, plan: &HeaderPlan, entry: &Entry, inside: &Range<MemAddr>) -> Option<TaskTable> {
    let (cell, state) = (entry.cell.as_ref()?, entry.state?);
    let end = entry.header.checked_add(cell.ty.as_ref()?.size())?;
    if entry.header > inside.start || inside.end > end || state.is_complete() || entry.future.is_none() {
        return None;
    }
    let busy = match state.progress(None) {
        _ if state.is_running() => Busy::Polled,
        Progress::Idle => Busy::Nobody,
        _ => Busy::Perhaps,
    };
    let word = entry.header.checked_add(plan.vtable)?;
    super::layout::word(stop, entry.header, plan.vtable)?;
    let entries = vec![plan.poll, plan.shutdown?, plan.dealloc?];
    Some(TaskTable { header: entry.header, word, size: plan.vtable_size, entries, busy })
}
