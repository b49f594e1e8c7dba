//! Paths of source files, compared by whole components and without asking the file system.

use std::path::{Component, Path, PathBuf};

/// Where rustup puts the standard library's sources; the same files are compiled as `/rustc/<hash>/library/…`.
const RUST_SRC: &str = "lib/rustlib/src/rust/library";

/// Joins and cleans a path lexically: `.` and doubled slashes go, `..` takes a component with it.
pub(crate) fn join(parts: &[&[u8]]) -> PathBuf {
    let mut joined = PathBuf::new();
    for part in parts {
        joined.push(bytes_to_path(part));
    }
    clean(&joined)
}

pub(crate) fn bytes_to_path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            component => clean.push(component),
        }
    }
    clean
}

/// A source file that somebody asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    path: PathBuf,
    basename: Vec<u8>,
    /// The path inside the standard library's sources, if it is one of those.
    library: Option<PathBuf>,
}

impl Wanted {
    /// `None` if the path names no file.
    pub(crate) fn new(path: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let path = clean(path);
        let basename = path.file_name()?.as_bytes().to_vec();
        let text = path.to_str().unwrap_or_default();
        let library = text.split_once(RUST_SRC).map(|(_, rest)| PathBuf::from(format!("library{rest}")));
        Some(Self { path, basename, library })
    }

    /// The last component.
    pub(crate) fn basename(&self) -> &[u8] {
        &self.basename
    }

    /// Whether a path whose beginning is not known yet may be it.
    pub(crate) fn may_match(&self, tail: &Path) -> bool {
        let common = |wanted: &Path| {
            let mut pairs = tail.components().rev().zip(wanted.components().rev());
            pairs.all(|(a, b)| a == b || a == Component::ParentDir)
        };
        common(&self.path) || self.library.as_deref().is_some_and(common)
    }

    /// Whether this is the file: equal if the wanted path is absolute, otherwise it ends with the wanted path.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        if self.path.is_absolute() {
            path == self.path
                || self.library.as_deref().is_some_and(|rest| path.starts_with("/rustc") && path.ends_with(rest))
        } else {
            path.ends_with(&self.path)
        }
    }
}

/// Sorts paths that all match one suffix: what the user is likely to mean first. Their own code lies in fewer
/// directories than a registry's, and never under `/rustc`.
pub(crate) fn likelihood(path: &Path) -> (bool, usize) {
    let text = path.to_string_lossy();
    let foreign = text.starts_with("/rustc/") || text.contains("/.cargo/") || text.contains("/rustlib/");
    (foreign, path.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_takes_the_last_absolute_part_and_cleans() {
        assert_eq!(join(&[b"/home/me/p", b"src", b"main.rs"]), Path::new("/home/me/p/src/main.rs"));
        assert_eq!(join(&[b"/home/me/p", b"/rustc/x", b"a//./b.rs"]), Path::new("/rustc/x/a/b.rs"));
        assert_eq!(join(&[b"/home/me/p", b"../q/src", b"lib.rs"]), Path::new("/home/me/q/src/lib.rs"));
        assert_eq!(join(&[b"/", b"../x"]), Path::new("/../x"));
    }

    #[test]
    fn whole_components_are_compared() {
        let wanted = Wanted::new(Path::new("server/mod.rs")).unwrap();
        assert!(wanted.matches(Path::new("/p/server/mod.rs")));
        assert!(!wanted.matches(Path::new("/p/myserver/mod.rs")));
        assert!(!wanted.matches(Path::new("/p/client/mod.rs")));
        let wanted = Wanted::new(Path::new("/p/src/./main.rs")).unwrap();
        assert!(wanted.matches(Path::new("/p/src/main.rs")));
        assert!(!wanted.matches(Path::new("/q/p/src/main.rs")));
        assert!(wanted.may_match(Path::new("src/main.rs")));
        assert!(wanted.may_match(Path::new("../src/main.rs")));
        assert!(!wanted.may_match(Path::new("bin/main.rs")));
    }

    #[test]
    fn the_standard_library_is_found_from_its_installed_sources() {
        let path = "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/option.rs";
        let wanted = Wanted::new(Path::new(path)).unwrap();
        assert!(wanted.matches(Path::new("/rustc/59807616e/library/core/src/option.rs")));
        assert!(!wanted.matches(Path::new("/rustc/59807616e/library/std/src/option.rs")));
    }

    #[test]
    fn a_directory_is_not_a_file() {
        assert!(Wanted::new(Path::new("/")).is_none());
        assert!(Wanted::new(Path::new("..")).is_none());
    }
}
