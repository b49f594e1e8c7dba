//! Which source files of a program a path means.
//!
//! Names are compared as they are written ([`crate::paths`]). Only when an absolute path fits none of them is the file
//! system asked: the editor may have opened the file through a link, or the compiler.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::Image;
use crate::paths::{self, Wanted};
use crate::programs::{NamingProgram, ProgramPlace};

/// Files of one name whose identity is asked for at most.
const MAX_SAME_NAME: usize = 10_000;

/// A program that names a file, and the numbers under which it does.
pub(crate) type NamedIn = (ProgramPlace, Vec<u32>);

/// Source files, each with the programs that name it.
pub(crate) type SourceFiles = Vec<(Arc<Path>, Vec<NamedIn>)>;

impl Image {
    /// The source files of this image that a path means, likeliest first.
    ///
    /// An absolute path means the file that debug information calls so; where none is called so, one that is the same
    /// file on this machine under another path (links, mounts). A relative path means every file that ends with it, by
    /// whole components, unless one is called exactly so; `./` in front of it leaves only that one.
    pub fn source_files(&self, path: &Path) -> Vec<Arc<Path>> {
        self.source_candidates(path).iter().map(|(file, _)| file.clone()).collect()
    }

    /// The source file that may be the one asked for, called otherwise: not on this machine, and with more of its end in
    /// common with `path` than any other. `None` where several have the same, or where it is a library's.
    pub fn similar_source(&self, path: &Path) -> Option<Arc<Path>> {
        let mut files = self.files_called(path);
        files.retain(|(file, _)| !(paths::is_foreign(file) || file.is_absolute() && file.exists()));
        let common = |file: &Path| paths::common_tail(file, path);
        let most = files.iter().map(|(file, _)| common(file)).max()?;
        let mut best = files.into_iter().map(|(file, _)| file).filter(|file| common(file) == most);
        best.next().filter(|_| best.next().is_none())
    }

    /// As [`Image::source_files`], with the programs that name them.
    pub(crate) fn source_candidates(&self, path: &Path) -> Arc<SourceFiles> {
        self.line_cache().sources(path, || self.look_for_source(path))
    }

    fn look_for_source(&self, path: &Path) -> SourceFiles {
        let (mut files, mut called_so) = self.files_named(path);
        if !paths::is_whole(path) && files.iter().any(|(file, _)| **file == *path) {
            files.retain(|(file, _)| **file == *path);
        }
        if !files.is_empty() || !path.is_absolute() {
            return files;
        }
        let Ok(real) = path.canonicalize() else { return files };
        let renamed = real.file_name() != path.file_name();
        // Most libraries have no file of that name at all: they are not walked through again.
        if called_so {
            files = self.linked(path);
        }
        if files.is_empty() && real != path && (called_so || renamed) {
            (files, called_so) = self.files_named(&real);
        }
        if files.is_empty() && renamed && called_so {
            files = self.linked(&real);
        }
        files
    }

    /// The files that are called so, and whether there are any with the last component.
    fn files_named(&self, path: &Path) -> (SourceFiles, bool) {
        let exactly =
            |path: &Path| Wanted::new(path).map_or_else(Default::default, |wanted| self.programs_naming(&wanted));
        let (mut programs, mut called_so) = exactly(path);
        if let Cow::Owned(replaced) = path.to_string_lossy() {
            // Rust's compiler puts U+FFFD where a name is no UTF-8.
            let (more, any) = exactly(Path::new(&replaced));
            programs.extend(more);
            called_so |= any;
        }
        (by_file(programs), called_so)
    }

    /// Files of the same name that are this file on this machine.
    fn linked(&self, path: &Path) -> SourceFiles {
        let Some(wanted) = identity(path) else { return Vec::new() };
        let mut files = self.files_called(path);
        files.truncate(MAX_SAME_NAME);
        files.retain(|(file, _)| file.is_absolute() && identity(file) == Some(wanted));
        files
    }

    /// The files with the last component of a path.
    fn files_called(&self, path: &Path) -> SourceFiles {
        let wanted = path.file_name().and_then(|name| Wanted::new(Path::new(name)));
        wanted.map_or_else(Vec::new, |wanted| by_file(self.programs_naming(&wanted).0))
    }
}

/// Device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Sorts programs by the file they name, likeliest first.
fn by_file(programs: Vec<NamingProgram>) -> SourceFiles {
    let mut files: FxHashMap<Arc<Path>, Vec<NamedIn>> = FxHashMap::default();
    for program in programs {
        for (number, path) in program.files {
            let Ok(number) = u32::try_from(number) else { continue };
            let places = files.entry(path).or_default();
            match places.last_mut() {
                Some((place, numbers)) if *place == program.place => numbers.push(number),
                _ => places.push((program.place, vec![number])),
            }
        }
    }
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by(|(a, _), (b, _)| paths::likelihood(a).cmp(&paths::likelihood(b)).then_with(|| a.cmp(b)));
    files
}
