//! The info space: one numbering of all DIEs that belong to an image, whatever file they lie in.
//!
//! | places | what lies there |
//! |---|---|
//! | from 0 | the image's own `.debug_info` |
//! | behind it | its `.debug_types` (DWARF 4) |
//! | behind that | the `.debug_info` of its supplementary file |
//! | from 2^63 | split units, 4 GiB for each: the unit's index, then the offset in the unit |
//!
//! So a place depends on the image and its supplementary file alone: no split file has to be opened to know where its DIEs
//! are, and none has to be there.

use gimli::{AttributeValue, UnitOffset};

use crate::DieOffset;
use crate::sections::Slice;
use crate::units::UnitIndex;

/// Marks places in split units.
const SPLIT: usize = 1 << 63;
/// Bits of a place in a split unit that are the offset in the unit.
const SPLIT_BITS: u32 = 32;

/// What a place in the info space is in, as far as the place alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    /// A unit of the image's own file or its supplementary file.
    Listed,
    /// The split half of this unit.
    Split(UnitIndex),
}

/// What a place is in.
pub(crate) fn region(die: DieOffset) -> Region {
    if die.0 & SPLIT == 0 { Region::Listed } else { Region::Split((die.0 & !SPLIT) >> SPLIT_BITS) }
}

/// Where a unit lies in the info space: the bridge between offsets in the unit, in its section, and in the space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitPlace {
    /// Of the unit's header.
    start: usize,
    /// Header included.
    length: usize,
    /// Of the beginning of the `.debug_info` that `DW_FORM_ref_addr` counts from.
    section: usize,
    /// The supplementary file's part of the space, if there is such a file.
    supplementary: Option<usize>,
}

impl UnitPlace {
    /// A unit of the image's own file, or of its supplementary file.
    pub(crate) fn listed(start: usize, length: usize, section: usize, supplementary: Option<usize>) -> Self {
        Self { start, length, section, supplementary }
    }

    /// The split half of a unit, which lies at an offset of its `.debug_info.dwo`. `None`: it is too long, or there are
    /// too many.
    pub(crate) fn split(unit: UnitIndex, offset: usize, length: usize, supplementary: Option<usize>) -> Option<Self> {
        if unit >= SPLIT >> SPLIT_BITS || length >> SPLIT_BITS != 0 {
            return None;
        }
        let start = SPLIT | (unit << SPLIT_BITS);
        Some(Self { start, length, section: start.checked_sub(offset)?, supplementary })
    }

    /// A DIE of the unit.
    pub(crate) fn die(self, offset: UnitOffset) -> Option<DieOffset> {
        (offset.0 < self.length).then(|| self.start.checked_add(offset.0).map(DieOffset))?
    }

    /// A DIE's offset in the unit, if it is in it.
    pub(crate) fn local(self, die: DieOffset) -> Option<UnitOffset> {
        die.0.checked_sub(self.start).filter(|offset| *offset < self.length).map(UnitOffset)
    }

    /// The DIE that an attribute of the unit refers to, whatever unit it is in. Nothing in a split file refers to another
    /// unit of it.
    pub(crate) fn reference(self, value: AttributeValue<Slice<'_>>) -> Option<DieOffset> {
        match value {
            AttributeValue::UnitRef(offset) => self.die(offset),
            AttributeValue::DebugInfoRef(offset) => {
                let die = DieOffset(self.section.checked_add(offset.0)?);
                let reachable = if self.start & SPLIT == 0 { die.0 & SPLIT == 0 } else { self.local(die).is_some() };
                reachable.then_some(die)
            }
            AttributeValue::DebugInfoRefSup(offset) => self.supplementary?.checked_add(offset.0).map(DieOffset),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gimli::DebugInfoOffset;

    use super::*;

    #[test]
    fn units_of_all_files_have_places_of_their_own() {
        let listed = UnitPlace::listed(100, 50, 0, Some(1000));
        assert_eq!(listed.die(UnitOffset(20)), Some(DieOffset(120)));
        assert_eq!(listed.die(UnitOffset(50)), None);
        assert_eq!(listed.local(DieOffset(149)), Some(UnitOffset(49)));
        assert_eq!(listed.local(DieOffset(150)), None);
        assert_eq!(listed.reference(AttributeValue::DebugInfoRef(DebugInfoOffset(7))), Some(DieOffset(7)));
        assert_eq!(listed.reference(AttributeValue::DebugInfoRefSup(DebugInfoOffset(7))), Some(DieOffset(1007)));
        let supplementary = UnitPlace::listed(1100, 50, 1000, None);
        assert_eq!(supplementary.reference(AttributeValue::DebugInfoRef(DebugInfoOffset(7))), Some(DieOffset(1007)));
        assert_eq!(supplementary.reference(AttributeValue::DebugInfoRefSup(DebugInfoOffset(7))), None);
    }

    #[test]
    fn a_split_unit_is_known_by_the_unit_it_belongs_to() {
        let split = UnitPlace::split(3, 40, 60, None).unwrap();
        let die = split.die(UnitOffset(11)).unwrap();
        assert_eq!(region(die), Region::Split(3));
        assert_eq!(split.local(die), Some(UnitOffset(11)));
        assert_eq!(UnitPlace::split(4, 40, 60, None).unwrap().local(die), None);
        // Counted from the file's beginning, where another unit lies.
        assert_eq!(split.reference(AttributeValue::DebugInfoRef(DebugInfoOffset(51))), Some(die));
        assert_eq!(split.reference(AttributeValue::DebugInfoRef(DebugInfoOffset(39))), None);
        assert_eq!(split.reference(AttributeValue::DebugInfoRef(DebugInfoOffset(100))), None);
        assert_eq!(region(DieOffset(1 << 40)), Region::Listed);
        assert!(UnitPlace::split(3, 0, 1 << 32, None).is_none());
        assert!(UnitPlace::split(1 << 31, 0, 1, None).is_none());
    }
}
