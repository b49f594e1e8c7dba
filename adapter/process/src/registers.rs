//! A thread's registers between the kernel's layout and the numbering of debug information.

use std::mem;

use weft_memory::{DwarfRegister, MemAddr, Registers};

use crate::{ProcessError, Tid, ptrace};

/// DWARF number of each general register and its place in the kernel's structure.
macro_rules! each_register {
    ($do:ident) => {
        $do!(0, rax);
        $do!(1, rdx);
        $do!(2, rcx);
        $do!(3, rbx);
        $do!(4, rsi);
        $do!(5, rdi);
        $do!(6, rbp);
        $do!(7, rsp);
        $do!(8, r8);
        $do!(9, r9);
        $do!(10, r10);
        $do!(11, r11);
        $do!(12, r12);
        $do!(13, r13);
        $do!(14, r14);
        $do!(15, r15);
        $do!(16, rip);
    };
}

/// The kernel's registers in DWARF's order.
fn from_kernel(kernel: &libc::user_regs_struct) -> Registers {
    let mut registers = Registers::unknown(kernel.fs_base);
    macro_rules! take {
        ($number:literal, $field:ident) => {
            registers.set(DwarfRegister($number), Some(kernel.$field));
        };
    }
    each_register!(take);
    registers.flags = Some(kernel.eflags);
    registers
}

/// Reads a stopped thread's registers.
pub(crate) fn read(tid: Tid) -> Result<Registers, ProcessError> {
    let kernel = ptrace::registers(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
    Ok(from_kernel(&kernel))
}

/// Writes the registers that are known in `registers`; the others keep their values.
pub(crate) fn write(tid: Tid, registers: &Registers) -> Result<(), ProcessError> {
    let mut kernel = ptrace::registers(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
    let pc_before = kernel.rip;
    macro_rules! put {
        ($number:literal, $field:ident) => {
            if let Some(value) = registers.get(DwarfRegister($number)) {
                kernel.$field = value;
            }
        };
    }
    each_register!(put);
    if kernel.rip != pc_before {
        // Else the kernel would take the new pc for that of the system call it is about to restart, two bytes off.
        kernel.orig_rax = u64::MAX;
    }
    ptrace::set_registers(tid, &kernel).map_err(|_| ProcessError::ThreadGone(tid))
}

/// Moves a stopped thread's pc, without a system call that it may have been interrupted in.
pub(crate) fn set_pc(tid: Tid, pc: MemAddr) -> Result<(), ProcessError> {
    let gone = |_| ProcessError::ThreadGone(tid);
    ptrace::poke_user(tid, mem::offset_of!(libc::user_regs_struct, orig_rax), u64::MAX).map_err(gone)?;
    ptrace::poke_user(tid, mem::offset_of!(libc::user_regs_struct, rip), pc.raw()).map_err(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_take_their_dwarf_numbers() {
        // SAFETY: user_regs_struct is plain data; all zeroes is a value of it.
        let mut kernel: libc::user_regs_struct = unsafe { mem::zeroed() };
        (kernel.rdx, kernel.rip, kernel.rsp, kernel.r15, kernel.fs_base) = (1, 2, 3, 4, 5);
        let registers = from_kernel(&kernel);
        assert_eq!(registers.get(DwarfRegister::RDX), Some(1));
        assert_eq!(registers.pc(), MemAddr::new(2));
        assert_eq!(registers.sp(), MemAddr::new(3));
        assert_eq!(registers.get(DwarfRegister(15)), Some(4));
        assert_eq!(registers.fs_base, 5);
    }
}
