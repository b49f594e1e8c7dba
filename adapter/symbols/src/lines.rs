//! Lines to addresses and back.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use weft_memory::FileAddr;

use crate::{Image, SymbolError};

/// A place in source code, as debug information names it (directory joined, no symlinks resolved).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The file.
    pub file: Arc<Path>,
    /// From 1; 0 is "no line" (compiler-made code).
    pub line: u32,
    /// From 1; 0 is "left edge / unknown".
    pub column: u32,
}

/// One row of a line program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// First address it covers.
    pub address: FileAddr,
    /// First address after it.
    pub end: FileAddr,
    /// Where in the source.
    pub source: SourceLine,
    /// A recommended place for a breakpoint.
    pub is_stmt: bool,
    /// Where a breakpoint on the function's entry belongs.
    pub prologue_end: bool,
}

/// Where a breakpoint on a line lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineMatch {
    /// The file as the debug information names it.
    pub file: Arc<Path>,
    /// The line that is really used: the one asked for, or the next with code.
    pub line: u32,
    /// One address per function, inlined copy and lexical block; ascending.
    pub addresses: Vec<FileAddr>,
}

impl Image {
    /// Where a breakpoint on `line` of `path` lands, in every instantiation of a generic function. `path` is an
    /// absolute path or a path suffix of whole components. `Ok(None)`: no unit of this file names that source
    /// file, or it has no code at or after the line.
    pub fn find_line(&self, _path: &Path, _line: u32) -> Result<Option<LineMatch>, SymbolError> {
        todo!()
    }
    /// The source line of an address.
    pub fn line_at(&self, _address: FileAddr) -> Result<Option<SourceLine>, SymbolError> {
        todo!()
    }
    /// All rows in a range of addresses, by address; line-0 rows included.
    pub fn rows_in(&self, _range: Range<FileAddr>) -> Result<Vec<LineRow>, SymbolError> {
        todo!()
    }
    /// The source file of that number (`DW_AT_decl_file`, `DW_AT_call_file`) in a unit.
    pub(crate) fn unit_file(&self, _unit: crate::units::UnitIndex, _number: u64) -> Option<Arc<Path>> {
        todo!()
    }
    /// The unit whose code (or static data) an address belongs to.
    pub(crate) fn unit_at(&self, _address: FileAddr) -> Option<crate::units::UnitIndex> {
        todo!()
    }
    /// Whether any unit of this file names that source file.
    pub fn has_source(&self, _path: &Path) -> bool {
        todo!()
    }
}
