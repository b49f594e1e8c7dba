//! From a process's mappings to the files it consists of.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};
use weft_memory::{Bias, MemAddr};
use weft_process::{Mapping, Pid, VDSO};
use weft_symbols::{DebugFolders, Image, Module, Modules, Watcher};

/// What is mapped is mapped in whole pages of this size.
const PAGE: u64 = 4096;

/// Bytes of a vDSO; real ones have two pages.
const LARGEST_VDSO: u64 = 1 << 20;

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

    /// The file behind mappings of it.
    fn open_first(&self, pid: Pid, path: &Path, mappings: &[&Mapping]) -> Option<Arc<Image>> {
        mappings.first().and_then(|mapping| self.open(pid, mapping, path))
    }

    /// The vDSO, read from where it is mapped. (The kernel has one for all processes; a core file may be another kernel's.)
    fn vdso(&self, mapping: &Mapping, read: Read<'_>) -> Option<Arc<Image>> {
        let key = (PathBuf::from(VDSO), 0);
        if let Some(known) = self.lock().get(&key) {
            return known.clone();
        }
        let opened = copy_of(mapping, read)
            .and_then(|file| Image::open_file(&key.0, file, &self.folders).map_err(io::Error::other));
        if let Err(error) = &opened {
            tracing::debug!(%error, "the vDSO has no symbols");
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

/// The files of a process, the one at `program` first, the vDSO last. Files without executable mapping are data and left
/// out; so are those that are not ELF.
pub fn modules_of(pid: Pid, program: &Path, mappings: &[Mapping], cache: &ImageCache) -> Modules {
    let read = |from: MemAddr, buffer: &mut [u8]| {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        memory.read_exact_at(buffer, from.raw())
    };
    modules_with(pid, program, mappings, cache, &read)
}

/// Fills a buffer with a program's memory.
type Read<'a> = &'a dyn Fn(MemAddr, &mut [u8]) -> io::Result<()>;

/// As [`modules_of`], of a program whose memory is read as told.
pub(crate) fn modules_with(
    pid: Pid,
    program: &Path,
    mappings: &[Mapping],
    cache: &ImageCache,
    read: Read<'_>,
) -> Modules {
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
    let files = groups.iter().flat_map(|(path, list)| loaded(list, cache.open_first(pid, path, list)));
    let vdso = mappings.iter().find(|mapping| mapping.label == VDSO);
    let vdso = vdso.and_then(|mapping| Some((mapping, cache.vdso(mapping, read)?)));
    let vdso = vdso.into_iter().flat_map(|(mapping, image)| loaded(&[mapping], Some(image)));
    Modules::new(files.chain(vdso).collect())
}

/// What is mapped, in a file without a name.
fn copy_of(mapping: &Mapping, read: Read<'_>) -> io::Result<File> {
    let length =
        mapping.end.since(mapping.start).filter(|length| *length <= LARGEST_VDSO).ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    read(mapping.start, &mut bytes)?;
    let mut file = File::from(memfd_create(c"vdso", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&bytes)?;
    Ok(file)
}

/// Where a file was loaded. Only its executable mappings tell: a program may have the file mapped as data as well, as the
/// standard library does with everything that is loaded when it prints a backtrace.
fn loaded(mappings: &[&Mapping], image: Option<Arc<Image>>) -> Vec<Module> {
    let Some(image) = image else { return Vec::new() };
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
    fn the_vdso_is_a_file_that_lies_in_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mapped = weft_process::mappings(pid).unwrap();
        let Some(mapping) = mapped.iter().find(|mapping| mapping.label == VDSO) else {
            return eprintln!("this kernel maps none");
        };
        let modules = modules_of(pid, &std::env::current_exe().unwrap(), &mapped, &ImageCache::new());
        let module = modules.at(mapping.start).unwrap();
        assert_eq!(
            (module.image.path(), module.bias),
            (Path::new(VDSO), Bias::between(weft_memory::FileAddr::new(0), mapping.start))
        );
        let clock = module.image.symbol("__vdso_clock_gettime").unwrap();
        assert!(module.image.function_bounds(clock.address).is_some_and(|bounds| bounds.start == clock.address));
        let too_large = Mapping { end: mapping.start.offset(1 << 30), ..mapping.clone() };
        assert!(ImageCache::new().vdso(&too_large, &|_, _| Ok(())).is_none());
    }

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
