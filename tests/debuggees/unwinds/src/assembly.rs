//! Code that no compiler wrote, and that says nothing of how to unwind it.

use std::arch::{global_asm, naked_asm};

global_asm!(
    ".text",
    // Faults without having touched the stack, in a loop that has no straight way out.
    ".globl asm_leaf",
    ".type asm_leaf, @function",
    "asm_leaf:",
    "2: test edi, edi",
    "je 3f",
    "ud2",
    "dec edi",
    "jmp 2b",
    "3: ret",
    ".size asm_leaf, . - asm_leaf",
    // Keeps registers and makes room, without a frame pointer.
    ".globl asm_framed",
    ".type asm_framed, @function",
    "asm_framed:",
    "push rbx",
    "push r12",
    "sub rsp, 24",
    "mov rbx, 7",
    "mov r12, 8",
    "mov rdi, 5",
    "call {back}",
    "add rsp, 24",
    "pop r12",
    "pop rbx",
    "ret",
    ".size asm_framed, . - asm_framed",
    // Has a frame pointer; where its stack pointer comes from is not to be seen.
    ".globl asm_pointer",
    ".type asm_pointer, @function",
    "asm_pointer:",
    "push rbp",
    "mov rbp, rsp",
    "and rsp, -64",
    "mov rdi, 6",
    "call {back}",
    "mov rsp, qword ptr [rip + asm_nowhere]",
    "hlt",
    ".size asm_pointer, . - asm_pointer",
    // Neither.
    ".globl asm_lost",
    ".type asm_lost, @function",
    "asm_lost:",
    "push rbp",
    "mov rbp, 12345",
    "mov rdi, 9",
    "call {back}",
    "mov rsp, qword ptr [rip + asm_nowhere]",
    "hlt",
    ".size asm_lost, . - asm_lost",
    // Through the procedure linkage table.
    ".globl asm_stub",
    ".type asm_stub, @function",
    "asm_stub:",
    "push rbx",
    "call getppid@PLT",
    "pop rbx",
    "ret",
    ".size asm_stub, . - asm_stub",
    ".data",
    "asm_nowhere: .quad 0",
    ".text",
    back = sym super::called_back,
);

unsafe extern "C" {
    fn asm_leaf(turns: u32);
    fn asm_framed() -> u64;
    fn asm_pointer() -> u64;
    fn asm_lost() -> u64;
    fn asm_stub() -> i32;
}

/// Changes the stack pointer, which its unwinding information (that of every naked function) does not say.
#[unsafe(naked)]
extern "C" fn asm_naked() {
    naked_asm!("push rbx", "xor ebx, ebx", "ud2", "pop rbx", "ret")
}

pub fn leaf() {
    // SAFETY: it faults, which is what it is for.
    unsafe { asm_leaf(1) } // BP: leaf
    println!("not reached");
}

pub fn naked() {
    asm_naked(); // BP: naked
    println!("not reached");
}

pub fn framed() {
    // SAFETY: it keeps the calling convention.
    let number = unsafe { asm_framed() }; // BP: framed
    println!("framed {number}");
}

pub fn by_frame_pointer() {
    // SAFETY: it never comes back.
    let number = unsafe { asm_pointer() }; // BP: pointer
    println!("not reached {number}");
}

pub fn lost() {
    // SAFETY: it never comes back.
    let number = unsafe { asm_lost() }; // BP: lost
    println!("not reached {number}");
}

pub fn stub() {
    // SAFETY: it keeps the calling convention.
    let parent = unsafe { asm_stub() }; // BP: stub
    println!("my parent is {}", parent > 0);
}

/// `push rbp; mov rbp, rsp; call rdi; pop rbp; ret`.
const GENERATED: [u8; 8] = [0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3];

pub fn generated() {
    // SAFETY: a page of our own, with code that keeps the calling convention.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        std::ptr::copy_nonoverlapping(GENERATED.as_ptr(), page.cast(), GENERATED.len());
        let code: extern "C" fn(extern "C" fn(u64) -> u64) -> u64 = std::mem::transmute(page);
        let number = code(super::called_back); // BP: generated
        println!("generated {number}");
    }
}
