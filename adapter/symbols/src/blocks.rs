//! Which function, inlined copy and lexical block some addresses lie in: one walk over a unit's DIEs.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use gimli::{AttributeValue, EntriesRaw};

use crate::dies::DieReader;
use crate::sections::Slice;
use crate::units::UnitIndex;
use crate::{DieOffset, Image};

/// References followed from a copy to the DIE that has its name.
const MAX_ORIGINS: usize = 8;

/// What an address lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The concrete function's DIE.
    pub(crate) function: DieOffset,
    /// The part of the concrete function's code the address is in; begins at its entry for all but split functions.
    pub(crate) code: Range<u64>,
    /// The innermost inlined copy, or the concrete function again.
    pub(crate) innermost: DieOffset,
    /// The innermost inlined copy or lexical block, or the concrete function again.
    pub(crate) block: DieOffset,
}

impl Image {
    /// What each of the addresses (ascending) of a unit lies in; `None` for those outside all functions. A unit that
    /// breaks off gives what was read.
    pub(crate) fn blocks_of(&self, unit: UnitIndex, addresses: &[u64]) -> Vec<Option<Block>> {
        let mut walk = Walk { addresses, found: vec![None; addresses.len()], ranges: Vec::new() };
        if let Ok(reader) = DieReader::of_unit(self, unit)
            && let Err(error) = walk.run(&reader)
        {
            tracing::debug!(%error, file = %self.name(), "a unit breaks off");
        }
        walk.found
    }

    /// How the source declares the function at a DIE, from there and from the DIEs it is a copy of.
    pub(crate) fn declaration(&self, die: DieOffset) -> Declaration {
        let mut found = Declaration::default();
        let mut next = Some(die);
        for _ in 0..MAX_ORIGINS {
            let Some(die) = next else { break };
            next = self.add_declaration(die, &mut found);
        }
        found
    }

    /// Adds what one DIE says; the DIE it is a copy of.
    fn add_declaration(&self, die: DieOffset, found: &mut Declaration) -> Option<DieOffset> {
        let (reader, entry) = DieReader::read(self, die).ok()?;
        if found.name.is_none() {
            found.name = reader.name(&entry);
        }
        let number = |name| entry.attr_value(name).and_then(|value: AttributeValue<Slice<'_>>| value.udata_value());
        if found.file.is_none()
            && let Some(AttributeValue::FileIndex(file)) = entry.attr_value(gimli::DW_AT_decl_file)
        {
            found.file = self.unit_file(reader.index(), file);
            found.line = number(gimli::DW_AT_decl_line).and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        }
        let origin = reader.reference(&entry, gimli::DW_AT_abstract_origin);
        origin.or_else(|| reader.reference(&entry, gimli::DW_AT_specification))
    }
}

/// How the source declares a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declaration {
    pub(crate) name: Option<String>,
    pub(crate) file: Option<Arc<Path>>,
    /// 0 if it is not said.
    pub(crate) line: u32,
}

impl Declaration {
    /// Whether this is the poll function of a coroutine.
    pub(crate) fn is_coroutine(&self) -> bool {
        let begins = |begin: &str| self.name.as_ref().is_some_and(|name| name.starts_with(begin));
        begins("{async_fn#") || begins("{async_block#") || begins("{async_closure#")
    }

    /// Whether this is the compiler's `drop_in_place<T>`.
    pub(crate) fn is_drop_glue(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.starts_with("drop_in_place<"))
    }
}

struct Walk<'a> {
    addresses: &'a [u64],
    found: Vec<Option<Block>>,
    ranges: Vec<Range<u64>>,
}

impl Walk<'_> {
    fn run(&mut self, reader: &DieReader<'_>) -> gimli::Result<()> {
        let (dwarf, unit) = (reader.dwarf(), reader.unit());
        let mut entries = unit.entries_raw(None)?;
        // Depth of the function whose blocks are looked at: its children are deeper.
        let mut inside: Option<isize> = None;
        while !entries.is_empty() {
            let (depth, offset) = (entries.next_depth(), entries.next_offset());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            if inside.is_some_and(|function| depth <= function) {
                inside = None;
            }
            let tag = abbreviation.tag();
            let wanted = match tag {
                gimli::DW_TAG_subprogram => true,
                gimli::DW_TAG_inlined_subroutine | gimli::DW_TAG_lexical_block => inside.is_some(),
                _ => false,
            };
            if !wanted {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            self.read_ranges(dwarf, unit, &mut entries, abbreviation.attributes())?;
            let Some(die) = reader.absolute(offset) else { continue };
            if self.note(tag, die) && tag == gimli::DW_TAG_subprogram {
                inside = Some(depth);
            }
        }
        Ok(())
    }

    /// Reads a DIE's attributes and keeps the addresses it covers.
    fn read_ranges<'s>(
        &mut self,
        dwarf: &gimli::Dwarf<Slice<'s>>,
        unit: &gimli::Unit<Slice<'s>>,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        specs: &[gimli::AttributeSpecification],
    ) -> gimli::Result<()> {
        self.ranges.clear();
        let (mut low, mut high, mut ranges) = (None, None, None);
        for spec in specs {
            let attribute = entries.read_attribute(*spec)?;
            match attribute.name() {
                gimli::DW_AT_low_pc => low = dwarf.attr_address(unit, attribute.value())?,
                gimli::DW_AT_high_pc => high = Some(attribute.value()),
                gimli::DW_AT_ranges => ranges = dwarf.attr_ranges_offset(unit, attribute.value())?,
                _ => {}
            }
        }
        if let (Some(low), Some(high)) = (low, high) {
            let high = match high {
                AttributeValue::Udata(length) => low.saturating_add(length),
                value => dwarf.attr_address(unit, value)?.unwrap_or(low),
            };
            self.ranges.push(low..high);
        } else if let Some(offset) = ranges {
            let mut list = dwarf.ranges(unit, offset)?;
            while let Some(range) = list.next()? {
                self.ranges.push(range.begin..range.end);
            }
        }
        Ok(())
    }

    /// Marks the addresses that lie in the DIE just read. Blocks come after what encloses them, so the last mark is the
    /// innermost. Says whether there was any.
    fn note(&mut self, tag: gimli::DwTag, die: DieOffset) -> bool {
        let mut any = false;
        for range in &self.ranges {
            let from = self.addresses.partition_point(|address| *address < range.start);
            let to = self.addresses.partition_point(|address| *address < range.end);
            for found in self.found.get_mut(from..to).unwrap_or_default() {
                any = true;
                match found {
                    _ if tag == gimli::DW_TAG_subprogram => {
                        *found = Some(Block { function: die, code: range.clone(), innermost: die, block: die });
                    }
                    Some(block) => {
                        block.block = die;
                        if tag == gimli::DW_TAG_inlined_subroutine {
                            block.innermost = die;
                        }
                    }
                    None => {}
                }
            }
        }
        any
    }
}
