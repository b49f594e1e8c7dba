//! What holds something by existing: guards, permits, halves of channels, recognised by the paths of their types.
//!
//! The members read here are those of Tokio 1.0 to 1.54; each is searched by name.

use std::sync::Arc;

use weft_symbols::Type;

use crate::channels::{half, is_half};
use crate::leaves::find_pointer;
use crate::names::base;
use crate::shape::{find_by, find_member, peel};

/// The semaphore inside all of Tokio's locks.
const SEMAPHORE: &str = "tokio::sync::batch_semaphore::Semaphore";

/// A type whose values hold something. Numbers are offsets in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// How.
    pub(crate) how: How,
    /// Of the pointer to what is held, in the guard.
    pub(crate) pointer: u64,
    /// Of the resource's identity, from where the pointer leads.
    pub(crate) identity: u64,
    /// The resource's type, as a user reads it.
    pub(crate) type_name: Arc<str>,
    /// What tells whether it is held at all.
    pub(crate) proof: Proof,
}

/// How something is held, as far as the type tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Lock,
    Read,
    /// Offset and size of the number of permits.
    Permits(u64, u64),
    Sender,
    Receiver,
    /// A lock that blocks its waiters' threads, alone.
    BlockingLock,
    /// Such a lock, for reading.
    BlockingRead,
}

/// The resource's own word on whether somebody holds it. Offsets from its identity.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A semaphore's count: offset and size. A lock that is held alone has no permit left.
    Permits(u64, u64),
    /// A word of so many bytes, and what it must be like.
    Word(u64, fn(u64) -> bool),
    /// None: whoever has it holds it.
    Own,
}

const LOCKS: [&str; 8] = [
    "tokio::sync::mutex::MutexGuard",
    "tokio::sync::mutex::OwnedMutexGuard",
    "tokio::sync::mutex::MappedMutexGuard",
    "tokio::sync::mutex::OwnedMappedMutexGuard",
    "tokio::sync::rwlock::write_guard::RwLockWriteGuard",
    "tokio::sync::rwlock::write_guard_mapped::RwLockMappedWriteGuard",
    "tokio::sync::rwlock::owned_write_guard::OwnedRwLockWriteGuard",
    "tokio::sync::rwlock::owned_write_guard_mapped::OwnedRwLockMappedWriteGuard",
];
const READS: [&str; 2] =
    ["tokio::sync::rwlock::read_guard::RwLockReadGuard", "tokio::sync::rwlock::owned_read_guard::OwnedRwLockReadGuard"];
const PERMITS: [&str; 2] = ["tokio::sync::semaphore::SemaphorePermit", "tokio::sync::semaphore::OwnedSemaphorePermit"];

/// Members by which guards refer to their locks.
const TO_LOCK: [&str; 6] = ["lock", "s", "sem", "inner_lock", "mutex", "rwlock"];

/// The guard that values of this type are.
pub(crate) fn guard(ty: &Type) -> Option<Guard> {
    let path = base(ty.path());
    if path.starts_with("std::sync::") || path.starts_with("lock_api::") {
        return blocking(ty, path);
    }
    if !path.starts_with("tokio::sync::") {
        return None;
    }
    if let Some(half) = is_half(ty).then(|| half(ty)).flatten() {
        return Some(Guard {
            how: if half.sends { How::Sender } else { How::Receiver },
            pointer: half.pointer,
            identity: half.identity,
            type_name: half.channel.name,
            proof: Proof::Own,
        });
    }
    let how = match path {
        _ if LOCKS.contains(&path) => How::Lock,
        _ if READS.contains(&path) => How::Read,
        _ if PERMITS.contains(&path) => {
            let (offset, count) = find_member(ty, &["permits"], 1)?;
            How::Permits(offset, count.size().clamp(1, 8))
        }
        _ => return None,
    };
    let (pointer, target) = lock_of(ty)?;
    let (identity, semaphore) = semaphore_in(&target)?;
    Some(Guard { how, pointer, identity, type_name: resource_name(ty, path).into(), proof: permits(&semaphore)? })
}

/// Where a guard refers to its lock: offset of the pointer, and its target.
fn lock_of(guard: &Type) -> Option<(u64, Type)> {
    let (member, lock) = find_member(guard, &TO_LOCK, 1)?;
    let (inner, target) = find_pointer(&lock, 6, &|_| true)?;
    Some((member.saturating_add(inner), target))
}

/// Guards of locks that block their waiters' threads. The locks' words: `std` on Linux since Rust 1.62 (a futex; of an
/// rwlock the lower 30 bits, all of them set for a writer), `parking_lot` 0.11 to 0.13 (of a mutex bit 0; of an rwlock
/// bit 3 for a writer, readers from bit 4).
fn blocking(ty: &Type, path: &str) -> Option<Guard> {
    const READERS: u64 = (1 << 30) - 1;
    let (name, how) = match path.rsplit("::").next()? {
        "MutexGuard" | "MappedMutexGuard" | "ArcMutexGuard" => ("Mutex", How::BlockingLock),
        "RwLockWriteGuard" | "MappedRwLockWriteGuard" | "ArcRwLockWriteGuard" => ("RwLock", How::BlockingLock),
        "RwLockReadGuard" | "MappedRwLockReadGuard" | "ArcRwLockReadGuard" => ("RwLock", How::BlockingRead),
        _ => return None,
    };
    let test: fn(u64) -> bool = match (path.starts_with("std::"), name, &how) {
        (true, "Mutex", _) => |word| word != 0,
        (true, _, How::BlockingLock) => |word| word & READERS == READERS,
        (true, ..) => |word| word & READERS != 0 && word & READERS != READERS,
        (false, "Mutex", _) => |word| word & 1 != 0,
        (false, _, How::BlockingLock) => |word| word & 8 != 0,
        (false, ..) => |word| word >= 16,
    };
    let (pointer, target) = lock_of(ty)?;
    let (allocation, lock) = match base(target.path()) {
        "alloc::sync::ArcInner" => find_member(&target, &["data"], 1)?,
        _ => (0, target),
    };
    let (word, atomic) = find_member(&lock, &["futex", "state"], 2)?;
    let (inner, number) = peel(&atomic);
    let item = ty.template_argument("T").map(|item| weft_values::short_type_name(item.path()));
    Some(Guard {
        how,
        pointer,
        identity: allocation.saturating_add(word).saturating_add(inner),
        type_name: item.map_or_else(|| name.into(), |item| format!("{name}<{item}>").into()),
        proof: Proof::Word(number.size().clamp(1, 8), test),
    })
}

/// The semaphore inside a lock, or what points to it: its offset and type.
fn semaphore_in(ty: &Type) -> Option<(u64, Type)> {
    if base(ty.path()) == SEMAPHORE {
        return Some((0, ty.clone()));
    }
    find_by(ty, 6, &|_, inner| base(inner.path()) == SEMAPHORE)
}

/// Where a semaphore counts its permits.
fn permits(semaphore: &Type) -> Option<Proof> {
    let (offset, count) = find_member(semaphore, &["permits"], 1)?;
    Some(Proof::Permits(offset, count.size().clamp(1, 8)))
}

/// `MutexGuard<T>` → `Mutex<T>`.
fn resource_name(ty: &Type, path: &str) -> String {
    let lock = match path {
        _ if PERMITS.contains(&path) => return "Semaphore".to_owned(),
        _ if path.contains("::rwlock::") => "RwLock",
        _ => "Mutex",
    };
    match ty.template_argument("T") {
        Some(inner) => format!("{lock}<{}>", weft_values::short_type_name(inner.path())),
        None => lock.to_owned(),
    }
}
