//! The machine code that makes the calls: the same few instructions for all, which find what is to be called in the memory
//! behind them.
//!
//! They are assembled into weft's own code, where they are never executed, and copied from there.

use std::{arch::global_asm, ptr, slice};

/// Where the words lie, counted from the code: a page of their own, since code is not writable.
pub(super) const CODE_SIZE: usize = 4096;

/// The words at the begin of the data, by their place.
pub(super) mod head {
    /// Where the thread goes on that makes the round.
    pub(in super::super) const BACK: usize = 0;
    /// Where its vector registers are kept meanwhile.
    pub(in super::super) const AREA: usize = 1;
    /// The function that says where `errno` lies.
    pub(in super::super) const ERRNO: usize = 2;
    /// The list of what is called on the round.
    pub(in super::super) const ROUND: usize = 3;
    /// The list of what the routine calls.
    pub(in super::super) const ROUTINE: usize = 4;
    /// How floating point numbers are treated when a function is entered (`MXCSR`, as the ABI has it).
    pub(in super::super) const CONTROL: usize = 5;
    /// Not 0: the round is over but for the last jump.
    pub(in super::super) const PASSED: usize = 6;
    /// How many words there are.
    pub(in super::super) const LENGTH: usize = 8;
}

/// A call in a list: the function, where each of six arguments lies, where the answer belongs. A list ends with a zero.
pub(super) const CALL_WORDS: usize = 8;

global_asm!(
    ".pushsection .text.weft_calls, \"ax\", @progbits",
    ".balign 64",
    ".hidden weft_calls_code",
    ".globl weft_calls_code",
    ".hidden weft_calls_routine",
    ".globl weft_calls_routine",
    ".hidden weft_calls_same",
    ".globl weft_calls_same",
    ".hidden weft_calls_end",
    ".globl weft_calls_end",
    // The round: a thread comes here in the middle of anything, and goes on there as if nothing had been.
    "weft_calls_code:",
    // Below the stack pointer 128 bytes may be in use.
    "lea rsp, [rsp - 128]",
    "pushfq",
    "push rax",
    "push rbx",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push rbp",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov rbp, rsp",
    "and rsp, -64",
    "cld",
    "lea r14, [rip + weft_calls_code + 4096]",
    "mov rbx, [r14 + 8]",
    "mov eax, -1",
    "mov edx, -1",
    "xsave64 [rbx]",
    "fninit",
    "ldmxcsr [r14 + 40]",
    "call [r14 + 16]",
    "mov r12, rax",
    "mov r13d, [rax]",
    "mov rdi, [r14 + 24]",
    "call weft_calls_run",
    "mov [r12], r13d",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rbx]",
    "mov qword ptr [r14 + 48], 1",
    "mov rsp, rbp",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rbp",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rbx",
    "pop rax",
    "popfq",
    "lea rsp, [rsp + 128]",
    "jmp [rip + weft_calls_code + 4096]",
    // The routine: a function like any other, which takes what it is given for nothing and returns 0.
    ".balign 16",
    "weft_calls_routine:",
    "push rbx",
    "mov rdi, [rip + weft_calls_code + 4096 + 32]",
    "call weft_calls_run",
    "xor eax, eax",
    "pop rbx",
    "ret",
    // Calls what is in the list at rdi.
    ".balign 16",
    "weft_calls_run:",
    "push rbx",
    "mov rbx, rdi",
    "2:",
    "mov rax, [rbx]",
    "test rax, rax",
    "je 3f",
    "mov rdi, [rbx + 8]",
    "mov rdi, [rdi]",
    "mov rsi, [rbx + 16]",
    "mov rsi, [rsi]",
    "mov rdx, [rbx + 24]",
    "mov rdx, [rdx]",
    "mov rcx, [rbx + 32]",
    "mov rcx, [rcx]",
    "mov r8, [rbx + 40]",
    "mov r8, [r8]",
    "mov r9, [rbx + 48]",
    "mov r9, [r9]",
    "call rax",
    "mov rcx, [rbx + 56]",
    "mov [rcx], rax",
    "add rbx, 64",
    "jmp 2b",
    "3:",
    "pop rbx",
    "ret",
    // Answers its argument.
    ".balign 16",
    "weft_calls_same:",
    "mov rax, rdi",
    "ret",
    "weft_calls_end:",
    ".popsection",
);

unsafe extern "C" {
    static weft_calls_code: u8;
    static weft_calls_routine: u8;
    static weft_calls_same: u8;
    static weft_calls_end: u8;
}

/// The code, which begins with the round.
pub(super) fn bytes() -> &'static [u8] {
    let (start, end) = (ptr::addr_of!(weft_calls_code), ptr::addr_of!(weft_calls_end));
    // SAFETY: the two labels are the begin and the end of one piece of code, which is mapped readable and never written.
    unsafe { slice::from_raw_parts(start, end.addr().saturating_sub(start.addr())) }
}

/// How far behind its begin the routine lies.
pub(super) fn routine() -> u64 {
    (ptr::addr_of!(weft_calls_routine).addr().saturating_sub(ptr::addr_of!(weft_calls_code).addr())) as u64
}

/// How far behind its begin the function lies that answers its argument.
pub(super) fn same() -> u64 {
    (ptr::addr_of!(weft_calls_same).addr().saturating_sub(ptr::addr_of!(weft_calls_code).addr())) as u64
}
