//! One way through drop glue, as far as it went: registers, flags, and what was written on the way.

use std::collections::BTreeMap;
use std::ops::Range;

use iced_x86::Register;

use super::value::{Flags, Value};

/// Where the stack is that exists on paper only: in the half of the address space that is the kernel's.
pub(super) const STACK: Range<u64> = 0xffff_8000_0000_0000..0xffff_8000_0010_0000;
/// Where the stack pointer begins.
const TOP: u64 = STACK.end - (1 << 12);
/// Where the glue returns to: no address of a program.
pub(super) const HOME: u64 = STACK.end;

/// What arguments are passed in, and what a callee need not keep (System V ABI for x86-64).
pub(super) const ARGUMENTS: [Register; 6] =
    [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8, Register::R9];
const CLOBBERED: [Register; 9] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The next instruction.
    pub(super) ip: u64,
    registers: [Value; 16],
    /// None: not known.
    pub(super) flags: Option<Flags>,
    /// Bytes of the stack and of what is dropped that were written; those of the stack that were not are not known.
    written: BTreeMap<u64, Option<u8>>,
    /// Calls within calls.
    pub(super) depth: u8,
}

impl Way {
    /// At the beginning of a function that is given one argument.
    pub(super) fn into(entry: u64, argument: u64) -> Self {
        let mut way =
            Self { ip: entry, registers: [Value::UNKNOWN; 16], flags: None, written: BTreeMap::new(), depth: 0 };
        way.set(Register::RDI, Value::of(argument));
        way.set(Register::RSP, Value::of(TOP));
        way.store(TOP, 8, Value::of(HOME));
        way
    }

    /// The whole register that this one is a part of.
    pub(super) fn register(&self, register: Register) -> Value {
        let full = register.full_register();
        let at = full.is_gpr64().then(|| full.number());
        at.and_then(|at| self.registers.get(at)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, register: Register, value: Value) {
        let full = register.full_register();
        if let Some(place) = full.is_gpr64().then(|| full.number()).and_then(|at| self.registers.get_mut(at)) {
            *place = value;
        }
    }

    /// What was written there: none if nothing was.
    pub(super) fn byte(&self, address: u64) -> Option<Option<u8>> {
        self.written.get(&address).copied()
    }

    pub(super) fn store(&mut self, address: u64, size: usize, value: Value) {
        self.written.extend((address..).zip(value.bytes().take(size)));
    }

    /// Takes for unknown what lies there.
    pub(super) fn forget_at(&mut self, address: u64, size: usize) {
        self.written.extend((address..).zip(std::iter::repeat_n(None, size)));
    }

    /// What a call leaves of the registers.
    pub(super) fn forget(&mut self) {
        for register in CLOBBERED {
            self.set(register, Value::UNKNOWN);
        }
        self.flags = None;
    }

    /// Pushes a number; none if there is no stack to push it on.
    pub(super) fn push(&mut self, value: Value) -> Option<()> {
        let to = self.register(Register::RSP).number()?.checked_sub(8).filter(|to| STACK.contains(to))?;
        self.set(Register::RSP, Value::of(to));
        self.store(to, 8, value);
        Some(())
    }

    /// Pops one; what is below the stack from then on is gone.
    pub(super) fn pop(&mut self) -> Option<Value> {
        let from = self.register(Register::RSP).number().filter(|from| STACK.contains(from))?;
        let value = Value::from_bytes((from..).take(8).map(|at| self.byte(at).flatten()));
        let above = from.checked_add(8)?;
        self.set(Register::RSP, Value::of(above));
        self.written.retain(|at, _| !(STACK.start..above).contains(at));
        Some(value)
    }

    /// Whether all that can come of the other way comes of this one too: it knows less, and no pointer less that
    /// `matters`.
    pub(super) fn covers(&self, other: &Self, matters: impl Fn(u64) -> bool) -> bool {
        let register = |(mine, its): (&Value, &Value)| {
            mine == its || mine.is_less_than(*its) && !its.number().is_some_and(&matters)
        };
        let known = |flags: &Option<Flags>| flags.is_none() || *flags == other.flags;
        self.ip == other.ip
            && self.depth == other.depth
            && known(&self.flags)
            && self.registers.iter().zip(&other.registers).all(register)
            && self.written == other.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_popped_and_gone() {
        let mut way = Way::into(0x1000, 0x5000);
        way.push(Value::of(7)).expect("a stack");
        let at = way.register(Register::RSP).number().expect("known");
        assert_eq!(way.byte(at), Some(Some(7)));
        assert_eq!((way.pop(), way.byte(at)), (Some(Value::of(7)), None));
        assert_eq!(way.pop(), Some(Value::of(HOME)));
    }

    #[test]
    fn a_way_that_knows_less_covers_one_that_knows_more() {
        let all = Way::into(0x1000, 0x5000);
        let mut less = all.clone();
        less.set(Register::RDI, Value::UNKNOWN);
        assert!(less.covers(&all, |_| false) && !all.covers(&less, |_| false));
        assert!(!less.covers(&all, |number| number == 0x5000), "the pointer that is lost matters");
        let mut wrote = all.clone();
        wrote.forget_at(0x5000, 1);
        assert!(!wrote.covers(&all, |_| false) && !all.covers(&wrote, |_| false));
    }
}
