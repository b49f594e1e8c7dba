//! A program's sections: in which file each lies, and their bytes, mapped, read in pieces, or inflated.
//!
//! Peak memory counts touched pages of a mapping, and one fault maps its neighbourhood. So whoever looks at a few bytes
//! here and there reads them with [`Sections::read_at`]; the mapping is for what is walked in order, or again and again.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gimli::{EndianSlice, LittleEndian, SectionId};
use object::read::{CompressedFileRange, CompressionFormat};

use crate::mapped::MappedFile;

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
    /// In its file as they are.
    File(Range<usize>),
    /// Compressed in its file; inflated when first asked for.
    Compressed { range: CompressedFileRange, bytes: OnceLock<Box<[u8]>> },
}

struct Section {
    id: SectionId,
    address: u64,
    file: Arc<MappedFile>,
    place: Place,
}

/// A section as a file's headers have it.
pub(crate) struct Found {
    pub(crate) name: Vec<u8>,
    pub(crate) address: u64,
    pub(crate) range: CompressedFileRange,
}

/// A program's file and the sections that are read with it, wherever they lie.
pub(crate) struct Sections {
    own: Arc<MappedFile>,
    list: Vec<Section>,
}

impl std::fmt::Debug for Sections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|section| section.id.name())).finish()
    }
}

impl Sections {
    /// The sections of one file. Those that are not read or lie outside the file are left out.
    pub(crate) fn new(file: Arc<MappedFile>, found: &[Found]) -> Self {
        let mut sections = Self { own: Arc::clone(&file), list: Vec::new() };
        sections.add(&file, found, |_| true);
        sections
    }

    /// Takes the debug information from a separate file, all of it: parts of two files do not belong together. What is
    /// loaded with the program stays the program's own.
    pub(crate) fn take_debug_from(&mut self, file: &Arc<MappedFile>, found: &[Found]) {
        self.list.retain(|section| !is_debug(section.id));
        self.add(file, found, is_debug);
    }

    fn add(&mut self, file: &Arc<MappedFile>, found: &[Found], take: impl Fn(SectionId) -> bool) {
        for Found { name, address, range } in found {
            let Some(id) = wanted(name).filter(|id| take(*id) && self.find(*id).is_none()) else { continue };
            let Some(place) = place(range, file.bytes().len()) else { continue };
            self.list.push(Section { id, address: *address, file: Arc::clone(file), place });
        }
    }

    fn find(&self, id: SectionId) -> Option<&Section> {
        self.list.iter().find(|section| section.id == id)
    }

    /// Whether there is that section.
    pub(crate) fn has(&self, id: SectionId) -> bool {
        self.find(id).is_some()
    }

    /// A section's bytes; empty if there is no such section.
    pub(crate) fn bytes(&self, id: SectionId) -> &[u8] {
        let Some(section) = self.find(id) else { return &[] };
        match &section.place {
            Place::File(range) => section.file.bytes().get(range.clone()).unwrap_or(&[]),
            Place::Compressed { range, bytes } => bytes.get_or_init(|| inflate(&section.file, *range)),
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
        let Some(section) = self.find(id) else { return 0 };
        match &section.place {
            Place::File(range) => {
                let count = range.len().saturating_sub(offset).min(buffer.len());
                let start = range.start.saturating_add(offset);
                buffer.get_mut(..count).map_or(0, |buffer| section.file.read_at(start, buffer))
            }
            Place::Compressed { .. } => {
                let rest = self.bytes(id).get(offset..).unwrap_or(&[]);
                let count = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                count
            }
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

    /// Copies bytes of the program's own file; says how many there were.
    pub(crate) fn read_file(&self, start: usize, buffer: &mut [u8]) -> usize {
        self.own.read_at(start, buffer)
    }

    /// Gives the pages of a section's mapping back to the system; the next look reads them from its cache again.
    pub(crate) fn release(&self, id: SectionId) {
        if let Some(Section { file, place: Place::File(range), .. }) = self.find(id) {
            file.release(range);
        }
    }
}

/// Whether a section is about the program rather than a part of it.
fn is_debug(id: SectionId) -> bool {
    !matches!(id, SectionId::EhFrame | SectionId::EhFrameHdr)
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

/// Where a section is in a file; `None` for one that lies outside, or about its size.
fn place(range: &CompressedFileRange, file_length: usize) -> Option<Place> {
    let start = usize::try_from(range.offset).ok()?;
    let end = start.checked_add(usize::try_from(range.compressed_size).ok()?)?;
    if end > file_length {
        return None;
    }
    match range.format {
        CompressionFormat::None => Some(Place::File(start..end)),
        _ if range.uncompressed_size / MAX_INFLATION > range.compressed_size => None,
        _ => Some(Place::Compressed { range: *range, bytes: OnceLock::new() }),
    }
}

fn inflate(file: &MappedFile, range: CompressedFileRange) -> Box<[u8]> {
    let data = range.data(file.bytes()).and_then(|data| data.decompress());
    match data {
        Ok(bytes) => bytes.into_owned().into_boxed_slice(),
        Err(error) => {
            tracing::warn!(%error, "a compressed section cannot be inflated");
            Box::default()
        }
    }
}
