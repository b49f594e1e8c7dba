//! Handlers of signals.

use std::arch::{asm, global_asm};
use std::hint::black_box;

// What the C library gives the kernel to return from a handler, without a word to debuggers.
global_asm!(
    ".text",
    ".globl bare_trampoline",
    ".type bare_trampoline, @function",
    "bare_trampoline:",
    "mov $15, %rax",
    "syscall",
    ".size bare_trampoline, . - bare_trampoline",
    options(att_syntax)
);

unsafe extern "C" {
    fn bare_trampoline();
}

extern "C" fn on_signal(signal: i32) {
    println!("handling {signal}"); // BP: handler
}

extern "C" fn on_first(signal: i32) {
    interrupt(black_box(signal + 2)); // BP: first handler
}

fn install(signal: i32, handler: extern "C" fn(i32), flags: i32) {
    // SAFETY: the handlers are called while nothing else goes on in this program.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

/// Sends a signal to this very thread, which is interrupted here.
#[inline(never)]
fn interrupt(signal: i32) {
    // SAFETY: tgkill touches no memory.
    unsafe {
        let (pid, tid) = (libc::getpid(), libc::gettid());
        asm!("syscall", "nop", inlateout("rax") libc::SYS_tgkill => _, in("rdi") pid, in("rsi") tid, in("rdx") signal,
            lateout("rcx") _, lateout("r11") _); // BP: interrupted
    }
    println!("went on after {signal}");
}

pub fn on_the_same_stack() {
    install(libc::SIGUSR1, on_signal, 0);
    interrupt(libc::SIGUSR1); // BP: same stack
}

pub fn on_another_stack() {
    let mut room = vec![0_u8; 1 << 16];
    let stack = libc::stack_t { ss_sp: room.as_mut_ptr().cast(), ss_flags: 0, ss_size: room.len() };
    // SAFETY: the room lives until the handler has returned.
    assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
    install(libc::SIGUSR1, on_signal, libc::SA_ONSTACK);
    interrupt(libc::SIGUSR1); // BP: other stack
    let none = libc::stack_t { ss_flags: libc::SS_DISABLE, ..stack };
    // SAFETY: nobody is on it any more.
    assert_eq!(unsafe { libc::sigaltstack(&none, std::ptr::null_mut()) }, 0);
}

/// A handler that is interrupted by another one, which has a stack of its own.
pub fn within_one_another() {
    let mut room = vec![0_u8; 1 << 16];
    let stack = libc::stack_t { ss_sp: room.as_mut_ptr().cast(), ss_flags: 0, ss_size: room.len() };
    // SAFETY: the room lives until the program ends.
    assert_eq!(unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) }, 0);
    install(libc::SIGUSR1, on_first, 0);
    install(libc::SIGUSR2, on_signal, libc::SA_ONSTACK);
    interrupt(libc::SIGUSR1); // BP: nested
    std::mem::forget(room);
}

/// The kernel's own structure, to choose the trampoline.
#[repr(C)]
struct KernelAction {
    handler: extern "C" fn(i32),
    flags: u64,
    restorer: unsafe extern "C" fn(),
    mask: u64,
}

pub fn through_a_bare_trampoline() {
    let restorer = 0x0400_0000;
    let action = KernelAction { handler: on_signal, flags: restorer, restorer: bare_trampoline, mask: 0 };
    // SAFETY: the structure is the kernel's `struct sigaction` of x86-64; eight bytes of mask.
    let set = unsafe { libc::syscall(libc::SYS_rt_sigaction, libc::SIGUSR1, &action, std::ptr::null::<u8>(), 8_usize) };
    assert_eq!(set, 0);
    interrupt(libc::SIGUSR1); // BP: bare
}
