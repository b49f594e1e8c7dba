//! The info space: one numbering of all DIEs that belong to an image, whatever file they lie in.

use gimli::{AttributeValue, UnitOffset};

use crate::DieOffset;
use crate::sections::Slice;

/// Where a unit lies in the info space: the bridge between offsets in the unit, in its section, and in the space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitPlace {
    /// Of the unit's header.
    start: usize,
}

impl UnitPlace {
    /// A unit that lies in the image's own `.debug_info`.
    pub(crate) fn new(start: usize) -> Self {
        Self { start }
    }

    /// A DIE of the unit.
    pub(crate) fn die(self, offset: UnitOffset) -> Option<DieOffset> {
        self.start.checked_add(offset.0).map(DieOffset)
    }

    /// A DIE's offset in the unit; it may lie behind the unit's end.
    pub(crate) fn local(self, die: DieOffset) -> Option<UnitOffset> {
        die.0.checked_sub(self.start).map(UnitOffset)
    }

    /// The DIE that an attribute of the unit refers to, whatever unit it is in.
    pub(crate) fn reference(self, value: AttributeValue<Slice<'_>>) -> Option<DieOffset> {
        match value {
            AttributeValue::UnitRef(offset) => self.die(offset),
            AttributeValue::DebugInfoRef(offset) => Some(DieOffset(offset.0)),
            _ => None,
        }
    }
}
