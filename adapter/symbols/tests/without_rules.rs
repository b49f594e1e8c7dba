//! Code without unwinding information: what leads on is checked, and what cannot be checked is not followed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use weft_memory::{Bytes, DwarfRegister, MemAddr, Registers};
use weft_symbols::{CallerFrame, Found, Modules, UnwindError};

const CODE: u64 = 0x40_0000;
const CALLER: u64 = 0x50_0000;
/// Behind the caller's call.
const RETURN: u64 = CALLER + 5;
const STACK: u64 = 0x7000_0000;

/// A piece of code, a caller whose call ends at `RETURN`, and a stack of these words.
fn memory(code: &[u8], stack: &[u64]) -> Bytes {
    let mut caller = vec![0xe8];
    caller.extend((CODE.wrapping_sub(RETURN) as u32).to_le_bytes());
    Bytes::new()
        .with_code(MemAddr::new(CODE), code)
        .with_code(MemAddr::new(CALLER), caller)
        .with_words(MemAddr::new(STACK), stack)
}

/// At `pc`, with the stack pointer at the stack's begin, `rbx` = 3 and `rbp` as given.
fn registers(pc: u64, rbp: u64) -> Registers {
    let mut registers = Registers::unknown(0);
    for (number, value) in [(DwarfRegister::RA, pc), (DwarfRegister::RSP, STACK), (DwarfRegister::RBP, rbp)] {
        registers.set(number, Some(value));
    }
    registers.set(DwarfRegister::RBX, Some(3));
    registers.set(DwarfRegister::RAX, Some(1));
    registers
}

fn caller(code: &[u8], at: u64, rbp: u64, stack: &[u64]) -> Result<Option<CallerFrame>, UnwindError> {
    Modules::default().caller(&registers(CODE + at, rbp), false, &memory(code, stack))
}

fn get(frame: &CallerFrame, register: DwarfRegister) -> Option<u64> {
    frame.registers.get(register)
}

/// How the caller was found, and its stack pointer from the stack's begin; it is the caller.
fn found(code: &[u8], at: u64, rbp: u64, stack: &[u64]) -> (Found, u64) {
    let frame = caller(code, at, rbp, stack).unwrap().unwrap();
    assert_eq!(frame.registers.pc(), MemAddr::new(RETURN));
    assert!(!frame.signal_frame && frame.cfa <= frame.registers.sp());
    (frame.found, frame.registers.sp().raw() - STACK)
}

#[test]
fn a_leaf_is_left_by_its_return() {
    // 2: test edi, edi; je 3f; ud2; dec edi; jmp 2b; 3: ret
    let code = [0x85, 0xff, 0x74, 0x06, 0x0f, 0x0b, 0xff, 0xcf, 0xeb, 0xf6, 0xc3];
    for at in [0, 2, 4, 6, 8, 10] {
        assert_eq!(found(&code, at, 99, &[RETURN]), (Found::Code, 8), "at {at}");
    }
    // `ret 16` takes two arguments away.
    assert_eq!(found(&[0xc2, 16, 0], 0, 99, &[RETURN, 0, 0]), (Found::Code, 24));
}

#[test]
fn what_was_saved_comes_back() {
    // push rbx; sub rsp, 8; mov rbx, rdi; call +0; add rsp, 8; pop rbx; ret
    let code = [0x53, 0x48, 0x83, 0xec, 8, 0x48, 0x89, 0xfb, 0xe8, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 8, 0x5b, 0xc3];
    let frame = caller(&code, 13, 99, &[0, 42, RETURN]).unwrap().unwrap();
    assert_eq!((frame.found, get(&frame, DwarfRegister::RBX)), (Found::Code, Some(42)));
    assert_eq!((get(&frame, DwarfRegister::RBP), get(&frame, DwarfRegister::RAX)), (Some(99), None));
    // From its begin, where nothing is saved yet.
    let frame = caller(&code, 0, 99, &[RETURN]).unwrap().unwrap();
    assert_eq!(get(&frame, DwarfRegister::RBX), Some(3));
    // push rbp; mov rbp, rsp; sub rsp, 32; nop; leave; ret
    let framed = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 32, 0x90, 0xc9, 0xc3];
    for (at, rbp, stack) in [
        (0, 77, &[RETURN][..]),
        (1, 77, &[77, RETURN]),
        (4, STACK, &[77, RETURN]),
        (8, STACK + 32, &[0, 0, 0, 0, 77, RETURN]),
        (10, 77, &[RETURN]),
    ] {
        let frame = caller(&framed, at, rbp, stack).unwrap().unwrap();
        assert_eq!((frame.found, get(&frame, DwarfRegister::RBP)), (Found::Code, Some(77)), "at {at}");
    }
}

#[test]
fn stubs_of_the_linkage_table_are_left_through_their_jump() {
    // endbr64; bnd jmp [rip+…]
    let secure = [0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0, 1, 0, 0];
    assert_eq!([0, 4].map(|at| found(&secure, at, 99, &[RETURN])), [(Found::Code, 8); 2]);
    // plt0: push [rip+…]; jmp [rip+…]; nop; stub: jmp [rip+…]; push 5; jmp plt0
    let mut lazy = vec![0xff, 0x35, 0, 1, 0, 0, 0xff, 0x25, 0, 1, 0, 0, 0x0f, 0x1f, 0x40, 0];
    lazy.extend([0xff, 0x25, 0, 1, 0, 0, 0x68, 5, 0, 0, 0, 0xe9, 0xe0, 0xff, 0xff, 0xff]);
    for (at, stack) in
        [(16, &[RETURN][..]), (22, &[RETURN]), (27, &[5, RETURN]), (0, &[5, RETURN]), (6, &[9, 5, RETURN])]
    {
        let place = found(&lazy, at, 99, stack);
        assert_eq!(place, (Found::Code, stack.len() as u64 * 8), "at {at}");
    }
}

#[test]
fn a_jump_through_a_register_leaves_only_what_was_called() {
    // jmp rax: to another function, or on in this one.
    let code = [0xff, 0xe0];
    assert_eq!(found(&code, 0, 99, &[RETURN]), (Found::Code, 8));
    // What is on top of the stack belongs to a call of other code: it was left there.
    let elsewhere = CALLER + 0x105;
    let memory = memory(&code, &[elsewhere]).with_code(MemAddr::new(CALLER + 0x100), [0xe8, 0, 0, 0, 0]);
    let outcome = Modules::default().caller(&registers(CODE, 99), false, &memory);
    assert_eq!(outcome, Err(UnwindError::NoRule(MemAddr::new(CODE))));
}

#[test]
fn the_frame_pointer_leads_on_where_it_is_one() {
    // mov rsp, [rip+…]; hlt: where the stack pointer comes from is not to be seen.
    let code = [0x48, 0x8b, 0x25, 0, 1, 0, 0, 0xf4];
    let stack = [0, 0, 77, RETURN, 0];
    let frame = caller(&code, 0, STACK + 16, &stack).unwrap().unwrap();
    assert_eq!((frame.found, frame.registers.pc().raw(), frame.cfa.raw()), (Found::FramePointer, RETURN, STACK + 32));
    let known = [DwarfRegister::RBP, DwarfRegister::RSP, DwarfRegister::RBX].map(|register| get(&frame, register));
    assert_eq!(known, [Some(77), Some(STACK + 32), None]);
    let refused = |rbp, stack: &[u64]| caller(&code, 0, rbp, stack) == Err(UnwindError::NoRule(MemAddr::new(CODE)));
    // Below the stack pointer, off the stack, not aligned, at its end; not behind a call; not in code.
    assert!([STACK - 16, 0x9000_0000, STACK + 12, STACK + 32].into_iter().all(|rbp| refused(rbp, &stack)));
    assert!(refused(STACK + 16, &[0, 0, 77, RETURN + 1, 0]) && refused(STACK + 16, &[0, 0, 77, STACK + 8, 0]));
    // Where a frame is left out: the call at the return address leads to other code than this.
    let elsewhere = memory(&code, &stack).with_code(MemAddr::new(CALLER + 0x100), [0xe8, 0, 0, 0, 0]);
    let above = [0, 0, 77, CALLER + 0x105, 0];
    let other = elsewhere.with_words(MemAddr::new(STACK + 0x100), &above);
    let mut registers = registers(CODE, STACK + 0x110);
    registers.set(DwarfRegister::RSP, Some(STACK + 0x100));
    assert_eq!(Modules::default().caller(&registers, false, &other), Err(UnwindError::NoRule(MemAddr::new(CODE))));
    // A frame pointer of zero says that there is no caller.
    assert_eq!(caller(&code, 0, 0, &stack), Ok(None));
}

#[test]
fn a_call_to_nowhere_was_made_by_who_is_on_top_of_the_stack() {
    for pc in [0, 0x1234, STACK + 8] {
        let outcome = Modules::default().caller(&registers(pc, 99), false, &memory(&[], &[RETURN]));
        let frame = outcome.unwrap().unwrap();
        assert_eq!((frame.found, frame.registers.pc().raw(), frame.cfa.raw()), (Found::WildCall, RETURN, STACK + 8));
        assert_eq!((get(&frame, DwarfRegister::RBX), get(&frame, DwarfRegister::RAX)), (Some(3), Some(1)));
    }
    let nothing = Modules::default().caller(&registers(0, 99), false, &memory(&[], &[5]));
    assert_eq!(nothing, Err(UnwindError::NoCode(MemAddr::new(0))));
    // As a return address zero is the end of the stack.
    assert_eq!(Modules::default().caller(&registers(0, 99), true, &memory(&[], &[RETURN])), Ok(None));
}

#[test]
fn a_bare_trampoline_is_known_by_its_code() {
    // The context's registers lie 40 bytes in: r8 first, rip last.
    let mut words = vec![0; 5];
    words.extend((0..17).map(|word| 0x100 + word));
    for code in [&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05][..], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]] {
        for (at, returned) in [(0, true), (0, false), (code.len() as u64 - 2, false)] {
            let registers = registers(CODE + at, 99);
            let frame = Modules::default().caller(&registers, returned, &memory(code, &words)).unwrap().unwrap();
            assert!(frame.signal_frame);
            let known =
                [DwarfRegister(8), DwarfRegister::RBP, DwarfRegister::RBX, DwarfRegister::RSP, DwarfRegister::RA];
            let values = known.map(|register| get(&frame, register));
            assert_eq!(values, [Some(0x100), Some(0x10a), Some(0x10b), Some(0x10f), Some(0x110)], "at {at}");
        }
    }
    // Another system call is none.
    assert!(caller(&[0xb8, 0x0e, 0, 0, 0, 0x0f, 0x05, 0xf4], 0, 99, &words).is_err());
}

#[test]
fn code_of_any_kind_is_followed_within_bounds() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let code: Vec<u8> = (0..512).flat_map(|_| next().to_le_bytes()).collect();
        let stack: Vec<u64> = (0..64).map(|_| if next() % 4 == 0 { RETURN } else { STACK + next() % 600 }).collect();
        let outcome = caller(&code, next() % 512, STACK + next() % 64 * 8, &stack);
        assert!(outcome.is_err() || outcome.is_ok_and(|frame| frame.is_none_or(|frame| frame.cfa.raw() > STACK)));
    }
    // Jumps to itself; pushes for ever; branches at every step.
    let endless = [vec![0xeb, 0xfe], vec![0x50; 4096], [0x74, 0x02].repeat(2048), [0x74, 0x80].repeat(2048)];
    for code in endless {
        assert_eq!(
            caller(&code, 2048.min(code.len() as u64 - 2), 99, &[0]),
            Err(UnwindError::NoRule(MemAddr::new(CODE + 2048.min(code.len() as u64 - 2))))
        );
    }
}
