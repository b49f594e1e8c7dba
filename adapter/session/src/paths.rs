//! A source file's names on both sides: what the debug information calls it, and where the client has it.
//!
//! `sourceMap` is applied to names as they are written. The file system is asked about names that a client uses: it may
//! have opened a folder through a link, and sees every file of it below that link from then on.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Links and opened files that are remembered.
const MOST_KNOWN: usize = 10_000;

/// A prefix, and what stands in its place.
pub(crate) type Prefix = (PathBuf, PathBuf);

/// Translates the names of source files both ways.
#[derive(Debug, Default)]
pub(crate) struct SourcePaths {
    /// From the debug information's prefix to the client's, longest first.
    map: Vec<Prefix>,
    /// What relative names are completed with.
    folder: PathBuf,
    seen: Mutex<Seen>,
}

/// What the client's own names have told.
#[derive(Debug, Default)]
struct Seen {
    /// Files as the client calls them.
    opened: Vec<PathBuf>,
    /// From where a folder lies to where the client sees it.
    links: Vec<Prefix>,
    /// Files and prefixes for which a `sourceMap` was looked for.
    suggested: HashSet<PathBuf>,
}

impl SourcePaths {
    /// With a configuration's `sourceMap`; the client's sides are taken from `folder` if they are relative. The prefix
    /// `""` or `"."` stands for names that the debug information completes with no directory.
    pub(crate) fn new(source_map: &BTreeMap<String, String>, folder: &Path) -> Self {
        let entry = |(from, to): (&String, &String)| (clean(Path::new(from)), clean(&folder.join(to)));
        let mut map: Vec<Prefix> = source_map.iter().map(entry).collect();
        map.sort_by_key(|(from, _)| std::cmp::Reverse(from.components().count()));
        Self { map, folder: folder.to_owned(), seen: Mutex::default() }
    }

    /// The entries of the `sourceMap` whose client's side is no folder or file of this machine.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Prefix> {
        self.map.iter().filter(|(_, to)| !to.exists())
    }

    /// Where the client's machine has a file of the debug information, as far as `sourceMap` says.
    pub(crate) fn mapped(&self, file: &Path) -> PathBuf {
        let mapped = replace_prefix(file, self.map.iter()).unwrap_or_else(|| file.to_owned());
        restored(&mapped).unwrap_or(mapped)
    }

    /// What the debug information calls a file of the client's by `sourceMap`: of several prefixes that fit, the longest
    /// on the client's side wins. One without a directory has `./` in front, so that it is not taken for the end of a
    /// longer path.
    pub(crate) fn unmapped(&self, given: &Path) -> Option<PathBuf> {
        let given = clean(given);
        let mut map: Vec<Prefix> = self.map.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        map.sort_by_key(|(to, _)| std::cmp::Reverse(to.components().count()));
        let through_links = || {
            let real = given.canonicalize().ok()?;
            let map = map.iter().filter_map(|(to, from)| Some((to.canonicalize().ok()?, from.clone())));
            replace_prefix(&real, map.collect::<Vec<_>>().iter())
        };
        let file = replace_prefix(&given, map.iter()).or_else(|| (!map.is_empty()).then(through_links)?)?;
        Some(if file.is_absolute() { file } else { Path::new(".").join(file) })
    }

    /// How the client calls a file of this machine: by its own name for it if it used one, else as it would see the file
    /// through the links that it used.
    pub(crate) fn seen(&self, file: PathBuf) -> PathBuf {
        let seen = self.lock();
        if seen.links.is_empty() || seen.opened.contains(&file) {
            return file;
        }
        let through = |(real, link): &Prefix| replace_prefix(&file, std::iter::once(&(real.clone(), link.clone())));
        let found = seen.links.iter().filter_map(through).find(|path| is_same_file(path, &file));
        found.unwrap_or(file)
    }

    /// The client calls a file by this name, which lies at `file`. Whether that is news.
    pub(crate) fn learn(&self, name: &Path, file: &Path) -> bool {
        let name = clean(name);
        if !name.is_absolute() || !is_same_file(&name, file) {
            return false;
        }
        let mut seen = self.lock();
        let link = without_common_tail(file, &name);
        if seen.opened.len().max(seen.links.len()) >= MOST_KNOWN {
            return false;
        }
        let is_new = !seen.opened.contains(&name);
        if is_new {
            seen.opened.push(name.clone());
        }
        let is_link = name != file && !seen.links.contains(&link);
        if is_link {
            seen.links.push(link);
        }
        is_new || is_link
    }

    /// The `sourceMap` entry that would lead from a file that is not on this machine to one that is, below the folder
    /// that was named at the begin. Each prefix is given once.
    pub(crate) fn suggest(&self, file: &Path) -> Option<Prefix> {
        {
            let mut seen = self.lock();
            if seen.suggested.len() >= MOST_KNOWN || !seen.suggested.insert(file.to_owned()) {
                return None;
            }
        }
        let mut rest = file.strip_prefix("/").unwrap_or(file);
        let local = loop {
            let local = self.folder.join(rest);
            if !rest.as_os_str().is_empty() && local.is_file() {
                break local;
            }
            let mut components = rest.components();
            components.next()?;
            rest = components.as_path();
        };
        let entry = without_common_tail(file, &local);
        self.lock().suggested.insert(entry.0.clone()).then_some(entry)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of this machine whose name is no UTF-8 and stands in the debug information with U+FFFD in it; `None` where
/// none or several could be meant.
fn restored(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() || !path.to_str()?.contains('\u{fffd}') || path.exists() {
        return None;
    }
    let mut found = PathBuf::new();
    for component in path.components() {
        let name = component.as_os_str();
        if !name.to_str()?.contains('\u{fffd}') || found.join(name).exists() {
            found.push(name);
            continue;
        }
        let entries = found.read_dir().ok()?.take(MOST_KNOWN).flatten().map(|entry| entry.file_name());
        let mut called_so = entries.filter(|entry| entry.to_string_lossy() == name.to_string_lossy());
        let only = called_so.next().filter(|_| called_so.next().is_none())?;
        found.push(only);
    }
    Some(found)
}

/// Two paths without what their ends have in common.
pub(crate) fn without_common_tail(a: &Path, b: &Path) -> Prefix {
    let (mut a, mut b) = (a.components(), b.components());
    loop {
        let (was_a, was_b) = (a.as_path(), b.as_path());
        match (a.next_back(), b.next_back()) {
            (Some(Component::Normal(one)), Some(Component::Normal(other))) if one == other => {}
            _ => return (was_a.to_owned(), was_b.to_owned()),
        }
    }
}

/// Whether two names are of one file of this machine.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    one == other || identity(one).is_some_and(|wanted| identity(other) == Some(wanted))
}

/// Without `.` and doubled slashes; `..` takes a component with it.
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

/// Paths are compared by whole components: `/src` is no prefix of `/srcs/a`. The empty prefix is that of relative paths.
fn replace_prefix<'a>(file: &Path, mut map: impl Iterator<Item = &'a Prefix>) -> Option<PathBuf> {
    map.find_map(|(from, to)| {
        let rest = file.strip_prefix(from).ok().filter(|rest| rest.is_relative())?;
        Some(if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(map: &[(&str, &str)], folder: &Path) -> SourcePaths {
        let map = map.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        SourcePaths::new(&map, folder)
    }

    /// A folder that goes with the test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("weft-paths-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("real/src")).unwrap();
        std::fs::write(folder.join("real/src/a.rs"), "").unwrap();
        std::fs::write(folder.join("real/src/b.rs"), "").unwrap();
        std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
        folder.canonicalize().unwrap()
    }

    #[test]
    fn the_longest_prefix_wins_both_ways() {
        let paths = paths(
            &[("/rustc/abc", "/std"), ("/rustc", "/other"), ("/build/", "/home/me/./x/.."), ("/b", "rel")],
            Path::new("/work"),
        );
        for (there, here) in [
            ("/rustc/abc/lib.rs", "/std/lib.rs"),
            ("/rustc/x.rs", "/other/x.rs"),
            ("/build/a/b.rs", "/home/me/a/b.rs"),
            ("/b/a.rs", "/work/rel/a.rs"),
        ] {
            assert_eq!(paths.mapped(Path::new(there)), Path::new(here));
            assert_eq!(paths.unmapped(Path::new(here)).as_deref(), Some(Path::new(there)));
        }
        assert_eq!(paths.mapped(Path::new("/builds/a.rs")), Path::new("/builds/a.rs"));
        assert_eq!(paths.unmapped(Path::new("/home/mine/a.rs")), None);
    }

    #[test]
    fn names_without_a_directory_have_a_prefix_too() {
        for prefix in ["", ".", "./"] {
            let paths = paths(&[(prefix, "/home/me/p"), ("/build", "/home/me/p/deps")], Path::new("/"));
            assert_eq!(paths.mapped(Path::new("src/main.rs")), Path::new("/home/me/p/src/main.rs"));
            assert_eq!(paths.mapped(Path::new("/src/main.rs")), Path::new("/src/main.rs"));
            let given = paths.unmapped(Path::new("/home/me/p/src/main.rs"));
            assert_eq!(given.unwrap().to_str(), Some("./src/main.rs"));
            assert_eq!(paths.unmapped(Path::new("/home/me/p/deps/a.rs")), Some("/build/a.rs".into()));
        }
    }

    #[test]
    fn a_map_to_one_name_of_a_folder_holds_for_all_its_names() {
        let folder = folder("map");
        let real = folder.join("real").display().to_string();
        let link = folder.join("link").display().to_string();
        for (mapped, opened) in [(&real, &link), (&link, &real)] {
            let paths = paths(&[("/build", mapped)], Path::new("/"));
            assert_eq!(paths.unmapped(&Path::new(opened).join("src/a.rs")), Some("/build/src/a.rs".into()));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_opened_through_a_link_is_seen_there() {
        let folder = folder("link");
        let paths = paths(&[], Path::new("/"));
        let (real, link) =
            (|name: &str| folder.join("real/src").join(name), |name: &str| folder.join("link/src").join(name));
        assert_eq!(paths.seen(real("b.rs")), real("b.rs"));
        assert!(paths.learn(&link("a.rs"), &real("a.rs")) && !paths.learn(&link("a.rs"), &real("a.rs")));
        assert_eq!((paths.seen(real("a.rs")), paths.seen(real("b.rs"))), (link("a.rs"), link("b.rs")));
        // What is not there through the link is where it is.
        assert_eq!(paths.seen(folder.join("real/gone.rs")), folder.join("real/gone.rs"));
        // The client's own name for a file wins.
        assert!(paths.learn(&real("b.rs"), &real("b.rs")));
        assert_eq!(paths.seen(real("b.rs")), real("b.rs"));
        assert!(!paths.learn(&real("a.rs"), &real("b.rs")), "another file");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_that_the_compiler_could_not_write_is_found() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder("bytes");
        let odd = |bytes: &[u8]| folder.join(std::ffi::OsStr::from_bytes(bytes)).join("a.rs");
        let (latin, written) = (odd(b"m\xfcll"), odd("m\u{fffd}ll".as_bytes()));
        let paths = paths(&[], Path::new("/"));
        assert_eq!(paths.mapped(&written), written, "nothing is called so");
        std::fs::create_dir(latin.parent().unwrap()).unwrap();
        assert_eq!(paths.mapped(&written), latin);
        std::fs::create_dir(odd(b"m\xe4ll").parent().unwrap()).unwrap();
        assert_eq!(paths.mapped(&written), written, "two are");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_map_is_suggested_once_for_what_is_really_there() {
        let folder = folder("suggest");
        let paths = paths(&[], &folder.join("real"));
        let entry = paths.suggest(Path::new("/build/p/src/a.rs")).unwrap();
        assert_eq!(entry, (PathBuf::from("/build/p"), folder.join("real")));
        assert_eq!(paths.suggest(Path::new("/build/p/src/b.rs")), None, "said already");
        assert_eq!(paths.suggest(Path::new("/build/q/src/c.rs")), None, "no such file");
        assert_eq!(paths.suggest(Path::new("src/a.rs")), Some((PathBuf::new(), folder.join("real"))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
