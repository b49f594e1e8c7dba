//! A frame's variables and where they are.

use weft_memory::{MemAddr, Memory, Registers};

use crate::{CodeFrame, Modules, SymbolError, Type};

/// Argument or local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Role {
    Argument,
    Local,
}

/// A variable of a function that is in scope at some address.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name; none for the environment parameter of a poll function and for pattern parameters.
    pub name: Option<String>,
    /// Its type.
    pub ty: Option<Type>,
    /// Argument or local.
    pub role: Role,
    /// Line of its declaration, 0 if unknown.
    pub decl_line: u32,
    /// How many lexical blocks it lies in; the innermost of two with one name is the visible one.
    pub depth: u32,
    /// Made by the compiler.
    pub artificial: bool,
    pub(crate) die: crate::DieOffset,
}

/// What a location needs to be worked out.
pub struct LocationContext<'a> {
    /// The program's memory.
    pub memory: &'a dyn Memory,
    /// The frame's registers.
    pub registers: &'a Registers,
    /// The frame's canonical frame address.
    pub cfa: Option<MemAddr>,
    /// The address whose location applies: the pc, for outer frames one less than the return address.
    pub pc: MemAddr,
    /// All images, for biases and TLS.
    pub modules: &'a Modules,
    /// The concrete function's frame (its `DW_AT_frame_base` counts), then the inlined copy that holds the variable.
    pub frame: &'a CodeFrame,
}

/// One part of a value that is spread out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes.
    pub size: u64,
    /// Where they are.
    pub source: PieceSource,
}

/// Where a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceSource {
    /// In memory.
    Memory(MemAddr),
    /// Known bytes (a register's or a constant).
    Value(Vec<u8>),
    /// Gone.
    OptimisedOut,
}

/// Where a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In memory.
    Memory(MemAddr),
    /// Known bytes: a register, a constant, a computed value.
    Value(Vec<u8>),
    /// Spread.
    Pieces(Vec<Piece>),
    /// The compiler kept no place for it at this address.
    OptimisedOut,
}

/// Why a location cannot be worked out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LocationError {
    #[error("<optimised out: {0} is not kept in this frame>")]
    MissingRegister(&'static str),
    #[error("<unsupported location: {0}>")]
    Unsupported(String),
    #[error("<{0}>")]
    Memory(#[from] weft_memory::MemoryError),
    #[error("<{0}>")]
    Symbols(#[from] SymbolError),
}

impl CodeFrame {
    /// Arguments and locals in scope at `pc` (a file address inside this copy), in order of declaration, outer blocks
    /// first.
    pub fn variables_at(&self, _pc: weft_memory::FileAddr) -> Result<Vec<Variable>, SymbolError> {
        todo!()
    }
}

impl Variable {
    /// Where the variable is.
    pub fn locate(&self, _context: &LocationContext<'_>) -> Result<Location, LocationError> {
        todo!()
    }
}
