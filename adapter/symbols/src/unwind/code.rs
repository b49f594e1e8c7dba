//! By the code itself: its instructions are followed to a return, with what they do to the stack pointer and to the
//! registers that a caller finds as it left them. Leads out of leaf functions, PLT stubs and most of what is written by
//! hand; loops and conditions are gone through both ways, within bounds.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};
use rustc_hash::FxHashSet;
use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};

use super::rule::CALLEE_SAVED;
use super::{CallerFrame, Found};
use crate::Modules;

/// Instructions that are followed in all.
const MAX_INSTRUCTIONS: usize = 1024;
/// Ways at branches that are remembered.
const MAX_WAYS: usize = 64;
/// Pushes that are remembered.
const MAX_PUSHED: usize = 64;
/// Bytes of the longest instruction.
const LONGEST: usize = 15;

/// The caller of a frame, if its code leads to a return whose address lies behind a call.
pub(super) fn caller(modules: &Modules, registers: &Registers, memory: &dyn Memory) -> Option<CallerFrame> {
    let mut factory = InstructionInfoFactory::new();
    let mut seen = FxHashSet::default();
    let mut ways = vec![Way { ip: registers.pc(), registers: *registers, pushed: Vec::new() }];
    while let Some(mut way) = ways.pop() {
        while seen.len() < MAX_INSTRUCTIONS && seen.insert(way.ip) {
            let Some(instruction) = decode(modules, way.ip, memory) else { break };
            let next = MemAddr::new(instruction.next_ip());
            let target = MemAddr::new(instruction.near_branch_target());
            match instruction.flow_control() {
                FlowControl::Return | FlowControl::IndirectBranch => {
                    if let Some(found) = way.returned(&instruction, modules, registers.sp(), memory) {
                        return Some(found);
                    }
                    break;
                }
                FlowControl::UnconditionalBranch => way.ip = target,
                FlowControl::ConditionalBranch => {
                    if ways.len() < MAX_WAYS {
                        ways.push(Way { ip: target, ..way.clone() });
                    }
                    way.ip = next;
                }
                // Where it stands is what it faulted at.
                FlowControl::Exception | FlowControl::Interrupt if way.ip == registers.pc() => way.ip = next,
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {
                    if way.pass(&instruction, &mut factory, memory).is_none() {
                        break;
                    }
                    way.ip = next;
                }
                _ => break,
            }
        }
    }
    None
}

fn decode(modules: &Modules, ip: MemAddr, memory: &dyn Memory) -> Option<Instruction> {
    if !modules.is_executable(ip, memory) {
        return None;
    }
    let mut bytes = [0; LONGEST];
    let count = memory.read(ip, &mut bytes).ok()?;
    let instruction = Decoder::with_ip(64, bytes.get(..count)?, ip.raw(), DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// One way through the code, as far as it was followed.
#[derive(Clone)]
struct Way {
    ip: MemAddr,
    registers: Registers,
    /// What was pushed on the way, and where: memory does not have it.
    pushed: Vec<(u64, Option<u64>)>,
}

impl Way {
    fn sp(&self) -> u64 {
        self.registers.sp().raw()
    }

    fn set(&mut self, register: Register, value: Option<u64>) {
        if let Some(number) = dwarf(register) {
            self.registers.set(number, value);
        }
    }

    fn get(&self, register: Register) -> Option<u64> {
        self.registers.get(dwarf(register)?)
    }

    fn load(&self, address: u64, memory: &dyn Memory) -> Option<u64> {
        let pushed = self.pushed.iter().rev().find(|(at, _)| *at == address);
        pushed.map_or_else(|| memory.read_u64(MemAddr::new(address)).ok(), |(_, value)| *value)
    }

    /// The caller behind a return or a jump that leaves the function. `below`: where the frame's stack pointer was.
    fn returned(
        &self,
        last: &Instruction,
        modules: &Modules,
        below: MemAddr,
        memory: &dyn Memory,
    ) -> Option<CallerFrame> {
        let mut sp = MemAddr::new(self.sp());
        let mut dropped = 0;
        match last.mnemonic() {
            Mnemonic::Ret => dropped = if last.op_count() > 0 { u64::from(last.immediate16()) } else { 0 },
            // The first entry of a PLT goes on with two words for the loader on the stack.
            Mnemonic::Jmp if last.is_ip_rel_memory_operand() && follows_a_push(self.ip, memory) => {
                sp = sp.checked_add(16)?;
            }
            Mnemonic::Jmp => {}
            _ => return None,
        }
        let pc = MemAddr::new(self.load(sp.raw(), memory)?);
        // It may as well lead on inside the function (a `match`), and what is on top of the stack then is anything.
        let leaves = last.mnemonic() == Mnemonic::Ret || last.is_ip_rel_memory_operand();
        if !leaves && !modules.may_have_called(pc, self.registers.pc(), memory) {
            return None;
        }
        let cfa = sp.checked_add(8)?;
        if cfa <= below || !modules.follows_a_call(pc, memory) {
            return None;
        }
        let mut caller = Registers::unknown(self.registers.fs_base);
        for number in CALLEE_SAVED.map(DwarfRegister) {
            caller.set(number, self.registers.get(number));
        }
        caller.set(DwarfRegister::RSP, Some(cfa.checked_add(dropped)?.raw()));
        caller.set(DwarfRegister::RA, Some(pc.raw()));
        Some(CallerFrame { registers: caller, cfa, signal_frame: false, found: Found::Code })
    }

    /// What an instruction does to the registers that count; `None`: it cannot be known where the stack pointer is then.
    fn pass(
        &mut self,
        instruction: &Instruction,
        factory: &mut InstructionInfoFactory,
        memory: &dyn Memory,
    ) -> Option<()> {
        let sp = self.sp();
        match instruction.code() {
            Code::Push_r64 | Code::Push_rm64 | Code::Pushq_imm8 | Code::Pushq_imm32 | Code::Pushfq => {
                let value = (instruction.code() == Code::Push_r64).then(|| self.get(instruction.op0_register()));
                let at = sp.checked_sub(8)?;
                if self.pushed.len() >= MAX_PUSHED {
                    return None;
                }
                self.pushed.push((at, value.flatten()));
                self.set(Register::RSP, Some(at));
            }
            Code::Pop_r64 | Code::Pop_rm64 | Code::Popfq => {
                self.set(Register::RSP, Some(sp.checked_add(8)?));
                if instruction.op0_kind() == OpKind::Register {
                    self.set(instruction.op0_register(), self.load(sp, memory));
                }
            }
            Code::Leaveq => {
                let frame = self.get(Register::RBP)?;
                self.set(Register::RBP, self.load(frame, memory));
                self.set(Register::RSP, Some(frame.checked_add(8)?));
            }
            _ if instruction.flow_control() != FlowControl::Next => {
                // What is called leaves the stack pointer and the saved registers as they are.
                let clobbered = (0..16).filter(|number| !CALLEE_SAVED.contains(number)).map(DwarfRegister);
                for number in clobbered.filter(|number| *number != DwarfRegister::RSP) {
                    self.registers.set(number, None);
                }
            }
            _ => self.pass_plain(instruction, factory, memory),
        }
        self.registers.get(DwarfRegister::RSP).map(|_| ())
    }

    /// An instruction that is none of those for the stack.
    fn pass_plain(&mut self, instruction: &Instruction, factory: &mut InstructionInfoFactory, memory: &dyn Memory) {
        let value = self.result(instruction, memory);
        let used = factory.info(instruction).used_registers();
        let writes = |access| {
            matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
        };
        for register in used.iter().filter(|used| writes(used.access())).map(|used| used.register().full_register()) {
            let whole = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == register;
            self.set(register, value.filter(|_| whole));
        }
    }

    /// What a 64-bit instruction leaves in its first operand, for those that move the stack pointer or restore a register.
    fn result(&self, instruction: &Instruction, memory: &dyn Memory) -> Option<u64> {
        let first = instruction.op0_register();
        match instruction.code() {
            Code::Mov_r64_rm64 | Code::Mov_rm64_r64 if instruction.op1_kind() == OpKind::Register => {
                self.get(instruction.op1_register())
            }
            Code::Mov_r64_rm64 => self.load(self.address(instruction)?, memory),
            Code::Lea_r64_m => self.address(instruction),
            Code::Add_rm64_imm8 | Code::Add_rm64_imm32 => Some(self.get(first)?.wrapping_add(instruction.immediate(1))),
            Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 => Some(self.get(first)?.wrapping_sub(instruction.immediate(1))),
            _ => None,
        }
    }

    /// The address of a memory operand that is a register and a distance.
    fn address(&self, instruction: &Instruction) -> Option<u64> {
        let plain = instruction.memory_index() == Register::None && instruction.segment_prefix() == Register::None;
        let base = self.get(instruction.memory_base()).filter(|_| plain)?;
        Some(base.wrapping_add(instruction.memory_displacement64()))
    }
}

/// Whether `push [rip + …]` lies before an address.
fn follows_a_push(ip: MemAddr, memory: &dyn Memory) -> bool {
    let mut before = [0; 6];
    let read = ip.checked_sub(6).is_some_and(|start| memory.read_exact(start, &mut before).is_ok());
    read && before.starts_with(&[0xff, 0x35])
}

/// A 64-bit general register's number in DWARF.
pub(crate) fn dwarf(register: Register) -> Option<DwarfRegister> {
    Some(match register {
        Register::RAX => DwarfRegister::RAX,
        Register::RDX => DwarfRegister::RDX,
        Register::RCX => DwarfRegister::RCX,
        Register::RBX => DwarfRegister::RBX,
        Register::RSI => DwarfRegister::RSI,
        Register::RDI => DwarfRegister::RDI,
        Register::RBP => DwarfRegister::RBP,
        Register::RSP => DwarfRegister::RSP,
        Register::R8 => DwarfRegister(8),
        Register::R9 => DwarfRegister(9),
        Register::R10 => DwarfRegister(10),
        Register::R11 => DwarfRegister(11),
        Register::R12 => DwarfRegister(12),
        Register::R13 => DwarfRegister(13),
        Register::R14 => DwarfRegister(14),
        Register::R15 => DwarfRegister(15),
        _ => return None,
    })
}
