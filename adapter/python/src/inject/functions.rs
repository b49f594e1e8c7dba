//! Where a process has the functions that are called in it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use object::{Object, ObjectSegment, ObjectSymbol, ReadCache, SymbolKind};
use weft_memory::{Bias, FileAddr, MemAddr};
use weft_process::{Mapping, Pid, mappings};

/// How much of a function is compared between file and memory, in bytes.
const COMPARED: usize = 16;

/// Functions of CPython and of the C library, all of them documented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    pub(super) errno: MemAddr,
    pub(super) pthread_create: MemAddr,
    pub(super) pthread_self: MemAddr,
    pub(super) pthread_detach: MemAddr,
    pub(super) ensure: MemAddr,
    pub(super) release: MemAddr,
    pub(super) new_dict: MemAddr,
    pub(super) run_string: MemAddr,
    pub(super) clear_error: MemAddr,
    pub(super) drop_reference: MemAddr,
    pub(super) add_pending_call: MemAddr,
}

impl Functions {
    /// Those of a process, or why they cannot be called.
    pub(super) fn of(pid: Pid) -> Result<Self, String> {
        let program = Program::open(pid).map_err(|error| format!("its memory cannot be read ({error})"))?;
        let python = |name| program.find(name, is_python);
        let library = |name| program.find(name, is_c_library);
        Ok(Self {
            errno: library("__errno_location")?,
            pthread_create: library("pthread_create")?,
            pthread_self: library("pthread_self")?,
            pthread_detach: library("pthread_detach")?,
            ensure: python("PyGILState_Ensure")?,
            release: python("PyGILState_Release")?,
            new_dict: python("PyDict_New")?,
            run_string: python("PyRun_String")?,
            clear_error: python("PyErr_Clear")?,
            drop_reference: python("Py_DecRef")?,
            add_pending_call: python("Py_AddPendingCall")?,
        })
    }
}

/// `libpython3.11.so.1.0`, or the interpreter itself.
fn is_python(name: &str) -> bool {
    name.starts_with("libpython3") || name.starts_with("python")
}

/// glibc, in one file or two, or musl. No library that puts its own functions before those.
fn is_c_library(name: &str) -> bool {
    ["libc.so", "libc-2", "libpthread", "ld-musl"].iter().any(|begin| name.starts_with(begin))
}

/// The files of a process, and its memory.
struct Program {
    pid: Pid,
    mappings: Vec<Mapping>,
    memory: File,
}

impl Program {
    fn open(pid: Pid) -> std::io::Result<Self> {
        let mappings = mappings(pid).map_err(std::io::Error::other)?;
        Ok(Self { pid, mappings, memory: File::open(format!("/proc/{pid}/mem"))? })
    }

    /// A function of one of the files that are called so.
    fn find(&self, function: &str, belongs: impl Fn(&str) -> bool) -> Result<MemAddr, String> {
        let mut complaint = format!("it does not offer `{function}`");
        let begins = self.mappings.iter().filter(|mapping| mapping.offset == 0 && mapping.readable);
        for mapping in begins {
            let Some(path) = mapping.path.as_deref() else { continue };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !belongs(&name) {
                continue;
            }
            let Some(file) = self.opened(mapping, path) else {
                complaint = format!("{} was replaced since it started", path.display());
                continue;
            };
            if let Some((address, code)) = look_up(file, mapping.start, function) {
                if self.has(address, &code) {
                    return Ok(address);
                }
                complaint = format!("`{function}` is not in its memory as it is in {}", path.display());
            }
        }
        Err(complaint)
    }

    /// The very file that is mapped.
    fn opened(&self, mapping: &Mapping, path: &Path) -> Option<File> {
        let range = format!("/proc/{}/map_files/{:x}-{:x}", self.pid, mapping.start.raw(), mapping.end.raw());
        let at_path = || {
            let same = fs::metadata(path).is_ok_and(|file| file.ino() == mapping.inode);
            if same { File::open(path).ok() } else { None }
        };
        File::open(range).ok().or_else(at_path)
    }

    fn has(&self, address: MemAddr, code: &[u8]) -> bool {
        let mut found = vec![0; code.len()];
        self.memory.read_exact_at(&mut found, address.raw()).is_ok() && found == code
    }
}

/// Where a file whose begin is mapped at `start` has a function, and how that begins.
fn look_up(file: File, start: MemAddr, function: &str) -> Option<(MemAddr, Vec<u8>)> {
    let cache = ReadCache::new(file);
    let parsed = object::File::parse(&cache).ok()?;
    let first = parsed.segments().find(|segment| segment.file_range().0 == 0)?;
    let bias = Bias::between(FileAddr::new(first.address()), start);
    let mut symbols = parsed.dynamic_symbols();
    let symbol = symbols.find(|symbol| {
        symbol.is_definition() && symbol.kind() == SymbolKind::Text && symbol.name_bytes() == Ok(function.as_bytes())
    })?;
    let size = COMPARED.min(usize::try_from(symbol.size()).ok()?);
    let code = parsed.segments().find_map(|segment| segment.data_range(symbol.address(), size as u64).ok()?)?;
    Some((bias.to_memory(FileAddr::new(symbol.address())), code.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_their_names() {
        for python in ["libpython3.11.so.1.0", "python3.13", "python"] {
            assert!(is_python(python) && !is_c_library(python), "{python}");
        }
        for library in ["libc.so.6", "libc-2.31.so", "libpthread-2.31.so", "ld-musl-x86_64.so.1"] {
            assert!(is_c_library(library) && !is_python(library), "{library}");
        }
        assert!(!is_c_library("libcrypto.so.3") && !is_c_library("libc++.so.1"));
    }

    #[test]
    fn functions_of_a_process() {
        let program = Program::open(std::process::id().cast_signed()).unwrap();
        let found = program.find("pthread_self", is_c_library).unwrap();
        assert_eq!(found.raw(), libc::pthread_self as *const () as u64);
        assert_eq!(
            program.find("weft_there_is_none", is_c_library).unwrap_err(),
            "it does not offer `weft_there_is_none`"
        );
    }
}
