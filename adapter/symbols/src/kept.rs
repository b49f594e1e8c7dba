//! Where a variable is kept at an address, as far as the file alone says: for whoever wants to look there often without
//! evaluating its location each time.

use std::sync::Arc;

use gimli::{AttributeValue, Operation};
use weft_memory::{DwarfRegister, FileAddr, MemAddr};

use crate::dies::{DieReader, origins};
use crate::locations::{constant, expression_at};
use crate::sections::Slice;
use crate::{CodeFrame, Image, LocationError, Variable};

/// Operations of one expression that are followed.
const MAX_OPERATIONS: usize = 32;
/// Pointers that are followed on one way.
const MAX_STEPS: usize = 8;
/// General registers and the return address: those that a stopped thread is asked for.
const LAST_REGISTER: u16 = 16;

/// Where a variable is kept at one address, in the innermost frame there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The compiler kept nothing.
    Nowhere,
    /// It has these bytes.
    Constant(Vec<u8>),
    /// In a general register, from its low byte on.
    Register(DwarfRegister),
    /// In memory, at the end of a way.
    Memory(Route),
    /// It is the number at the end of a way.
    Number(Route),
    /// In pieces, or by a computation that is not followed here.
    Elsewhere,
}

/// Where a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With a register's value.
    Register(DwarfRegister),
    /// With an address of the file.
    Address(FileAddr),
    /// With nothing.
    Zero,
}

/// A way to an address: begin at `start`, add the first step; for every further step read a pointer there and add the
/// step. Additions wrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it begins.
    pub start: Start,
    /// What is added before, between and after the reads; never empty, at most 8 from here.
    pub steps: Vec<i64>,
}

impl Route {
    /// A way without reads.
    pub fn new(start: Start, offset: i64) -> Self {
        Self { start, steps: vec![offset] }
    }

    /// The same way, ending so many bytes further on.
    #[must_use]
    pub fn plus(mut self, bytes: i64) -> Self {
        if let Some(last) = self.steps.last_mut() {
            *last = last.wrapping_add(bytes);
        }
        self
    }

    /// On to where the pointer at its end points. `None`: it would be too long.
    #[must_use]
    pub fn through(mut self) -> Option<Self> {
        if self.steps.len() >= MAX_STEPS {
            return None;
        }
        self.steps.push(0);
        Some(self)
    }

    /// The number at its end. `None`: a register is unknown, a pointer on the way cannot be read, or the way begins in a
    /// file, of which nothing says here where it is loaded.
    pub fn end(
        &self,
        register: impl FnOnce(DwarfRegister) -> Option<u64>,
        mut read: impl FnMut(MemAddr, &mut [u8]) -> bool,
    ) -> Option<u64> {
        let (first, further) = self.steps.split_first()?;
        let start = match self.start {
            Start::Register(of) => register(of)?,
            Start::Zero => 0,
            Start::Address(_) => return None,
        };
        let mut number = start.wrapping_add_signed(*first);
        for step in further {
            let mut bytes = [0; 8];
            if !read(MemAddr::new(number), &mut bytes) {
                return None;
            }
            number = u64::from_le_bytes(bytes).wrapping_add_signed(*step);
        }
        Some(number)
    }

    /// The same way without its last read; `None` if the read pointer is not where it ends, or there is none.
    pub fn before_last_read(mut self) -> Option<Self> {
        (self.steps.len() > 1 && self.steps.pop() == Some(0)).then_some(self)
    }
}

impl Variable {
    /// Where the variable is kept in `frame`'s code at `pc`, if that is the innermost frame of a thread that stands
    /// there. What [`Variable::locate`] answers for it in a running program agrees.
    pub fn kept(&self, frame: &CodeFrame, pc: FileAddr) -> Result<Kept, LocationError> {
        let Some(die) = self.die else { return Ok(Kept::Nowhere) };
        if self.has_no_bytes() {
            return Ok(Kept::Constant(Vec::new()));
        }
        let image = &frame.image;
        let chain = origins(image, die)?;
        let size = self.ty.as_ref().map_or(0, crate::Type::size);
        let Some((reader, entry)) = chain.first() else { return Ok(Kept::Nowhere) };
        if let Some(value) = entry.attr_value(gimli::DW_AT_location) {
            let Some(expression) = expression_at(reader, value, pc)? else { return Ok(Kept::Nowhere) };
            let kept = Follower { image, pc, function: frame.die }.follow(reader, expression);
            return Ok(match kept {
                // A larger value than a register's continues somewhere else.
                Kept::Register(_) | Kept::Number(_) if size > 8 => Kept::Elsewhere,
                kept => kept,
            });
        }
        let constant = chain.iter().find_map(|(reader, entry)| constant(reader, entry, size));
        Ok(constant.map_or(Kept::Nowhere, Kept::Constant))
    }
}

struct Follower<'a> {
    image: &'a Arc<Image>,
    pc: FileAddr,
    /// The frame's function, where no concrete one is found.
    function: crate::DieOffset,
}

impl Follower<'_> {
    fn follow(&self, reader: &DieReader<'_>, expression: gimli::Expression<Slice<'_>>) -> Kept {
        if expression.0.is_empty() {
            return Kept::Nowhere;
        }
        self.operations(reader, expression).unwrap_or(Kept::Elsewhere)
    }

    /// A machine with the stack of the real one, of ways instead of numbers. `None`: something that is not followed.
    fn operations(&self, reader: &DieReader<'_>, expression: gimli::Expression<Slice<'_>>) -> Option<Kept> {
        let mut operations = expression.operations(reader.unit().encoding());
        let mut stack: Vec<Route> = Vec::new();
        let mut is_number = false;
        for _ in 0..MAX_OPERATIONS {
            let Some(operation) = operations.next().ok()? else {
                let route = stack.pop()?;
                return Some(if is_number { Kept::Number(route) } else { Kept::Memory(route) });
            };
            if is_number {
                return None;
            }
            match operation {
                Operation::Register { register } => {
                    let alone = stack.is_empty() && operations.next().ok()?.is_none();
                    return (alone && register.0 <= LAST_REGISTER).then_some(Kept::Register(DwarfRegister(register.0)));
                }
                Operation::RegisterOffset { register, offset, base_type: gimli::UnitOffset(0) } => {
                    if register.0 > LAST_REGISTER {
                        return None;
                    }
                    stack.push(Route::new(Start::Register(DwarfRegister(register.0)), offset));
                }
                Operation::FrameOffset { offset } => stack.push(self.frame_base()?.plus(offset)),
                Operation::CallFrameCFA => stack.push(self.cfa()?),
                Operation::Address { address } => stack.push(Route::new(Start::Address(FileAddr::new(address)), 0)),
                Operation::AddressIndex { index } => {
                    let address = reader.dwarf().address(reader.unit(), index).ok()?;
                    stack.push(Route::new(Start::Address(FileAddr::new(address)), 0));
                }
                Operation::UnsignedConstant { value } => stack.push(Route::new(Start::Zero, value.cast_signed())),
                Operation::SignedConstant { value } => stack.push(Route::new(Start::Zero, value)),
                Operation::PlusConstant { value } => {
                    let top = stack.pop()?;
                    stack.push(top.plus(value.cast_signed()));
                }
                Operation::Plus => {
                    let (a, b) = (stack.pop()?, stack.pop()?);
                    stack.push(sum(a, b)?);
                }
                Operation::Deref { size: 8, space: false, base_type: gimli::UnitOffset(0) } => {
                    let top = stack.pop()?;
                    stack.push(top.through()?);
                }
                Operation::Nop => {}
                Operation::StackValue => is_number = true,
                Operation::EntryValue { .. } if stack.is_empty() => return Some(Kept::Nowhere),
                _ => return None,
            }
        }
        None
    }

    /// `DW_AT_frame_base` of the concrete function. Where a frame is larger than a page, LLVM says by how much it is below the CFA.
    fn frame_base(&self) -> Option<Route> {
        let function = self.image.concrete_at(self.pc).unwrap_or(self.function);
        let (reader, entry) = DieReader::read(self.image, function).ok()?;
        let value: AttributeValue<_> = entry.attr_value(gimli::DW_AT_frame_base)?;
        let expression = expression_at(&reader, value, self.pc).ok()??;
        let uses_itself = |operation: &Operation<_>| matches!(operation, Operation::FrameOffset { .. });
        let mut operations = expression.operations(reader.unit().encoding());
        while let Some(operation) = operations.next().ok()? {
            if uses_itself(&operation) {
                return None;
            }
        }
        match self.operations(&reader, expression)? {
            // A frame base of `DW_OP_reg7` means the register's value (DWARF 5, 2.6.1.1.3).
            Kept::Register(register) => Some(Route::new(Start::Register(register), 0)),
            Kept::Memory(route) => Some(route),
            _ => None,
        }
    }

    fn cfa(&self) -> Option<Route> {
        let (register, offset) = self.image.cfa_rule(self.pc)?;
        Some(Route::new(Start::Register(register), offset))
    }
}

/// A way and a constant.
fn sum(a: Route, b: Route) -> Option<Route> {
    let constant = |route: &Route| match (route.start, route.steps.as_slice()) {
        (Start::Zero, [offset]) => Some(*offset),
        _ => None,
    };
    match (constant(&a), constant(&b)) {
        (Some(offset), _) => Some(b.plus(offset)),
        (_, Some(offset)) => Some(a.plus(offset)),
        _ => None,
    }
}
