//! One machine instruction.

use std::collections::BTreeSet;

use weft_memory::MemAddr;

use super::{Hit, Plan, Verdict};

/// Ends after the instruction that it asks for at once.
pub(crate) struct OneInstruction;

impl Plan for OneInstruction {
    fn start(&mut self) -> Verdict {
        Verdict::StepInstruction
    }

    fn traps(&self) -> BTreeSet<MemAddr> {
        BTreeSet::new()
    }

    fn on_trap(&mut self, _hit: &Hit<'_>) -> Verdict {
        Verdict::Continue
    }

    fn on_stepped(&mut self, _hit: &Hit<'_>) -> Verdict {
        Verdict::Done(None)
    }

    fn on_thread_exited(&mut self, _tid: i32) -> Verdict {
        Verdict::Continue
    }
}
