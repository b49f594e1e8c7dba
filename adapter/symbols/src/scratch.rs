//! Room for what is made of files while they are read (inflated sections): one file without a name, which is gone with
//! the adapter however it ends, and takes no memory but for what is being looked at.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use memmap2::MmapMut;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};

use crate::index::cache_folder;
use crate::mapped::MappedFile;

/// Bytes of disk that are used for one program.
const MAX_ON_DISK: u64 = 8 << 30;
/// Bytes of memory that are used for one program instead, where there is no disk to write to.
const MAX_IN_MEMORY: u64 = 256 << 20;
/// What is mapped begins at a multiple of this.
const PAGE: u64 = 4096;

/// The room, made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    file: OnceLock<Result<Arc<File>, String>>,
    on_disk: AtomicU64,
    in_memory: AtomicU64,
}

/// Why nothing was kept.
enum Failure {
    /// There is no room; another one may have some.
    NoRoom(String),
    /// What was to be kept is wrong.
    Wrong(String),
}

impl Scratch {
    /// Keeps exactly `length` bytes, which `fill` writes in pieces; it is called once more if the disk is full. The error is
    /// a sentence without a subject: why there is nothing.
    pub(crate) fn keep(
        &self,
        length: u64,
        fill: impl Fn(&mut Piece<'_>) -> io::Result<()>,
    ) -> Result<MappedFile, String> {
        match self.keep_on_disk(length, &fill) {
            Ok(kept) => Ok(kept),
            Err(Failure::Wrong(reason)) => Err(reason),
            Err(Failure::NoRoom(disk)) => match self.keep_in_memory(length, &fill) {
                Ok(kept) => Ok(kept),
                Err(Failure::Wrong(reason)) => Err(reason),
                Err(Failure::NoRoom(memory)) => Err(format!("{disk}, and {memory}")),
            },
        }
    }

    fn keep_on_disk(
        &self,
        length: u64,
        fill: impl Fn(&mut Piece<'_>) -> io::Result<()>,
    ) -> Result<MappedFile, Failure> {
        let file = self.file.get_or_init(|| unnamed_file().map(Arc::new));
        let file = file.as_ref().map_err(|error| Failure::NoRoom(error.clone()))?;
        let rounded = length.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        let start = reserve(&self.on_disk, rounded, MAX_ON_DISK).ok_or_else(|| {
            Failure::NoRoom(format!("of one program at most {} GiB are written to disk", MAX_ON_DISK >> 30))
        })?;
        filled(Piece::new(Target::File { file, start }, length), fill)?;
        MappedFile::part(file, start, length).map_err(|error| Failure::NoRoom(format!("it cannot be mapped: {error}")))
    }

    fn keep_in_memory(
        &self,
        length: u64,
        fill: impl Fn(&mut Piece<'_>) -> io::Result<()>,
    ) -> Result<MappedFile, Failure> {
        let no_room = || Failure::NoRoom(format!("of memory at most {} MiB are used instead", MAX_IN_MEMORY >> 20));
        reserve(&self.in_memory, length, MAX_IN_MEMORY).ok_or_else(no_room)?;
        let size = usize::try_from(length).map_err(|_| no_room())?;
        let mut bytes = MmapMut::map_anon(size).map_err(|error| Failure::NoRoom(error.to_string()))?;
        filled(Piece::new(Target::Memory(&mut bytes), length), fill)?;
        MappedFile::memory(bytes).map_err(|error| Failure::NoRoom(error.to_string()))
    }
}

/// Takes a part of what there is; where it begins. Nothing is given back before the program is forgotten.
fn reserve(used: &AtomicU64, length: u64, most: u64) -> Option<u64> {
    let take = |used: u64| used.checked_add(length).filter(|used| *used <= most);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()
}

/// Has a piece filled to its last byte.
fn filled(mut piece: Piece<'_>, fill: impl Fn(&mut Piece<'_>) -> io::Result<()>) -> Result<(), Failure> {
    let done = fill(&mut piece);
    if let Some(error) = piece.failed {
        return Err(Failure::NoRoom(format!("it cannot be written to disk: {error}")));
    }
    done.map_err(|error| Failure::Wrong(error.to_string()))?;
    if piece.done < piece.length {
        return Err(Failure::Wrong(format!("it has {} bytes instead of {}", piece.done, piece.length)));
    }
    Ok(())
}

enum Target<'a> {
    File { file: &'a File, start: u64 },
    Memory(&'a mut [u8]),
}

/// A part of the room that is being filled.
pub(crate) struct Piece<'a> {
    target: Target<'a>,
    length: u64,
    done: u64,
    failed: Option<io::Error>,
}

impl<'a> Piece<'a> {
    fn new(target: Target<'a>, length: u64) -> Self {
        Self { target, length, done: 0, failed: None }
    }
}

impl Write for Piece<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let longer = || io::Error::new(ErrorKind::InvalidData, format!("it has more than {} bytes", self.length));
        let end = self.done.checked_add(bytes.len() as u64).filter(|end| *end <= self.length).ok_or_else(longer)?;
        match &mut self.target {
            Target::File { file, start } => {
                if let Err(error) = file.write_all_at(bytes, start.saturating_add(self.done)) {
                    self.failed = Some(error);
                    return Err(ErrorKind::Other.into());
                }
            }
            Target::Memory(memory) => {
                let at = usize::try_from(self.done).unwrap_or(usize::MAX);
                let to = memory.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or_else(longer)?;
                to.copy_from_slice(bytes);
            }
        }
        self.done = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file without a name, in the user's cache or, where that cannot be written to, among the temporary files. What lies in
/// memory (tmpfs) is no disk.
fn unnamed_file() -> Result<File, String> {
    let in_cache = cache_folder(|name| std::env::var_os(name))
        .ok_or_else(|| ErrorKind::NotFound.into())
        .and_then(|folder| make(&folder));
    let made = in_cache.and_then(on_disk).or_else(|_| tempfile::tempfile().and_then(on_disk));
    made.map_err(|error| format!("no temporary file can be made: {error}"))
}

fn on_disk(file: File) -> io::Result<File> {
    match fstatfs(&file)?.filesystem_type() {
        TMPFS_MAGIC => Err(io::Error::other("the cache and temporary files are kept in memory (tmpfs)")),
        _ => Ok(file),
    }
}

fn make(folder: &Path) -> io::Result<File> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    tempfile::tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let scratch = Scratch::default();
        let kept: Vec<_> =
            (1..=3_u8).map(|number| scratch.keep(5000, |piece| piece.write_all(&[number; 5000])).unwrap()).collect();
        for (number, kept) in (1..=3).zip(&kept) {
            assert_eq!(kept.bytes(), [number; 5000]);
            let mut some = [0; 8];
            assert_eq!((kept.read_at(4996, &mut some), some), (4, [number, number, number, number, 0, 0, 0, 0]));
            kept.release(&(0..5000));
            assert_eq!(kept.bytes(), [number; 5000]);
        }
    }

    #[test]
    fn without_a_disk_there_is_memory_up_to_a_bound() {
        let scratch = Scratch::default();
        scratch.file.set(Err("no disk".to_owned())).unwrap();
        let kept = scratch.keep(3, |piece| piece.write_all(b"abc")).unwrap();
        assert_eq!(kept.bytes(), b"abc");
        kept.release(&(0..3));
        assert_eq!(kept.bytes(), b"abc");
        let error = scratch.keep(MAX_IN_MEMORY, |_| unreachable!()).unwrap_err();
        assert_eq!(error, "no disk, and of memory at most 256 MiB are used instead");
    }

    #[test]
    fn memory_that_looks_like_a_disk_is_none() {
        let Ok(file) = tempfile::tempfile_in("/dev/shm") else { return };
        if fstatfs(&file).unwrap().filesystem_type() == TMPFS_MAGIC {
            assert!(on_disk(file).unwrap_err().to_string().contains("tmpfs"));
        }
    }

    #[test]
    fn a_full_disk_is_no_disk() {
        let scratch = Scratch::default();
        let full = File::options().write(true).open("/dev/full").unwrap();
        scratch.file.set(Ok(Arc::new(full))).unwrap();
        assert_eq!(scratch.keep(3, |piece| piece.write_all(b"abc")).unwrap().bytes(), b"abc");
    }

    #[test]
    fn what_is_not_as_long_as_it_says_is_not_kept() {
        let scratch = Scratch::default();
        let error = |bytes: &[u8]| scratch.keep(3, |piece| piece.write_all(bytes)).unwrap_err();
        assert_eq!(error(b"ab"), "it has 2 bytes instead of 3");
        assert_eq!(error(b"abcd"), "it has more than 3 bytes");
        let error = scratch.keep(MAX_ON_DISK + 1, |_| unreachable!()).unwrap_err();
        assert!(error.starts_with("of one program at most 8 GiB are written to disk, and of memory"), "{error}");
    }
}
