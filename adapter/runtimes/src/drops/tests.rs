//! The machine on code written by hand. What is dropped has 64 bytes; its state is at 24, a drop flag at 25.

use weft_memory::{Bytes, MemAddr};

use super::machine::{Course, Function, Machine, agree};

const CODE: u64 = 0x1000;
const GLUE: u64 = 0x2000;
const PANICS: u64 = 0x2100;
const OTHER: u64 = 0x2200;
const TABLE: u64 = 0x3000;
const VALUE: u64 = 0x5000;

/// Drops a word: `sub rsp, 8; mov [rsp], rdi; movzx eax, byte ptr [rdi+24]; cmp eax, 3; jne 1f; mov rdi, [rsp];
/// add rdi, 32; call GLUE; 1: add rsp, 8; ret`.
const STATE: &[u8] = &[
    0x48, 0x83, 0xec, 0x08, 0x48, 0x89, 0x3c, 0x24, 0x0f, 0xb6, 0x47, 0x18, 0x83, 0xf8, 0x03, 0x75, 0x0d, 0x48, 0x8b,
    0x3c, 0x24, 0x48, 0x83, 0xc7, 0x20, 0xe8, 0xe2, 0x0f, 0x00, 0x00, 0x48, 0x83, 0xc4, 0x08, 0xc3,
];

/// Follows code that drops a value with that state and flag, and a pointer in each word. Beside it lies a function
/// that reads where its argument leads: `mov rax, [rdi]; ret`.
fn follow(code: &[u8], state: u8, flag: u8) -> Course {
    let mut value = [0_u8; 64];
    for word in value.chunks_exact_mut(8) {
        word.copy_from_slice(&0x7f12_3456_7000_u64.to_le_bytes());
    }
    value[24] = state;
    value[25] = flag;
    let offset = |to: u64| u32::try_from(to.wrapping_sub(TABLE) & 0xffff_ffff).expect("32 bits").to_le_bytes();
    let table = [offset(CODE + 0x20), offset(CODE + 0x30)].concat();
    let memory = Bytes::new()
        .with_code(MemAddr::new(CODE), code)
        .with_code(MemAddr::new(OTHER), [0x48, 0x8b, 0x07, 0xc3])
        .with_code(MemAddr::new(TABLE), table)
        .with(MemAddr::new(VALUE), value);
    let function = |address: u64| match address {
        GLUE => Some(Function::Glue(8)),
        PANICS => Some(Function::Panics),
        OTHER => Some(Function::Other),
        _ => None,
    };
    let root = VALUE..VALUE + 64;
    let course = Machine::new(&memory, &function, root.clone(), root).run(CODE, VALUE);
    assert!(agree(&course.reads, &memory, VALUE), "it decided by what is there");
    course
}

/// The offsets that are looked at, from and to; none if it cannot be told.
fn seen(code: &[u8], state: u8, flag: u8) -> Option<Vec<(u64, u64)>> {
    let seen = follow(code, state, flag).seen?;
    Some(seen.into_iter().map(|part| (part.start, part.end)).collect())
}

#[test]
fn a_state_decides() {
    assert_eq!(seen(STATE, 3, 0), Some(vec![(24, 25), (32, 40)]));
    assert_eq!(seen(STATE, 4, 0), Some(vec![(24, 25)]));
}

#[test]
fn a_course_is_taken_again_where_its_reads_agree() {
    let course = follow(STATE, 3, 0);
    let like = |state: u8| Bytes::new().with(MemAddr::new(VALUE), [vec![9; 24], vec![state], vec![7; 39]].concat());
    assert!(agree(&course.reads, &like(3), VALUE) && !agree(&course.reads, &like(4), VALUE));
}

/// `test byte ptr [rdi+25], 1; je 1f; add rdi, 8; jmp GLUE; 1: ret`.
#[test]
fn a_drop_flag_decides() {
    let code = [0xf6, 0x47, 0x19, 0x01, 0x74, 0x09, 0x48, 0x83, 0xc7, 0x08, 0xe9, 0xf1, 0x0f, 0x00, 0x00, 0xc3];
    assert_eq!(seen(&code, 3, 1), Some(vec![(25, 26), (8, 16)]));
    assert_eq!(seen(&code, 3, 0), Some(vec![(25, 26)]));
}

/// `movzx eax, byte ptr [rdi+24]; lea rcx, [rip+TABLE]; movsxd rax, dword ptr [rcx+rax*4]; add rax, rcx; jmp rax`, then
/// `ret` and `mov rax, [rdi+8]; ret`.
#[test]
fn a_table_is_followed_as_far_as_it_goes() {
    let mut code = vec![
        0x0f, 0xb6, 0x47, 0x18, 0x48, 0x8d, 0x0d, 0xf5, 0x1f, 0x00, 0x00, 0x48, 0x63, 0x04, 0x81, 0x48, 0x01, 0xc8,
        0xff, 0xe0,
    ];
    code.resize(0x20, 0xcc);
    code.push(0xc3);
    code.resize(0x30, 0xcc);
    code.extend([0x48, 0x8b, 0x47, 0x08, 0xc3]);
    assert_eq!(seen(&code, 0, 0), Some(vec![(24, 25)]));
    assert_eq!(seen(&code, 1, 0), Some(vec![(24, 25), (8, 16)]));
    assert_eq!(seen(&code, 2, 0), None);
}

/// `push rbx; mov rbx, rdi`, twice `mov rax, [rbx+N]; lock dec qword ptr [rax]; jne 1f; lea rdi, [rbx+N]; call OTHER; 1:`,
/// `pop rbx; ret`.
#[test]
fn where_nothing_tells_both_ways_are_taken() {
    let code = [
        0x53, 0x48, 0x89, 0xfb, 0x48, 0x8b, 0x47, 0x08, 0xf0, 0x48, 0xff, 0x08, 0x75, 0x09, 0x48, 0x8d, 0x7b, 0x08,
        0xe8, 0xe9, 0x11, 0x00, 0x00, 0x48, 0x8b, 0x43, 0x20, 0xf0, 0x48, 0xff, 0x08, 0x75, 0x09, 0x48, 0x8d, 0x7b,
        0x20, 0xe8, 0xd6, 0x11, 0x00, 0x00, 0x5b, 0xc3,
    ];
    assert_eq!(seen(&code, 3, 0), Some(vec![(8, 16), (32, 40)]));
    let course = follow(&code, 3, 0);
    assert!(course.reads.values().all(Option::is_none), "pointers decide nothing");
}

/// `movups xmm0, [rdi+8]; ret`.
#[test]
fn whatever_reads_looks() {
    assert_eq!(seen(&[0x0f, 0x10, 0x47, 0x08, 0xc3], 3, 0), Some(vec![(8, 24)]));
}

/// `cmp byte ptr [rdi+24], 0; je 1f; call PANICS; mov rax, [rdi+8]; 1: mov rax, [rdi+16]; ret`.
#[test]
fn a_panic_is_an_end() {
    let code = [
        0x80, 0x7f, 0x18, 0x00, 0x74, 0x09, 0xe8, 0xf5, 0x10, 0x00, 0x00, 0x48, 0x8b, 0x47, 0x08, 0x48, 0x8b, 0x47,
        0x10, 0xc3,
    ];
    assert_eq!(seen(&code, 0, 0), Some(vec![(24, 25), (16, 24)]));
    assert_eq!(seen(&code, 1, 0), Some(vec![(24, 25)]));
}

/// A pointer to the value that is kept somewhere, given to nobody knows whom, or computed with what is not known.
#[test]
fn what_is_done_elsewhere_cannot_be_told() {
    // mov rax, [rdi]; mov [rax], rdi; ret
    assert_eq!(seen(&[0x48, 0x8b, 0x07, 0x48, 0x89, 0x38, 0xc3], 3, 0), None);
    // mov rax, [rdi]; call [rax+24]; ret
    assert_eq!(seen(&[0x48, 0x8b, 0x07, 0xff, 0x50, 0x18, 0xc3], 3, 0), None);
    // mov rax, [rdi]; jmp rax
    assert_eq!(seen(&[0x48, 0x8b, 0x07, 0xff, 0xe0], 3, 0), None);
    // mov rax, [rdi]; add rdi, rax; mov rcx, [rdi]; ret
    assert_eq!(seen(&[0x48, 0x8b, 0x07, 0x48, 0x01, 0xc7, 0x48, 0x8b, 0x0f, 0xc3], 3, 0), None);
    // mov rax, [rdi]; mov rcx, [rdi+rax*8]; ret
    assert_eq!(seen(&[0x48, 0x8b, 0x07, 0x48, 0x8b, 0x0c, 0xc7, 0xc3], 3, 0), None);
}

#[test]
fn code_without_an_end_is_given_up() {
    // 1: jmp 1b
    assert_eq!(seen(&[0xeb, 0xfe], 3, 0), None);
    // 1: sub rsp, 8; call 1b
    assert_eq!(seen(&[0x48, 0x83, 0xec, 0x08, 0xe8, 0xf7, 0xff, 0xff, 0xff], 3, 0), None);
    // No instruction, half of one, and none at all.
    assert_eq!(seen(&[0x06], 3, 0), None);
    assert_eq!(seen(&[0x48, 0x8b], 3, 0), None);
    assert_eq!(seen(&[], 3, 0), None);
    // More is returned than was called: pop rax; ret
    assert_eq!(seen(&[0x58, 0xc3], 3, 0), None);
}

/// `mov rcx, [rdi]; 1: dec rcx; jne 1b; mov rax, [rdi+8]; ret`.
#[test]
fn a_round_that_changes_nothing_is_not_made_again() {
    let code = [0x48, 0x8b, 0x0f, 0x48, 0xff, 0xc9, 0x75, 0xfb, 0x48, 0x8b, 0x47, 0x08, 0xc3];
    assert_eq!(seen(&code, 3, 0), Some(vec![(0, 8), (8, 16)]));
}
