//! What holds something by existing: guards, permits, halves of channels, recognised by the paths of their types.
//!
//! The members read here are those of Tokio 1.0 to 1.54; each is searched by name.

use std::sync::Arc;

use weft_symbols::Type;

use crate::channels::{half, is_half};
use crate::leaves::find_pointer;
use crate::names::base;
use crate::shape::{find_by, find_member};

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
}

/// The resource's own word on whether somebody holds it. Offsets from its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A semaphore's count: offset and size. A lock that is held alone has no permit left.
    Permits(u64, u64),
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

/// The guard that values of this type are.
pub(crate) fn guard(ty: &Type) -> Option<Guard> {
    let path = base(ty.path());
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
    let (member, lock) = find_member(ty, &["lock", "s", "sem"], 1)?;
    let (inner, target) = find_pointer(&lock, 6, &|_| true)?;
    let (identity, semaphore) = semaphore_in(&target)?;
    Some(Guard {
        how,
        pointer: member.saturating_add(inner),
        identity,
        type_name: resource_name(ty, path).into(),
        proof: permits(&semaphore)?,
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
