//! Running to a line that one task is to come to.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_runtimes::{Polling, Runtimes};
use weft_tasks::TaskKey;

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
    /// To these places of a line, or to an end of the task.
    pub(super) fn new(
        runtimes: &Arc<Runtimes>,
        task: TaskKey,
        line: u32,
        places: impl IntoIterator<Item = MemAddr>,
        ends: Vec<MemAddr>,
    ) -> Self {
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
            match self.runtimes.polled_by(hit.stop, hit.tid) {
                Polling::Task(polled) if polled.key == self.task => return Verdict::Done(None),
                Polling::Unknown(why) => {
                    return Verdict::Done(Some(format!(
                        "nobody can tell which task has come to line {}: {why}",
                        self.line
                    )));
                }
                Polling::Task(_) | Polling::Nobody => {}
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

    fn unfinished(&self) -> Option<String> {
        Some(format!("the program has ended, and the task has not come to line {}", self.line))
    }

    fn on_thread_exited(&mut self, _: i32) -> Verdict {
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_the_program_outruns_says_so() {
        let task = TaskKey { address: 0x1000, id: 7 };
        let plan = RunTo::new(&Arc::default(), task, 12, [MemAddr::new(0x2000)], vec![MemAddr::new(0x3000)]);
        assert_eq!(plan.traps(), BTreeSet::from([MemAddr::new(0x2000), MemAddr::new(0x3000)]));
        let said = plan.unfinished();
        assert_eq!(said.as_deref(), Some("the program has ended, and the task has not come to line 12"));
    }
}
