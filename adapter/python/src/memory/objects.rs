//! Objects of a CPython program: their types, and what small ones say.

use std::collections::HashMap;
use std::sync::Arc;

use weft_memory::{MemAddr, Memory};

use super::offsets::Offsets;

/// Bytes that are read of one structure, at most: more than any has whose fields are looked at.
const LARGEST: usize = 320;
/// Characters of a text, at most; the rest is left out.
const LONGEST_TEXT: usize = 1024;
/// Names of types in C are not longer than this, in bytes.
const LONGEST_NAME: usize = 128;
/// Kinds of types that are kept; a program that has more is read more slowly.
const MOST_TYPES: usize = 65_536;
/// `Py_TPFLAGS_HEAPTYPE`, `Py_TPFLAGS_LONG_SUBCLASS`, `Py_TPFLAGS_UNICODE_SUBCLASS` (`object.h`).
const HEAP_TYPE: u64 = 1 << 9;
const LONG_SUBCLASS: u64 = 1 << 24;
const UNICODE_SUBCLASS: u64 = 1 << 28;
/// From `tp_flags` to `tp_base`, in bytes: `PyTypeObject` (`cpython/object.h`), of which compiled extensions are a copy.
const FLAGS_TO_BASE: u64 = 88;
/// Bases of a type that are looked at.
const MOST_BASES: usize = 32;

/// Some bytes of a structure, read at once.
pub(super) struct Record {
    bytes: [u8; LARGEST],
    length: usize,
}

impl Record {
    fn at<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let known = self.bytes.get(..self.length)?;
        known.get(usize::try_from(offset).ok()?..)?.first_chunk().copied()
    }

    pub(super) fn byte(&self, offset: u64) -> Option<u8> {
        self.at::<1>(offset).map(u8::from_le_bytes)
    }

    pub(super) fn int(&self, offset: u64) -> Option<i32> {
        self.at(offset).map(i32::from_le_bytes)
    }

    pub(super) fn word(&self, offset: u64) -> Option<u64> {
        self.at(offset).map(u64::from_le_bytes)
    }

    pub(super) fn pointer(&self, offset: u64) -> Option<MemAddr> {
        self.word(offset).and_then(object_at)
    }
}

/// The object that a reference is to. The two lowest bits of one on a stack are not part of it, and say when it is none
/// (`pycore_stackref.h`).
pub(super) fn object_at(reference: u64) -> Option<MemAddr> {
    const TAG: u64 = 3;
    let address = reference & !TAG;
    (reference & TAG != TAG && address != 0).then(|| MemAddr::new(address))
}

/// What is known of a type.
#[derive(Clone, Debug)]
pub(super) struct Type {
    /// `tp_name`: with its module for types of C, without for those of Python.
    pub(super) name: Arc<str>,
    flags: u64,
}

impl Type {
    /// Whether it is this type of the interpreter itself, which no program can make.
    pub(super) fn is_static(&self, name: &str) -> bool {
        *self.name == *name && self.flags & HEAP_TYPE == 0
    }
}

/// Reads objects.
pub(super) struct Objects<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) offsets: &'a Offsets,
    types: HashMap<MemAddr, Option<Type>>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(memory: &'a dyn Memory, offsets: &'a Offsets) -> Self {
        Self { memory, offsets, types: HashMap::new() }
    }

    /// So many bytes of a structure, or as many as we look at.
    pub(super) fn record(&self, address: MemAddr, size: u64) -> Option<Record> {
        let length = usize::try_from(size).ok()?.min(LARGEST);
        let mut record = Record { bytes: [0; LARGEST], length };
        self.memory.read_exact(address, record.bytes.get_mut(..length)?).ok()?;
        Some(record)
    }

    pub(super) fn word(&self, address: MemAddr, offset: u64) -> Option<u64> {
        self.memory.read_u64(address.checked_add(offset)?).ok()
    }

    pub(super) fn pointer(&self, address: MemAddr, offset: u64) -> Option<MemAddr> {
        self.word(address, offset).and_then(object_at)
    }

    /// The object that the first word behind an object's head refers to.
    pub(super) fn first_member(&self, object: MemAddr) -> Option<MemAddr> {
        self.pointer(object, self.offsets.object_size)
    }

    /// An object's type.
    pub(super) fn type_of(&mut self, object: MemAddr) -> Option<Type> {
        let address = self.pointer(object, self.offsets.object_type)?;
        self.type_at(address)
    }

    fn type_at(&mut self, address: MemAddr) -> Option<Type> {
        if let Some(known) = self.types.get(&address) {
            return known.clone();
        }
        let read = self.read_type(address);
        if self.types.len() < MOST_TYPES {
            self.types.insert(address, read.clone());
        }
        read
    }

    fn read_type(&self, address: MemAddr) -> Option<Type> {
        let flags = self.word(address, self.offsets.type_flags)?;
        let at = MemAddr::new(self.word(address, self.offsets.type_name)?);
        let mut name = [0; LONGEST_NAME];
        let read = self.memory.read(at, &mut name).ok()?;
        let known = name.get(..read)?;
        let end = known.iter().position(|byte| *byte == 0)?;
        let name = std::str::from_utf8(known.get(..end)?).ok().filter(|name| !name.is_empty())?;
        Some(Type { name: name.into(), flags })
    }

    /// Whether an object's type or one of its bases has such a name.
    pub(super) fn is_kind_of(&mut self, object: MemAddr, wanted: impl Fn(&Type) -> bool) -> bool {
        let mut next = self.pointer(object, self.offsets.object_type);
        for _ in 0..MOST_BASES {
            let Some(address) = next else { return false };
            if self.type_at(address).is_some_and(|known| wanted(&known)) {
                return true;
            }
            next = self.offsets.type_flags.checked_add(FLAGS_TO_BASE).and_then(|base| self.pointer(address, base));
        }
        false
    }

    /// A `str`.
    pub(super) fn text(&mut self, object: MemAddr) -> Option<String> {
        if self.type_of(object)?.flags & UNICODE_SUBCLASS == 0 {
            return None;
        }
        let length = self.word(object, self.offsets.text_length)?;
        let state = self.memory.read_u32(object.checked_add(self.offsets.text_state)?).ok()?;
        // `PyASCIIObject.state` (`unicodeobject.h`): interned (two bits, a byte where threads are free), kind, compact, ascii.
        let state = state >> if self.offsets.free_threaded { 8 } else { 2 };
        let (kind, is_compact, is_ascii) = (state & 7, state & 8 != 0, state & 16 != 0);
        if !is_compact {
            return None;
        }
        // What is not ASCII has two words more, for itself as UTF-8 (`PyCompactUnicodeObject`).
        let head = self.offsets.text_ascii.checked_add(if is_ascii { 0 } else { 16 })?;
        let count = usize::try_from(length).ok()?.min(LONGEST_TEXT);
        let width = usize::try_from(kind).ok().filter(|kind| matches!(kind, 1 | 2 | 4))?;
        let bytes = self.memory.read_bytes(object.checked_add(head)?, count.checked_mul(width)?).ok()?;
        let character = |unit: &[u8]| {
            let code = unit.iter().rev().fold(0_u32, |code, byte| (code << 8) | u32::from(*byte));
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        Some(bytes.chunks_exact(width).map(character).collect())
    }

    /// An `int` that is not negative.
    pub(super) fn integer(&mut self, object: MemAddr) -> Option<u64> {
        if self.type_of(object)?.flags & LONG_SUBCLASS == 0 {
            return None;
        }
        // `longintrepr.h`: the sign in two bits (1: zero, 2: negative), the number of digits behind three.
        let tag = self.word(object, self.offsets.long_tag)?;
        let (sign, count) = (tag & 3, tag >> 3);
        match sign {
            1 => Some(0),
            0 if count <= 2 => {
                let digits = self.memory.read_u64(object.checked_add(self.offsets.long_digits)?).ok()?;
                let (low, high) = (digits & 0x3fff_ffff, digits >> 32);
                if count == 2 { Some(low | (high << 30)) } else { Some(low) }
            }
            _ => None,
        }
    }

    /// A `bytes` of no more than `most` bytes.
    pub(super) fn bytes(&self, object: MemAddr, most: u64) -> Option<Vec<u8>> {
        let length = self.word(object, self.offsets.bytes_length).filter(|length| *length <= most)?;
        self.memory.read_bytes(object.checked_add(self.offsets.bytes_data)?, usize::try_from(length).ok()?).ok()
    }

    /// The elements of a `set`, at most so many.
    pub(super) fn elements(&self, set: MemAddr, most: usize) -> Vec<MemAddr> {
        let slots = || {
            let mask = self.word(set, self.offsets.set_mask)?;
            let table = MemAddr::new(self.word(set, self.offsets.set_table)?);
            let slots = usize::try_from(mask).ok()?.checked_add(1)?.min(most.saturating_mul(8));
            self.memory.read_bytes(table, slots.checked_mul(16)?).ok()
        };
        let slots = slots().unwrap_or_default();
        // `setentry` (`setobject.h`): key and hash; the hash -1 is that of a removed element.
        let (pairs, _) = slots.as_chunks::<16>();
        let keys = pairs.iter().filter_map(|slot| {
            let (key, hash) = slot.split_at_checked(8)?;
            let hash = u64::from_le_bytes(*hash.first_chunk()?);
            object_at(u64::from_le_bytes(*key.first_chunk()?)).filter(|_| hash != u64::MAX)
        });
        keys.take(most).collect()
    }
}
