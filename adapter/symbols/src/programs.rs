//! Line programs: their headers, found without touching the mapping, and their rows.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use gimli::{AttributeValue, DebugLineOffset, LittleEndian, SectionId};
use memchr::memmem;
use rustc_hash::FxHashMap;

use crate::paths::{self, Wanted};
use crate::roots::{Root, StringRef, shorten, string_ref};
use crate::sections::{Sections, Slice};
use crate::units::UnitIndex;
use crate::{Image, SymbolError};

/// Bytes read of each header at first; the median is 1 KB, the largest seen 9 KB.
const HEADER_READ: usize = 4096;

/// Rows of one sequence (in Rust, one function) that are believed.
const MAX_SEQUENCE: usize = 1 << 22;

/// Where a line program lies in `.debug_line`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgramPlace {
    pub(crate) offset: usize,
    /// Of the whole program, header included.
    pub(crate) length: usize,
}

/// The first fields of a header.
struct Preamble {
    /// Bytes of the whole program.
    length: usize,
    /// Bytes of its header.
    header: usize,
    version: u16,
}

impl Preamble {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let is_64_bit = bytes.first_chunk::<4>()? == &[0xff; 4];
        let (at, word) = if is_64_bit { (12, 8) } else { (4, 4) };
        let number = |at: usize, width: usize| {
            let field = bytes.get(at..)?.get(..width)?;
            let value = field.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            usize::try_from(value).ok()
        };
        let length = number(if is_64_bit { 4 } else { 0 }, word)?.checked_add(at)?;
        let version = u16::try_from(number(at, 2)?).ok()?;
        // Version 5 has the sizes of an address and of a segment selector before the header's length.
        let at = at.checked_add(if version >= 5 { 4 } else { 2 })?;
        let header = number(at, word)?.checked_add(at)?.checked_add(word)?;
        (header <= length).then_some(Self { length, header, version })
    }
}

/// One file that a program names.
#[derive(Debug)]
pub(crate) struct FileName {
    /// Its number in rows and attributes.
    pub(crate) number: u64,
    directory: Option<StringRef>,
    name: StringRef,
}

/// A program that may name a wanted file, and the numbers under which it does.
#[derive(Clone, Debug)]
pub(crate) struct NamingProgram {
    pub(crate) place: ProgramPlace,
    pub(crate) files: Vec<(u64, Arc<std::path::Path>)>,
}

impl Image {
    /// Hands every program's place, version and header bytes to `each`, until it returns false. Broken lengths end it.
    fn walk_program_headers(&self, mut each: impl FnMut(ProgramPlace, u16, &mut Vec<u8>) -> bool) {
        let sections = self.sections();
        let total = sections.len(SectionId::DebugLine);
        let mut bytes = Vec::with_capacity(HEADER_READ);
        let mut offset = 0_usize;
        while offset < total {
            sections.read_into(SectionId::DebugLine, offset, HEADER_READ, &mut bytes);
            let Some(preamble) = Preamble::parse(&bytes) else { return };
            let Some(end) = offset.checked_add(preamble.length).filter(|end| *end <= total) else { return };
            if preamble.header > bytes.len() {
                sections.read_into(SectionId::DebugLine, offset, preamble.header, &mut bytes);
            }
            bytes.truncate(preamble.header);
            let place = ProgramPlace { offset, length: preamble.length };
            if (2..=5).contains(&preamble.version) && !each(place, preamble.version, &mut bytes) {
                return;
            }
            offset = end;
        }
    }

    /// All programs that name the wanted file, and whether any names a file with its last component.
    pub(crate) fn programs_naming(&self, wanted: &Wanted) -> (Vec<NamingProgram>, bool) {
        let mut pattern = wanted.basename().to_vec();
        pattern.push(0);
        let finder = memmem::Finder::new(&pattern);
        let mut found = Vec::new();
        let mut called_so = false;
        let mut strings = Strings::default();
        let mut elsewhere = None;
        self.walk_program_headers(|place, version, bytes| {
            // Names stand in the header itself or, since version 5, in one of the sections of strings.
            let mut is_elsewhere = || version >= 5 && *elsewhere.get_or_insert_with(|| self.has_string(&finder));
            if finder.find(bytes).is_none() && !is_elsewhere() {
                return true;
            }
            let files = self.files_like(place, bytes, wanted, &mut strings, &mut called_so);
            if !files.is_empty() {
                found.push(NamingProgram { place, files });
            }
            true
        });
        (found, called_so)
    }

    /// Whether one of the sections that headers take strings from has a text.
    fn has_string(&self, text: &memmem::Finder<'_>) -> bool {
        let has = |sections: &Sections, id| sections.contains(id, text);
        has(self.sections(), SectionId::DebugLineStr)
            || has(self.sections(), SectionId::DebugStr)
            || self.supplementary().is_some_and(|sections| has(sections, SectionId::DebugStr))
    }

    /// The files of one program that are the wanted one.
    fn files_like(
        &self,
        place: ProgramPlace,
        header: &mut [u8],
        wanted: &Wanted,
        strings: &mut Strings,
        called_so: &mut bool,
    ) -> Vec<(u64, Arc<std::path::Path>)> {
        let mut found = Vec::new();
        let mut unit = None;
        for file in parse_files(header).unwrap_or_default() {
            if !strings.ends_with(self, &file.name, wanted.basename()) {
                continue;
            }
            *called_so = true;
            let Some(tail) = self.file_tail(&file, None) else { continue };
            if !wanted.may_match(&tail) {
                continue;
            }
            let path = if tail.is_absolute() {
                tail
            } else {
                let root = unit.get_or_insert_with(|| self.root_of_program(place.offset));
                self.in_directory(root.as_deref(), &file)
            };
            if wanted.matches(&path) {
                found.push((file.number, Arc::from(path)));
            }
        }
        found
    }

    /// Directory and name of a file, without the unit's directory.
    fn file_tail(&self, file: &FileName, root: Option<&Root>) -> Option<PathBuf> {
        let name = self.bytes_of(root, &file.name)?;
        let directory = file.directory.as_ref().and_then(|directory| self.bytes_of(root, directory));
        Some(paths::join(&[&directory.unwrap_or_default(), &name]))
    }

    fn in_directory(&self, root: Option<&Root>, file: &FileName) -> PathBuf {
        let directory = root.map(|root| self.directory_of(root)).unwrap_or_default();
        self.file_path(root, &directory, file)
    }

    /// The path of a file of a unit that was compiled in a directory.
    fn file_path(&self, root: Option<&Root>, compiled_in: &[u8], file: &FileName) -> PathBuf {
        let Some(name) = self.bytes_of(root, &file.name) else { return paths::join(&[compiled_in]) };
        let directory = file.directory.as_ref().and_then(|directory| self.bytes_of(root, directory));
        paths::join(&[compiled_in, &directory.unwrap_or_default(), &name])
    }

    fn bytes_of<'a>(&self, root: Option<&Root>, string: &'a StringRef) -> Option<Cow<'a, [u8]>> {
        match string {
            StringRef::Inline(bytes) => Some(Cow::Borrowed(bytes)),
            elsewhere => self.read_string(root, elsewhere).map(Cow::Owned),
        }
    }

    /// Where a unit was compiled.
    fn directory_of(&self, root: &Root) -> Vec<u8> {
        root.directory.as_ref().and_then(|directory| self.read_string(Some(root), directory)).unwrap_or_default()
    }

    fn root_of_program(&self, offset: usize) -> Option<Arc<Root>> {
        self.unit_root(self.unit_of_program(offset)?).ok()
    }

    /// The unit that a line program belongs to. Programs come in the order of their units in every file seen, so this
    /// is a binary search; a file where it fails is searched from end to end.
    pub(crate) fn unit_of_program(&self, offset: usize) -> Option<UnitIndex> {
        let units = self.units().own();
        let root = |index: UnitIndex| self.unit_root(index).ok();
        let program = |index: UnitIndex| root(index).and_then(|root| root.line_program);
        // Parts of several units (`DW_TAG_partial_unit`) name the line program of one of them.
        let owns = |index: &UnitIndex| {
            root(*index).is_some_and(|root| root.is_whole && root.line_program == Some(DebugLineOffset(offset)))
        };
        let (mut low, mut high) = (units.start, units.end);
        while low < high {
            let middle = low.midpoint(high);
            match program(middle).map(|program| program.0.cmp(&offset)) {
                Some(std::cmp::Ordering::Equal) if owns(&middle) => return Some(middle),
                Some(std::cmp::Ordering::Equal) => break,
                Some(std::cmp::Ordering::Greater) => high = middle,
                Some(std::cmp::Ordering::Less) => low = middle.saturating_add(1),
                None => break,
            }
        }
        units.into_iter().find(owns)
    }

    /// All source files of a unit's program, by number; the unit's directory joined.
    pub(crate) fn read_unit_files(&self, unit: UnitIndex) -> Vec<(u64, PathBuf)> {
        let Ok(root) = self.unit_root(unit) else { return Vec::new() };
        let sections = self.sections_of(root.origin);
        let place = root.line_program.and_then(|program| program_at(sections, program.0));
        let Some(place) = place else { return Vec::new() };
        let mut bytes = Vec::new();
        sections.read_into(SectionId::DebugLine, place.offset, HEADER_READ, &mut bytes);
        if let Some(header) = Preamble::parse(&bytes).map(|preamble| preamble.header) {
            sections.read_into(SectionId::DebugLine, place.offset, header, &mut bytes);
        }
        let files = parse_files(&mut bytes).unwrap_or_default();
        let directory = self.directory_of(&root);
        files.iter().map(|file| (file.number, self.file_path(Some(&root), &directory, file))).collect()
    }

    /// Runs a line program and hands its live sequences to `each`: rows in order of address, the last of which ends the
    /// sequence. Code that the linker dropped is left out.
    pub(crate) fn walk_sequences(
        &self,
        place: ProgramPlace,
        mut each: impl FnMut(&[RawRow]),
    ) -> Result<(), SymbolError> {
        let mut bytes = Vec::new();
        self.sections().read_into(SectionId::DebugLine, place.offset, place.length, &mut bytes);
        let section = gimli::DebugLine::new(&bytes, LittleEndian);
        let program = section.program(DebugLineOffset(0), 8, None, None).map_err(|error| self.malformed(error))?;
        let mut rows = program.rows();
        let mut sequence: Vec<RawRow> = Vec::new();
        while let Some((_, row)) = rows.next_row().map_err(|error| self.malformed(error))? {
            if sequence.len() >= MAX_SEQUENCE {
                return Err(self.malformed("a line program has a sequence without end"));
            }
            sequence.push(RawRow::new(row));
            if row.end_sequence() {
                if sequence.first().is_some_and(|first| self.is_code(first.address)) {
                    each(&sequence);
                }
                sequence.clear();
            }
        }
        Ok(())
    }
}

/// `DW_LNE_set_address` with an address of eight bytes, before the address.
const SET_ADDRESS: [u8; 3] = [0, 9, 2];
/// Bytes of instructions that most sequences have less of.
const MOST_SEQUENCES: usize = 8 * 1024;
/// `DW_LNE_end_sequence`.
const END_SEQUENCE: [u8; 3] = [0, 1, 1];

impl Image {
    /// The only sequence of a program that begins at an address, found by the bytes that set it: the rest, which may be a
    /// hundred times as much, is not run. None if that does not lead to one: then all of them have to be looked at.
    pub(crate) fn sequence_at(&self, place: ProgramPlace, begin: u64) -> Option<Vec<RawRow>> {
        let program = self.sections().bytes(SectionId::DebugLine).get(place.offset..)?.get(..place.length)?;
        let (header, code) = program.split_at_checked(Preamble::parse(program)?.header)?;
        let mut pattern = SET_ADDRESS.to_vec();
        pattern.extend(begin.to_le_bytes());
        let mut hits = memmem::find_iter(code, &pattern);
        let hit = hits.next().filter(|_| hits.next().is_none())?;
        // Before the address are columns and files, which cannot look like the end of the sequence before.
        let start =
            memmem::rfind(code.get(..hit)?, &END_SEQUENCE).map_or(0, |end| end.saturating_add(END_SEQUENCE.len()));
        let code = code.get(start..)?;
        let near = code.get(..MOST_SEQUENCES).and_then(|near| sequence(header, near));
        let sequence = near.or_else(|| sequence(header, code))?;
        let is_it = sequence.first().is_some_and(|first| first.address == begin);
        (is_it && sequence.is_sorted_by_key(|row| row.address)).then_some(sequence)
    }
}

/// The first sequence that instructions make. None if they break off before.
fn sequence(header: &[u8], instructions: &[u8]) -> Option<Vec<RawRow>> {
    let program = without_files(header, instructions)?;
    let section = gimli::DebugLine::new(&program, LittleEndian);
    let mut rows = section.program(DebugLineOffset(0), 8, None, None).ok()?.rows();
    let mut sequence: Vec<RawRow> = Vec::new();
    while let Some((_, row)) = rows.next_row().ok()? {
        sequence.push(RawRow::new(row));
        if row.end_sequence() {
            return Some(sequence);
        }
        if sequence.len() >= MAX_SEQUENCE {
            return None;
        }
    }
    None
}

/// A program of these instructions with a header that names no files, of which there may be hundreds to read.
fn without_files(header: &[u8], instructions: &[u8]) -> Option<Vec<u8>> {
    let is_64_bit = header.first_chunk::<4>()? == &[0xff; 4];
    let word: usize = if is_64_bit { 8 } else { 4 };
    let version_at: usize = if is_64_bit { 12 } else { 4 };
    let version = u16::from_le_bytes(*header.get(version_at..)?.first_chunk()?);
    // Version 5 has the sizes of an address and of a segment selector before the header's length.
    let length_at = version_at.checked_add(if version >= 5 { 4 } else { 2 })?;
    let fields_at = length_at.checked_add(word)?;
    // minimum_instruction_length, maximum_operations_per_instruction (from 4 on), default_is_stmt, line_base, line_range,
    // opcode_base and a length for each opcode below it
    let base_at = fields_at.checked_add(if version >= 4 { 5 } else { 4 })?;
    let tables_at = base_at.checked_add(usize::from(*header.get(base_at)?).max(1))?;
    let mut program = header.get(..tables_at)?.to_vec();
    // Two empty tables; since version 5 each has a format and a count.
    program.extend(if version >= 5 { [0; 4].as_slice() } else { &[0; 2] });
    let in_header = program.len().checked_sub(fields_at)?;
    program.extend_from_slice(instructions);
    let in_all = program.len().checked_sub(version_at)?;
    let mut state = |at: usize, length: usize| {
        let length = u64::try_from(length).ok()?.to_le_bytes();
        program.get_mut(at..)?.get_mut(..word)?.copy_from_slice(length.get(..word)?);
        Some(())
    };
    state(length_at, in_header)?;
    state(if is_64_bit { 4 } else { 0 }, in_all)?;
    Some(program)
}

/// The place of the program that begins at an offset of a file's `.debug_line`.
pub(crate) fn program_at(sections: &Sections, offset: usize) -> Option<ProgramPlace> {
    let mut bytes = [0; 32];
    let count = sections.read_at(SectionId::DebugLine, offset, &mut bytes);
    let length = Preamble::parse(bytes.get(..count)?)?.length;
    let end = offset.checked_add(length)?;
    (end <= sections.len(SectionId::DebugLine)).then_some(ProgramPlace { offset, length })
}

/// A row as the program makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawRow {
    pub(crate) address: u64,
    pub(crate) line: u32,
    pub(crate) file: u32,
    pub(crate) column: u16,
    pub(crate) is_stmt: bool,
    pub(crate) prologue_end: bool,
    pub(crate) end_sequence: bool,
}

impl RawRow {
    fn new(row: &gimli::LineRow) -> Self {
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => u16::try_from(column.get()).unwrap_or(u16::MAX),
        };
        Self {
            address: row.address(),
            line: row.line().map_or(0, |line| u32::try_from(line.get()).unwrap_or(0)),
            file: u32::try_from(row.file_index()).unwrap_or(u32::MAX),
            column,
            is_stmt: row.is_stmt(),
            prologue_end: row.prologue_end(),
            end_sequence: row.end_sequence(),
        }
    }
}

/// Files that a header names. `header` holds nothing but the header.
fn parse_files(header: &mut [u8]) -> gimli::Result<Vec<FileName>> {
    shorten(header);
    let section = gimli::DebugLine::new(header, LittleEndian);
    let program = section.program(DebugLineOffset(0), 8, None, None)?;
    let header = program.header();
    let first = u64::from(header.version() < 5);
    let named = |value: AttributeValue<Slice<'_>>| string_ref(value);
    let files = header.file_names().iter().zip(first..).filter_map(|(file, number)| {
        Some(FileName { number, directory: file.directory(header).and_then(named), name: named(file.path_name())? })
    });
    Ok(files.collect())
}

/// Remembers which strings of a file end with a name: programs share them by offset.
#[derive(Default)]
struct Strings {
    known: FxHashMap<StringRef, bool>,
}

impl Strings {
    fn ends_with(&mut self, image: &Image, string: &StringRef, name: &[u8]) -> bool {
        let ends = |bytes: &[u8]| {
            let rest = bytes.strip_suffix(name);
            rest.is_some_and(|rest| rest.last().is_none_or(|last| *last == b'/'))
        };
        match string {
            StringRef::Inline(bytes) => ends(bytes),
            // Needs the unit's base: left to the full comparison.
            StringRef::Index(_) => true,
            StringRef::LineStr(_) | StringRef::Str(_) | StringRef::Supplementary(_) => *self
                .known
                .entry(string.clone())
                .or_insert_with(|| image.read_string(None, string).is_some_and(|bytes| ends(&bytes))),
        }
    }
}
