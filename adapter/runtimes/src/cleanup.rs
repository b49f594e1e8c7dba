//! What a frame drops if the call that it is in is left by a panic: the code that the compiler made for that moment knows
//! where every value of the frame lies that is alive, also one for which the debug information has no place.
//!
//! The code is followed from its landing pad on with the frame's own registers, on all ways. It says something of a type
//! only if every drop of a value of that type is at one and the same address.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use rustc_hash::FxHashSet;
use weft_memory::{DwarfRegister, MemAddr};
use weft_symbols::Type;
use weft_values::{Frame, Stop};

use crate::drops::{Function, dropped_at, function_at};

/// Instructions that are followed on all ways together.
const MAX_STEPS: usize = 4_000;
/// Bytes of the longest instruction.
const LONGEST: usize = 15;

/// What a function keeps for its caller (System V ABI for x86-64): `iced`'s and DWARF's numbers. An exception changes none of
/// them on its way to the landing pad.
const KEPT: [(Register, u16); 7] = [
    (Register::RBX, 3),
    (Register::RBP, 6),
    (Register::RSP, 7),
    (Register::R12, 12),
    (Register::R13, 13),
    (Register::R14, 14),
    (Register::R15, 15),
];

/// Where the value of this type lies that the frame drops when a panic leaves the call that it is in: it is alive, and the
/// only one of its type there. None for a frame that is not in a call, for code that cannot be followed, and where nothing
/// or several are dropped.
pub(crate) fn dropped(stop: &Stop, frame: &Frame, ty: &Type) -> Option<MemAddr> {
    if frame.pc == frame.lookup_pc {
        return None;
    }
    let (module, call) = stop.modules.to_file(frame.lookup_pc)?;
    let pad = module.image.landing_pad(call)?;
    let mut way = Way { ip: module.bias.to_memory(pad.address).raw(), registers: [None; 16] };
    for (register, number) in KEPT {
        way.set(register, frame.registers.get(DwarfRegister(number)));
    }
    let mut walk = Walk { stop, ty, found: None, open: vec![way], met: FxHashSet::default() };
    walk.run()?;
    walk.found
}

/// One way through the code: the next instruction, and what is known of the general registers before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Way {
    ip: u64,
    registers: [Option<u64>; 16],
}

impl Way {
    fn get(&self, register: Register) -> Option<u64> {
        self.registers.get(register.is_gpr64().then(|| register.number())?).copied().flatten()
    }

    /// Sets the whole register that this one is a part of.
    fn set(&mut self, register: Register, value: Option<u64>) {
        let full = register.full_register();
        if let Some(place) = full.is_gpr64().then(|| full.number()).and_then(|at| self.registers.get_mut(at)) {
            *place = value;
        }
    }

    /// Where an instruction's memory operand is.
    fn address(&self, instruction: &Instruction) -> Option<u64> {
        if instruction.is_ip_rel_memory_operand() {
            return Some(instruction.ip_rel_memory_address());
        }
        let is_plain = matches!(instruction.memory_segment(), Register::DS | Register::SS);
        let base = self.get(instruction.memory_base()).filter(|_| is_plain)?;
        (instruction.memory_index() == Register::None).then(|| base.wrapping_add(instruction.memory_displacement64()))
    }

    /// Carries out an instruction behind which the next one follows.
    fn carry_out(&mut self, instruction: &Instruction) {
        let is_whole = instruction.op0_kind() == OpKind::Register && instruction.op0_register().is_gpr64();
        let value = match instruction.mnemonic() {
            Mnemonic::Lea if is_whole => self.address(instruction),
            Mnemonic::Mov if is_whole && instruction.op1_kind() == OpKind::Register => {
                self.get(instruction.op1_register())
            }
            _ => None,
        };
        let mut factory = InstructionInfoFactory::new();
        for used in factory.info(instruction).used_registers() {
            if !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::None | OpAccess::NoMemAccess) {
                self.set(used.register(), None);
            }
        }
        if is_whole && value.is_some() {
            self.set(instruction.op0_register(), value);
        }
    }

    /// What a call leaves: only what is kept for the caller.
    fn return_from_call(&mut self) {
        let kept = KEPT.map(|(register, _)| (register, self.get(register)));
        self.registers = [None; 16];
        kept.into_iter().for_each(|(register, value)| self.set(register, value));
    }
}

/// Follows all ways.
struct Walk<'a> {
    stop: &'a Stop,
    ty: &'a Type,
    found: Option<MemAddr>,
    open: Vec<Way>,
    met: FxHashSet<Way>,
}

impl Walk<'_> {
    /// None if something is not understood, or if there are several places.
    fn run(&mut self) -> Option<()> {
        let mut left = MAX_STEPS;
        while let Some(mut way) = self.open.pop() {
            while self.step(&mut way)? {
                left = left.checked_sub(1)?;
            }
        }
        Some(())
    }

    /// Whether the way goes on.
    fn step(&mut self, way: &mut Way) -> Option<bool> {
        let mut code = [0; LONGEST];
        let length = self.stop.memory.read(MemAddr::new(way.ip), &mut code).ok()?;
        let instruction = Decoder::with_ip(64, code.get(..length)?, way.ip, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            return None;
        }
        way.ip = instruction.next_ip();
        match instruction.flow_control() {
            FlowControl::Next => way.carry_out(&instruction),
            FlowControl::UnconditionalBranch => return self.jump(way, instruction.near_branch_target()),
            FlowControl::ConditionalBranch => {
                let mut taken = way.clone();
                if self.jump(&mut taken, instruction.near_branch_target())? {
                    self.open.push(taken);
                }
                return Some(self.met.insert(way.clone()));
            }
            FlowControl::Call => return self.call(way, Some(instruction.near_branch_target())),
            FlowControl::IndirectCall => {
                let target = self.indirect(way, &instruction);
                return self.call(way, target);
            }
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => return Some(false),
            _ => return None,
        }
        Some(true)
    }

    /// Goes on at another place of the function, if no way has been there with the same registers; at another function it
    /// ends, as it has returned from there.
    fn jump(&mut self, way: &mut Way, target: u64) -> Option<bool> {
        way.ip = target;
        if function_at(self.stop, target).is_some() {
            self.call(way, Some(target))?;
            return Some(false);
        }
        Some(self.met.insert(way.clone()))
    }

    /// Takes note of a call, and goes on behind it if it returns.
    fn call(&mut self, way: &mut Way, target: Option<u64>) -> Option<bool> {
        let function = target.and_then(|target| function_at(self.stop, target));
        if function == Some(Function::Panics) {
            return Some(false);
        }
        let is_glue = matches!(function, Some(Function::Glue(_)));
        let dropped = target.filter(|_| is_glue).and_then(|target| dropped_at(self.stop, target));
        if dropped.is_some_and(|dropped| dropped.path() == self.ty.path()) {
            let value = MemAddr::new(way.get(Register::RDI)?);
            if self.found.is_some_and(|found| found != value) {
                return None;
            }
            self.found = Some(value);
        }
        way.return_from_call();
        Some(true)
    }

    /// Where a call through a register or through a word that the program cannot change leads.
    fn indirect(&self, way: &Way, instruction: &Instruction) -> Option<u64> {
        if instruction.op0_kind() == OpKind::Register {
            return way.get(instruction.op0_register());
        }
        let word = MemAddr::new(instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?);
        self.stop.memory.region(word).filter(|region| !region.writable)?;
        self.stop.memory.read_pointer(word).ok().map(MemAddr::raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the way has in `rdi` and `rbx` behind the code, beginning with a stack at 0x1000.
    fn behind(code: &[u8]) -> (Option<u64>, Option<u64>) {
        let mut way = Way { ip: 0, registers: [None; 16] };
        way.set(Register::RSP, Some(0x1000));
        for instruction in Decoder::with_ip(64, code, 0, DecoderOptions::NONE) {
            match instruction.flow_control() {
                FlowControl::Call => way.return_from_call(),
                _ => way.carry_out(&instruction),
            }
        }
        (way.get(Register::RDI), way.get(Register::RBX))
    }

    #[test]
    fn addresses_on_the_stack_are_followed() {
        let lea = [0x48, 0x8d, 0x7c, 0x24, 0x30]; // lea rdi, [rsp + 0x30]
        let copy = [0x48, 0x89, 0xfb]; // mov rbx, rdi
        let call = [0xe8, 0, 0, 0, 0];
        assert_eq!(behind(&lea), (Some(0x1030), None));
        assert_eq!(behind(&[&lea[..], &copy].concat()), (Some(0x1030), Some(0x1030)));
        assert_eq!(behind(&[&lea[..], &copy, &call].concat()), (None, Some(0x1030)));
    }

    #[test]
    fn what_is_not_followed_is_not_known() {
        let lea = [0x48, 0x8d, 0x7c, 0x24, 0x30];
        for other in [
            &[0x83, 0xc7, 0x08][..],               // add edi, 8
            &[0x48, 0x8b, 0x7c, 0x24, 0x30],       // mov rdi, [rsp + 0x30]
            &[0x48, 0x8d, 0x3c, 0x04],             // lea rdi, [rsp + rax]
            &[0x64, 0x48, 0x8d, 0x7c, 0x24, 0x30], // lea rdi, fs:[rsp + 0x30]
            &[0x40, 0xb7, 0x01],                   // mov dil, 1
        ] {
            assert_eq!(behind(&[&lea, other].concat()), (None, None), "{other:x?}");
        }
    }
}
