//! Evaluates DWARF expressions: what `gimli` asks for on the way comes from registers, memory and the file.

use gimli::{EvaluationResult, Location, Value, ValueType};
use weft_memory::{Bias, DwarfRegister, MemAddr, Memory, Registers};

use crate::LocationError;
use crate::dies::DieReader;
use crate::sections::Slice;

/// Most operations of one expression; loops are possible in DWARF, but no compiler writes them.
const MAX_OPERATIONS: u32 = 10_000;

/// Names of the general registers by DWARF number.
const REGISTER_NAMES: [&str; 17] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
];

/// What an expression can look at.
pub(crate) struct Surroundings<'a, 'r> {
    pub(crate) memory: &'a dyn Memory,
    pub(crate) registers: &'a Registers,
    pub(crate) cfa: Option<MemAddr>,
    pub(crate) bias: Bias,
    /// The unit it is from; unwinding rules have none.
    pub(crate) reader: Option<&'a DieReader<'r>>,
    /// Works out the frame base of the function.
    pub(crate) frame_base: &'a dyn Fn() -> Result<u64, Stopped>,
    /// Turns an offset in the file's thread-local storage into an address.
    pub(crate) thread_local: &'a dyn Fn(u64) -> Option<MemAddr>,
}

/// Why an evaluation did not come to an end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It needs what the compiler did not keep (`DW_OP_entry_value` without a call site).
    OptimisedOut,
    /// It cannot be worked out.
    Failed(LocationError),
}

impl From<LocationError> for Stopped {
    fn from(error: LocationError) -> Self {
        Self::Failed(error)
    }
}

impl From<weft_memory::MemoryError> for Stopped {
    fn from(error: weft_memory::MemoryError) -> Self {
        Self::Failed(LocationError::Memory(error))
    }
}

impl From<gimli::Error> for Stopped {
    fn from(error: gimli::Error) -> Self {
        unsupported(error.to_string())
    }
}

pub(crate) fn unsupported(what: impl Into<String>) -> Stopped {
    Stopped::Failed(LocationError::Unsupported(what.into()))
}

/// A register's value, or why it is not known.
pub(crate) fn register(registers: &Registers, number: u16) -> Result<u64, Stopped> {
    let Some(name) = REGISTER_NAMES.get(usize::from(number)) else {
        let vector = number.checked_sub(17).filter(|vector| *vector < 16);
        return Err(unsupported(match vector {
            Some(vector) => format!("it is in vector register xmm{vector}"),
            None => format!("it is in register number {number}"),
        }));
    };
    registers.get(DwarfRegister(number)).ok_or(Stopped::Failed(LocationError::MissingRegister(name)))
}

impl Surroundings<'_, '_> {
    /// Runs an expression, with a value on its stack if one is given. The result has one location per piece.
    pub(crate) fn evaluate<'d>(
        &self,
        expression: gimli::Expression<Slice<'d>>,
        encoding: gimli::Encoding,
        initial: Option<u64>,
    ) -> Result<Vec<gimli::Piece<Slice<'d>>>, Stopped> {
        let mut evaluation = expression.evaluation(encoding);
        evaluation.set_max_iterations(MAX_OPERATIONS);
        if let Some(initial) = initial {
            evaluation.set_initial_value(initial);
        }
        let mut state = evaluation.evaluate()?;
        loop {
            state = match state {
                EvaluationResult::Complete => return Ok(evaluation.result()),
                EvaluationResult::RequiresMemory { address, size, space: None, base_type } => {
                    evaluation.resume_with_memory(self.read(address, size, base_type)?)?
                }
                EvaluationResult::RequiresRegister { register: number, base_type } => {
                    let bits = register(self.registers, number.0)?;
                    evaluation.resume_with_register(Value::from_u64(self.value_type(base_type)?, bits)?)?
                }
                EvaluationResult::RequiresFrameBase => evaluation.resume_with_frame_base((self.frame_base)()?)?,
                EvaluationResult::RequiresCallFrameCfa => {
                    let cfa = self.cfa.ok_or_else(|| unsupported("the frame's address is not known"))?;
                    evaluation.resume_with_call_frame_cfa(cfa.raw())?
                }
                EvaluationResult::RequiresTls(offset) => {
                    let address = (self.thread_local)(offset);
                    let address = address.ok_or_else(|| unsupported("thread-local storage of a library"))?;
                    evaluation.resume_with_tls(address.raw())?
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(self.relocate(address))?
                }
                EvaluationResult::RequiresIndexedAddress { index, relocate } => {
                    let reader = self.reader.ok_or_else(|| unsupported("an address table outside of a unit"))?;
                    let address = reader.dwarf().address(reader.unit(), index)?;
                    evaluation.resume_with_indexed_address(if relocate { self.relocate(address) } else { address })?
                }
                EvaluationResult::RequiresBaseType(offset) => {
                    evaluation.resume_with_base_type(self.value_type(offset)?)?
                }
                EvaluationResult::RequiresEntryValue(_) | EvaluationResult::RequiresParameterRef(_) => {
                    return Err(Stopped::OptimisedOut);
                }
                EvaluationResult::RequiresMemory { .. } => return Err(unsupported("another address space")),
                EvaluationResult::RequiresAtLocation(_) => return Err(unsupported("a procedure in a location")),
                _ => return Err(unsupported("an operation of another machine")),
            };
        }
    }

    /// Runs an expression that stands for one number or address.
    pub(crate) fn number(
        &self,
        expression: gimli::Expression<Slice<'_>>,
        encoding: gimli::Encoding,
        initial: Option<u64>,
    ) -> Result<u64, Stopped> {
        let pieces = self.evaluate(expression, encoding, initial)?;
        match pieces.as_slice() {
            [piece] => match piece.location {
                Location::Address { address } => Ok(address),
                // A frame base of `DW_OP_reg7` means the register's value (DWARF 5, 2.6.1.1.3).
                Location::Register { register: number } => register(self.registers, number.0),
                Location::Value { value } => Ok(value.to_u64(u64::MAX)?),
                _ => Err(unsupported("no number")),
            },
            _ => Err(unsupported("several pieces for one number")),
        }
    }

    fn relocate(&self, address: u64) -> u64 {
        self.bias.to_memory(weft_memory::FileAddr::new(address)).raw()
    }

    fn read(&self, address: u64, size: u8, base_type: gimli::UnitOffset) -> Result<Value, Stopped> {
        let bits = self.memory.read_uint(MemAddr::new(address), usize::from(size.min(8)))?;
        let bits = u64::try_from(bits).map_err(|_| unsupported("a wide read"))?;
        Ok(Value::from_u64(self.value_type(base_type)?, bits)?)
    }

    /// The type of a value on the stack by its DIE; offset 0 is the untyped machine word.
    fn value_type(&self, offset: gimli::UnitOffset) -> Result<ValueType, Stopped> {
        if offset.0 == 0 {
            return Ok(ValueType::Generic);
        }
        let reader = self.reader.ok_or_else(|| unsupported("a typed operation outside of a unit"))?;
        let entry = reader.entry(offset).map_err(|error| Stopped::Failed(LocationError::Symbols(error)))?;
        let size = DieReader::number(&entry, gimli::DW_AT_byte_size).unwrap_or(0);
        ValueType::from_encoding(gimli::DwAte(DieReader::encoding(&entry)), size)
            .ok_or_else(|| unsupported("a value of an unusual type"))
    }
}
