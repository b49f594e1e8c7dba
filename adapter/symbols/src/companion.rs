//! Files that have a part of an image's debug information. What is in them is no more trusted than the image.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSection};

use crate::elf::{self, Identity};
use crate::mapped::{MappedFile, Stamp, open_regular, stamp_of};
use crate::scratch::Scratch;
use crate::sections::{Found, Sections};

/// Longest package that is copied. What is longer takes too long, and too much of the disk.
const MAX_COPIED: u64 = 1 << 30;

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
    path: PathBuf,
    pub(crate) sections: Sections,
    /// The file when it was opened.
    stamp: Stamp,
    /// None for a copy, which nobody else can write to.
    watched: Option<Arc<MappedFile>>,
}

impl Companion {
    /// Maps a file where it lies, if it has this identity. `None`: there is no such file.
    pub(crate) fn map(
        path: &Path,
        names: Names,
        identity: Option<&Identity>,
        scratch: &Arc<Scratch>,
    ) -> io::Result<Option<Self>> {
        let Some(file) = open_regular(path)? else { return Ok(None) };
        let stamp = stamp_of(&file)?;
        let mapped = Arc::new(MappedFile::map(file)?);
        let found = read_headers(mapped.bytes(), names, identity)?;
        let sections = Sections::new(Arc::clone(&mapped), &found, Arc::clone(scratch));
        Ok(Some(Self { path: path.to_owned(), sections, stamp, watched: Some(mapped) }))
    }

    /// Keeps a private copy of a file. `None`: there is no such file.
    pub(crate) fn copy(path: &Path, names: Names, scratch: &Arc<Scratch>) -> io::Result<Option<Self>> {
        let Some(file) = open_regular(path)? else { return Ok(None) };
        let mut magic = [0; 4];
        file.read_exact_at(&mut magic, 0)?;
        if magic != elf::MAGIC {
            return Err(invalid("it is no ELF file"));
        }
        let (stamp, length) = (stamp_of(&file)?, file.metadata()?.len());
        let copied = scratch.keep(length, |piece| {
            (&file).seek(SeekFrom::Start(0))?;
            io::copy(&mut (&file).take(length), piece).map(|_| ())
        });
        let mapped = Arc::new(copied.map_err(io::Error::other)?);
        if stamp_of(&file)? != stamp {
            return Err(invalid("it is being written to"));
        }
        let found = read_headers(mapped.bytes(), names, None)?;
        let sections = Sections::new(mapped, &found, Arc::clone(scratch));
        Ok(Some(Self { path: path.to_owned(), sections, stamp, watched: None }))
    }

    /// Opens a package of split units: a private copy of one that is not too large for that. `None`: there is no such file.
    pub(crate) fn package(path: &Path, scratch: &Arc<Scratch>) -> io::Result<Option<Self>> {
        if path.metadata().is_ok_and(|metadata| metadata.len() > MAX_COPIED) {
            return Self::map(path, Names::Split, None, scratch);
        }
        Self::copy(path, Names::Split, scratch)
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file was like when it was opened.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether the mapping can be read: bytes that somebody cut off would be missed with a signal.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.watched.as_ref().is_none_or(|mapped| mapped.is_unchanged())
    }

    /// The first section that turned out not to be readable, and why: a sentence without a subject.
    pub(crate) fn broken(&self) -> Option<(&'static str, &str)> {
        self.sections.broken().next()
    }
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason.into())
}

fn read_headers(bytes: &[u8], names: Names, identity: Option<&Identity>) -> io::Result<Vec<Found>> {
    let file = ElfFile64::<LittleEndian, &[u8]>::parse(bytes)
        .map_err(|error| invalid(format!("it is no ELF file: {error}")))?;
    if identity.is_some_and(|identity| !elf::has_identity(&file, identity)) {
        return Err(invalid("it is of another build"));
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
