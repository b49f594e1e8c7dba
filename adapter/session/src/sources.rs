//! Source files: which there are, and those that a client cannot open by itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use weft_protocol::spec::{LoadedSourcesResponse, SourceArguments, SourceResponse};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, Channel};
use crate::paths::is_same_file;
use crate::shared::Shared;

/// What is said where the standard library's source would be.
const NOT_INSTALLED: &str = "the source of the standard library is not installed: run `rustup component add rust-src`";

/// Toolchains that are looked through.
const MOST_TOOLCHAINS: usize = 32;

/// Files that one answer names at most.
const MOST_SOURCES: usize = 50_000;

/// Files larger than this are not served: a source file is not.
const MOST_TEXT: u64 = 16 << 20;

/// The standard library's source on this machine, and files that lie nowhere.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    libraries: OnceLock<Vec<Library>>,
    /// By their number, counted from 1.
    missing: Mutex<Vec<PathBuf>>,
    said: AtomicBool,
}

/// The source of one compiler's standard library.
#[derive(Debug)]
struct Library {
    /// `/rustc/<hash>`: what that compiler's debug information calls it.
    from: PathBuf,
    /// Where the component `rust-src` put it.
    to: PathBuf,
}

impl Sources {
    /// Looks on this machine, once; others wait meanwhile.
    fn libraries(&self) -> &[Library] {
        self.libraries.get_or_init(find_libraries)
    }

    /// The file on this machine of one that the debug information calls `/rustc/<hash>/library/…`.
    pub(crate) fn standard(&self, file: &Path) -> Option<PathBuf> {
        if !is_standard(file) {
            return None;
        }
        let lies = |library: &Library| Some(library.to.join(file.strip_prefix(&library.from).ok()?));
        self.libraries().iter().find_map(lies).filter(|path| path.is_file())
    }

    /// What the debug information calls a file of the standard library on this machine. Looks only if somebody has
    /// looked before: nobody has such a file open otherwise.
    pub(crate) fn debug_name(&self, file: &Path) -> Option<PathBuf> {
        let called = |library: &Library| Some(library.from.join(file.strip_prefix(&library.to).ok()?));
        self.libraries.get()?.iter().find_map(called)
    }

    /// The number of a file that lies nowhere.
    pub(crate) fn reference(&self, file: &Path) -> i64 {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let at = missing.iter().position(|known| known == file).unwrap_or_else(|| {
            missing.push(file.to_owned());
            missing.len().saturating_sub(1)
        });
        i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The file of a number.
    pub(crate) fn find(&self, reference: i64) -> Option<PathBuf> {
        let at = usize::try_from(reference.checked_sub(1)?).ok()?;
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).get(at).cloned()
    }
}

/// Whether the debug information's path is one of the standard library's, with the compiler's hash.
pub(crate) fn is_standard(file: &Path) -> bool {
    let Ok(rest) = file.strip_prefix("/rustc") else { return false };
    let hash = rest.components().next().map(|hash| hash.as_os_str().to_string_lossy().into_owned());
    hash.is_some_and(|hash| hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The sources that are installed here: those of rustup's toolchains, and of the compiler on PATH. Each belongs to the
/// compiler beside it, which is asked for its hash: another compiler's has other lines. No compiler is started where
/// there are no sources.
fn find_libraries() -> Vec<Library> {
    let rustup = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let rustup = rustup.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustup")));
    let toolchains = rustup.and_then(|rustup| std::fs::read_dir(rustup.join("toolchains")).ok());
    let mut roots: Vec<PathBuf> = toolchains.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let compiler = std::env::split_paths(&path).map(|folder| folder.join("rustc")).find(|file| file.is_file());
    // `rustup` stands behind the name in its own installations, whose toolchains are found already.
    let compiler = compiler.and_then(|file| file.canonicalize().ok()).filter(|file| file.ends_with("bin/rustc"));
    roots.extend(compiler.and_then(|file| Some(file.parent()?.parent()?.to_owned())));
    roots.iter().take(MOST_TOOLCHAINS).filter_map(|root| library_of(root)).collect()
}

fn library_of(root: &Path) -> Option<Library> {
    let to = root.join("lib/rustlib/src/rust");
    let rustc = root.join("bin/rustc");
    if !to.join("library").is_dir() || !rustc.is_file() {
        return None;
    }
    let output = Command::new(rustc).arg("-vV").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let hash = version.lines().find_map(|line| line.strip_prefix("commit-hash: "))?.trim().to_owned();
    Some(Library { from: Path::new("/rustc").join(hash), to })
}

/// Serves `loadedSources`.
pub(crate) fn loaded(shared: &Shared) -> Answer<LoadedSourcesResponse> {
    let Some(debuggee) = shared.debuggee() else { return Ok(LoadedSourcesResponse::default()) };
    let places = shared.places();
    let files = debuggee.sources()?;
    let sources = files.iter().take(MOST_SOURCES).map(|file| places.source(file)).collect();
    Ok(LoadedSourcesResponse { sources })
}

/// Serves `source`. A file that the client could have opened itself is read for it.
pub(crate) fn text(shared: &Shared, asked: &SourceArguments) -> Answer<SourceResponse> {
    let places = shared.places();
    let given = asked.source.as_ref().and_then(|source| source.source_reference).filter(|number| *number > 0);
    let reference = given.unwrap_or(asked.source_reference);
    if reference > 0 {
        let file = places.sources().find(reference);
        let file = file
            .ok_or_else(|| Error::new(ErrorId::UnknownReference, format!("there is no sourceReference {reference}")))?;
        return if is_standard(&file) { Err(not_installed(shared, &file)) } else { read(&file) };
    }
    let path = asked.source.as_ref().and_then(|source| places.path_of(source)).ok_or_else(|| {
        Error::new(ErrorId::InvalidArguments, "`source` needs a `path` or a `sourceReference` that was given")
    })?;
    // Only what the program was made of: a client does not read other files through a debugger.
    let file = places.from_client(&path);
    let is_it = |known: &PathBuf| {
        *known == file || (known.file_name() == path.file_name() && is_same_file(&places.paths().mapped(known), &path))
    };
    if !shared.need_debuggee()?.sources()?.iter().any(is_it) {
        return Err(missing(&path, "it is no source file of the program"));
    }
    read(&places.to_client(&file))
}

fn not_installed(shared: &Shared, file: &Path) -> Error {
    if !shared.places().sources().said.swap(true, Ordering::AcqRel) {
        shared.out.say(Channel::Console, &format!("weft: {NOT_INSTALLED}"));
    }
    missing(file, NOT_INSTALLED)
}

fn read(file: &Path) -> Answer<SourceResponse> {
    let size = std::fs::metadata(file).map_err(|error| missing(file, error))?.len();
    if size > MOST_TEXT {
        return Err(missing(file, format!("it is larger than {MOST_TEXT} bytes")));
    }
    let content = std::fs::read(file).map_err(|error| missing(file, error))?;
    let rust = file.extension().is_some_and(|extension| extension == "rs");
    Ok(SourceResponse {
        content: String::from_utf8_lossy(&content).into_owned(),
        mime_type: rust.then(|| "text/x-rust".to_owned()),
    })
}

fn missing(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorId::SourceMissing, format!("{} is not available: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_library_is_known_by_its_hash() {
        let hash = "59807616e1fa2540724bfbac14d7976d7e4a3860";
        assert!(is_standard(&Path::new("/rustc").join(hash).join("library/core/src/lib.rs")));
        assert!(!is_standard(Path::new("/rustc/1.95.0/library/core/src/lib.rs")));
        assert!(!is_standard(Path::new("/home/rustc/a.rs")));
    }

    #[test]
    fn the_installed_library_is_used_for_its_own_hash_alone() {
        let root = std::env::temp_dir().join(format!("weft-sources-{}", std::process::id()));
        std::fs::create_dir_all(root.join("library/core")).unwrap();
        std::fs::write(root.join("library/core/lib.rs"), "//").unwrap();
        let (mine, other) = ("/rustc/".to_owned() + &"a".repeat(40), "/rustc/".to_owned() + &"b".repeat(40));
        let sources = Sources::default();
        let library = Library { from: PathBuf::from(&mine), to: root.clone() };
        assert!(sources.libraries.set(vec![library]).is_ok());
        let there = root.join("library/core/lib.rs");
        let in_mine = Path::new(&mine).join("library/core/lib.rs");
        assert_eq!(sources.standard(&in_mine), Some(there.clone()));
        assert_eq!(sources.debug_name(&there), Some(in_mine));
        assert_eq!(sources.standard(&Path::new(&mine).join("library/core/gone.rs")), None);
        assert_eq!(sources.standard(&Path::new(&other).join("library/core/lib.rs")), None);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_toolchain_is_asked_for_its_hash() {
        use std::os::unix::fs::PermissionsExt;
        let root = std::env::temp_dir().join(format!("weft-toolchain-{}", std::process::id()));
        std::fs::create_dir_all(root.join("lib/rustlib/src/rust/library")).unwrap();
        assert!(library_of(&root).is_none(), "sources without a compiler");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/rustc"), "#!/bin/sh\necho 'rustc 1'\necho 'commit-hash: abc'\n").unwrap();
        std::fs::set_permissions(root.join("bin/rustc"), PermissionsExt::from_mode(0o755)).unwrap();
        let found = library_of(&root).unwrap();
        assert_eq!((found.from, found.to), ("/rustc/abc".into(), root.join("lib/rustlib/src/rust")));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_file_that_lies_nowhere_has_one_number() {
        let sources = Sources::default();
        assert_eq!((sources.reference(Path::new("/a")), sources.reference(Path::new("/b"))), (1, 2));
        assert_eq!((sources.reference(Path::new("/a")), sources.find(2)), (1, Some(PathBuf::from("/b"))));
        assert_eq!((sources.find(0), sources.find(3), sources.find(i64::MIN)), (None, None, None));
    }
}
