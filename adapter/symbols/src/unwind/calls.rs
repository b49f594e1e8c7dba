//! What a return address is known by: it lies in code, behind an instruction that calls.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};
use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};

use super::{CallerFrame, Found};
use crate::Modules;

/// Bytes of the shortest call (`call rax`).
const SHORTEST: usize = 2;
/// Bytes of the longest call that is written: two prefixes, opcode, ModRM, SIB, displacement.
const LONGEST: usize = 9;

/// Bytes of code from a call's target to where it is, at most, where no symbol tells them apart.
const MAX_FUNCTION: u64 = 1 << 20;
/// Jumps that are followed from a call's target: a stub of the linkage table has one.
const MAX_JUMPS: usize = 3;

impl Modules {
    /// Whether an address lies in code that is loaded, right behind a call.
    pub(super) fn follows_a_call(&self, address: MemAddr, memory: &dyn Memory) -> bool {
        self.calls_before(address, memory).next().is_some()
    }

    /// Whether the call before a return address may have led to the function around `pc`: not if it says that it leads
    /// somewhere else.
    pub(super) fn may_have_called(&self, address: MemAddr, pc: MemAddr, memory: &dyn Memory) -> bool {
        self.calls_before(address, memory).any(|call| match target(&call, memory) {
            Some(target) => self.is_function_of(through_jumps(target, memory), pc, memory),
            None => call.op0_kind() == OpKind::Register || !call.is_ip_rel_memory_operand(),
        })
    }

    /// The instructions that end at an address and call, by how its bytes can be read.
    fn calls_before(&self, address: MemAddr, memory: &dyn Memory) -> impl Iterator<Item = Instruction> {
        let in_code = address.checked_sub(1).is_some_and(|last| self.is_executable(last, memory));
        (SHORTEST..=LONGEST).filter(move |_| in_code).filter_map(move |length| {
            let mut bytes = [0; LONGEST];
            let (start, code) = (address.checked_sub(length as u64)?, bytes.get_mut(..length)?);
            memory.read_exact(start, code).ok()?;
            call(start, code)
        })
    }

    /// Whether `pc` lies in the function that begins at `begin`: by symbol, or where there is none, not far behind it.
    fn is_function_of(&self, begin: MemAddr, pc: MemAddr, memory: &dyn Memory) -> bool {
        let symbol = |address: MemAddr| {
            let (module, address) = self.to_file(address)?;
            module.image.symbol_at(address).map(|symbol| symbol.address)
        };
        match (symbol(begin), symbol(pc)) {
            (Some(begin), Some(around)) => begin == around,
            _ => {
                let near = pc.since(begin).is_some_and(|distance| distance <= MAX_FUNCTION);
                near && memory.region(begin).is_some_and(|region| region.range.contains(&pc))
            }
        }
    }
}

/// The instruction with these bytes, if it is one and calls.
fn call(start: MemAddr, code: &[u8]) -> Option<Instruction> {
    let instruction = Decoder::with_ip(64, code, start.raw(), DecoderOptions::NONE).decode();
    let calls = instruction.is_call_near() || instruction.is_call_near_indirect();
    (calls && instruction.len() == code.len()).then_some(instruction)
}

/// Where a call or jump leads, as far as that does not depend on registers.
fn target(instruction: &Instruction, memory: &dyn Memory) -> Option<MemAddr> {
    if instruction.is_ip_rel_memory_operand() {
        return memory.read_pointer(MemAddr::new(instruction.ip_rel_memory_address())).ok();
    }
    (instruction.op0_kind() == OpKind::NearBranch64).then(|| MemAddr::new(instruction.near_branch_target()))
}

/// Where code leads that does nothing but jump on.
fn through_jumps(begin: MemAddr, memory: &dyn Memory) -> MemAddr {
    let mut at = begin;
    for _ in 0..MAX_JUMPS {
        let mut bytes = [0; 16];
        let Ok(count) = memory.read(at, &mut bytes) else { return at };
        let mut decoder = Decoder::with_ip(64, bytes.get(..count).unwrap_or_default(), at.raw(), DecoderOptions::NONE);
        let mut first = decoder.decode();
        if first.mnemonic() == Mnemonic::Endbr64 {
            first = decoder.decode();
        }
        match target(&first, memory).filter(|_| first.mnemonic() == Mnemonic::Jmp) {
            Some(next) => at = next,
            None => return at,
        }
    }
    at
}

/// Who called through a null or wild pointer: nothing was executed since, so the return address is on top of the stack
/// and all else as it was.
pub(super) fn wild(modules: &Modules, registers: &Registers, memory: &dyn Memory) -> Option<CallerFrame> {
    let sp = registers.sp();
    let pc = memory.read_pointer(sp).ok()?;
    if !modules.follows_a_call(pc, memory) {
        return None;
    }
    let cfa = sp.checked_add(8)?;
    let mut caller = *registers;
    caller.flags = None;
    caller.set(DwarfRegister::RA, Some(pc.raw()));
    caller.set(DwarfRegister::RSP, Some(cfa.raw()));
    Some(CallerFrame { registers: caller, cfa, signal_frame: false, found: Found::WildCall })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_bytes() {
        for bytes in [
            &[0xe8, 1, 2, 3, 4][..],
            &[0xff, 0xd0],
            &[0x41, 0xff, 0xd3],
            &[0xff, 0x15, 1, 2, 3, 4],
            &[0x41, 0xff, 0x94, 0x24, 1, 2, 3, 4],
        ] {
            assert!(call(MemAddr::new(0), bytes).is_some(), "{bytes:x?}");
        }
        for other in
            [&[0xe9, 1, 2, 3, 4][..], &[0xff, 0xe0], &[0x90, 0xff, 0xd0], &[0x0f, 0x05], &[0xff, 0x25, 0, 0, 0, 0]]
        {
            assert!(call(MemAddr::new(0), other).is_none(), "{other:x?}");
        }
    }
}
