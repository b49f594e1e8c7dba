//! From a process's mappings to the files it consists of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use weft_memory::{Bias, MemAddr};
use weft_process::{Mapping, Pid};
use weft_symbols::{DebugFolders, Image, Module, Modules, Watcher};

/// What is mapped is mapped in whole pages of this size.
const PAGE: u64 = 4096;

/// Files by path and inode; `None` for one that cannot be used.
type Images = HashMap<(PathBuf, u64), Option<Arc<Image>>>;

/// Files that are open already, so that each is read once however often modules are worked out.
#[derive(Debug, Default)]
pub struct ImageCache {
    images: Mutex<Images>,
    folders: DebugFolders,
    watcher: Option<Watcher>,
}

impl ImageCache {
    /// No file yet; separate debug files are where they usually are.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with separate debug files in these folders.
    pub fn with_debug_files_in(folders: DebugFolders) -> Self {
        Self { folders, ..Self::default() }
    }

    /// The same, and somebody is told of work on the files that come.
    pub(crate) fn watched(self, watcher: Watcher) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    fn watch(&self, image: &Image) {
        if let Some(watcher) = &self.watcher {
            image.watch(watcher.clone());
        }
    }

    /// Opens the file behind a mapping, or remembers that it cannot be used. A file that was deleted or replaced since it was
    /// mapped is reached through the process that still has it.
    fn open(&self, pid: Pid, mapping: &Mapping, path: &Path) -> Option<Arc<Image>> {
        let key = (path.to_owned(), mapping.inode);
        if let Some(known) = self.lock().get(&key) {
            return known.clone();
        }
        let opened = if mapping.deleted {
            let range = format!("{:x}-{:x}", mapping.start.raw(), mapping.end.raw());
            Image::open_in(Path::new(&format!("/proc/{pid}/map_files/{range}")), &self.folders)
        } else {
            Image::open_in(path, &self.folders)
        };
        match &opened {
            Ok(image) => self.watch(image),
            Err(error) => tracing::debug!(%error, "a mapped file has no symbols"),
        }
        self.lock().entry(key).or_insert(opened.ok()).clone()
    }

    /// Puts a file there that the caller has opened, as the one at this path with this inode.
    fn insert(&self, path: &Path, inode: u64, image: Arc<Image>) {
        self.watch(&image);
        self.lock().insert((path.to_owned(), inode), Some(image));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Images> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens what a process executes, whose errors, unlike a library's, the user must hear. `executed` is what `/proc` calls it;
/// `instead` a copy of the same program that is to be read in its place (one with debug information, say). A program that
/// was deleted or rebuilt since it was started is read through the process that still has it.
pub(crate) fn open_program(
    cache: &ImageCache,
    pid: Pid,
    executed: &Path,
    instead: Option<&Path>,
    mappings: &[Mapping],
) -> Result<Arc<Image>, String> {
    let mapping = mappings.iter().find(|mapping| mapping.path.as_deref() == Some(executed));
    let still_there = mapping.is_none_or(|mapping| !mapping.deleted);
    let open = |path: &Path| Image::open_in(path, &cache.folders).map_err(|error| error.to_string());
    let live = PathBuf::from(format!("/proc/{pid}/exe"));
    let running = || if still_there { open(executed) } else { open(&live) };
    let image = match instead {
        Some(copy) => {
            let image = open(copy)?;
            if let (Some(ours), Ok(theirs)) = (image.build_id(), running())
                && theirs.build_id().is_some_and(|theirs| theirs != ours)
            {
                let copy = copy.display();
                return Err(format!("{copy} is not the program that process {pid} executes: their build-ids differ"));
            }
            image
        }
        None => running()?,
    };
    if let Some(mapping) = mapping {
        cache.insert(executed, mapping.inode, image.clone());
    }
    Ok(image)
}

/// The files of a process, the one at `program` first. Files without executable mapping are data and left out; so are
/// those that are not ELF.
pub fn modules_of(pid: Pid, program: &Path, mappings: &[Mapping], cache: &ImageCache) -> Modules {
    let mut groups: Vec<(&Path, Vec<&Mapping>)> = Vec::new();
    for mapping in mappings {
        let Some(path) = mapping.path.as_deref() else { continue };
        match groups.iter_mut().find(|(known, list)| *known == path && list.iter().all(|m| m.inode == mapping.inode)) {
            Some((_, list)) => list.push(mapping),
            None => groups.push((path, vec![mapping])),
        }
    }
    groups.retain(|(_, list)| list.iter().any(|mapping| mapping.executable));
    groups.sort_by_key(|(path, _)| *path != program);
    Modules::new(groups.iter().flat_map(|(path, list)| loaded(pid, path, list, cache)).collect())
}

/// Where a file was loaded. Only its executable mappings tell: a program may have the file mapped as data as well, as the
/// standard library does with everything that is loaded when it prints a backtrace.
fn loaded(pid: Pid, path: &Path, mappings: &[&Mapping], cache: &ImageCache) -> Vec<Module> {
    let Some(image) = mappings.first().and_then(|mapping| cache.open(pid, mapping, path)) else { return Vec::new() };
    let mut found: Vec<Module> = Vec::new();
    let executable = mappings.iter().filter(|mapping| mapping.executable);
    for bias in executable.filter_map(|mapping| bias_of(&image, mapping)) {
        let ends = || image.segments().iter().map(|segment| &segment.addresses);
        let (Some(start), Some(end)) = (ends().map(|it| it.start).min(), ends().map(|it| it.end).max()) else {
            continue;
        };
        if found.iter().all(|module| module.bias != bias) {
            let first_page = bias.to_memory(start).raw() & !PAGE.wrapping_sub(1);
            let behind = bias.to_memory(end).raw().checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
            let range = MemAddr::new(first_page)..MemAddr::new(behind);
            found.push(Module { image: Arc::clone(&image), bias, range });
        }
    }
    found
}

/// How far the file was moved, from one mapping of a loadable segment: the loader maps whole pages, so the mapping starts
/// at the page that holds the segment's first byte (System V ABI, program loading).
fn bias_of(image: &Image, mapping: &Mapping) -> Option<Bias> {
    let segment = image.segments().iter().find(|segment| {
        let first_page = segment.file_range.start & !PAGE.wrapping_sub(1);
        (first_page..segment.file_range.end).contains(&mapping.offset) && segment.executable == mapping.executable
    })?;
    // The byte at the mapping's start lies `distance` before (or, wrapping, after) the segment's first byte.
    let distance = segment.file_range.start.wrapping_sub(mapping.offset);
    let first: MemAddr = mapping.start.offset(distance.cast_signed());
    Some(Bias::between(segment.addresses.start, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_mapped_as_data_too_is_where_its_code_is() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let program = std::env::current_exe().unwrap();
        let loaded: Vec<Mapping> = weft_process::mappings(pid).unwrap();
        let own = |modules: &Modules| {
            let module = modules.iter().next().unwrap();
            assert_eq!(module.image.path(), program);
            (module.bias, module.range.clone(), modules.iter().count())
        };
        let expected = own(&modules_of(pid, &program, &loaded, &ImageCache::new()));
        let first = loaded.iter().find(|mapping| mapping.path.as_deref() == Some(&program)).unwrap();
        for start in [0x1_0000, 0x7fff_0000_0000] {
            let start = MemAddr::new(start);
            let data = Mapping { start, end: start.offset(1 << 20), executable: false, offset: 0, ..first.clone() };
            let mut mapped = loaded.clone();
            mapped.insert(0, data.clone());
            mapped.push(data);
            assert_eq!(own(&modules_of(pid, &program, &mapped, &ImageCache::new())), expected);
        }
    }
}
