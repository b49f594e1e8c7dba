//! One compiled file: its headers, its sections, its symbol table.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use weft_memory::FileAddr;

use crate::OpenError;

/// Where a DIE lies: its offset in `.debug_info`, whatever unit it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DieOffset(pub(crate) usize);

/// A loadable part of the file (`PT_LOAD`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Addresses it takes.
    pub addresses: Range<FileAddr>,
    /// Where its bytes lie in the file.
    pub file_range: Range<u64>,
    /// `PF_X`.
    pub executable: bool,
    /// `PF_W`.
    pub writable: bool,
}

/// The template of a thread's thread-local storage (`PT_TLS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSegment {
    /// Bytes per thread.
    pub size: u64,
    /// Alignment, a power of two.
    pub align: u64,
}

/// How much the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugInfo {
    /// Types, variables, functions and lines may be there.
    Present,
    /// No `.debug_info`: only what the symbol table says.
    Absent,
}

/// A symbol-table entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The mangled name.
    pub name: String,
    /// Address (for `STT_TLS`: offset in the TLS segment).
    pub address: FileAddr,
    /// Bytes, zero if not said.
    pub size: u64,
    /// `STT_TLS`.
    pub thread_local: bool,
}

/// A compiled file.
#[derive(Debug)]
pub struct Image {}

impl Image {
    /// Opens a program or shared library. Reads headers only.
    pub fn open(_path: &Path) -> Result<Arc<Self>, OpenError> {
        todo!()
    }
    /// The file's path as it was opened.
    pub fn path(&self) -> &Path {
        todo!()
    }
    /// The file's last path component, for messages.
    pub fn name(&self) -> String {
        todo!()
    }
    /// Whether the loader may place it anywhere (`ET_DYN`).
    pub fn is_position_independent(&self) -> bool {
        todo!()
    }
    /// `e_entry`.
    pub fn entry(&self) -> FileAddr {
        todo!()
    }
    /// The `PT_LOAD` segments by address.
    pub fn segments(&self) -> &[Segment] {
        todo!()
    }
    /// `PT_TLS`.
    pub fn tls(&self) -> Option<TlsSegment> {
        todo!()
    }
    /// How much it tells.
    pub fn debug_info(&self) -> DebugInfo {
        todo!()
    }
    /// The GNU build-id.
    pub fn build_id(&self) -> Option<&[u8]> {
        todo!()
    }
    /// The symbol with exactly this (mangled) name; a defined one, local or global.
    pub fn symbol(&self, _name: &str) -> Option<Symbol> {
        todo!()
    }
    /// All defined symbols whose mangled name contains `part`.
    pub fn symbols_containing(&self, _part: &str) -> Vec<Symbol> {
        todo!()
    }
    /// The function or object symbol that covers an address.
    pub fn symbol_at(&self, _address: FileAddr) -> Option<Symbol> {
        todo!()
    }
}
