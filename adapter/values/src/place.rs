//! A type and where it lies.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{Location, Piece, PieceSource, Type};

use crate::{Stop, ValueError};

/// Most bytes that are read of one place at once (a large array's elements are read one page of them at a time).
pub(crate) const MAX_READ: u64 = 1 << 20;

/// Where a place lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// In the program's memory.
    Memory(MemAddr),
    /// In bytes that are known: a register, a constant, a computed value.
    Bytes {
        /// The bytes of the whole value.
        bytes: Arc<[u8]>,
        /// Where in them this place begins.
        offset: u64,
    },
    /// Spread over several places, some of them possibly gone.
    Pieces {
        /// The parts of the whole value in order.
        pieces: Arc<[Piece]>,
        /// Where in it this place begins.
        offset: u64,
    },
}

impl At {
    /// Known bytes from their beginning.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes { bytes: bytes.into(), offset: 0 }
    }

    /// `bytes` further on.
    pub fn plus(&self, bytes: u64) -> Self {
        match self {
            Self::Memory(address) => Self::Memory(MemAddr::new(address.raw().wrapping_add(bytes))),
            Self::Bytes { bytes: all, offset } => {
                Self::Bytes { bytes: Arc::clone(all), offset: offset.saturating_add(bytes) }
            }
            Self::Pieces { pieces, offset } => {
                Self::Pieces { pieces: Arc::clone(pieces), offset: offset.saturating_add(bytes) }
            }
        }
    }
}

/// What a wide pointer says about its target beyond the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meta {
    /// Nothing: the type has a size of its own.
    Sized,
    /// The place is a slice of that many elements; the type is the element's.
    Length(u64),
    /// The place is a struct that ends in a slice of that many elements (`ArcInner<[T]>`).
    Tail(u64),
    /// The place is (or ends in) a `str` of that many bytes; the type shows one byte.
    Str(u64),
    /// The place is (or ends in) a trait object with this vtable.
    Vtable(MemAddr),
}

/// A type and where it lies. Cheap to clone; nothing is read by making one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What.
    pub ty: Type,
    /// Where.
    pub at: At,
    /// For targets of wide pointers.
    pub meta: Meta,
}

impl Place {
    /// A value of type `ty` in memory.
    pub const fn new(ty: Type, address: MemAddr) -> Self {
        Self { ty, at: At::Memory(address), meta: Meta::Sized }
    }

    /// A value of type `ty` anywhere.
    pub const fn at(ty: Type, at: At) -> Self {
        Self { ty, at, meta: Meta::Sized }
    }

    /// A variable's place from its location.
    pub fn located(ty: Type, location: Location) -> Result<Self, ValueError> {
        let at = match location {
            Location::Memory(address) => At::Memory(address),
            Location::Value(bytes) => At::bytes(bytes),
            Location::Pieces(pieces) => {
                let gone = |piece: &Piece| piece.source == PieceSource::OptimisedOut;
                if ty.size() > 0 && pieces.iter().all(gone) {
                    return Err(ValueError::OptimisedOut);
                }
                At::Pieces { pieces: pieces.into(), offset: 0 }
            }
            Location::OptimisedOut if ty.size() > 0 => return Err(ValueError::OptimisedOut),
            Location::OptimisedOut => At::bytes(Vec::new()),
        };
        Ok(Self::at(ty, at))
    }

    /// Where it lies in memory; none if it does not lie there as a whole.
    pub fn address(&self) -> Option<MemAddr> {
        match &self.at {
            At::Memory(address) => Some(*address),
            At::Bytes { .. } => None,
            At::Pieces { pieces, offset } => piece_address(pieces, *offset, self.ty.size()),
        }
    }

    /// Another type at the same place.
    #[must_use]
    pub fn cast(&self, ty: Type) -> Self {
        Self { ty, at: self.at.clone(), meta: self.meta }
    }

    /// Bytes of the value: for slices and `str` all elements, for other places the type's size.
    pub fn size(&self) -> u64 {
        match self.meta {
            Meta::Length(count) => self.ty.size().saturating_mul(count),
            Meta::Str(count) if self.ty.size() == 1 => count,
            _ => self.ty.size(),
        }
    }

    /// `size` bytes from `offset` on; fails if one of them is not known.
    pub fn read_at(&self, stop: &Stop, offset: u64, size: u64) -> Result<Vec<u8>, ValueError> {
        if size > MAX_READ {
            return Err(ValueError::TooLarge(size));
        }
        let length = usize::try_from(size).map_err(|_| ValueError::TooLarge(size))?;
        if length == 0 {
            // What has no bytes lies anywhere, also where nothing is mapped.
            return Ok(Vec::new());
        }
        match self.at.plus(offset) {
            At::Memory(address) => Ok(stop.memory.read_bytes(address, length)?),
            At::Bytes { bytes, offset } => slice(&bytes, offset, length).ok_or(ValueError::OptimisedOut),
            At::Pieces { pieces, offset } => read_pieces(stop, &pieces, offset, size),
        }
    }

    /// The value's bytes, at most `max` of them.
    pub fn read_bytes(&self, stop: &Stop, max: u64) -> Result<Vec<u8>, ValueError> {
        self.read_at(stop, 0, self.size().min(max))
    }

    /// The value as an unsigned little-endian number; sizes up to 16 bytes.
    pub fn read_uint(&self, stop: &Stop) -> Result<u128, ValueError> {
        let size = self.ty.size();
        if size > 16 {
            return Err(ValueError::TooLarge(size));
        }
        Ok(little_endian(&self.read_at(stop, 0, size)?))
    }

    /// The value as a number of 64 bits (`usize`, a pointer, a smaller number).
    pub fn read_u64(&self, stop: &Stop) -> Result<u64, ValueError> {
        u64::try_from(self.read_uint(stop)?).map_err(|_| ValueError::TooLarge(self.ty.size()))
    }

    /// The value as a pointer.
    pub fn read_pointer(&self, stop: &Stop) -> Result<MemAddr, ValueError> {
        self.read_u64(stop).map(MemAddr::new)
    }
}

/// A little-endian number; bytes past the sixteenth are ignored.
pub(crate) fn little_endian(bytes: &[u8]) -> u128 {
    let mut buffer = [0; 16];
    for (to, from) in buffer.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_le_bytes(buffer)
}

/// The number that `bits` is as a two's complement of `size` bytes.
pub(crate) fn sign_extended(bits: u128, size: u64) -> i128 {
    let unused = u32::try_from(size.min(16).saturating_mul(8)).ok().and_then(|used| 128_u32.checked_sub(used));
    let shift = unused.unwrap_or(0);
    let raised = bits.checked_shl(shift).unwrap_or(0).cast_signed();
    raised.checked_shr(shift).unwrap_or(raised)
}

fn slice(bytes: &[u8], offset: u64, length: usize) -> Option<Vec<u8>> {
    let from = usize::try_from(offset).ok()?;
    bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
}

/// Parts of the pieces that lie in `offset..offset + size`: the piece, the offset in it, the count of bytes.
fn parts(pieces: &[Piece], offset: u64, size: u64) -> impl Iterator<Item = (&Piece, u64, u64)> {
    let end = offset.saturating_add(size);
    let mut start = 0_u64;
    pieces.iter().filter_map(move |piece| {
        let (from, to) = (start, start.saturating_add(piece.size));
        start = to;
        let (low, high) = (from.max(offset), to.min(end));
        (low < high).then(|| (piece, low.saturating_sub(from), high.saturating_sub(low)))
    })
}

fn piece_address(pieces: &[Piece], offset: u64, size: u64) -> Option<MemAddr> {
    let mut parts = parts(pieces, offset, size.max(1));
    let (piece, skip, count) = parts.next()?;
    match piece.source {
        PieceSource::Memory(address) if count >= size => address.checked_add(skip),
        _ => None,
    }
}

fn read_pieces(stop: &Stop, pieces: &[Piece], offset: u64, size: u64) -> Result<Vec<u8>, ValueError> {
    let mut bytes = Vec::new();
    for (piece, skip, count) in parts(pieces, offset, size) {
        let length = usize::try_from(count).map_err(|_| ValueError::TooLarge(count))?;
        match &piece.source {
            PieceSource::Memory(address) => {
                let from = address.checked_add(skip).ok_or(ValueError::Dangling(*address))?;
                bytes.extend(stop.memory.read_bytes(from, length)?);
            }
            PieceSource::Value(value) => bytes.extend(slice(value, skip, length).ok_or(ValueError::OptimisedOut)?),
            PieceSource::OptimisedOut => return Err(ValueError::OptimisedOut),
        }
    }
    // Pieces may cover less than the value: what they leave out is not known.
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) < size { Err(ValueError::OptimisedOut) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_extended_from_their_own_width() {
        assert_eq!(sign_extended(0xff, 1), -1);
        assert_eq!(sign_extended(0x7f, 1), 127);
        assert_eq!(sign_extended(0xffff_ff80, 4), -128);
        assert_eq!(sign_extended(u128::MAX, 16), -1);
        assert_eq!(sign_extended(5, 0), 0);
    }
}
