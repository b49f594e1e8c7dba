//! A step through a panic: it ends where the panic is caught.

use weft_memory::MemAddr;
use weft_runtimes::polls_task;

use super::super::unwinding::landing;
use super::{Hit, Phase, Stepper, Verdict, cfa, is_stop, walk_to};

impl Stepper {
    /// The thread has got to where unwinding begins or goes on. If that leaves the step's function, the step is to end
    /// where the panic is caught; until then values are dropped, which is nothing that a step stops at.
    pub(super) fn raised(&mut self, hit: &Hit<'_>) -> Verdict {
        let (tid, ours) = match &self.phase {
            Phase::Active(active) => (active.tid, active.cfa),
            Phase::Entering { tid, back: Some(back), .. } => (*tid, back.cfa),
            Phase::Entering { tid, arrival, back: None } => (*tid, arrival.within),
            // The caller's own frame begins above the stack pointer that it is returned to with.
            Phase::Leaving { tid, sp, .. } => (*tid, sp.offset(1)),
            Phase::Idle(_) | Phase::Starting { .. } | Phase::Between | Phase::Unwinding { .. } => {
                return Verdict::Continue;
            }
        };
        if tid != hit.tid {
            return Verdict::Continue;
        }
        let Some(landing) = landing(hit.stop, hit.tid).filter(|landing| landing.cfa >= ours) else {
            return Verdict::Continue;
        };
        let stays = match self.take_phase() {
            Phase::Active(active) => Some(Box::new(active)),
            Phase::Entering { back, .. } => back,
            _ => None,
        };
        let stays = stays.filter(|active| active.cfa == landing.cfa);
        self.phase = Phase::Unwinding { tid, landing, stays };
        Verdict::Continue
    }

    /// The panic has been caught, perhaps.
    pub(super) fn landed(&mut self, hit: &Hit<'_>, pc: MemAddr) -> Verdict {
        let Phase::Unwinding { tid, landing, stays } = &mut self.phase else { return Verdict::Continue };
        if *tid != hit.tid || pc != landing.pad || cfa(hit) != Some(landing.cfa) {
            return Verdict::Continue;
        }
        if let Some(active) = stays.take() {
            self.phase = Phase::Active(*active);
            return Verdict::Continue;
        }
        self.follow(None);
        let walk = walk_to(hit.stop, hit.tid, self.way);
        let at = walk.iter().position(|frame| is_stop(frame, self.way) && frame.source.is_some());
        let task = walk.iter().position(polls_task);
        match (at, task) {
            (None, None) => Verdict::Lost("a panic has ended the thread; the program runs on".to_owned()),
            (None, Some(_)) => Verdict::Lost("a panic has ended the task; the program runs on".to_owned()),
            (Some(at), Some(task)) if task < at => {
                Verdict::Lost("a panic has ended the task; the program runs on".to_owned())
            }
            (Some(_), _) => self.leave(hit, Some("a panic has left the function, and was caught here".to_owned())),
        }
    }
}
