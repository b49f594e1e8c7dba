//! A program's sections: in which file each lies, and their bytes, mapped, read in pieces, or inflated.
//!
//! Peak memory counts touched pages of a mapping, and one fault maps its neighbourhood. So whoever looks at a few bytes
//! here and there reads them with [`Sections::read_at`]; the mapping is for what is walked in order, or again and again.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use gimli::{EndianSlice, LittleEndian, SectionId};
use memchr::memmem;
use object::read::{CompressedFileRange, CompressionFormat};

use crate::inflate::inflate;
use crate::mapped::MappedFile;
use crate::scratch::Scratch;

/// Bytes of a section, as `gimli` reads them.
pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// After how many looks at units the pages they touched are given back. A look touches a few places, and for each the
/// kernel maps the 64 KB around it.
const LOOKS: u32 = 128;

/// Bytes that are held of a section that is searched.
const WINDOW: usize = 1 << 17;

/// The sections this room reads, by the ids `gimli` gives them.
const WANTED: &[SectionId] = &[
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugCuIndex,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTuIndex,
    SectionId::DebugTypes,
    SectionId::EhFrame,
    SectionId::EhFrameHdr,
];

/// Where a section's bytes are.
enum Place {
    /// In its file as they are.
    File(Range<usize>),
    /// Compressed in its file; inflated when first asked for, or why it cannot be.
    Compressed { range: CompressedFileRange, inflated: OnceLock<Result<MappedFile, String>> },
    /// Nowhere that could be read; why.
    Unknown(String),
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
    /// Where it is; or why that is not known: its compression has a broken header, or is of a new kind.
    pub(crate) range: Result<CompressedFileRange, String>,
}

/// A program's file and the sections that are read with it, wherever they lie.
pub(crate) struct Sections {
    own: Arc<MappedFile>,
    list: Vec<Section>,
    /// Where compressed sections are inflated to.
    scratch: Arc<Scratch>,
    /// At units, so far.
    looks: AtomicU32,
}

impl std::fmt::Debug for Sections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|section| section.id.name())).finish()
    }
}

impl Sections {
    /// The sections of one file. Those that are not read are left out.
    pub(crate) fn new(file: Arc<MappedFile>, found: &[Found], scratch: Arc<Scratch>) -> Self {
        let mut sections = Self { own: Arc::clone(&file), list: Vec::new(), scratch, looks: AtomicU32::new(0) };
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
            let place = match range {
                Ok(range) => place(range, file.bytes().len()),
                Err(reason) => Place::Unknown(reason.clone()),
            };
            self.list.push(Section { id, address: *address, file: Arc::clone(file), place });
        }
    }

    fn find(&self, id: SectionId) -> Option<&Section> {
        self.list.iter().find(|section| section.id == id)
    }

    /// Where what is made of the image's files is kept: one room for all of them.
    pub(crate) fn scratch(&self) -> &Arc<Scratch> {
        &self.scratch
    }

    /// Whether there is that section, as far as is known: a compressed one may turn out not to be readable.
    pub(crate) fn has(&self, id: SectionId) -> bool {
        let readable = |section: &Section| match &section.place {
            Place::File(_) => true,
            Place::Compressed { inflated, .. } => !matches!(inflated.get(), Some(Err(_))),
            Place::Unknown(_) => false,
        };
        self.find(id).is_some_and(readable)
    }

    /// The file that a section is read from, and where in it.
    fn readable(&self, id: SectionId) -> Option<(&MappedFile, Range<usize>)> {
        let section = self.find(id)?;
        match &section.place {
            Place::File(range) => Some((&section.file, range.clone())),
            Place::Compressed { .. } => {
                let inflated = self.inflated(section)?;
                Some((inflated, 0..inflated.bytes().len()))
            }
            Place::Unknown(_) => None,
        }
    }

    /// What a compressed section became; the first who asks waits for it.
    fn inflated<'a>(&self, section: &'a Section) -> Option<&'a MappedFile> {
        let Place::Compressed { range, inflated } = &section.place else { return None };
        let inflated = inflated.get_or_init(|| {
            let inflated = inflate(&section.file, range, &self.scratch);
            if let Err(reason) = &inflated {
                tracing::warn!(section = section.id.name(), reason, "a section cannot be inflated");
            }
            inflated
        });
        inflated.as_ref().ok()
    }

    /// Sections that nobody has asked for yet, with the bytes that they will have.
    fn waiting(&self) -> impl Iterator<Item = (&Section, u64)> {
        self.list.iter().filter_map(|section| match &section.place {
            Place::Compressed { range, inflated } if inflated.get().is_none() => {
                Some((section, range.uncompressed_size))
            }
            _ => None,
        })
    }

    /// Bytes that compressed sections will have which nobody has asked for yet.
    pub(crate) fn to_inflate(&self) -> u64 {
        self.waiting().fold(0, |sum, (_, size)| sum.saturating_add(size))
    }

    /// Inflates whatever is compressed, several at a time, for somebody who will ask for most of it.
    pub(crate) fn inflate_all(&self) {
        let waiting: Vec<&Section> = self.waiting().map(|(section, _)| section).collect();
        if waiting.is_empty() {
            return;
        }
        // Threads of its own and not a shared pool: the caller may be making something that jobs of that pool wait for,
        // and a pool's thread that waits for its turn here would take up such a job. Whatever no thread can be had for,
        // the caller inflates itself.
        std::thread::scope(|scope| {
            for section in waiting.iter().skip(1) {
                let inflate = || {
                    self.inflated(section);
                };
                let _ = std::thread::Builder::new().spawn_scoped(scope, inflate);
            }
            waiting.iter().for_each(|section| {
                self.inflated(section);
            });
        });
    }

    /// Names of sections that turned out not to be readable, and why: a sentence without a subject.
    pub(crate) fn broken(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.list.iter().filter_map(|section| {
            let reason = match &section.place {
                Place::File(_) => return None,
                Place::Compressed { inflated, .. } => inflated.get()?.as_ref().err()?,
                Place::Unknown(reason) => reason,
            };
            Some((section.id.name(), reason.as_str()))
        })
    }

    /// A section's bytes; empty if there is no such section.
    pub(crate) fn bytes(&self, id: SectionId) -> &[u8] {
        self.readable(id).and_then(|(file, range)| file.bytes().get(range)).unwrap_or(&[])
    }

    /// A section's bytes for `gimli`.
    pub(crate) fn slice(&self, id: SectionId) -> Slice<'_> {
        EndianSlice::new(self.bytes(id), LittleEndian)
    }

    /// `gimli`'s view of all sections, for a look at one unit. Costs next to nothing, once those that are compressed are
    /// inflated. What is touched through it is given back some looks later.
    pub(crate) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        self.inflate_all();
        self.note_look();
        let loaded = gimli::Dwarf::load(|id| Ok::<_, std::convert::Infallible>(self.slice(id)));
        match loaded {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }

    /// Without this, looks here and there would add up to the whole file.
    pub(crate) fn note_look(&self) {
        if self.looks.fetch_add(1, Ordering::Relaxed) % LOOKS == LOOKS - 1 {
            self.release_all();
        }
    }

    /// Gives the pages of all sections back.
    pub(crate) fn release_all(&self) {
        self.list.iter().for_each(|section| self.release(section.id));
    }

    /// How long a section is.
    pub(crate) fn len(&self, id: SectionId) -> usize {
        self.readable(id).map_or(0, |(_, range)| range.len())
    }

    /// The files that the sections are in, the program's own first.
    pub(crate) fn files(&self) -> Vec<&MappedFile> {
        let mut files = vec![&self.own];
        for section in &self.list {
            if !files.iter().any(|file| Arc::ptr_eq(file, &section.file)) {
                files.push(&section.file);
            }
        }
        files.into_iter().map(Arc::as_ref).collect()
    }

    /// Every section that can be read: what it is, where it begins in its file, and how many bytes it has there.
    pub(crate) fn table(&self) -> impl Iterator<Item = (SectionId, u64, u64)> {
        self.list.iter().filter_map(|section| match &section.place {
            Place::File(range) => Some((section.id, range.start as u64, range.len() as u64)),
            Place::Compressed { range, .. } => Some((section.id, range.offset, range.compressed_size)),
            Place::Unknown(_) => None,
        })
    }

    /// The address a section has when it is loaded.
    pub(crate) fn address(&self, id: SectionId) -> Option<u64> {
        self.find(id).map(|section| section.address)
    }

    /// Copies bytes of a section from `offset` on without touching the mapping; says how many there were.
    pub(crate) fn read_at(&self, id: SectionId, offset: usize, buffer: &mut [u8]) -> usize {
        let Some((file, range)) = self.readable(id) else { return 0 };
        let count = range.len().saturating_sub(offset).min(buffer.len());
        let start = range.start.saturating_add(offset);
        buffer.get_mut(..count).map_or(0, |buffer| file.read_at(start, buffer))
    }

    /// Replaces what is in `buffer` by up to `length` bytes of a section.
    pub(crate) fn read_into(&self, id: SectionId, offset: usize, length: usize, buffer: &mut Vec<u8>) {
        let length = length.min(self.len(id).saturating_sub(offset));
        buffer.clear();
        buffer.resize(length, 0);
        let count = self.read_at(id, offset, buffer);
        buffer.truncate(count);
    }

    /// Whether a section has a text somewhere. Reads it in windows.
    pub(crate) fn contains(&self, id: SectionId, text: &memmem::Finder<'_>) -> bool {
        // What a window ends with may be the beginning of the text.
        let overlap = text.needle().len().saturating_sub(1);
        let (mut window, mut at) = (Vec::new(), 0_usize);
        loop {
            self.read_into(id, at, WINDOW.saturating_add(overlap), &mut window);
            if text.find(&window).is_some() {
                return true;
            }
            let step = window.len().saturating_sub(overlap);
            if step == 0 {
                return false;
            }
            at = at.saturating_add(step);
        }
    }

    /// Copies bytes of the program's own file; says how many there were.
    pub(crate) fn read_file(&self, start: usize, buffer: &mut [u8]) -> usize {
        self.own.read_at(start, buffer)
    }

    /// Gives the pages of a section's mapping back to the system; the next look reads them from its cache again.
    pub(crate) fn release(&self, id: SectionId) {
        if let Some((file, range)) = self.readable(id) {
            file.release(&range);
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

/// Where a section is in a file.
fn place(range: &CompressedFileRange, file_length: usize) -> Place {
    let start = usize::try_from(range.offset).ok();
    let end = start.and_then(|start| start.checked_add(usize::try_from(range.compressed_size).ok()?));
    match (start, end.filter(|end| *end <= file_length), range.format) {
        (Some(start), Some(end), CompressionFormat::None) => Place::File(start..end),
        (Some(_), Some(_), _) => Place::Compressed { range: *range, inflated: OnceLock::new() },
        _ => Place::Unknown("the file ends before it does".to_owned()),
    }
}
