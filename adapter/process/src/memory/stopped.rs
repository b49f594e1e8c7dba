//! A program's memory at one stop.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use weft_memory::{MemAddr, Memory, MemoryError, Region};

use super::{LiveMemory, PAGE, PAGE_LENGTH, offset_in, region_at, writable};

/// Pages that one stop keeps, at most (64 MiB); reads beyond it are not kept.
const MOST_PAGES: usize = 16 * 1024;

/// How often a program was resumed or written to: the generation of what is known about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// What was published before is over.
    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One page: what was read of it (short where it is not readable).
type Page = Arc<Vec<u8>>;

/// A program's memory as it stands at one stop. Pages are read once; reads from many threads share them.
///
/// **Invariant:** an answer was true during the stop: the generation is compared before and after each read.
#[derive(Debug)]
pub struct StoppedMemory {
    live: LiveMemory,
    generation: Generation,
    born: u64,
    pages: RwLock<HashMap<u64, Page>>,
    /// Few ask; the first one has `/proc` read.
    regions: OnceLock<Vec<Region>>,
}

impl StoppedMemory {
    pub(crate) fn new(live: LiveMemory, generation: Generation) -> Self {
        let born = generation.current();
        Self { live, generation, born, pages: RwLock::default(), regions: OnceLock::new() }
    }

    /// The generation that this memory belongs to.
    pub fn generation(&self) -> u64 {
        self.born
    }

    /// Whether the program still stands as it did.
    pub fn is_current(&self) -> bool {
        self.generation.current() == self.born
    }

    fn check(&self) -> Result<(), MemoryError> {
        if self.is_current() { Ok(()) } else { Err(MemoryError::Resumed) }
    }

    fn kept(&self, page: u64) -> Option<Page> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).get(&page).cloned()
    }

    fn keep(&self, page: u64, bytes: Page) {
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        if pages.len() < MOST_PAGES {
            pages.insert(page, bytes);
        }
    }

    /// The page that begins at `page`, kept or read now.
    fn page(&self, page: u64) -> Result<Page, MemoryError> {
        if let Some(bytes) = self.kept(page) {
            return Ok(bytes);
        }
        let mut bytes = vec![0; PAGE_LENGTH];
        let count = match self.live.read(MemAddr::new(page), &mut bytes) {
            Ok(count) => count,
            Err(MemoryError::Unmapped(_)) => 0,
            Err(error) => return Err(error),
        };
        self.check()?;
        bytes.truncate(count);
        let bytes = Arc::new(bytes);
        self.keep(page, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Reads page by page through the cache.
    fn read_pages(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let mut done: usize = 0;
        while done < buffer.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let page = at.raw() & !(PAGE.wrapping_sub(1));
            let bytes = self.page(page)?;
            let available = offset_in(page, at.raw()).and_then(|skip| bytes.get(skip..)).unwrap_or_default();
            let room = buffer.get_mut(done..).unwrap_or_default();
            let count = available.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..count), available.get(..count)) {
                to.copy_from_slice(from);
            }
            done = done.saturating_add(count);
            let page_ends = page.checked_add(PAGE) == at.raw().checked_add(count as u64);
            if count == 0 || !page_ends {
                break;
            }
        }
        Ok(done)
    }
}

impl Memory for StoppedMemory {
    fn unbound(&self) -> Option<Arc<dyn Memory>> {
        Some(Arc::new(self.live.clone()))
    }

    fn region(&self, address: MemAddr) -> Option<Region> {
        let region = region_at(self.regions.get_or_init(|| self.live.regions()), address).cloned();
        region.filter(|_| self.is_current())
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        let ranges = writable(self.regions.get_or_init(|| self.live.regions()));
        if self.is_current() { ranges } else { Vec::new() }
    }

    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        self.check()?;
        // Who reads whole pages keeps them itself; keeping them here, too, would only fill the cache.
        let count = if buffer.len() >= PAGE_LENGTH {
            self.live.read(address, buffer)?
        } else {
            self.read_pages(address, buffer)?
        };
        self.check()?;
        if count == 0 && !buffer.is_empty() {
            return Err(MemoryError::Unmapped(address));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::own;
    use super::*;

    #[test]
    fn a_stops_memory_is_read_once_and_ends() {
        let (memory, mut bytes, start) = own();
        let generation = Generation::default();
        let still = StoppedMemory::new(memory, generation.clone());
        // Across a page's end, twice; what changed meanwhile is not seen, because it was kept.
        let across = start.checked_add(PAGE_LENGTH as u64 - 4).unwrap();
        let before = still.read_bytes(across, 8).unwrap();
        assert_eq!(before, bytes[PAGE_LENGTH - 4..PAGE_LENGTH + 4]);
        bytes[PAGE_LENGTH] = 255;
        assert_eq!(still.read_bytes(across, 8).unwrap(), before);
        assert!(still.is_current());
        generation.advance();
        assert_eq!(still.read_bytes(across, 8), Err(MemoryError::Resumed));
        assert!(!still.is_current());
    }

    #[test]
    fn a_read_stops_short_where_the_mapping_ends() {
        // SAFETY: maps two fresh pages and gives the second one back; nobody else knows them.
        let first = unsafe {
            let pages = libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE_LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(pages, libc::MAP_FAILED);
            libc::munmap(pages.byte_add(PAGE_LENGTH), PAGE_LENGTH);
            pages
        };
        let memory = LiveMemory::open(std::process::id().cast_signed()).unwrap();
        let still = StoppedMemory::new(memory.clone(), Generation::default());
        let near = MemAddr::new(first as u64 + PAGE_LENGTH as u64 - 16);
        let mut buffer = [1; 64];
        assert_eq!(still.read(near, &mut buffer), Ok(16));
        assert_eq!(memory.read(near, &mut buffer), Ok(16));
        assert_eq!(still.read_exact(near, &mut buffer), Err(MemoryError::Unmapped(near.checked_add(16).unwrap())));
        // SAFETY: unmaps the page that is left; nothing refers to it.
        unsafe { libc::munmap(first, PAGE_LENGTH) };
    }
}
