//! Bytes of the program, and processes that it leaves behind.

use weft_memory::MemAddr;
use weft_session::debuggee::{Answer, MemoryRead};
use weft_values::Stop;

use crate::variables::still;

/// What becomes readable or not at once.
const PAGE: usize = 4096;

/// Bytes as far as they can be read without a gap, and how long the gap after them is.
pub(crate) fn read(stop: &Stop, address: MemAddr, count: usize) -> Answer<MemoryRead> {
    // The end of the address space is the end of what can be asked for.
    let room = usize::try_from(u64::MAX.saturating_sub(address.raw())).unwrap_or(usize::MAX);
    let count = count.min(room);
    let mut bytes = vec![0; count];
    let mut good = 0;
    let mut gap = 0;
    while good + gap < count {
        let at = good + gap;
        let here = address.raw().saturating_add(at as u64);
        let to_page_end = PAGE - usize::try_from(here % PAGE as u64).unwrap_or(0);
        let end = count.min(at + to_page_end);
        let Some(part) = bytes.get_mut(at..end) else { break };
        let readable = stop.memory.read(MemAddr::new(here), part).is_ok();
        match (readable, gap) {
            (true, 0) => good = end,
            (true, _) => break,
            (false, _) => gap += end - at,
        }
    }
    still(stop)?;
    bytes.truncate(good);
    Ok(MemoryRead { bytes, unreadable: gap })
}

/// Has a forked process that stands run on.
pub(crate) fn let_go(pid: i64) {
    let Ok(pid) = i32::try_from(pid) else { return };
    if pid > 0 {
        // SAFETY: kill takes numbers. The process stands and is its parent's to collect, so the number is still its own.
        let _ = unsafe { libc::kill(pid, libc::SIGCONT) };
    }
}
