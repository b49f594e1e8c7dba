//! Why a place, or what lies there, cannot be shown.

use weft_memory::{MemAddr, MemoryError};
use weft_symbols::{LocationError, SymbolError};

/// Why a value cannot be had. The message stands where the value would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The bytes cannot be read.
    #[error("<{0}>")]
    Memory(#[from] MemoryError),
    /// The debug information cannot be read.
    #[error("<{0}>")]
    Symbols(#[from] SymbolError),
    /// Where a variable is cannot be worked out (the message is in angle brackets already).
    #[error("{0}")]
    Location(#[from] LocationError),
    /// The compiler kept nothing that says what the value is here.
    #[error("<optimised out>")]
    OptimisedOut,
    /// The type has no such field.
    #[error("no field `{name}` on type `{ty}`")]
    NoMember {
        /// The type.
        ty: String,
        /// The field asked for.
        name: String,
    },
    /// The debug information leaves the type of something out.
    #[error("<the debug information does not say the type of {0}>")]
    NoType(String),
    /// Not something that points.
    #[error("type `{0}` cannot be dereferenced")]
    NotPointer(String),
    /// A pointer that is null.
    #[error("<null pointer>")]
    Null,
    /// A pointer whose target cannot exist or is gone.
    #[error("<dangling pointer {0}>")]
    Dangling(MemAddr),
    /// Not an enum with data, nor a coroutine.
    #[error("type `{0}` has no variants")]
    NoVariants(String),
    /// A discriminant that selects no variant: uninitialised or overwritten memory.
    #[error("<invalid: no variant of `{ty}` has the tag {tag:#x}; uninitialised or moved out>")]
    InvalidTag {
        /// The enum.
        ty: String,
        /// The tag that was read, masked to its width.
        tag: u128,
    },
    /// Not a sequence of elements.
    #[error("type `{0}` cannot be indexed")]
    NotSequence(String),
    /// An index past the end.
    #[error("index {index} is out of range: the length is {len}")]
    OutOfRange {
        /// The index asked for.
        index: u64,
        /// How many there are.
        len: u64,
    },
    /// A value that no valid program holds: uninitialised, moved out or overwritten.
    #[error("<invalid: {0}; uninitialised or moved out>")]
    Invalid(String),
    /// More bytes than anybody looks at.
    #[error("<{0} bytes are too many to read at once>")]
    TooLarge(u64),
    /// What was asked for is not possible; a sentence says why, and what is.
    #[error("{0}")]
    Refused(String),
    /// A walk that was given up, with its bound.
    #[error("<given up after {0}>")]
    Bound(&'static str),
    /// A variable that cannot be told from others, or whose place holds something else now.
    #[error("<{0}>")]
    Unavailable(String),
}
