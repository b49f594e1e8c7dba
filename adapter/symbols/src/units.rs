//! Units of debug information: where each lies, what its root says, and `gimli`'s view of one without re-parsing.
//!
//! `gimli::Unit::new` reads the unit's line-program header, and with it pages of `.debug_line`. Here a unit's root is
//! read once, what it says is kept without borrowing from the file, and a `gimli::Unit` is put together from that as
//! often as it is wanted, at the price of parsing one unit header.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{Abbreviations, DebugInfoOffset, SectionId};
use rustc_hash::FxBuildHasher;

use crate::roots::{Root, read_root};
use crate::sections::{Sections, Slice};
use crate::space::UnitPlace;
use crate::{DieOffset, Image, SymbolError};

/// Longest unit header: 64-bit DWARF 5 with a type signature.
const MAX_HEADER: usize = 40;

/// A unit's place in the table of units.
pub(crate) type UnitIndex = usize;

/// Where a unit lies.
#[derive(Debug)]
pub(crate) struct UnitEntry {
    /// Its header's offset in `.debug_info`.
    pub(crate) offset: usize,
    /// Its length, header included.
    pub(crate) length: usize,
    root: OnceLock<Result<Arc<Root>, SymbolError>>,
    abbreviations: OnceLock<Result<Arc<Abbreviations>, SymbolError>>,
}

impl UnitEntry {
    /// The offset behind the unit.
    pub(crate) fn end(&self) -> usize {
        self.offset.saturating_add(self.length)
    }
}

/// All units of `.debug_info`, by offset. Only compile and partial units with 8-byte addresses that this reader
/// understands; a broken header ends the table.
#[derive(Debug, Default)]
pub(crate) struct Units {
    list: Vec<UnitEntry>,
    /// Units of one object share tables in release builds.
    abbreviations: Mutex<HashMap<usize, Arc<Abbreviations>, FxBuildHasher>>,
}

impl Units {
    /// Hops from header to header.
    pub(crate) fn read(sections: &Sections) -> Self {
        let mut list = Vec::new();
        let total = sections.len(SectionId::DebugInfo);
        let mut offset = 0;
        let mut header = [0; MAX_HEADER];
        while offset < total {
            let count = sections.read_at(SectionId::DebugInfo, offset, &mut header);
            let Some((length, version)) = header.get(..count).and_then(unit_length_and_version) else { break };
            let Some(end) = offset.checked_add(length).filter(|end| *end <= total) else { break };
            if (2..=5).contains(&version) {
                list.push(UnitEntry { offset, length, root: OnceLock::new(), abbreviations: OnceLock::new() });
            }
            offset = end;
        }
        Self { list, abbreviations: Mutex::default() }
    }

    /// The units by offset.
    pub(crate) fn list(&self) -> &[UnitEntry] {
        &self.list
    }

    /// The unit that begins at an offset of `.debug_info`.
    pub(crate) fn starting_at(&self, offset: usize) -> Option<UnitIndex> {
        self.list.binary_search_by_key(&offset, |unit| unit.offset).ok()
    }

    /// The unit a DIE is in.
    pub(crate) fn containing(&self, die: DieOffset) -> Option<UnitIndex> {
        let index = self.list.partition_point(|unit| unit.offset <= die.0).checked_sub(1)?;
        self.list.get(index).filter(|unit| die.0 < unit.end()).map(|_| index)
    }
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

/// What the DIEs of a unit are read with.
pub(crate) struct UnitSource<'a> {
    /// `gimli`'s view of the sections. Costs next to nothing.
    pub(crate) dwarf: gimli::Dwarf<Slice<'a>>,
    /// What is needed of the unit's root.
    pub(crate) root: Arc<Root>,
    /// Where the unit lies in the info space.
    pub(crate) place: UnitPlace,
    /// Where its bytes are.
    pub(crate) sections: &'a Sections,
    /// Of its header in the file's `.debug_info`.
    pub(crate) offset: usize,
    /// Header included.
    pub(crate) length: usize,
}

impl Image {
    /// The table of units, made when first asked for.
    pub(crate) fn units(&self) -> &Units {
        self.unit_table().get_or_init(|| Units::read(self.sections()))
    }

    fn unit_entry(&self, index: UnitIndex) -> Result<&UnitEntry, SymbolError> {
        self.units().list.get(index).ok_or_else(|| self.malformed("a unit is missing"))
    }

    /// What a unit's DIEs are read with.
    pub(crate) fn unit_source(&self, index: UnitIndex) -> Result<UnitSource<'_>, SymbolError> {
        let entry = self.unit_entry(index)?;
        Ok(UnitSource {
            dwarf: self.sections().dwarf(),
            root: self.unit_root(index)?,
            place: UnitPlace::new(entry.offset),
            sections: self.sections(),
            offset: entry.offset,
            length: entry.length,
        })
    }

    /// A unit ready to be read. It lacks name, directory and line program, which need other sections.
    pub(crate) fn unit<'a>(
        &'a self,
        index: UnitIndex,
        source: &UnitSource<'a>,
    ) -> Result<gimli::Unit<Slice<'a>>, SymbolError> {
        let entry = self.unit_entry(index)?;
        let header = source.dwarf.debug_info.header_from_offset(DebugInfoOffset(source.offset));
        let header = header.map_err(|error| self.malformed(error))?;
        let abbreviations = entry.abbreviations.get_or_init(|| self.abbreviations(header.debug_abbrev_offset().0));
        Ok(source.root.unit(header, abbreviations.clone()?))
    }

    /// What a unit's root says. Reads a few hundred bytes, and no abbreviations but the root's own.
    pub(crate) fn unit_root(&self, index: UnitIndex) -> Result<Arc<Root>, SymbolError> {
        let entry = self.unit_entry(index)?;
        entry.root.get_or_init(|| read_root(self, entry).map(Arc::new)).clone()
    }

    fn abbreviations(&self, offset: usize) -> Result<Arc<Abbreviations>, SymbolError> {
        let cache = &self.units().abbreviations;
        if let Some(found) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&offset) {
            return Ok(found.clone());
        }
        let section = gimli::DebugAbbrev::from(self.sections().slice(SectionId::DebugAbbrev));
        let read = section.abbreviations(gimli::DebugAbbrevOffset(offset)).map_err(|error| self.malformed(error))?;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cache.entry(offset).or_insert_with(|| Arc::new(read)).clone())
    }
}
