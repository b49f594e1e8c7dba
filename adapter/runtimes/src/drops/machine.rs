//! Drop glue, carried out on paper: which bytes of a value it looks at, as the value's state is now.
//!
//! The glue's instructions are followed with what is known: the value's own bytes (its state, its drop flags), memory that
//! the program cannot write (jump tables, the linker's tables of functions), and what is computed of both. Where a branch
//! depends on anything else, both ways are followed.

use std::collections::BTreeMap;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};
use rustc_hash::FxHashMap;
use weft_memory::{MemAddr, Memory};

use super::value::Value;
use super::way::{ARGUMENTS, HOME, STACK, Way};

/// Instructions that one question may cost, ways that may meet at one instruction or be open, and calls within calls.
const MAX_STEPS: usize = 20_000;
const MAX_MET: usize = 16;
const MAX_OPEN: usize = 256;
const MAX_DEPTH: u8 = 16;
/// Bytes of the longest instruction.
const LONGEST: usize = 15;

/// What begins at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Glue that drops a value of so many bytes.
    Glue(u64),
    /// A function that does not return.
    Panics,
    /// One that gives memory back: what is in it is dead.
    Frees,
    Other,
}

/// What of a value decided which way its glue went: offset and bytes, and the number there, unless it was no such.
pub(super) type Reads = BTreeMap<(u64, usize), Option<u64>>;

/// Whether these reads give the same of the value at `begin`.
pub(super) fn agree(reads: &Reads, memory: &dyn Memory, begin: u64) -> bool {
    let is_same = |((offset, size), number): (&(u64, usize), &Option<u64>)| {
        begin.checked_add(*offset).is_some_and(|at| tag(memory, at, *size) == *number)
    };
    reads.iter().all(is_same)
}

/// A number that can be a discriminant or a flag. What else lies in a value is taken for unknown, so that the course is the
/// same for all values that differ in their pointers only.
fn tag(memory: &dyn Memory, address: u64, size: usize) -> Option<u64> {
    const SMALL: u64 = 1 << 12;
    read(memory, address, size).filter(|number| size <= 4 || *number < SMALL || *number >= 1 << 63)
}

/// What following the glue came to.
pub(super) struct Course {
    /// It takes this course wherever these reads give the same.
    pub(super) reads: Reads,
    /// The bytes of the target that are looked at on any way, as offsets; none if something was not understood.
    pub(super) seen: Option<Vec<Range<u64>>>,
}

/// A question: which bytes of a target get looked at?
pub(super) struct Machine<'a> {
    memory: &'a dyn Memory,
    function: &'a dyn Fn(u64) -> Option<Function>,
    /// What is dropped.
    root: Range<u64>,
    /// The part of it that the question is about.
    target: Range<u64>,
    reads: Reads,
    seen: Vec<Range<u64>>,
    open: Vec<Way>,
    met: FxHashMap<u64, Vec<Way>>,
}

/// Whether a way goes on.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    On,
    End,
}

/// What is done about a call.
enum Callee {
    Into(u64),
    /// It does nothing that matters.
    Past,
    /// It never comes back.
    Never,
}

impl<'a> Machine<'a> {
    /// `function` says what begins at an address of the program, if a function does.
    pub(super) fn new(
        memory: &'a dyn Memory,
        function: &'a dyn Fn(u64) -> Option<Function>,
        root: Range<u64>,
        target: Range<u64>,
    ) -> Self {
        let (reads, seen, open, met) = Default::default();
        Self { memory, function, root, target, reads, seen, open, met }
    }

    /// Follows the function at `entry`, given `argument`.
    pub(super) fn run(mut self, entry: u64, argument: u64) -> Course {
        let is_told = self.explore(Way::into(entry, argument)).is_some();
        Course { reads: self.reads, seen: is_told.then_some(self.seen) }
    }

    fn explore(&mut self, first: Way) -> Option<()> {
        let mut left = MAX_STEPS;
        self.open.push(first);
        while let Some(mut way) = self.open.pop() {
            while self.step(&mut way)? == Next::On {
                left = left.checked_sub(1)?;
            }
        }
        Some(())
    }

    fn step(&mut self, way: &mut Way) -> Option<Next> {
        let mut code = [0; LONGEST];
        let length = self.memory.read(MemAddr::new(way.ip), &mut code).ok()?;
        let instruction = Decoder::with_ip(64, code.get(..length)?, way.ip, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            return None;
        }
        way.ip = instruction.next_ip();
        match instruction.flow_control() {
            FlowControl::Next => self.plain(way, &instruction).map(|()| Next::On),
            FlowControl::UnconditionalBranch => self.jump(way, Some(instruction.near_branch_target())),
            FlowControl::IndirectBranch => {
                let target = self.read(way, &instruction, 0)?.number();
                // A table's index is in a register; without one it is a call through a vtable, and a return.
                let is_call = instruction.op0_kind() == OpKind::Memory && instruction.memory_index() == Register::None;
                (target.is_some() || is_call).then_some(())?;
                self.jump(way, target)
            }
            FlowControl::ConditionalBranch => {
                let target = instruction.near_branch_target();
                match way.flags.and_then(|flags| flags.hold(instruction.condition_code())) {
                    Some(true) => self.jump(way, Some(target)),
                    Some(false) => Some(Next::On),
                    None => self.fork(way, target),
                }
            }
            FlowControl::Call => self.call(way, Some(instruction.near_branch_target())),
            FlowControl::IndirectCall => {
                let target = self.read(way, &instruction, 0)?.number();
                self.call(way, target)
            }
            FlowControl::Return => leave(way),
            FlowControl::Exception | FlowControl::Interrupt => Some(Next::End),
            _ => None,
        }
    }

    /// Goes on both ways, unless the like of them has been there.
    fn fork(&mut self, way: &mut Way, target: u64) -> Option<Next> {
        let mut taken = way.clone();
        if self.jump(&mut taken, Some(target))? == Next::On && self.is_new(&taken)? {
            self.open.push(taken);
        }
        (self.open.len() <= MAX_OPEN).then_some(())?;
        Some(if self.is_new(way)? { Next::On } else { Next::End })
    }

    fn is_new(&mut self, way: &Way) -> Option<bool> {
        let root = self.root.clone();
        let met = self.met.entry(way.ip).or_default();
        if met.iter().any(|before| before.covers(way, |number| is_ours(&root, number))) {
            return Some(false);
        }
        met.push(way.clone());
        (met.len() <= MAX_MET).then_some(true)
    }

    /// A jump that leaves the function is a call and a return in one.
    fn jump(&mut self, way: &mut Way, target: Option<u64>) -> Option<Next> {
        if let Some(inside) = target.filter(|target| (self.function)(*target).is_none()) {
            way.ip = inside;
            return Some(Next::On);
        }
        match self.callee(way, target)? {
            Callee::Into(entry) => way.ip = entry,
            Callee::Past => {
                way.forget();
                return leave(way);
            }
            Callee::Never => return Some(Next::End),
        }
        Some(Next::On)
    }

    fn call(&mut self, way: &mut Way, target: Option<u64>) -> Option<Next> {
        match self.callee(way, target)? {
            Callee::Into(entry) => {
                way.depth = way.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
                way.push(Value::of(way.ip))?;
                way.ip = entry;
            }
            Callee::Past => way.forget(),
            Callee::Never => return Some(Next::End),
        }
        Some(Next::On)
    }

    /// What is done about a call. Only a function that is given a pointer can look at what is there; one that drops a part
    /// of the target looks at that part, and one that drops what lies beside it does not look at it.
    fn callee(&mut self, way: &Way, target: Option<u64>) -> Option<Callee> {
        let function = target.and_then(|target| (self.function)(target));
        let first = way.register(Register::RDI).number().filter(|first| is_ours(&self.root, *first));
        match (function, first) {
            (Some(Function::Panics), _) => return Some(Callee::Never),
            (Some(Function::Frees), _) | (Some(Function::Glue(_)), None) => return Some(Callee::Past),
            (Some(Function::Glue(size)), Some(value)) if size > 0 && self.root.contains(&value) => {
                let end = value.checked_add(size)?;
                let is_beside = end <= self.target.start || value >= self.target.end;
                let is_part = value >= self.target.start && end <= self.target.end && (value..end) != self.target;
                if is_beside || is_part {
                    self.look(value, usize::try_from(size).ok()?);
                    return Some(Callee::Past);
                }
            }
            _ => {}
        }
        let is_given = |register: &Register| way.register(*register).number().is_some_and(|at| is_ours(&self.root, at));
        if !ARGUMENTS.iter().any(is_given) {
            return Some(Callee::Past);
        }
        // Whoever cannot be followed may look at anything.
        target.map(Callee::Into)
    }

    /// Notes that these bytes are looked at.
    pub(super) fn look(&mut self, address: u64, size: usize) {
        let end = address.saturating_add(size as u64).min(self.target.end);
        let part = address.max(self.target.start)..end;
        if !part.is_empty() {
            let offset = |at: u64| at.saturating_sub(self.target.start);
            let part = offset(part.start)..offset(part.end);
            if !self.seen.contains(&part) {
                self.seen.push(part);
            }
        }
    }

    /// Reads what a way finds at an address.
    pub(super) fn load(&mut self, way: &Way, address: u64, size: usize) -> Value {
        let places = || (0..size as u64).map(|at| address.wrapping_add(at));
        let behind = if places().all(|at| way.byte(at).is_some()) {
            Value::UNKNOWN
        } else if is_ours(&self.root, address) {
            self.look(address, size);
            self.tag(address, size)
        } else {
            self.constant(address, size)
        };
        Value::from_bytes(places().zip(behind.bytes()).map(|(at, byte)| way.byte(at).unwrap_or(byte)))
    }

    /// A number in what is dropped.
    fn tag(&mut self, address: u64, size: usize) -> Value {
        let end = address.saturating_add(size as u64);
        if address < self.root.start || end > self.root.end {
            return Value::UNKNOWN;
        }
        let number = tag(self.memory, address, size);
        self.reads.insert((address.saturating_sub(self.root.start), size), number);
        number.map_or(Value::UNKNOWN, Value::of)
    }

    /// A number that the program cannot change.
    fn constant(&self, address: u64, size: usize) -> Value {
        let region = self.memory.region(MemAddr::new(address));
        let number = region.filter(|region| !region.writable).and_then(|_| read(self.memory, address, size));
        number.map_or(Value::UNKNOWN, Value::of)
    }

    /// Writes, where it is to the stack or to what is dropped.
    pub(super) fn store(&self, way: &mut Way, address: u64, size: usize, value: Value) -> Option<()> {
        if is_ours(&self.root, address) {
            way.store(address, size, value);
            return Some(());
        }
        // Who finds the pointer there may look at anything.
        (!self.is_pointer(value)).then_some(())
    }

    /// Takes for unknown what lies there.
    pub(super) fn forget_at(&self, way: &mut Way, address: u64, size: usize) {
        if is_ours(&self.root, address) {
            way.forget_at(address, size);
        }
    }

    /// Whether it leads to the stack or to what is dropped.
    pub(super) fn is_pointer(&self, value: Value) -> bool {
        value.number().is_some_and(|number| is_ours(&self.root, number))
    }

    /// Where an instruction's memory operand is, [`Value::UNKNOWN`] if it is elsewhere. `None`: it is somewhere in the
    /// stack or in what is dropped.
    pub(super) fn address(&self, way: &Way, instruction: &Instruction) -> Option<Value> {
        if instruction.is_ip_rel_memory_operand() {
            return Some(Value::of(instruction.ip_rel_memory_address()));
        }
        if !matches!(instruction.memory_segment(), Register::DS | Register::SS | Register::ES | Register::CS) {
            return Some(Value::UNKNOWN);
        }
        let part = |register: Register| match register {
            Register::None => Value::of(0),
            register if register.is_gpr64() => way.register(register),
            _ => Value::UNKNOWN,
        };
        let (base, index) = (part(instruction.memory_base()), part(instruction.memory_index()));
        match (base.number(), index.number()) {
            (Some(base), Some(index)) => {
                let scaled = index.wrapping_mul(u64::from(instruction.memory_index_scale()));
                Some(Value::of(base.wrapping_add(scaled).wrapping_add(instruction.memory_displacement64())))
            }
            _ => (!self.is_pointer(base) && !self.is_pointer(index)).then_some(Value::UNKNOWN),
        }
    }

    /// Reads an operand.
    pub(super) fn read(&mut self, way: &Way, instruction: &Instruction, operand: u32) -> Option<Value> {
        let size = size(instruction, operand);
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let value = if is_high(register) { Value::UNKNOWN } else { way.register(register) };
                Some(value.cut(size))
            }
            OpKind::Memory => match self.address(way, instruction)?.number() {
                Some(address) => Some(self.load(way, address, size)),
                None => Some(Value::UNKNOWN.cut(size)),
            },
            _ => instruction.try_immediate(operand).ok().map(|number| Value::of(number).cut(size)),
        }
    }

    /// Writes an operand.
    pub(super) fn write(&self, way: &mut Way, instruction: &Instruction, operand: u32, value: Value) -> Option<()> {
        let size = size(instruction, operand);
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let new = match size {
                    _ if is_high(register) => Value::UNKNOWN,
                    4 | 8 => value.cut(size),
                    _ => way.register(register).with_low(size, value),
                };
                way.set(register, new);
                Some(())
            }
            OpKind::Memory => match self.address(way, instruction)?.number() {
                Some(address) => self.store(way, address, size, value),
                None => (!self.is_pointer(value)).then_some(()),
            },
            _ => None,
        }
    }
}

/// Returns: to a caller, or home.
fn leave(way: &mut Way) -> Option<Next> {
    let to = way.pop()?.number()?;
    if to == HOME {
        return Some(Next::End);
    }
    way.depth = way.depth.saturating_sub(1);
    way.ip = to;
    Some(Next::On)
}

/// Whether an address is of the stack or of what is dropped, its end included.
fn is_ours(root: &Range<u64>, address: u64) -> bool {
    STACK.contains(&address) || (root.start..=root.end).contains(&address)
}

fn read(memory: &dyn Memory, address: u64, size: usize) -> Option<u64> {
    u64::try_from(memory.read_uint(MemAddr::new(address), size).ok()?).ok()
}

/// `ah` to `dh`.
fn is_high(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

/// Bytes of an operand, at most 8.
pub(super) fn size(instruction: &Instruction, operand: u32) -> usize {
    match instruction.op_kind(operand) {
        OpKind::Register => instruction.op_register(operand).size().min(8),
        OpKind::Memory => instruction.memory_size().size().clamp(1, 8),
        // Numbers are extended to what they go with.
        _ if operand > 0 => size(instruction, 0),
        _ => 8,
    }
}
