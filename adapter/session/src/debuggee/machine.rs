//! A debuggee as a machine: instructions and files.

use std::ops::Range;
use std::path::PathBuf;

use weft_tasks::Location;

/// An instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Where.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// As a user reads it; none: there is no instruction here.
    pub text: Option<String>,
    /// The function that begins with it.
    pub symbol: Option<String>,
    /// Its line.
    pub at: Option<Location>,
}

/// A loaded file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleInfo {
    /// The file.
    pub path: PathBuf,
    /// From its first to after its last mapped byte.
    pub range: Range<u64>,
    /// It is the program, not a library.
    pub is_program: bool,
    /// What it tells about its code, in a user's words.
    pub symbols: String,
    /// Where its debug information is, if it has any: itself or another file.
    pub symbol_file: Option<PathBuf>,
    /// Its build-id in hexadecimal.
    pub build_id: Option<String>,
}

/// What was read of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryRead {
    /// Bytes up to the first that cannot be read.
    pub bytes: Vec<u8>,
    /// How many of the bytes asked for after them cannot be read, until one that can.
    pub unreadable: usize,
}
