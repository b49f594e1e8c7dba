//! Executors that nobody knows: what futures look like, on stacks and in memory. As well as that goes.

use std::ops::Range;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Runtime, RuntimeKey, RuntimeKind};
use weft_values::Stop;

use super::boxed::{can_be_polled, found, without_future};
use crate::chain::{Node, Visited, Walk};
use crate::heap::{Heap, vtables};
use crate::listing::{Body, EntryFuture};
use crate::roster::{Found, Progress, Roster};
use crate::shape::Shapes;
use crate::threads::{Activation, Driven};
use crate::waits::Known;

/// All that is found this way is listed as one runtime's, which has no place of its own.
pub(crate) const RUNTIME: RuntimeKey = RuntimeKey(3);

/// What is to be said of tasks that only stacks show.
pub(crate) const ON_STACKS: &str =
    "best effort: an executor that is not known polls futures; they are listed while they are on a thread's stack";

/// The same of those that were found in memory.
const IN_MEMORY: &str = "best effort: the program's executor is not known; its tasks are the boxed futures that its \
                         memory holds, and some may be missing";

/// Most coroutines of one file, and most futures in memory, that are looked at.
const MOST_COROUTINES: usize = 100_000;
const MOST_FUTURES: usize = 100_000;

/// Words of a vtable before its first method, in bytes: drop, size and alignment.
const FIRST_METHOD: u64 = 24;

/// Bytes from a wide pointer's data half to its vtable half.
const VTABLE_HALF: u64 = 8;

/// The row of such tasks.
pub(crate) fn runtime() -> Runtime {
    Runtime { key: RUNTIME, kind: RuntimeKind::Unknown, name: None, os_threads: Vec::new(), task_count: 0 }
}

/// The task that a coroutine on a stack is, which nobody else claims.
pub(crate) fn on_stack(activation: &Activation) -> Option<Found> {
    let Driven::Loose { future, place, cfa } = &activation.what else { return None };
    let entry = place
        .as_ref()
        .and_then(|place| Some(EntryFuture { ty: place.ty.clone(), address: place.address()?, dropper: None }));
    let address = entry.as_ref().map(|future| future.address).or(*cfa)?;
    let ty = entry.as_ref().map(|future| future.ty.clone()).or_else(|| future.clone())?;
    let found = match entry {
        Some(entry) => found(RUNTIME, Progress::Idle, entry),
        None => without_future(RUNTIME, &ty, address),
    };
    Some(Found { running: true, ..found })
}

/// Boxed futures in memory: wide pointers whose vtable polls a coroutine and whose data is one, that can be polled.
/// Those that another one awaits are part of it.
pub(crate) fn in_memory(stop: &Stop, shapes: &Shapes) -> Option<Roster> {
    let mut words: FxHashSet<u64> = FxHashSet::default();
    for module in stop.modules.iter() {
        words.extend(vtables(stop, module, &module.image.coroutines(MOST_COROUTINES), FIRST_METHOD));
    }
    let heap = Heap::scan(stop, &words);
    let mut seen: FxHashSet<MemAddr> = FxHashSet::default();
    let candidates: Vec<EntryFuture> = heap
        .hits
        .iter()
        .filter_map(|(hit, vtable)| boxed(stop, shapes, *hit, MemAddr::new(*vtable)))
        .filter(|future| seen.insert(future.address))
        .take(MOST_FUTURES)
        .collect();
    let inner: FxHashSet<MemAddr> = candidates.iter().flat_map(|future| awaited(stop, shapes, future)).collect();
    let outermost = candidates.into_iter().filter(|future| !inner.contains(&future.address));
    let tasks: Vec<Found> = outermost.map(|future| found(RUNTIME, Progress::Idle, future)).collect();
    if tasks.is_empty() {
        return None;
    }
    let mut notes = vec![IN_MEMORY.to_owned()];
    if heap.cut {
        notes.push("the program has more memory than is searched: tasks may be missing".to_owned());
    }
    Some(Roster { runtimes: vec![runtime()], tasks, threads: Vec::new(), notes })
}

/// The future that a wide pointer leads to whose vtable half lies at `hit`.
fn boxed(stop: &Stop, shapes: &Shapes, hit: MemAddr, vtable: MemAddr) -> Option<EntryFuture> {
    let (module, file) = stop.modules.to_file(vtable)?;
    let ty: Type = module.image.vtable_type(file).filter(Type::is_coroutine)?;
    let address = stop.memory.read_pointer(hit.checked_sub(VTABLE_HALF)?).ok()?;
    (!is_no_box(stop, address) && can_be_polled(stop, shapes, &ty, address)).then_some(EntryFuture {
        ty,
        address,
        dropper: None,
    })
}

/// Whether an address is where no box lies: among a file's statics (those without a value in the file follow it in a
/// mapping of their own), on a thread's stack, among its thread-locals.
fn is_no_box(stop: &Stop, address: MemAddr) -> bool {
    let is_threads = |range: &Range<MemAddr>| {
        let mut registers = stop.threads.iter().map(|thread| &thread.registers);
        registers.any(|it| range.contains(&it.sp()) || range.contains(&MemAddr::new(it.fs_base)))
    };
    let follows = |start: MemAddr| stop.modules.iter().any(|module| module.range.end == start);
    let elsewhere = |range: &Range<MemAddr>| is_threads(range) || follows(range.start);
    stop.modules.at(address).is_some()
        || stop.memory.writable().iter().any(|range| range.contains(&address) && elsewhere(range))
}

/// Where the coroutines lie that a future awaits, itself left out.
fn awaited(stop: &Stop, shapes: &Shapes, future: &EntryFuture) -> Vec<MemAddr> {
    fn collect(nodes: &[Node], outer: MemAddr, found: &mut Vec<MemAddr>) {
        for node in nodes {
            if let Some(Body::Suspended(coroutine)) = &node.body {
                found.extend(coroutine.environment.address().filter(|address| *address != outer));
            }
            collect(&node.children, outer, found);
        }
    }
    let (known, mut visited) = (Known::default(), Visited::default());
    let chain = Walk::new(stop, shapes, &known, &|_| None, &mut visited).entry(future);
    let mut found = Vec::new();
    collect(&chain.nodes, future.address, &mut found);
    found
}
