//! A live program's memory: through the kernel, with weft's own traps hidden.
//!
//! Two views. [`LiveMemory`] reads and writes at any time, running or not. [`StoppedMemory`] belongs to one stop: it
//! keeps the pages it has read and answers [`MemoryError::Resumed`] once the program has moved on.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use weft_memory::{MemAddr, Memory, MemoryError, Region};

use crate::{
    Pid, ProcessError, Tid,
    guardian::{Guardian, Table},
    process_state,
};

/// The kernel's page size on x86-64, in bytes.
const PAGE: u64 = 4096;
const PAGE_LENGTH: usize = 4096;
/// Pages that one stop keeps, at most (64 MiB); reads beyond it are not kept.
const MOST_PAGES: usize = 16 * 1024;
/// `int3`.
const TRAP: u8 = 0xcc;

/// A program's memory, readable and writable from any thread, while the program runs or stands.
///
/// **Invariant:** bytes put in by [`LiveMemory::plant`] are never seen by a read: it answers what they replaced.
#[derive(Debug, Clone)]
pub struct LiveMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The process's number, if its first thread lived when the memory was opened. The number of any other thread may be
    /// another process's soon.
    process: Option<Pid>,
    /// `/proc/pid/mem`: unlike a plain mapping write it reaches read-only text.
    file: File,
    /// Address of each trap and the byte it replaced.
    traps: RwLock<BTreeMap<u64, u8>>,
    /// Traps that were taken away and may still be in a copy of this memory that a fork made before. Changed under the
    /// table's lock.
    lifted: Mutex<BTreeMap<u64, u8>>,
    /// Traps are in memory, and not only in the table. Changed under the table's lock.
    armed: AtomicBool,
    /// Who takes the traps out if we die.
    guard: Option<Arc<Table>>,
}

impl LiveMemory {
    /// Opens the memory of a process that the calling thread may trace, by any of its living threads. After an exec it
    /// must be opened anew.
    pub(crate) fn open(tid: Tid) -> Result<Self, ProcessError> {
        Self::file(tid).map(|file| Self::with(tid, file, None))
    }

    /// As [`LiveMemory::open`], with a guardian who takes the traps out if we die.
    pub(crate) fn open_guarded(tid: Tid) -> Result<(Self, Option<Guardian>), ProcessError> {
        let file = Self::file(tid)?;
        let guardian = Guardian::start(&file)
            .inspect_err(|error| tracing::warn!(%error, "nobody takes the traps out if weft is killed"))
            .ok();
        Ok((Self::with(tid, file, guardian.as_ref().map(Guardian::table)), guardian))
    }

    fn file(tid: Tid) -> Result<File, ProcessError> {
        let failed = ProcessError::system("cannot open the debuggee's memory");
        OpenOptions::new().read(true).write(true).open(format!("/proc/{tid}/mem")).map_err(failed)
    }

    fn with(tid: Tid, file: File, guard: Option<Arc<Table>>) -> Self {
        let process = process_state(tid).is_ok_and(|state| state.group == tid).then_some(tid);
        Self(Arc::new(Inner {
            process,
            file,
            traps: RwLock::default(),
            lifted: Mutex::default(),
            armed: AtomicBool::new(true),
            guard,
        }))
    }

    fn is_armed(&self) -> bool {
        self.0.armed.load(Ordering::SeqCst)
    }

    /// Takes the trap bytes out of memory for a while in which nothing runs: whatever becomes of us, the program has its
    /// own code. Which traps there are stays known, and may be changed.
    pub(crate) fn disarm(&self) {
        let traps = self.traps_mut();
        if self.0.armed.swap(false, Ordering::SeqCst) {
            for (address, original) in traps.iter() {
                self.swap_byte(*address, TRAP, *original);
            }
        }
    }

    /// Puts the trap bytes back after [`LiveMemory::disarm`].
    pub(crate) fn arm(&self) {
        let traps = self.traps_mut();
        if !self.0.armed.swap(true, Ordering::SeqCst) {
            for (address, original) in traps.iter() {
                self.swap_byte(*address, *original, TRAP);
            }
        }
    }

    /// Writes a byte where another one is expected, and nothing where it is not: that code has changed.
    fn swap_byte(&self, address: u64, expected: u8, byte: u8) {
        let address = MemAddr::new(address);
        let mut found = [0];
        if matches!(self.read_raw(address, &mut found), Ok(1))
            && found == [expected]
            && let Err(error) = self.write_raw(address, &[byte])
        {
            tracing::debug!(%address, %error, "a trap could not be switched");
        }
    }

    fn traps(&self) -> RwLockReadGuard<'_, BTreeMap<u64, u8>> {
        self.0.traps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn traps_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, u8>> {
        self.0.traps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a trap at `address`; planting twice is planting once. Works while the program runs.
    pub fn plant(&self, address: MemAddr) -> Result<(), MemoryError> {
        let mut traps = self.traps_mut();
        if traps.contains_key(&address.raw()) {
            return Ok(());
        }
        let mut byte = [0];
        if self.read_raw(address, &mut byte)? == 0 {
            return Err(MemoryError::Unmapped(address));
        }
        let [original] = byte;
        if let Some(guard) = &self.0.guard
            && !guard.note(address.raw(), original)
        {
            let reason = "there are more breakpoints than can be taken out if weft is killed".to_owned();
            return Err(MemoryError::Failed { address, reason });
        }
        if self.is_armed()
            && let Err(error) = self.write_raw(address, &[TRAP])
        {
            self.forget(address);
            return Err(error);
        }
        traps.insert(address.raw(), original);
        Ok(())
    }

    /// Takes a trap away. Where something else than the trap lies by now (the code was unmapped or rewritten), that
    /// stays.
    pub fn lift(&self, address: MemAddr) -> Result<(), MemoryError> {
        let mut traps = self.traps_mut();
        let Some(original) = traps.remove(&address.raw()) else { return Ok(()) };
        let mut byte = [0];
        let lifted = match self.read_raw(address, &mut byte) {
            Ok(1) if byte == [TRAP] => self.write_raw(address, &[original]),
            _ => Ok(()),
        };
        self.lifted().insert(address.raw(), original);
        self.forget(address);
        lifted
    }

    /// There is no trap any more that the guardian would have to take out.
    fn forget(&self, address: MemAddr) {
        if let Some(guard) = &self.0.guard {
            guard.forget(address.raw());
        }
    }

    /// Takes every trap away, as far as possible.
    pub fn lift_all(&self) {
        let addresses: Vec<u64> = self.traps().keys().copied().collect();
        for address in addresses {
            if let Err(error) = self.lift(MemAddr::new(address)) {
                tracing::debug!(address, %error, "a trap could not be taken away");
            }
        }
    }

    /// Whether a trap is planted at `address`.
    pub fn is_planted(&self, address: MemAddr) -> bool {
        self.traps().contains_key(&address.raw())
    }

    fn lifted(&self) -> MutexGuard<'_, BTreeMap<u64, u8>> {
        self.0.lifted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing runs, and no fork is on its way: no copy that will be restored has a trap that is not planted now.
    pub(crate) fn settle(&self) {
        self.lifted().clear();
    }

    /// Puts the original bytes into the memory of `child`, a copy of this process made by fork: where traps are, and where
    /// some were that may have gone after the copy was made and before anybody told of it.
    pub(crate) fn restore_in(&self, child: Pid) {
        let traps = self.traps();
        let lifted = self.lifted();
        if traps.is_empty() && lifted.is_empty() {
            return;
        }
        let Ok(file) = OpenOptions::new().read(true).write(true).open(format!("/proc/{child}/mem")) else { return };
        let is_trap = |address: u64| {
            let mut byte = [0];
            file.read_exact_at(&mut byte, address).is_ok() && byte == [TRAP]
        };
        let left = lifted.iter().filter(|(address, _)| !traps.contains_key(address) && is_trap(**address));
        for (address, original) in traps.iter().chain(left) {
            if let Err(error) = file.write_all_at(&[*original], *address) {
                tracing::debug!(child, address, %error, "a trap stays in a forked process");
            }
        }
    }

    /// Writes `bytes`, whatever the mapping's protection. A trap among them stays planted and hides the new byte.
    pub fn write(&self, address: MemAddr, bytes: &[u8]) -> Result<(), MemoryError> {
        let mut traps = self.traps_mut();
        let mut patched = bytes.to_vec();
        let end = address.raw().saturating_add(bytes.len() as u64);
        let mut hidden = Vec::new();
        for (trap, original) in traps.range_mut(address.raw()..end) {
            let Some(slot) = offset_in(address.raw(), *trap).and_then(|index| patched.get_mut(index)) else { continue };
            let seen = if self.is_armed() { TRAP } else { *slot };
            hidden.push((*trap, original, std::mem::replace(slot, seen)));
        }
        self.write_raw(address, &patched)?;
        for (trap, original, written) in hidden {
            *original = written;
            if let Some(guard) = &self.0.guard {
                guard.note(trap, written);
            }
        }
        Ok(())
    }

    /// Reads what is really there: all of it, or nothing. Without the lock that hiding traps takes.
    pub(crate) fn peek(&self, address: MemAddr, buffer: &mut [u8]) -> bool {
        self.0.file.read_exact_at(buffer, address.raw()).is_ok()
    }

    fn write_raw(&self, address: MemAddr, bytes: &[u8]) -> Result<(), MemoryError> {
        self.0.file.write_all_at(bytes, address.raw()).map_err(|error| failed(address, &error))
    }

    /// Reads what is really there, traps included.
    fn read_raw(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let first = if buffer.len() > PAGE_LENGTH { self.read_vectored(address, buffer) } else { 0 };
        let mut done = first.min(buffer.len());
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(at) = address.checked_add(done as u64) else { break };
            match self.0.file.read_at(rest, at.raw()) {
                Ok(0) => break,
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if done == 0 => return Err(failed(address, &error)),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Reads many pages with one copy. Says how many bytes it got; what is missing must be asked for otherwise, since
    /// some systems forbid this call and it respects page protections that `/proc/pid/mem` does not.
    fn read_vectored(&self, address: MemAddr, buffer: &mut [u8]) -> usize {
        let (Some(process), Ok(base)) = (self.0.process, usize::try_from(address.raw())) else { return 0 };
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let remote = libc::iovec { iov_base: base as *mut libc::c_void, iov_len: buffer.len() };
        // SAFETY: the kernel writes at most `buffer.len()` bytes at `buffer`, which is ours alone; the remote address
        // is a number that the kernel checks.
        let count = unsafe { libc::process_vm_readv(process, &local, 1, &remote, 1, 0) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Replaces the traps among `bytes`, which were read at `address`, by what the program has there.
    fn hide_traps(&self, address: u64, bytes: &mut [u8]) {
        let traps = self.traps();
        let end = address.saturating_add(bytes.len() as u64);
        for (trap, original) in traps.range(address..end) {
            if let Some(byte) = offset_in(address, *trap).and_then(|index| bytes.get_mut(index))
                && *byte == TRAP
            {
                *byte = *original;
            }
        }
    }
}

impl LiveMemory {
    /// What is mapped now, by rising address; nothing if it cannot be found out.
    fn regions(&self) -> Vec<Region> {
        let mapped = self.0.process.and_then(|process| crate::mappings(process).ok()).unwrap_or_default();
        let region = |it: crate::Mapping| Region {
            range: it.start..it.end,
            executable: it.executable,
            writable: it.readable && it.writable && !it.shared,
        };
        mapped.into_iter().map(region).collect()
    }
}

impl Memory for LiveMemory {
    fn region(&self, address: MemAddr) -> Option<Region> {
        region_at(&self.regions(), address).cloned()
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        writable(&self.regions())
    }

    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.read_raw(address, buffer)?;
        if count == 0 && !buffer.is_empty() {
            return Err(MemoryError::Unmapped(address));
        }
        if let Some(bytes) = buffer.get_mut(..count) {
            self.hide_traps(address.raw(), bytes);
        }
        Ok(count)
    }
}

/// The region around an address, of regions by rising address.
pub(crate) fn region_at(regions: &[Region], address: MemAddr) -> Option<&Region> {
    let index = regions.partition_point(|region| region.range.start <= address).checked_sub(1)?;
    regions.get(index).filter(|region| region.range.contains(&address))
}

/// Those that can be written to.
pub(crate) fn writable(regions: &[Region]) -> Vec<Range<MemAddr>> {
    regions.iter().filter(|region| region.writable).map(|region| region.range.clone()).collect()
}

/// How far `address` lies behind `start`.
fn offset_in(start: u64, address: u64) -> Option<usize> {
    usize::try_from(address.checked_sub(start)?).ok()
}

/// A kernel's refusal as an answer. `EIO` and `EFAULT` are the kernel's words for "nothing there".
fn failed(address: MemAddr, error: &io::Error) -> MemoryError {
    match error.raw_os_error() {
        Some(libc::EIO | libc::EFAULT | libc::EINVAL | libc::EOVERFLOW) => MemoryError::Unmapped(address),
        _ if error.kind() == io::ErrorKind::WriteZero => MemoryError::Unmapped(address),
        _ => MemoryError::Failed { address, reason: error.to_string() },
    }
}

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
    use super::*;

    /// This very process's memory, and bytes in it: three pages' worth, on the heap.
    fn own() -> (LiveMemory, Box<[u8]>, MemAddr) {
        let bytes: Box<[u8]> = (0..3 * PAGE_LENGTH).map(|index| (index % 251) as u8).collect();
        let address = MemAddr::new(bytes.as_ptr() as u64);
        (LiveMemory::open(std::process::id().cast_signed()).unwrap(), bytes, address)
    }

    /// What really lies there, whatever the compiler believes about it.
    fn really(bytes: &[u8], at: usize) -> u8 {
        // SAFETY: a reference into the slice is valid for reading one byte.
        unsafe { std::ptr::from_ref(&bytes[at]).read_volatile() }
    }

    #[test]
    fn what_a_program_made_is_writable_and_its_code_is_not() {
        let (memory, bytes, start) = own();
        let ranges = memory.writable();
        let has = |address: MemAddr| ranges.iter().any(|range| range.contains(&address));
        assert!(has(start) && has(MemAddr::new(std::ptr::from_ref(&bytes) as u64)));
        assert!(!has(MemAddr::new(own as *const () as u64)));
    }

    #[test]
    fn reads_never_see_traps() {
        let (memory, bytes, start) = own();
        let at = start.checked_add(100).unwrap();
        memory.plant(at).unwrap();
        memory.plant(at).unwrap();
        assert_eq!((really(&bytes, 100), memory.read_u8(at)), (TRAP, Ok(100)));
        let mut all = vec![0; bytes.len()];
        memory.read_exact(start, &mut all).unwrap();
        assert_eq!(all, (0..bytes.len()).map(|index| (index % 251) as u8).collect::<Vec<_>>());
        memory.lift(at).unwrap();
        memory.lift(at).unwrap();
        assert_eq!((really(&bytes, 100), memory.is_planted(at)), (100, false));
    }

    #[test]
    fn writes_go_below_a_trap() {
        let (memory, bytes, start) = own();
        let at = start.checked_add(9).unwrap();
        memory.plant(at).unwrap();
        memory.write(start.checked_add(8).unwrap(), &[71, 72, 73]).unwrap();
        assert_eq!((really(&bytes, 8), really(&bytes, 9), really(&bytes, 10)), (71, TRAP, 73));
        assert_eq!(memory.read_u8(at), Ok(72));
        memory.lift_all();
        assert_eq!(really(&bytes, 9), 72);
    }

    #[test]
    fn code_that_was_replaced_stays_when_its_trap_is_lifted() {
        let (memory, mut bytes, start) = own();
        let at = start.checked_add(5).unwrap();
        memory.plant(at).unwrap();
        bytes[5] = 0x90;
        memory.lift(at).unwrap();
        assert_eq!(really(&bytes, 5), 0x90);
    }

    #[test]
    fn nothing_there_is_an_answer() {
        let (memory, _bytes, _) = own();
        let nowhere = MemAddr::new(16);
        assert_eq!(memory.read_u8(nowhere), Err(MemoryError::Unmapped(nowhere)));
        assert_eq!(memory.plant(nowhere), Err(MemoryError::Unmapped(nowhere)));
        assert_eq!(memory.write(nowhere, &[1]), Err(MemoryError::Unmapped(nowhere)));
        let end = MemAddr::new(u64::MAX - 2);
        assert!(memory.read_bytes(end, 8).is_err());
        let still = StoppedMemory::new(memory, Generation::default());
        assert_eq!(still.read_u8(nowhere), Err(MemoryError::Unmapped(nowhere)));
        assert!(still.read_bytes(end, 8).is_err());
        assert!(still.read_bytes(end, 1 << 20).is_err());
    }

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
