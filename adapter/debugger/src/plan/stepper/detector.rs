//! How the next poll of a suspended coroutine is noticed, and that there will be none.
//!
//! A processor's watch on the coroutine's state is touched by its own poll function and by its own drop glue, and by nobody
//! else's. Where there is none to have, the entries of all copies of these functions are trapped, and every hit is told
//! apart by the environment that the function was given.

use std::collections::BTreeMap;

use weft_memory::{DwarfRegister, FileAddr, MemAddr};
use weft_process::{Watch, WatchAccess};
use weft_symbols::{CodeFrame, Function, FunctionKind, Route, Start, Type};
use weft_values::{Place, Stop, way_to_environment};

use super::super::{Hit, Passerby, Watched};

/// What drop glue is called; the second name is that of newer compilers.
const GLUE: [&str; 2] = ["core::ptr::drop_in_place", "core::ptr::drop_glue"];

/// The register with a function's first argument (System V ABI for x86-64, 3.2.3).
const FIRST_ARGUMENT: DwarfRegister = DwarfRegister(5);

/// Copies of one function that are trapped.
const MOST_COPIES: usize = 256;

/// What comes in at a trapped entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// A poll.
    Poll,
    /// What drops the coroutine.
    Drop,
}

/// An entry, and where the environment's address is there.
#[derive(Debug)]
struct Door {
    coming: Coming,
    environment: Option<Route>,
}

/// Entries that are trapped while no watch is to have.
#[derive(Debug, Default)]
pub(super) struct Detector {
    doors: BTreeMap<MemAddr, Door>,
}

impl Detector {
    /// Finds where the coroutine can be polled and dropped.
    pub(super) fn of(stop: &Stop, coroutine: &Place) -> Self {
        let mut doors = BTreeMap::new();
        let Some(module) = stop.modules.of(coroutine.ty.image()) else { return Self::default() };
        for code in copies_of_poll(&coroutine.ty) {
            let at = code.behind_prologue();
            let door = Door { coming: Coming::Poll, environment: way_to_environment(&code, at) };
            doors.insert(module.bias.to_memory(at), door);
        }
        for entry in drop_glue(&coroutine.ty) {
            let environment = Some(Route::new(Start::Register(FIRST_ARGUMENT), 0));
            doors.insert(module.bias.to_memory(entry), Door { coming: Coming::Drop, environment });
        }
        Self { doors }
    }

    /// Whether polls can be noticed by it.
    pub(super) fn sees_polls(&self) -> bool {
        self.doors.values().any(|door| door.coming == Coming::Poll)
    }

    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.doors.keys().copied()
    }

    /// What comes in at one of the entries.
    pub(super) fn coming(&self, pc: MemAddr) -> Option<Coming> {
        self.doors.get(&pc).map(|door| door.coming)
    }

    /// Whether what a thread at one of the entries is given is this environment.
    pub(super) fn has(&self, hit: &Hit<'_>, ours: MemAddr) -> bool {
        let thread = hit.stop.thread(hit.tid);
        let way =
            thread.and_then(|thread| self.doors.get(&thread.registers.pc())).and_then(|door| door.environment.as_ref());
        let end = way.zip(thread).and_then(|(way, thread)| {
            way.end(|register| thread.registers.get(register), |at, bytes| hit.stop.memory.read(at, bytes).is_ok())
        });
        end == Some(ours.raw())
    }

    /// Whether what comes in is surely for another environment than `ours`.
    pub(super) fn is_anothers(&self, by: &Passerby<'_>, ours: MemAddr) -> bool {
        let way = self.doors.get(&by.pc).and_then(|door| door.environment.as_ref());
        way.and_then(|way| by.end_of(way)).is_some_and(|theirs| theirs != ours.raw())
    }
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

/// Whether a function, or a copy of it, is the body of coroutines of this type.
pub(super) fn is_body_of(code: &CodeFrame, coroutine: &Type) -> bool {
    is_coroutine(&code.function) && code.environment_type().is_none_or(|ty| ty.path() == coroutine.path())
}

fn is_coroutine(function: &Function) -> bool {
    function.kind.is_coroutine()
}

/// The functions that the compiler made of a coroutine's body.
fn copies_of_poll(coroutine: &Type) -> Vec<CodeFrame> {
    let Some(function) = coroutine.coroutine_function() else { return Vec::new() };
    let image = coroutine.image();
    let copies = image.functions(&function.path).into_iter().take(MOST_COPIES);
    let copies = copies.filter_map(|entry| image.function_frame(&entry).ok().flatten());
    copies.filter(|code| is_body_of(code, coroutine)).collect()
}

/// Entries of the functions that drop a coroutine and nothing else.
fn drop_glue(coroutine: &Type) -> Vec<FileAddr> {
    let is_its = |name: &[u8]| {
        let (_, dropped) = std::str::from_utf8(name).ok()?.split_once('<')?;
        (dropped.strip_suffix('>')? == coroutine.path()).then_some(())
    };
    let found = GLUE.iter().flat_map(|path| coroutine.image().functions_by(path, &is_its));
    found.take(MOST_COPIES).map(|(_, entry)| entry.address).collect()
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

/// What the instruction before `pc` does that has touched the state of a coroutine of this type.
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
    Touch::Other
}
