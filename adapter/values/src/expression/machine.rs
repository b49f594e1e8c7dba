//! The machine that runs the quick form of conditions: bounded, without allocation, and silent where it is not sure.

use weft_memory::{DwarfRegister, MemAddr};
use weft_symbols::Route;

use super::number::{Integer, IntegerType};
use super::quick::{Elements, Form, MAX_BYTES, MAX_DEPTH, MAX_TEXT, Operation, Run, Source};
use super::syntax::Operator;

/// The machine: registers, memory, and a stack of numbers.
pub(super) struct Machine<R, M> {
    register: R,
    read: M,
    stack: [i128; MAX_DEPTH],
    depth: usize,
}

impl<R: Fn(DwarfRegister) -> u64, M: FnMut(MemAddr, &mut [u8]) -> bool> Machine<R, M> {
    pub(super) const fn new(register: R, read: M) -> Self {
        Self { register, read, stack: [0; MAX_DEPTH], depth: 0 }
    }

    /// Runs one operation and says how many of the next to leave out.
    pub(super) fn run(&mut self, operation: &Operation) -> Option<usize> {
        match operation {
            Operation::Push(number) => self.push(*number)?,
            Operation::Load { from, size, form } => {
                let number = self.load(from, *size, form)?;
                self.push(number)?;
            }
            Operation::Compare(operator) => {
                let (a, b) = self.pop_two()?;
                self.push(operator.accepts(a.cmp(&b)).into())?;
            }
            Operation::CompareFloats(operator) => {
                let (a, b) = self.pop_two()?;
                let order = float(a)?.partial_cmp(&float(b)?);
                let accepted = order.map_or(*operator == Operator::Unequal, |order| operator.accepts(order));
                self.push(accepted.into())?;
            }
            Operation::Arithmetic(operator, ty) => {
                let (a, b) = self.pop_two()?;
                self.push(arithmetic(*operator, *ty, a, b)?)?;
            }
            Operation::Negate(ty) => {
                let number = self.pop()?.checked_neg()?;
                self.push(in_range(number, *ty)?)?;
            }
            Operation::Complement(ty) => {
                let number = cut(!self.pop()?, *ty);
                self.push(number)?;
            }
            Operation::Not => {
                let is_false = self.pop()? == 0;
                self.push(is_false.into())?;
            }
            Operation::Cut(ty) => {
                let number = cut(self.pop()?, *ty);
                self.push(number)?;
            }
            Operation::Skip { when, count } => {
                let value = self.pop()?;
                if (value != 0) == *when {
                    self.push(value)?;
                    return Some(*count);
                }
            }
            Operation::Element { of, stride } => {
                let index = u64::try_from(self.pop()?).ok()?;
                let address = self.element(of, *stride, index)?;
                self.push(address.into())?;
            }
            Operation::Text { run, text } => {
                let equal = self.is_text(run, text)?;
                self.push(equal.into())?;
            }
            Operation::Length(run) => {
                let (_, length) = self.run_of(run)?;
                self.push(length.into())?;
            }
            Operation::GiveUp => return None,
        }
        Some(0)
    }

    fn push(&mut self, number: i128) -> Option<()> {
        *self.stack.get_mut(self.depth)? = number;
        self.depth = self.depth.checked_add(1)?;
        Some(())
    }

    /// Takes the number on top.
    pub(super) fn pop(&mut self) -> Option<i128> {
        self.depth = self.depth.checked_sub(1)?;
        self.stack.get(self.depth).copied()
    }

    fn pop_two(&mut self) -> Option<(i128, i128)> {
        let second = self.pop()?;
        Some((self.pop()?, second))
    }

    /// The number at the end of a way.
    fn end(&mut self, route: &Route) -> Option<u64> {
        route.end(|register| Some((self.register)(register)), &mut self.read)
    }

    /// From a number on, for every step a pointer read and the step added.
    fn follow(&mut self, start: u64, further: &[i64]) -> Option<u64> {
        let mut number = start;
        for step in further {
            let mut bytes = [0; 8];
            if !(self.read)(MemAddr::new(number), &mut bytes) {
                return None;
            }
            let pointer = u64::from_le_bytes(bytes);
            number = pointer.wrapping_add_signed(*step);
        }
        Some(number)
    }

    fn load(&mut self, from: &Source, size: u8, form: &Form) -> Option<i128> {
        let bits = match from {
            Source::Number(route, first) => self.end(route)?.checked_shr(u32::from(*first).checked_mul(8)?)?,
            Source::Memory(route) => {
                let address = self.end(route)?;
                self.bits(address, size)?
            }
            Source::Taken(steps) => {
                let start = u64::try_from(self.pop()?).ok()?;
                let (first, further) = steps.split_first()?;
                let address = self.follow(start.wrapping_add_signed(*first), further)?;
                self.bits(address, size)?
            }
        };
        let width = u32::from(size).checked_mul(8)?;
        let mask = 1_u64.checked_shl(width).map_or(u64::MAX, |above| above.wrapping_sub(1));
        form.number(bits & mask, size)
    }

    fn bits(&mut self, address: u64, size: u8) -> Option<u64> {
        let mut bytes = [0; 8];
        let read = (self.read)(MemAddr::new(address), bytes.get_mut(..usize::from(size))?);
        read.then(|| u64::from_le_bytes(bytes))
    }

    /// Address and length of a run; `None`: no valid program has such.
    fn run_of(&mut self, run: &Run) -> Option<(u64, u64)> {
        let length = self.end(&run.length)?;
        if let Some(capacity) = &run.capacity
            && self.end(capacity)? < length
        {
            return None;
        }
        let address = self.end(&run.address)?;
        (address != 0 && length < MAX_BYTES).then_some((address, length))
    }

    fn element(&mut self, of: &Elements, stride: u64, index: u64) -> Option<u64> {
        let (address, length) = match of {
            Elements::Array(route, count) => (self.end(route)?, *count),
            Elements::Run(run) => self.run_of(run)?,
        };
        let is_possible = length.checked_mul(stride).is_some_and(|bytes| bytes <= MAX_BYTES);
        (index < length && is_possible).then(|| address.checked_add(index.checked_mul(stride)?)).flatten()
    }

    fn is_text(&mut self, run: &Run, text: &[u8]) -> Option<bool> {
        let (address, length) = self.run_of(run)?;
        if usize::try_from(length).ok()? != text.len() {
            return Some(false);
        }
        let mut bytes = [0; MAX_TEXT];
        let bytes = bytes.get_mut(..text.len())?;
        (text.is_empty() || (self.read)(MemAddr::new(address), bytes)).then(|| bytes == text)
    }
}

fn float(number: i128) -> Option<f64> {
    u64::try_from(number).ok().map(f64::from_bits)
}

fn cut(number: i128, ty: IntegerType) -> i128 {
    let cut = Integer::cut_to(number, ty);
    cut.signed().unwrap_or(0)
}

fn in_range(number: i128, ty: IntegerType) -> Option<i128> {
    (cut(number, ty) == number).then_some(number)
}

/// Both numbers are of the type, which has at most 64 bits: only a product can leave `i128`.
pub(super) fn arithmetic(operator: Operator, ty: IntegerType, a: i128, b: i128) -> Option<i128> {
    let result = match operator {
        Operator::Add => a.checked_add(b)?,
        Operator::Subtract => a.checked_sub(b)?,
        Operator::Multiply => a.checked_mul(b)?,
        Operator::Divide => a.checked_div(b)?,
        // Rust divides to find a remainder, and that overflows.
        Operator::Remainder if b == -1 && ty.limits().0.signed() == Some(a) => return None,
        Operator::Remainder => a.checked_rem(b)?,
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        Operator::ShiftLeft | Operator::ShiftRight => {
            let by = u32::try_from(b).ok().filter(|by| *by < ty.bits())?;
            let shifted = if operator == Operator::ShiftLeft { a.checked_shl(by)? } else { a.checked_shr(by)? };
            return Some(cut(shifted, ty));
        }
        _ => return None,
    };
    in_range(result, ty)
}
