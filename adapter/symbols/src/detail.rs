//! How much the debug information says of some code.

use weft_memory::FileAddr;

use crate::dies::{DieReader, Visit};
use crate::units::UnitIndex;
use crate::{Image, SymbolError, Type};

/// Units of a crate that are looked at on either side of one: rustc makes at most 256 of one crate, unless told otherwise.
const MAX_NEIGHBOURS: usize = 256;

/// What the unit of some code was told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Variables and types, if there are any in the source.
    Full,
    /// Functions by their paths and lines: `debug = 1`.
    Functions,
    /// Lines, and the bare names of functions into which others were inlined: `debug = "line-tables-only"`.
    Lines,
}

impl Image {
    /// How much the debug information says of the code at an address; `None` where it says nothing.
    pub fn detail_at(&self, pc: FileAddr) -> Option<Detail> {
        self.unit_at(pc).map(|unit| self.detail(unit))
    }

    fn detail(&self, unit: UnitIndex) -> Detail {
        self.cache().details.get_or_make(unit, || match self.read_detail(unit) {
            Ok(detail) => detail,
            Err(error) => {
                // Nothing is said of what cannot be read.
                tracing::debug!(%error, unit, "a unit cannot be walked");
                Detail::Full
            }
        })
    }

    /// A unit of a crate may have no variable in its source; a crate that was told to keep them has one somewhere.
    fn read_detail(&self, unit: UnitIndex) -> Result<Detail, SymbolError> {
        let (detail, krate) = self.unit_detail(unit)?;
        if detail != Detail::Functions {
            return Ok(detail);
        }
        let of_crate = |neighbour: UnitIndex| {
            self.unit_detail(neighbour).ok().filter(|(_, of)| *of == krate).map(|(detail, _)| detail)
        };
        let own = self.units().own();
        // The linker keeps a crate's units together.
        let before = (own.start..unit).rev().take(MAX_NEIGHBOURS).map_while(of_crate);
        let after = (unit.saturating_add(1)..own.end).take(MAX_NEIGHBOURS).map_while(of_crate);
        // Of a unit that is no crate's nobody else can tell.
        let more = krate.is_none() || before.chain(after).any(|detail| detail == Detail::Full);
        Ok(if more { Detail::Full } else { detail })
    }

    /// What one unit says by itself, and the crate that it is a part of. One variable or type is enough to know that such
    /// things were kept. A unit without any is read to its end.
    fn unit_detail(&self, unit: UnitIndex) -> Result<(Detail, Option<String>), SymbolError> {
        let reader = DieReader::of_unit(self, unit)?;
        let root = reader.entry(reader.unit().header.root_offset())?;
        // rustc calls a unit `src/main.rs/@/shop.1234-cgu.0`.
        let krate = reader.name(&root).and_then(|name| Some(name.split_once("/@/")?.0.to_owned()));
        // Both halves of a split unit may name the file; this is the half that stayed if the other one is not there.
        let split = self.unit_root(unit)?.split.is_some() && !self.has_split(unit);
        let language = root.attr_value(gimli::DW_AT_language);
        let assembled = language == Some(gimli::AttributeValue::Language(gimli::DW_LANG_Mips_Assembler));
        if split || assembled {
            // What it kept is in another file; there is nothing to be kept.
            return Ok((Detail::Full, krate));
        }
        let mut detail = Detail::Lines;
        let kept = |tag| tag != gimli::DW_TAG_inlined_subroutine;
        reader.walk(reader.unit().header.root_offset(), kept, |entry, _| match entry.tag() {
            gimli::DW_TAG_namespace | gimli::DW_TAG_module => {
                detail = Detail::Functions;
                Ok(Visit::Into)
            }
            // Where lines alone are kept, a function does not say where its frame is. C without variables looks like C
            // whose variables were left out: nothing is said of it.
            gimli::DW_TAG_subprogram if detail == Detail::Functions || !entry.has_attr(gimli::DW_AT_frame_base) => {
                Ok(Visit::Into)
            }
            gimli::DW_TAG_lexical_block | gimli::DW_TAG_call_site | gimli::DW_TAG_GNU_call_site => Ok(Visit::Into),
            _ => {
                detail = Detail::Full;
                Ok(Visit::Stop)
            }
        })?;
        Ok((detail, krate))
    }
}

impl Type {
    /// What made the unit that describes this type: `clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))`.
    pub fn producer(&self) -> Option<String> {
        let (reader, _) = DieReader::at(self.image(), self.die()).ok()?;
        let root = reader.entry(reader.unit().header.root_offset()).ok()?;
        reader.string(&root, gimli::DW_AT_producer)
    }
}
