//! Taking a thread back to the entry of a function on its stack.
//!
//! What the caller's frame was is known from unwinding. What was in the registers that passed the arguments is not kept
//! anywhere by rule, but unoptimised code stores them on its stack before it does anything else: which register went where
//! is read from the function's first instructions.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, OpAccess, OpKind, Register,
};
use weft_memory::{DwarfRegister, MemAddr};
use weft_symbols::{CodeFrame, Found, Role};
use weft_values::{Frame, Stop, frames, variables};

use crate::FrameIdentity;

/// Frames looked at.
const DEPTH: usize = 10_000;

/// Bytes of code that are looked at from a function's entry.
const MOST_CODE: u64 = 1024;

/// Registers that pass arguments (System V ABI for x86-64, 3.2.3, which Rust's own follows), with their DWARF numbers.
const ARGUMENTS: [(Register, u16); 6] = [
    (Register::RDI, 5),
    (Register::RSI, 4),
    (Register::RDX, 1),
    (Register::RCX, 2),
    (Register::R8, 8),
    (Register::R9, 9),
];

/// Registers that a function leaves as it found them: `rbx`, `rbp`, `r12` to `r15`.
const CALLEE_SAVED: [u16; 6] = [3, 6, 12, 13, 14, 15];

/// A function as it was entered.
pub(crate) struct Entry {
    /// Those to set; others may be anything at a function's entry.
    pub(crate) registers: weft_memory::Registers,
    /// The function.
    pub(crate) code: CodeFrame,
}

/// The registers with which a function on the stack was entered, its arguments as they are now. A sentence for the user
/// where that is not known or not safe.
pub(crate) fn to_entry(stop: &Stop, identity: FrameIdentity) -> Result<Entry, String> {
    let walk = frames(stop, identity.tid, DEPTH).frames;
    let at = walk.iter().position(|frame| !frame.inlined && frame.cfa == Some(identity.cfa));
    let at = at.ok_or("this frame is not on the thread's stack any more")?;
    let frame = walk.get(at).ok_or("this frame is not on the thread's stack any more")?;
    let caller = walk.get(at.saturating_add(1)).ok_or_else(|| format!("nothing called {}", frame.name))?;
    let code = frame.code.clone().ok_or_else(|| format!("{} has no debug information", frame.name))?;
    // What was found without rules is good to be looked at; to set registers by it, it would have to be proven.
    if walk.iter().take(at.saturating_add(2)).any(|frame| frame.found != Found::Rules) {
        return Err(format!(
            "{} cannot be restarted: the way to it leads through code without unwinding information",
            frame.name
        ));
    }
    refuse_kind(stop, &code, frame)?;
    refuse_inner(walk.get(..at).unwrap_or_default())?;
    let module = stop.modules.of(&code.image).ok_or("the function's file is not loaded any more")?;
    let entry = module.bias.to_memory(code.entry);
    let kept =
        kept_arguments(stop, &code, entry).map_err(|why| format!("{} cannot be restarted: {why}", frame.name))?;
    let mut registers = weft_memory::Registers::unknown(frame.registers.fs_base);
    for number in CALLEE_SAVED {
        let value = caller.registers.get(DwarfRegister(number));
        let value = value.ok_or_else(|| format!("the registers of the caller of {} are not all known", frame.name))?;
        registers.set(DwarfRegister(number), Some(value));
    }
    for (number, (offset, size)) in kept {
        let value = stop.memory.read_bytes(identity.cfa.offset(offset), size).map_err(|error| error.to_string())?;
        let value = value.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        registers.set(DwarfRegister(number), Some(value));
    }
    registers.set(DwarfRegister::RSP, Some(identity.cfa.offset(-8).raw()));
    registers.set(DwarfRegister::RA, Some(entry.raw()));
    Ok(Entry { registers, code })
}

/// Unoptimised code keeps every parameter in memory; where one is in a register, or nowhere, what it was at the entry is
/// not known.
fn refuse_kind(stop: &Stop, code: &CodeFrame, frame: &Frame) -> Result<(), String> {
    if code.function.kind.is_coroutine() {
        return Err(format!(
            "{} is asynchronous: its state has gone on and cannot be taken back; set a breakpoint and run it again",
            frame.name
        ));
    }
    let variables = variables(stop, frame);
    let mut arguments = variables.iter().filter(|variable| variable.role == Role::Argument);
    let kept = arguments.all(|variable| {
        let empty = variable.ty.as_ref().is_some_and(|ty| ty.size() == 0);
        empty || variable.place.as_ref().is_ok_and(|place| place.address().is_some())
    });
    let rows = code.ranges.iter().flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
    if !kept || !rows.into_iter().any(|row| row.prologue_end) {
        return Err(format!("{} is optimised: its arguments are not kept; build it without optimisation", frame.name));
    }
    Ok(())
}

/// Functions that are abandoned must not hold what others wait for: the user answers for their own code, and `core` has
/// no locks.
fn refuse_inner(inner: &[Frame]) -> Result<(), String> {
    let bad = inner.iter().rev().find(|frame| {
        let krate = frame.code.as_ref().map(|code| code.function.krate.as_str());
        !frame.user_code && krate != Some("core")
    });
    match bad {
        Some(frame) => {
            Err(format!("{} would be abandoned half-way, and may hold a lock; step out of it first", frame.name))
        }
        None => Ok(()),
    }
}

/// Where on the stack a value is, from the canonical frame address; and its size.
type Slot = (i64, usize);

/// Where a function's first instructions store the registers that passed its arguments. An error if one is used and
/// not stored.
fn kept_arguments(stop: &Stop, code: &CodeFrame, entry: MemAddr) -> Result<BTreeMap<u16, Slot>, String> {
    let length =
        code.ranges.iter().find(|range| range.contains(&code.entry)).and_then(|range| range.end.since(code.entry));
    let length = usize::try_from(length.unwrap_or(0).min(MOST_CODE)).unwrap_or(0);
    let bytes = stop.memory.read_bytes(entry, length).map_err(|error| error.to_string())?;
    let mut prologue = Prologue::new();
    for instruction in &mut Decoder::with_ip(64, &bytes, entry.raw(), DecoderOptions::NONE) {
        if !prologue.execute(&instruction)? {
            break;
        }
    }
    prologue.end(passed_in_registers(code))
}

/// How many registers the parameters take at most, and the pointer to where a large value is to be returned.
fn passed_in_registers(code: &CodeFrame) -> usize {
    let parameters = code.variables_at(code.entry).unwrap_or_default();
    let parameters = parameters.iter().filter(|variable| variable.role == Role::Argument);
    let sizes = parameters.map(|variable| variable.ty.as_ref().map_or(16, |ty| ty.size()));
    let passed = sizes.map(|size| match size {
        0 => 0,
        9..=16 => 2,
        _ => 1,
    });
    let returned = code.return_type().is_some_and(|ty| ty.size() > 16);
    passed.fold(usize::from(returned), usize::saturating_add)
}

/// The first instructions of a function, executed as far as needed to follow its arguments.
struct Prologue {
    info: InstructionInfoFactory,
    /// Registers that hold what one of [`ARGUMENTS`] held at the entry.
    holds: BTreeMap<Register, usize>,
    slots: [Option<Slot>; ARGUMENTS.len()],
    used: [bool; ARGUMENTS.len()],
    /// Registers that have been written.
    loaded: BTreeSet<Register>,
    /// `rsp` and `rbp`, from the canonical frame address, where known.
    sp: i64,
    bp: Option<i64>,
}

impl Prologue {
    fn new() -> Self {
        Self {
            info: InstructionInfoFactory::new(),
            holds: ARGUMENTS.iter().enumerate().map(|(at, (register, _))| (*register, at)).collect(),
            slots: [None; ARGUMENTS.len()],
            used: [false; ARGUMENTS.len()],
            loaded: BTreeSet::new(),
            sp: -8,
            bp: None,
        }
    }

    /// Whether to go on behind this instruction.
    fn execute(&mut self, instruction: &Instruction) -> Result<bool, String> {
        if instruction.is_invalid() {
            return Err("its code is not understood".to_owned());
        }
        if instruction.flow_control() != FlowControl::Next {
            return Ok(false);
        }
        if self.moves_frame(instruction)? || self.stores_argument(instruction) || self.copies_argument(instruction) {
            return Ok(true);
        }
        let used: Vec<(Register, OpAccess)> =
            self.info.info(instruction).used_registers().iter().map(|used| (used.register(), used.access())).collect();
        // `xor edi, edi` reads nothing.
        let clears = matches!(instruction.code(), Code::Xor_r32_rm32 | Code::Xor_rm32_r32)
            && instruction.op0_register() == instruction.op1_register();
        for (register, access) in &used {
            let reads =
                matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite);
            if reads && !clears {
                if register.is_vector_register() && !self.loaded.contains(&register.full_register()) {
                    return Err("it takes floating-point arguments, which are not kept".to_owned());
                }
                if let Some(used) = self.holds.get(&register.full_register()).and_then(|at| self.used.get_mut(*at)) {
                    *used = true;
                }
            }
        }
        for (register, access) in used {
            if !matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None) {
                self.loaded.insert(register.full_register());
                self.holds.remove(&register.full_register());
            }
        }
        Ok(true)
    }

    /// `push`, `sub rsp`, `mov rbp, rsp`.
    fn moves_frame(&mut self, instruction: &Instruction) -> Result<bool, String> {
        let to = instruction.op0_register();
        match instruction.code() {
            Code::Push_r64 => {
                self.sp = self.sp.saturating_sub(8);
                Ok(true)
            }
            Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 if to == Register::RSP => {
                self.sp = self.sp.saturating_sub(instruction.immediate(1).cast_signed());
                Ok(true)
            }
            Code::Mov_rm64_r64 | Code::Mov_r64_rm64
                if to == Register::RBP && instruction.op1_register() == Register::RSP =>
            {
                self.bp = Some(self.sp);
                Ok(true)
            }
            _ if to == Register::RSP && instruction.op0_kind() == OpKind::Register => {
                Err("its frame is aligned in a way that is not followed".to_owned())
            }
            _ => Ok(false),
        }
    }

    /// `mov [rsp + d], rdi`.
    fn stores_argument(&mut self, instruction: &Instruction) -> bool {
        let stores = matches!(
            instruction.code(),
            Code::Mov_rm64_r64 | Code::Mov_rm32_r32 | Code::Mov_rm16_r16 | Code::Mov_rm8_r8
        ) && instruction.op0_kind() == OpKind::Memory
            && instruction.memory_index() == Register::None;
        let Some(at) = self.holds.get(&instruction.op1_register().full_register()).filter(|_| stores) else {
            return false;
        };
        let base = match instruction.memory_base() {
            Register::RSP => Some(self.sp),
            Register::RBP => self.bp,
            _ => None,
        };
        let (Some(base), Some(slot)) = (base, self.slots.get_mut(*at)) else { return false };
        let size = instruction.memory_size().size();
        if slot.is_none_or(|(_, known)| known < size) {
            *slot = Some((base.wrapping_add(instruction.memory_displacement64().cast_signed()), size));
        }
        true
    }

    /// `mov rax, rdi`, or of a part of them: the function looks at no more of it then.
    fn copies_argument(&mut self, instruction: &Instruction) -> bool {
        use Code::{Mov_r8_rm8, Mov_r32_rm32, Mov_r64_rm64, Mov_rm8_r8, Mov_rm32_r32, Mov_rm64_r64};
        let codes = [Mov_r8_rm8, Mov_r32_rm32, Mov_r64_rm64, Mov_rm8_r8, Mov_rm32_r32, Mov_rm64_r64];
        let copies = codes.contains(&instruction.code())
            && instruction.op0_kind() == OpKind::Register
            && instruction.op1_kind() == OpKind::Register;
        let from = instruction.op1_register().full_register();
        let Some(at) = self.holds.get(&from).copied().filter(|_| copies) else { return false };
        self.holds.insert(instruction.op0_register().full_register(), at);
        true
    }

    /// The slots. What the straight code has left where it was passed may be used behind it.
    fn end(mut self, passed: usize) -> Result<BTreeMap<u16, Slot>, String> {
        for (at, (register, _)) in ARGUMENTS.iter().enumerate().take(passed) {
            if self.holds.get(register) == Some(&at)
                && let Some(used) = self.used.get_mut(at)
            {
                *used = true;
            }
        }
        if self.used.iter().zip(&self.slots).any(|(used, slot)| *used && slot.is_none()) {
            return Err("not all of its arguments are kept on the stack".to_owned());
        }
        let kept = ARGUMENTS.iter().zip(self.slots).filter_map(|((_, number), slot)| Some((*number, slot?)));
        Ok(kept.collect())
    }
}
