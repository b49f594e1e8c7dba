//! Through the frame pointer, where it is one.

use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};

use super::{CallerFrame, Found};
use crate::Modules;

/// The caller by `rbp`: the word it points to is the caller's own frame pointer, the one above it the return address
/// (System V ABI for x86-64, 3.2.2). Only if it lies on the stack, above the stack pointer, aligned, and the return
/// address lies behind a call that may have led here.
pub(super) fn caller(modules: &Modules, registers: &Registers, memory: &dyn Memory) -> Option<CallerFrame> {
    let frame = MemAddr::new(registers.get(DwarfRegister::RBP)?);
    let sp = registers.sp();
    let stack = memory.region(sp)?.range;
    if frame < sp || !frame.raw().is_multiple_of(8) || !stack.contains(&frame) {
        return None;
    }
    let above = frame.checked_add(8)?;
    let (saved, pc) = (memory.read_u64(frame).ok()?, memory.read_pointer(above).ok()?);
    // A function without a frame of its own leaves the pointer of one further out: that one was not called from there.
    if !modules.may_have_called(pc, registers.pc(), memory) {
        return None;
    }
    let cfa = above.checked_add(8)?;
    let mut caller = Registers::unknown(registers.fs_base);
    caller.set(DwarfRegister::RBP, Some(saved));
    caller.set(DwarfRegister::RSP, Some(cfa.raw()));
    caller.set(DwarfRegister::RA, Some(pc.raw()));
    Some(CallerFrame { registers: caller, cfa, signal_frame: false, found: Found::FramePointer })
}
