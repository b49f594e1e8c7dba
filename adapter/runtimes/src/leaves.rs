//! Primitive futures and sets of futures, recognised by the paths of their types.
//!
//! The members read here are those of Tokio 1.0 to 1.54 and futures-util 0.3; each is searched by name, so that a
//! member that moved is found and one that is gone only costs what it would have told.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};
use weft_tasks::WaitKind;
use weft_values::Stop;

use crate::chain::at;
use crate::channels::{Half, half};
use crate::executors::{self, Object};
use crate::names::{base, within};
use crate::queues::{QueueLayout, queue_layout};
use crate::shape::{find_by, find_member, peel, pointee};

/// A primitive future.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The type's name in short form.
    pub(crate) name: Arc<str>,
    /// What can be read of it.
    pub(crate) kind: LeafKind,
}

/// What can be read of a primitive future. Numbers are offsets in bytes from its start.
#[derive(Debug, Clone)]
pub(crate) enum LeafKind {
    /// A timer: the parts of its deadline on the monotonic clock.
    Sleep { deadline: Option<(u64, u64)> },
    /// A task's handle: the pointer to its header.
    Join { header: Option<u64> },
    /// A place in a semaphore's queue.
    Acquire(Acquire),
    /// A place in a `Notify`'s queue: the pointer to it.
    Notified { notify: Option<u64> },
    /// The receiving half of a channel, and the offset of the pointer to it if that is not the future itself.
    Receive { half: Option<Half>, through: Option<u64> },
    /// A wait for a `CancellationToken`: the pointer to its node in the tree of tokens.
    Cancelled { node: Option<u64> },
    /// Readiness of a socket, pipe or terminal, or an operation that polls one.
    Io { operation: Option<String> },
    /// Something that it points to, of smol's crates or of futures.
    Object(Object),
}

/// A place in a semaphore's queue. Numbers are offsets in bytes, with sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acquire {
    /// Of the pointer to the semaphore.
    pub(crate) semaphore: Option<u64>,
    /// Of the number of permits asked for.
    pub(crate) permits: Option<(u64, u64)>,
    /// Of the waiter that is linked into the queue.
    pub(crate) waiter: Option<u64>,
    /// Of the number of permits that are still missing.
    pub(crate) missing: Option<(u64, u64)>,
    /// Of the flag that says that the waiter was linked in.
    pub(crate) queued: Option<u64>,
    /// How to read the queue.
    pub(crate) queue: Option<QueueLayout>,
}

impl Acquire {
    /// Whether the waiter that lies at `address` was given its permits and has not taken notice yet.
    pub(crate) fn is_granted(&self, stop: &Stop, address: MemAddr) -> bool {
        let number =
            |(offset, size): (u64, u64)| stop.memory.read_uint(at(address, offset), usize::try_from(size).ok()?).ok();
        let was_queued = self.queued.and_then(|offset| number((offset, 1))) == Some(1);
        was_queued && self.missing.and_then(number) == Some(0)
    }
}

const SLEEP: [&str; 2] = ["tokio::time::sleep::Sleep", "tokio::time::driver::sleep::Sleep"];
const JOIN: &str = "tokio::runtime::task::join::JoinHandle";
const HEADER: &str = "tokio::runtime::task::core::Header";
const ACQUIRE: &str = "tokio::sync::batch_semaphore::Acquire";
const NOTIFIED: [&str; 2] = ["tokio::sync::notify::Notified", "tokio::sync::notify::OwnedNotified"];
/// The futures that receive, and whether they are the receiver themselves or refer to it.
const RECEIVE: [(&str, bool); 3] = [
    ("tokio::sync::oneshot::Receiver", true),
    ("tokio::sync::mpsc::chan::Rx", true),
    ("tokio::sync::broadcast::Recv", false),
];
const CANCELLED: [&str; 2] = [
    "tokio_util::sync::cancellation_token::WaitForCancellationFuture",
    "tokio_util::sync::cancellation_token::WaitForCancellationFutureOwned",
];
const READINESS: [&str; 3] = [
    "tokio::runtime::io::scheduled_io::Readiness",
    "tokio::io::driver::scheduled_io::Readiness",
    "tokio::io::async_fd::AsyncFdReadyGuard",
];
const UNORDERED: &str = "futures_util::stream::futures_unordered::FuturesUnordered";
const JOIN_SET: &str = "tokio::task::join_set::JoinSet";
/// Most entries of a `JoinSet` that are looked at.
const MAX_ENTRIES: usize = 1_000;

/// Whether [`leaf`] knows this type.
pub(crate) fn is_leaf(ty: &Type) -> bool {
    let path = base(ty.path());
    executors::leaf_kind(ty).is_some()
        || CANCELLED.contains(&path)
        || path.starts_with("tokio::")
            && (SLEEP.contains(&path)
                || path == JOIN
                || path == ACQUIRE
                || NOTIFIED.contains(&path)
                || RECEIVE.iter().any(|(known, _)| *known == path)
                || READINESS.contains(&path)
                || within(path, "tokio::io::util"))
}

/// The primitive future of that type.
pub(crate) fn leaf(ty: &Type) -> Option<Leaf> {
    if !is_leaf(ty) {
        return None;
    }
    let path = base(ty.path());
    let kind = if let Some(kind) = executors::leaf_kind(ty) {
        kind
    } else if SLEEP.contains(&path) {
        LeafKind::Sleep { deadline: deadline(ty) }
    } else if path == JOIN {
        LeafKind::Join { header: join_handle(ty) }
    } else if path == ACQUIRE {
        LeafKind::Acquire(acquire(ty))
    } else if NOTIFIED.contains(&path) {
        LeafKind::Notified { notify: find_member(ty, &["notify"], 2).map(|(offset, _)| offset) }
    } else if let Some((_, itself)) = RECEIVE.iter().find(|(known, _)| *known == path) {
        receive(ty, *itself)
    } else if CANCELLED.contains(&path) {
        let node = find_pointer(ty, 8, &|target| target.path().contains("cancellation_token::"));
        LeafKind::Cancelled { node: node.map(|(offset, _)| offset) }
    } else {
        // `tokio::io::util::read_buf::ReadBuf` is the operation `read_buf`.
        let operation = path.strip_prefix("tokio::io::util::").and_then(|rest| rest.split("::").next());
        LeafKind::Io { operation: operation.map(str::to_owned) }
    };
    Some(Leaf { name: weft_values::short_type_name(ty.path()).into(), kind })
}

/// For a task's handle: offset of the pointer to the task's header.
pub(crate) fn join_handle(ty: &Type) -> Option<u64> {
    (base(ty.path()) == JOIN).then(|| pointer_to(ty, HEADER)).flatten()
}

/// The place in a semaphore's queue that values of this type are.
pub(crate) fn acquire_of(ty: &Type) -> Option<Acquire> {
    (base(ty.path()) == ACQUIRE).then(|| acquire(ty))
}

fn acquire(ty: &Type) -> Acquire {
    let number = |(offset, ty): (u64, Type)| {
        let (inner, number) = peel(&ty);
        (offset.saturating_add(inner), number.size().clamp(1, 8))
    };
    let semaphore = find_member(ty, &["semaphore"], 2);
    let waiter = find_member(ty, &["node"], 1);
    let missing = waiter.as_ref().and_then(|(at, waiter)| {
        let (offset, size) = number(find_member(waiter, &["state"], 1)?);
        Some((at.saturating_add(offset), size))
    });
    Acquire {
        queue: semaphore.as_ref().and_then(|(_, pointer)| queue_layout(&pointee(pointer)?)),
        semaphore: semaphore.map(|(offset, _)| offset),
        permits: find_member(ty, &["num_permits"], 2).map(number),
        waiter: waiter.map(|(offset, _)| offset),
        missing,
        queued: find_member(ty, &["queued"], 1).map(|(offset, _)| offset),
    }
}

fn receive(ty: &Type, itself: bool) -> LeafKind {
    if itself {
        return LeafKind::Receive { half: half(ty), through: None };
    }
    let receiver = find_member(ty, &["receiver"], 1);
    let target = receiver.as_ref().and_then(|(_, pointer)| pointee(pointer));
    LeafKind::Receive { half: target.and_then(|target| half(&target)), through: receiver.map(|(offset, _)| offset) }
}

/// Offsets of seconds and nanoseconds of a timer's deadline.
fn deadline(ty: &Type) -> Option<(u64, u64)> {
    let (at, instant) = find_member(ty, &["deadline", "initial_deadline"], 5)?;
    let (seconds, _) = find_member(&instant, &["tv_sec"], 6)?;
    let (nanoseconds, _) = find_member(&instant, &["tv_nsec"], 6)?;
    Some((at.saturating_add(seconds), at.saturating_add(nanoseconds)))
}

/// Offset of the first pointer to a type of that path, variants included (a niche keeps the pointer where it is).
pub(crate) fn pointer_to(ty: &Type, path: &str) -> Option<u64> {
    find_pointer(ty, 8, &|target| base(target.path()) == path).map(|(offset, _)| offset)
}

/// The first pointer whose target `wanted` wants: offset and target. Through structs and variants, `levels` deep.
pub(crate) fn find_pointer(ty: &Type, levels: usize, wanted: &dyn Fn(&Type) -> bool) -> Option<(u64, Type)> {
    if let Some(target) = pointee(ty) {
        return wanted(&target).then_some((0, target));
    }
    let levels = levels.checked_sub(1)?;
    let TypeKind::Struct { members, variants } = ty.kind() else { return None };
    let payloads = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
    members.iter().chain(payloads).find_map(|member| {
        let inner = ty.at(member.ty?)?;
        let (offset, target) = find_pointer(&inner, levels, wanted)?;
        Some((offset.saturating_add(member.offset), target))
    })
}

/// Whether this is a set of futures that has a walk of its own.
pub(crate) fn is_set(ty: &Type) -> bool {
    let path = base(ty.path());
    path == UNORDERED || path == JOIN_SET
}

/// `FuturesUnordered`: a list of nodes linked by `next_all`, ended by null.
#[derive(Debug)]
pub(crate) struct Unordered {
    /// Offset of the pointer to the first node.
    pub(crate) head: u64,
    /// Offset in a node of the pointer to the next.
    pub(crate) next: u64,
    /// Offset in a node of the future's slot, and the slot's type (`Option<F>` in a cell).
    pub(crate) slot: (u64, Type),
}

/// Compiles a `FuturesUnordered`.
pub(crate) fn unordered(ty: &Type) -> Option<Unordered> {
    if base(ty.path()) != UNORDERED {
        return None;
    }
    let (head, pointer) = find_member(ty, &["head_all"], 2)?;
    let (inner, thin) = peel(&pointer);
    let node = pointee(&thin)?;
    let (next, _) = find_member(&node, &["next_all"], 2)?;
    let (slot, cell) = find_member(&node, &["future"], 2)?;
    // Through `UnsafeCell` to the `Option`.
    let (cell_offset, option) = peel(&cell);
    Some(Unordered { head: head.saturating_add(inner), next, slot: (slot.saturating_add(cell_offset), option) })
}

/// `JoinSet`: an `Arc` to two lists of entries, each of which holds a handle.
#[derive(Debug)]
pub(crate) struct JoinSet {
    /// Offset of the pointer to the shared part.
    pub(crate) shared: u64,
    /// Offsets in the shared part of both lists' first entries.
    pub(crate) heads: Vec<u64>,
    /// Offset in an entry of the pointer to the next.
    pub(crate) next: u64,
    /// Offset in an entry of the pointer to the task's header.
    pub(crate) header: u64,
}

impl JoinSet {
    /// The headers of the tasks in a set that lies at `address`: those of the first list, then of the second. And whether
    /// there are more than are looked at.
    pub(crate) fn headers(&self, stop: &Stop, address: MemAddr) -> (Vec<MemAddr>, bool) {
        let pointer = |at: MemAddr| stop.memory.read_pointer(at).ok().filter(|to| to.raw() != 0);
        let (mut headers, mut seen) = (Vec::new(), FxHashSet::default());
        let Some(shared) = pointer(at(address, self.shared)) else { return (headers, false) };
        for head in &self.heads {
            let mut next = pointer(at(shared, *head));
            while let Some(entry) = next.filter(|entry| !seen.contains(entry)) {
                if seen.len() >= MAX_ENTRIES {
                    return (headers, true);
                }
                seen.insert(entry);
                headers.extend(pointer(at(entry, self.header)));
                next = pointer(at(entry, self.next));
            }
        }
        (headers, false)
    }
}

/// Compiles a `JoinSet`.
pub(crate) fn join_set(ty: &Type) -> Option<JoinSet> {
    if base(ty.path()) != JOIN_SET {
        return None;
    }
    let (lists, arc) = find_member(ty, &["lists"], 3)?;
    let (inner, shared) = find_pointer(&arc, 6, &|_| true)?;
    let mut heads = Vec::new();
    let mut entry = None;
    for name in ["notified", "idle"] {
        let (list, list_type) = find_member(&shared, &[name], 8)?;
        let (head, option) = find_member(&list_type, &["head"], 3)?;
        let (pointer, node) = find_pointer(&option, 6, &|_| true)?;
        heads.push(list.saturating_add(head).saturating_add(pointer));
        entry = Some(node);
    }
    let entry = entry?;
    let (pointers, links) = find_member(&entry, &["pointers"], 2)?;
    let next = next_offset(&links);
    let (value, handle) = find_member(&entry, &["value"], 2)?;
    let (cell, handle) = find_by(&handle, 6, &|_, ty| base(ty.path()) == JOIN).unwrap_or((0, handle));
    let header = pointer_to(&handle, HEADER)?;
    Some(JoinSet {
        shared: lists.saturating_add(inner),
        heads,
        next: pointers.saturating_add(next),
        header: value.saturating_add(cell).saturating_add(header),
    })
}

/// Offset of `next` in Tokio's intrusive `Pointers`. Where the debug information leaves the fields out it is the
/// second pointer: the struct inside is `repr(C)`, `prev` before `next`.
pub(crate) fn next_offset(pointers: &Type) -> u64 {
    find_member(pointers, &["next"], 6).map_or(8, |(offset, _)| offset)
}

/// Offset of `prev` in Tokio's intrusive `Pointers`; see [`next_offset`].
pub(crate) fn previous_offset(pointers: &Type) -> u64 {
    find_member(pointers, &["prev"], 6).map_or(0, |(offset, _)| offset)
}

/// What the module of a synchronisation primitive says about a wait inside it.
pub(crate) fn wait_kind_of_module(path: &str) -> Option<WaitKind> {
    const MODULES: [(&str, WaitKind); 14] = [
        ("tokio::sync::mutex", WaitKind::Mutex),
        ("tokio::sync::rwlock", WaitKind::RwLock),
        ("tokio::sync::semaphore", WaitKind::Semaphore),
        ("tokio::sync::once_cell", WaitKind::Semaphore),
        ("tokio::sync::mpsc", WaitKind::Channel),
        ("tokio::sync::watch", WaitKind::Channel),
        ("tokio::sync::broadcast", WaitKind::Channel),
        ("tokio::sync::oneshot", WaitKind::Channel),
        ("tokio::sync::barrier", WaitKind::Barrier),
        ("tokio::process", WaitKind::Process),
        ("tokio::net", WaitKind::Io),
        ("tokio::signal", WaitKind::Notify),
        ("tokio::fs", WaitKind::BlockingJob),
        ("tokio::time::interval", WaitKind::Sleep),
    ];
    let known = MODULES.iter().find(|(module, _)| within(path, module)).map(|(_, kind)| *kind);
    known.or_else(|| executors::wait_kind_of_module(path))
}
