//! Roles for threads that are called in: one that notices what is changed under it, one that takes a lock, one that waits.

use std::{
    arch::global_asm,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use super::{line, say};

global_asm!(
    // Answers a + 2b + 4c + 8d + 16e + 32f, changes whatever a function may, sets errno, and needs its stack aligned.
    ".globl weft_called",
    "weft_called:",
    "movaps [rsp - 24], xmm0",
    "lea rax, [rdi + 2 * rsi]",
    "lea rax, [rax + 4 * rdx]",
    "lea rax, [rax + 8 * rcx]",
    "shl r8, 4",
    "add rax, r8",
    "shl r9, 5",
    "add rax, r9",
    "push rax",
    "call __errno_location@PLT",
    "mov dword ptr [rax], 77",
    "pop rax",
    "pcmpeqd xmm0, xmm0",
    "movaps xmm1, xmm0",
    "movaps xmm7, xmm0",
    "movaps xmm15, xmm0",
    "mov rcx, -1",
    "mov rdx, rcx",
    "mov rsi, rcx",
    "mov rdi, rcx",
    "mov r8, rcx",
    "mov r9, rcx",
    "mov r10, rcx",
    "mov r11, rcx",
    "cmp rcx, rcx",
    "ret",
    // Keeps values in registers, below the stack pointer and in the carry flag for rdi rounds. Answers what is still there.
    ".globl weft_keeps",
    "weft_keeps:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov rcx, rdi",
    "mov rax, 1",
    "mov rbx, 2",
    "mov rdx, 3",
    "mov rsi, 4",
    "mov rdi, 5",
    "mov rbp, 6",
    "mov r8, 7",
    "mov r9, 8",
    "mov r10, 9",
    "mov r11, 10",
    "mov r12, 11",
    "mov r13, 12",
    "mov r14, 13",
    "mov r15, 14",
    "movq xmm0, r8",
    "movq xmm1, r9",
    "movq xmm7, r10",
    "movq xmm15, r11",
    "mov [rsp - 8], r12",
    "mov [rsp - 128], r13",
    "stc",
    // Neither changes the carry flag.
    "2: lea rcx, [rcx - 1]",
    "jrcxz 3f",
    "jmp 2b",
    "3:",
    "adc rax, rbx",
    "add rax, rdx",
    "add rax, rsi",
    "add rax, rdi",
    "add rax, rbp",
    "add rax, r8",
    "add rax, r9",
    "add rax, r10",
    "add rax, r11",
    "add rax, r12",
    "add rax, r13",
    "add rax, r14",
    "add rax, r15",
    "movq rcx, xmm0",
    "add rax, rcx",
    "movq rcx, xmm1",
    "add rax, rcx",
    "movq rcx, xmm7",
    "add rax, rcx",
    "movq rcx, xmm15",
    "add rax, rcx",
    "add rax, [rsp - 8]",
    "add rax, [rsp - 128]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    // Takes the lock at rdi for some 150 instructions, and does without it for some 900.
    ".globl weft_takes",
    "weft_takes:",
    "lock inc qword ptr [rdi]",
    "mov ecx, 30",
    "2: nop",
    "nop",
    "nop",
    "dec ecx",
    "jne 2b",
    "lock dec qword ptr [rdi]",
    "mov ecx, 300",
    "3: nop",
    "dec ecx",
    "jne 3b",
    "ret",
);

unsafe extern "C" {
    pub(crate) fn weft_called(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64;
    fn weft_keeps(rounds: u64) -> u64;
    fn weft_takes(lock: *const AtomicU64);
}

/// 1 + 2 + … + 14, the carry, what the vector registers have, and what lies below the stack pointer.
const KEPT: u64 = 105 + 1 + (7 + 8 + 9 + 10) + (11 + 12);

/// This thread's number.
fn own() -> i32 {
    // SAFETY: gettid takes nothing.
    unsafe { libc::gettid() }
}

fn addresses() -> String {
    format!("called={} errno={}", weft_called as *const () as usize, libc::__errno_location as *const () as usize)
}

/// A thread keeps values until told to end; says how often they were not what they had been.
pub(super) fn keeps() {
    let (end, wrong) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            say(&format!("{} tid={}", addresses(), own()));
            while !end.load(Ordering::Relaxed) {
                // SAFETY: the function keeps to the calling convention.
                let kept = unsafe { weft_keeps(100_000) };
                wrong.fetch_add(u64::from(kept != KEPT), Ordering::Relaxed);
            }
        });
        line();
        end.store(true, Ordering::Relaxed);
    });
    say(&wrong.into_inner().to_string());
}

/// A thread takes a lock again and again.
pub(super) fn takes() {
    let (end, lock) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            say(&format!("lock={} tid={}", &raw const lock as usize, own()));
            while !end.load(Ordering::Relaxed) {
                // SAFETY: the function keeps to the calling convention; the lock outlives it.
                unsafe { weft_takes(&lock) };
            }
        });
        line();
        end.store(true, Ordering::Relaxed);
    });
    say(&lock.into_inner().to_string());
}

/// Waits for standard input with an `errno` of its own; says what came of both.
pub(super) fn awaits() {
    let mut input = libc::pollfd { fd: 0, events: libc::POLLIN, revents: 0 };
    say(&format!("{} tid={}", addresses(), own()));
    // SAFETY: errno is this thread's own; one pollfd of ours.
    let (ready, error) = unsafe {
        *libc::__errno_location() = 5;
        let ready = libc::poll(&mut input, 1, 600_000);
        (ready, *libc::__errno_location())
    };
    say(&format!("{ready} {error}"));
}
