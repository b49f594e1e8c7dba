//! What `/proc` says about a process. Everything in it may be gone or changed by the next line.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use weft_memory::MemAddr;

use crate::{Pid, ProcessError, Tid};

/// No file of `/proc` is read beyond this; a process with 65,530 mappings (the kernel's usual limit) stays below.
const LARGEST: u64 = 64 << 20;

/// The kernel's name for the library that it maps into every process.
pub const VDSO: &str = "[vdso]";

/// A range of a process's address space (a line of `/proc/pid/maps`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: MemAddr,
    /// First address after it.
    pub end: MemAddr,
    /// Mapped readable.
    pub readable: bool,
    /// Mapped writable.
    pub writable: bool,
    /// Mapped executable.
    pub executable: bool,
    /// Other processes see what is written there.
    pub shared: bool,
    /// Where in the file the range begins, in bytes.
    pub offset: u64,
    /// The file's inode number; 0 for no file.
    pub inode: u64,
    /// The file, without the kernel's mark for deleted ones.
    pub path: Option<PathBuf>,
    /// The file has been deleted or replaced since it was mapped.
    pub deleted: bool,
    /// The kernel's name for a range without a file (`[heap]`, `[stack]`, `[vdso]`), else empty.
    pub label: String,
}

/// Entries of the auxiliary vector which the kernel gave a program (`getauxval(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Auxv {
    /// `AT_PHDR`: the program headers in memory.
    pub program_headers: Option<MemAddr>,
    /// `AT_ENTRY`: where the program (not its loader) begins to execute.
    pub entry: Option<MemAddr>,
    /// `AT_BASE`: where the loader lies; none or zero in a static program.
    pub loader: Option<MemAddr>,
    /// `AT_SYSINFO_EHDR`: the vDSO.
    pub vdso: Option<MemAddr>,
}

/// A process or thread as `/proc/pid/status` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessState {
    /// The one-letter state (`R`, `S`, `D`, `T`, `t`, `Z`, `X`).
    pub letter: char,
    /// The process that this thread belongs to.
    pub group: Pid,
    /// Who traces it; 0 for nobody. A thread's number.
    pub tracer: Pid,
    /// Its real user id.
    pub user: u32,
    /// How many threads its process has, those included that have ended and were not collected yet.
    pub threads: usize,
    /// The signals that it has handlers for: bit 0 is signal 1.
    pub caught: u64,
    /// How often it has gone to sleep.
    pub switches: u64,
}

impl ProcessState {
    /// Whether it has a handler for a signal.
    pub fn catches(&self, signal: i32) -> bool {
        let bit = signal.checked_sub(1).and_then(|bit| u32::try_from(bit).ok());
        bit.and_then(|bit| self.caught.checked_shr(bit)).is_some_and(|caught| caught & 1 == 1)
    }
}

/// Reads a `/proc` file within bounds.
pub(crate) fn read_bounded(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error of reading `/proc/pid/...`.
fn explain(pid: Pid, what: &'static str) -> impl FnOnce(io::Error) -> ProcessError {
    move |reason| match reason.raw_os_error() {
        Some(libc::ENOENT | libc::ESRCH) => ProcessError::NoProcess(pid),
        Some(libc::EACCES | libc::EPERM) => ProcessError::NotPermitted { pid, hint: crate::attach::hint(pid) },
        _ => ProcessError::System { what, reason },
    }
}

/// All mappings of a process, by rising address. If its first thread has exited before the others, the number of any
/// living thread must be given, here and below. A line that cannot be understood is left out.
pub fn mappings(pid: Pid) -> Result<Vec<Mapping>, ProcessError> {
    let text = read_bounded(format!("/proc/{pid}/maps")).map_err(explain(pid, "cannot read the memory map"))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse_mapping).collect())
}

/// One line: `start-end perms offset major:minor inode   name`.
fn parse_mapping(line: &[u8]) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let length = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(length)?;
        rest = tail.get(1..).unwrap_or_default();
        std::str::from_utf8(word).ok()
    };
    let (start, end) = field()?.split_once('-')?;
    let permissions = field()?.as_bytes();
    let offset = field()?;
    let _device = field()?;
    let inode = field()?.parse().ok()?;
    let name = unescape(rest.trim_ascii_start());
    let is_path = name.first() == Some(&b'/');
    let (bare, deleted) = match name.strip_suffix(b" (deleted)") {
        Some(bare) if is_path => (bare, true),
        _ => (name.as_slice(), false),
    };
    Some(Mapping {
        start: MemAddr::new(u64::from_str_radix(start, 16).ok()?),
        end: MemAddr::new(u64::from_str_radix(end, 16).ok()?),
        readable: permissions.first() == Some(&b'r'),
        writable: permissions.get(1) == Some(&b'w'),
        executable: permissions.get(2) == Some(&b'x'),
        shared: permissions.get(3) == Some(&b's'),
        offset: u64::from_str_radix(offset, 16).ok()?,
        inode,
        path: is_path.then(|| PathBuf::from(OsStr::from_bytes(bare))),
        deleted,
        label: if is_path { String::new() } else { String::from_utf8_lossy(&name).into_owned() },
    })
}

/// Undoes the kernel's only escape in mapping names: a line feed is written as `\012`.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(b"\\012") {
            out.push(b'\n');
            rest = tail;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// The auxiliary vector's entries that tell where things were loaded.
pub fn auxv(pid: Pid) -> Result<Auxv, ProcessError> {
    let bytes = read_bounded(format!("/proc/{pid}/auxv")).map_err(explain(pid, "cannot read the auxiliary vector"))?;
    Ok(parse_auxv(&bytes))
}

pub(crate) fn parse_auxv(bytes: &[u8]) -> Auxv {
    let word = |bytes: &[u8]| bytes.first_chunk::<8>().map(|word| u64::from_le_bytes(*word));
    let mut found = Auxv::default();
    for pair in bytes.chunks_exact(16) {
        let (Some(key), Some(value)) = (word(pair), pair.get(8..).and_then(word)) else { break };
        let value = (value != 0).then(|| MemAddr::new(value));
        match key {
            libc::AT_NULL => break,
            libc::AT_PHDR => found.program_headers = value,
            libc::AT_ENTRY => found.entry = value,
            libc::AT_BASE => found.loader = value,
            libc::AT_SYSINFO_EHDR => found.vdso = value,
            _ => {}
        }
    }
    found
}

/// A thread's name (`comm`, at most 15 bytes); `None` if it is gone.
pub fn thread_name(pid: Pid, tid: Tid) -> Option<String> {
    let bytes = read_bounded(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
}

/// The file that a process executes. It may have been replaced since; `/proc/pid/exe` itself opens the true one.
pub fn executable_path(pid: Pid) -> Result<PathBuf, ProcessError> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).map_err(explain(pid, "cannot find the executable"))?;
    let bytes = path.into_os_string().into_vec();
    let bare = bytes.strip_suffix(b" (deleted)").unwrap_or(&bytes);
    Ok(PathBuf::from(OsStr::from_bytes(bare)))
}

/// The arguments a process was started with, its own name first.
pub fn command_line(pid: Pid) -> Result<Vec<String>, ProcessError> {
    let bytes = read_bounded(format!("/proc/{pid}/cmdline")).map_err(explain(pid, "cannot read the command line"))?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Ok(bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// State, tracer and owner of a process or thread.
pub fn process_state(pid: Pid) -> Result<ProcessState, ProcessError> {
    let bytes = read_bounded(format!("/proc/{pid}/status")).map_err(explain(pid, "cannot read the status"))?;
    Ok(parse_state(&String::from_utf8_lossy(&bytes)))
}

fn parse_state(text: &str) -> ProcessState {
    let mut state = ProcessState::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let first = value.split_whitespace().next().unwrap_or_default();
        match key {
            "State" => state.letter = first.chars().next().unwrap_or_default(),
            "Tgid" => state.group = first.parse().unwrap_or_default(),
            "TracerPid" => state.tracer = first.parse().unwrap_or_default(),
            "Uid" => state.user = first.parse().unwrap_or_default(),
            "SigCgt" => state.caught = u64::from_str_radix(first, 16).unwrap_or_default(),
            "voluntary_ctxt_switches" => state.switches = first.parse().unwrap_or_default(),
            "Threads" => state.threads = first.parse().unwrap_or_default(),
            _ => {}
        }
    }
    state
}

/// Where the stack of what a process executes begins. After an `exec` mostly elsewhere, since the kernel lays it out anew; it may be
/// the same place by chance, and often is where addresses are not randomised (`setarch -R`).
pub fn stack_start(pid: Pid) -> Option<u64> {
    /// Of `/proc/pid/stat`, after the name, which may have anything in it.
    const FIELD: usize = 25;
    let bytes = read_bounded(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(FIELD)?.parse().ok().filter(|start| *start != 0)
}

/// The threads of a process at this moment; empty if it is gone. Some may be missing: the kernel ends the list early when a
/// thread dies while it is read.
pub fn threads(pid: Pid) -> Vec<Tid> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Whether `tid` is a thread of process `pid` now.
pub(crate) fn is_thread_of(pid: Pid, tid: Tid) -> bool {
    Path::new(&format!("/proc/{pid}/task/{tid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_lines() {
        let line = b"7f00a000-7f00c000 r-xp 00001000 fe:00 1234     /tmp/a b (deleted)";
        let mapping = parse_mapping(line).unwrap();
        assert_eq!((mapping.start, mapping.end), (MemAddr::new(0x7f00_a000), MemAddr::new(0x7f00_c000)));
        assert_eq!((mapping.readable, mapping.writable, mapping.executable), (true, false, true));
        assert_eq!((mapping.offset, mapping.inode, mapping.deleted), (0x1000, 1234, true));
        assert_eq!(mapping.path.as_deref(), Some(Path::new("/tmp/a b")));
        let mapping = parse_mapping(b"1000-2000 rw-p 00000000 00:00 0                          [heap]").unwrap();
        assert_eq!((mapping.path, mapping.label.as_str()), (None, "[heap]"));
        let mapping = parse_mapping(b"1000-2000 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((mapping.path, mapping.label.as_str()), (None, ""));
        let mapping = parse_mapping(b"1000-2000 rw-p 0 00:00 7 /x\\012y").unwrap();
        assert_eq!(mapping.path.as_deref(), Some(Path::new("/x\ny")));
        for bad in [&b""[..], b"1000", b"zz-2000 r 0 0 0", b"1000-2000 rw-p", b"\xff\xff"] {
            assert_eq!(parse_mapping(bad), None);
        }
    }

    #[test]
    fn auxiliary_vector() {
        let words: [u64; 10] = [libc::AT_ENTRY, 0x40, libc::AT_BASE, 0, libc::AT_PHDR, 7, 0, 0, libc::AT_ENTRY, 9];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let auxv = parse_auxv(&bytes);
        assert_eq!(auxv.entry, Some(MemAddr::new(0x40)));
        assert_eq!(auxv.program_headers, Some(MemAddr::new(7)));
        assert_eq!(auxv.loader, None);
        assert_eq!(parse_auxv(&bytes[..15]), Auxv::default());
    }

    #[test]
    fn own_process() {
        let pid = std::process::id().cast_signed();
        assert!(mappings(pid).unwrap().iter().any(|mapping| mapping.label == "[stack]"));
        assert!(auxv(pid).unwrap().entry.is_some());
        assert_eq!(process_state(pid).unwrap().group, pid);
        assert_eq!(executable_path(pid).unwrap(), std::env::current_exe().unwrap());
        assert!(!command_line(pid).unwrap().is_empty());
        let stack = mappings(pid).unwrap().into_iter().find(|mapping| mapping.label == "[stack]").unwrap();
        let start = MemAddr::new(stack_start(pid).unwrap());
        assert!(stack.start < start && start < stack.end);
        assert!(thread_name(pid, pid).is_some());
        assert!(matches!(mappings(-1), Err(ProcessError::NoProcess(-1))));
    }
}
