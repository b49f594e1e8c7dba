//! Many small reads of a memory that is slow to ask.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{MemAddr, Memory, MemoryError, Region};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Pages that are kept: 4 MiB.
const KEPT: u64 = 1024;
/// Pages that are read at once where a walk goes along.
const AHEAD: u64 = 16;

/// A memory for walks that nobody knows the length of: it keeps the pages that were read lately, a bounded number of
/// them. A walk that goes along memory, up or down, has it read in larger pieces; one that leaps about does not pay for what
/// lies around. Only for a memory that does not change.
pub struct Window {
    memory: Arc<dyn Memory>,
    pages: Mutex<Pages>,
}

/// Each page has one place where it is kept, by its number; others have the same.
#[derive(Default)]
struct Pages {
    /// Which page each place has; none at the beginning.
    numbers: Vec<Option<u64>>,
    bytes: Vec<u8>,
}

impl Pages {
    fn has(&self, page: u64) -> bool {
        let kept = usize::try_from(page % KEPT).ok().and_then(|place| self.numbers.get(place).copied());
        kept.flatten() == Some(page)
    }

    /// The bytes of a page's place.
    fn place(page: u64) -> Option<Range<usize>> {
        let start = usize::try_from((page % KEPT).checked_mul(PAGE)?).ok()?;
        Some(start..start.checked_add(usize::try_from(PAGE).ok()?)?)
    }

    /// A page that is kept.
    fn page(&self, page: u64) -> Option<&[u8]> {
        if self.has(page) { self.bytes.get(Self::place(page)?) } else { None }
    }

    fn keep(&mut self, page: u64, bytes: &[u8]) {
        if self.numbers.is_empty() {
            self.numbers = vec![None; usize::try_from(KEPT).unwrap_or(0)];
            self.bytes = vec![0; usize::try_from(KEPT.saturating_mul(PAGE)).unwrap_or(0)];
        }
        let slot = Self::place(page).and_then(|place| self.bytes.get_mut(place));
        let number = usize::try_from(page % KEPT).ok().and_then(|place| self.numbers.get_mut(place));
        if let (Some(slot), Some(number)) = (slot.filter(|slot| slot.len() == bytes.len()), number) {
            slot.copy_from_slice(bytes);
            *number = Some(page);
        }
    }

    /// Reads a page and, where the walk has come from its neighbour, what lies ahead. Only whole pages are kept.
    fn read(&mut self, memory: &dyn Memory, page: u64) {
        let ahead = AHEAD.saturating_sub(1);
        let first = match (page.checked_sub(1), page.checked_add(1)) {
            (Some(before), _) if self.has(before) => Some(page),
            (_, Some(behind)) if self.has(behind) => page.checked_sub(ahead),
            _ => None,
        };
        let run = first.and_then(|first| Some((first, read_pages(memory, first, AHEAD)?)));
        let run = run.filter(|(first, bytes)| page.saturating_sub(*first) < bytes.len() as u64 / PAGE);
        let Some((first, bytes)) = run.or_else(|| Some((page, read_pages(memory, page, 1)?))) else { return };
        let size = usize::try_from(PAGE).unwrap_or(usize::MAX);
        for (page, bytes) in (first..).zip(bytes.chunks_exact(size)) {
            self.keep(page, bytes);
        }
    }
}

/// As many pages from one on as there are.
fn read_pages(memory: &dyn Memory, first: u64, count: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(count.checked_mul(PAGE)?).ok()?];
    let read = memory.read(MemAddr::new(first.checked_mul(PAGE)?), &mut bytes).ok()?;
    bytes.truncate(read);
    Some(bytes)
}

impl Window {
    /// A view of a memory that does not change.
    pub fn new(memory: Arc<dyn Memory>) -> Self {
        Self { memory, pages: Mutex::default() }
    }

    /// Reads from one page; how much, none if the page is not there as a whole.
    fn read_page(&self, address: MemAddr, buffer: &mut [u8]) -> Option<usize> {
        let (page, offset) = (address.raw().checked_div(PAGE)?, usize::try_from(address.raw() % PAGE).ok()?);
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if !pages.has(page) {
            pages.read(&*self.memory, page);
        }
        let from = pages.page(page)?.get(offset..)?;
        let count = from.len().min(buffer.len());
        buffer.get_mut(..count)?.copy_from_slice(from.get(..count)?);
        Some(count)
    }
}

impl Memory for Window {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        if buffer.len() as u64 > PAGE {
            return self.memory.read(address, buffer);
        }
        let mut done: usize = 0;
        while let (Some(at), Some(rest)) = (address.checked_add(done as u64), buffer.get_mut(done..)) {
            if rest.is_empty() {
                break;
            }
            let Some(count) = self.read_page(at, rest) else {
                return match self.memory.read(at, rest) {
                    Err(error) if done == 0 => Err(error),
                    read => Ok(done.saturating_add(read.unwrap_or(0))),
                };
            };
            done = done.saturating_add(count);
        }
        Ok(done)
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Bytes;

    /// Counts what is asked of it.
    struct Counting(Bytes, AtomicUsize);

    impl Memory for Counting {
        fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(address, buffer)
        }
    }

    const START: u64 = 0x10_0000;

    fn byte_at(address: u64) -> u8 {
        (address / 3) as u8
    }

    /// So many bytes from [`START`] on.
    fn memory(length: u64) -> (Window, Arc<Counting>) {
        let bytes: Vec<u8> = (START..START + length).map(byte_at).collect();
        let counting = Arc::new(Counting(Bytes::new().with(MemAddr::new(START), bytes), AtomicUsize::new(0)));
        (Window::new(Arc::clone(&counting) as Arc<dyn Memory>), counting)
    }

    /// How often the memory behind is asked for the bytes at these addresses.
    fn asked(length: u64, addresses: impl Iterator<Item = u64>) -> usize {
        let (window, counting) = memory(length);
        for address in addresses {
            assert_eq!(window.read_u8(MemAddr::new(address)), Ok(byte_at(address)));
        }
        counting.1.load(Ordering::Relaxed)
    }

    #[test]
    fn a_walk_along_memory_has_it_read_in_larger_pieces() {
        let length = 64 * PAGE;
        assert_eq!(asked(length, START..START + length), 5, "one page, then 16 at a time");
        assert_eq!(asked(length, (START + 15 * PAGE..START + length).rev()), 4);
    }

    #[test]
    fn leaps_cost_a_page_each_and_only_once() {
        let leap = |index: u64| START + index * 7 % 64 * 3 * PAGE + index;
        assert_eq!(asked(64 * 3 * PAGE, (0..1_000).map(leap)), 64);
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let length = 3 * KEPT * PAGE;
        let (window, _) = memory(length);
        for address in (START..START + length).step_by(4096) {
            assert_eq!(window.read_u8(MemAddr::new(address)), Ok(byte_at(address)));
        }
        assert_eq!(window.pages.lock().expect("no reader panics").bytes.len() as u64, KEPT * PAGE);
    }

    #[test]
    fn reads_go_across_pages_and_end_where_the_memory_does() {
        let (window, _) = memory(2 * PAGE + 100);
        let mut buffer = [0; 300];
        assert_eq!(window.read(MemAddr::new(START + PAGE - 100), &mut buffer), Ok(300));
        assert!((START + PAGE - 100..).zip(buffer).all(|(address, byte)| byte == byte_at(address)));
        assert_eq!(window.read(MemAddr::new(START + 2 * PAGE - 50), &mut buffer), Ok(150));
        assert_eq!(window.read(MemAddr::new(START + 2 * PAGE), &mut buffer), Ok(100));
        let nowhere = MemAddr::new(START + 3 * PAGE);
        assert_eq!(window.read_u8(nowhere), Err(MemoryError::Unmapped(nowhere)));
        assert_eq!(
            window.read(MemAddr::new(u64::MAX - 3), &mut buffer),
            Err(MemoryError::Unmapped(MemAddr::new(u64::MAX - 3)))
        );
        assert_eq!(window.read(MemAddr::new(START), &mut vec![0; 3 * 4096]), Ok(2 * 4096 + 100));
    }
}
