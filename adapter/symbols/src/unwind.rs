//! From a frame to its caller, by call-frame information.

use std::cell::RefCell;
use std::ops::Range;

use gimli::{
    CfaRule, EhFrame, FrameDescriptionEntry, RegisterRule, SectionId, UnwindContext, UnwindSection, UnwindTableRow,
};
use weft_memory::{Bias, DwarfRegister, FileAddr, MemAddr, Memory, MemoryError, Registers};

use crate::expression::{Stopped, Surroundings, unsupported};
use crate::sections::Slice;
use crate::{Image, LocationError, Modules};

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
}

/// Why a frame has no caller that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwindError {
    /// No rule covers the address.
    #[error("no unwinding information covers {0}")]
    NoRule(MemAddr),
    /// A rule is malformed or of a kind that is not supported.
    #[error("the unwinding rule at {0} cannot be used: {1}")]
    BadRule(MemAddr, String),
    /// The stack cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Registers that a function leaves as it found them (System V ABI for x86-64, 3.2.1), `rsp` apart.
const CALLEE_SAVED: [u16; 6] = [3, 6, 12, 13, 14, 15];

/// The registers that are followed from frame to frame: the general ones and the return address.
const FOLLOWED: Range<u16> = 0..17;

thread_local! {
    /// Evaluating the rules of one address needs some kilobytes; they are kept for the next one.
    static CONTEXT: RefCell<Box<UnwindContext<usize>>> = RefCell::new(Box::new(UnwindContext::new()));
}

pub(crate) type Frame<'a> = FrameDescriptionEntry<Slice<'a>>;

impl Image {
    /// Bounds of the concrete function around an address, from `.eh_frame_hdr` and the FDE, without debug information.
    pub fn function_bounds(&self, pc: FileAddr) -> Option<Range<FileAddr>> {
        let (frame, _) = self.frame_description(pc).ok().flatten()?;
        Some(FileAddr::new(frame.initial_address())..FileAddr::new(frame.end_address()))
    }

    /// The canonical frame address at an address, if its rule is a register and an offset: true of all code but PLT
    /// stubs and what was written by hand.
    pub fn cfa_rule(&self, pc: FileAddr) -> Option<(DwarfRegister, i64)> {
        let (frame, section) = self.frame_description(pc).ok().flatten()?;
        let mut context = UnwindContext::new();
        let row = frame.unwind_info_for_address(&section, &self.base_addresses(), &mut context, pc.raw()).ok()?;
        match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => Some((DwarfRegister(register.0), *offset)),
            CfaRule::Expression(_) => None,
        }
    }

    /// The FDE that covers an address, by binary search in `.eh_frame_hdr`; where a file has none, by reading all.
    pub(crate) fn frame_description(&self, pc: FileAddr) -> gimli::Result<Option<(Frame<'_>, EhFrame<Slice<'_>>)>> {
        let sections = self.sections();
        let mut section = EhFrame::from(sections.slice(SectionId::EhFrame));
        section.set_address_size(8);
        let bases = self.base_addresses();
        let header = gimli::EhFrameHdr::from(sections.slice(SectionId::EhFrameHdr)).parse(&bases, 8);
        let table = header.as_ref().ok().and_then(gimli::ParsedEhFrameHdr::table);
        let found = match table {
            Some(table) => table.fde_for_address(&section, &bases, pc.raw(), EhFrame::cie_from_offset),
            None => section.fde_for_address(&bases, pc.raw(), EhFrame::cie_from_offset),
        };
        match found {
            Ok(frame) => Ok(Some((frame, section))),
            Err(gimli::Error::NoUnwindInfoForAddress) => Ok(None),
            Err(error) => Err(error),
        }
    }
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
        if pc.raw() == 0 {
            return Ok(None);
        }
        // A call may be the last instruction of a function: its return address then belongs to the next one.
        let lookup = if pc_is_return_address { pc.offset(-1) } else { pc };
        let module = self.at(lookup).ok_or(UnwindError::NoRule(pc))?;
        let address = module.bias.to_file(lookup);
        let bad = |error: gimli::Error| UnwindError::BadRule(pc, error.to_string());
        let (frame, section) = module.image.frame_description(address).map_err(bad)?.ok_or(UnwindError::NoRule(pc))?;
        CONTEXT.with(|context| {
            let mut fresh;
            let mut borrowed = context.try_borrow_mut();
            let context = match &mut borrowed {
                Ok(kept) => &mut **kept,
                Err(_) => {
                    fresh = Box::new(UnwindContext::new());
                    &mut fresh
                }
            };
            let bases = module.image.base_addresses();
            let row = frame.unwind_info_for_address(&section, &bases, context, address.raw()).map_err(bad)?;
            Step { pc, registers, memory, bias: module.bias, frame: &frame, section: &section, row }.caller()
        })
    }
}

/// One frame with the rules that hold at its address.
struct Step<'a, 's> {
    pc: MemAddr,
    registers: &'a Registers,
    memory: &'a dyn Memory,
    bias: Bias,
    frame: &'a Frame<'s>,
    section: &'a EhFrame<Slice<'s>>,
    row: &'a UnwindTableRow<usize>,
}

impl Step<'_, '_> {
    fn caller(&self) -> Result<Option<CallerFrame>, UnwindError> {
        let return_address = self.frame.cie().return_address_register();
        // Start-up code says so: there is no caller.
        let known = self.row.register(return_address);
        if matches!(known, None | Some(RegisterRule::Undefined)) {
            return Ok(None);
        }
        let cfa = self.cfa()?;
        let signal_frame = self.frame.is_signal_trampoline();
        if !signal_frame && cfa <= self.registers.sp() {
            return Err(self.bad("the caller's frame would lie below its callee's"));
        }
        let mut caller = Registers::unknown(self.registers.fs_base);
        for number in FOLLOWED {
            // What cannot be restored is unknown; only without a return address there is no caller at all.
            caller.set(DwarfRegister(number), self.restored(number, cfa).ok().flatten());
        }
        let pc = match self.restored(return_address.0, cfa) {
            Ok(pc) => pc,
            Err(Stopped::Failed(LocationError::Memory(error))) => return Err(error.into()),
            Err(stopped) => return Err(self.stopped(stopped)),
        };
        caller.set(DwarfRegister::RA, pc);
        if caller.get(DwarfRegister::RSP).is_none() {
            caller.set(DwarfRegister::RSP, Some(cfa.raw()));
        }
        Ok(pc.filter(|pc| *pc != 0).map(|_| CallerFrame { registers: caller, cfa, signal_frame }))
    }

    fn cfa(&self) -> Result<MemAddr, UnwindError> {
        let cfa = match self.row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                crate::expression::register(self.registers, register.0).map(|base| base.wrapping_add_signed(*offset))
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None),
        };
        match cfa {
            Ok(cfa) => Ok(MemAddr::new(cfa)),
            Err(Stopped::Failed(LocationError::Memory(error))) => Err(error.into()),
            Err(stopped) => Err(self.stopped(stopped)),
        }
    }

    /// A register's value in the caller; `None`: not known there.
    fn restored(&self, number: u16, cfa: MemAddr) -> Result<Option<u64>, Stopped> {
        let own = self.registers.get(DwarfRegister(number));
        Ok(match self.row.register(gimli::Register(number)) {
            None => own.filter(|_| CALLEE_SAVED.contains(&number)),
            Some(RegisterRule::SameValue) => own,
            Some(RegisterRule::Offset(offset)) => Some(self.memory.read_u64(cfa.offset(offset))?),
            Some(RegisterRule::ValOffset(offset)) => Some(cfa.offset(offset).raw()),
            Some(RegisterRule::Register(other)) => self.registers.get(DwarfRegister(other.0)),
            Some(RegisterRule::Expression(expression)) => {
                let address = self.evaluate(&expression, Some(cfa.raw()))?;
                Some(self.memory.read_u64(MemAddr::new(address))?)
            }
            Some(RegisterRule::ValExpression(expression)) => Some(self.evaluate(&expression, Some(cfa.raw()))?),
            Some(RegisterRule::Constant(value)) => Some(value),
            Some(_) => None,
        })
    }

    fn evaluate(&self, expression: &gimli::UnwindExpression<usize>, initial: Option<u64>) -> Result<u64, Stopped> {
        let surroundings = Surroundings {
            memory: self.memory,
            registers: self.registers,
            cfa: None,
            bias: self.bias,
            reader: None,
            frame_base: &|| Err(unsupported("a frame base in an unwinding rule")),
            thread_local: &|_| None,
        };
        surroundings.number(expression.get(self.section)?, self.frame.cie().encoding(), initial)
    }

    fn stopped(&self, stopped: Stopped) -> UnwindError {
        match stopped {
            Stopped::OptimisedOut => self.bad("it needs a value that was not kept"),
            Stopped::Failed(LocationError::MissingRegister(name)) => {
                self.bad(&format!("{name} is not known in this frame"))
            }
            Stopped::Failed(LocationError::Unsupported(what)) => self.bad(&what),
            Stopped::Failed(error) => self.bad(&error.to_string()),
        }
    }

    fn bad(&self, reason: &str) -> UnwindError {
        UnwindError::BadRule(self.pc, reason.to_owned())
    }
}
