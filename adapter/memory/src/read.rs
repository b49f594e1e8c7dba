//! Reading bytes of a program, live or not.

use std::ops::Range;
use std::sync::Arc;

use crate::MemAddr;

/// Why bytes could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Nothing is mapped (or readable) there.
    #[error("no readable memory at {0}")]
    Unmapped(MemAddr),
    /// The program has run on since this memory was looked at: what it would say is no longer true.
    #[error("the program has been resumed")]
    Resumed,
    /// The operating system refused.
    #[error("memory at {address} cannot be read: {reason}")]
    Failed {
        /// Where the read began.
        address: MemAddr,
        /// The system's reason.
        reason: String,
    },
}

/// Addresses that are mapped together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// From the first mapped byte to after the last one.
    pub range: Range<MemAddr>,
    /// What lies there can be executed.
    pub executable: bool,
    /// The program can write there and shares it with no other.
    pub writable: bool,
}

/// A program's memory as it is at one moment. Little-endian, 64-bit addresses.
///
/// Implementations are shared between threads; a read never changes the program.
pub trait Memory: Send + Sync {
    /// Reads up to `buffer.len()` bytes from `address` on and says how many were there. A short count is an answer:
    /// the byte after it is not readable. Zero bytes at the first address is [`MemoryError::Unmapped`].
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError>;

    /// The region around an address; `None` where nothing is mapped, or where that is not known.
    fn region(&self, _address: MemAddr) -> Option<Region> {
        None
    }

    /// Where the program keeps what it has made: all that it can write to and shares with no other program, stacks
    /// included. By rising address; empty where that is not known.
    fn writable(&self) -> Vec<Range<MemAddr>> {
        Vec::new()
    }

    /// The same program's memory whatever it does, for what it cannot change; none where there is no such.
    fn unbound(&self) -> Option<Arc<dyn Memory>> {
        None
    }

    /// Fills the whole buffer or fails.
    fn read_exact(&self, address: MemAddr, buffer: &mut [u8]) -> Result<(), MemoryError> {
        let count = self.read(address, buffer)?;
        if count < buffer.len() {
            return Err(MemoryError::Unmapped(address.offset(i64::try_from(count).unwrap_or(i64::MAX))));
        }
        Ok(())
    }

    /// Exactly `length` bytes. The caller bounds `length`.
    fn read_bytes(&self, address: MemAddr, length: usize) -> Result<Vec<u8>, MemoryError> {
        let mut buffer = vec![0; length];
        self.read_exact(address, &mut buffer)?;
        Ok(buffer)
    }

    /// An unsigned little-endian number of `size` bytes (at most 16; more reads as the low 16).
    fn read_uint(&self, address: MemAddr, size: usize) -> Result<u128, MemoryError> {
        let mut buffer = [0; 16];
        match buffer.get_mut(..size.min(16)) {
            Some(bytes) => self.read_exact(address, bytes)?,
            None => return Err(MemoryError::Unmapped(address)),
        }
        Ok(u128::from_le_bytes(buffer))
    }

    /// One byte.
    fn read_u8(&self, address: MemAddr) -> Result<u8, MemoryError> {
        let mut buffer = [0; 1];
        self.read_exact(address, &mut buffer)?;
        Ok(u8::from_le_bytes(buffer))
    }

    /// A 32-bit word.
    fn read_u32(&self, address: MemAddr) -> Result<u32, MemoryError> {
        let mut buffer = [0; 4];
        self.read_exact(address, &mut buffer)?;
        Ok(u32::from_le_bytes(buffer))
    }

    /// A 64-bit word.
    fn read_u64(&self, address: MemAddr) -> Result<u64, MemoryError> {
        let mut buffer = [0; 8];
        self.read_exact(address, &mut buffer)?;
        Ok(u64::from_le_bytes(buffer))
    }

    /// A pointer.
    fn read_pointer(&self, address: MemAddr) -> Result<MemAddr, MemoryError> {
        self.read_u64(address).map(MemAddr::new)
    }
}
