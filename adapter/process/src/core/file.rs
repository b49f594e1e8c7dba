//! Bytes of a core file, and its program headers.

use std::{fs::File, io, os::unix::fs::FileExt};

/// `e_phnum` when there are more program headers than it can say; the first section header has their number then.
const PN_XNUM: u64 = 0xffff;
/// Program headers that are looked at: the kernel allows a process half as many mappings.
const MOST_HEADERS: u64 = 1 << 17;

/// What is used of a program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) in_file: u64,
    pub(super) in_memory: u64,
}

impl Header {
    pub(super) fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|into| into < self.in_memory)
    }
}

pub(super) fn headers(file: &File, header: &[u8]) -> Vec<Header> {
    let table = word64(header, 32).unwrap_or(0);
    let mut count = u64::from(word16(header, 56).unwrap_or(0));
    if count == PN_XNUM {
        let section = piece(file, word64(header, 40).unwrap_or(0), 64);
        count = u64::from(word32(&section, 44).unwrap_or(0));
    }
    let bytes = piece(file, table, count.min(MOST_HEADERS).saturating_mul(56));
    let read = |entry: &[u8]| {
        Some(Header {
            kind: word32(entry, 0)?,
            flags: word32(entry, 4)?,
            offset: word64(entry, 8)?,
            address: word64(entry, 16)?,
            in_file: word64(entry, 32)?,
            in_memory: word64(entry, 40)?,
        })
    };
    bytes.chunks_exact(56).filter_map(read).collect()
}

/// Up to `length` bytes of a file; fewer where it ends. Grows only with what is there.
pub(super) fn piece(file: &File, offset: u64, length: u64) -> Vec<u8> {
    let there = file.metadata().map_or(0, |data| data.len()).saturating_sub(offset).min(length);
    let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
    let count = read_at(file, offset, &mut bytes);
    bytes.truncate(count);
    bytes
}

pub(super) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> usize {
    let mut done: usize = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = offset.checked_add(done as u64) else { break };
        match file.read_at(rest, at) {
            Ok(count) if count > 0 => done = done.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    done
}

pub(super) fn word16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|word| u16::from_le_bytes(*word))
}

pub(super) fn word32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

pub(super) fn word64(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}
