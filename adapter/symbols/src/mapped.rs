//! One file's bytes: mapped for what is walked in order, read in pieces for a look here and there.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, MmapOptions, UncheckedAdvice};

/// A file, a part of one, or memory that stands for one.
#[derive(Debug)]
pub(crate) struct MappedFile {
    /// What is read in pieces. None: the mapping is all there is.
    file: Option<Arc<File>>,
    /// Where in it the mapping begins.
    start: u64,
    /// Size and time of last change when it was mapped; none if nobody else can change it.
    stamp: Option<Stamp>,
    map: Mmap,
}

/// A file's size and the time of its last change (seconds, nanoseconds), which tell whether it is still the same.
pub(crate) type Stamp = [i64; 3];

/// Opens a file that somebody else's words led to: only a regular one with something in it. `None`: there is no such file.
pub(crate) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let check = |metadata: Metadata| match metadata.is_file() && metadata.len() > 0 {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidData, "it is empty or no file")),
    };
    // To open a device may do something, so it is looked at before; what was put there meanwhile is at least not waited for.
    let open = || -> io::Result<File> {
        check(path.metadata()?)?;
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        check(file.metadata()?)?;
        Ok(file)
    };
    match open() {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file's [`Stamp`] now.
pub(crate) fn stamp_of(file: &File) -> io::Result<Stamp> {
    let metadata = file.metadata()?;
    Ok([metadata.len().cast_signed(), metadata.mtime(), metadata.mtime_nsec()])
}

impl MappedFile {
    /// Maps a file; reads nothing.
    pub(crate) fn map(file: File) -> io::Result<Self> {
        // SAFETY: the mapping is read-only, and the bytes are treated as untrusted data throughout. A file that is
        // truncated by somebody while it is mapped raises SIGBUS, as it would in the program that runs from it; linkers
        // and package managers replace files instead of writing into them for that reason.
        let (stamp, map) = (stamp_of(&file)?, unsafe { Mmap::map(&file)? });
        Ok(Self { file: Some(Arc::new(file)), start: 0, stamp: Some(stamp), map })
    }

    /// Maps a part of a file that nobody else can open.
    pub(crate) fn part(file: &Arc<File>, start: u64, length: u64) -> io::Result<Self> {
        let size = usize::try_from(length).map_err(io::Error::other)?;
        // SAFETY: the mapping is read-only, and nobody else has the file: it keeps its length, and this part its bytes.
        let map = unsafe { MmapOptions::new().offset(start).len(size).map(&**file)? };
        Ok(Self { file: Some(Arc::clone(file)), start, stamp: None, map })
    }

    /// Memory that is filled.
    pub(crate) fn memory(bytes: MmapMut) -> io::Result<Self> {
        Ok(Self { file: None, start: 0, stamp: None, map: bytes.make_read_only()? })
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// What the file was like when it was mapped. `None` for one that nobody else can change.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Whether nobody wrote into the file since it was mapped.
    pub(crate) fn is_unchanged(&self) -> bool {
        let now = self.file.as_ref().and_then(|file| stamp_of(file).ok());
        self.stamp.is_none() || self.stamp == now
    }

    /// Copies bytes without touching the mapping; says how many there were. An error of the disk reads as the end of the
    /// file.
    pub(crate) fn read_at(&self, start: usize, buffer: &mut [u8]) -> usize {
        let count = self.map.len().saturating_sub(start).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..count) else { return 0 };
        let Some(file) = &self.file else {
            let Some(bytes) = self.map.get(start..).and_then(|rest| rest.get(..count)) else { return 0 };
            buffer.copy_from_slice(bytes);
            return count;
        };
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = self.start.saturating_add(start as u64).saturating_add(done as u64);
            match file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        done
    }

    /// Gives pages of the mapping back to the system; the next look reads them from its cache again.
    pub(crate) fn release(&self, range: &Range<usize>) {
        if self.file.is_none() {
            return;
        }
        // SAFETY: the mapping is of a file, shared and read-only: dropped pages come back from the page cache with the
        // same bytes, so no reference into it sees a change.
        let done = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
        if let Err(error) = done {
            tracing::debug!(%error, "pages were not given back");
        }
    }
}
