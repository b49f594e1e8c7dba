//! Code objects: what a function is called, and which line an instruction is of.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_tasks::Location;

use super::objects::{Objects, Record};

/// Bytes of one location table, at most.
const LARGEST_TABLE: u64 = 4 << 20;
/// Bytes of location tables that are kept in all; code beyond has names but no lines.
const LARGEST_TABLES: u64 = 256 << 20;
/// Code objects that are kept.
const MOST_CODES: usize = 1 << 18;
/// Bytes of an instruction.
const UNIT: u64 = 2;

/// A function's code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// `co_qualname`.
    pub(super) name: String,
    /// `co_filename`.
    pub(super) file: String,
    /// Where it begins (`co_firstlineno`): its first decorator, or its `def`.
    pub(super) first: Option<Arc<Location>>,
    /// Whether it is the user's own.
    pub(super) user_code: bool,
    /// How many variables lie in its frames, below their value stacks.
    pub(super) locals: u64,
}

impl Code {
    /// The module of asyncio that it belongs to: `tasks` for `asyncio/tasks.py` of the standard library.
    pub(super) fn asyncio_module(&self) -> Option<&str> {
        let (folder, name) = self.file.rsplit_once('/')?;
        let library = folder.strip_suffix("/asyncio")?;
        name.strip_suffix(".py").filter(|_| is_library(library))
    }
}

/// Whether a file is neither the standard library's nor an installed package's: what debugpy's `justMyCode` calls the
/// user's own.
fn is_users(file: &str) -> bool {
    let frozen = file.starts_with("<frozen");
    !frozen && !file.split('/').any(|part| matches!(part, "site-packages" | "dist-packages")) && !in_library(file)
}

/// Whether a folder is where a standard library lies: `lib/python3.14`.
fn is_library(folder: &str) -> bool {
    let mut parts = folder.rsplit('/');
    let version = parts.next().and_then(|name| name.strip_prefix("python3."));
    let numbered = version.is_some_and(|minor| minor.trim_end_matches('t').bytes().all(|byte| byte.is_ascii_digit()));
    numbered && matches!(parts.next(), Some("lib" | "lib64"))
}

fn in_library(file: &str) -> bool {
    file.match_indices('/').any(|(at, _)| file.get(..at).is_some_and(is_library))
}

/// A code object with what is needed to find lines in it.
struct Known {
    code: Arc<Code>,
    first_line: u32,
    /// Where its instructions begin.
    start: MemAddr,
    /// `co_linetable`; empty where it is not known.
    table: Vec<u8>,
}

/// Where in its code a frame is.
pub(super) struct Position {
    pub(super) code: Arc<Code>,
    pub(super) location: Option<Arc<Location>>,
}

/// Code objects that have been met.
#[derive(Default)]
pub(super) struct Codes {
    known: HashMap<MemAddr, Option<Known>>,
    /// By code object and instruction.
    places: HashMap<(MemAddr, MemAddr), Option<Arc<Location>>>,
    table_bytes: u64,
}

impl Codes {
    /// The code that a frame executes, and where it is.
    pub(super) fn position(&mut self, objects: &mut Objects<'_>, frame: &Record) -> Option<Position> {
        let address = frame.pointer(objects.offsets.frame_code)?;
        if !self.known.contains_key(&address) {
            if self.known.len() >= MOST_CODES {
                return None;
            }
            let read = self.read(objects, address);
            self.known.insert(address, read);
        }
        let known = self.known.get(&address)?.as_ref()?;
        let code = Arc::clone(&known.code);
        let Some(instruction) = frame.word(objects.offsets.frame_instruction).map(MemAddr::new) else {
            return Some(Position { code, location: None });
        };
        if let Some(place) = self.places.get(&(address, instruction)) {
            return Some(Position { code, location: place.clone() });
        }
        let start = own_instructions(objects, address, frame).unwrap_or(known.start);
        let line = instruction
            .since(start)
            .and_then(|bytes| line_of(&known.table, known.first_line, bytes.checked_div(UNIT)?));
        let location = line.map(|line| place(&code.file, line));
        self.places.insert((address, instruction), location.clone());
        Some(Position { code, location })
    }

    fn read(&mut self, objects: &mut Objects<'_>, address: MemAddr) -> Option<Known> {
        if !objects.type_of(address)?.is_static("code") {
            return None;
        }
        let offsets = objects.offsets;
        let record = objects.record(address, offsets.code_size)?;
        let name = objects.text(record.pointer(offsets.code_qualname)?)?;
        let file = objects.text(record.pointer(offsets.code_file)?)?;
        let first_line = record.int(offsets.code_first_line).and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        let room = LARGEST_TABLES.saturating_sub(self.table_bytes).min(LARGEST_TABLE);
        let table = record.pointer(offsets.code_lines).and_then(|table| objects.bytes(table, room)).unwrap_or_default();
        self.table_bytes = self.table_bytes.saturating_add(table.len() as u64);
        let user_code = is_users(&file);
        let first = (first_line > 0).then(|| place(&file, first_line));
        let names = record.pointer(offsets.code_locals)?;
        let locals = objects.word(names, offsets.tuple_length)?;
        let code = Arc::new(Code { name, file, first, user_code, locals });
        Some(Known { code, first_line, start: address.checked_add(offsets.code_instructions)?, table })
    }
}

fn place(file: &str, line: u32) -> Arc<Location> {
    Arc::new(Location { file: PathBuf::from(file), line, column: 0 })
}

/// Where the copy of the instructions begins that a frame executes, in a build with free threads: each thread has its own
/// (`_PyCodeArray`, `cpython/code.h`: a count, then pointers).
fn own_instructions(objects: &Objects<'_>, code: MemAddr, frame: &Record) -> Option<MemAddr> {
    if !objects.offsets.free_threaded {
        return None;
    }
    let copies = objects.pointer(code, objects.offsets.code_tlbc)?;
    let index = u64::try_from(frame.int(objects.offsets.frame_tlbc)?).ok()?;
    let count = objects.word(copies, 0).filter(|count| index < *count)?;
    objects.pointer(copies, index.min(count).checked_add(1)?.checked_mul(8)?)
}

/// The line of an instruction (counted in units) by a location table (`InternalDocs/code_objects.md` of CPython): entries
/// of one byte (a mark, a kind in four bits, the number of units less one in three) and what the kind demands. No line: it
/// has none, or the table is broken.
fn line_of(table: &[u8], first_line: u32, unit: u64) -> Option<u32> {
    let mut line = i64::from(first_line);
    let mut begin = 0_u64;
    let mut bytes = table.iter().copied();
    while let Some(head) = bytes.next() {
        let end = begin.checked_add(u64::from(head & 7))?.checked_add(1)?;
        let kind = (head >> 3) & 15;
        let has_line = match kind {
            0..=9 => {
                bytes.next()?;
                true
            }
            10..=12 => {
                line = line.checked_add(i64::from(kind.saturating_sub(10)))?;
                bytes.nth(1)?;
                true
            }
            13 | 14 => {
                let delta = number(&mut bytes)?;
                let magnitude = i64::try_from(delta >> 1).ok()?;
                line = if delta & 1 == 0 { line.checked_add(magnitude)? } else { line.checked_sub(magnitude)? };
                if kind == 14 {
                    for _end_line_and_columns in 0..3 {
                        number(&mut bytes)?;
                    }
                }
                true
            }
            _ => false,
        };
        if unit < end {
            return u32::try_from(line).ok().filter(|line| has_line && *line > 0);
        }
        begin = end;
    }
    None
}

/// A number in pieces of six bits, the lowest first; the seventh bit says that there are more.
fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 63) << shift;
        if byte & 64 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_each_kind_of_entry() {
        let entry = |kind: u8, units: u8| 0x80 | (kind << 3) | (units - 1);
        let table = [
            &[entry(15, 1)][..],
            &[entry(0, 2), 0x11],
            &[entry(11, 1), 4, 9],
            &[entry(13, 8), 0x40 | 8, 1],
            &[entry(14, 1), 5, 0, 3, 9],
            &[entry(12, 1), 4, 9],
        ]
        .concat();
        let lines: Vec<_> = (0..15).map(|unit| line_of(&table, 10, unit)).collect();
        let mut expected = vec![None, Some(10), Some(10), Some(11)];
        expected.extend([Some(11 + 36); 8]);
        expected.extend([Some(45), Some(47), None]);
        assert_eq!(lines, expected);
        for length in 0..table.len() {
            assert!(line_of(&table[..length], 10, 13).is_none());
        }
        assert_eq!(line_of(&[entry(13, 1), 0xff, 0xff], 10, 0), None);
    }

    #[test]
    fn the_users_own_files() {
        for own in ["/home/me/app/main.py", "<string>", "app.py", "/srv/lib/python/x.py"] {
            assert!(is_users(own), "{own}");
        }
        for other in [
            "/usr/lib/python3.14/asyncio/tasks.py",
            "/opt/x/lib/python3.14t/json/__init__.py",
            "/venv/lib/python3.14/site-packages/aiohttp/web.py",
            "/usr/lib/python3/dist-packages/yaml/__init__.py",
            "<frozen runpy>",
        ] {
            assert!(!is_users(other), "{other}");
        }
        let code =
            |file: &str| Code { name: String::new(), file: file.into(), first: None, user_code: false, locals: 0 };
        assert_eq!(code("/usr/lib/python3.14/asyncio/locks.py").asyncio_module(), Some("locks"));
        assert_eq!(code("/home/me/asyncio/locks.py").asyncio_module(), None);
    }
}
