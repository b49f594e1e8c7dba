//! How the next poll of a suspended coroutine is noticed, and that there will be none.
//!
//! A processor's watch on the coroutine's state is touched by its own poll function and by its own drop glue, and by nobody
//! else's. Where there is none to have, the entries of all copies of these functions are trapped, and every hit is told
//! apart by the environment that the function was given.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, OpAccess};
use weft_memory::{DwarfRegister, MemAddr};
use weft_process::{Watch, WatchAccess};
use weft_symbols::{CodeFrame, FunctionKind, Route, Start, Type};
use weft_values::{Place, Stop, way_to_environment};

use super::super::bodies::{bodies_of, glue_of, is_body_of};
use super::super::rows;
use super::super::{Hit, Passerby, Watched};

/// The register with a function's first argument (System V ABI for x86-64, 3.2.3).
const FIRST_ARGUMENT: DwarfRegister = DwarfRegister(5);

/// Longest code of one row that is decoded, in bytes.
const MOST_CODE: usize = 4096;

/// What comes in at a trapped entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// A poll.
    Poll,
    /// What drops the coroutine.
    Drop,
    /// A poll of a copy that was inlined and has no entry, or of the coroutine around it, at a line that ends the step.
    Line,
}

/// A trapped place, where the environment's address is there, and whose address that must be; none: the coroutine's.
#[derive(Debug)]
struct Door {
    coming: Coming,
    environment: Option<Route>,
    of: Option<MemAddr>,
}

/// Lines of a copy of a poll function that was inlined, or of the code around it, which is another coroutine's.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) code: CodeFrame,
    /// The lines begin there.
    pub(super) rows: Vec<MemAddr>,
    /// The other coroutine's environment.
    pub(super) of: Option<MemAddr>,
}

/// What is trapped while there is no watch to have. It is looked for when it is needed.
#[derive(Debug, Default)]
pub(super) struct Detector {
    entries: Option<BTreeMap<MemAddr, Door>>,
    /// Where an inlined copy is polled, or left.
    lines: Vec<Lines>,
    doors: BTreeMap<MemAddr, Door>,
}

impl Detector {
    /// The lines of the copy in which the coroutine was suspended.
    pub(super) fn set_lines(&mut self, lines: Vec<Lines>) {
        self.lines = lines;
        self.doors.clear();
    }

    /// Finds where the coroutine can be polled and dropped. Whether a poll can be noticed.
    pub(super) fn arm(&mut self, stop: &Stop, coroutine: &Place) -> bool {
        self.entries.get_or_insert_with(|| entries(stop, coroutine));
        for Lines { code, rows, of } in &self.lines {
            let Some(module) = stop.modules.of(&code.image) else { continue };
            for row in rows {
                let environment = way_to_environment(code, module.bias.to_file(*row));
                if environment.is_some() {
                    self.doors.insert(*row, Door { coming: Coming::Line, environment, of: *of });
                }
            }
        }
        !self.doors.is_empty() || self.entries.iter().flatten().any(|(_, door)| door.coming == Coming::Poll)
    }

    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.entries.iter().flat_map(BTreeMap::keys).chain(self.doors.keys()).copied()
    }

    fn door(&self, pc: MemAddr) -> Option<&Door> {
        self.entries.as_ref().and_then(|entries| entries.get(&pc)).or_else(|| self.doors.get(&pc))
    }

    /// What comes in at a trapped place, if it is surely meant.
    pub(super) fn coming(&self, hit: &Hit<'_>, ours: MemAddr) -> Option<Coming> {
        let registers = hit.stop.thread(hit.tid)?.registers;
        let door = self.door(registers.pc())?;
        let read = |at, bytes: &mut [u8]| hit.stop.memory.read(at, bytes).is_ok();
        let theirs = door.environment.as_ref()?.end(|register| registers.get(register), read);
        (theirs == Some(door.of.unwrap_or(ours).raw())).then_some(door.coming)
    }

    /// Whether what comes in is surely for another environment than `ours`.
    pub(super) fn is_anothers(&self, by: &Passerby<'_>, ours: MemAddr) -> bool {
        let Some(door) = self.door(by.pc) else { return true };
        let theirs = door.environment.as_ref().and_then(|way| by.end_of(way));
        theirs.is_some_and(|theirs| theirs != door.of.unwrap_or(ours).raw())
    }
}

/// The entries of the functions that poll and drop a coroutine.
fn entries(stop: &Stop, coroutine: &Place) -> BTreeMap<MemAddr, Door> {
    let mut entries = BTreeMap::new();
    let Some(module) = stop.modules.of(coroutine.ty.image()) else { return entries };
    let mut add = |at, coming, environment| {
        entries.insert(module.bias.to_memory(at), Door { coming, environment, of: None });
    };
    for code in bodies_of(&coroutine.ty) {
        let at = code.behind_prologue();
        add(at, Coming::Poll, way_to_environment(&code, at));
    }
    for glue in glue_of(&coroutine.ty) {
        add(glue.entry, Coming::Drop, Some(Route::new(Start::Register(FIRST_ARGUMENT), 0)));
    }
    entries
}

/// The bytes of a coroutine's state, if one watch can cover them.
pub(super) fn state_of(coroutine: &Place) -> Option<Watched> {
    let state = coroutine.ty.variant_part()?.discriminant.as_ref()?;
    let address = coroutine.address()?.checked_add(state.offset)?;
    match Watch::cover(address, coroutine.ty.discriminant_size(), WatchAccess::ReadWrite).as_slice() {
        [watch] => Some(Watched { address: watch.address, size: watch.size }),
        _ => None,
    }
}

/// What somebody who touches a coroutine's state does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// Polls it.
    Poll,
    /// Drops it.
    Drop,
    /// Neither: what it lies in may keep its own state in the same bytes.
    Other,
}

/// What the instruction before `pc` does that has touched the state of a coroutine of this type. Compilers move the first
/// instructions of a copy that was inlined into the code around it.
pub(super) fn touch(stop: &Stop, pc: MemAddr, coroutine: &Type) -> Touch {
    let Some((module, behind)) = stop.modules.to_file(pc) else { return Touch::Other };
    let there = module.image.frames_at(behind.offset(-1)).unwrap_or_default();
    for code in &there {
        if code.function.kind == FunctionKind::Glue {
            return Touch::Drop;
        }
        if is_body_of(code, coroutine) {
            return Touch::Poll;
        }
    }
    let host = there.last().and_then(|host| rows::copy_in(host, |code| is_body_of(code, coroutine)));
    if host.is_some() { Touch::Poll } else { Touch::Other }
}

/// Whether the instruction that ends at `pc` writes memory.
pub(super) fn writes_before(stop: &Stop, pc: MemAddr) -> bool {
    let Some((module, behind)) = stop.modules.to_file(pc) else { return false };
    // Rows begin where instructions do.
    let row = module.image.rows_in(behind.offset(-1)..behind).ok().and_then(|rows| rows.into_iter().next());
    let Some(start) = row.map(|row| module.bias.to_memory(row.address)).filter(|start| *start < pc) else {
        return false;
    };
    let length = pc.since(start).and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= MOST_CODE);
    let Some(code) = length.and_then(|length| stop.memory.read_bytes(start, length).ok()) else { return false };
    let decoder = Decoder::with_ip(64, &code, start.raw(), DecoderOptions::NONE);
    let last = decoder.into_iter().last().filter(|last| last.next_ip() == pc.raw());
    let writes = |access| matches!(access, OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite);
    last.is_some_and(|last| {
        let mut info = InstructionInfoFactory::new();
        info.info(&last).used_memory().iter().any(|memory| writes(memory.access()))
    })
}
