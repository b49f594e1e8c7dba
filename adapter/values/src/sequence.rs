//! Elements one after another: arrays, slices, `Vec`, `VecDeque`.

use std::ops::Range;

use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};

use crate::names::without_arguments;
use crate::{At, Meta, Place, Stop, ValueError};

/// Most elements given at once.
pub(crate) const MAX_ELEMENTS: u64 = 10_000;
/// A length no allocation has: more bytes than an address space's half holds.
const MAX_BYTES: u64 = 1 << 47;

/// A run of elements, none of them read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The element's type.
    pub element: Type,
    /// How many.
    pub len: u64,
    /// Elements there is room for; none for arrays and slices.
    pub capacity: Option<u64>,
    start: At,
    /// For ring buffers: the slot of the first element, and how many slots there are.
    ring: Option<(u64, u64)>,
}

impl Sequence {
    /// Elements from `start` on.
    pub(crate) const fn contiguous(element: Type, start: At, len: u64) -> Self {
        Self { element, len, capacity: None, start, ring: None }
    }

    /// The first `len` of its elements.
    pub(crate) fn shortened(self, len: u64) -> Self {
        Self { len: len.min(self.len), ..self }
    }

    /// The place of the element at `index`.
    pub fn get(&self, index: u64) -> Result<Place, ValueError> {
        if index >= self.len {
            return Err(ValueError::OutOfRange { index, len: self.len });
        }
        let slot = match self.ring {
            Some((head, slots)) if slots > 0 => {
                head.checked_add(index).and_then(|slot| slot.checked_rem(slots)).unwrap_or(index)
            }
            _ => index,
        };
        Ok(Place::at(self.element.clone(), self.start.plus(slot.saturating_mul(self.element.size()))))
    }

    /// The element at `start` as the first of `len` that lie one after another.
    pub(crate) fn contiguous_at(&self, start: u64, len: u64) -> Result<Place, ValueError> {
        let wraps = match self.ring {
            Some((head, slots)) => {
                let first = head.saturating_add(start).checked_rem(slots).unwrap_or(0);
                first.saturating_add(len) > slots
            }
            None => false,
        };
        if wraps {
            return Err(ValueError::Unavailable("these elements do not lie one after another".to_owned()));
        }
        if len == 0 {
            return Ok(Place::at(self.element.clone(), self.start.clone()));
        }
        self.get(start)
    }

    /// Where the first slot lies; for the bytes of strings.
    pub(crate) fn whole(&self) -> Place {
        Place { ty: self.element.clone(), at: self.start.clone(), meta: Meta::Length(self.len) }
    }
}

impl Place {
    /// What this place's elements are: an array, a slice (also through its reference or `Box`), a `Vec`, a `VecDeque`,
    /// a `BinaryHeap` (in heap order). Other types: [`ValueError::NotSequence`].
    pub fn sequence(&self, stop: &Stop) -> Result<Sequence, ValueError> {
        if let Meta::Length(len) | Meta::Str(len) = self.meta {
            let is_run = matches!(self.meta, Meta::Length(_)) || self.ty.size() == 1;
            if is_run {
                return checked(Sequence::contiguous(self.ty.clone(), self.at.clone(), len));
            }
        }
        match self.ty.kind() {
            TypeKind::Array { element, count } => {
                let element = element.and_then(|die| self.ty.at(die)).ok_or_else(|| no_element(self))?;
                let len = count.or_else(|| self.ty.size().checked_div(element.size())).unwrap_or(0);
                checked(Sequence::contiguous(element, self.at.clone(), len))
            }
            TypeKind::Struct { .. } => match without_arguments(self.ty.path()) {
                "alloc::vec::Vec" => self.vec(stop),
                "alloc::collections::vec_deque::VecDeque" => self.vec_deque(stop),
                "alloc::collections::binary_heap::BinaryHeap" => self.member("data")?.vec(stop),
                _ => self.pointed_sequence(stop),
            },
            _ => Err(not_sequence(self)),
        }
    }

    /// The elements of `range`, as far as they exist; at most 10,000.
    pub fn elements(&self, stop: &Stop, range: Range<u64>) -> Result<Vec<Self>, ValueError> {
        let sequence = self.sequence(stop)?;
        let end = range.end.min(sequence.len).min(range.start.saturating_add(MAX_ELEMENTS));
        (range.start..end).map(|index| sequence.get(index)).collect()
    }

    fn pointed_sequence(&self, stop: &Stop) -> Result<Sequence, ValueError> {
        // Only wide pointers to slices: a thin `Box<Vec<T>>` is for whoever dereferences explicitly.
        let target = match self.deref(stop) {
            Err(ValueError::NotPointer(_)) => return Err(not_sequence(self)),
            target => target?,
        };
        match target.meta {
            Meta::Length(_) | Meta::Str(_) => target.sequence(stop),
            _ => Err(not_sequence(self)),
        }
    }

    fn vec(&self, stop: &Stop) -> Result<Sequence, ValueError> {
        let element = self.ty.template_argument("T").ok_or_else(|| no_element(self))?;
        let len = self.member("len")?.read_u64(stop)?;
        let (start, capacity) = self.raw_vec(stop, &element)?;
        if len > capacity {
            return Err(ValueError::Invalid(format!("length {len} is more than the capacity {capacity}")));
        }
        let sequence = Sequence::contiguous(element, At::Memory(start), len);
        checked(Sequence { capacity: Some(capacity), ..sequence })
    }

    /// `VecDeque`: `{head, len, buf}`, before Rust 1.67 `{tail, head, buf}` with a capacity that is a power of two.
    fn vec_deque(&self, stop: &Stop) -> Result<Sequence, ValueError> {
        let element = self.ty.template_argument("T").ok_or_else(|| no_element(self))?;
        let (start, capacity) = self.raw_vec(stop, &element)?;
        let head = self.member("head")?.read_u64(stop)?;
        let (first, len) = match (self.member("len"), self.member("tail")) {
            (Ok(len), _) => (head, len.read_u64(stop)?),
            (Err(_), Ok(tail)) => {
                let tail = tail.read_u64(stop)?;
                (tail, head.wrapping_sub(tail) & capacity.wrapping_sub(1))
            }
            (Err(error), Err(_)) => return Err(error),
        };
        if len > capacity || (first >= capacity && capacity > 0 && element.size() > 0) {
            return Err(ValueError::Invalid(format!("{len} elements from slot {first} of {capacity}")));
        }
        let ring = (element.size() > 0).then_some((first, capacity));
        let sequence = Sequence::contiguous(element, At::Memory(start), len);
        checked(Sequence { capacity: Some(capacity), ring, ..sequence })
    }

    /// Buffer and capacity of `buf`; the capacity of zero-sized elements is unlimited, whatever is stored.
    fn raw_vec(&self, stop: &Stop, element: &Type) -> Result<(MemAddr, u64), ValueError> {
        let buf = self.member("buf")?;
        let start = buf.find("ptr")?.peel().read_pointer(stop)?;
        let capacity = if element.size() == 0 { u64::MAX } else { buf.find("cap")?.peel().read_u64(stop)? };
        if start.raw() == 0 {
            return Err(ValueError::Invalid("the buffer's pointer is null".to_owned()));
        }
        Ok((start, capacity))
    }
}

/// Refuses lengths that no memory can hold.
pub(crate) fn checked(sequence: Sequence) -> Result<Sequence, ValueError> {
    match sequence.len.checked_mul(sequence.element.size()) {
        Some(bytes) if bytes <= MAX_BYTES => Ok(sequence),
        _ => Err(ValueError::Invalid(format!("a length of {}", sequence.len))),
    }
}

fn no_element(place: &Place) -> ValueError {
    ValueError::NoType(format!("the elements of `{}`", crate::short_type_name(place.ty.path())))
}

fn not_sequence(place: &Place) -> ValueError {
    ValueError::NotSequence(crate::short_type_name(place.ty.path()))
}
