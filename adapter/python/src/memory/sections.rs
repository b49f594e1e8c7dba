//! Where a process has the sections in which CPython describes itself.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache};
use weft_memory::{Bias, FileAddr, MemAddr};
use weft_process::Mapping;

use super::offsets::Version;

/// `_PyRuntime` has a section to itself, which begins with what it says of itself.
const RUNTIME: &str = ".PyRuntime";
/// asyncio's.
const ASYNCIO: &str = ".AsyncioDebug";

/// What the files of a process have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) runtime: Option<MemAddr>,
    pub(super) asyncio: Option<MemAddr>,
    /// `Py_Version`, which interpreters since 3.11 have beside `_PyRuntime`.
    pub(super) version: Option<MemAddr>,
    /// What the interpreter's file is called after.
    pub(super) named: Option<Version>,
    /// Whether the program is the interpreter, and has not just one in it.
    pub(super) is_program: bool,
}

/// Looks through all mapped files, each once, of which `program` is executed; `opened` opens the file behind a mapping.
pub(super) fn find(
    mappings: &[Mapping],
    program: Option<&Path>,
    opened: impl Fn(&Mapping, &Path) -> Option<File>,
) -> Sections {
    let mut found = Sections::default();
    let mut seen = HashSet::new();
    for mapping in mappings.iter().filter(|mapping| mapping.offset == 0 && mapping.readable) {
        let Some(path) = mapping.path.as_deref().filter(|path| seen.insert(*path)) else { continue };
        let Some(file) = opened(mapping, path) else { continue };
        let own = of_file(file, mapping.start).unwrap_or_default();
        let name = named(path);
        found.is_program |= program == Some(path) && (own.runtime.is_some() || name.is_some());
        if found.runtime.is_none() {
            (found.runtime, found.version) = (own.runtime, own.version);
        }
        found.asyncio = found.asyncio.or(own.asyncio);
        found.named = found.named.or(name);
    }
    found
}

/// The version in the name of an interpreter's file: `python3.9`, `libpython3.9.so.1.0`.
fn named(path: &Path) -> Option<Version> {
    let name = path.file_name()?.to_str()?;
    let minor = name.strip_prefix("python3.").or_else(|| {
        let library = name.strip_prefix("libpython3.")?;
        Some(library.split_once(".so")?.0)
    })?;
    // `m`: with pymalloc, as there was up to 3.7; `d`: a debug build; `t`: with free threads.
    let minor = minor.trim_end_matches(['m', 'd', 't']).parse().ok()?;
    Some(Version { major: 3, minor, micro: None })
}

/// The sections of a file whose begin is mapped at `start`.
fn of_file(file: File, start: MemAddr) -> Option<Sections> {
    let cache = ReadCache::new(file);
    let parsed = object::File::parse(&cache).ok()?;
    let first = parsed.segments().find(|segment| segment.file_range().0 == 0)?;
    let bias = Bias::between(FileAddr::new(first.address()), start);
    let section = |name: &str| {
        let section = parsed.section_by_name(name)?;
        Some(bias.to_memory(FileAddr::new(section.address())))
    };
    let (runtime, asyncio) = (section(RUNTIME), section(ASYNCIO));
    let version = || {
        let symbol = parsed.dynamic_symbols().find(|symbol| symbol.name_bytes() == Ok(b"Py_Version"))?;
        Some(bias.to_memory(FileAddr::new(symbol.address())))
    };
    Some(Sections { runtime, asyncio, version: runtime.and_then(|_| version()), ..Sections::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_names() {
        let minor = |path: &str| named(Path::new(path)).map(|version| version.minor);
        assert_eq!(minor("/usr/bin/python3.9"), Some(9));
        assert_eq!(minor("/usr/lib/libpython3.10.so.1.0"), Some(10));
        assert_eq!(minor("/opt/lib/libpython3.6m.so"), Some(6));
        for other in ["/usr/bin/python3", "/usr/bin/python3.9-config", "/lib/libpython3.so", "/x/python3./y"] {
            assert_eq!(minor(other), None, "{other}");
        }
    }
}
