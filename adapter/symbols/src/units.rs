//! Units of debug information: where each lies, what its root says, and `gimli`'s view of one without re-parsing.
//!
//! `gimli::Unit::new` reads the unit's line-program header, and with it pages of `.debug_line`. Here a unit's root is
//! read once, what it says is kept without borrowing from the file, and a `gimli::Unit` is put together from that as
//! often as it is wanted, at the price of parsing one unit header.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gimli::{Abbreviations, AttributeValue, DebugInfoOffset, SectionId, UnitOffset};
use rustc_hash::FxBuildHasher;

use crate::roots::{Root, read_root};
use crate::sections::{Sections, Slice};
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

impl Image {
    /// The table of units, made when first asked for.
    pub(crate) fn units(&self) -> &Units {
        self.unit_table().get_or_init(|| Units::read(self.sections()))
    }

    /// `gimli`'s view of all sections. Costs next to nothing.
    pub(crate) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        let sections = self.sections();
        let loaded = gimli::Dwarf::load(|id| Ok::<_, std::convert::Infallible>(sections.slice(id)));
        match loaded {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }

    /// A unit ready to be read. It lacks name, directory and line program, which need other sections.
    pub(crate) fn unit(&self, index: UnitIndex) -> Result<gimli::Unit<Slice<'_>>, SymbolError> {
        let entry = self.unit_entry(index)?;
        let root = entry.root.get_or_init(|| read_root(self, entry).map(Arc::new)).as_ref().map_err(Clone::clone)?;
        let header = self.unit_header(entry)?;
        let abbreviations = entry.abbreviations.get_or_init(|| self.abbreviations(header.debug_abbrev_offset().0));
        Ok(root.unit(header, abbreviations.clone()?))
    }

    fn unit_entry(&self, index: UnitIndex) -> Result<&UnitEntry, SymbolError> {
        self.units().list.get(index).ok_or_else(|| self.malformed("a unit is missing"))
    }

    /// The unit a DIE is in, and the DIE's offset in it.
    pub(crate) fn unit_of(&self, die: DieOffset) -> Result<(gimli::Unit<Slice<'_>>, UnitOffset), SymbolError> {
        let index = self.units().containing(die).ok_or_else(|| self.malformed("a reference leads out of all units"))?;
        let unit = self.unit(index)?;
        let offset = DebugInfoOffset(die.0).to_unit_offset(&unit.header);
        let offset = offset.ok_or_else(|| self.malformed("a reference leads into a unit header"))?;
        Ok((unit, offset))
    }

    /// What a unit's root says. Reads a few hundred bytes, and no abbreviations but the root's own.
    pub(crate) fn unit_root(&self, index: UnitIndex) -> Result<Arc<Root>, SymbolError> {
        let entry = self.unit_entry(index)?;
        entry.root.get_or_init(|| read_root(self, entry).map(Arc::new)).clone()
    }

    /// The absolute offset of a DIE of a unit.
    pub(crate) fn die_offset(unit: &gimli::Unit<Slice<'_>>, offset: UnitOffset) -> Option<DieOffset> {
        offset.to_debug_info_offset(&unit.header).map(|offset| DieOffset(offset.0))
    }

    /// The DIE a reference attribute names, whatever unit it is in.
    pub(crate) fn reference(unit: &gimli::Unit<Slice<'_>>, value: AttributeValue<Slice<'_>>) -> Option<DieOffset> {
        match value {
            AttributeValue::UnitRef(offset) => Self::die_offset(unit, offset),
            AttributeValue::DebugInfoRef(offset) => Some(DieOffset(offset.0)),
            _ => None,
        }
    }

    fn unit_header(&self, entry: &UnitEntry) -> Result<gimli::UnitHeader<Slice<'_>>, SymbolError> {
        let info = gimli::DebugInfo::from(self.sections().slice(SectionId::DebugInfo));
        info.header_from_offset(DebugInfoOffset(entry.offset)).map_err(|error| self.malformed(error))
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
