//! Units of debug information: where each lies, what its root says, and `gimli`'s view of one without re-parsing.
//!
//! `gimli::Unit::new` reads the unit's line-program header, and with it pages of `.debug_line`. Here a unit's root is
//! read once, what it says is kept without borrowing from the file, and a `gimli::Unit` is put together from that as
//! often as it is wanted, at the price of parsing one unit header.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{Abbreviations, DebugInfoOffset, DebugTypeSignature, SectionId};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::roots::{Root, read_root};
use crate::sections::{Sections, Slice};
use crate::space::{Region, UnitPlace, region};
use crate::split::SplitUnit;
use crate::{DieOffset, Image, SymbolError};

/// Longest unit header: 64-bit DWARF 5 with a type signature.
const MAX_HEADER: usize = 40;

/// A unit's place in the table of units. The two halves of a split unit are one unit: its line program and its file
/// numbers are in the image, its DIEs elsewhere.
pub(crate) type UnitIndex = usize;

/// Which section a unit of the table lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// The image's own `.debug_info`.
    Own,
    /// The image's own `.debug_types`.
    Types,
    /// The supplementary file's `.debug_info`.
    Supplementary,
}

impl Origin {
    /// The section's name in its file.
    pub(crate) fn section(self) -> SectionId {
        if self == Self::Types { SectionId::DebugTypes } else { SectionId::DebugInfo }
    }
}

/// Where a unit lies.
#[derive(Debug)]
pub(crate) struct UnitEntry {
    pub(crate) origin: Origin,
    /// Its header's offset in its section.
    pub(crate) offset: usize,
    /// Its length, header included.
    pub(crate) length: usize,
    /// Its header's place in the info space.
    start: usize,
    root: OnceLock<Result<Arc<Root>, SymbolError>>,
    abbreviations: OnceLock<Result<Arc<Abbreviations>, SymbolError>>,
    split: OnceLock<Option<Box<SplitUnit>>>,
}

impl UnitEntry {
    /// The place behind the unit.
    fn end(&self) -> usize {
        self.start.saturating_add(self.length)
    }
}

/// All units of an image and its supplementary file, by their places in the info space. Only those with 8-byte addresses
/// that this reader understands; a broken header ends its section.
#[derive(Debug, Default)]
pub(crate) struct Units {
    list: Vec<UnitEntry>,
    /// How many of them lie in the image's own `.debug_info`.
    own: usize,
    /// Where the supplementary file's part of the space begins.
    supplementary: Option<usize>,
    /// Units of one object share tables in release builds.
    abbreviations: Mutex<HashMap<(Origin, usize), Arc<Abbreviations>, FxBuildHasher>>,
    signatures: OnceLock<FxHashMap<DebugTypeSignature, DieOffset>>,
}

impl Units {
    /// Hops from header to header.
    fn read(image: &Image) -> Self {
        let own = image.sections();
        let mut units = Self::default();
        units.add(own, Origin::Own, 0);
        units.own = units.list.len();
        let types = own.len(SectionId::DebugInfo);
        units.add(own, Origin::Types, types);
        if let Some(sections) = image.supplementary() {
            let start = types.saturating_add(own.len(SectionId::DebugTypes));
            units.supplementary = Some(start);
            units.add(sections, Origin::Supplementary, start);
        }
        units
    }

    fn add(&mut self, sections: &Sections, origin: Origin, base: usize) {
        let ranges = unit_ranges(sections, origin.section());
        self.list.reserve_exact(ranges.len());
        for (offset, length) in ranges {
            let Some(start) = base.checked_add(offset) else { return };
            self.list.push(UnitEntry {
                origin,
                offset,
                length,
                start,
                root: OnceLock::new(),
                abbreviations: OnceLock::new(),
                split: OnceLock::new(),
            });
        }
    }

    /// The units by their places.
    pub(crate) fn list(&self) -> &[UnitEntry] {
        &self.list
    }

    /// Those that may have code: all that lie in the image's own `.debug_info`, which come first.
    pub(crate) fn own(&self) -> std::ops::Range<UnitIndex> {
        0..self.own
    }

    /// The unit that begins at an offset of the image's own `.debug_info`.
    pub(crate) fn starting_at(&self, offset: usize) -> Option<UnitIndex> {
        self.list.get(self.own())?.binary_search_by_key(&offset, |unit| unit.offset).ok()
    }

    /// The unit a DIE is in.
    fn containing(&self, die: DieOffset) -> Option<UnitIndex> {
        if let Region::Split(index) = region(die) {
            return Some(index);
        }
        let index = self.list.partition_point(|unit| unit.start <= die.0).checked_sub(1)?;
        self.list.get(index).filter(|unit| die.0 < unit.end()).map(|_| index)
    }

    fn place(&self, entry: &UnitEntry) -> UnitPlace {
        let section = if entry.origin == Origin::Supplementary { self.supplementary.unwrap_or(0) } else { 0 };
        UnitPlace::listed(entry.start, entry.length, section, self.supplementary)
    }
}

/// Offset and length of each unit of a section.
pub(crate) fn unit_ranges(sections: &Sections, section: SectionId) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let total = sections.len(section);
    let mut offset = 0;
    let mut header = [0; MAX_HEADER];
    while offset < total {
        let count = sections.read_at(section, offset, &mut header);
        let Some((length, version)) = header.get(..count).and_then(unit_length_and_version) else { break };
        let Some(end) = offset.checked_add(length).filter(|end| *end <= total) else { break };
        if (2..=5).contains(&version) {
            ranges.push((offset, length));
        }
        offset = end;
    }
    ranges
}

/// Length of the whole unit and version from its first bytes.
fn unit_length_and_version(header: &[u8]) -> Option<(usize, u16)> {
    let short = u32::from_le_bytes(*header.first_chunk()?);
    let (length, at) = match short {
        0xffff_ffff => (u64::from_le_bytes(*header.get(4..)?.first_chunk()?), 12),
        0xffff_fff0.. => return None,
        short => (u64::from(short), 4),
    };
    let version = u16::from_le_bytes(*header.get(at..)?.first_chunk()?);
    let length = usize::try_from(length).ok()?.checked_add(at)?;
    Some((length, version))
}

/// The header with which a unit begins.
pub(crate) fn parse_header(section: SectionId, unit: Slice<'_>) -> gimli::Result<gimli::UnitHeader<Slice<'_>>> {
    if section == SectionId::DebugTypes {
        gimli::DebugTypes::from(unit).units().next()?.ok_or(gimli::Error::MissingUnitDie)
    } else {
        gimli::DebugInfo::from(unit).header_from_offset(DebugInfoOffset(0))
    }
}

/// What the DIEs of a unit are read with.
pub(crate) struct UnitSource<'a> {
    /// `gimli`'s view of the sections.
    pub(crate) dwarf: gimli::Dwarf<Slice<'a>>,
    /// What is needed of the unit's root.
    pub(crate) root: Arc<Root>,
    /// Where the unit lies in the info space.
    pub(crate) place: UnitPlace,
    /// The file it is in.
    pub(crate) sections: &'a Sections,
    pub(crate) section: SectionId,
    /// Of its header in that section.
    pub(crate) offset: usize,
    /// Header included.
    pub(crate) length: usize,
    abbreviations: &'a OnceLock<Result<Arc<Abbreviations>, SymbolError>>,
    /// Units of one section share tables of abbreviations; split units do not.
    origin: Option<Origin>,
}

impl<'a> UnitSource<'a> {
    /// Whether its strings are those of the image's own file.
    pub(crate) fn has_own_strings(&self) -> bool {
        matches!(self.origin, Some(Origin::Own | Origin::Types))
    }

    /// Whether it is the other half of a split unit, in another file.
    pub(crate) fn is_split(&self) -> bool {
        self.origin.is_none()
    }

    /// A unit ready to be read. It lacks name, directory and line program, which need other sections.
    pub(crate) fn unit(&self, image: &Image) -> Result<gimli::Unit<Slice<'a>>, SymbolError> {
        let end = self.offset.saturating_add(self.length);
        let bytes = self.sections.bytes(self.section).get(self.offset..end).unwrap_or(&[]);
        let header = parse_header(self.section, Slice::new(bytes, gimli::LittleEndian));
        let header = header.map_err(|error| image.malformed(error))?;
        let abbreviations = self.abbreviations.get_or_init(|| self.read_abbreviations(image, &header));
        Ok(self.root.unit(header, abbreviations.clone()?))
    }

    fn read_abbreviations(
        &self,
        image: &Image,
        header: &gimli::UnitHeader<Slice<'a>>,
    ) -> Result<Arc<Abbreviations>, SymbolError> {
        let offset = header.debug_abbrev_offset();
        let read = || self.dwarf.debug_abbrev.abbreviations(offset).map_err(|error| image.malformed(error));
        let Some(origin) = self.origin else { return read().map(Arc::new) };
        let cache = &image.units().abbreviations;
        let key = (origin, offset.0);
        if let Some(found) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(found.clone());
        }
        let read = read()?;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cache.entry(key).or_insert_with(|| Arc::new(read)).clone())
    }
}

impl Image {
    /// The table of units, made when first asked for.
    pub(crate) fn units(&self) -> &Units {
        self.unit_table().get_or_init(|| Units::read(self))
    }

    /// The sections of the file that units of this origin are in.
    pub(crate) fn sections_of(&self, origin: Origin) -> &Sections {
        match origin {
            Origin::Own | Origin::Types => self.sections(),
            Origin::Supplementary => self.supplementary().unwrap_or_else(|| self.sections()),
        }
    }

    fn unit_entry(&self, index: UnitIndex) -> Result<&UnitEntry, SymbolError> {
        self.units().list.get(index).ok_or_else(|| self.malformed("a unit is missing"))
    }

    /// The unit a DIE is in, and what it is read with.
    pub(crate) fn die_source(&self, die: DieOffset) -> Result<(UnitIndex, UnitSource<'_>), SymbolError> {
        let index = self.units().containing(die).ok_or_else(|| self.malformed("a reference leads out of all units"))?;
        let source = match region(die) {
            Region::Listed => self.listed_source(index)?,
            Region::Split(_) => {
                self.split_source(index)?.ok_or_else(|| self.malformed("a reference leads to a missing split unit"))?
            }
        };
        Ok((index, source))
    }

    /// What a unit's DIEs are read with: those of its split half, if it has one that is there.
    pub(crate) fn unit_source(&self, index: UnitIndex) -> Result<UnitSource<'_>, SymbolError> {
        match self.split_source(index)? {
            Some(split) => Ok(split),
            None => self.listed_source(index),
        }
    }

    /// What a unit of the table is read with: of a split unit, the half that stayed.
    pub(crate) fn listed_source(&self, index: UnitIndex) -> Result<UnitSource<'_>, SymbolError> {
        let entry = self.unit_entry(index)?;
        let sections = self.sections_of(entry.origin);
        let mut dwarf = sections.dwarf();
        if let Some(supplementary) = self.supplementary().filter(|_| entry.origin != Origin::Supplementary) {
            dwarf.set_sup(supplementary.dwarf());
        }
        Ok(UnitSource {
            dwarf,
            root: self.unit_root(index)?,
            place: self.units().place(entry),
            sections,
            section: entry.origin.section(),
            offset: entry.offset,
            length: entry.length,
            abbreviations: &entry.abbreviations,
            origin: Some(entry.origin),
        })
    }

    /// Whether the other half of a split unit is there.
    pub(crate) fn has_split(&self, index: UnitIndex) -> bool {
        matches!(self.split_source(index), Ok(Some(_)))
    }

    fn split_source(&self, index: UnitIndex) -> Result<Option<UnitSource<'_>>, SymbolError> {
        let entry = self.unit_entry(index)?;
        let root = self.unit_root(index)?;
        let Some(name) = &root.split else { return Ok(None) };
        let Some(split) = entry.split.get_or_init(|| self.find_split(&root, name).map(Box::new)) else {
            return Ok(None);
        };
        let parent = self.listed_source(index)?.dwarf;
        let dwarf = match split.dwarf(&parent) {
            Ok(dwarf) => dwarf,
            Err(lack) => {
                self.note_lack(lack);
                return Ok(None);
            }
        };
        let place = UnitPlace::split(index, split.offset_in_view(), split.length, self.units().supplementary);
        Ok(Some(UnitSource {
            dwarf,
            root: split.root.clone(),
            place: place.ok_or_else(|| self.malformed("a split unit is too long"))?,
            sections: split.sections(),
            section: SectionId::DebugInfo,
            offset: split.offset,
            length: split.length,
            abbreviations: &split.abbreviations,
            origin: None,
        }))
    }

    /// What a unit's root says. Reads a few hundred bytes, and no abbreviations but the root's own.
    pub(crate) fn unit_root(&self, index: UnitIndex) -> Result<Arc<Root>, SymbolError> {
        let entry = self.unit_entry(index)?;
        entry.root.get_or_init(|| read_root(self, entry).map(Arc::new)).clone()
    }

    /// The type that a signature stands for (`DW_FORM_ref_sig8`), if its unit is in the image.
    pub(crate) fn type_of_signature(&self, signature: DebugTypeSignature) -> Option<DieOffset> {
        let units = self.units();
        units.signatures.get_or_init(|| units.list.iter().filter_map(|entry| self.signature_of(entry)).collect());
        units.signatures.get()?.get(&signature).copied()
    }

    fn signature_of(&self, entry: &UnitEntry) -> Option<(DebugTypeSignature, DieOffset)> {
        let mut bytes = Vec::new();
        let section = entry.origin.section();
        self.sections_of(entry.origin).read_into(section, entry.offset, MAX_HEADER.min(entry.length), &mut bytes);
        crate::roots::shorten(&mut bytes);
        let header = parse_header(section, Slice::new(&bytes, gimli::LittleEndian)).ok()?;
        let gimli::UnitType::Type { type_signature, type_offset } = header.type_() else { return None };
        Some((type_signature, self.units().place(entry).die(type_offset)?))
    }
}
