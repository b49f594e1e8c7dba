//! Where a variable is: its location at an address, evaluated.

use std::sync::Arc;

use gimli::{AttributeValue, Operation};
use weft_memory::{Bias, FileAddr, MemAddr};

use crate::dies::{DieReader, Entry, origins};
use crate::expression::{Stopped, Surroundings, register, unsupported};
use crate::sections::Slice;
use crate::{
    BaseEncoding, Image, Location, LocationContext, LocationError, Piece, PieceSource, Static, TypeKind, Variable,
};

/// Most pieces of one location; a value of a thousand fields has a thousand.
const MAX_PIECES: usize = 4096;

/// Longest constant that is kept for a variable, in bytes.
const MAX_CONSTANT: u64 = 1 << 16;

type Expression<'a> = gimli::Expression<Slice<'a>>;

impl Variable {
    /// Where the variable is.
    pub fn locate(&self, context: &LocationContext<'_>) -> Result<Location, LocationError> {
        let Some(die) = self.die else { return Ok(Location::OptimisedOut) };
        let image = &context.frame.image;
        let bias = context.modules.of(image).map(|module| module.bias).unwrap_or_default();
        if self.has_no_bytes() {
            return Ok(Location::Value(Vec::new()));
        }
        let chain = origins(image, die)?;
        let size = self.ty.as_ref().map_or(0, crate::Type::size);
        let Some((reader, entry)) = chain.first() else { return Ok(Location::OptimisedOut) };
        let pc = bias.to_file(context.pc);
        if let Some(value) = entry.attr_value(gimli::DW_AT_location) {
            let Some(expression) = expression_at(reader, value, pc)? else { return Ok(Location::OptimisedOut) };
            let located = Locator { context, image, bias, pc, size }.locate(reader, expression);
            return match located {
                Ok(location) => Ok(location),
                Err(Stopped::OptimisedOut) => Ok(Location::OptimisedOut),
                Err(Stopped::Failed(error)) => Err(error),
            };
        }
        let constant = chain.iter().find_map(|(reader, entry)| constant(reader, entry, size));
        Ok(constant.map_or(Location::OptimisedOut, Location::Value))
    }
}

impl Variable {
    /// Whether there is nothing to read: its type has no size, or it is a function item, which is described as a pointer
    /// to a function but aligned like nothing (rustc 1.90 and later).
    pub(crate) fn has_no_bytes(&self) -> bool {
        let Some(ty) = &self.ty else { return false };
        match ty.kind() {
            TypeKind::Base(BaseEncoding::Unit) => true,
            TypeKind::Struct { .. } => ty.size() == 0 && ty.align().is_some(),
            TypeKind::Pointer(Some(target)) => {
                self.align == Some(1) && ty.at(*target).is_some_and(|target| *target.kind() == TypeKind::Subroutine)
            }
            _ => false,
        }
    }
}

/// The expression that holds at an address, from an expression or a list of them.
pub(crate) fn expression_at<'a>(
    reader: &DieReader<'a>,
    value: AttributeValue<Slice<'a>>,
    pc: FileAddr,
) -> Result<Option<Expression<'a>>, LocationError> {
    let broken = |error| LocationError::Symbols(reader.broken(error));
    if let Some(expression) = value.exprloc_value() {
        return Ok(Some(expression));
    }
    let Some(mut list) = reader.dwarf().attr_locations(reader.unit(), value).map_err(broken)? else { return Ok(None) };
    while let Some(entry) = list.next().map_err(broken)? {
        if (entry.range.begin..entry.range.end).contains(&pc.raw()) {
            return Ok(Some(entry.data));
        }
    }
    Ok(None)
}

/// `DW_AT_const_value` as the bytes of a value of that size; of an unknown size, as it is written.
pub(crate) fn constant<'a>(reader: &DieReader<'a>, entry: &Entry<'a>, size: u64) -> Option<Vec<u8>> {
    let number = |bits: u128, width: usize| {
        let size = usize::try_from(size.min(16)).ok().filter(|size| *size > 0).unwrap_or(width);
        bits.to_le_bytes().get(..size).map(<[u8]>::to_vec)
    };
    match entry.attr_value(gimli::DW_AT_const_value)? {
        AttributeValue::Data1(value) => number(value.into(), 1),
        AttributeValue::Data2(value) => number(value.into(), 2),
        AttributeValue::Data4(value) => number(value.into(), 4),
        AttributeValue::Data8(value) => number(value.into(), 8),
        AttributeValue::Data16(value) => number(value, 16),
        AttributeValue::Udata(value) => number(value.into(), 8),
        AttributeValue::Sdata(value) => number(i128::from(value).cast_unsigned(), 8),
        AttributeValue::Block(bytes) if bytes.len() as u64 <= MAX_CONSTANT => Some(bytes.slice().to_vec()),
        other => {
            let bytes = reader.dwarf().attr_string(reader.unit(), other).ok()?;
            (bytes.len() as u64 <= MAX_CONSTANT).then(|| bytes.slice().to_vec())
        }
    }
}

/// Works out one variable's location.
struct Locator<'a, 'c> {
    context: &'a LocationContext<'c>,
    image: &'a Arc<Image>,
    bias: Bias,
    pc: FileAddr,
    /// Bytes of the variable's type; zero if not known.
    size: u64,
}

impl Locator<'_, '_> {
    fn locate(&self, reader: &DieReader<'_>, expression: Expression<'_>) -> Result<Location, Stopped> {
        let Some(parts) = split_pieces(reader, expression)? else {
            return self.simple(reader, expression);
        };
        let mut pieces = Vec::with_capacity(parts.len());
        for (part, size) in parts {
            // One lost piece does not take the others with it.
            let source = match self.simple(reader, part) {
                Ok(Location::Memory(address)) => PieceSource::Memory(address),
                Ok(Location::Value(mut bytes)) => {
                    bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                    PieceSource::Value(bytes)
                }
                Ok(_) | Err(Stopped::OptimisedOut | Stopped::Failed(LocationError::MissingRegister(_))) => {
                    PieceSource::OptimisedOut
                }
                Err(Stopped::Failed(LocationError::Unsupported(reason))) => {
                    tracing::debug!(reason, "a piece of a variable is not shown");
                    PieceSource::OptimisedOut
                }
                Err(stopped) => return Err(stopped),
            };
            pieces.push(Piece { size, source });
        }
        let lost = pieces.iter().all(|piece| piece.source == PieceSource::OptimisedOut);
        Ok(if lost { Location::OptimisedOut } else { Location::Pieces(pieces) })
    }

    /// A location that is not spread.
    fn simple(&self, reader: &DieReader<'_>, expression: Expression<'_>) -> Result<Location, Stopped> {
        if expression.0.is_empty() {
            return Ok(Location::OptimisedOut);
        }
        let frame_base = || self.frame_base();
        let thread_local = |offset| self.thread_local(offset);
        let surroundings = self.surroundings(reader, &frame_base, &thread_local);
        let pieces = surroundings.evaluate(expression, reader.unit().encoding(), None)?;
        let [piece] = pieces.as_slice() else { return Err(unsupported("pieces within a piece")) };
        Ok(match &piece.location {
            gimli::Location::Empty => Location::OptimisedOut,
            gimli::Location::Address { address } => Location::Memory(MemAddr::new(*address)),
            gimli::Location::Register { register: number } => {
                Location::Value(self.sized(register(self.context.registers, number.0)?.to_le_bytes().to_vec()))
            }
            gimli::Location::Value { value } => Location::Value(self.sized(value_bytes(*value)?)),
            gimli::Location::Bytes { value } => Location::Value(value.slice().to_vec()),
            gimli::Location::ImplicitPointer { .. } => return Err(Stopped::OptimisedOut),
        })
    }

    fn surroundings<'s, 'r>(
        &'s self,
        reader: &'s DieReader<'r>,
        frame_base: &'s dyn Fn() -> Result<u64, Stopped>,
        thread_local: &'s dyn Fn(u64) -> Option<MemAddr>,
    ) -> Surroundings<'s, 'r> {
        Surroundings {
            memory: self.context.memory,
            registers: self.context.registers,
            cfa: self.context.cfa,
            bias: self.bias,
            reader: Some(reader),
            frame_base,
            thread_local,
        }
    }

    /// `DW_AT_frame_base` of the concrete function: a register, or an expression over the CFA.
    fn frame_base(&self) -> Result<u64, Stopped> {
        let symbols = |error| Stopped::Failed(LocationError::Symbols(error));
        let function = self.image.concrete_at(self.pc).unwrap_or(self.context.frame.die);
        let (reader, entry) = DieReader::read(self.image, function).map_err(symbols)?;
        let value =
            entry.attr_value(gimli::DW_AT_frame_base).ok_or_else(|| unsupported("its function has no frame base"))?;
        let expression = expression_at(&reader, value, self.pc)?;
        let expression = expression.ok_or_else(|| unsupported("its function has no frame base here"))?;
        let nested = || Err(unsupported("a frame base that needs itself"));
        let surroundings = self.surroundings(&reader, &nested, &|_| None);
        surroundings.number(expression, reader.unit().encoding(), None)
    }

    fn thread_local(&self, offset: u64) -> Option<MemAddr> {
        let context = self.context;
        let module = context.modules.of(self.image)?;
        let variable = Static {
            path: String::new(),
            linkage_name: None,
            ty: None,
            address: FileAddr::new(offset),
            thread_local: true,
        };
        context.modules.thread_local(module, &variable, context.registers.fs_base, context.memory)
    }

    /// A register or stack slot holds more bytes than a small value has.
    fn sized(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some(size) = usize::try_from(self.size).ok().filter(|size| *size > 0) {
            bytes.truncate(size);
        }
        bytes
    }
}

fn value_bytes(value: gimli::Value) -> Result<Vec<u8>, Stopped> {
    Ok(match value {
        gimli::Value::I8(value) => value.to_le_bytes().to_vec(),
        gimli::Value::U8(value) => value.to_le_bytes().to_vec(),
        gimli::Value::I16(value) => value.to_le_bytes().to_vec(),
        gimli::Value::U16(value) => value.to_le_bytes().to_vec(),
        gimli::Value::I32(value) => value.to_le_bytes().to_vec(),
        gimli::Value::U32(value) => value.to_le_bytes().to_vec(),
        gimli::Value::F32(value) => value.to_le_bytes().to_vec(),
        gimli::Value::F64(value) => value.to_le_bytes().to_vec(),
        value => value.to_u64(u64::MAX)?.to_le_bytes().to_vec(),
    })
}

/// An expression in its pieces, each with its bytes. `None`: it is in one piece. Pieces are evaluated one by one, so that
/// what is known of a value is shown when the rest of it is lost.
fn split_pieces<'a>(
    reader: &DieReader<'_>,
    expression: Expression<'a>,
) -> Result<Option<Vec<(Expression<'a>, u64)>>, Stopped> {
    let mut operations = expression.operations(reader.unit().encoding());
    let mut parts = Vec::new();
    let (mut start, mut before) = (0, 0);
    while let Some(operation) = operations.next()? {
        let after = operations.offset_from(&expression);
        if let Operation::Piece { size_in_bits, bit_offset } = operation {
            if !size_in_bits.is_multiple_of(8) || bit_offset.is_some_and(|offset| offset != 0) {
                return Err(unsupported("a piece of some bits"));
            }
            if parts.len() >= MAX_PIECES {
                return Err(unsupported("very many pieces"));
            }
            let bytes = expression.0.slice().get(start..before).unwrap_or_default();
            parts.push((gimli::Expression(Slice::new(bytes, gimli::LittleEndian)), size_in_bits / 8));
            start = after;
        }
        before = after;
    }
    Ok((!parts.is_empty()).then_some(parts))
}
