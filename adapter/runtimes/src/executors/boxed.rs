//! Boxed futures that are tasks: what they have in common whoever polls them.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::FxHasher;
use weft_memory::MemAddr;
use weft_symbols::{FIRST_AWAIT, Type, UNRESUMED};
use weft_tasks::{RuntimeKey, TaskKey, TaskKind};
use weft_values::Stop;

use crate::chain::at;
use crate::describe::describe;
use crate::listing::EntryFuture;
use crate::roster::{Found, Progress};
use crate::shape::{Kind, Shapes};

/// Whether a future of this type may lie there that can be polled. A coroutine that has ended cannot; of others nothing
/// says so.
pub(super) fn can_be_polled(stop: &Stop, shapes: &Shapes, ty: &Type, address: MemAddr) -> bool {
    let is_aligned = address.raw().checked_rem(ty.align().unwrap_or(1).max(1)) == Some(0);
    let tag_says_so = || {
        let Kind::Coroutine(coroutine) = &shapes.of(ty).kind else { return Some(true) };
        let (offset, size) = coroutine.states.tag?;
        let tag = stop.memory.read_uint(at(address, offset), usize::try_from(size).ok()?).ok()?;
        let (state, _) = coroutine.states.select(Some(tag))?;
        Some(state == UNRESUMED || state >= FIRST_AWAIT)
    };
    address.raw() != 0 && is_aligned && tag_says_so() == Some(true)
}

/// The task that such a future is.
pub(super) fn found(runtime: RuntimeKey, progress: Progress, future: EntryFuture) -> Found {
    let found = without_future(runtime, &future.ty, future.address);
    Found { progress, future: Some(future), ..found }
}

/// The task of a future of which only the type is known, and an address that stands for it.
pub(super) fn without_future(runtime: RuntimeKey, ty: &Type, address: MemAddr) -> Found {
    let (name, entry) = describe(ty);
    // Its type tells it from the next future at the same address.
    let mut hasher = FxHasher::default();
    ty.path().hash(&mut hasher);
    Found {
        key: TaskKey { address: address.raw(), id: hasher.finish() },
        runtime,
        id: None,
        name,
        entry,
        spawned_at: None,
        kind: TaskKind::Task,
        running: false,
        progress: Progress::Idle,
        future: None,
        error: None,
    }
}
