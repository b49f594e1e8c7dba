//! A file's sections: where they lie, and their bytes, mapped, read in pieces, or inflated.
//!
//! Peak memory counts touched pages of a mapping, and one fault maps its neighbourhood. So whoever looks at a few bytes
//! here and there reads them with [`Sections::read_at`]; the mapping is for what is walked in order, or again and again.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use gimli::{EndianSlice, LittleEndian, SectionId};
use memmap2::{Mmap, UncheckedAdvice};
use object::read::{CompressedFileRange, CompressionFormat};

/// Bytes of a section, as `gimli` reads them.
pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The most that a byte of compressed data can become: deflate's limit is 1032, zstd's frames of real sections stay far
/// below. A section that claims more is lying.
const MAX_INFLATION: u64 = 2000;

/// The sections this room reads, by the ids `gimli` gives them.
const WANTED: &[SectionId] = &[
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::EhFrame,
    SectionId::EhFrameHdr,
];

/// Where a section's bytes are.
enum Place {
    /// In the file as they are.
    File(Range<usize>),
    /// Compressed in the file; inflated when first asked for.
    Compressed { range: CompressedFileRange, bytes: OnceLock<Box<[u8]>> },
}

struct Section {
    id: SectionId,
    address: u64,
    place: Place,
}

/// A file's bytes and the sections in it.
pub(crate) struct Sections {
    file: File,
    map: Mmap,
    list: Vec<Section>,
}

impl std::fmt::Debug for Sections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|section| section.id.name())).finish()
    }
}

impl Sections {
    /// Maps a file; reads nothing.
    pub(crate) fn map(file: File) -> std::io::Result<Self> {
        // SAFETY: the mapping is read-only, and the bytes are treated as untrusted data throughout. A file that is
        // truncated by somebody while it is mapped raises SIGBUS, as it would in the program that runs from it; linkers
        // and package managers replace files instead of writing into them for that reason.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { file, map, list: Vec::new() })
    }

    /// The whole file.
    pub(crate) fn file_bytes(&self) -> &[u8] {
        &self.map
    }

    /// Notes a section if it is one of those that are read. A section that lies outside the file is left out.
    pub(crate) fn add(&mut self, name: &[u8], address: u64, range: CompressedFileRange) {
        let Some(id) = wanted(name) else { return };
        if self.list.iter().any(|section| section.id == id) {
            return;
        }
        let Some(file_range) = file_range(&range, self.map.len()) else { return };
        let place = match range.format {
            CompressionFormat::None => Place::File(file_range),
            _ if range.uncompressed_size / MAX_INFLATION > range.compressed_size => return,
            _ => Place::Compressed { range, bytes: OnceLock::new() },
        };
        self.list.push(Section { id, address, place });
    }

    fn find(&self, id: SectionId) -> Option<&Section> {
        self.list.iter().find(|section| section.id == id)
    }

    /// Whether the file has that section.
    pub(crate) fn has(&self, id: SectionId) -> bool {
        self.find(id).is_some()
    }

    /// A section's bytes; empty if there is no such section.
    pub(crate) fn bytes(&self, id: SectionId) -> &[u8] {
        let Some(section) = self.find(id) else { return &[] };
        match &section.place {
            Place::File(range) => self.map.get(range.clone()).unwrap_or(&[]),
            Place::Compressed { range, bytes } => bytes.get_or_init(|| inflate(&self.map, *range)),
        }
    }

    /// A section's bytes for `gimli`.
    pub(crate) fn slice(&self, id: SectionId) -> Slice<'_> {
        EndianSlice::new(self.bytes(id), LittleEndian)
    }

    /// `gimli`'s view of all sections. Costs next to nothing.
    pub(crate) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        let loaded = gimli::Dwarf::load(|id| Ok::<_, std::convert::Infallible>(self.slice(id)));
        match loaded {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }

    /// How long a section is.
    pub(crate) fn len(&self, id: SectionId) -> usize {
        match self.find(id).map(|section| &section.place) {
            Some(Place::File(range)) => range.len(),
            Some(Place::Compressed { .. }) => self.bytes(id).len(),
            None => 0,
        }
    }

    /// The address a section has when it is loaded.
    pub(crate) fn address(&self, id: SectionId) -> Option<u64> {
        self.find(id).map(|section| section.address)
    }

    /// Copies bytes of a section from `offset` on without touching the mapping; says how many there were.
    pub(crate) fn read_at(&self, id: SectionId, offset: usize, buffer: &mut [u8]) -> usize {
        match self.find(id).map(|section| &section.place) {
            Some(Place::File(range)) => {
                let count = range.len().saturating_sub(offset).min(buffer.len());
                let start = range.start.saturating_add(offset);
                buffer.get_mut(..count).map_or(0, |buffer| self.read_file(start, buffer))
            }
            Some(Place::Compressed { .. }) => {
                let rest = self.bytes(id).get(offset..).unwrap_or(&[]);
                let count = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                count
            }
            None => 0,
        }
    }

    /// Replaces what is in `buffer` by up to `length` bytes of a section.
    pub(crate) fn read_into(&self, id: SectionId, offset: usize, length: usize, buffer: &mut Vec<u8>) {
        let length = length.min(self.len(id).saturating_sub(offset));
        buffer.clear();
        buffer.resize(length, 0);
        let count = self.read_at(id, offset, buffer);
        buffer.truncate(count);
    }

    /// Copies bytes of the file; says how many there were. An error of the disk reads as the end of the file.
    pub(crate) fn read_file(&self, start: usize, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = start.saturating_add(done) as u64;
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        done
    }

    /// Gives the pages of a section's mapping back to the system; the next look reads them from its cache again.
    pub(crate) fn release(&self, id: SectionId) {
        if let Some(Place::File(range)) = self.find(id).map(|section| &section.place) {
            self.release_file(range.clone());
        }
    }

    fn release_file(&self, range: Range<usize>) {
        // SAFETY: the mapping is of a file, shared and read-only: dropped pages come back from the page cache with the
        // same bytes, so no reference into it sees a change.
        let done = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
        if let Err(error) = done {
            tracing::debug!(%error, "pages were not given back");
        }
    }
}

fn wanted(name: &[u8]) -> Option<SectionId> {
    let is = |id: &SectionId| {
        // `.zdebug_info` is how compressed sections were named before ELF had a flag for it.
        name == id.name().as_bytes()
            || (name
                .strip_prefix(b".zdebug_")
                .is_some_and(|rest| id.name().as_bytes().strip_prefix(b".debug_") == Some(rest)))
    };
    WANTED.iter().copied().find(is)
}

fn file_range(range: &CompressedFileRange, file_length: usize) -> Option<Range<usize>> {
    let start = usize::try_from(range.offset).ok()?;
    let end = start.checked_add(usize::try_from(range.compressed_size).ok()?)?;
    (end <= file_length).then_some(start..end)
}

fn inflate(map: &Mmap, range: CompressedFileRange) -> Box<[u8]> {
    let data = range.data(&**map).and_then(|data| data.decompress());
    match data {
        Ok(bytes) => bytes.into_owned().into_boxed_slice(),
        Err(error) => {
            tracing::warn!(%error, "a compressed section cannot be inflated");
            Box::default()
        }
    }
}
