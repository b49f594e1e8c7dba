//! The vtables of all kinds of tasks that a program can spawn.
//!
//! A vtable has no name: it is a constant, found in the file's data as relocated by the loader, by the address of its
//! `poll` function.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_memory::{FileAddr, MemAddr, Memory};
use weft_symbols::{Image, Module};
use weft_values::Stop;

use super::cell::{Cell, Cells, POLL};

/// Most functions that poll tasks, in one file; each place that spawns makes one.
const MAX_POLLS: usize = 64 * 1024;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Where unreadable memory is gone on behind.
const PAGE: u64 = 4096;

/// The vtables of one file.
#[derive(Debug)]
struct OfImage {
    /// It is found again by its address: as long as it is kept, no other can have that.
    _image: Arc<Image>,
    vtables: Vec<(FileAddr, Arc<Cell>)>,
}

/// The vtables met so far, by image.
#[derive(Debug, Default)]
pub(crate) struct KnownVtables(RwLock<FxHashMap<usize, Arc<OfImage>>>);

/// Vtables where they lie in memory.
#[derive(Debug)]
pub(crate) struct Vtables {
    kinds: FxHashMap<u64, Arc<Cell>>,
    /// All of them lie here.
    range: Range<u64>,
}

impl Vtables {
    /// Of all files of the program.
    pub(crate) fn of(stop: &Stop, cells: &Cells) -> Self {
        let mut kinds = FxHashMap::default();
        for module in stop.modules.iter() {
            for (at, cell) in &cells.vtables.of(stop, cells, module).vtables {
                kinds.insert(module.bias.to_memory(*at).raw(), Arc::clone(cell));
            }
        }
        let low = kinds.keys().min().copied().unwrap_or(0);
        let high = kinds.keys().max().map_or(0, |last| last.saturating_add(1));
        Self { kinds, range: low..high }
    }

    /// The kind of task whose vtable lies at the address that this word is, if one does.
    pub(crate) fn kind(&self, word: u64) -> Option<&Arc<Cell>> {
        if self.range.contains(&word) { self.kinds.get(&word) } else { None }
    }

    /// There is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

impl KnownVtables {
    fn of(&self, stop: &Stop, cells: &Cells, module: &Module) -> Arc<OfImage> {
        let key = Arc::as_ptr(&module.image) as usize;
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let found = Arc::new(OfImage { _image: Arc::clone(&module.image), vtables: find(stop, cells, module) });
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&found));
        found
    }
}

fn find(stop: &Stop, cells: &Cells, module: &Module) -> Vec<(FileAddr, Arc<Cell>)> {
    let polls = module.image.functions(POLL).into_iter().take(MAX_POLLS);
    let polls: FxHashMap<u64, Arc<Cell>> = polls
        .filter_map(|poll| {
            let address = module.bias.to_memory(poll.address);
            Some((address.raw(), cells.polled_by(stop, address).ok()?))
        })
        .collect();
    let mut found = Vec::new();
    if polls.is_empty() {
        return found;
    }
    let data = module.image.segments().iter().filter(|segment| !segment.executable);
    let place = |at: FileAddr| module.bias.to_memory(at);
    let ranges: Vec<_> = data.map(|segment| place(segment.addresses.start)..place(segment.addresses.end)).collect();
    words(&*stop.memory, &ranges, u64::MAX, &mut |address, word| {
        let Some(cell) = polls.get(&word) else { return };
        let offset = cell.layout.as_ref().map_or(0, |layout| layout.header.poll);
        let vtable = address.raw().checked_sub(offset).map(MemAddr::new);
        found.extend(vtable.map(|vtable| (module.bias.to_file(vtable), Arc::clone(cell))));
    });
    found
}

/// Shows every readable aligned word of some ranges, at most `most` bytes of them; says how many bytes were left out.
pub(crate) fn words(
    memory: &dyn Memory,
    ranges: &[Range<MemAddr>],
    most: u64,
    each: &mut dyn FnMut(MemAddr, u64),
) -> u64 {
    let mut buffer = vec![0; PIECE];
    let mut left = most;
    let mut skipped: u64 = 0;
    for range in ranges {
        let end = range.end.raw();
        let mut at = range.start.raw().checked_next_multiple_of(8).unwrap_or(end);
        while at < end {
            let wanted = end.saturating_sub(at).min(PIECE as u64);
            if wanted > left {
                skipped = skipped.saturating_add(end.saturating_sub(at));
                break;
            }
            let room = usize::try_from(wanted).ok().and_then(|wanted| buffer.get_mut(..wanted));
            let Some(piece) = room else { break };
            let count = memory.read(MemAddr::new(at), piece).unwrap_or(0);
            let read = piece.get(..count).unwrap_or_default();
            for (index, word) in (0_u64..).zip(read.chunks_exact(8)) {
                let Ok(word) = <[u8; 8]>::try_from(word) else { continue };
                let address = MemAddr::new(at.wrapping_add(index.wrapping_mul(8)));
                each(address, u64::from_le_bytes(word));
            }
            let next = at.saturating_add(count as u64);
            // What cannot be read is gone round by a page.
            let behind = (next & !(PAGE.wrapping_sub(1))).saturating_add(PAGE);
            let whole = count as u64 == wanted;
            left = left.saturating_sub(wanted.min(count.max(1) as u64));
            at = if whole { next } else { behind };
        }
    }
    skipped
}

#[cfg(test)]
mod tests {
    use weft_memory::Bytes;

    use super::*;

    /// The words of ranges of addresses, with their addresses; and how many bytes were left out.
    fn seen(memory: &Bytes, ranges: &[(u64, u64)], most: u64) -> (Vec<(u64, u64)>, u64) {
        let ranges: Vec<_> = ranges.iter().map(|(start, end)| MemAddr::new(*start)..MemAddr::new(*end)).collect();
        let mut seen = Vec::new();
        let left_out = words(memory, &ranges, most, &mut |at, word| seen.push((at.raw(), word)));
        (seen, left_out)
    }

    #[test]
    fn every_word_is_seen_once() {
        let memory = Bytes::new().with_words(MemAddr::new(0x1000), &[1, 2, 3]);
        assert_eq!(seen(&memory, &[(0x1000, 0x1018)], 100), (vec![(0x1000, 1), (0x1008, 2), (0x1010, 3)], 0));
    }

    #[test]
    fn what_cannot_be_read_is_passed() {
        let memory = Bytes::new().with_words(MemAddr::new(0x1000), &[1]).with_words(MemAddr::new(0x3000), &[2]);
        assert_eq!(seen(&memory, &[(0, 0x5000)], 0x10000), (vec![(0x1000, 1), (0x3000, 2)], 0));
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let memory = Bytes::new().with_words(MemAddr::new(0x1000), &[1; 4]);
        assert_eq!(seen(&memory, &[(0x1000, 0x1010), (0x1010, 0x1020)], 16).1, 16);
        assert_eq!(seen(&memory, &[(u64::MAX - 8, u64::MAX)], 16), (vec![], 0));
    }
}
