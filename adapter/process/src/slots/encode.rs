//! One instruction, rewritten so that it does the same from another address.

use iced_x86::{Code, Decoder, DecoderOptions, Encoder, FlowControl, Instruction, Register};
use weft_memory::MemAddr;

/// Bytes of a slot.
pub(crate) const SIZE: usize = 64;
/// Longest instruction of the processor, in bytes.
pub(crate) const LONGEST: usize = 15;
/// Where in a slot the return address lies that a call pushes; code ends before.
const RETURN_AT: usize = 48;

/// What a slot does, as far as it matters for saying where a thread inside it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The instruction, then a jump to the next one if it goes on there.
    Plain,
    /// As plain, and may be interrupted in its middle: a repeated string instruction.
    Repeated,
    /// As plain; the kernel may send it back to its begin.
    Syscall,
    /// A jump to where the instruction jumps.
    Jump,
    /// Pushes the return address, then jumps to the function.
    Call { target: MemAddr },
    /// Pushes the return address, then jumps to where a register or memory says.
    CallThrough,
}

/// The content of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) kind: Kind,
    /// The instruction behind the original one.
    pub(crate) next: MemAddr,
    /// Length of the slot's first instruction, in bytes.
    pub(crate) first: u8,
    pub(crate) bytes: [u8; SIZE],
}

/// Writes a slot's bytes.
struct Writer {
    at: MemAddr,
    bytes: Vec<u8>,
}

impl Writer {
    fn here(&self) -> Option<MemAddr> {
        self.at.checked_add(self.bytes.len() as u64)
    }

    /// A displacement from the end of an instruction of `length` bytes that begins here.
    fn displacement(&self, length: u64, target: MemAddr) -> Option<[u8; 4]> {
        let end = self.here()?.checked_add(length)?;
        let distance = target.raw().wrapping_sub(end.raw()).cast_signed();
        Some(i32::try_from(distance).ok()?.to_le_bytes())
    }

    /// `jmp rel32`
    fn jump(&mut self, target: MemAddr) -> Option<()> {
        let displacement = self.displacement(5, target)?;
        self.bytes.push(0xe9);
        self.bytes.extend(displacement);
        Some(())
    }

    /// `push qword [rip + ...]`, of the return address at the slot's end.
    fn push_return(&mut self) -> Option<()> {
        let displacement = self.displacement(6, self.at.checked_add(RETURN_AT as u64)?)?;
        self.bytes.extend([0xff, 0x35]);
        self.bytes.extend(displacement);
        Some(())
    }

    fn instruction(&mut self, instruction: &Instruction) -> Option<()> {
        let mut encoder = Encoder::new(64);
        encoder.encode(instruction, self.here()?.raw()).ok()?;
        self.bytes.extend(encoder.take_buffer());
        Some(())
    }

    fn close(self, kind: Kind, first: usize, next: MemAddr) -> Option<Encoded> {
        let mut bytes = [0xcc; SIZE];
        bytes.get_mut(..RETURN_AT)?.get_mut(..self.bytes.len())?.copy_from_slice(&self.bytes);
        bytes.get_mut(RETURN_AT..)?.first_chunk_mut::<8>().map(|word| *word = next.raw().to_le_bytes())?;
        Some(Encoded { kind, next, first: u8::try_from(first).ok()?, bytes })
    }
}

/// The slot at `slot` for the instruction at `origin`, which `code` begins with. `None`: it cannot be moved (loops, far
/// transfers, interrupts, what the processor does not know), or what it refers to is too far away. With `shadow_stack`
/// the processor compares return addresses, and calls cannot be moved either.
pub(crate) fn encode(code: &[u8], origin: MemAddr, slot: MemAddr, shadow_stack: bool) -> Option<Encoded> {
    let mut decoder = Decoder::with_ip(64, code, origin.raw(), DecoderOptions::NONE);
    let mut instruction = decoder.decode();
    if instruction.is_invalid() {
        return None;
    }
    let next = MemAddr::new(instruction.next_ip());
    let target = MemAddr::new(instruction.near_branch_target());
    let mut slot = Writer { at: slot, bytes: Vec::with_capacity(SIZE) };
    if instruction.is_jmp_short_or_near() {
        slot.jump(target)?;
        return slot.close(Kind::Jump, 0, next);
    }
    if instruction.is_jcc_short_or_near() {
        instruction.as_near_branch();
        slot.instruction(&instruction)?;
        let first = slot.bytes.len();
        slot.jump(next)?;
        return slot.close(Kind::Plain, first, next);
    }
    if instruction.code() == Code::Call_rel32_64 && !shadow_stack {
        slot.push_return()?;
        let first = slot.bytes.len();
        slot.jump(target)?;
        return slot.close(Kind::Call { target }, first, next);
    }
    if instruction.code() == Code::Call_rm64 && !shadow_stack {
        let through = jump_through(instruction)?;
        slot.push_return()?;
        let first = slot.bytes.len();
        slot.instruction(&through)?;
        return slot.close(Kind::CallThrough, first, next);
    }
    let (kind, goes_on) = match instruction.flow_control() {
        FlowControl::Next if instruction.is_string_instruction() && repeats(&instruction) => (Kind::Repeated, true),
        FlowControl::Next => (Kind::Plain, true),
        FlowControl::Exception => (Kind::Plain, false),
        FlowControl::Return if matches!(instruction.code(), Code::Retnq | Code::Retnq_imm16) => (Kind::Plain, false),
        FlowControl::IndirectBranch if instruction.code() == Code::Jmp_rm64 => (Kind::Plain, false),
        FlowControl::Call if instruction.code() == Code::Syscall => (Kind::Syscall, true),
        _ => return None,
    };
    if instruction.is_ip_rel_memory_operand() {
        if instruction.memory_base() != Register::RIP {
            return None;
        }
        slot.instruction(&instruction)?;
    } else {
        slot.bytes.extend(code.get(..instruction.len())?);
    }
    let first = slot.bytes.len();
    if goes_on {
        slot.jump(next)?;
    }
    slot.close(kind, first, next)
}

fn repeats(instruction: &Instruction) -> bool {
    instruction.has_rep_prefix() || instruction.has_repne_prefix()
}

/// The jump to where an indirect call goes, as it must be when the return address is on the stack already.
fn jump_through(mut call: Instruction) -> Option<Instruction> {
    if call.op0_register() == Register::RSP || matches!(call.memory_base(), Register::ESP | Register::EIP) {
        return None;
    }
    call.set_code(Code::Jmp_rm64);
    if call.memory_base() == Register::RSP {
        call.set_memory_displacement64(call.memory_displacement64().wrapping_add(8));
        // Sign-extended from 32 bits, whatever its size was.
        call.set_memory_displ_size(8);
    }
    Some(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: MemAddr = MemAddr::new(0x5555_0000_1000);
    const SLOT: MemAddr = MemAddr::new(0x5555_0010_0000);

    fn moved(code: &[u8]) -> Option<Encoded> {
        encode(code, ORIGIN, SLOT, false)
    }

    /// What a slot executes, as the decoder sees it at its place: mnemonic and where it refers to.
    fn shown(slot: &Encoded) -> Vec<(String, u64)> {
        let mut decoder = Decoder::with_ip(64, &slot.bytes[..RETURN_AT], SLOT.raw(), DecoderOptions::NONE);
        let decoded = std::iter::from_fn(|| decoder.can_decode().then(|| decoder.decode()));
        let decoded = decoded.take_while(|instruction| instruction.code() != Code::Int3);
        decoded
            .map(|instruction| {
                let at = if instruction.is_ip_rel_memory_operand() {
                    instruction.ip_rel_memory_address()
                } else if instruction.near_branch_target() != 0 {
                    instruction.near_branch_target()
                } else if instruction.memory_base() != Register::None {
                    instruction.memory_displacement64()
                } else {
                    0
                };
                (format!("{:?}", instruction.code()), at)
            })
            .collect()
    }

    fn steps(code: &[u8]) -> (Kind, Vec<(String, u64)>) {
        let slot = moved(code).unwrap();
        assert_eq!(slot.bytes[RETURN_AT..RETURN_AT + 8], slot.next.raw().to_le_bytes());
        (slot.kind, shown(&slot))
    }

    fn step(code: &str, at: u64) -> (String, u64) {
        (code.to_owned(), at)
    }

    #[test]
    fn every_kind_does_the_same_elsewhere() {
        let at = |offset: u64| ORIGIN.raw() + offset;
        // xor eax, ecx
        assert_eq!(steps(&[0x31, 0xc8]), (Kind::Plain, vec![step("Xor_rm32_r32", 0), step("Jmp_rel32_64", at(2))]));
        // mov rax, [rip + 0x100]
        assert_eq!(
            steps(&[0x48, 0x8b, 0x05, 0, 1, 0, 0]),
            (Kind::Plain, vec![step("Mov_r64_rm64", at(0x107)), step("Jmp_rel32_64", at(7))])
        );
        // jmp +0x10; je -2
        assert_eq!(steps(&[0xeb, 0x10]), (Kind::Jump, vec![step("Jmp_rel32_64", at(0x12))]));
        assert_eq!(steps(&[0x74, 0xfe]), (Kind::Plain, vec![step("Je_rel32_64", at(0)), step("Jmp_rel32_64", at(2))]));
        let pushed = SLOT.raw() + RETURN_AT as u64;
        // call +0x20; call rax; call [rip + 0x30]; call [rsp + 0x40]; call [rsp + 0x78]
        let target = MemAddr::new(at(0x25));
        assert_eq!(
            steps(&[0xe8, 0x20, 0, 0, 0]),
            (Kind::Call { target }, vec![step("Push_rm64", pushed), step("Jmp_rel32_64", at(0x25))])
        );
        let through = |code: &[u8], displacement| {
            assert_eq!(
                steps(code),
                (Kind::CallThrough, vec![step("Push_rm64", pushed), step("Jmp_rm64", displacement)])
            );
        };
        through(&[0xff, 0xd0], 0);
        through(&[0xff, 0x15, 0x30, 0, 0, 0], at(0x36));
        through(&[0xff, 0x54, 0x24, 0x40], 0x48);
        through(&[0xff, 0x54, 0x24, 0x7c], 0x84);
        through(&[0xff, 0x14, 0x24], 8);
        // syscall; ret; ud2; rep movsb
        assert_eq!(steps(&[0x0f, 0x05]), (Kind::Syscall, vec![step("Syscall", 0), step("Jmp_rel32_64", at(2))]));
        assert_eq!(steps(&[0xc3]), (Kind::Plain, vec![step("Retnq", 0)]));
        assert_eq!(steps(&[0x0f, 0x0b]), (Kind::Plain, vec![step("Ud2", 0)]));
        assert_eq!(steps(&[0xf3, 0xa4]), (Kind::Repeated, vec![step("Movsb_m8_m8", 0), step("Jmp_rel32_64", at(2))]));
    }

    #[test]
    fn what_cannot_be_moved_is_refused() {
        for code in [
            &[0xe2, 0x10][..],               // loop
            &[0xe3, 0x10],                   // jrcxz
            &[0xff, 0xd4],                   // call rsp
            &[0xcd, 0x80],                   // int 0x80
            &[0xcc],                         // int3
            &[0xcb],                         // retf
            &[0xff, 0x28],                   // jmp far [rax]
            &[0xff, 0x18],                   // call far [rax]
            &[0xc7, 0xf8, 0, 0, 0, 0],       // xbegin
            &[0x67, 0x8b, 0x05, 0, 0, 0, 0], // mov eax, [eip]
            &[0x06],                         // not an instruction
            &[0x48],                         // half of one
            &[],
        ] {
            assert_eq!(moved(code), None, "{code:x?}");
        }
        // Too far away for a displacement.
        let far = MemAddr::new(0x7fff_0000_0000);
        assert_eq!(encode(&[0x31, 0xc8], ORIGIN, far, false), None);
        assert_eq!(encode(&[0x48, 0x8b, 0x05, 0, 1, 0, 0], ORIGIN, far, false), None);
        // A processor that keeps a second stack of return addresses.
        assert_eq!(encode(&[0xe8, 0x20, 0, 0, 0], ORIGIN, SLOT, true), None);
        assert_eq!(encode(&[0xff, 0xd0], ORIGIN, SLOT, true), None);
    }
}
