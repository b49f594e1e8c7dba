//! Reading DIEs of one unit: attributes as plain values, and walks over subtrees.

use std::ops::Range;

use gimli::{AttributeValue, DwAt, SectionId, UnitOffset};
use weft_memory::FileAddr;

use crate::roots::read_c_string;
use crate::sections::{Sections, Slice};
use crate::space::UnitPlace;
use crate::units::{UnitIndex, UnitSource};
use crate::{DieOffset, Image, SourceLine, SymbolError};

/// A DIE with its attributes.
pub(crate) type Entry<'a> = gimli::DebuggingInformationEntry<Slice<'a>>;

/// How many references (`DW_AT_abstract_origin`, `DW_AT_specification`) are followed from a DIE; real chains have two.
const MAX_ORIGINS: usize = 8;

/// How many separate ranges of addresses a function or block may have here; the largest ones seen have some hundred.
const MAX_RANGES: usize = 65_536;

/// Where a walk goes after a DIE.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// To its children.
    Into,
    /// Past its children.
    Past,
    /// Nowhere: it is over.
    Stop,
}

/// A unit that is open for reading.
pub(crate) struct DieReader<'a> {
    image: &'a Image,
    index: UnitIndex,
    unit: gimli::Unit<Slice<'a>>,
    dwarf: gimli::Dwarf<Slice<'a>>,
    sections: &'a Sections,
    place: UnitPlace,
}

impl<'a> DieReader<'a> {
    /// Opens a unit; of a split unit, the half that has its DIEs.
    pub(crate) fn of_unit(image: &'a Image, index: UnitIndex) -> Result<Self, SymbolError> {
        Self::open(image, index, image.unit_source(index)?)
    }

    /// Opens a unit of the table itself; of a split unit, the half that has its addresses.
    pub(crate) fn of_root(image: &'a Image, index: UnitIndex) -> Result<Self, SymbolError> {
        Self::open(image, index, image.listed_source(index)?)
    }

    fn open(image: &'a Image, index: UnitIndex, source: UnitSource<'a>) -> Result<Self, SymbolError> {
        let unit = source.unit(image)?;
        Ok(Self { image, index, unit, dwarf: source.dwarf, sections: source.sections, place: source.place })
    }

    /// Opens the unit a DIE is in.
    pub(crate) fn at(image: &'a Image, die: DieOffset) -> Result<(Self, UnitOffset), SymbolError> {
        let (index, source) = image.die_source(die)?;
        let reader = Self::open(image, index, source)?;
        let offset = reader.local(die).ok_or_else(|| image.malformed("a reference leads into a unit header"))?;
        Ok((reader, offset))
    }

    /// Opens the unit a DIE is in and reads the DIE.
    pub(crate) fn read(image: &'a Image, die: DieOffset) -> Result<(Self, Entry<'a>), SymbolError> {
        let (reader, offset) = Self::at(image, die)?;
        let entry = reader.entry(offset)?;
        Ok((reader, entry))
    }

    /// The unit's place in the table of units.
    pub(crate) fn index(&self) -> UnitIndex {
        self.index
    }

    /// `gimli`'s view of the unit.
    pub(crate) fn unit(&self) -> &gimli::Unit<Slice<'a>> {
        &self.unit
    }

    /// `gimli`'s view of the file.
    pub(crate) fn dwarf(&self) -> &gimli::Dwarf<Slice<'a>> {
        &self.dwarf
    }

    /// A DIE's offset in this unit, if it is in it.
    pub(crate) fn local(&self, die: DieOffset) -> Option<UnitOffset> {
        self.place.local(die).filter(|offset| offset.is_in_bounds(&self.unit))
    }

    /// The absolute offset of a DIE of this unit.
    pub(crate) fn absolute(&self, offset: UnitOffset) -> Option<DieOffset> {
        self.place.die(offset)
    }

    /// The absolute offset of a DIE that was read here.
    pub(crate) fn die_of(&self, entry: &Entry<'_>) -> Option<DieOffset> {
        self.absolute(entry.offset())
    }

    /// Reads the DIE at an offset of this unit.
    pub(crate) fn entry(&self, offset: UnitOffset) -> Result<Entry<'a>, SymbolError> {
        self.unit.entry(offset).map_err(|error| self.broken(error))
    }

    /// The error for what cannot be read.
    pub(crate) fn broken(&self, error: gimli::Error) -> SymbolError {
        self.image.malformed(self.dwarf.format_error(error))
    }

    /// A string attribute.
    pub(crate) fn string(&self, entry: &Entry<'a>, name: DwAt) -> Option<String> {
        let offset = match entry.attr_value(name)? {
            AttributeValue::DebugStrRef(offset) => offset,
            AttributeValue::DebugStrOffsetsIndex(index) => self.dwarf.string_offset(&self.unit, index).ok()?,
            other => return Some(self.dwarf.attr_string(&self.unit, other).ok()?.to_string_lossy().into_owned()),
        };
        // Strings lie anywhere in a large section: each is read, not touched in the mapping.
        let bytes = read_c_string(self.sections, SectionId::DebugStr, offset.0)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `DW_AT_name`.
    pub(crate) fn name(&self, entry: &Entry<'a>) -> Option<String> {
        self.string(entry, gimli::DW_AT_name)
    }

    /// `DW_AT_linkage_name`, or what it was called before DWARF 4.
    pub(crate) fn linkage_name(&self, entry: &Entry<'a>) -> Option<String> {
        self.string(entry, gimli::DW_AT_linkage_name).or_else(|| self.string(entry, gimli::DW_AT_MIPS_linkage_name))
    }

    /// The DIE an attribute refers to, whatever unit it is in.
    pub(crate) fn reference(&self, entry: &Entry<'a>, name: DwAt) -> Option<DieOffset> {
        self.refers_to(entry.attr_value(name)?)
    }

    /// The DIE that the value of an attribute read here refers to, whatever unit it is in.
    pub(crate) fn refers_to(&self, value: AttributeValue<Slice<'_>>) -> Option<DieOffset> {
        match value {
            AttributeValue::DebugTypesRef(signature) => self.image.type_of_signature(signature),
            value => self.place.reference(value),
        }
    }

    /// A flag.
    pub(crate) fn flag(entry: &Entry<'_>, name: DwAt) -> bool {
        matches!(entry.attr_value(name), Some(AttributeValue::Flag(true)))
    }

    /// A number that is not negative.
    pub(crate) fn number(entry: &Entry<'_>, name: DwAt) -> Option<u64> {
        entry.attr_value(name)?.udata_value()
    }

    /// `DW_AT_encoding`; zero if not said.
    pub(crate) fn encoding(entry: &Entry<'_>) -> u8 {
        match entry.attr_value(gimli::DW_AT_encoding) {
            Some(AttributeValue::Encoding(encoding)) => encoding.0,
            Some(other) => other.u8_value().unwrap_or(0),
            None => 0,
        }
    }

    /// An address attribute.
    pub(crate) fn address(&self, entry: &Entry<'a>, name: DwAt) -> Option<u64> {
        self.dwarf.attr_address(&self.unit, entry.attr_value(name)?).ok().flatten()
    }

    /// `DW_AT_decl_file` and `DW_AT_decl_line`.
    pub(crate) fn declared(&self, entry: &Entry<'_>) -> Option<SourceLine> {
        self.source_line(entry, gimli::DW_AT_decl_file, gimli::DW_AT_decl_line, gimli::DW_AT_decl_column)
    }

    /// Where an inlined copy was called.
    pub(crate) fn call_site(&self, entry: &Entry<'_>) -> Option<SourceLine> {
        self.source_line(entry, gimli::DW_AT_call_file, gimli::DW_AT_call_line, gimli::DW_AT_call_column)
    }

    fn source_line(&self, entry: &Entry<'_>, file: DwAt, line: DwAt, column: DwAt) -> Option<SourceLine> {
        let index = match entry.attr_value(file)? {
            AttributeValue::FileIndex(index) => index,
            other => other.udata_value()?,
        };
        let number = |name| Self::number(entry, name).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let file = self.image.unit_file(self.index, index)?;
        Some(SourceLine { file, line: number(line), column: number(column) })
    }

    /// The code of a function, an inlined copy or a block, by address; empty ranges and dropped code left out.
    pub(crate) fn ranges(&self, entry: &Entry<'a>) -> Result<Vec<Range<FileAddr>>, SymbolError> {
        let mut ranges = Vec::new();
        let mut found = self.dwarf.die_ranges(&self.unit, entry).map_err(|error| self.broken(error))?;
        while let Some(range) = found.next().map_err(|error| self.broken(error))? {
            if range.begin < range.end && self.image.is_code(range.begin) && ranges.len() < MAX_RANGES {
                ranges.push(FileAddr::new(range.begin)..FileAddr::new(range.end));
            }
        }
        ranges.sort_unstable_by_key(|range| range.start);
        Ok(ranges)
    }

    /// Where the code of a DIE begins, as its own order of ranges says.
    pub(crate) fn first_address(&self, entry: &Entry<'a>) -> Option<u64> {
        let mut found = self.dwarf.die_ranges(&self.unit, entry).ok()?;
        Some(found.next().ok()??.begin)
    }

    /// Whether the code of a DIE covers an address, without listing it.
    pub(crate) fn covers(&self, entry: &Entry<'a>, pc: FileAddr) -> Result<bool, SymbolError> {
        let mut found = self.dwarf.die_ranges(&self.unit, entry).map_err(|error| self.broken(error))?;
        while let Some(range) = found.next().map_err(|error| self.broken(error))? {
            if (range.begin..range.end).contains(&pc.raw()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Walks below a DIE (not on it), depth first. The visitor gets each DIE with its depth, 1 for direct children. Only
    /// the tags that `wanted` accepts are read; others are walked through silently, their children included.
    pub(crate) fn walk(
        &self,
        from: UnitOffset,
        wanted: impl Fn(gimli::DwTag) -> bool,
        mut visit: impl FnMut(&Entry<'a>, isize) -> Result<Visit, SymbolError>,
    ) -> Result<(), SymbolError> {
        let broken = |error| self.broken(error);
        let mut entries = self.unit.entries_raw(Some(from)).map_err(broken)?;
        let Some(root) = entries.read_abbreviation().map_err(broken)? else { return Ok(()) };
        entries.skip_attributes(root.attributes()).map_err(broken)?;
        let mut entry = Entry::null();
        // Children of DIEs at this depth or deeper are skipped.
        let mut past = isize::MAX;
        while entries.next_depth() > 0 && !entries.is_empty() {
            let depth = entries.next_depth();
            let before = entries.clone();
            let Some(abbreviation) = entries.read_abbreviation().map_err(broken)? else { continue };
            if depth <= past {
                past = isize::MAX;
            }
            if past != isize::MAX || !wanted(abbreviation.tag()) {
                entries.skip_attributes(abbreviation.attributes()).map_err(broken)?;
                continue;
            }
            entries = before;
            entries.read_entry(&mut entry).map_err(broken)?;
            match visit(&entry, depth)? {
                Visit::Into => {}
                Visit::Past => past = depth,
                Visit::Stop => return Ok(()),
            }
        }
        Ok(())
    }
}

/// A DIE and those it refers to as its origin (`DW_AT_abstract_origin`, then `DW_AT_specification`), nearest first.
/// Ends at a broken reference or after [`MAX_ORIGINS`].
pub(crate) fn origins(image: &Image, die: DieOffset) -> Result<Vec<(DieReader<'_>, Entry<'_>)>, SymbolError> {
    let mut chain: Vec<(DieReader<'_>, Entry<'_>)> = vec![DieReader::read(image, die)?];
    while let Some((reader, entry)) = chain.last().filter(|_| chain.len() < MAX_ORIGINS) {
        let next = reader
            .reference(entry, gimli::DW_AT_abstract_origin)
            .or_else(|| reader.reference(entry, gimli::DW_AT_specification));
        let Some(next) = next.and_then(|next| DieReader::read(image, next).ok()) else { break };
        chain.push(next);
    }
    Ok(chain)
}
