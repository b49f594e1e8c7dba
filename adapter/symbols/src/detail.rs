//! How much the debug information says of some code.

use weft_memory::FileAddr;

use crate::dies::{DieReader, Visit};
use crate::units::UnitIndex;
use crate::{Image, SymbolError};

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

    /// One variable or type is enough to know that such things were kept. A unit without any is read to its end.
    fn read_detail(&self, unit: UnitIndex) -> Result<Detail, SymbolError> {
        let reader = DieReader::of_unit(self, unit)?;
        let root = reader.entry(reader.unit().header.root_offset())?;
        if root.has_attr(gimli::DW_AT_dwo_name) || root.has_attr(gimli::DW_AT_GNU_dwo_name) {
            // What it kept is in another file.
            return Ok(Detail::Full);
        }
        let mut detail = Detail::Lines;
        let kept = |tag| !matches!(tag, gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine);
        reader.walk(reader.unit().header.root_offset(), kept, |entry, _| match entry.tag() {
            gimli::DW_TAG_namespace | gimli::DW_TAG_module => {
                detail = Detail::Functions;
                Ok(Visit::Into)
            }
            gimli::DW_TAG_lexical_block | gimli::DW_TAG_call_site | gimli::DW_TAG_GNU_call_site => Ok(Visit::Into),
            _ => {
                detail = Detail::Full;
                Ok(Visit::Stop)
            }
        })?;
        Ok(detail)
    }
}
