//! A pass over a program's memory for words that betray tasks: what no list and no thread leads to.

use std::ops::Range;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::{FunctionEntry, Module};
use weft_values::Stop;

/// Most bytes that one pass reads.
const MOST_BYTES: u64 = 512 << 20;

/// Bytes that are read at a time.
const PIECE: u64 = 1 << 20;

const WORD: u64 = 8;

/// Words found in a program's own memory.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    /// Where a word lies, and which; by rising address.
    pub(crate) hits: Vec<(MemAddr, u64)>,
    /// There was more memory than is looked at.
    pub(crate) cut: bool,
}

impl Heap {
    /// Looks for words in what the program has written for itself, except on its threads' stacks, where copies of what
    /// was moved away stay behind.
    pub(crate) fn scan(stop: &Stop, wanted: &FxHashSet<u64>) -> Self {
        let is_stack =
            |range: &Range<MemAddr>| stop.threads.iter().any(|thread| range.contains(&thread.registers.sp()));
        Self::of_regions(stop, wanted, &|range| !is_stack(range))
    }

    /// The same on the stacks too: for whoever can tell a copy.
    pub(crate) fn with_stacks(stop: &Stop, wanted: &FxHashSet<u64>) -> Self {
        Self::of_regions(stop, wanted, &|_| true)
    }

    fn of_regions(stop: &Stop, wanted: &FxHashSet<u64>, is_wanted: &dyn Fn(&Range<MemAddr>) -> bool) -> Self {
        let mut found = Self::default();
        if wanted.is_empty() {
            return found;
        }
        let mut left = MOST_BYTES;
        for region in stop.memory.writable().into_iter().filter(is_wanted) {
            let length = region.end.since(region.start).unwrap_or(0);
            let read = length.min(left);
            left = left.saturating_sub(read);
            found.cut |= read < length;
            words(stop, region.start, read, wanted, &mut found.hits);
        }
        found
    }

    /// Where one of these words lies.
    pub(crate) fn of<'a>(&'a self, words: &'a FxHashSet<u64>) -> impl Iterator<Item = (MemAddr, u64)> + 'a {
        self.hits.iter().copied().filter(|(_, word)| words.contains(word))
    }
}

/// The vtables that lead to these functions of a module: where pointers to them lie in the module's own data, less the
/// pointer's offset in a vtable.
pub(crate) fn vtables(stop: &Stop, module: &Module, functions: &[FunctionEntry], offset: u64) -> FxHashSet<u64> {
    let entries = functions.iter().filter(|function| function.address.raw() != 0);
    let wanted: FxHashSet<u64> = entries.map(|function| module.bias.to_memory(function.address).raw()).collect();
    let mut hits = Vec::new();
    if wanted.is_empty() {
        return FxHashSet::default();
    }
    for segment in module.image.segments().iter().filter(|segment| !segment.executable) {
        let start = module.bias.to_memory(segment.addresses.start);
        let length = segment.addresses.end.raw().saturating_sub(segment.addresses.start.raw());
        words(stop, start, length.min(MOST_BYTES), &wanted, &mut hits);
    }
    hits.into_iter().filter_map(|(at, _)| at.raw().checked_sub(offset)).collect()
}

/// Looks for words in `length` bytes from `start` on; what cannot be read is passed over piece by piece.
fn words(stop: &Stop, start: MemAddr, length: u64, wanted: &FxHashSet<u64>, hits: &mut Vec<(MemAddr, u64)>) {
    let (low, high) = (wanted.iter().min().copied().unwrap_or(0), wanted.iter().max().copied().unwrap_or(0));
    let aligned = start.raw().next_multiple_of(WORD);
    let end = start.raw().saturating_add(length);
    let mut buffer = vec![0; usize::try_from(PIECE.min(length)).unwrap_or(0)];
    let mut at = aligned;
    while at < end {
        let room = usize::try_from(end.saturating_sub(at).min(PIECE)).unwrap_or(0);
        let count =
            buffer.get_mut(..room).and_then(|piece| stop.memory.read(MemAddr::new(at), piece).ok()).unwrap_or(0);
        let (whole, _) = buffer.get(..count).unwrap_or_default().as_chunks::<8>();
        for (index, bytes) in whole.iter().enumerate() {
            let word = u64::from_le_bytes(*bytes);
            // Most words are none of those: the range tells at once.
            if (low..=high).contains(&word) && wanted.contains(&word) {
                hits.push((MemAddr::new(at.saturating_add((index as u64).saturating_mul(WORD))), word));
            }
        }
        at = at.saturating_add(PIECE);
    }
}
