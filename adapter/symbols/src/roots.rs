//! A unit's root DIE, read without the unit and without its table of abbreviations.
//!
//! A line is looked up before anything else is known of a file, so what it needs of a unit (its directory, where its
//! line program lies) must not cost the unit's abbreviations or a page of the mapping: a few hundred bytes are read, and
//! the one abbreviation that the root uses. It is not always the first of its table.

use std::sync::Arc;

use gimli::{
    Abbreviations, AttributeValue, DebugAddrBase, DebugLineOffset, DebugLocListsBase, DebugRngListsBase,
    DebugStrOffsetsBase, EndianSlice, LittleEndian, Reader, SectionId,
};

use crate::sections::{Sections, Slice};
use crate::units::{Origin, UnitEntry, parse_header};
use crate::{Image, SymbolError};

/// Bytes read of a unit and of its abbreviations at first; enough for nearly all.
const FIRST_READ: usize = 512;
/// A root longer than this is not believed.
const MAX_READ: usize = 1 << 20;
/// Longest string that is read (a path).
const MAX_STRING: usize = 64 * 1024;

/// A string attribute, kept without borrowing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StringRef {
    Inline(Box<[u8]>),
    Str(usize),
    LineStr(usize),
    /// An index into `.debug_str_offsets`.
    Index(usize),
    /// In the `.debug_str` of the supplementary file.
    Supplementary(usize),
}

/// What a unit's root DIE says.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) low_pc: u64,
    /// Where its line program is.
    pub(crate) line_program: Option<DebugLineOffset>,
    pub(crate) directory: Option<StringRef>,
    /// Where its DIEs are, if only its line program stayed in the file.
    pub(crate) split: Option<SplitName>,
    /// It is a unit of its own, not part of others (`DW_TAG_partial_unit`) and no type.
    pub(crate) is_whole: bool,
    /// Whose sections what it refers to is in.
    pub(crate) origin: Origin,
    bases: Bases,
}

/// The other half of a split unit, as the half that stayed names it.
#[derive(Debug)]
pub(crate) struct SplitName {
    pub(crate) id: gimli::DwoId,
    /// The path of its `.dwo`.
    pub(crate) path: StringRef,
}

#[derive(Clone, Copy, Debug)]
struct Bases {
    format: gimli::Format,
    str_offsets: DebugStrOffsetsBase<usize>,
    addr: DebugAddrBase<usize>,
    loclists: DebugLocListsBase<usize>,
    rnglists: DebugRngListsBase<usize>,
}

impl Root {
    /// The root of the other half of a split unit, which says nothing about where things are: it counts from where the
    /// half that stayed does, and from the beginnings of its own sections.
    pub(crate) fn of_split(&self, encoding: gimli::Encoding) -> Self {
        let mut bases = Bases::new(encoding, gimli::DwarfFileType::Dwo);
        bases.addr = self.bases.addr;
        if encoding.version < 5 {
            bases.rnglists = self.bases.rnglists;
        }
        Self {
            low_pc: self.low_pc,
            line_program: None,
            directory: None,
            split: None,
            is_whole: true,
            origin: self.origin,
            bases,
        }
    }

    /// `gimli`'s view of the unit that this is the root of.
    pub(crate) fn unit<'a>(
        &self,
        header: gimli::UnitHeader<Slice<'a>>,
        abbreviations: Arc<Abbreviations>,
    ) -> gimli::Unit<Slice<'a>> {
        gimli::Unit {
            header,
            abbreviations,
            name: None,
            comp_dir: None,
            low_pc: self.low_pc,
            str_offsets_base: self.bases.str_offsets,
            addr_base: self.bases.addr,
            loclists_base: self.bases.loclists,
            rnglists_base: self.bases.rnglists,
            line_program: None,
            dwo_id: None,
        }
    }
}

impl Bases {
    fn new(encoding: gimli::Encoding, kind: gimli::DwarfFileType) -> Self {
        Self {
            format: encoding.format,
            str_offsets: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, kind),
            addr: DebugAddrBase(0),
            loclists: DebugLocListsBase::default_for_encoding_and_file(encoding, kind),
            rnglists: DebugRngListsBase::default_for_encoding_and_file(encoding, kind),
        }
    }
}

/// Reads the root of a unit.
pub(crate) fn read_root(image: &Image, entry: &UnitEntry) -> Result<Root, SymbolError> {
    let mut size = FIRST_READ;
    loop {
        match try_read(image, entry, size.min(entry.length)) {
            Ok(root) => return Ok(root),
            Err(gimli::Error::UnexpectedEof(_)) if size < entry.length && size < MAX_READ => {
                size = size.saturating_mul(8);
            }
            Err(error) => return Err(image.malformed(error)),
        }
    }
}

/// Reads the root from the first `size` bytes of the unit, by telling the parser that the unit ends there.
fn try_read(image: &Image, entry: &UnitEntry, size: usize) -> gimli::Result<Root> {
    let mut bytes = Vec::new();
    let sections = image.sections_of(entry.origin);
    sections.read_into(entry.origin.section(), entry.offset, size, &mut bytes);
    shorten(&mut bytes);
    let header = parse_header(entry.origin.section(), EndianSlice::new(&bytes, LittleEndian))?;
    let mut rest = EndianSlice::new(&bytes, LittleEndian);
    rest.skip(header.header_size())?;
    let code = rest.read_uleb128()?;
    let declaration = root_abbreviation(sections, header.debug_abbrev_offset().0, code)?;
    let abbreviations = gimli::DebugAbbrev::new(&declaration, LittleEndian);
    let abbreviations = Arc::new(abbreviations.abbreviations(gimli::DebugAbbrevOffset(0))?);
    parse(sections, entry.origin, header, abbreviations)
}

fn parse(
    sections: &Sections,
    origin: Origin,
    header: gimli::UnitHeader<Slice<'_>>,
    table: Arc<Abbreviations>,
) -> gimli::Result<Root> {
    let mut entries = header.entries_raw(&table, None)?;
    let abbreviation = entries.read_abbreviation()?.ok_or(gimli::Error::MissingUnitDie)?;
    let mut root = Root {
        low_pc: 0,
        line_program: None,
        directory: None,
        split: None,
        is_whole: matches!(abbreviation.tag(), gimli::DW_TAG_compile_unit | gimli::DW_TAG_skeleton_unit),
        origin,
        bases: Bases::new(header.encoding(), gimli::DwarfFileType::Main),
    };
    let mut low_pc = None;
    let mut split_path = None;
    let mut split_id = match header.type_() {
        gimli::UnitType::Skeleton(id) => Some(id),
        _ => None,
    };
    for spec in abbreviation.attributes() {
        let attribute = entries.read_attribute(*spec)?;
        match (attribute.name(), attribute.value()) {
            (gimli::DW_AT_low_pc, value) => low_pc = Some(value),
            (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => root.line_program = Some(offset),
            (gimli::DW_AT_comp_dir, value) => root.directory = string_ref(value),
            (gimli::DW_AT_dwo_name | gimli::DW_AT_GNU_dwo_name, value) => split_path = string_ref(value),
            (gimli::DW_AT_GNU_dwo_id, AttributeValue::DwoId(id)) => split_id = Some(id),
            (_, AttributeValue::DebugStrOffsetsBase(base)) => root.bases.str_offsets = base,
            (_, AttributeValue::DebugAddrBase(base)) => root.bases.addr = base,
            (_, AttributeValue::DebugLocListsBase(base)) => root.bases.loclists = base,
            (_, AttributeValue::DebugRngListsBase(base)) => root.bases.rnglists = base,
            _ => {}
        }
    }
    root.split = split_id.zip(split_path).map(|(id, path)| SplitName { id, path });
    if let Some(value) = low_pc {
        root.low_pc = sections.dwarf().attr_address(&root.unit(header, table), value)?.unwrap_or(0);
    }
    Ok(root)
}

/// Overwrites the length field of a unit or line program with what is really there.
pub(crate) fn shorten(bytes: &mut [u8]) {
    let is_64_bit = bytes.first_chunk::<4>() == Some(&[0xff; 4]);
    let (at, width) = if is_64_bit { (4, 8) } else { (0, 4) };
    let length = bytes.len().saturating_sub(at).saturating_sub(width) as u64;
    if let Some(field) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..width)) {
        for (byte, value) in field.iter_mut().zip(length.to_le_bytes()) {
            *byte = value;
        }
    }
}

/// The declaration of one abbreviation of a table, as a table of its own.
fn root_abbreviation(sections: &Sections, table: usize, code: u64) -> gimli::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut size = FIRST_READ;
    loop {
        sections.read_into(SectionId::DebugAbbrev, table, size, &mut bytes);
        match find_abbreviation(EndianSlice::new(&bytes, LittleEndian), code) {
            Err(gimli::Error::UnexpectedEof(_)) if bytes.len() == size && size < MAX_READ => {
                size = size.saturating_mul(8);
            }
            found => return found,
        }
    }
}

fn find_abbreviation(mut input: Slice<'_>, code: u64) -> gimli::Result<Vec<u8>> {
    loop {
        let start = input;
        let this = input.read_uleb128()?;
        if this == 0 {
            return Err(gimli::Error::InvalidAbbreviationCode(code));
        }
        input.read_uleb128()?;
        input.read_u8()?;
        loop {
            let (name, form) = (input.read_uleb128()?, input.read_uleb128()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                input.read_sleb128()?;
            }
            if (name, form) == (0, 0) {
                break;
            }
        }
        if this == code {
            let length = start.len().saturating_sub(input.len());
            let mut declaration = start.slice().get(..length).unwrap_or(&[]).to_vec();
            declaration.push(0);
            return Ok(declaration);
        }
    }
}

/// A string attribute without its borrow.
pub(crate) fn string_ref(value: AttributeValue<Slice<'_>>) -> Option<StringRef> {
    match value {
        AttributeValue::String(bytes) => Some(StringRef::Inline(bytes.slice().into())),
        AttributeValue::DebugStrRef(offset) => Some(StringRef::Str(offset.0)),
        AttributeValue::DebugLineStrRef(offset) => Some(StringRef::LineStr(offset.0)),
        AttributeValue::DebugStrOffsetsIndex(index) => Some(StringRef::Index(index.0)),
        AttributeValue::DebugStrRefSup(offset) => Some(StringRef::Supplementary(offset.0)),
        _ => None,
    }
}

impl Image {
    /// The string itself, read without touching the mapping. `root` is of the unit that uses it; without one it is of the
    /// image's own file.
    pub(crate) fn read_string(&self, root: Option<&Root>, string: &StringRef) -> Option<Vec<u8>> {
        let sections = root.map_or(self.sections(), |root| self.sections_of(root.origin));
        match string {
            StringRef::Inline(bytes) => Some(bytes.to_vec()),
            StringRef::Str(offset) => read_c_string(sections, SectionId::DebugStr, *offset),
            StringRef::LineStr(offset) => read_c_string(sections, SectionId::DebugLineStr, *offset),
            StringRef::Supplementary(offset) => read_c_string(self.supplementary()?, SectionId::DebugStr, *offset),
            StringRef::Index(index) => {
                let bases = &root?.bases;
                let size = usize::from(bases.format.word_size());
                let offset = bases.str_offsets.0.checked_add(index.checked_mul(size)?)?;
                let mut bytes = [0; 8];
                let count = sections.read_at(SectionId::DebugStrOffsets, offset, bytes.get_mut(..size)?);
                let offset = (count == size).then(|| u64::from_le_bytes(bytes))?;
                read_c_string(sections, SectionId::DebugStr, usize::try_from(offset).ok()?)
            }
        }
    }
}

/// The zero-terminated string at an offset of a section, read without touching the mapping.
pub(crate) fn read_c_string(sections: &Sections, section: SectionId, offset: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut size = 256;
    loop {
        sections.read_into(section, offset, size, &mut bytes);
        if let Some(end) = memchr::memchr(0, &bytes) {
            bytes.truncate(end);
            return Some(bytes);
        }
        if bytes.len() < size || size >= MAX_STRING {
            return None;
        }
        size = size.saturating_mul(8);
    }
}
