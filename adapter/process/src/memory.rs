//! A live program's memory: through the kernel, with weft's own traps hidden.
//!
//! Two views. [`LiveMemory`] reads and writes at any time, running or not. [`StoppedMemory`] belongs to one stop: it
//! keeps the pages it has read and answers [`MemoryError::Resumed`] once the program has moved on.

mod live;
mod stopped;

use std::{io, ops::Range};

use weft_memory::{MemAddr, MemoryError, Region};

pub use live::LiveMemory;
pub(crate) use stopped::Generation;
pub use stopped::StoppedMemory;

/// The kernel's page size on x86-64, in bytes.
const PAGE: u64 = 4096;
const PAGE_LENGTH: usize = 4096;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// This very process's memory, and bytes in it: three pages' worth, on the heap.
    pub(super) fn own() -> (LiveMemory, Box<[u8]>, MemAddr) {
        let bytes: Box<[u8]> = (0..3 * PAGE_LENGTH).map(|index| (index % 251) as u8).collect();
        let address = MemAddr::new(bytes.as_ptr() as u64);
        (LiveMemory::open(std::process::id().cast_signed()).unwrap(), bytes, address)
    }
}
