//! A walk over a whole unit that reads tags and passes over attributes: several times as fast as one that parses them, for
//! tables of what is where.
//!
//! What the attributes of an abbreviation take is worked out once; most take a fixed number of bytes in all.

use gimli::{Abbreviation, Abbreviations, Encoding, Format, UnitOffset};

use crate::sections::Slice;

/// Codes up to here are looked up by their number; compilers number from 1.
const MOST_DENSE: usize = 4096;

/// How the values of some attributes, one after another, are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// So many bytes.
    Bytes(usize),
    /// A number in LEB128.
    Leb,
    /// A string with a zero at its end.
    String,
    /// Bytes that follow their count, which has so many bytes.
    Block(usize),
    /// Bytes that follow their count, a number in LEB128.
    LebBlock,
    /// As the form says which stands before the value.
    Indirect,
}

/// What a DIE of an abbreviation is, and how it is passed over.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) tag: gimli::DwTag,
    pub(crate) has_children: bool,
    /// Whether it says where its code is.
    pub(crate) has_code: bool,
    /// Bytes of its attributes, if they take as many in every DIE.
    fixed: Option<usize>,
    passes: Vec<Pass>,
}

impl Kind {
    fn of(abbreviation: &Abbreviation, encoding: Encoding) -> gimli::Result<Self> {
        let mut passes = Vec::new();
        let mut has_code = false;
        for attribute in abbreviation.attributes() {
            has_code |= matches!(attribute.name(), gimli::DW_AT_low_pc | gimli::DW_AT_ranges);
            match (pass_of(attribute.form(), encoding)?, passes.last_mut()) {
                (Pass::Bytes(more), Some(Pass::Bytes(bytes))) => *bytes = bytes.saturating_add(more),
                (pass, _) => passes.push(pass),
            }
        }
        let fixed = match passes.as_slice() {
            [] => Some(0),
            [Pass::Bytes(bytes)] => Some(*bytes),
            _ => None,
        };
        Ok(Self { tag: abbreviation.tag(), has_children: abbreviation.has_children(), has_code, fixed, passes })
    }
}

fn pass_of(form: gimli::DwForm, encoding: Encoding) -> gimli::Result<Pass> {
    let offset = Pass::Bytes(if encoding.format == Format::Dwarf64 { 8 } else { 4 });
    let address = Pass::Bytes(usize::from(encoding.address_size));
    Ok(match form {
        gimli::DW_FORM_flag_present | gimli::DW_FORM_implicit_const => Pass::Bytes(0),
        gimli::DW_FORM_data1
        | gimli::DW_FORM_ref1
        | gimli::DW_FORM_flag
        | gimli::DW_FORM_strx1
        | gimli::DW_FORM_addrx1 => Pass::Bytes(1),
        gimli::DW_FORM_data2 | gimli::DW_FORM_ref2 | gimli::DW_FORM_strx2 | gimli::DW_FORM_addrx2 => Pass::Bytes(2),
        gimli::DW_FORM_strx3 | gimli::DW_FORM_addrx3 => Pass::Bytes(3),
        gimli::DW_FORM_data4
        | gimli::DW_FORM_ref4
        | gimli::DW_FORM_strx4
        | gimli::DW_FORM_addrx4
        | gimli::DW_FORM_ref_sup4 => Pass::Bytes(4),
        gimli::DW_FORM_data8 | gimli::DW_FORM_ref8 | gimli::DW_FORM_ref_sig8 | gimli::DW_FORM_ref_sup8 => {
            Pass::Bytes(8)
        }
        gimli::DW_FORM_data16 => Pass::Bytes(16),
        gimli::DW_FORM_addr => address,
        gimli::DW_FORM_ref_addr if encoding.version == 2 => address,
        gimli::DW_FORM_ref_addr
        | gimli::DW_FORM_sec_offset
        | gimli::DW_FORM_strp
        | gimli::DW_FORM_line_strp
        | gimli::DW_FORM_strp_sup
        | gimli::DW_FORM_GNU_ref_alt
        | gimli::DW_FORM_GNU_strp_alt => offset,
        gimli::DW_FORM_sdata
        | gimli::DW_FORM_udata
        | gimli::DW_FORM_ref_udata
        | gimli::DW_FORM_strx
        | gimli::DW_FORM_addrx
        | gimli::DW_FORM_loclistx
        | gimli::DW_FORM_rnglistx
        | gimli::DW_FORM_GNU_addr_index
        | gimli::DW_FORM_GNU_str_index => Pass::Leb,
        gimli::DW_FORM_string => Pass::String,
        gimli::DW_FORM_block1 => Pass::Block(1),
        gimli::DW_FORM_block2 => Pass::Block(2),
        gimli::DW_FORM_block4 => Pass::Block(4),
        gimli::DW_FORM_block | gimli::DW_FORM_exprloc => Pass::LebBlock,
        gimli::DW_FORM_indirect => Pass::Indirect,
        _ => return Err(gimli::Error::UnknownForm(form)),
    })
}

/// What a walk meets, and how deep it lies; the root's depth is 0.
pub(crate) enum Met<'a> {
    /// A DIE and where it begins.
    Die(UnitOffset, isize, &'a Kind),
    /// The end of the children at a depth, and what comes behind it.
    End(UnitOffset, isize),
}

/// Walks over all DIEs of a unit in order. The error says why the unit breaks off; what came before was met.
#[inline]
pub(crate) fn skim(unit: &gimli::Unit<Slice<'_>>, mut met: impl FnMut(Met<'_>)) -> gimli::Result<()> {
    let root = unit.header.root_offset();
    let bytes = unit.header.range_from(root..)?.slice();
    let end = root.0.saturating_add(bytes.len());
    let (mut cursor, mut kinds) = (Cursor(bytes), Kinds::new(unit));
    let mut depth = 0_isize;
    while !cursor.0.is_empty() {
        let here = UnitOffset(end.saturating_sub(cursor.0.len()));
        let code = cursor.leb()?;
        if code == 0 {
            met(Met::End(UnitOffset(end.saturating_sub(cursor.0.len())), depth));
            depth = depth.saturating_sub(1);
            continue;
        }
        let kind = kinds.of(code)?;
        match kind.fixed {
            Some(bytes) => cursor.skip(bytes)?,
            None => kind.passes.iter().try_for_each(|pass| cursor.pass(*pass, unit.encoding()))?,
        }
        met(Met::Die(here, depth, kind));
        depth = depth.saturating_add(isize::from(kind.has_children));
    }
    Ok(())
}

/// The abbreviations of a unit, as far as they were met.
struct Kinds<'a> {
    encoding: Encoding,
    abbreviations: &'a Abbreviations,
    /// By code.
    dense: Vec<Option<Kind>>,
    /// The last one that has too large a code.
    sparse: Option<(u64, Kind)>,
}

impl<'a> Kinds<'a> {
    fn new(unit: &'a gimli::Unit<Slice<'_>>) -> Self {
        Self { encoding: unit.encoding(), abbreviations: &unit.abbreviations, dense: Vec::new(), sparse: None }
    }

    #[inline]
    fn of(&mut self, code: u64) -> gimli::Result<&Kind> {
        let at = usize::try_from(code).unwrap_or(usize::MAX);
        if !matches!(self.dense.get(at), Some(Some(_))) {
            self.meet(code, at)?;
        }
        match (self.dense.get(at), &self.sparse) {
            (Some(Some(kind)), _) | (_, Some((_, kind))) => Ok(kind),
            _ => Err(gimli::Error::InvalidAbbreviationCode(code)),
        }
    }

    #[cold]
    fn meet(&mut self, code: u64, at: usize) -> gimli::Result<()> {
        if self.sparse.as_ref().is_some_and(|(known, _)| *known == code) {
            return Ok(());
        }
        let abbreviation = self.abbreviations.get(code).ok_or(gimli::Error::InvalidAbbreviationCode(code))?;
        let kind = Kind::of(abbreviation, self.encoding)?;
        if at > MOST_DENSE {
            self.sparse = Some((code, kind));
            return Ok(());
        }
        if self.dense.len() <= at {
            self.dense.resize(at.saturating_add(1), None);
        }
        if let Some(place) = self.dense.get_mut(at) {
            *place = Some(kind);
        }
        Ok(())
    }
}

/// What is left of a unit.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn end(&self) -> gimli::Error {
        gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(0))
    }

    #[inline]
    fn skip(&mut self, bytes: usize) -> gimli::Result<()> {
        self.0 = self.0.get(bytes..).ok_or_else(|| self.end())?;
        Ok(())
    }

    #[inline]
    fn byte(&mut self) -> gimli::Result<u8> {
        let (byte, rest) = self.0.split_first().ok_or_else(|| self.end())?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    fn leb(&mut self) -> gimli::Result<u64> {
        let first = self.byte()?;
        if first & 0x80 == 0 { Ok(u64::from(first)) } else { self.long_leb(first) }
    }

    fn long_leb(&mut self, first: u8) -> gimli::Result<u64> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(gimli::Error::BadUnsignedLeb128)
    }

    fn pass(&mut self, pass: Pass, encoding: Encoding) -> gimli::Result<()> {
        match pass {
            Pass::Bytes(bytes) => self.skip(bytes),
            Pass::Leb => {
                while self.byte()? & 0x80 != 0 {}
                Ok(())
            }
            Pass::String => {
                let end = memchr::memchr(0, self.0).ok_or_else(|| self.end())?;
                self.skip(end.saturating_add(1))
            }
            Pass::Block(width) => {
                let count = self.0.get(..width).ok_or_else(|| self.end())?;
                let count = count.iter().rev().fold(0_usize, |count, byte| (count << 8) | usize::from(*byte));
                self.skip(width.saturating_add(count))
            }
            Pass::LebBlock => {
                let count = self.leb()?;
                self.skip(usize::try_from(count).map_err(|_| gimli::Error::UnsupportedOffset)?)
            }
            Pass::Indirect => {
                let form = u16::try_from(self.leb()?).map_err(|_| gimli::Error::BadUnsignedLeb128)?;
                match pass_of(gimli::DwForm(form), encoding)? {
                    // Nothing stands in the abbreviation of a form that stands here.
                    Pass::Indirect => Err(gimli::Error::UnknownForm(gimli::DwForm(form))),
                    pass => self.pass(pass, encoding),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;
    use crate::dies::DieReader;

    /// Everything in a unit as `gimli` reads it: where, how deep, what; `None` ends children.
    fn read(unit: &gimli::Unit<Slice<'_>>) -> Vec<(usize, isize, Option<gimli::DwTag>)> {
        let mut all = Vec::new();
        let mut entries = unit.entries_raw(None).unwrap();
        while !entries.is_empty() {
            let (offset, depth) = (entries.next_offset().0, entries.next_depth());
            let abbreviation = entries.read_abbreviation().unwrap();
            if let Some(abbreviation) = abbreviation {
                entries.skip_attributes(abbreviation.attributes()).unwrap();
            }
            let tag = abbreviation.map(Abbreviation::tag);
            all.push((if tag.is_some() { offset } else { entries.next_offset().0 }, depth, tag));
        }
        all
    }

    #[test]
    fn nothing_is_overlooked() {
        let image = Image::open(&std::env::current_exe().unwrap()).unwrap();
        let mut dies = 0;
        for index in 0..image.units().list().len() {
            let reader = DieReader::of_unit(&image, index).unwrap();
            let mut met = Vec::new();
            let note = |one: Met<'_>| match one {
                Met::Die(offset, depth, kind) => met.push((offset.0, depth, Some(kind.tag))),
                Met::End(offset, depth) => met.push((offset.0, depth, None)),
            };
            skim(reader.unit(), note).unwrap();
            assert_eq!(met, read(reader.unit()), "unit {index}");
            dies += met.len();
        }
        assert!(dies > 100_000, "{dies}");
    }
}
