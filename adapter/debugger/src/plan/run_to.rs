//! Running to a line that one task is to come to.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_runtimes::Runtimes;
use weft_tasks::TaskKey;
use weft_values::Stop;

use super::{Hit, Plan, Verdict};

/// The task comes to the line, or to its end. Everybody else passes.
pub(super) struct RunTo {
    runtimes: Arc<Runtimes>,
    task: TaskKey,
    line: u32,
    places: BTreeSet<MemAddr>,
    /// Where the end of the task can be seen; empty if that is not known.
    ends: Vec<MemAddr>,
}

impl RunTo {
    /// To these places of a line.
    pub(super) fn new(
        runtimes: &Arc<Runtimes>,
        stop: &Stop,
        task: TaskKey,
        line: u32,
        places: impl IntoIterator<Item = MemAddr>,
    ) -> Self {
        let ends = runtimes.task_traps(stop, task).map(|traps| traps.ends).unwrap_or_default();
        Self { runtimes: Arc::clone(runtimes), task, line, places: places.into_iter().collect(), ends }
    }
}

impl Plan for RunTo {
    fn name(&self) -> String {
        format!("the run to line {}", self.line)
    }

    fn start(&mut self) -> Verdict {
        Verdict::Continue
    }

    fn traps(&self) -> BTreeSet<MemAddr> {
        self.places.iter().chain(&self.ends).copied().collect()
    }

    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(pc) = hit.stop.thread(hit.tid).map(|thread| thread.registers.pc()) else { return Verdict::Continue };
        if self.places.contains(&pc) {
            let polled = self.runtimes.polled_by(hit.stop, hit.tid);
            if polled.task().is_some_and(|polled| polled.key == self.task) {
                return Verdict::Done(None);
            }
        }
        if self.ends.contains(&pc) && self.runtimes.ending(hit.stop, hit.tid, self.task).is_some() {
            return Verdict::Done(Some(format!("the task has ended without coming to line {}", self.line)));
        }
        Verdict::Continue
    }

    fn on_stepped(&mut self, _: &Hit<'_>) -> Verdict {
        Verdict::Continue
    }

    fn on_thread_exited(&mut self, _: i32) -> Verdict {
        Verdict::Continue
    }
}
