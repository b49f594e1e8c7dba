//! The simple conditions, compiled to what a breakpoint can afford at every hit: registers and a few reads.
//!
//! A machine with a stack of numbers. Whatever the full evaluation would refuse (an overflow, a value that no valid
//! program holds, memory that cannot be read) ends it without an answer, so that the two never disagree.

use weft_memory::{DwarfRegister, MemAddr};
use weft_symbols::{Route, Start};

use super::machine::Machine;
use super::number::IntegerType;
use super::syntax::Operator;

/// Numbers on the stack at once.
pub(super) const MAX_DEPTH: usize = 16;
/// Reads of memory that one condition may take.
const MAX_READS: usize = 64;
/// Bytes that no allocation has.
pub(super) const MAX_BYTES: u64 = 1 << 47;
/// Longest text that is compared, in bytes.
pub(super) const MAX_TEXT: usize = 128;

/// A condition over numbers in registers and memory. Asking it allocates nothing and reads no debug information.
#[derive(Clone, Debug)]
pub struct Quick {
    registers: Box<[DwarfRegister]>,
    operations: Box<[Operation]>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    /// A number known beforehand.
    Push(i128),
    /// What lies somewhere, `size` bytes of it (1 to 8).
    Load { from: Source, size: u8, form: Form },
    /// Takes two integers, and whether they compare so.
    Compare(Operator),
    /// Takes two floats.
    CompareFloats(Operator),
    /// Takes two integers, and gives one of the type.
    Arithmetic(Operator, IntegerType),
    /// `-x`, of the type.
    Negate(IntegerType),
    /// `!x`, of the type.
    Complement(IntegerType),
    /// `!x` of a bool.
    Not,
    /// `x as type`.
    Cut(IntegerType),
    /// If the bool on top is this one, goes forward so many operations; otherwise takes it away.
    Skip { when: bool, count: usize },
    /// Takes an index, and gives the address of that element.
    Element { of: Elements, stride: u64 },
    /// Whether a text is this one.
    Text { run: Run, text: Box<[u8]> },
    /// How many elements there are.
    Length(Run),
    /// What follows needs the full evaluation.
    GiveUp,
}

/// Where a number is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// In memory, at the end of a way.
    Memory(Route),
    /// It is the end of a way, from this byte on.
    Number(Route, u8),
    /// In memory, at the end of a way that begins with an address that it takes.
    Taken(Vec<i64>),
}

/// Elements one after another.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Elements {
    /// So many, at the end of a way.
    Array(Route, u64),
    /// As numbers in the program say.
    Run(Run),
}

/// Text or other bytes: where the numbers are that say where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    /// A way whose end is the address.
    pub(super) address: Route,
    /// A way whose end is the count of bytes.
    pub(super) length: Route,
    /// A way whose end the count cannot be above.
    pub(super) capacity: Option<Route>,
}

/// What bits mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Unsigned,
    Signed,
    Bool,
    Char,
    F32,
    F64,
    /// An enum's discriminant: 1 if it is in the variant, 0 if in another.
    Variant(Box<Tags>),
}

/// The discriminants of an enum: ranges, ends included.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tags {
    /// Those of the variant that is asked about.
    pub(super) own: Vec<(u128, u128)>,
    /// Those of the others.
    pub(super) others: Vec<(u128, u128)>,
    /// What all else means; `None`: nothing valid.
    pub(super) rest: Option<bool>,
}

impl Tags {
    fn of(&self, tag: u128) -> Option<bool> {
        let among = |ranges: &[(u128, u128)]| ranges.iter().any(|(low, high)| (*low..=*high).contains(&tag));
        match () {
            () if among(&self.own) => Some(true),
            () if among(&self.others) => Some(false),
            () => self.rest,
        }
    }
}

impl Form {
    /// The number that bits are; `None`: no valid value. Floats are kept as the bits of an `f64`.
    pub(super) fn number(&self, bits: u64, size: u8) -> Option<i128> {
        Some(match self {
            Self::Unsigned => bits.into(),
            Self::Signed => crate::place::sign_extended(bits.into(), size.into()),
            Self::Bool => (bits <= 1).then_some(bits.into())?,
            Self::Char => char::from_u32(u32::try_from(bits).ok()?).map(|c| u32::from(c).into())?,
            Self::F32 => f64::from(f32::from_bits(u32::try_from(bits).ok()?)).to_bits().into(),
            Self::F64 => bits.into(),
            Self::Variant(tags) => tags.of(bits.into())?.into(),
        })
    }
}

impl Quick {
    /// From operations that leave one bool. `None`: they ask for more than is granted.
    pub(super) fn new(operations: Vec<Operation>) -> Option<Self> {
        let mut registers: Vec<DwarfRegister> = Vec::new();
        let (mut depth, mut reads) = (0_usize, 0_usize);
        for operation in &operations {
            for route in operation.routes() {
                if let Start::Register(register) = route.start
                    && !registers.contains(&register)
                {
                    registers.push(register);
                }
                reads = reads.saturating_add(route.steps.len());
            }
            if let Operation::Load { from: Source::Taken(steps), .. } = operation {
                reads = reads.saturating_add(steps.len());
            }
            depth = match operation {
                Operation::Load { from: Source::Taken(_), .. } | Operation::Element { .. } => depth,
                Operation::Push(_) | Operation::Load { .. } | Operation::Text { .. } | Operation::Length(_) => {
                    depth.saturating_add(1)
                }
                Operation::Compare(_) | Operation::CompareFloats(_) | Operation::Arithmetic(..) => {
                    depth.saturating_sub(1)
                }
                // What it goes over leaves one bool in the place of the one that it takes away.
                Operation::Skip { .. } => depth.saturating_sub(1),
                // Stands for a bool.
                Operation::GiveUp => depth.saturating_add(1),
                Operation::Negate(_) | Operation::Complement(_) | Operation::Not | Operation::Cut(_) => depth,
            };
            if depth > MAX_DEPTH || reads > MAX_READS {
                return None;
            }
        }
        Some(Self { registers: registers.into(), operations: operations.into() })
    }

    /// The registers it looks at, each once.
    pub fn registers(&self) -> &[DwarfRegister] {
        &self.registers
    }

    /// Whether it is true, by the registers of the thread that is at its address and the memory of the program. `read`
    /// fills the buffer or says that it could not. `None`: it cannot be said in this way (memory that cannot be read,
    /// an overflow, a value that no valid program holds, a part that is not simple); [`crate::Compiled::holds`] says
    /// it, or why not.
    pub fn holds(
        &self,
        register: impl Fn(DwarfRegister) -> u64,
        read: impl FnMut(MemAddr, &mut [u8]) -> bool,
    ) -> Option<bool> {
        let mut machine = Machine::new(register, read);
        let mut at = 0_usize;
        while let Some(operation) = self.operations.get(at) {
            at = at.saturating_add(1).saturating_add(machine.run(operation)?);
        }
        match machine.pop()? {
            0 => Some(false),
            _ => Some(true),
        }
    }
}

impl Operation {
    fn routes(&self) -> impl Iterator<Item = &Route> {
        let routes = match self {
            Self::Load { from: Source::Memory(route) | Source::Number(route, _), .. }
            | Self::Element { of: Elements::Array(route, _), .. } => [Some(route), None, None],
            Self::Text { run, .. } | Self::Length(run) | Self::Element { of: Elements::Run(run), .. } => {
                [Some(&run.address), Some(&run.length), run.capacity.as_ref()]
            }
            _ => [None, None, None],
        };
        routes.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::arithmetic;
    use super::super::number::Integer;
    use super::*;

    fn register(number: u16, offset: i64) -> Route {
        Route::new(Start::Register(DwarfRegister(number)), offset)
    }

    fn holds(operations: Vec<Operation>) -> Option<bool> {
        let quick = Quick::new(operations).expect("it is small");
        let read = |address: MemAddr, buffer: &mut [u8]| {
            if address.raw() < 0x1000 {
                return false;
            }
            buffer.copy_from_slice(&0x2a_u64.to_le_bytes()[..buffer.len()]);
            true
        };
        quick.holds(|register| u64::from(register.0) * 0x1000, read)
    }

    fn load(from: Source, size: u8, form: Form) -> Operation {
        Operation::Load { from, size, form }
    }

    #[test]
    fn numbers_come_from_registers_and_memory() {
        let is = |from: Source, size: u8, number: i128| {
            holds(vec![load(from, size, Form::Unsigned), Operation::Push(number), Operation::Compare(Operator::Equal)])
        };
        assert_eq!(is(Source::Number(register(3, 0), 0), 8, 0x3000), Some(true));
        assert_eq!(is(Source::Number(register(3, 0), 1), 1, 0x30), Some(true));
        assert_eq!(is(Source::Memory(register(3, -8)), 4, 42), Some(true));
        assert_eq!(is(Source::Memory(register(0, 8)), 4, 42), None, "it cannot be read");
        let pointer = register(3, 0).through().expect("it is short");
        assert_eq!(is(Source::Number(pointer.clone().plus(1), 0), 8, 43), Some(true));
        assert_eq!(is(Source::Memory(pointer), 8, 42), None, "0x2a cannot be read");
    }

    #[test]
    fn elements_are_counted_within_their_bounds() {
        let element = |index: i128, count: u64| {
            holds(vec![
                Operation::Push(index),
                Operation::Element { of: Elements::Array(register(3, 0), count), stride: 4 },
                load(Source::Taken(vec![2]), 2, Form::Unsigned),
                Operation::Push(42),
                Operation::Compare(Operator::Equal),
            ])
        };
        assert_eq!([0, 2, 3, -1].map(|index| element(index, 3)), [Some(true), Some(true), None, None]);
        assert_eq!(element(0, u64::MAX), None, "no memory holds so many");
    }

    #[test]
    fn what_is_not_valid_has_no_answer() {
        let number = |form: Form, bits| form.number(bits, 4);
        assert_eq!(number(Form::Bool, 2), None);
        assert_eq!(number(Form::Char, 0xd800), None);
        assert_eq!(number(Form::Signed, 0xffff_fffe), Some(-2));
        let tags = Tags { own: vec![(1, 1)], others: vec![(2, 3)], rest: None };
        assert_eq!([1, 3, 4].map(|tag| tags.of(tag)), [Some(true), Some(false), None]);
    }

    #[test]
    fn arithmetic_never_wraps() {
        let u8_type = IntegerType::named("u8").expect("it is one");
        let i64_type = IntegerType::named("i64").expect("it is one");
        let u64_type = IntegerType::named("u64").expect("it is one");
        assert_eq!(arithmetic(Operator::Add, u8_type, 200, 55), Some(255));
        assert_eq!(arithmetic(Operator::Add, u8_type, 200, 56), None);
        assert_eq!(arithmetic(Operator::Divide, i64_type, i64::MIN.into(), -1), None);
        assert_eq!(arithmetic(Operator::Remainder, i64_type, i64::MIN.into(), -1), None);
        assert_eq!(arithmetic(Operator::Divide, i64_type, 1, 0), None);
        assert_eq!(arithmetic(Operator::Multiply, u64_type, u64::MAX.into(), u64::MAX.into()), None);
        assert_eq!(arithmetic(Operator::ShiftLeft, u8_type, 200, 1), Some(144));
        assert_eq!(arithmetic(Operator::ShiftLeft, u8_type, 200, 8), None);
        assert_eq!(arithmetic(Operator::ShiftRight, i64_type, -3, 1), Some(-2));
    }

    proptest::proptest! {
        /// The machine and the full evaluation compute the same, or the machine has no answer.
        #[test]
        fn arithmetic_is_that_of_the_full_evaluation(a: u64, b: u64, small in 0..70_u64, which in 0..11_usize, ty in 0..10_usize) {
            const NAMES: [&str; 10] = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"];
            const OPERATORS: [Operator; 11] = [
                Operator::Add,
                Operator::Subtract,
                Operator::Multiply,
                Operator::Divide,
                Operator::Remainder,
                Operator::And,
                Operator::Or,
                Operator::Xor,
                Operator::ShiftLeft,
                Operator::ShiftRight,
                Operator::Subtract,
            ];
            let ty = IntegerType::named(NAMES[ty]).expect("it is one");
            let operator = OPERATORS[which];
            for b in [b, small, 0_u64.wrapping_sub(small), 1 << (ty.bits() - 1)] {
                let number = |bits: u64| Integer::read(u128::from(bits), ty);
                let (a, b) = (number(a).cut(ty), number(b).cut(ty));
                let full = a.apply(operator, b).ok().and_then(Integer::signed);
                let quick = arithmetic(operator, ty, a.signed().expect("64 bits"), b.signed().expect("64 bits"));
                proptest::prop_assert_eq!(quick, full, "{} {} {} of {}", a.text(), operator.text(), b.text(), ty.name());
            }
        }
    }

    #[test]
    fn the_second_side_is_left_out_when_the_first_decides() {
        let second = |first: i128, when| {
            holds(vec![Operation::Push(first), Operation::Skip { when, count: 1 }, Operation::GiveUp])
        };
        assert_eq!(second(0, false), Some(false), "false && _");
        assert_eq!(second(1, true), Some(true), "true || _");
        assert_eq!(second(1, false), None);
    }
}
