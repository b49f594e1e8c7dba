//! From a frame to its caller: by call-frame information, and where a piece of code has none by what can be proven
//! without it.

mod calls;
mod code;
mod pointer;
mod rule;
mod signal;

use weft_memory::{DwarfRegister, MemAddr, Memory, MemoryError, Registers};

use crate::Modules;
use rule::Step;

pub(crate) use code::dwarf as dwarf_register;
pub(crate) use rule::Rule;

/// A frame's caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerFrame {
    /// The caller's registers; its pc is the return address. Registers that a callee may overwrite without saving them
    /// are unknown, unless a rule restores them (signal frames do).
    pub registers: Registers,
    /// The CFA of the frame that was asked about (the caller's stack pointer).
    pub cfa: MemAddr,
    /// The frame asked about is a signal trampoline: the "caller" was interrupted, its pc is exact.
    pub signal_frame: bool,
    /// How it was found.
    pub found: Found,
}

/// How a frame was found from its callee. All but the first are marked where a user sees the frame: they are checked (the
/// return address lies behind a call), but a frame may have been left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Found {
    /// By the rules that the compiler wrote; the innermost frame by the registers.
    #[default]
    Rules,
    /// The callee has no rules; its instructions were followed to its return.
    Code,
    /// The callee has no rules; the frame pointer led on.
    FramePointer,
    /// The callee is no code at all (a call through a null or wild pointer); the return address was on top of the stack.
    WildCall,
}

/// Why a frame has no caller that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwindError {
    /// No rule covers the address, and nothing else that could be checked leads on.
    #[error("no unwinding information covers {0}")]
    NoRule(MemAddr),
    /// The address is no code, and there is no return address on top of the stack.
    #[error("{0} is no address of code")]
    NoCode(MemAddr),
    /// A rule is malformed or of a kind that is not supported.
    #[error("the unwinding rule at {0} cannot be used: {1}")]
    BadRule(MemAddr, String),
    /// The stack cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Modules {
    /// The caller of the frame with these registers. `pc_is_return_address` is true for all frames but the innermost
    /// and those interrupted by a signal. `Ok(None)`: the outermost frame.
    ///
    /// Each step leads to a higher address of the stack, except out of a signal handler, which may have a stack of its
    /// own; whoever loops bounds the number of steps all the same.
    pub fn caller(
        &self,
        registers: &Registers,
        pc_is_return_address: bool,
        memory: &dyn Memory,
    ) -> Result<Option<CallerFrame>, UnwindError> {
        let pc = registers.pc();
        if pc_is_return_address && pc.raw() == 0 {
            return Ok(None);
        }
        // A call may be the last instruction of a function: its return address then belongs to the next one.
        let lookup = if pc_is_return_address { pc.offset(-1) } else { pc };
        let bad = |error: gimli::Error| UnwindError::BadRule(pc, error.to_string());
        let rule = match self.at(lookup) {
            Some(module) => module.image.rule_at(module.bias.to_file(lookup)).map_err(bad)?.map(|rule| (module, rule)),
            None => None,
        };
        let Some((module, rule)) = rule else { return self.without_rules(registers, pc_is_return_address, memory) };
        // A trampoline that nobody describes is returned to at its begin, and what lies before it is another function.
        if pc_is_return_address
            && module.bias.to_memory(rule.end) == pc
            && let Some(interrupted) = signal::interrupted(registers, memory)
        {
            return Ok(Some(interrupted));
        }
        let step = Step { pc, registers, memory, image: &module.image, bias: module.bias, rule: &rule };
        let caller = step.caller()?;
        // Naked functions have rules that do not know what they do to the stack.
        let leads_nowhere = |caller: &CallerFrame| {
            !caller.signal_frame && !self.is_executable(caller.registers.pc().offset(-1), memory)
        };
        if caller.as_ref().is_some_and(leads_nowhere)
            && let Some(found) = code::caller(self, registers, memory)
        {
            return Ok(Some(found));
        }
        Ok(caller)
    }

    fn without_rules(
        &self,
        registers: &Registers,
        pc_is_return_address: bool,
        memory: &dyn Memory,
    ) -> Result<Option<CallerFrame>, UnwindError> {
        let pc = registers.pc();
        if !pc_is_return_address && !self.is_executable(pc, memory) {
            return calls::wild(self, registers, memory).map(Some).ok_or(UnwindError::NoCode(pc));
        }
        let found = signal::interrupted(registers, memory)
            .or_else(|| code::caller(self, registers, memory))
            .or_else(|| pointer::caller(self, registers, memory));
        match found {
            Some(caller) => Ok(Some(caller)),
            // "The deepest stack frame is marked by setting the frame pointer to zero" (System V ABI for x86-64, 3.4.1).
            None if registers.get(DwarfRegister::RBP) == Some(0) => Ok(None),
            None => Err(UnwindError::NoRule(pc)),
        }
    }

    /// Whether an address lies in code that is loaded, from a file or not.
    fn is_executable(&self, address: MemAddr, memory: &dyn Memory) -> bool {
        let in_file = self.to_file(address).is_some_and(|(module, address)| module.image.is_code(address.raw()));
        in_file || memory.region(address).is_some_and(|region| region.executable)
    }
}
