//! A step through a panic: it goes on where the panic is caught.

use weft_memory::MemAddr;

use super::super::unwinding::{Landing, landing};
use super::{Hit, Phase, Stepper, Verdict, cfa};

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
            Phase::Idle(_) | Phase::Joining(_) => {
                self.unwinding.extend(landing(hit.stop, hit.tid).map(|landing| (hit.tid, landing)));
                return Verdict::Continue;
            }
            Phase::Starting { .. } | Phase::Between | Phase::Unwinding { .. } => return Verdict::Continue,
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
        let caught = self.caught(hit);
        if !matches!(self.phase, Phase::Active(_)) {
            self.follow(None);
        }
        caught
    }

    /// Where it is told, while the step waits, that a thread begins to unwind and that it has ended with that.
    pub(super) fn panics(&self) -> impl Iterator<Item = MemAddr> {
        self.raisers.iter().copied().chain(self.unwinding.values().map(|landing| landing.pad))
    }

    /// Whether a trap there is for a panic.
    pub(super) fn is_of_panic(&self, pc: MemAddr) -> bool {
        self.panics().any(|at| at == pc)
    }

    /// The thread has come to where its panic is caught, perhaps.
    pub(super) fn forget_caught(&mut self, hit: &Hit<'_>, pc: MemAddr) {
        let here = self.unwinding.get(&hit.tid).is_some_and(|landing| landing.pad == pc);
        if here && self.unwinding.get(&hit.tid).map(|landing| landing.cfa) == cfa(hit) {
            self.unwinding.remove(&hit.tid);
        }
    }

    /// Where the panic is caught that has a thread leave the functions on its stack; what they drop there is dropped by it.
    pub(super) fn unwinds(&mut self, hit: &Hit<'_>) -> Option<Landing> {
        let sp = hit.stop.thread(hit.tid)?.registers.sp();
        self.unwinding.remove(&hit.tid).filter(|landing| sp < landing.cfa)
    }
}
