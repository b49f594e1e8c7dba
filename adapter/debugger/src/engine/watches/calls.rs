//! Locals that are watched: a breakpoint on one ends with the call that it belongs to.

use std::collections::BTreeSet;

use weft_memory::{MemAddr, Registers};
use weft_values::Stop;

use super::Watched;
use crate::engine::Engine;
use crate::{BreakpointKind, FrameIdentity, Reason};

/// Frames that are looked at to find one.
const DEPTH: usize = 10_000;

impl Engine {
    /// The thread may have returned from a call whose local is watched. Whether the program was stopped for it.
    pub(in crate::engine) fn returned(&mut self, tid: i32, address: MemAddr) -> bool {
        if self.watches.traps().all(|back| back != address) {
            return false;
        }
        let Ok((_, sp)) = self.tracee.position(tid) else { return false };
        let is_over = |watched: &&Watched| {
            // A frame begins below the stack pointer that it returns with; another call of the same place lies deeper.
            watched.back == Some(address) && watched.spec.frame.is_some_and(|frame| frame.tid == tid && sp >= frame.cfa)
        };
        let over: Vec<i64> = self.watches.list.iter().filter(is_over).map(|watched| watched.id).collect();
        !over.is_empty() && self.end_calls(tid, &over, "the call that it belonged to has returned")
    }

    /// The breakpoints on locals of calls of this thread that are not on its stack any more.
    pub(super) fn calls_over(&self, tid: i32) -> Vec<i64> {
        let of =
            |watched: &&Watched| watched.back.is_some() && watched.spec.frame.is_some_and(|frame| frame.tid == tid);
        if !self.watches.list.iter().any(|watched| of(&watched)) {
            return Vec::new();
        }
        let Some(stop) = self.one_thread(tid) else { return Vec::new() };
        let over =
            self.watches.list.iter().filter(of).filter(|watched| watched.spec.frame.is_some_and(|f| is_over(&stop, f)));
        over.map(|watched| watched.id).collect()
    }

    /// Ends breakpoints on what is no more. The program stops for it, unless a step is on its way, which stops soon.
    pub(super) fn end_calls(&mut self, tid: i32, over: &[i64], why: &str) -> bool {
        let Some(text) = self.remove_watches(over, why) else { return false };
        if self.plan.is_some() {
            return false;
        }
        self.report(tid, Reason::Breakpoint { ids: Vec::new(), kind: BreakpointKind::Data, text: Some(text) });
        true
    }

    /// Everything stands: what is watched may have ended in a way that nobody saw, as by a panic.
    pub(in crate::engine) fn end_watches_of_gone_calls(&mut self) {
        let tids: BTreeSet<i32> =
            self.watches.list.iter().filter_map(|watched| watched.spec.frame).map(|frame| frame.tid).collect();
        let over: Vec<i64> = tids.into_iter().flat_map(|tid| self.calls_over(tid)).collect();
        self.remove_watches(&over, "the call that it belonged to has ended");
    }
}

/// Finds where the call returns to whose local is watched.
pub(super) fn find_call(watched: &mut Watched, stop: &Stop) -> Result<(), String> {
    let Some(frame) = watched.spec.frame else { return Ok(()) };
    if watched.back.is_some() && !is_over(stop, frame) {
        return Ok(());
    }
    let gone = || format!("the call that `{}` belonged to has ended", watched.spec.name);
    let mut callers = callers(stop, frame.tid);
    let caller = callers.find(|caller| caller.0 == frame.cfa).ok_or_else(gone)?;
    watched.back = Some(caller.1);
    Ok(())
}

/// Whether a call is surely not on its thread's stack any more.
fn is_over(stop: &Stop, frame: FrameIdentity) -> bool {
    let mut walk = callers(stop, frame.tid);
    let found = stop.thread(frame.tid).is_none() || walk.by_ref().any(|(cfa, _)| cfa == frame.cfa);
    !found && walk.is_whole
}

/// A walk up a stack.
struct Callers<'a> {
    stop: &'a Stop,
    at: Option<(Registers, bool)>,
    left: usize,
    /// It came to the outermost frame.
    is_whole: bool,
}

/// The frames of a thread, innermost first: frame address, and where it returns to.
fn callers(stop: &Stop, tid: i32) -> Callers<'_> {
    let at = stop.thread(tid).map(|thread| (thread.registers, false));
    Callers { stop, at, left: DEPTH, is_whole: false }
}

impl Iterator for Callers<'_> {
    type Item = (MemAddr, MemAddr);

    fn next(&mut self) -> Option<Self::Item> {
        let (registers, is_return_address) = self.at.take()?;
        self.left = self.left.checked_sub(1)?;
        let Some(caller) = self.stop.modules.caller(&registers, is_return_address, &*self.stop.memory).ok()? else {
            self.is_whole = true;
            return None;
        };
        self.at = Some((caller.registers, !caller.signal_frame));
        Some((caller.cfa, caller.registers.pc()))
    }
}
