//! Numbers of which some bits are known, and the flags that arithmetic leaves.

use iced_x86::{ConditionCode, Mnemonic};

/// A number of which some bits are known; the others are zero in `number`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Value {
    number: u64,
    known: u64,
}

impl Value {
    pub(super) const UNKNOWN: Self = Self { number: 0, known: 0 };

    pub(super) const fn of(number: u64) -> Self {
        Self { number, known: u64::MAX }
    }

    /// Put together from bytes, the lowest first; zeros above them.
    pub(super) fn from_bytes(bytes: impl Iterator<Item = Option<u8>>) -> Self {
        let mut value = Self::of(0);
        for (byte, shift) in bytes.zip((0_u32..64).step_by(8)) {
            let byte = byte.map_or(Self::UNKNOWN, |byte| Self::of(u64::from(byte)));
            value.number |= (byte.number & 0xff).wrapping_shl(shift);
            value.known &= !0xff_u64.wrapping_shl(shift) | (byte.known & 0xff).wrapping_shl(shift);
        }
        value
    }

    /// Its bytes, the lowest first.
    pub(super) fn bytes(self) -> impl Iterator<Item = Option<u8>> {
        let part = move |(number, known): (u8, u8)| (known == 0xff).then_some(number);
        self.number.to_le_bytes().into_iter().zip(self.known.to_le_bytes()).map(part)
    }

    /// The number, if all of it is known.
    pub(super) fn number(self) -> Option<u64> {
        (self.known == u64::MAX).then_some(self.number)
    }

    /// The lowest bytes, if all of them are known.
    pub(super) fn low(self, size: usize) -> Option<u64> {
        (self.known & mask(size) == mask(size)).then_some(self.number & mask(size))
    }

    /// The lowest bytes, with zeros above them.
    pub(super) fn cut(self, size: usize) -> Self {
        Self { number: self.number & mask(size), known: self.known | !mask(size) }
    }

    /// The lowest bytes, with their sign above them.
    pub(super) fn extended(self, size: usize) -> Self {
        let extend = |low| if is_negative(low, size) { low | !mask(size) } else { low };
        self.low(size).map_or(Self::UNKNOWN, |low| Self::of(extend(low)))
    }

    /// This, with other lowest bytes.
    pub(super) fn with_low(self, size: usize, low: Self) -> Self {
        let mask = mask(size);
        Self { number: self.number & !mask | low.number & mask, known: self.known & !mask | low.known & mask }
    }

    /// Whether whatever is known here is known there too, and the same.
    pub(super) fn is_less_than(self, other: Self) -> bool {
        self.known & other.known == self.known && (self.number ^ other.number) & self.known == 0
    }
}

const fn mask(size: usize) -> u64 {
    match size {
        1 => 0xff,
        2 => 0xffff,
        4 => 0xffff_ffff,
        _ => u64::MAX,
    }
}

const fn is_negative(number: u64, size: usize) -> bool {
    number & (mask(size) ^ (mask(size) >> 1)) != 0
}

/// The flags that conditions are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flags {
    zero: bool,
    sign: bool,
    carry: bool,
    overflow: bool,
}

impl Flags {
    /// Whether a condition holds; none for what is no condition on flags.
    pub(super) fn hold(self, condition: ConditionCode) -> Option<bool> {
        Some(match condition {
            ConditionCode::e => self.zero,
            ConditionCode::ne => !self.zero,
            ConditionCode::b => self.carry,
            ConditionCode::ae => !self.carry,
            ConditionCode::be => self.carry || self.zero,
            ConditionCode::a => !self.carry && !self.zero,
            ConditionCode::s => self.sign,
            ConditionCode::ns => !self.sign,
            ConditionCode::o => self.overflow,
            ConditionCode::no => !self.overflow,
            ConditionCode::l => self.sign != self.overflow,
            ConditionCode::ge => self.sign == self.overflow,
            ConditionCode::le => self.zero || self.sign != self.overflow,
            ConditionCode::g => !self.zero && self.sign == self.overflow,
            _ => return None,
        })
    }
}

/// What an instruction makes of two numbers of so many bytes, and of the flags. None: another kind of instruction.
pub(super) fn compute(mnemonic: Mnemonic, left: u64, right: u64, size: usize) -> Option<(u64, Flags)> {
    let sign = |number: u64| is_negative(number, size);
    let (result, carry, overflow) = match mnemonic {
        Mnemonic::Add => {
            let sum = left.wrapping_add(right) & mask(size);
            (sum, sum < left, sign(left) == sign(right) && sign(sum) != sign(left))
        }
        Mnemonic::Sub | Mnemonic::Cmp => {
            let difference = left.wrapping_sub(right) & mask(size);
            (difference, left < right, sign(left) != sign(right) && sign(difference) != sign(left))
        }
        Mnemonic::And | Mnemonic::Test => (left & right, false, false),
        Mnemonic::Or => (left | right, false, false),
        Mnemonic::Xor => (left ^ right, false, false),
        _ => return None,
    };
    Some((result, Flags { zero: result == 0, sign: sign(result), carry, overflow }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(mnemonic: Mnemonic, left: u64, right: u64, size: usize, condition: ConditionCode) -> bool {
        let (_, flags) = compute(mnemonic, left, right, size).expect("arithmetic");
        flags.hold(condition).expect("a condition")
    }

    #[test]
    fn bytes_are_known_each_for_itself() {
        let value = Value::from_bytes([Some(4), None].into_iter());
        assert_eq!((value.low(1), value.low(2), value.number()), (Some(4), None, None));
        assert_eq!(value.cut(1), Value::of(4));
        assert_eq!(Value::UNKNOWN.with_low(1, Value::of(0x1ff)).low(1), Some(0xff));
        assert_eq!(
            value.bytes().collect::<Vec<_>>(),
            [Some(4), None, Some(0), Some(0), Some(0), Some(0), Some(0), Some(0)]
        );
    }

    #[test]
    fn signs_are_extended() {
        assert_eq!(Value::of(0xffff_fffe).extended(4), Value::of(u64::MAX - 1));
        assert_eq!(Value::of(0x7f).extended(1), Value::of(0x7f));
        assert_eq!(Value::UNKNOWN.extended(4), Value::UNKNOWN);
    }

    #[test]
    fn conditions_compare_with_and_without_signs() {
        assert!(holds(Mnemonic::Cmp, 3, 4, 1, ConditionCode::b));
        assert!(holds(Mnemonic::Cmp, 0xff, 1, 1, ConditionCode::a));
        assert!(holds(Mnemonic::Cmp, 0xff, 1, 1, ConditionCode::l));
        assert!(holds(Mnemonic::Cmp, 0x80, 1, 1, ConditionCode::o));
        assert!(holds(Mnemonic::Sub, 3, 3, 4, ConditionCode::e));
        assert!(holds(Mnemonic::Test, 2, 1, 1, ConditionCode::e));
        assert!(holds(Mnemonic::Add, 0xff, 1, 1, ConditionCode::b));
        assert!(compute(Mnemonic::Imul, 1, 1, 8).is_none());
    }

    #[test]
    fn less_is_known_of_what_agrees() {
        let partly = Value::from_bytes([Some(4), None].into_iter());
        assert!(partly.is_less_than(Value::of(0x104)) && Value::UNKNOWN.is_less_than(partly));
        assert!(!Value::of(0x104).is_less_than(partly) && !partly.is_less_than(Value::of(0x105)));
    }
}
