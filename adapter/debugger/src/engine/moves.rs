//! Threads that run alone, are moved, or are sent away.

use weft_process::WaitEvent;

use super::Engine;
use crate::Reason;
use crate::plan::Verdict;

impl Engine {
    /// Whether a thread may be set going now.
    pub(super) fn may_run(&self, tid: i32) -> bool {
        self.alone.is_none_or(|alone| alone == tid)
    }

    /// The next event that waits. Those of threads which have to stand while another one runs alone stay where they are.
    pub(super) fn next_pending(&mut self) -> Option<WaitEvent> {
        let at = self.pending.iter().position(|event| event.stopped_thread().is_none_or(|tid| self.may_run(tid)))?;
        self.pending.remove(at)
    }

    /// The thread that ran alone is no more: somebody has to say what happens now.
    pub(super) fn end_alone(&mut self, tid: i32) {
        if self.alone == Some(tid) {
            self.report(self.tracee.pid(), Reason::Pause);
        }
    }

    /// What a stop with this reason interrupts. A stop on the very place where the step would have ended interrupts
    /// nothing.
    pub(super) fn interruption(&mut self, tid: i32, reason: &Reason) -> Option<String> {
        let name = self.plan.as_ref()?.name();
        if matches!(reason, Reason::Step(_)) {
            return None;
        }
        let at = self.tracee.registers(tid).ok()?.pc();
        let wanted = self.plan.as_ref().is_some_and(|plan| plan.traps().contains(&at));
        let there = wanted && matches!(self.ask_plan(tid, |plan, hit| plan.on_trap(hit)), Verdict::Done(_));
        (!there).then(|| format!("{name} was interrupted"))
    }
}
