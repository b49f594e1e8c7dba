//! One compiled file: its headers, its sections, its symbol table.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use gimli::SectionId;
use rustc_hash::FxHashMap;
use weft_memory::FileAddr;

use crate::addresses::Addresses;
use crate::cache::Cache;
use crate::companion::Companion;
use crate::elf::{self, Headers};
use crate::got::{Got, GotPlace};
use crate::index::IndexCell;
use crate::lines::LineCache;
use crate::mapped::MappedFile;
use crate::sections::Sections;
use crate::separate::{self, Search};
use crate::split::SplitFiles;
use crate::supplementary::{self, Supplementary};
use crate::symtab::SymbolTable;
use crate::units::{UnitIndex, Units};
use crate::vtables::UnitVtables;
use crate::{DebugFolders, OpenError, SymbolError};

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
pub struct Image {
    path: PathBuf,
    search: Search,
    sections: Sections,
    headers: Headers,
    symbols: SymbolTable,
    units: OnceLock<Units>,
    addresses: OnceLock<Addresses>,
    lines: LineCache,
    vtables: Mutex<FxHashMap<UnitIndex, Arc<UnitVtables>>>,
    index: IndexCell,
    got: OnceLock<Got>,
    cache: Cache,
    split: SplitFiles,
    supplementary: Supplementary,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Image").field(&self.path).finish()
    }
}

impl Image {
    /// Opens a program or shared library, with its separate debug file if that lies where such files usually do. Reads
    /// headers only (and, for its check sum, a debug file that is known by its name).
    pub fn open(path: &Path) -> Result<Arc<Self>, OpenError> {
        Self::open_in(path, &DebugFolders::default())
    }

    /// The same, with other folders for separate debug files.
    pub fn open_in(path: &Path, folders: &DebugFolders) -> Result<Arc<Self>, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        Self::open_file(path, File::open(path).map_err(io)?, folders)
    }

    /// The same of a file that is open already; `path` is what it is called. (The vDSO lies in a process's memory only,
    /// whence it is copied.)
    pub fn open_file(path: &Path, file: File, folders: &DebugFolders) -> Result<Arc<Self>, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let not_elf = |reason: &str| OpenError::NotElf { path: path.to_owned(), reason: reason.to_owned() };
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(not_elf("it is a directory"));
        }
        if metadata.is_file() && metadata.len() == 0 {
            return Err(not_elf("the file is empty"));
        }
        let mapped = Arc::new(MappedFile::map(file).map_err(io)?);
        let (mut headers, found) = elf::read(path, &mapped)?;
        let mut sections = Sections::new(mapped, &found, Arc::default());
        let mut search = Search::default();
        if !sections.has(SectionId::DebugInfo) {
            search = separate::find(path, &headers, folders);
        }
        if let Some(separate) = &mut search.found {
            sections.take_debug_from(&separate.mapped, &separate.contents.found);
            if headers.symbols.as_ref().is_none_or(|symbols| !symbols.full) {
                headers.symbols = separate.contents.symbols.take().or(headers.symbols.take());
            }
        }
        let (holder, link) = match &search.found {
            Some(separate) => (separate.path.as_path(), separate.contents.supplementary.as_ref()),
            None => (path, headers.supplementary.as_ref()),
        };
        let find = |link| supplementary::find(holder, link, folders, sections.scratch());
        let supplementary = link.map_or_else(Supplementary::default, find);
        let symbols = SymbolTable::new(headers.symbols.clone());
        Ok(Arc::new(Self {
            path: path.to_owned(),
            search,
            sections,
            headers,
            symbols,
            units: OnceLock::new(),
            addresses: OnceLock::new(),
            lines: LineCache::default(),
            vtables: Mutex::default(),
            index: IndexCell::default(),
            got: OnceLock::new(),
            cache: Cache::default(),
            split: SplitFiles::default(),
            supplementary,
        }))
    }

    /// The file's path as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's last path component, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Whether the loader may place it anywhere (`ET_DYN`).
    pub fn is_position_independent(&self) -> bool {
        self.headers.position_independent
    }

    /// `e_entry`.
    pub fn entry(&self) -> FileAddr {
        FileAddr::new(self.headers.entry)
    }

    /// The `PT_LOAD` segments by address.
    pub fn segments(&self) -> &[Segment] {
        &self.headers.segments
    }

    /// `PT_TLS`.
    pub fn tls(&self) -> Option<TlsSegment> {
        self.headers.tls
    }

    /// How much it tells.
    pub fn debug_info(&self) -> DebugInfo {
        if self.sections.has(SectionId::DebugInfo) { DebugInfo::Present } else { DebugInfo::Absent }
    }

    /// Where its dynamic section is when it is loaded.
    pub(crate) fn dynamic(&self) -> Option<FileAddr> {
        self.headers.dynamic.map(FileAddr::new)
    }

    /// The separate file that the debug information is read from, if it is not in the file itself.
    pub fn debug_file(&self) -> Option<&Path> {
        self.search.found.as_ref().map(|found| found.path.as_path())
    }

    /// What is missing of the debug information and what to do about it, a sentence each; none if all is there. Files of
    /// split units are looked for when their units are read, so more may be missing later.
    pub fn missing(&self) -> Vec<String> {
        let owner = self.debug_file().unwrap_or(&self.path).display();
        let mut broken: Vec<String> = self
            .sections
            .broken()
            .map(|(section, reason)| {
                format!("{section} of {owner} cannot be read: {reason}; build {} again", self.name())
            })
            .collect();
        if let Some(((section, reason), file)) = self.shared().and_then(|shared| Some((shared.broken()?, shared))) {
            let file = file.path().display();
            broken.push(format!("{section} of {file} cannot be read: {reason}; install or make that file again"));
        }
        if self.debug_info() == DebugInfo::Present || !broken.is_empty() {
            return broken.into_iter().chain(self.supplementary.lack.clone()).chain(self.missing_split()).collect();
        }
        self.search.wrong.iter().cloned().chain([self.no_debug_info()]).collect()
    }

    /// Bytes that compressed debug information will have which was not asked for yet: whoever asks
    /// first waits for it.
    pub fn to_inflate(&self) -> u64 {
        self.sections.to_inflate()
    }

    fn no_debug_info(&self) -> String {
        let name = self.name();
        let advice = "build it with `debug = true` in its cargo profile (`-g`)";
        let looked: Vec<String> = self.search.looked.iter().map(|path| path.display().to_string()).collect();
        match (&self.search.found, looked.as_slice()) {
            (Some(found), _) => format!("{name} and {} have no debug information; {advice}", found.path.display()),
            (None, []) => format!("{name} has no debug information; {advice}"),
            (None, looked) => format!(
                "{name} has no debug information; {advice}, or put its debug file where one was looked for: {}",
                looked.join(", ")
            ),
        }
    }

    /// The GNU build-id.
    pub fn build_id(&self) -> Option<&[u8]> {
        self.headers.build_id.as_deref()
    }

    /// Whether an address lies in code that is loaded. Code that the linker dropped keeps its debug information, with
    /// addresses around 0.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        let inside = |segment: &Segment| segment.executable && segment.addresses.contains(&FileAddr::new(address));
        address != 0 && self.headers.segments.iter().any(inside)
    }

    /// Addresses that pointers in `.eh_frame` and `.eh_frame_hdr` are relative to.
    pub(crate) fn base_addresses(&self) -> gimli::BaseAddresses {
        let mut bases = gimli::BaseAddresses::default();
        if let Some(address) = self.sections.address(SectionId::EhFrame) {
            bases = bases.set_eh_frame(address);
        }
        if let Some(address) = self.sections.address(SectionId::EhFrameHdr) {
            bases = bases.set_eh_frame_hdr(address);
        }
        if let Some(address) = self.headers.text_address {
            bases = bases.set_text(address);
        }
        if let Some(address) = self.headers.got_address {
            bases = bases.set_got(address);
        }
        bases
    }

    pub(crate) fn sections(&self) -> &Sections {
        &self.sections
    }

    pub(crate) fn symbol_table(&self) -> &SymbolTable {
        &self.symbols
    }

    pub(crate) fn address_table(&self) -> &OnceLock<Addresses> {
        &self.addresses
    }

    pub(crate) fn vtable_cache(&self) -> &Mutex<FxHashMap<UnitIndex, Arc<UnitVtables>>> {
        &self.vtables
    }

    pub(crate) fn got_place(&self) -> &GotPlace {
        &self.headers.got
    }

    pub(crate) fn got_cell(&self) -> &OnceLock<Got> {
        &self.got
    }

    pub(crate) fn index_cell(&self) -> &IndexCell {
        &self.index
    }

    pub(crate) fn line_cache(&self) -> &LineCache {
        &self.lines
    }

    pub(crate) fn split_files(&self) -> &SplitFiles {
        &self.split
    }

    /// The supplementary file, if the image has one and it is there.
    pub(crate) fn shared(&self) -> Option<&Companion> {
        self.supplementary.found.as_ref()
    }

    /// Its sections.
    pub(crate) fn supplementary(&self) -> Option<&Sections> {
        self.shared().map(|companion| &companion.sections)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn unit_table(&self) -> &OnceLock<Units> {
        &self.units
    }

    /// The error for what cannot be read.
    pub(crate) fn malformed(&self, reason: impl std::fmt::Display) -> SymbolError {
        SymbolError::Malformed { file: self.name(), reason: reason.to_string() }
    }
}
