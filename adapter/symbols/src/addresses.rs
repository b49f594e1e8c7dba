//! Addresses to units: the merged `.debug_aranges`, and the roots' own ranges for units that have no set there.
//!
//! The table covers data as well as code: every vtable and static was found in its own unit. Thread-local variables are
//! not in it.

use std::sync::OnceLock;

use gimli::SectionId;
use weft_memory::FileAddr;

use crate::Image;
use crate::dies::DieReader;
use crate::units::UnitIndex;

/// Padding between two functions of one unit; a larger gap may belong to another unit.
const MAX_GAP: u64 = 15;
/// Ranges looked at before the one that begins last: some linkers fold equal functions, which makes ranges overlap.
const OVERLAPS: usize = 8;
/// Bytes of `.debug_aranges` read at a time.
const WINDOW: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
    unit: u32,
}

/// Which unit an address belongs to.
#[derive(Debug)]
pub(crate) struct Addresses {
    spans: Vec<Span>,
    /// Units without a set, and what their roots say; read when an address is in no set.
    left_over: Vec<UnitIndex>,
    from_roots: OnceLock<Vec<Span>>,
}

impl Addresses {
    fn read(image: &Image) -> Self {
        let mut spans = Vec::new();
        let mut has_set = vec![false; image.units().own().len()];
        let mut reader = SetReader { image, offset: 0, buffer: Vec::new(), start: 0 };
        while let Some(set) = reader.next_set() {
            let Some(unit) = image.units().starting_at(set.unit) else { continue };
            if let Some(has) = has_set.get_mut(unit) {
                *has = true;
            }
            let Ok(unit) = u32::try_from(unit) else { break };
            let mut ranges = set.ranges;
            ranges.retain(|(start, length)| *length != 0 && image.is_loaded(*start));
            ranges.sort_unstable();
            for (start, length) in ranges {
                push_merged(&mut spans, Span { start, end: start.saturating_add(length), unit });
            }
        }
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        spans.shrink_to_fit();
        let left_over = has_set.iter().enumerate().filter(|(_, has)| !**has).map(|(index, _)| index).collect();
        Self { spans, left_over, from_roots: OnceLock::new() }
    }

    fn find(&self, image: &Image, address: u64) -> Option<UnitIndex> {
        find_span(&self.spans, address).or_else(|| {
            let spans = self.from_roots.get_or_init(|| image.spans_of_roots(&self.left_over));
            find_span(spans, address)
        })
    }
}

fn push_merged(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last)
            if last.unit == span.unit && span.start >= last.start && span.start <= last.end.saturating_add(MAX_GAP) =>
        {
            last.end = last.end.max(span.end);
        }
        _ => spans.push(span),
    }
}

fn find_span(spans: &[Span], address: u64) -> Option<UnitIndex> {
    let next = spans.partition_point(|span| span.start <= address);
    let near = spans.get(next.saturating_sub(OVERLAPS)..next)?;
    let span = near.iter().rev().find(|span| address < span.end)?;
    usize::try_from(span.unit).ok()
}

impl Image {
    /// The unit whose code (or static data) an address belongs to.
    pub(crate) fn unit_at(&self, address: FileAddr) -> Option<UnitIndex> {
        self.address_table().get_or_init(|| Addresses::read(self)).find(self, address.raw())
    }

    /// Whether there is debug information for the code (or static data) at an address.
    pub fn has_unit_at(&self, address: FileAddr) -> bool {
        self.unit_at(address).is_some()
    }

    /// Whether an address lies in a part of the file that is loaded; that of a dropped static is 0.
    pub(crate) fn is_loaded(&self, address: u64) -> bool {
        address != 0 && self.segments().iter().any(|segment| segment.addresses.contains(&FileAddr::new(address)))
    }

    fn spans_of_roots(&self, units: &[UnitIndex]) -> Vec<Span> {
        let mut spans = Vec::new();
        for index in units {
            if let Err(error) = self.root_spans(*index, &mut spans) {
                tracing::debug!(%error, "a unit's ranges cannot be read");
            }
        }
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        spans
    }

    fn root_spans(&self, index: UnitIndex, spans: &mut Vec<Span>) -> Result<(), crate::SymbolError> {
        let reader = DieReader::of_root(self, index)?;
        let malformed = |error| self.malformed(error);
        let mut ranges = reader.dwarf().unit_ranges(reader.unit()).map_err(malformed)?;
        let mut own = Vec::new();
        while let Some(range) = ranges.next().map_err(malformed)? {
            if range.begin < range.end && self.is_loaded(range.begin) {
                own.push((range.begin, range.end));
            }
        }
        own.sort_unstable();
        let Ok(unit) = u32::try_from(index) else { return Ok(()) };
        for (start, end) in own {
            push_merged(spans, Span { start, end, unit });
        }
        Ok(())
    }
}

/// One unit's addresses.
struct Set {
    /// The unit's offset in `.debug_info`.
    unit: usize,
    /// Starts and lengths.
    ranges: Vec<(u64, u64)>,
}

/// Reads `.debug_aranges` front to back through a small buffer.
struct SetReader<'a> {
    image: &'a Image,
    /// Of the next set.
    offset: usize,
    buffer: Vec<u8>,
    /// Where the buffer's first byte lies.
    start: usize,
}

impl SetReader<'_> {
    fn next_set(&mut self) -> Option<Set> {
        let (length, at) = {
            let head = self.bytes(self.offset, 12)?;
            match u32::from_le_bytes(*head.first_chunk()?) {
                0xffff_ffff => (usize::try_from(u64::from_le_bytes(*head.get(4..)?.first_chunk()?)).ok()?, 12),
                short => (usize::try_from(short).ok()?, 4),
            }
        };
        let (offset, total) = (self.offset, length.checked_add(at)?);
        self.offset = offset.checked_add(total)?;
        let is_64_bit = at == 12;
        let bytes = self.bytes(offset, total)?;
        // version (2), offset of the unit (4 or 8), address size, segment selector size
        let unit_at = at.checked_add(2)?;
        let (unit, header) = if is_64_bit {
            (u64::from_le_bytes(*bytes.get(unit_at..)?.first_chunk()?), 24_usize)
        } else {
            (u64::from(u32::from_le_bytes(*bytes.get(unit_at..)?.first_chunk()?)), 12)
        };
        let sizes = bytes.get(header.checked_sub(2)?..)?.first_chunk::<2>()?;
        let mut ranges = Vec::new();
        if *sizes == [8, 0] {
            // Pairs are aligned to their own size.
            let pairs = bytes.get(header.next_multiple_of(16)..)?;
            let word = |pair: &[u8], at: usize| Some(u64::from_le_bytes(*pair.get(at..)?.first_chunk()?));
            ranges.extend(pairs.chunks_exact(16).filter_map(|pair| Some((word(pair, 0)?, word(pair, 8)?))));
        }
        Some(Set { unit: usize::try_from(unit).ok()?, ranges })
    }

    fn bytes(&mut self, offset: usize, length: usize) -> Option<&[u8]> {
        let end = offset.checked_add(length)?;
        let buffered = self.start..self.start.saturating_add(self.buffer.len());
        if offset < buffered.start || end > buffered.end {
            let sections = self.image.sections();
            if end > sections.len(SectionId::DebugAranges) {
                return None;
            }
            sections.read_into(SectionId::DebugAranges, offset, length.max(WINDOW), &mut self.buffer);
            self.start = offset;
        }
        let from = offset.checked_sub(self.start)?;
        self.buffer.get(from..from.checked_add(length)?)
    }
}
