//! The rules of call-frame information: found once for an address, and kept.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use gimli::{
    CfaRule, EhFrame, FrameDescriptionEntry, RegisterRule, SectionId, UnwindContext, UnwindExpression, UnwindSection,
};
use weft_memory::{Bias, DwarfRegister, FileAddr, MemAddr, Memory, Registers};

use super::{CallerFrame, Found, UnwindError};
use crate::expression::{Stopped, Surroundings, unsupported};
use crate::sections::Slice;
use crate::{Image, LocationError};

/// Registers that a function leaves as it found them (System V ABI for x86-64, 3.2.1), `rsp` apart.
pub(super) const CALLEE_SAVED: [u16; 6] = [3, 6, 12, 13, 14, 15];

/// The registers that are followed from frame to frame: the general ones and the return address.
const FOLLOWED: Range<u16> = 0..17;

thread_local! {
    /// Evaluating the rules of one address needs some kilobytes; they are kept for the next one.
    static CONTEXT: RefCell<Box<UnwindContext<usize>>> = RefCell::new(Box::new(UnwindContext::new()));
}

pub(crate) type Frame<'a> = FrameDescriptionEntry<Slice<'a>>;

/// How to get from a frame at one address to its caller.
#[derive(Debug)]
pub(crate) struct Rule {
    cfa: CfaRule<usize>,
    /// Of the registers that are followed, those that something is said about.
    registers: Box<[(u16, RegisterRule<usize>)]>,
    return_address: u16,
    pub(super) signal_frame: bool,
    /// Where the code ends that the address is in.
    pub(super) end: FileAddr,
    encoding: gimli::Encoding,
}

impl Image {
    /// Bounds of the concrete function around an address, from `.eh_frame_hdr` and the FDE, without debug information.
    pub fn function_bounds(&self, pc: FileAddr) -> Option<Range<FileAddr>> {
        let (frame, _) = self.frame_description(pc).ok().flatten()?;
        Some(FileAddr::new(frame.initial_address())..FileAddr::new(frame.end_address()))
    }

    /// The canonical frame address at an address, if its rule is a register and an offset: true of all code but PLT
    /// stubs and what was written by hand.
    pub fn cfa_rule(&self, pc: FileAddr) -> Option<(DwarfRegister, i64)> {
        match self.rule_at(pc).ok()??.cfa {
            CfaRule::RegisterAndOffset { register, offset } => Some((DwarfRegister(register.0), offset)),
            CfaRule::Expression(_) => None,
        }
    }

    /// The FDE that covers an address, by binary search in `.eh_frame_hdr`; where a file has none, by reading all.
    pub(crate) fn frame_description(&self, pc: FileAddr) -> gimli::Result<Option<(Frame<'_>, EhFrame<Slice<'_>>)>> {
        let section = self.eh_frame();
        let bases = self.base_addresses();
        let header = gimli::EhFrameHdr::from(self.sections().slice(SectionId::EhFrameHdr)).parse(&bases, 8);
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

    /// The rule for an address, looked up once; `None`: nothing covers it.
    pub(super) fn rule_at(&self, pc: FileAddr) -> gimli::Result<Option<Arc<Rule>>> {
        self.cache().rules.get_or_try(pc.raw(), || {
            let Some((frame, section)) = self.frame_description(pc)? else { return Ok(None) };
            let bases = self.base_addresses();
            with_context(|context| Rule::read(&frame, &section, &bases, context, pc)).map(|rule| Some(Arc::new(rule)))
        })
    }

    fn eh_frame(&self) -> EhFrame<Slice<'_>> {
        let mut section = EhFrame::from(self.sections().slice(SectionId::EhFrame));
        section.set_address_size(8);
        section
    }
}

/// Lends the thread's own context, or a new one if that is in use further up.
fn with_context<T>(work: impl FnOnce(&mut UnwindContext<usize>) -> T) -> T {
    CONTEXT.with(|context| match context.try_borrow_mut() {
        Ok(mut kept) => work(&mut kept),
        Err(_) => work(&mut UnwindContext::new()),
    })
}

impl Rule {
    fn read(
        frame: &Frame<'_>,
        section: &EhFrame<Slice<'_>>,
        bases: &gimli::BaseAddresses,
        context: &mut UnwindContext<usize>,
        pc: FileAddr,
    ) -> gimli::Result<Self> {
        let row = frame.unwind_info_for_address(section, bases, context, pc.raw())?;
        let followed = |(register, rule): &(gimli::Register, RegisterRule<usize>)| {
            FOLLOWED.contains(&register.0).then(|| (register.0, rule.clone()))
        };
        Ok(Self {
            cfa: row.cfa().clone(),
            registers: row.registers().filter_map(followed).collect(),
            return_address: frame.cie().return_address_register().0,
            signal_frame: frame.is_signal_trampoline(),
            end: FileAddr::new(frame.end_address()),
            encoding: frame.cie().encoding(),
        })
    }

    fn register(&self, number: u16) -> Option<&RegisterRule<usize>> {
        self.registers.iter().find(|(known, _)| *known == number).map(|(_, rule)| rule)
    }
}

/// One frame with the rule that holds at its address.
pub(super) struct Step<'a> {
    pub(super) pc: MemAddr,
    pub(super) registers: &'a Registers,
    pub(super) memory: &'a dyn Memory,
    pub(super) image: &'a Image,
    pub(super) bias: Bias,
    pub(super) rule: &'a Rule,
}

impl Step<'_> {
    /// The caller; `Ok(None)`: the rule says that there is none.
    pub(super) fn caller(&self) -> Result<Option<CallerFrame>, UnwindError> {
        let return_address = self.rule.return_address;
        // Start-up code says so: there is no caller.
        if matches!(self.rule.register(return_address), None | Some(RegisterRule::Undefined)) {
            return Ok(None);
        }
        let cfa = self.cfa()?;
        let signal_frame = self.rule.signal_frame;
        if !signal_frame && cfa <= self.registers.sp() {
            return Err(self.bad("the caller's frame would lie below its callee's"));
        }
        let mut caller = Registers::unknown(self.registers.fs_base);
        for number in FOLLOWED {
            // What cannot be restored is unknown; only without a return address there is no caller at all.
            caller.set(DwarfRegister(number), self.restored(number, cfa).ok().flatten());
        }
        let pc = self.restored(return_address, cfa).map_err(|stopped| self.stopped(stopped))?;
        caller.set(DwarfRegister::RA, pc);
        if caller.get(DwarfRegister::RSP).is_none() {
            caller.set(DwarfRegister::RSP, Some(cfa.raw()));
        }
        // What was interrupted may have been on its way to nowhere: a call through a null pointer.
        let goes_on = pc.is_some_and(|pc| pc != 0 || signal_frame);
        Ok(goes_on.then_some(CallerFrame { registers: caller, cfa, signal_frame, found: Found::Rules }))
    }

    fn cfa(&self) -> Result<MemAddr, UnwindError> {
        let cfa = match &self.rule.cfa {
            CfaRule::RegisterAndOffset { register, offset } => {
                crate::expression::register(self.registers, register.0).map(|base| base.wrapping_add_signed(*offset))
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None),
        };
        cfa.map(MemAddr::new).map_err(|stopped| self.stopped(stopped))
    }

    /// A register's value in the caller; `None`: not known there.
    fn restored(&self, number: u16, cfa: MemAddr) -> Result<Option<u64>, Stopped> {
        let own = self.registers.get(DwarfRegister(number));
        Ok(match self.rule.register(number) {
            None => own.filter(|_| CALLEE_SAVED.contains(&number)),
            Some(RegisterRule::SameValue) => own,
            Some(RegisterRule::Offset(offset)) => Some(self.memory.read_u64(cfa.offset(*offset))?),
            Some(RegisterRule::ValOffset(offset)) => Some(cfa.offset(*offset).raw()),
            Some(RegisterRule::Register(other)) => self.registers.get(DwarfRegister(other.0)),
            Some(RegisterRule::Expression(expression)) => {
                let address = self.evaluate(expression, Some(cfa.raw()))?;
                Some(self.memory.read_u64(MemAddr::new(address))?)
            }
            Some(RegisterRule::ValExpression(expression)) => Some(self.evaluate(expression, Some(cfa.raw()))?),
            Some(RegisterRule::Constant(value)) => Some(*value),
            Some(_) => None,
        })
    }

    fn evaluate(&self, expression: &UnwindExpression<usize>, initial: Option<u64>) -> Result<u64, Stopped> {
        let surroundings = Surroundings {
            memory: self.memory,
            registers: self.registers,
            cfa: None,
            bias: self.bias,
            reader: None,
            frame_base: &|| Err(unsupported("a frame base in an unwinding rule")),
            thread_local: &|_| None,
        };
        surroundings.number(expression.get(&self.image.eh_frame())?, self.rule.encoding, initial)
    }

    fn stopped(&self, stopped: Stopped) -> UnwindError {
        match stopped {
            Stopped::OptimisedOut => self.bad("it needs a value that was not kept"),
            Stopped::Failed(LocationError::Memory(error)) => error.into(),
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
