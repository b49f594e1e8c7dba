//! Lines to addresses and back.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::FileAddr;

use crate::programs::{ProgramPlace, RawRow, program_at};
use crate::sources::SourceFiles;
use crate::units::UnitIndex;
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
    /// The column asked for, if code of the line begins there; 0 where the whole line is meant.
    pub column: u32,
    /// One address per function, inlined copy and lexical block; ascending.
    pub addresses: Vec<FileAddr>,
}

/// A decoded line program: the rows of all its live sequences by address.
#[derive(Debug)]
struct Decoded {
    rows: Vec<RawRow>,
}

/// What is remembered about lines.
#[derive(Debug, Default)]
pub(crate) struct LineCache {
    /// Source files of a unit by number.
    files: Mutex<FxHashMap<UnitIndex, Arc<UnitFiles>>>,
    /// Paths, each kept once: units share most of their files.
    paths: Mutex<FxHashSet<KnownPath>>,
    /// Decoded programs, the most recently used last.
    programs: Mutex<VecDeque<(UnitIndex, Arc<Decoded>)>>,
    /// What paths mean that were asked for.
    sources: Mutex<FxHashMap<PathBuf, Arc<SourceFiles>>>,
}

impl LineCache {
    /// What a path means, found out once.
    pub(crate) fn sources(&self, path: &Path, find: impl FnOnce() -> SourceFiles) -> Arc<SourceFiles> {
        if let Some(known) = lock(&self.sources).get(path) {
            return known.clone();
        }
        let found = Arc::new(find());
        let mut known = lock(&self.sources);
        if known.len() >= MAX_PATHS {
            known.clear();
        }
        known.insert(path.to_owned(), found.clone());
        found
    }
}

/// A path as its bytes, which are equal more quickly than its components.
#[derive(Debug)]
struct KnownPath(Arc<Path>);

impl Borrow<[u8]> for KnownPath {
    fn borrow(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }
}

impl PartialEq for KnownPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_os_str() == other.0.as_os_str()
    }
}

impl Eq for KnownPath {}

impl Hash for KnownPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes: &[u8] = self.borrow();
        bytes.hash(state);
    }
}

type UnitFiles = FxHashMap<u64, Arc<Path>>;

/// Paths whose meaning is remembered.
const MAX_PATHS: usize = 256;

/// Rows kept decoded in all (24 bytes each), apart from the program used last.
const MAX_ROWS: usize = 200_000;

impl Image {
    /// The source line of an address.
    pub fn line_at(&self, address: FileAddr) -> Result<Option<SourceLine>, SymbolError> {
        let Some(unit) = self.unit_at(address) else { return Ok(None) };
        let row = self.cache().rows.get_or_try(address.raw(), || self.row_at(unit, address))?;
        Ok(row.and_then(|row| self.source_of(unit, &row)))
    }

    /// The row that covers an address of a unit.
    fn row_at(&self, unit: UnitIndex, address: FileAddr) -> Result<Option<RawRow>, SymbolError> {
        let covering = |rows: &[RawRow]| {
            let next = rows.partition_point(|row| row.address <= address.raw());
            next.checked_sub(1).and_then(|index| rows.get(index)).filter(|row| !row.end_sequence).copied()
        };
        if !self.is_decoded(unit)
            && let Some(begin) = self.code_begin(unit, address)
            && let Some(program) = self.program_of(unit)?
            && let Some(row) = self.sequence_at(program, begin.raw()).and_then(|sequence| covering(&sequence))
        {
            return Ok(Some(row));
        }
        Ok(covering(&self.decoded(unit)?.rows))
    }

    fn is_decoded(&self, unit: UnitIndex) -> bool {
        lock(&self.line_cache().programs).iter().any(|(known, _)| *known == unit)
    }

    fn program_of(&self, unit: UnitIndex) -> Result<Option<ProgramPlace>, SymbolError> {
        let program = self.unit_root(unit)?.line_program;
        Ok(program.and_then(|program| program_at(self.sections(), program.0)))
    }

    /// All rows in a range of addresses, by address; line-0 rows included.
    pub fn rows_in(&self, range: Range<FileAddr>) -> Result<Vec<LineRow>, SymbolError> {
        let Some(unit) = self.unit_at(range.start) else { return Ok(Vec::new()) };
        let program = self.decoded(unit)?;
        // The row that covers the first address may begin before it.
        let next = program.rows.partition_point(|row| row.address <= range.start.raw());
        let first = next.saturating_sub(1);
        let mut rows = Vec::new();
        for pair in program.rows.get(first..).unwrap_or_default().windows(2) {
            let [row, after] = pair else { break };
            if row.address >= range.end.raw() {
                break;
            }
            if row.end_sequence || after.address == row.address || after.address <= range.start.raw() {
                continue;
            }
            let Some(source) = self.source_of(unit, row) else { continue };
            rows.push(LineRow {
                address: FileAddr::new(row.address),
                end: FileAddr::new(after.address),
                source,
                is_stmt: row.is_stmt,
                prologue_end: row.prologue_end,
            });
        }
        Ok(rows)
    }

    /// The source file of that number (`DW_AT_decl_file`, `DW_AT_call_file`) in a unit.
    pub(crate) fn unit_file(&self, unit: UnitIndex, number: u64) -> Option<Arc<Path>> {
        self.unit_files(unit).get(&number).cloned()
    }

    fn unit_files(&self, unit: UnitIndex) -> Arc<UnitFiles> {
        let cache = self.line_cache();
        if let Some(files) = lock(&cache.files).get(&unit) {
            return files.clone();
        }
        let read = self.read_unit_files(unit);
        let mut paths = lock(&cache.paths);
        let mut intern = |path: PathBuf| match paths.get(path.as_os_str().as_bytes()) {
            Some(known) => known.0.clone(),
            None => {
                let path: Arc<Path> = Arc::from(path);
                paths.insert(KnownPath(path.clone()));
                path
            }
        };
        let files: Arc<UnitFiles> = Arc::new(read.into_iter().map(|(number, path)| (number, intern(path))).collect());
        drop(paths);
        lock(&cache.files).insert(unit, files.clone());
        files
    }

    fn source_of(&self, unit: UnitIndex, row: &RawRow) -> Option<SourceLine> {
        let file = self.unit_file(unit, u64::from(row.file))?;
        Some(SourceLine { file, line: row.line, column: u32::from(row.column) })
    }

    fn decoded(&self, unit: UnitIndex) -> Result<Arc<Decoded>, SymbolError> {
        {
            let mut programs = lock(&self.line_cache().programs);
            if let Some(at) = programs.iter().position(|(known, _)| *known == unit)
                && let Some(found) = programs.remove(at)
            {
                let program = found.1.clone();
                programs.push_back(found);
                return Ok(program);
            }
        }
        let program = Arc::new(self.decode(unit)?);
        let mut programs = lock(&self.line_cache().programs);
        programs.push_back((unit, program.clone()));
        let mut kept = programs.iter().fold(0_usize, |sum, (_, program)| sum.saturating_add(program.rows.len()));
        while kept > MAX_ROWS && programs.len() > 1 {
            let dropped = programs.pop_front().map_or(0, |(_, program)| program.rows.len());
            kept = kept.saturating_sub(dropped);
        }
        Ok(program)
    }

    fn decode(&self, unit: UnitIndex) -> Result<Decoded, SymbolError> {
        let place = self.program_of(unit)?;
        let mut sequences: Vec<Vec<RawRow>> = Vec::new();
        if let Some(place) = place {
            self.walk_sequences(place, |sequence| sequences.push(sequence.to_vec()))?;
        }
        sequences.sort_by_key(|sequence| sequence.first().map(|row| row.address));
        let mut rows = sequences.concat();
        // A broken program may go backwards; every search here relies on the order.
        if !rows.is_sorted_by_key(|row| row.address) {
            rows.sort_by_key(|row| row.address);
        }
        Ok(Decoded { rows })
    }
}

/// A poisoned cache is still a cache: what is in it was put there whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
