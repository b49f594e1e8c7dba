//! Instructions behind which the next one follows.

use iced_x86::{ConditionCode, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind};

use super::machine::{Machine, size};
use super::value::{Value, compute};
use super::way::Way;

/// Bytes of the longest operand.
const LONGEST: usize = 64;

impl Machine<'_> {
    /// Carries out one instruction. `None`: what it does cannot be told.
    pub(super) fn plain(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        match instruction.mnemonic() {
            Mnemonic::Nop | Mnemonic::Endbr64 => Some(()),
            Mnemonic::Mov if is_general(instruction) => {
                let value = self.read(way, instruction, 1)?;
                self.write(way, instruction, 0, value)
            }
            Mnemonic::Movzx => {
                let value = self.read(way, instruction, 1)?;
                self.write(way, instruction, 0, value)
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => {
                let value = self.read(way, instruction, 1)?.extended(size(instruction, 1));
                self.write(way, instruction, 0, value)
            }
            Mnemonic::Lea => {
                let value = self.address(way, instruction)?;
                self.write(way, instruction, 0, value)
            }
            Mnemonic::Push => {
                let value = self.read(way, instruction, 0)?;
                way.push(value)
            }
            Mnemonic::Pop => {
                let value = way.pop()?;
                self.write(way, instruction, 0, value)
            }
            Mnemonic::Add
            | Mnemonic::Sub
            | Mnemonic::Cmp
            | Mnemonic::And
            | Mnemonic::Test
            | Mnemonic::Or
            | Mnemonic::Xor => self.arithmetic(way, instruction),
            _ if instruction.condition_code() != ConditionCode::None => self.conditional(way, instruction),
            _ => self.other(way, instruction),
        }
    }

    fn arithmetic(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        let (mnemonic, size) = (instruction.mnemonic(), size(instruction, 0));
        let (left, right) = (self.read(way, instruction, 0)?, self.read(way, instruction, 1)?);
        let is_register = (0..2).all(|operand| instruction.op_kind(operand) == OpKind::Register);
        let is_zero =
            mnemonic == Mnemonic::Xor && is_register && instruction.op0_register() == instruction.op1_register();
        let numbers = if is_zero { Some((0, 0)) } else { left.low(size).zip(right.low(size)) };
        let done = numbers.and_then(|(left, right)| compute(mnemonic, left, right, size));
        way.flags = done.map(|(_, flags)| flags);
        if matches!(mnemonic, Mnemonic::Cmp | Mnemonic::Test) {
            return Some(());
        }
        if done.is_none() && (self.is_pointer(left) || self.is_pointer(right)) {
            // It leads from now on somewhere that is not known.
            return None;
        }
        self.write(way, instruction, 0, done.map_or(Value::UNKNOWN, |(number, _)| Value::of(number)))
    }

    /// `setcc` and `cmovcc`.
    fn conditional(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        let holds = way.flags.and_then(|flags| flags.hold(instruction.condition_code()));
        if instruction.op_count() == 1 {
            let value = holds.map_or(Value::UNKNOWN, |holds| Value::of(u64::from(holds)));
            return self.write(way, instruction, 0, value);
        }
        let (old, new) = (self.read(way, instruction, 0)?, self.read(way, instruction, 1)?);
        let value = match holds {
            Some(true) => new,
            Some(false) => old,
            None if self.is_pointer(old) || self.is_pointer(new) => return None,
            None => Value::UNKNOWN,
        };
        self.write(way, instruction, 0, value)
    }

    /// Any other instruction: what it reads is looked at, what it writes is not known from then on.
    fn other(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        if instruction.is_string_instruction() || instruction.is_stack_instruction() {
            return None;
        }
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(instruction);
        let address = [instruction.memory_base().full_register(), instruction.memory_index().full_register()];
        for used in info.used_registers().iter().filter(|used| reads(used.access())) {
            let register = used.register().full_register();
            if !address.contains(&register) && self.is_pointer(way.register(register)) {
                return None;
            }
        }
        for used in info.used_memory() {
            let size = Some(used.memory_size().size()).filter(|size| (1..=LONGEST).contains(size))?;
            let Some(at) = self.address(way, instruction)?.number() else { continue };
            if reads(used.access()) {
                self.look(at, size);
            }
            if writes(used.access()) {
                self.forget_at(way, at, size);
            }
        }
        for used in info.used_registers().iter().filter(|used| writes(used.access())) {
            way.set(used.register(), Value::UNKNOWN);
        }
        if instruction.rflags_modified() != 0 {
            way.flags = None;
        }
        Some(())
    }
}

fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

/// Whether an instruction moves between general registers, memory and numbers.
fn is_general(instruction: &Instruction) -> bool {
    (0..instruction.op_count())
        .all(|operand| instruction.op_kind(operand) != OpKind::Register || instruction.op_register(operand).is_gpr())
}
