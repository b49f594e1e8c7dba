//! Files that have a part of an image's debug information. What is in them is no more trusted than the image.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSection};

use crate::elf::{self, Identity};
use crate::mapped::MappedFile;
use crate::scratch::Scratch;
use crate::sections::{Found, Sections};

/// Which of a file's sections are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// `.debug_info` and so on.
    Plain,
    /// `.debug_info.dwo` and so on, and the index of a package.
    Split,
}

impl Names {
    /// The name under which a section is known here.
    fn known(self, name: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Plain => Some(name),
            Self::Split if name == b".debug_cu_index" || name == b".debug_tu_index" => Some(name),
            Self::Split => name.strip_suffix(b".dwo"),
        }
    }
}

/// A file beside the image.
#[derive(Debug)]
pub(crate) struct Companion {
    pub(crate) sections: Sections,
    /// The file and how it was when it was opened; none for a copy, which nobody else can write to.
    watched: Option<(File, Stamp)>,
}

/// Changes whenever a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { length: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

impl Companion {
    /// Maps a file where it lies, if it has this identity. `None`: there is no such file.
    pub(crate) fn map(path: &Path, names: Names, identity: Option<&Identity>) -> io::Result<Option<Self>> {
        let Some(file) = open(path)? else { return Ok(None) };
        let watched = file.try_clone()?;
        let stamp = Stamp::of(&watched)?;
        let mapped = Arc::new(MappedFile::map(file)?);
        let found = read_headers(mapped.bytes(), names, identity)?;
        Ok(Some(Self { sections: Sections::new(mapped, &found, Arc::default()), watched: Some((watched, stamp)) }))
    }

    /// Keeps a private copy of a file. `None`: there is no such file.
    pub(crate) fn copy(path: &Path, names: Names, scratch: &Arc<Scratch>) -> io::Result<Option<Self>> {
        let Some(file) = open(path)? else { return Ok(None) };
        let length = file.metadata()?.len();
        let copied = scratch.keep(length, |piece| {
            (&file).seek(SeekFrom::Start(0))?;
            io::copy(&mut (&file).take(length), piece).map(|_| ())
        });
        let mapped = Arc::new(copied.map_err(io::Error::other)?);
        let found = read_headers(mapped.bytes(), names, None)?;
        Ok(Some(Self { sections: Sections::new(mapped, &found, Arc::clone(scratch)), watched: None }))
    }

    /// Whether the mapping can be read: bytes that somebody cut off would be missed with a signal.
    pub(crate) fn is_unchanged(&self) -> bool {
        let Some((file, stamp)) = &self.watched else { return true };
        Stamp::of(file).is_ok_and(|now| now == *stamp)
    }
}

fn read_headers(bytes: &[u8], names: Names, identity: Option<&Identity>) -> io::Result<Vec<Found>> {
    let file = ElfFile64::<LittleEndian, &[u8]>::parse(bytes)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("it is no ELF file: {error}")))?;
    if identity.is_some_and(|identity| !elf::has_identity(&file, identity)) {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is of another build"));
    }
    let found = file.sections().filter_map(|section| {
        let name = names.known(section.name_bytes().ok()?)?.to_vec();
        Some(Found { name, address: 0, range: section.compressed_file_range().map_err(|error| error.to_string()) })
    });
    let mut found: Vec<Found> = found.collect();
    if names == Names::Split {
        // GCC gives each type unit of an object a section of its own; that of the compile unit is the last.
        found.reverse();
    }
    Ok(found)
}

/// Opens a regular file with something in it: the path stands in a file that nobody vouches for, and may lead to a device.
fn open(path: &Path) -> io::Result<Option<File>> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is empty or no file"));
    }
    File::open(path).map(Some)
}
