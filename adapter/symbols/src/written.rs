//! Whether a variable on the stack has been written by the time that a poll comes somewhere.
//!
//! A variable's scope begins before its value does (`while let Some(n) = next().await`), and what is not kept across an
//! `.await` lies on a stack that is new after it. Where every way from the poll's beginning has come by an instruction that
//! writes the variable, it has a value; where none has, it has none.

use std::ops::Range;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use weft_memory::{FileAddr, MemAddr};

use crate::CodeFrame;
use crate::flow::Flow;

/// Bytes that one instruction writes, at most: more is moved by calls, which are given the address.
const WIDEST: u64 = 64;

/// The way that polls take which begin in one state, through code that is not optimised.
pub struct Course {
    flow: Flow,
    touches: Vec<Touch>,
    calls: Vec<u64>,
    has_frame_pointer: bool,
}

/// An instruction that writes to the stack, or takes an address there for somebody else to write to.
struct Touch {
    /// Of the instruction.
    at: u64,
    /// The stack pointer or the frame pointer.
    base: Register,
    /// From the base to the first byte.
    displacement: i64,
    /// How many bytes.
    size: u64,
    takes_address: bool,
}

/// Where a frame's part of the stack is, in memory.
#[derive(Clone, Copy, Debug)]
pub struct Bases {
    /// The stack pointer.
    pub sp: MemAddr,
    /// The register that may be a frame pointer.
    pub bp: Option<MemAddr>,
}

/// On how many of the ways a variable is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Written {
    Always,
    Sometimes,
    Never,
}

impl CodeFrame {
    /// The course of polls that begin in a state, by its place among the variants of the environment. `None` for inlined
    /// copies, for what is no poll function with an `.await`, and where not all jumps can be followed.
    pub fn course_from(&self, state: usize) -> Option<Course> {
        if self.inline_depth > 0 || !self.function.kind.is_coroutine() {
            return None;
        }
        let mut ranges: Vec<_> = self.ranges.iter().map(|range| range.start.raw()..range.end.raw()).collect();
        ranges.sort_by_key(|range| !range.contains(&self.entry.raw()));
        let mut flow = Flow::read(&self.image, &ranges, self.entry.raw())?;
        let table = flow.first_table(&ranges)?;
        flow.reduce(&table, *table.get(state)?);
        let mut course = Course { flow, touches: Vec::new(), calls: Vec::new(), has_frame_pointer: false };
        for range in &ranges {
            let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
            course.look(&self.image.loaded_bytes(range.start, length)?, range.start);
        }
        Some(course)
    }
}

impl Course {
    /// Notes what code does to the stack.
    fn look(&mut self, code: &[u8], start: u64) {
        let mut infos = InstructionInfoFactory::new();
        for instruction in Decoder::with_ip(64, code, start, DecoderOptions::NONE).iter() {
            if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
                self.calls.push(instruction.next_ip());
            }
            self.has_frame_pointer |= sets_frame_pointer(&instruction);
            let base = instruction.memory_base();
            let is_plain =
                instruction.memory_index() == Register::None && matches!(base, Register::RSP | Register::RBP);
            // Pushes and calls write below all variables.
            if !is_plain || instruction.is_stack_instruction() {
                continue;
            }
            let takes_address = instruction.mnemonic() == Mnemonic::Lea;
            let writes = |access| matches!(access, OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite);
            let wrote = infos.info(&instruction).used_memory().iter().any(|used| writes(used.access()));
            if takes_address || wrote {
                let size = instruction.memory_size().size() as u64;
                self.touches.push(Touch {
                    at: instruction.ip(),
                    base,
                    displacement: instruction.memory_displacement64().cast_signed(),
                    size: if takes_address { 1 } else { size.clamp(1, WIDEST) },
                    takes_address,
                });
            }
        }
        self.calls.sort_unstable();
    }

    /// On how many of the ways that lead to `pc`, from the poll's beginning or from `since`, what lies at `place` has been
    /// written. `None` where nothing is known to write it, or no way leads there.
    pub fn written(
        &self,
        pc: FileAddr,
        since: Option<FileAddr>,
        place: &Range<MemAddr>,
        bases: Bases,
    ) -> Option<Written> {
        let here = self.flow.block_at(pc.raw())?;
        let start = since.map_or(Some(self.flow.entry()), |since| self.flow.block_at(since.raw()))?;
        let block_of = |touch: &Touch| self.flow.block_at(touch.at);
        let counts = |touch: &&Touch| {
            let is_too_early = block_of(touch) == Some(start) && since.is_some_and(|since| touch.at < since.raw());
            self.is_at(touch, place, bases) && !is_too_early
        };
        if !self.touches.iter().any(|touch| self.is_at(touch, place, bases)) {
            return None;
        }
        let is_in = |reached: &[bool], block: usize| reached.get(block).copied().unwrap_or(false);
        let all = self.flow.reach(&[start], |_| false);
        if !is_in(&all, here) {
            return None;
        }
        let ours: Vec<&Touch> = self.touches.iter().filter(counts).collect();
        if ours.iter().any(|touch| block_of(touch) == Some(here) && self.is_done(touch, pc.raw())) {
            return Some(Written::Always);
        }
        let writers: Vec<usize> = ours.iter().filter_map(|touch| block_of(touch)).collect();
        let without = self.flow.reach(&[start], |block| writers.contains(&block));
        if here != start && !self.flow.before(here).any(|before| is_in(&without, before)) {
            return Some(Written::Always);
        }
        let behind = writers.iter().filter(|block| is_in(&all, **block)).flat_map(|block| self.flow.after(*block));
        let with = self.flow.reach(&behind.copied().collect::<Vec<_>>(), |_| false);
        Some(if is_in(&with, here) { Written::Sometimes } else { Written::Never })
    }

    fn is_at(&self, touch: &Touch, place: &Range<MemAddr>, bases: Bases) -> bool {
        let base = match touch.base {
            Register::RBP => bases.bp.filter(|_| self.has_frame_pointer),
            _ => Some(bases.sp),
        };
        let start = base.and_then(|base| base.raw().checked_add_signed(touch.displacement));
        start.is_some_and(|start| {
            start < place.end.raw() && start.checked_add(touch.size).is_some_and(|end| end > place.start.raw())
        })
    }

    /// Whether what a touch in the block of `pc` is for has been done there. Who is given an address writes when called.
    fn is_done(&self, touch: &Touch, pc: u64) -> bool {
        let is_called = || {
            let next = self.calls.partition_point(|behind| *behind <= touch.at);
            self.calls.get(next).is_some_and(|behind| *behind <= pc)
        };
        touch.at < pc && (!touch.takes_address || is_called())
    }
}

/// `mov rbp, rsp` or `lea rbp, [rsp + n]`.
fn sets_frame_pointer(instruction: &Instruction) -> bool {
    let from_stack = match instruction.mnemonic() {
        Mnemonic::Mov => instruction.op1_kind() == OpKind::Register && instruction.op1_register() == Register::RSP,
        Mnemonic::Lea => instruction.memory_base() == Register::RSP,
        _ => false,
    };
    from_stack && instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RBP
}
