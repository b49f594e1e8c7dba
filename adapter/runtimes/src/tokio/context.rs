//! Threads to runtimes: the thread-local `CONTEXT`.

use std::sync::Arc;

use weft_symbols::{Image, Module, Static, TypeKind};
use weft_values::{Place, Stop, ThreadState};

use super::blocking::spawner_of_jobs;
use super::scheduler::Scheduler;
use crate::names::base;

/// Paths under which the thread-local's storage has been seen: by Tokio's module (1.20 and before, after), by the
/// standard library's macro (to 1.75, to 1.94, from 1.95).
const MODULES: [&str; 2] = ["tokio::runtime::context::CONTEXT", "tokio::runtime::context::current::CONTEXT"];
const STORAGES: [&str; 7] = [
    "{constant#0}::{closure#0}::__RUST_STD_INTERNAL_VAL",
    "{constant#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
    "{constant#0}::{closure#0}::VAL",
    "{constant#0}::{closure#1}::VAL",
    "__getit::__KEY",
    "__getit::VAL",
    "__getit::STATE",
];

/// What a thread's context says.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) tid: i32,
    /// The scheduler whose runtime the thread is inside.
    pub(crate) scheduler: Scheduler,
    /// What starts jobs for that runtime, where the thread keeps it beside the scheduler (Tokio up to 1.19).
    pub(crate) blocking: Option<Place>,
    /// The task it says it runs. Stays set on idle workers, which name the task that launched them.
    pub(crate) current_task: Option<u64>,
}

/// How many copies of Tokio a file has: each has its own thread-local.
pub(crate) fn copies(image: &Arc<Image>) -> usize {
    storages(image).len()
}

/// What all threads' contexts say, and whether the program has a Tokio at all.
pub(crate) fn contexts(stop: &Stop) -> (Vec<Context>, bool) {
    let mut found = Vec::new();
    let mut has_tokio = false;
    for module in stop.modules.iter() {
        for variable in storages(&module.image) {
            has_tokio = true;
            found.extend(stop.threads.iter().filter_map(|thread| context(stop, module, &variable, thread)));
        }
    }
    (found, has_tokio)
}

/// The thread-locals that exist, one for each copy of Tokio.
pub(crate) fn storages(image: &Arc<Image>) -> Vec<Static> {
    if image.debug_info() == weft_symbols::DebugInfo::Absent {
        return Vec::new();
    }
    let paths = MODULES.iter().flat_map(|module| STORAGES.iter().map(move |storage| format!("{module}::{storage}")));
    let mut found: Vec<Static> = paths.flat_map(|path| image.statics(&path)).filter(|it| it.thread_local).collect();
    found.dedup_by(|a, b| a.address == b.address && a.ty == b.ty);
    found
}

fn context(stop: &Stop, module: &Module, variable: &Static, thread: &ThreadState) -> Option<Context> {
    let address = stop.modules.thread_local(module, variable, thread.registers.fs_base, &*stop.memory)?;
    let storage = Place::new(variable.ty.clone()?, address);
    if !is_alive(stop, &storage) {
        return None;
    }
    let handle = handle(stop, &storage)?;
    let scheduler = Scheduler::new(shared_handle(stop, &handle, 0)?)?;
    let blocking = spawner_of_jobs(&handle);
    Some(Context { tid: thread.tid, scheduler, blocking, current_task: current_task(stop, &storage) })
}

/// Whether the storage says that its value was made and not yet dropped.
fn is_alive(stop: &Stop, storage: &Place) -> bool {
    let Ok(state) = storage.member("state") else { return true };
    let state = state.peel();
    let TypeKind::Enumeration { enumerators, .. } = state.ty.kind() else { return true };
    let Ok(value) = state.read_uint(stop) else { return false };
    enumerators
        .iter()
        .any(|known| known.name == "Alive" && u128::try_from(known.value).is_ok_and(|known| known == value))
}

/// The handle in a context: the first `Option` of one.
fn handle(stop: &Stop, storage: &Place) -> Option<Place> {
    let storage = match storage.variant(stop) {
        Ok(active) => active.place,
        Err(_) => storage.clone(),
    };
    let is_handle = |ty: &weft_symbols::Type| {
        let inner = ty.path().strip_prefix("core::option::Option<tokio::runtime::");
        inner.is_some_and(|inner| inner.ends_with("Handle>"))
    };
    let (offset, option) = crate::shape::find_by(&storage.ty, 10, &|_, ty| is_handle(ty))?;
    let option = Place::at(option, storage.at.plus(offset));
    let some = option.variant(stop).ok().filter(|active| active.name == "Some")?;
    Some(some.place)
}

/// Through enums and structs to the first `Arc`, and to what it shares.
fn shared_handle(stop: &Stop, place: &Place, depth: usize) -> Option<Place> {
    if depth > 8 {
        return None;
    }
    let depth = depth.saturating_add(1);
    if base(place.ty.path()) == "alloc::sync::Arc" {
        return place.deref(stop).ok()?.member("data").ok();
    }
    if let Ok(active) = place.variant(stop) {
        return shared_handle(stop, &active.place, depth);
    }
    // Of several members the scheduler's; I/O and timer handles are beside it in old versions.
    let members = place.members();
    let preferred =
        members.iter().filter(|member| ["spawner", "inner", "shared", "__0"].contains(&member.name.as_str()));
    preferred
        .chain(members.iter().filter(|member| members.len() == 1 && !member.name.is_empty()))
        .filter_map(|member| member.place.as_ref().ok())
        .find_map(|member| shared_handle(stop, member, depth))
}

fn current_task(stop: &Stop, storage: &Place) -> Option<u64> {
    let (offset, cell) = crate::shape::find_member(&storage.ty, &["current_task_id"], 6)?;
    let option = Place::at(cell, storage.at.plus(offset)).peel();
    let some = option.variant(stop).ok().filter(|active| active.name == "Some")?;
    some.place.peel().read_u64(stop).ok()
}
