//! Memory made by hand, for tests of everything above.

use std::ops::Range;

use crate::{MemAddr, Memory, MemoryError, Region};

/// Pieces of memory that were written down in a test.
#[derive(Debug, Default, Clone)]
pub struct Bytes {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    start: MemAddr,
    bytes: Vec<u8>,
    executable: bool,
}

impl Piece {
    /// What it has from an address on.
    fn from(&self, address: MemAddr) -> Option<&[u8]> {
        let skipped = usize::try_from(address.since(self.start)?).ok()?;
        self.bytes.get(skipped..).filter(|rest| !rest.is_empty())
    }
}

impl Bytes {
    /// No memory at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a piece. Pieces do not overlap; an earlier one wins where they do.
    #[must_use]
    pub fn with(mut self, address: MemAddr, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push(Piece { start: address, bytes: bytes.into(), executable: false });
        self
    }

    /// Adds a piece of code.
    #[must_use]
    pub fn with_code(mut self, address: MemAddr, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push(Piece { start: address, bytes: bytes.into(), executable: true });
        self
    }

    /// Adds little-endian 64-bit words.
    #[must_use]
    pub fn with_words(self, address: MemAddr, words: &[u64]) -> Self {
        self.with(address, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }
}

impl Memory for Bytes {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let found = self.pieces.iter().find_map(|piece| piece.from(address));
        let rest = found.ok_or(MemoryError::Unmapped(address))?;
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn region(&self, address: MemAddr) -> Option<Region> {
        let piece = self.pieces.iter().find(|piece| piece.from(address).is_some())?;
        let end = piece.start.checked_add(piece.bytes.len() as u64)?;
        Some(Region { range: piece.start..end, executable: piece.executable, writable: !piece.executable })
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        let written = self.pieces.iter().filter(|piece| !piece.executable);
        let range = |piece: &Piece| Some(piece.start..piece.start.checked_add(piece.bytes.len() as u64)?);
        let mut ranges: Vec<_> = written.filter_map(range).collect();
        ranges.sort_by_key(|range| range.start);
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_short_at_the_end_and_fail_outside() {
        let memory = Bytes::new().with_words(MemAddr::new(0x1000), &[7, 8]);
        assert_eq!(memory.read_u64(MemAddr::new(0x1008)), Ok(8));
        let mut buffer = [0; 16];
        assert_eq!(memory.read(MemAddr::new(0x1008), &mut buffer), Ok(8));
        assert_eq!(memory.read_u64(MemAddr::new(0x100c)), Err(MemoryError::Unmapped(MemAddr::new(0x1010))));
        assert_eq!(memory.read_u64(MemAddr::new(0x0fff)), Err(MemoryError::Unmapped(MemAddr::new(0x0fff))));
        assert_eq!(memory.read_uint(MemAddr::new(0x1000), 1), Ok(7));
    }
}
