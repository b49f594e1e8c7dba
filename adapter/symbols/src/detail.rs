//! How much the debug information says of some code.

use crate::dies::{DieReader, Visit};
use crate::units::UnitIndex;
use crate::{CodeFrame, Image, SymbolError};

/// What the unit of some code was told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Variables and types, if there are any in the source.
    Full,
    /// Functions by their paths and lines: `debug = 1`.
    Functions,
    /// Lines, and the bare names of functions: `debug = "line-tables-only"`.
    Lines,
}

impl CodeFrame {
    /// How much the debug information says of the code that this function was compiled with. Of an inlined copy too, it
    /// is the unit of the code that counts: what is not described there is not described for the copy.
    pub fn detail(&self) -> Detail {
        let unit = self.image.units().containing(self.die);
        unit.map_or(Detail::Full, |unit| self.image.detail(unit))
    }
}

impl Image {
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
