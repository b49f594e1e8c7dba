//! A core file: what is left of a program that ended, or a picture of one that lives on.
//!
//! Layout facts: System V ABI (ELF headers), and of the notes Linux's `include/uapi/linux/elfcore.h` and `fs/binfmt_elf.c`
//! for x86-64: `NT_PRSTATUS` has the signal at 12, the thread at 32 and the registers at 112 in the order of
//! `user_regs_struct`; `NT_PRPSINFO` the process at 24 and its name at 40; `NT_FILE` counts, page size, ranges, names;
//! `NT_AUXV` is what `/proc/pid/auxv` was.
//! Nothing of it is trusted: whatever lies outside the file is not there.

mod file;
mod memory;

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};

use crate::{
    Mapping, Pid, Tid,
    proc::{VDSO, parse_auxv},
};
use file::{Header, headers, piece, word16, word32, word64};
use memory::open_mapped;

pub use memory::CoreMemory;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const NT_PRSTATUS: u32 = 1;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;
/// Notes are read up to this many bytes (8 kB for each of 30,000 threads).
const MOST_NOTES: u64 = 256 << 20;
/// Threads that are looked at.
const MOST_THREADS: usize = 65_536;

/// Place of each DWARF register among the kernel's (`user_regs_struct`), in words.
const PLACES: [(u16, usize); 17] = [
    (0, 10),
    (1, 12),
    (2, 11),
    (3, 5),
    (4, 13),
    (5, 14),
    (6, 4),
    (7, 19),
    (8, 9),
    (9, 8),
    (10, 7),
    (11, 6),
    (12, 3),
    (13, 2),
    (14, 1),
    (15, 0),
    (16, 16),
];
const FS_BASE: usize = 21;

/// Why a core file cannot be used, in a sentence.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// It cannot be read.
    #[error("the core file {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It is something else, or of another machine, or cut off before its threads.
    #[error("{} is not a core file that can be read: {what}", path.display())]
    NotACore {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The program's file is not the one that was running.
    #[error(
        "{} is not the program that this core file is of (their build-ids differ); name the right one with `program` (`--exe` \
         on the command line)",
        .0.display()
    )]
    OtherProgram(PathBuf),
}

/// A thread as the core file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreThread {
    /// Its number.
    pub tid: Tid,
    /// Where it stood.
    pub registers: Registers,
    /// The signal that it was about to get; 0 for none.
    pub signal: i32,
}

/// Everything that a core file says about a program.
#[derive(Debug)]
pub struct Core {
    /// The file.
    pub path: PathBuf,
    /// The process; 0 if it is not said.
    pub pid: Pid,
    /// The process's name (at most 15 bytes).
    pub name: String,
    /// The thread that was dumped first: the one that got the signal, in the kernel's files.
    pub first: Tid,
    /// The signal that ended it; 0 if nothing did.
    pub signal: i32,
    /// The threads, the process's first one first.
    pub threads: Vec<CoreThread>,
    /// The files that were mapped, by rising address, without those that have changed since; the vDSO last.
    pub mappings: Vec<Mapping>,
    /// Files that were mapped and are others by now (by their build-ids): nothing of them can be shown.
    pub changed: Vec<PathBuf>,
    /// The file ends before all that it promises: what is missing cannot be shown.
    pub is_cut: bool,
    /// What was in memory.
    pub memory: Arc<CoreMemory>,
    /// Where the vDSO begins.
    vdso: Option<MemAddr>,
}

impl Core {
    /// Reads the headers and notes of a core file. `program` is the program's file when it is not where it was.
    pub fn open(path: &Path, program: Option<&Path>) -> Result<Self, CoreError> {
        let unreadable = |reason| CoreError::Unreadable { path: path.to_owned(), reason };
        let not = |what: &str| CoreError::NotACore { path: path.to_owned(), what: what.to_owned() };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let header = piece(&file, 0, 64);
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return Err(not("it does not begin as one"));
        }
        if word16(&header, 16) != Some(4) {
            return Err(not("it is a program or library, not a core file"));
        }
        if word16(&header, 18) != Some(62) {
            return Err(not("it is of another kind of machine than x86-64"));
        }
        let headers = headers(&file, &header);
        let mut core = Self {
            path: path.to_owned(),
            pid: 0,
            name: String::new(),
            first: 0,
            signal: 0,
            threads: Vec::new(),
            mappings: Vec::new(),
            changed: Vec::new(),
            is_cut: false,
            memory: Arc::default(),
            vdso: None,
        };
        for notes in headers.iter().filter(|header| header.kind == PT_NOTE) {
            core.read_notes(&piece(&file, notes.offset, notes.in_file.min(MOST_NOTES)));
        }
        if core.threads.is_empty() {
            return Err(not("it says nothing of any thread; it may be cut off (see `ulimit -c`)"));
        }
        core.first = core.threads.first().map_or(0, |thread| thread.tid);
        if core.signal == 0 {
            core.signal = core.threads.first().map_or(0, |thread| thread.signal);
        }
        let pid = core.pid;
        core.threads.sort_by_key(|thread| (thread.tid != pid, thread.tid));
        let loads: Vec<Header> = headers.into_iter().filter(|header| header.kind == PT_LOAD).collect();
        core.is_cut = loads.iter().any(|load| load.offset.saturating_add(load.in_file) > length);
        for mapping in &mut core.mappings {
            let Some(load) = loads.iter().find(|load| load.holds(mapping.start.raw())) else {
                // gdb leaves out what can be had from the file: code.
                (mapping.readable, mapping.executable) = (true, true);
                continue;
            };
            mapping.readable = load.flags & 4 != 0;
            mapping.writable = load.flags & 2 != 0;
            mapping.executable = load.flags & 1 != 0;
        }
        let vdso = core.vdso.and_then(|start| loads.iter().find(|load| load.address == start.raw()));
        core.mappings.extend(vdso.map(vdso_mapping));
        let executed = core.executable().map(Path::to_owned);
        if let (Some(program), Some(executed)) = (program, &executed) {
            let its = core.mappings.iter_mut().filter(|mapping| mapping.path.as_ref() == Some(executed));
            its.for_each(|mapping| mapping.path = Some(program.to_owned()));
        }
        let program = program.map(Path::to_owned).or(executed);
        let dumped = CoreMemory::new(file, &loads);
        let begins: Vec<&Mapping> = core.mappings.iter().filter(|mapping| mapping.offset == 0).collect();
        let changed = begins.into_iter().filter(|mapping| has_changed(&dumped, mapping));
        core.changed = changed.filter_map(|mapping| mapping.path.clone()).collect();
        if let Some(program) = program.filter(|program| core.changed.contains(program)) {
            return Err(CoreError::OtherProgram(program));
        }
        let changed = &core.changed;
        core.mappings.retain(|mapping| mapping.path.as_ref().is_none_or(|path| !changed.contains(path)));
        core.memory = Arc::new(dumped.with_files(&core.mappings, &loads));
        Ok(core)
    }

    /// The program's file, as far as the core file tells: the mapped file that is called as the process is, or the first
    /// with code in it.
    pub fn executable(&self) -> Option<&Path> {
        let files = || self.mappings.iter().filter(|mapping| mapping.executable).filter_map(|it| it.path.as_deref());
        let is_named = |path: &&Path| {
            path.file_name()
                .is_some_and(|name| !self.name.is_empty() && name.as_bytes().starts_with(self.name.as_bytes()))
        };
        files().find(is_named).or_else(|| files().next())
    }

    /// What the user should know of this file, in sentences.
    pub fn remarks(&self) -> Vec<String> {
        let cut = self.is_cut.then(|| {
            "the core file is cut off (`ulimit -c unlimited` lets it be written whole): some memory is missing"
                .to_owned()
        });
        let changed = self.changed.iter().map(|path| {
            format!("{} has changed since the core file was written: nothing of it can be shown", path.display())
        });
        cut.into_iter().chain(changed).collect()
    }

    fn read_notes(&mut self, notes: &[u8]) {
        let mut rest = notes;
        while let (Some(name), Some(length), Some(kind)) = (word32(rest, 0), word32(rest, 4), word32(rest, 8)) {
            let padded = |size: u32| usize::try_from(size).unwrap_or(usize::MAX).checked_next_multiple_of(4);
            let Some(begin) = padded(name).and_then(|name| name.checked_add(12)) else { return };
            let Some(body) = rest.get(begin..) else { return };
            let content = body.get(..usize::try_from(length).unwrap_or(usize::MAX)).unwrap_or(body);
            self.read_note(kind, content);
            let Some(next) = padded(length).and_then(|length| body.get(length..)) else { return };
            rest = next;
        }
    }

    fn read_note(&mut self, kind: u32, note: &[u8]) {
        match kind {
            NT_PRSTATUS if self.threads.len() < MOST_THREADS => {
                let (Some(tid), Some(words)) = (word32(note, 32), note.get(112..)) else { return };
                let register = |place: usize| place.checked_mul(8).and_then(|offset| word64(words, offset));
                let mut registers = Registers::unknown(register(FS_BASE).unwrap_or(0));
                for (number, place) in PLACES {
                    registers.set(DwarfRegister(number), register(place));
                }
                let signal = i32::from(word16(note, 12).unwrap_or(0));
                self.threads.push(CoreThread { tid: tid.cast_signed(), registers, signal });
            }
            NT_PRPSINFO => {
                self.pid = word32(note, 24).unwrap_or(0).cast_signed();
                let name = note.get(40..56).unwrap_or_default();
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                self.name = String::from_utf8_lossy(name).into_owned();
            }
            NT_SIGINFO if self.signal == 0 => self.signal = word32(note, 0).unwrap_or(0).cast_signed(),
            NT_FILE => self.mappings = files(note).unwrap_or_default(),
            NT_AUXV => self.vdso = parse_auxv(note).vdso,
            _ => {}
        }
    }
}

/// Whether the file of a mapping (of its begin) is another one than was mapped: its notes, which have the build-id, are
/// compared with those in memory. What cannot be compared has not changed as far as we know.
fn has_changed(dumped: &CoreMemory, mapping: &Mapping) -> bool {
    let differ = || {
        let file = open_mapped(mapping.path.as_ref()?)?;
        let begin = dumped.read_bytes(mapping.start, 64).ok()?;
        let table = mapping.start.checked_add(word64(&begin, 32)?)?;
        let count = usize::from(word16(&begin, 56)?);
        let entries = dumped.read_bytes(table, count.checked_mul(56)?).ok()?;
        let notes = entries.chunks_exact(56).filter(|entry| word32(entry, 0) == Some(PT_NOTE));
        let mut differ = false;
        for entry in notes {
            let (offset, length) = (word64(entry, 8)?, word64(entry, 32)?.min(4096));
            // Notes lie in the first mapping, at the same distance as in the file.
            let mut theirs = vec![0; usize::try_from(length).ok()?];
            if dumped.read_exact(mapping.start.checked_add(offset)?, &mut theirs).is_ok() {
                differ |= piece(&file, offset, length) != theirs;
            }
        }
        Some(differ)
    };
    mapping.path.is_some() && differ().unwrap_or(false)
}

/// The vDSO as `/proc/pid/maps` would list it: no file stands behind it.
fn vdso_mapping(load: &Header) -> Mapping {
    Mapping {
        start: MemAddr::new(load.address),
        end: MemAddr::new(load.address.saturating_add(load.in_memory)),
        readable: load.flags & 4 != 0,
        writable: load.flags & 2 != 0,
        executable: load.flags & 1 != 0,
        shared: false,
        offset: 0,
        inode: 0,
        path: None,
        deleted: false,
        label: VDSO.to_owned(),
    }
}

/// The mapped files of an `NT_FILE` note. Protections are not in it.
fn files(note: &[u8]) -> Option<Vec<Mapping>> {
    let (count, page) = (word64(note, 0)?, word64(note, 8)?);
    let count = usize::try_from(count).ok()?;
    let names = note.get(count.checked_mul(24)?.checked_add(16)?..)?;
    let ranges = note.get(16..)?.chunks_exact(24).take(count);
    let named = ranges.zip(names.split(|byte| *byte == 0));
    let mut mappings: Vec<Mapping> = named
        .filter_map(|(range, name)| {
            let bare = name.strip_suffix(b" (deleted)");
            Some(Mapping {
                start: MemAddr::new(word64(range, 0)?),
                end: MemAddr::new(word64(range, 8)?),
                readable: false,
                writable: false,
                executable: false,
                shared: false,
                offset: word64(range, 16)?.checked_mul(page)?,
                inode: 0,
                path: Some(PathBuf::from(OsStr::from_bytes(bare.unwrap_or(name)))),
                // There is no process any more that would still have it.
                deleted: false,
                label: String::new(),
            })
        })
        .collect();
    mappings.sort_by_key(|mapping| mapping.start);
    Some(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: &mut Vec<u8>, at: usize, word: &[u8]) {
        bytes.resize(bytes.len().max(at + word.len()), 0);
        bytes[at..at + word.len()].copy_from_slice(word);
    }

    /// A core file with one thread and one page of which half was dumped.
    fn made() -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, 0, b"\x7fELF\x02\x01");
        put(&mut bytes, 16, &[4, 0, 62, 0]);
        put(&mut bytes, 32, &64u64.to_le_bytes());
        put(&mut bytes, 56, &[2, 0]);
        let mut note = vec![0; 336];
        put(&mut note, 12, &[11, 0]);
        put(&mut note, 32, &77u32.to_le_bytes());
        put(&mut note, 112 + 16 * 8, &0x1234u64.to_le_bytes());
        put(&mut note, 112 + 21 * 8, &0x7000u64.to_le_bytes());
        let mut notes = Vec::new();
        for word in [5u32, 336, NT_PRSTATUS] {
            notes.extend_from_slice(&word.to_le_bytes());
        }
        notes.extend_from_slice(b"CORE\0\0\0\0");
        notes.extend_from_slice(&note);
        let size = notes.len() as u64;
        for (at, kind, offset, address, size, memory) in
            [(64, PT_NOTE, 176, 0u64, size, 0u64), (120, PT_LOAD, 176 + size, 0x1000, 8, 16)]
        {
            put(&mut bytes, at, &kind.to_le_bytes());
            put(&mut bytes, at + 4, &6u32.to_le_bytes());
            for (field, value) in [(8, offset), (16, address), (32, size), (40, memory)] {
                put(&mut bytes, at + field, &value.to_le_bytes());
            }
        }
        put(&mut bytes, 176, &notes);
        bytes.extend_from_slice(b"memory!!");
        bytes
    }

    fn open(bytes: &[u8]) -> Result<Core, CoreError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("core");
        std::fs::write(&path, bytes).unwrap();
        Core::open(&path, None)
    }

    #[test]
    fn threads_and_memory_of_a_core_file() {
        let core = open(&made()).unwrap();
        assert_eq!((core.first, core.signal, core.is_cut), (77, 11, false));
        let registers = core.threads[0].registers;
        assert_eq!((registers.pc(), registers.fs_base), (MemAddr::new(0x1234), 0x7000));
        let mut buffer = [0; 16];
        assert_eq!(core.memory.read(MemAddr::new(0x1000), &mut buffer), Ok(8));
        assert_eq!(&buffer[..8], b"memory!!");
        assert!(core.memory.read(MemAddr::new(0x1008), &mut buffer).is_err(), "it was not dumped");
        assert_eq!(core.memory.writable(), [MemAddr::new(0x1000)..MemAddr::new(0x1010)]);
    }

    #[test]
    fn a_pipe_that_a_core_file_names_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(open_mapped(&pipe).is_none());
        assert!(open_mapped(directory.path()).is_none());
        std::fs::write(directory.path().join("file"), b"").unwrap();
        assert!(open_mapped(&directory.path().join("file")).is_some());
    }

    #[test]
    fn whatever_is_missing_is_not_there() {
        let whole = made();
        for length in 0..whole.len() {
            match open(&whole[..length]) {
                Ok(core) => assert!(core.is_cut, "at {length}"),
                Err(error) => assert!(error.to_string().contains("core file"), "{error}"),
            }
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _any = open(&broken);
        }
    }
}
