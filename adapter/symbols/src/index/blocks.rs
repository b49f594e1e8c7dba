//! Bytes with check sums, in a file or in memory.
//!
//! What is stored on a disk may come back changed. So the bytes are cut into blocks with a check sum each, and no byte is
//! given to anybody before the sum of its block was found right. A lookup reads a few blocks, not the file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use twox_hash::XxHash3_64;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 4096;
/// The same, for offsets.
pub(crate) const BLOCK_LENGTH: u64 = BLOCK as u64;
/// Blocks that are kept after they were looked at, each in the slot that its number gives it.
const SLOTS: usize = 64;

/// The bytes are not those that were written, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Source {
    /// In a file that nobody changes; if somebody does, the check sums tell.
    File(File),
    Memory(Vec<u8>),
}

impl Source {
    /// How many bytes there are.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads exactly as many bytes as the buffer has.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damaged> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, offset).map_err(|_| Damaged),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| Damaged)?;
                let from = bytes.get(start..).and_then(|rest| rest.get(..buffer.len())).ok_or(Damaged)?;
                buffer.copy_from_slice(from);
                Ok(())
            }
        }
    }
}

/// The check sum of some bytes. It is stored, so it must never change.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// The last block that was looked at of those which share a slot.
type Slot = Mutex<Option<(u64, Box<[u8]>)>>;

/// Blocks that can be read in any order.
#[derive(Debug)]
pub(crate) struct Blocks {
    source: Source,
    /// Where the first block begins.
    start: u64,
    /// Bytes in all blocks; the last one may be short.
    length: u64,
    sums: Vec<u64>,
    recent: Vec<Slot>,
}

impl Blocks {
    /// Blocks of `length` bytes from `start` on, with a sum for each.
    pub(crate) fn new(source: Source, start: u64, length: u64, sums: Vec<u64>) -> Self {
        Self { source, start, length, sums, recent: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }

    /// Copies bytes from `offset` on, as many as the buffer has.
    pub(crate) fn read(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Damaged> {
        while !buffer.is_empty() {
            let (block, within) = (offset / BLOCK_LENGTH, offset % BLOCK_LENGTH);
            let count = self.read_in(block, usize::try_from(within).unwrap_or(BLOCK), buffer)?;
            buffer = buffer.get_mut(count..).unwrap_or_default();
            offset = offset.saturating_add(count as u64);
        }
        Ok(())
    }

    /// Copies bytes of one block; says how many, which is at least one.
    fn read_in(&self, block: u64, within: usize, buffer: &mut [u8]) -> Result<usize, Damaged> {
        let slot = usize::try_from(block).ok().and_then(|block| self.recent.get(block % SLOTS)).ok_or(Damaged)?;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|(known, _)| *known != block) {
            *slot = Some((block, self.fetch(block)?));
        }
        let bytes = slot.as_ref().and_then(|(_, bytes)| bytes.get(within..)).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or(Damaged)?;
        let count = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    /// Reads a block and checks it.
    fn fetch(&self, block: u64) -> Result<Box<[u8]>, Damaged> {
        let sum_of = usize::try_from(block).ok().and_then(|block| self.sums.get(block)).ok_or(Damaged)?;
        let offset = block.saturating_mul(BLOCK_LENGTH);
        let length = self.length.saturating_sub(offset).min(BLOCK_LENGTH);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)].into_boxed_slice();
        self.source.read(self.start.saturating_add(offset), &mut bytes)?;
        if sum(&bytes) == *sum_of { Ok(bytes) } else { Err(Damaged) }
    }
}

/// Writes bytes one after the other and works out the sums of their blocks.
#[derive(Debug)]
pub(crate) struct BlockWriter<W> {
    out: W,
    block: Vec<u8>,
    sums: Vec<u64>,
    length: u64,
}

impl<W: Write> BlockWriter<W> {
    /// Nothing was written yet; the first block begins where `out` stands.
    pub(crate) fn new(out: W) -> Self {
        Self { out, block: Vec::with_capacity(BLOCK), sums: Vec::new(), length: 0 }
    }

    /// Bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Writes what comes next.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.block.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.sums.push(sum(&self.block));
        self.out.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Ends the last block; gives back where it wrote, and the sums.
    pub(crate) fn finish(mut self) -> io::Result<(W, Vec<u64>)> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        Ok((self.out, self.sums))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (Vec<u8>, Vec<u64>) {
        let mut writer = BlockWriter::new(Vec::new());
        for piece in bytes.chunks(1000) {
            writer.write(piece).unwrap();
        }
        assert_eq!(writer.length(), bytes.len() as u64);
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read_anywhere() {
        let bytes: Vec<u8> = (0..2 * BLOCK + 77).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (stored, sums) = written(&bytes);
        let blocks = Blocks::new(Source::Memory(stored), 0, bytes.len() as u64, sums);
        for (at, count) in [(0, 1), (BLOCK - 3, 6), (10, 2 * BLOCK), (2 * BLOCK, 77), (bytes.len(), 0)] {
            let mut buffer = vec![0; count];
            blocks.read(at as u64, &mut buffer).unwrap();
            assert_eq!(buffer, bytes[at..at + count]);
        }
        for (at, count) in [(bytes.len(), 1), (bytes.len() - 1, 2), (usize::MAX, 1)] {
            assert_eq!(blocks.read(at as u64, &mut vec![0; count]), Err(Damaged));
        }
    }

    #[test]
    fn a_changed_byte_is_never_given_out() {
        let bytes = vec![7; 2 * BLOCK];
        let (mut stored, sums) = written(&bytes);
        stored[BLOCK + 5] ^= 0x10;
        let blocks = Blocks::new(Source::Memory(stored), 0, bytes.len() as u64, sums);
        assert_eq!(blocks.read(0, &mut [0; BLOCK]), Ok(()));
        assert_eq!(blocks.read(BLOCK_LENGTH + 900, &mut [0; 1]), Err(Damaged));
        assert_eq!(blocks.read(BLOCK_LENGTH - 1, &mut [0; 2]), Err(Damaged));
    }
}
