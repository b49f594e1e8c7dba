//! The symbol table, read in windows and kept only where it is asked about by address.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use memchr::memmem;
use object::elf;
use weft_memory::FileAddr;

use crate::mapped::MappedFile;
use crate::{Image, Symbol};

/// Bytes of one entry of a 64-bit symbol table.
const ENTRY: usize = 24;
/// Entries read at a time.
const WINDOW: usize = ENTRY * 4096;
/// Bytes of names searched at a time: all of them are tens of megabytes in a large program.
const STRINGS: usize = 1 << 17;
/// Longest name that is read (Rust's mangled names reach a few kilobytes).
const MAX_NAME: usize = 64 * 1024;

/// Where a symbol table and its strings lie.
#[derive(Clone, Debug)]
pub(crate) struct TableRange {
    pub(crate) file: Arc<MappedFile>,
    /// `.symtab`, not merely the `.dynsym` that a stripped file keeps.
    pub(crate) full: bool,
    pub(crate) entries: Range<usize>,
    pub(crate) strings: Range<usize>,
}

/// One entry as the file has it.
#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    info: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// A function or object, for the question what lies at an address.
#[derive(Debug, Clone, Copy)]
struct Placed {
    address: u64,
    size: u32,
    name: u32,
}

/// A file's symbol table.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    range: Option<TableRange>,
    by_address: OnceLock<Vec<Placed>>,
    /// What was found under names that were asked for: the same few at every stop.
    by_name: Mutex<HashMap<String, Option<Symbol>>>,
}

impl SymbolTable {
    pub(crate) fn new(range: Option<TableRange>) -> Self {
        Self { range, by_address: OnceLock::new(), by_name: Mutex::default() }
    }

    /// Hands every defined symbol to `each` until it returns false.
    fn walk(&self, mut each: impl FnMut(Entry) -> bool) {
        let Some(range) = &self.range else { return };
        let mut window = vec![0; WINDOW.min(range.entries.len())];
        let mut at = range.entries.start;
        while at < range.entries.end {
            let length = window.len().min(range.entries.end.saturating_sub(at));
            let Some(buffer) = window.get_mut(..length) else { return };
            let count = range.file.read_at(at, buffer);
            let entries = window.get(..count).unwrap_or(&[]).chunks_exact(ENTRY);
            let taken = entries.len().saturating_mul(ENTRY);
            for entry in entries.filter_map(Entry::parse) {
                if entry.is_defined() && !each(entry) {
                    return;
                }
            }
            if taken == 0 {
                return;
            }
            at = at.saturating_add(taken);
        }
    }

    /// Hands every place where a text is found in the names to `each`, in order: where the string begins that it is in, and
    /// where it is itself.
    fn each_hit(&self, text: &[u8], mut each: impl FnMut(usize, usize)) {
        let Some(range) = &self.range else { return };
        let finder = memmem::Finder::new(text);
        // What a window ends with may be the beginning of a hit.
        let overlap = text.len().saturating_sub(1);
        let mut window = vec![0; STRINGS.saturating_add(overlap).min(range.strings.len())];
        let (mut at, mut string) = (0_usize, 0);
        loop {
            let length = window.len().min(range.strings.len().saturating_sub(at));
            let count = window
                .get_mut(..length)
                .map_or(0, |buffer| range.file.read_at(range.strings.start.saturating_add(at), buffer));
            let bytes = window.get(..count).unwrap_or(&[]);
            let string_at = |place: usize| {
                let nul = bytes.get(..place).and_then(|before| memchr::memrchr(0, before));
                nul.map_or(string, |nul| at.saturating_add(nul).saturating_add(1))
            };
            finder.find_iter(bytes).for_each(|hit| each(string_at(hit), at.saturating_add(hit)));
            let step = count.saturating_sub(overlap);
            if step == 0 {
                return;
            }
            string = string_at(step);
            at = at.saturating_add(step);
        }
    }

    fn name_at(&self, name: u32) -> Option<String> {
        let TableRange { file, strings: range, .. } = self.range.as_ref()?;
        let start = range.start.checked_add(usize::try_from(name).ok()?).filter(|start| *start < range.end)?;
        let mut bytes = vec![0; 256];
        loop {
            let length = bytes.len().min(range.end.saturating_sub(start));
            let count = file.read_at(start, bytes.get_mut(..length)?);
            let read = bytes.get(..count)?;
            if let Some(end) = memchr::memchr(0, read) {
                return Some(String::from_utf8_lossy(read.get(..end)?).into_owned());
            }
            if count < bytes.len() || bytes.len() >= MAX_NAME {
                return None;
            }
            bytes.resize(bytes.len().saturating_mul(4), 0);
        }
    }

    fn named(&self, name: &str) -> Option<Symbol> {
        let known = || self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(name) {
            return found.clone();
        }
        let found = self.find_named(name);
        known().insert(name.to_owned(), found.clone());
        found
    }

    fn find_named(&self, name: &str) -> Option<Symbol> {
        let mut pattern = name.as_bytes().to_vec();
        pattern.push(0);
        // A symbol's name may be the tail of another's; then it starts in the middle of that string.
        let mut starts = Vec::new();
        self.each_hit(&pattern, |_, hit| starts.push(hit));
        if starts.is_empty() {
            return None;
        }
        let mut found = None;
        self.walk(|entry| {
            let hit = usize::try_from(entry.name).is_ok_and(|at| starts.binary_search(&at).is_ok());
            if hit {
                found = Some(entry.symbol(name.to_owned()));
            }
            !hit
        });
        found
    }

    fn containing(&self, part: &str) -> Vec<Symbol> {
        let mut found = Vec::new();
        self.each_containing(part, |entry, name| found.push(entry.symbol(name)));
        found
    }

    fn functions_containing(&self, part: &str) -> Vec<(Symbol, bool)> {
        let mut found = Vec::new();
        self.each_containing(part, |entry, name| {
            if matches!(entry.kind(), elf::STT_FUNC | elf::STT_GNU_IFUNC) && entry.value != 0 {
                found.push((entry.symbol(name), entry.kind() == elf::STT_GNU_IFUNC));
            }
        });
        found
    }

    fn each_containing(&self, part: &str, mut each: impl FnMut(Entry, String)) {
        // (where the string begins, where the part is last found in it): a symbol that starts between them has it.
        let mut hits: Vec<(usize, usize)> = Vec::new();
        self.each_hit(part.as_bytes(), |start, hit| match hits.last_mut() {
            Some((last_start, last_hit)) if *last_start == start => *last_hit = hit,
            _ => hits.push((start, hit)),
        });
        if hits.is_empty() {
            return;
        }
        self.walk(|entry| {
            if let Ok(at) = usize::try_from(entry.name) {
                let next = hits.partition_point(|(start, _)| *start <= at);
                let in_it = next.checked_sub(1).and_then(|index| hits.get(index)).is_some_and(|(_, hit)| at <= *hit);
                if let Some(name) = in_it.then(|| self.name_at(entry.name)).flatten() {
                    each(entry, name);
                }
            }
            true
        });
    }

    fn at(&self, address: u64) -> Option<Symbol> {
        let table = self.by_address.get_or_init(|| self.placed());
        let next = table.partition_point(|placed| placed.address <= address);
        // Symbols of one address are sorted by size: the last one is the largest.
        let placed = table.get(next.checked_sub(1)?)?;
        let offset = address.checked_sub(placed.address)?;
        let covers = offset < u64::from(placed.size) || (placed.size == 0 && offset == 0);
        covers.then_some(())?;
        Some(Symbol {
            name: self.name_at(placed.name)?,
            address: FileAddr::new(placed.address),
            size: u64::from(placed.size),
            thread_local: false,
        })
    }

    fn placed(&self) -> Vec<Placed> {
        let mut table = Vec::new();
        self.walk(|entry| {
            if matches!(entry.kind(), elf::STT_FUNC | elf::STT_OBJECT | elf::STT_GNU_IFUNC) && entry.value != 0 {
                let size = u32::try_from(entry.size).unwrap_or(u32::MAX);
                table.push(Placed { address: entry.value, size, name: entry.name });
            }
            true
        });
        table.sort_unstable_by_key(|placed| (placed.address, placed.size));
        table.shrink_to_fit();
        table
    }
}

impl Entry {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name: u32::from_le_bytes(*bytes.first_chunk()?),
            info: *bytes.get(4)?,
            section: u16::from_le_bytes(*bytes.get(6..)?.first_chunk()?),
            value: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            size: u64::from_le_bytes(*bytes.get(16..)?.first_chunk()?),
        })
    }

    fn kind(&self) -> elf::SymbolType {
        elf::SymbolType(self.info & 0xf)
    }

    fn is_defined(&self) -> bool {
        self.section != elf::SHN_UNDEF.0 && !matches!(self.kind(), elf::STT_FILE | elf::STT_SECTION)
    }

    fn symbol(&self, name: String) -> Symbol {
        Symbol { name, address: FileAddr::new(self.value), size: self.size, thread_local: self.kind() == elf::STT_TLS }
    }
}

impl Image {
    /// Whether local symbols are there too.
    pub(crate) fn has_full_symbol_table(&self) -> bool {
        self.symbol_table().range.as_ref().is_some_and(|range| range.full)
    }

    /// The symbol with exactly this (mangled) name; a defined one, local or global.
    pub fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbol_table().named(name)
    }

    /// All defined symbols whose mangled name contains `part`.
    pub fn symbols_containing(&self, part: &str) -> Vec<Symbol> {
        self.symbol_table().containing(part)
    }

    /// Functions of the symbol table whose mangled name contains `part`, and whether each is chosen when the program starts
    /// (`STT_GNU_IFUNC`).
    pub(crate) fn functions_containing(&self, part: &str) -> Vec<(Symbol, bool)> {
        self.symbol_table().functions_containing(part)
    }

    /// The function or object symbol that covers an address.
    pub fn symbol_at(&self, address: FileAddr) -> Option<Symbol> {
        self.symbol_table().at(address.raw())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Names of a table without entries.
    fn names(strings: &[u8]) -> SymbolTable {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(strings).unwrap();
        let file = Arc::new(MappedFile::map(file).unwrap());
        SymbolTable::new(Some(TableRange { file, full: true, entries: 0..0, strings: 0..strings.len() }))
    }

    fn hits(table: &SymbolTable, text: &str) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        table.each_hit(text.as_bytes(), |string, hit| hits.push((string, hit)));
        hits
    }

    #[test]
    fn a_text_is_found_wherever_windows_meet() {
        for before in STRINGS - 12..STRINGS + 4 {
            let mut strings = vec![b'x'; before];
            strings[before - 3] = 0;
            strings.extend(b"needle\0other\0needle\0");
            let table = names(&strings);
            assert_eq!(hits(&table, "needle"), [(before - 2, before), (before + 13, before + 13)], "{before}");
            assert_eq!(hits(&table, "needle\0o"), [(before - 2, before)], "{before}");
            assert_eq!(hits(&table, "absent"), []);
        }
    }

    #[test]
    fn a_string_longer_than_windows_keeps_its_beginning() {
        let mut strings = vec![0];
        strings.extend(vec![b'x'; 3 * STRINGS]);
        strings.extend(b"needle\0");
        assert_eq!(hits(&names(&strings), "needle"), [(1, 1 + 3 * STRINGS)]);
    }
}
