//! futures' own pools (futures-executor 0.3): `LocalPool` and `ThreadPool`.
//!
//! No list leads to their tasks: a `ThreadPool` has none, and a `LocalPool` mostly lies on a stack. A task is a boxed future
//! in a `LocalFutureObj` (a `FutureObj` is one too), whose third word is the function that drops it; those words are
//! searched in memory. What lies around one tells whose it is: a node of a `FuturesUnordered`, with a pointer to the
//! queue that only its pool has; a `thread_pool::Task`, with a pointer to its pool; else the `Vec` in which a
//! `LocalPool` is given new tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_symbols::{Image, Module, Type};
use weft_tasks::{Runtime, RuntimeKey, RuntimeKind, TaskKey};
use weft_values::{Frame, Stop};

use super::boxed::{self, can_be_polled};
use crate::chain::at;
use crate::heap::Heap;
use crate::leaves::find_pointer;
use crate::listing::EntryFuture;
use crate::names::base;
use crate::roster::{Executor, Found, Progress, Roster};
use crate::shape::{Shapes, choice, find_by, find_member, peel};
use crate::threads::{ThreadView, each_variable};

const OBJECT: &str = "futures_task::future_obj::LocalFutureObj";
const NODE: &str = "futures_util::stream::futures_unordered::task::Task";
const LOCAL_POOL: &str = "futures_executor::local_pool::LocalPool";
/// The functions that drop boxed futures (`UnsafeFutureObj::drop`), for each kind of box an impl.
const DROPPERS: [&str; 6] = [
    "futures_task::future_obj::if_alloc::{impl#0}::drop",
    "futures_task::future_obj::if_alloc::{impl#1}::drop",
    "futures_task::future_obj::if_alloc::{impl#2}::drop",
    "futures_task::future_obj::if_alloc::{impl#3}::drop",
    "futures_task::future_obj::if_alloc::{impl#4}::drop",
    "futures_task::future_obj::if_alloc::{impl#5}::drop",
];
const POOL_STATE: &str = "futures_executor::thread_pool::PoolState";

/// Most futures of one program that are looked at.
const MOST_FUTURES: usize = 1_000_000;

/// More owners than this nothing has: it is no counter (`alloc::sync::Arc` and `alloc::rc::Rc`, both of which count from 1).
const MOST_OWNERS: u64 = 1 << 32;

/// What `Weak::new` points to (`alloc::sync::Weak`): the stub of a queue belongs to no queue.
const DANGLING: u64 = u64::MAX;

/// Where a boxed future keeps its halves and the function that drops it.
#[derive(Clone, Copy, Debug)]
struct ObjectPlan {
    data: u64,
    vtable: u64,
    dropper: u64,
    size: u64,
}

impl ObjectPlan {
    fn of(image: &Arc<Image>) -> Option<Self> {
        let object = image.types_of_any_arguments(OBJECT).next()?;
        let (future, pointer) = find_member(&object, &["future"], 1)?;
        let half = |name: &str| future.checked_add(find_member(&pointer, &[name], 1)?.0);
        let (dropper, _) = find_member(&object, &["drop_fn"], 1)?;
        Some(Self { data: half("pointer")?, vtable: half("vtable")?, dropper, size: object.size().max(1) })
    }
}

/// Where the parts of a `LocalPool` lie.
#[derive(Debug)]
struct LocalPlan {
    /// Of the boxed future in a node.
    object: u64,
    /// Of the pointer to the queue in a node, and of the same in the pool.
    queue: (u64, u64),
    /// From that pointer's target to the pointer to the queue's stub, and from that one's to the stub.
    stub: (u64, u64),
    /// Of the pointer to what is shared with spawners, in the pool.
    incoming: u64,
    /// From that pointer's target to the pointer and length of the tasks that are not yet taken over.
    waiting: (u64, u64),
}

impl LocalPlan {
    fn of(image: &Arc<Image>) -> Option<Self> {
        let pool = image.types(LOCAL_POOL).into_iter().next()?;
        let node = image.types_of_any_arguments(NODE).find(|node| contained(node).is_some())?;
        let (in_node, to_queue) = find_member(&node, &["ready_to_run_queue"], 1)?;
        let (set, unordered) = find_member(&pool, &["pool"], 1)?;
        let (in_set, _) = find_member(&unordered, &["ready_to_run_queue"], 1)?;
        let (in_weak, queue) = target(&to_queue)?;
        let (stub, pointer) = find_member(&queue, &["stub"], 2)?;
        let (in_arc, stub_node) = target(&pointer)?;
        let (stub_data, _) = find_member(&stub_node, &["data"], 1)?;
        let (incoming, shared) = find_member(&pool, &["incoming"], 1)?;
        let (in_rc, cell) = target(&shared)?;
        let (vector, ty) = find_by(&cell, 4, &|_, ty| base(ty.path()) == "alloc::vec::Vec")?;
        let (data, _) = find_member(&ty, &["ptr"], 8)?;
        let (length, _) = find_member(&ty, &["len"], 1)?;
        Some(Self {
            object: contained(&node)?,
            queue: (in_node.checked_add(in_weak)?, set.checked_add(in_set)?),
            stub: (stub.checked_add(in_arc)?, stub_data),
            incoming: incoming.checked_add(in_rc)?,
            waiting: (vector.checked_add(data)?, vector.checked_add(length)?),
        })
    }
}

/// Where the parts of a `ThreadPool`'s task lie.
#[derive(Debug)]
struct ThreadPlan {
    object: u64,
    /// Of the pointer to the pool's shared part; from its target to the pool's state.
    pool: (u64, u64),
    /// Of the pointer to the handle that wakes it.
    handle: u64,
    /// From that pointer's target on: the handle's state, its task, the pointer to the pool.
    status: u64,
    parked: u64,
    handles_pool: u64,
}

/// A parked task (`unpark_mutex::WAITING` of futures-executor 0.3).
const WAITING: u64 = 0;
/// One that has ended (`COMPLETE`).
const COMPLETE: u64 = 3;

impl ThreadPlan {
    fn of(image: &Arc<Image>) -> Option<Self> {
        let task = image.types("futures_executor::thread_pool::Task").into_iter().next()?;
        let pool_in = |ty: &Type| {
            let (exec, pool) = find_member(ty, &["exec"], 1)?;
            let (in_arc, shared) = target(&pool)?;
            Some((exec.checked_add(in_arc)?, find_member(&shared, &["data"], 1)?.0))
        };
        let (wake, pointer) = find_member(&task, &["wake_handle"], 1)?;
        let (in_arc, shared) = target(&pointer)?;
        let (start, handle) = find_member(&shared, &["data"], 1)?;
        let (mutex, unpark) = find_member(&handle, &["mutex"], 1)?;
        let (status, _) = find_member(&unpark, &["status"], 1)?;
        let (inner, cell) = find_member(&unpark, &["inner"], 1)?;
        let (in_cell, option) = peel(&cell);
        let some = some(&option)?;
        let within = |offsets: &[u64]| offsets.iter().try_fold(start, |sum, offset| sum.checked_add(*offset));
        Some(Self {
            object: contained(&task)?,
            pool: pool_in(&task)?,
            handle: wake.checked_add(in_arc)?,
            status: within(&[mutex, status])?,
            parked: within(&[mutex, inner, in_cell, some])?,
            handles_pool: within(&[pool_in(&handle)?.0])?,
        })
    }
}

/// Through wrappers to a thin pointer: its offset, and what it points to.
fn target(ty: &Type) -> Option<(u64, Type)> {
    find_pointer(ty, 6, &|_| true)
}

/// Where in an `Option` its value lies.
fn some(option: &Type) -> Option<u64> {
    let variants = choice(option, option.variant_part()?, &|_| true).variants;
    Some(variants.iter().find(|variant| variant.name == "Some")?.parts.first()?.offset)
}

/// Where in a task its boxed future lies: in itself, or in an `Option` in a cell.
fn contained(task: &Type) -> Option<u64> {
    let is_object = |ty: &Type| base(ty.path()) == OBJECT;
    let (future, slot) = find_member(task, &["future"], 1)?;
    let (cell, inner) = peel(&slot);
    if inner.template_argument("T").is_some_and(|value| is_object(&value)) {
        return future.checked_add(cell)?.checked_add(some(&inner)?);
    }
    let offset = if is_object(&slot) { 0 } else { find_by(&slot, 2, &|_, ty| is_object(ty))?.0 };
    future.checked_add(offset)
}

/// futures' pools in a stopped program.
pub(crate) struct Pools<'a> {
    stop: &'a Stop,
    shapes: &'a Shapes,
    object: ObjectPlan,
    local: Option<LocalPlan>,
    threads: Option<ThreadPlan>,
    droppers: FxHashSet<u64>,
}

/// Boxed futures, sorted by who has them.
#[derive(Default)]
struct Sorted {
    /// By the address of a `LocalPool`'s queue.
    local: BTreeMap<MemAddr, Vec<Boxed>>,
    /// By the address of a `ThreadPool`'s state.
    threads: BTreeMap<MemAddr, Vec<Boxed>>,
    /// Where boxed futures lie that are in no task.
    loose: Vec<MemAddr>,
    /// There were more than are looked at.
    cut: bool,
}

/// A boxed future, and whether it is to be polled next.
struct Boxed {
    future: EntryFuture,
    progress: Progress,
}

impl<'a> Pools<'a> {
    /// Looks for pools in each of the program's files: a library may have copies of its own.
    pub(crate) fn find(stop: &'a Stop, shapes: &'a Shapes) -> Vec<Self> {
        let of_module = |module: &Module| {
            let functions = DROPPERS.iter().flat_map(|path| module.image.functions(path));
            let droppers: FxHashSet<u64> =
                functions.map(|function| module.bias.to_memory(function.address).raw()).collect();
            // Who boxes no future has no tasks in such a pool.
            if droppers.is_empty() {
                return None;
            }
            let (local, threads) = (LocalPlan::of(&module.image), ThreadPlan::of(&module.image));
            if local.is_none() && threads.is_none() {
                return None;
            }
            Some(Self { stop, shapes, object: ObjectPlan::of(&module.image)?, local, threads, droppers })
        };
        stop.modules.iter().filter_map(of_module).collect()
    }

    fn word(&self, address: MemAddr, offset: u64) -> Option<u64> {
        self.stop.memory.read_u64(at(address, offset)).ok()
    }

    fn pointer(&self, address: MemAddr, offset: u64) -> Option<MemAddr> {
        self.word(address, offset).filter(|word| *word != 0 && *word != DANGLING).map(MemAddr::new)
    }

    /// The future of a boxed one, if that can still be polled: what was dropped or moved away leaves its bytes behind.
    fn future(&self, object: MemAddr) -> Option<EntryFuture> {
        let vtable = self.pointer(object, self.object.vtable)?;
        let (module, file) = self.stop.modules.to_file(vtable)?;
        let ty = module.image.vtable_type(file)?;
        let address = self.pointer(object, self.object.data)?;
        can_be_polled(self.stop, self.shapes, &ty, address).then_some(EntryFuture { ty, address, dropper: None })
    }

    /// The queue that a node of a `LocalPool`'s names. Its stub, which names none, tells that it is one.
    fn queue(&self, pointer: MemAddr, offset: u64) -> Option<MemAddr> {
        let plan = self.local.as_ref()?;
        let queue = self.pointer(pointer, offset)?;
        let stub = at(self.pointer(queue, plan.stub.0)?, plan.stub.1);
        (self.word(stub, plan.queue.0)? == DANGLING).then_some(queue)
    }

    /// The pool whose task a boxed future is, and whether it is to be polled next. A task on its way to a thread lies in
    /// a channel, which keeps the bytes of what was taken out of it: its handle knows how far it is.
    fn thread_pool(&self, object: MemAddr) -> Option<(MemAddr, Progress)> {
        let plan = self.threads.as_ref()?;
        let task = MemAddr::new(object.raw().checked_sub(plan.object)?);
        let pool = self.pointer(task, plan.pool.0)?;
        let handle = self.pointer(task, plan.handle)?;
        let owners = self.word(handle, 0)?;
        let status = self.word(handle, plan.status)?;
        let parked = at(handle, plan.parked) == task;
        let is_so = self.pointer(handle, plan.handles_pool)? == pool
            && (1..MOST_OWNERS).contains(&owners)
            && if parked { status == WAITING } else { status != WAITING && status < COMPLETE };
        is_so.then_some((at(pool, plan.pool.1), if parked { Progress::Idle } else { Progress::Woken }))
    }

    fn sort(&self, heap: &Heap) -> Sorted {
        let mut sorted = Sorted::default();
        let objects = heap.of(&self.droppers).filter_map(|(hit, _)| hit.raw().checked_sub(self.object.dropper));
        for (count, object) in objects.map(MemAddr::new).enumerate() {
            if count >= MOST_FUTURES {
                sorted.cut = true;
                break;
            }
            let Some(future) = self.future(object) else { continue };
            let node = self.local.as_ref().and_then(|plan| object.raw().checked_sub(plan.object).map(MemAddr::new));
            let queue = node.zip(self.local.as_ref()).and_then(|(node, plan)| self.queue(node, plan.queue.0));
            if let Some(queue) = queue {
                sorted.local.entry(queue).or_default().push(Boxed { future, progress: Progress::Unknown });
            } else if let Some((pool, progress)) = self.thread_pool(object) {
                sorted.threads.entry(pool).or_default().push(Boxed { future, progress });
            } else {
                sorted.loose.push(object);
            }
        }
        self.waiting(&mut sorted);
        sorted
    }

    /// Finds the pools that were given tasks which they have not yet taken over: the pool, wherever it lies, names what it
    /// shares with its spawners, and that has the tasks in a `Vec`.
    fn waiting(&self, sorted: &mut Sorted) {
        let Some(plan) = &self.local else { return };
        let shared = self.vectors(plan, &std::mem::take(&mut sorted.loose));
        let words = shared.keys().map(|shared| shared.raw()).collect();
        let mut seen: FxHashSet<MemAddr> = FxHashSet::default();
        for (hit, word) in Heap::with_stacks(self.stop, &words).hits {
            let shared_at = MemAddr::new(word);
            let Some(pool) = hit.raw().checked_sub(plan.incoming).map(MemAddr::new) else { continue };
            let Some(queue) = self.queue(pool, plan.queue.1).filter(|_| seen.insert(shared_at)) else { continue };
            let objects = shared.get(&shared_at).into_iter().flatten();
            let futures = objects.filter_map(|object| self.future(*object));
            sorted
                .local
                .entry(queue)
                .or_default()
                .extend(futures.map(|future| Boxed { future, progress: Progress::Woken }));
        }
    }

    /// What is shared with spawners, with the boxed futures in its `Vec`, for those that hold one of these.
    fn vectors(&self, plan: &LocalPlan, loose: &[MemAddr]) -> FxHashMap<MemAddr, Vec<MemAddr>> {
        let words = loose.iter().map(|object| object.raw()).collect();
        let mut found = FxHashMap::default();
        let mut left = MOST_FUTURES as u64;
        for (hit, start) in Heap::scan(self.stop, &words).hits {
            let Some(shared) = hit.raw().checked_sub(plan.waiting.0).map(MemAddr::new) else { continue };
            let owners = self.word(shared, 0).filter(|owners| (1..MOST_OWNERS).contains(owners));
            let Some(length) = owners.and_then(|_| self.word(shared, plan.waiting.1)) else { continue };
            // What only looks like such a `Vec` may have any length.
            if length > left {
                continue;
            }
            left = left.saturating_sub(length);
            let objects = (0..length).map(|index| at(MemAddr::new(start), index.saturating_mul(self.object.size)));
            found.insert(shared, objects.collect());
        }
        found
    }

    /// The pool whose function this is a frame of.
    fn inside(&self, frame: &Frame) -> Option<RuntimeKey> {
        let path = base(&frame.code.as_ref()?.function.path);
        let target = [POOL_STATE, LOCAL_POOL].into_iter().find(|target| path.starts_with(target))?;
        let pointer = |ty: &Type| find_pointer(ty, 4, &|ty| base(ty.path()) == target).map(|(offset, _)| offset);
        let place = each_variable(self.stop, frame, &|ty| pointer(ty).is_some())?;
        let word = place.read_at(self.stop, pointer(&place.ty)?, 8).ok()?;
        let address = MemAddr::new(u64::from_le_bytes(word.try_into().ok()?));
        match &self.local {
            Some(plan) if target == LOCAL_POOL => self.queue(address, plan.queue.1).map(key),
            _ => Some(key(address)),
        }
    }
}

fn key(address: MemAddr) -> RuntimeKey {
    RuntimeKey(address.raw())
}

impl Executor for Pools<'_> {
    fn words(&self) -> FxHashSet<u64> {
        self.droppers.clone()
    }

    fn roster(&mut self, heap: &Heap) -> Roster {
        let sorted = self.sort(heap);
        let mut roster = Roster::default();
        if sorted.cut {
            roster.notes.push(format!("more than {MOST_FUTURES} futures of pools: the rest is not shown"));
        }
        let local = sorted.local.into_iter().map(|pool| (RuntimeKind::FuturesLocalPool, pool));
        let threads = sorted.threads.into_iter().map(|pool| (RuntimeKind::FuturesThreadPool, pool));
        let mut seen: FxHashSet<TaskKey> = FxHashSet::default();
        for (kind, (pool, tasks)) in local.chain(threads) {
            let runtime = key(pool);
            roster.runtimes.push(Runtime { key: runtime, kind, name: None, os_threads: Vec::new(), task_count: 0 });
            let found = tasks.into_iter().map(|task| boxed::found(runtime, task.progress, task.future));
            roster.tasks.extend(found.filter(|task| seen.insert(task.key)));
        }
        roster
    }

    fn runtime_of(&self, thread: &ThreadView) -> Option<RuntimeKey> {
        thread.frames.iter().find_map(|frame| self.inside(frame))
    }

    /// Handles of these pools are channels: nothing names a task.
    fn task_at(&self, _header: MemAddr, _near: RuntimeKey) -> Option<Found> {
        None
    }
}
