//! Many small reads of a memory that is slow to ask.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::{Copied, MemAddr, Memory, MemoryError, Region};

/// Bytes that are copied in the time that one small read takes, about.
const BYTES_PER_READ: u64 = 256;

/// A memory for walks of which nobody knows how much they will read: it is asked read by read until that has cost as much as
/// copying all that is likely to be read, and is copied then. So a short walk costs no copy, and a long one at most twice
/// the least it can.
pub struct Amortised {
    memory: Arc<dyn Memory>,
    parts: Vec<Range<MemAddr>>,
    /// What reading may still cost, in reads.
    left: AtomicU64,
    copy: OnceLock<Copied>,
}

impl Amortised {
    /// Of `memory`; `parts` of it are worth copying unless they have more than `most` bytes.
    pub fn new(memory: Arc<dyn Memory>, parts: Vec<Range<MemAddr>>, most: u64) -> Self {
        let size = Copied::size(&parts);
        let reads = if size > most { u64::MAX } else { size.checked_div(BYTES_PER_READ).unwrap_or(0) };
        Self { memory, parts, left: AtomicU64::new(reads), copy: OnceLock::new() }
    }

    /// Whether a read of that many bytes is the one that makes the copy pay.
    fn pays(&self, length: usize) -> bool {
        let cost = (length as u64).checked_div(BYTES_PER_READ).unwrap_or(0).max(1);
        let spend = |left: u64| if left == u64::MAX { None } else { Some(left.saturating_sub(cost)) };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok_and(|left| left <= cost)
    }
}

impl Memory for Amortised {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        match self.copy.get() {
            Some(copy) => copy.read(address, buffer),
            None if self.pays(buffer.len()) => {
                self.copy.get_or_init(|| Copied::of(&self.memory, &self.parts)).read(address, buffer)
            }
            None => self.memory.read(address, buffer),
        }
    }

    fn region(&self, address: MemAddr) -> Option<Region> {
        self.memory.region(address)
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        self.memory.writable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bytes;

    /// Counts what is asked of it.
    struct Counting(Bytes, AtomicU64);

    impl Memory for Counting {
        fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(address, buffer)
        }
    }

    /// How often the memory behind is asked for `reads` reads of a program of 2,560 bytes.
    fn asked(reads: u64, most: u64) -> u64 {
        let start = MemAddr::new(0x1000);
        let counting = Arc::new(Counting(Bytes::new().with(start, vec![7; 2560]), AtomicU64::new(0)));
        let all = start..start.offset(2560);
        let memory = Amortised::new(Arc::clone(&counting) as Arc<dyn Memory>, vec![all], most);
        assert!((0..reads).all(|index| memory.read_u8(start.offset(index as i64)) == Ok(7)));
        counting.1.load(Ordering::Relaxed)
    }

    #[test]
    fn it_is_copied_once_reading_has_cost_as_much() {
        assert_eq!(asked(9, 2560), 9);
        assert_eq!(asked(1_000, 2560), 10, "nine reads and a copy");
        assert_eq!(asked(1_000, 2559), 1_000, "it is too large to copy");
    }
}
