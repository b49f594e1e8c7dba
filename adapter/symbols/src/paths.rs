//! Paths of source files, compared by whole components and without asking the file system.
//!
//! Paths are bytes: two spellings of one letter (NFC, NFD) are two files, and what is no UTF-8 is compared like anything
//! else.

use std::path::{Component, Path, PathBuf};

/// Where rustup puts the standard library's sources; the same files are compiled as `/rustc/<hash>/library/…`.
const RUST_SRC: &str = "lib/rustlib/src/rust/library";

/// Joins and cleans a path lexically: `.` and doubled slashes go, `..` takes a component with it.
pub(crate) fn join(parts: &[&[u8]]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut joined: Vec<u8> =
        Vec::with_capacity(parts.iter().fold(0, |sum, part| sum.saturating_add(part.len()).saturating_add(1)));
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if part.starts_with(b"/") {
            joined.clear();
        } else if !joined.is_empty() && !joined.ends_with(b"/") {
            joined.push(b'/');
        }
        joined.extend_from_slice(part);
    }
    let is_clean = |path: &[u8]| {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        relative.split(|byte| *byte == b'/').all(|component| !matches!(component, b"" | b"." | b".."))
    };
    if is_clean(&joined) { PathBuf::from(std::ffi::OsString::from_vec(joined)) } else { clean(bytes_to_path(&joined)) }
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
    /// The path is all of it: no other file that ends so is meant.
    whole: bool,
    basename: Vec<u8>,
    /// The path inside the standard library's sources, if it is one of those.
    library: Option<PathBuf>,
}

impl Wanted {
    /// An absolute path means that file, a relative one any file that ends with it. One that begins with `./` means the
    /// file that the debug information itself names without a directory above. `None` if the path names no file.
    pub(crate) fn new(path: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let whole = is_whole(path);
        let path = clean(path);
        let basename = path.file_name()?.as_bytes().to_vec();
        let text = path.to_str().unwrap_or_default();
        let library = text.split_once(RUST_SRC).map(|(_, rest)| PathBuf::from(format!("library{rest}")));
        Some(Self { path, whole, basename, library })
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

    /// Whether this is the file: equal if the wanted path is whole, otherwise it ends with the wanted path.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        if self.whole {
            path == self.path
                || self.library.as_deref().is_some_and(|rest| path.starts_with("/rustc") && path.ends_with(rest))
        } else {
            path.ends_with(&self.path)
        }
    }
}

/// Whether the path says all of where the file is, so that no other file that ends with it is meant.
pub(crate) fn is_whole(path: &Path) -> bool {
    path.is_absolute() || matches!(path.components().next(), Some(Component::CurDir))
}

/// How many components two paths have in common, counted from their ends.
pub(crate) fn common_tail(a: &Path, b: &Path) -> usize {
    a.components().rev().zip(b.components().rev()).take_while(|(a, b)| a == b).count()
}

/// Sorts paths that all match one suffix: what the user is likely to mean first. Their own code lies in fewer
/// directories than a registry's, and never under `/rustc`.
pub(crate) fn likelihood(path: &Path) -> (bool, usize) {
    (is_foreign(path), path.components().count())
}

/// Whether a source file is the standard library's or a downloaded package's, as far as its path tells.
pub fn is_foreign(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let known = text.starts_with("/rustc/") || text.contains("/rustlib/");
    // `trim-paths` leaves of a registry's package its name and version.
    known || text.contains("/.cargo/") || text.contains("/registry/src/") || path.components().any(is_package)
}

/// `tokio-1.2.3`
fn is_package(component: Component<'_>) -> bool {
    let Component::Normal(name) = component else { return false };
    let name = name.to_string_lossy();
    let Some((_, version)) = name.rsplit_once('-') else { return false };
    let mut numbers = version.split('.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_number(numbers.next()) && is_number(numbers.next()) && is_number(numbers.next())
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
    fn a_file_without_a_directory_above_is_no_other_that_ends_so() {
        let wanted = Wanted::new(Path::new("./src/lib.rs")).unwrap();
        assert!(wanted.matches(Path::new("src/lib.rs")) && wanted.may_match(Path::new("src/lib.rs")));
        assert!(!wanted.matches(Path::new("/other/src/lib.rs")));
    }

    #[test]
    fn paths_are_bytes() {
        let [composed, decomposed] = ["/p/caf\u{e9}.rs", "/p/cafe\u{301}.rs"].map(Path::new);
        let wanted = Wanted::new(composed).unwrap();
        assert!(wanted.matches(composed) && !wanted.matches(decomposed));
        let latin = bytes_to_path(b"/p/caf\xe9.rs");
        let wanted = Wanted::new(latin).unwrap();
        assert!(wanted.matches(latin) && !wanted.matches(composed));
        for odd in ["/p/a b.rs", "/p/#.rs", "/p/%20.rs", "/p/\"'.rs"] {
            assert!(Wanted::new(Path::new(odd)).unwrap().matches(Path::new(odd)), "{odd}");
        }
    }

    #[test]
    fn what_is_not_the_users_is_known_by_its_path() {
        let foreign = [
            "/rustc/abc/library/core/src/lib.rs",
            "/home/me/.cargo/registry/src/index/tokio-1.2.3/src/lib.rs",
            "/cargo/registry/src/index/x/src/lib.rs",
            "tokio-stream-0.1.17/src/lib.rs",
        ];
        assert!(foreign.iter().all(|path| is_foreign(Path::new(path))));
        let own = ["/home/me/tokio-fork/src/lib.rs", "src/main.rs", "/build/a-1/lib.rs", "/build/-/1.2.3/lib.rs"];
        assert!(!own.iter().any(|path| is_foreign(Path::new(path))));
    }

    #[test]
    fn a_directory_is_not_a_file() {
        assert!(Wanted::new(Path::new("/")).is_none());
        assert!(Wanted::new(Path::new("..")).is_none());
    }
}
