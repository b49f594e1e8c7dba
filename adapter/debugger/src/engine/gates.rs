//! Which task's calls are told to a plan that has no debug register.

use std::ops::Range;

use weft_memory::MemAddr;
use weft_process::Gate;
use weft_runtimes::{Busy, TaskTable};
use weft_values::Stop;

use super::{Engine, State};
use crate::plan::{self, Inside};
use crate::stops::stop_of;

/// The gate of the plan's.
#[derive(Default)]
pub(super) struct Gates {
    /// What the plan asked for last.
    asked: Option<Range<MemAddr>>,
    open: Option<Gate>,
}

impl Gates {
    /// Where a thread goes on that has hit the trap of a stub: in the function.
    pub(super) fn behind(&self, trap: MemAddr) -> MemAddr {
        self.open.as_ref().and_then(|gate| gate.stubs.get(&trap)).copied().unwrap_or(trap)
    }
}

impl Engine {
    /// Has the plan told of all calls for the task that it asks for, if that can be done. A gate that is not wanted any more stays
    /// until all threads stand: without its traps it does nothing.
    pub(super) fn grant_gate(&mut self) {
        let wanted = self.plan.as_ref().and_then(|plan| plan.gated());
        let all_stand = self.all_stand || self.state != State::Running;
        if wanted == self.gates.asked || (wanted.is_none() && !all_stand) {
            return;
        }
        if self.state == State::Running && wanted.is_some() {
            // Also when all were stopped before: some may have been sent past their traps since.
            self.stop_all();
        }
        self.close_gate();
        self.gates.asked = wanted.clone();
        let Some(wanted) = wanted else { return };
        let gate = stop_of(&self.tracee, self.modules.clone()).ok().and_then(|stop| self.open_gate(&stop, &wanted));
        if let Some(plan) = &mut self.plan {
            plan.set_gate(gate);
        }
    }

    /// All threads stand.
    pub(super) fn close_gate(&mut self) {
        self.gates.asked = None;
        if let Some(gate) = self.gates.open.take()
            && let Err(error) = self.tracee.close_gate(&gate)
        {
            tracing::debug!(%error, "a gate stays open");
        }
    }

    /// The program is another one.
    pub(super) fn forget_gate(&mut self) {
        self.gates = Gates::default();
    }

    fn open_gate(&mut self, stop: &Stop, wanted: &Range<MemAddr>) -> Option<plan::Gate> {
        let table = self.settings.runtimes.task_table(stop, wanted)?;
        let inside = match table.busy {
            Busy::Nobody => Inside::Nobody,
            Busy::Perhaps => Inside::Unknown,
            Busy::Polled => self.who_polls(stop, &table)?,
        };
        let gate = self.tracee.open_gate(table.word, table.size, &table.entries)?;
        let stubs = gate.stubs.clone();
        self.gates.open = Some(gate);
        Some(plan::Gate { task: table.header, stubs, inside })
    }

    fn who_polls(&self, stop: &Stop, table: &TaskTable) -> Option<Inside> {
        stop.threads.iter().find_map(|thread| {
            let poll = self.settings.runtimes.poll_of(stop, thread.tid)?;
            let is_it = poll.task.key.address == table.header.raw();
            is_it.then_some(Inside::Thread(thread.tid, poll.returns_to, poll.sp))
        })
    }
}
