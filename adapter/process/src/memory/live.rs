//! A program's memory at any time, and the traps in it.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use weft_memory::{MemAddr, Memory, MemoryError, Region};

use super::{PAGE_LENGTH, failed, offset_in, region_at, writable};
use crate::{
    Pid, ProcessError, Tid,
    guardian::{Guardian, Table},
    process_state,
};

/// `int3`.
const TRAP: u8 = 0xcc;

/// Bytes of a word.
const WORD: usize = 8;

/// A program's memory, readable and writable from any thread, while the program runs or stands.
///
/// **Invariant:** bytes put in by [`LiveMemory::plant`] and words put in by [`LiveMemory::replace_word`] are never seen by a read: it
/// answers what they replaced.
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
    /// Words that were replaced, by address. As long as the replacement is there, it is never seen by a read.
    words: RwLock<BTreeMap<u64, Replaced>>,
    /// Traps are in memory, and not only in the table. Changed under the table's lock.
    armed: AtomicBool,
    /// Who takes the traps out if we die.
    guard: Option<Arc<Table>>,
}

/// A word that was replaced.
#[derive(Debug, Clone, Copy)]
struct Replaced {
    shown: [u8; WORD],
    actual: [u8; WORD],
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
            words: RwLock::default(),
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
        let words = self.0.words.read().unwrap_or_else(PoisonError::into_inner);
        for (address, word) in words.iter() {
            let mut found = [0; WORD];
            let is_there = file.read_exact_at(&mut found, *address).is_ok() && found == word.actual;
            if is_there && let Err(error) = file.write_all_at(&word.shown, *address) {
                tracing::debug!(child, address, %error, "a word stays replaced in a forked process");
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

    /// Has an aligned word of the program's, which is `shown`, be `actual`; reads show it as it was. Nobody reads it meanwhile.
    pub(crate) fn replace_word(&self, address: MemAddr, shown: u64, actual: u64) -> Result<(), MemoryError> {
        let word = Replaced { shown: shown.to_le_bytes(), actual: actual.to_le_bytes() };
        self.words_mut().insert(address.raw(), word);
        self.write_raw(address, &word.actual).inspect_err(|_| {
            self.words_mut().remove(&address.raw());
        })
    }

    /// Puts back a word that was replaced, unless something else has come to lie there.
    pub(crate) fn restore_word(&self, address: MemAddr) -> Result<(), MemoryError> {
        let Some(word) = self.words_mut().remove(&address.raw()) else { return Ok(()) };
        let mut found = [0; WORD];
        match self.read_raw(address, &mut found) {
            Ok(WORD) if found == word.actual => self.write_raw(address, &word.shown),
            _ => Ok(()),
        }
    }

    fn words_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Replaced>> {
        self.0.words.write().unwrap_or_else(PoisonError::into_inner)
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
    /// Puts the program's own words into `bytes`, which were read at `address`, for those that were replaced.
    fn hide_words(&self, address: u64, bytes: &mut [u8]) {
        let words = self.0.words.read().unwrap_or_else(PoisonError::into_inner);
        let end = address.saturating_add(bytes.len() as u64);
        for (start, word) in words.range(address.saturating_sub(WORD as u64).saturating_add(1)..end) {
            let mut found = [0; WORD];
            if !matches!(self.read_raw(MemAddr::new(*start), &mut found), Ok(WORD)) || found != word.actual {
                continue;
            }
            for (at, shown) in (*start..).zip(word.shown) {
                if let Some(byte) = offset_in(address, at).and_then(|index| bytes.get_mut(index)) {
                    *byte = shown;
                }
            }
        }
    }

    /// What is mapped now, by rising address; nothing if it cannot be found out.
    pub(super) fn regions(&self) -> Vec<Region> {
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
            self.hide_words(address.raw(), bytes);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::own;
    use super::super::{Generation, StoppedMemory};
    use super::*;

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
    fn a_word_that_was_replaced_is_not_seen() {
        let (memory, bytes, start) = own();
        let aligned = start.raw().next_multiple_of(8);
        let (at, index) = (MemAddr::new(aligned), usize::try_from(aligned - start.raw()).unwrap());
        let shown = memory.read_u64(at).unwrap();
        memory.replace_word(at, shown, 0x1122_3344_5566_7788).unwrap();
        assert_eq!((really(&bytes, index), really(&bytes, index + 7)), (0x88, 0x11));
        let all = |memory: &LiveMemory| {
            let mut all = vec![0; bytes.len()];
            memory.read_exact(start, &mut all).unwrap();
            all
        };
        let as_it_was = (0..bytes.len()).map(|index| (index % 251) as u8).collect::<Vec<_>>();
        assert_eq!(all(&memory), as_it_was);
        for offset in 0..8 {
            let byte = memory.read_u8(at.offset(offset)).unwrap();
            assert_eq!(byte, as_it_was[index + usize::try_from(offset).unwrap()]);
        }
        memory.restore_word(at).unwrap();
        assert_eq!(really(&bytes, index), as_it_was[index]);
    }

    #[test]
    fn a_word_that_is_another_one_by_now_stays() {
        let (memory, bytes, start) = own();
        let aligned = start.raw().next_multiple_of(8);
        let (at, index) = (MemAddr::new(aligned), usize::try_from(aligned - start.raw()).unwrap());
        memory.replace_word(at, memory.read_u64(at).unwrap(), 7).unwrap();
        memory.write(at, &9_u64.to_le_bytes()).unwrap();
        assert_eq!(memory.read_u64(at), Ok(9));
        memory.restore_word(at).unwrap();
        assert_eq!(really(&bytes, index), 9);
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
}
