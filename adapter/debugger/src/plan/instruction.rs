//! One machine instruction, a call as a whole, or the way out of a function.

use std::collections::BTreeSet;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use weft_memory::MemAddr;
use weft_values::{Stop, frames};

use super::unwinding::{Landing, landing, raisers};
use super::{Hit, Passerby, Plan, Verdict};
use crate::StepKind;

/// No instruction of x86 is longer.
const LONGEST: usize = 15;

/// See the module.
pub(crate) struct InstructionStep {
    name: String,
    tid: i32,
    way: Way,
    /// Where unwinding begins and goes on.
    raisers: BTreeSet<MemAddr>,
}

enum Way {
    /// The thread executes one instruction.
    One,
    /// It runs until it is at `to` with this stack pointer.
    Until { to: MemAddr, sp: MemAddr },
    /// A panic is leaving functions, this one perhaps among them.
    Unwinding(Landing),
}

impl InstructionStep {
    pub(crate) fn new(kind: StepKind, stop: &Stop, tid: i32) -> Result<Self, String> {
        let thread = stop.thread(tid).ok_or_else(|| format!("there is no thread {tid} any more"))?;
        let (pc, sp) = (thread.registers.pc(), thread.registers.sp());
        let way = match kind {
            StepKind::In => Way::One,
            StepKind::Over => match instruction_at(stop, pc) {
                Some(instruction) if runs_long(&instruction) => {
                    Way::Until { to: MemAddr::new(instruction.next_ip()), sp }
                }
                _ => Way::One,
            },
            StepKind::Out => {
                let caller = stop.modules.caller(&thread.registers, false, &*stop.memory);
                let caller = caller.map_err(|error| format!("the caller is not known: {error}"))?;
                let caller = caller.ok_or_else(|| "nothing called this function".to_owned())?;
                Way::Until { to: caller.registers.pc(), sp: caller.cfa }
            }
        };
        let name = match kind {
            StepKind::Out => {
                let frame = frames(stop, tid, 1).frames.into_iter().next();
                format!("the step out of {}", frame.map_or_else(|| pc.to_string(), |frame| frame.name))
            }
            _ => format!("the step over the instruction at {pc}"),
        };
        let raisers = if matches!(way, Way::One) { BTreeSet::new() } else { raisers(&stop.modules) };
        Ok(Self { name, tid, way, raisers })
    }
}

/// The instruction at an address, without the debugger's own traps.
fn instruction_at(stop: &Stop, pc: MemAddr) -> Option<Instruction> {
    // The last instruction of a mapping is followed by nothing that could be read.
    let code = (1..=LONGEST).rev().find_map(|length| stop.memory.read_bytes(pc, length).ok())?;
    let instruction = Decoder::with_ip(64, &code, pc.raw(), DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Whether an instruction goes on with the next one only after a function, or a string of any length: single-stepping a
/// repeated instruction stops after each round.
fn runs_long(instruction: &Instruction) -> bool {
    let calls = matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
    calls && !instruction.is_jmp_short_or_near()
        || instruction.is_string_instruction() && (instruction.has_rep_prefix() || instruction.has_repne_prefix())
}

impl Plan for InstructionStep {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn start(&mut self) -> Verdict {
        match self.way {
            Way::One => Verdict::StepInstruction,
            Way::Until { .. } | Way::Unwinding(_) => Verdict::Continue,
        }
    }

    fn traps(&self) -> BTreeSet<MemAddr> {
        match self.way {
            Way::One => BTreeSet::new(),
            Way::Until { to, .. } => self.raisers.iter().copied().chain([to]).collect(),
            Way::Unwinding(landing) => BTreeSet::from([landing.pad]),
        }
    }

    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(thread) = hit.stop.thread(hit.tid).filter(|_| hit.tid == self.tid) else { return Verdict::Continue };
        let (pc, at) = (thread.registers.pc(), thread.registers.sp());
        match self.way {
            Way::Until { to, sp } if pc == to && at == sp => return Verdict::Done(None),
            Way::Until { sp, .. } if self.raisers.contains(&pc) => {
                // The frame that is caught in begins above the stack pointer that the call would return to.
                if let Some(landing) = landing(hit.stop, hit.tid).filter(|landing| landing.cfa > sp) {
                    self.way = Way::Unwinding(landing);
                }
            }
            Way::Unwinding(landing) if pc == landing.pad => {
                let caller = hit.stop.modules.caller(&thread.registers, false, &*hit.stop.memory).ok().flatten();
                if caller.is_some_and(|caller| caller.cfa == landing.cfa) {
                    return Verdict::Done(Some("a panic has left the call, and was caught here".to_owned()));
                }
            }
            _ => {}
        }
        Verdict::Continue
    }

    fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        let returns_elsewhere = |to: MemAddr, sp: MemAddr| by.pc == to && by.sp != sp && !self.raisers.contains(&to);
        by.tid != self.tid || matches!(self.way, Way::Until { to, sp } if returns_elsewhere(to, sp))
    }

    fn on_stepped(&mut self, _hit: &Hit<'_>) -> Verdict {
        Verdict::Done(None)
    }

    fn on_thread_exited(&mut self, tid: i32) -> Verdict {
        if tid == self.tid {
            return Verdict::Lost("the thread has ended during the step; the program runs on".to_owned());
        }
        Verdict::Continue
    }
}
