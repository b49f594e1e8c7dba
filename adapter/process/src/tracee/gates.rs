//! Gates: how calls for one object of the program's are noticed, without a trap in code that all its kind share.
//!
//! An object that names its functions by a table (a *vtable*) is given another table to name: a copy, in which some functions
//! are *stubs*, each a jump to the function itself. Whoever calls them for this object comes by a trap on the stub; nobody else
//! does. What is read of the program shows the object as it was.
//!
//! **Invariant:** a copy stays what it is as long as the program runs: who has read the object's word before it was restored may
//! call by way of the copy at any time. A stub without a trap does what its function does.

use std::collections::BTreeMap;

use weft_memory::{MemAddr, Memory};

use crate::slots::{extent, holes};
use crate::{LiveMemory, ProcessError, Tid, Tracee, mappings, ptrace};

/// Bytes of the memory that holds copies and stubs.
const AREA: u64 = 64 << 10;
/// Longest table that is copied, in bytes.
const LONGEST_TABLE: u64 = 512;
/// `jmp [rip]`, and the address that it jumps to behind it.
const JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];
const STUB: usize = 16;
/// Bytes of an entry of a table.
const ENTRY: usize = 8;

/// An object's own copy of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Where the object names its table.
    word: MemAddr,
    /// Each stub, with the function that it leads to.
    pub stubs: BTreeMap<MemAddr, MemAddr>,
}

/// A copy of a table.
#[derive(Debug)]
struct Copy {
    /// The table's bytes when it was made.
    table: Vec<u8>,
    entries: Vec<u64>,
    at: MemAddr,
    stubs: BTreeMap<MemAddr, MemAddr>,
}

/// All copies of a debuggee.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// What is free of the area, if there is one.
    free: Option<(MemAddr, u64)>,
    /// There can be none.
    refused: bool,
    /// By the address of the table.
    copies: BTreeMap<MemAddr, Copy>,
}

impl Tracee {
    /// Has calls of some functions of one object go over stubs. The object names its table of `size` bytes by the word at `word`;
    /// `entries` are the functions' offsets in it. All threads stand. None: it cannot be done, and nothing was changed.
    pub fn open_gate(&mut self, word: MemAddr, size: u64, entries: &[u64]) -> Option<Gate> {
        let memory = self.memory.clone()?;
        let table = MemAddr::new(memory.read_u64(word).ok()?);
        let fits = size <= LONGEST_TABLE && entries.iter().all(|at| at.checked_add(8).is_some_and(|end| end <= size));
        if !word.raw().is_multiple_of(8) || !fits {
            return None;
        }
        let bytes = memory.read_bytes(table, usize::try_from(size).ok()?).ok()?;
        if !self.gates.copies.contains_key(&table) {
            let copy = self.copy_table(&memory, table, bytes.clone(), entries)?;
            self.gates.copies.insert(table, copy);
        }
        let copy = self.gates.copies.get(&table).filter(|copy| copy.table == bytes && copy.entries == entries)?;
        memory.replace_word(word, table.raw(), copy.at.raw()).ok()?;
        Some(Gate { word, stubs: copy.stubs.clone() })
    }

    /// Lets the object name its own table again, if it is still there. All threads stand.
    pub fn close_gate(&self, gate: &Gate) -> Result<(), ProcessError> {
        if let Err(error) = self.memory()?.restore_word(gate.word) {
            tracing::debug!(%error, "an object keeps the copy of its table");
        }
        Ok(())
    }

    /// Writes a copy of a table and the stubs that belong to it.
    fn copy_table(&mut self, memory: &LiveMemory, table: MemAddr, bytes: Vec<u8>, entries: &[u64]) -> Option<Copy> {
        let stubs_size = entries.len().checked_mul(STUB)?;
        let length = bytes.len().checked_next_multiple_of(STUB)?.checked_add(stubs_size)?;
        let at = self.room_for_gates(table, u64::try_from(length).ok()?)?;
        let (mut code, mut stubs) = (bytes.clone(), BTreeMap::new());
        code.resize(bytes.len().checked_next_multiple_of(STUB)?, 0);
        for entry in entries {
            let entry = usize::try_from(*entry).ok()?;
            let range = entry..entry.checked_add(ENTRY)?;
            let function = u64::from_le_bytes(bytes.get(range.clone())?.try_into().ok()?);
            let stub = at.checked_add(u64::try_from(code.len()).ok()?)?;
            code.get_mut(range)?.copy_from_slice(&stub.raw().to_le_bytes());
            code.extend(JUMP);
            code.extend(function.to_le_bytes());
            code.resize(code.len().checked_next_multiple_of(STUB)?, 0);
            stubs.insert(stub, MemAddr::new(function));
        }
        memory.write(at, &code).ok()?;
        Some(Copy { table: bytes, entries: entries.to_vec(), at, stubs })
    }

    /// Memory for that many bytes more; the area is mapped when the first are asked for.
    fn room_for_gates(&mut self, near: MemAddr, length: u64) -> Option<MemAddr> {
        if self.gates.free.is_none() && !self.gates.refused {
            self.gates.free = self.map_gates(near).map(|start| (start, AREA));
            self.gates.refused = self.gates.free.is_none();
        }
        let (at, free) = self.gates.free?;
        self.gates.free = Some((at.checked_add(length)?, free.checked_sub(length)?));
        Some(at)
    }

    fn map_gates(&mut self, near: MemAddr) -> Option<MemAddr> {
        let tid = self.out_of_the_kernel()?;
        let mapped = mappings(self.living()).ok()?;
        let start = holes(&mapped, &extent(&mapped, near)?, AREA).into_iter().next()?;
        let at = self.map_area(tid, &mapped, start, AREA);
        at.inspect_err(|error| tracing::debug!(%error, "gates could not be mapped")).ok().filter(|at| *at == start)
    }

    /// A thread that was not stopped inside of a system call, if there is one.
    fn out_of_the_kernel(&self) -> Option<Tid> {
        let is_out = |tid: &Tid| ptrace::registers(*tid).is_ok_and(|registers| registers.orig_rax.cast_signed() < 0);
        let mut tids = self.threads();
        tids.sort_by_key(|tid| !is_out(tid));
        tids.first().copied()
    }
}
