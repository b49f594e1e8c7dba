//! A copy of a program's memory, made in one go.

use std::ops::Range;
use std::sync::Arc;

use crate::{MemAddr, Memory, MemoryError, Region};

/// Bytes that are copied with one read.
const PIECE: u64 = 4 << 20;

/// Parts of a program's memory as they were at one moment, and another memory for what they do not cover. Reading it is
/// copying bytes: it asks no system, and takes no lock.
pub struct Copied {
    /// By rising address, without overlap.
    pieces: Vec<Piece>,
    /// What may have changed since: where nothing was copied, nothing is known.
    volatile: Vec<Range<MemAddr>>,
    behind: Arc<dyn Memory>,
}

struct Piece {
    start: MemAddr,
    bytes: Vec<u8>,
}

impl Piece {
    /// What it has from an address on.
    fn from(&self, address: MemAddr) -> Option<&[u8]> {
        let skipped = usize::try_from(address.since(self.start)?).ok()?;
        self.bytes.get(skipped..).filter(|rest| !rest.is_empty())
    }
}

impl Copied {
    /// How many bytes these parts have.
    pub fn size(parts: &[Range<MemAddr>]) -> u64 {
        parts.iter().filter_map(|part| part.end.since(part.start)).fold(0, u64::saturating_add)
    }

    /// Copies `parts` of `memory`. What lies elsewhere is read from `memory` when it is asked for.
    pub fn of(memory: &Arc<dyn Memory>, parts: &[Range<MemAddr>]) -> Self {
        let mut pieces: Vec<Piece> = parts.iter().flat_map(|part| copies(&**memory, part)).collect();
        pieces.sort_by_key(|piece| piece.start);
        Self { pieces, volatile: Vec::new(), behind: Arc::clone(memory) }
    }

    /// The copy for the time when the program runs on: what it can change and was not copied is not read any more
    /// ([`MemoryError::Resumed`]), the rest from `live`.
    #[must_use]
    pub fn outliving(self, volatile: Vec<Range<MemAddr>>, live: Arc<dyn Memory>) -> Self {
        Self { volatile, behind: live, ..self }
    }

    /// The piece around an address.
    fn piece(&self, address: MemAddr) -> Option<&[u8]> {
        let index = self.pieces.partition_point(|piece| piece.start <= address).checked_sub(1)?;
        self.pieces.get(index)?.from(address)
    }

    /// How many bytes from an address on cannot have changed; none where that is not known.
    fn lasting(&self, address: MemAddr) -> u64 {
        let index = self.volatile.partition_point(|range| range.end <= address);
        self.volatile.get(index).map_or(u64::MAX, |next| next.start.since(address).unwrap_or(0))
    }

    /// Reads what was not copied.
    fn read_behind(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let most = usize::try_from(self.lasting(address)).unwrap_or(usize::MAX).min(buffer.len());
        match buffer.get_mut(..most).filter(|room| !room.is_empty()) {
            Some(room) => self.behind.read(address, room),
            None => Err(MemoryError::Resumed),
        }
    }
}

/// What can be read of a part, in pieces.
fn copies(memory: &dyn Memory, part: &Range<MemAddr>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = part.start;
    while let Some(left) = part.end.since(start).filter(|left| *left > 0) {
        let mut bytes = vec![0; usize::try_from(left.min(PIECE)).unwrap_or(0)];
        // What cannot be read now cannot be read later either: the rest of the part is left out.
        let count = memory.read(start, &mut bytes).unwrap_or(0);
        let whole = count == bytes.len();
        bytes.truncate(count);
        let Some(next) = start.checked_add(count as u64).filter(|next| *next > start) else { break };
        pieces.push(Piece { start, bytes });
        start = next;
        if !whole {
            break;
        }
    }
    pieces
}

impl Memory for Copied {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let mut done: usize = 0;
        while let (Some(at), Some(room)) = (address.checked_add(done as u64), buffer.get_mut(done..)) {
            let Some(from) = self.piece(at).filter(|_| !room.is_empty()) else { break };
            let count = from.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..count), from.get(..count)) {
                to.copy_from_slice(from);
            }
            done = done.saturating_add(count);
        }
        let (Some(at), Some(rest)) = (address.checked_add(done as u64), buffer.get_mut(done..)) else {
            return Ok(done);
        };
        if rest.is_empty() {
            return Ok(done);
        }
        match self.read_behind(at, rest) {
            Ok(count) => Ok(done.saturating_add(count)),
            Err(error) if done == 0 => Err(error),
            Err(_) => Ok(done),
        }
    }

    fn region(&self, address: MemAddr) -> Option<Region> {
        self.behind.region(address)
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        if self.volatile.is_empty() { self.behind.writable() } else { self.volatile.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bytes;

    fn at(address: u64) -> MemAddr {
        MemAddr::new(address)
    }

    fn memory(first: u8) -> Arc<dyn Memory> {
        Arc::new(
            Bytes::new()
                .with(at(0x1000), vec![first; 16])
                .with(at(0x1010), vec![first + 1; 16])
                .with(at(0x3000), [9; 8]),
        )
    }

    #[test]
    fn a_copy_reads_across_its_pieces_and_behind_them() {
        let copy = Copied::of(&memory(1), &[at(0x1000)..at(0x1010), at(0x1010)..at(0x1018)]);
        let mut buffer = [0; 40];
        assert_eq!(copy.read(at(0x1008), &mut buffer), Ok(24));
        assert_eq!(buffer[..24], [[1; 8], [2; 8], [2; 8]].concat());
        assert_eq!(copy.read_u8(at(0x3000)), Ok(9));
        assert_eq!(copy.read_u8(at(0x2000)), Err(MemoryError::Unmapped(at(0x2000))));
    }

    #[test]
    fn what_may_have_changed_is_not_read_later() {
        let whole = at(0x1000)..at(0x1020);
        let copy = Copied::of(&memory(1), &[at(0x1000)..at(0x1010)]).outliving(vec![whole.clone()], memory(5));
        assert_eq!(copy.read_u8(at(0x100f)), Ok(1));
        assert_eq!(copy.read_u8(at(0x1010)), Err(MemoryError::Resumed), "it was not copied");
        assert_eq!(copy.read(at(0x1008), &mut [0; 16]), Ok(8));
        assert_eq!(copy.read_u8(at(0x3000)), Ok(9), "nobody can have written there");
        assert_eq!(copy.writable(), [whole]);
    }

    #[test]
    fn a_read_from_what_lasts_ends_where_it_may_have_changed() {
        let live: Arc<dyn Memory> = Arc::new(Bytes::new().with(at(0x1000), [3; 32]));
        let copy = Copied::of(&memory(1), &[]).outliving(vec![at(0x1010)..at(0x1020)], live);
        assert_eq!(copy.read(at(0x1008), &mut [0; 16]), Ok(8));
    }

    #[test]
    fn what_cannot_be_copied_is_left_out() {
        let copy = Copied::of(&memory(1), &[at(0x1010)..at(0x9000), at(0x8000)..at(0x8010)]);
        assert_eq!(copy.read_u8(at(0x101f)), Ok(2));
        assert!(copy.read_u8(at(0x8000)).is_err());
    }
}
