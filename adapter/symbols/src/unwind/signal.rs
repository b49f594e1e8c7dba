//! Out of a signal handler through a trampoline that has no unwinding information (musl's).
//!
//! Layout: the kernel pushes `struct rt_sigframe` (Linux, `arch/x86/include/asm/sigframe.h`): the trampoline's address,
//! which the handler's return has popped, then a `ucontext_t`, whose registers (`struct sigcontext_64`) begin 40 bytes in.

use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};

use super::{CallerFrame, Found};

/// `mov rax, 15` (`rt_sigreturn`), as assemblers write it, and `syscall`; the same with `mov eax, 15`.
const TRAMPOLINES: [&[u8]; 2] = [&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]];
/// Bytes of the `syscall` that ends them.
const SYSCALL: usize = 2;

/// Where `sigcontext_64` begins in a `ucontext_t`.
const CONTEXT: u64 = 40;
/// DWARF numbers of the registers in `sigcontext_64`, in its order: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
const ORDER: [u16; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];

/// What a signal interrupted, if the frame with these registers is a trampoline by its code.
pub(super) fn interrupted(registers: &Registers, memory: &dyn Memory) -> Option<CallerFrame> {
    if !is_trampoline(registers.pc(), memory) {
        return None;
    }
    let context = registers.sp().checked_add(CONTEXT)?;
    let mut bytes = [0; ORDER.len().wrapping_mul(8)];
    memory.read_exact(context, &mut bytes).ok()?;
    let mut before = Registers::unknown(registers.fs_base);
    for (number, word) in ORDER.into_iter().zip(bytes.chunks_exact(8)) {
        before.set(DwarfRegister(number), word.first_chunk().map(|word| u64::from_le_bytes(*word)));
    }
    Some(CallerFrame { registers: before, cfa: before.sp(), signal_frame: true, found: Found::Rules })
}

/// Whether the code at an address is a trampoline's: from its begin, or its system call alone.
fn is_trampoline(pc: MemAddr, memory: &dyn Memory) -> bool {
    TRAMPOLINES.into_iter().any(|code| {
        let call = code.len().saturating_sub(SYSCALL);
        [0, call].into_iter().any(|skipped| {
            let mut found = [0; 9];
            let (Some(start), Some(found)) = (pc.checked_sub(skipped as u64), found.get_mut(..code.len())) else {
                return false;
            };
            memory.read_exact(start, found).is_ok() && found == code
        })
    })
}
