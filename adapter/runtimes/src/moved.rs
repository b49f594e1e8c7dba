//! The variables of a coroutine at rest, without what was moved away.

use weft_symbols::TypeKind;
use weft_values::{CoroutinePhase, CoroutineState, FrameVariable, Place, Stop, ValueError, coroutine};

use crate::drops::{Seen, Start};
use crate::listing::Suspended;
use crate::names::base;
use crate::runtimes::Runtimes;

/// Types that own something, so that whoever has one drops it (they implement `Drop`), as far as others are made of them.
const OWNERS: [&str; 10] = [
    "alloc::boxed::Box",
    "alloc::raw_vec::RawVec",
    "alloc::rc::Rc",
    "alloc::rc::Weak",
    "alloc::sync::Arc",
    "alloc::sync::Weak",
    "hashbrown::raw::RawTable",
    "std::os::fd::owned::OwnedFd",
    "tokio::sync::mutex::MutexGuard",
    "std::sync::poison::mutex::MutexGuard",
];

/// What lies in one of these is not dropped with it.
const KEEPERS: [&str; 2] = ["core::mem::manually_drop::ManuallyDrop", "core::marker::PhantomData"];

/// How deep a value is searched, and how many places at most.
const MAX_DEPTH: usize = 12;
const MAX_PLACES: usize = 500;

impl Runtimes {
    /// A coroutine's state and variables, as [`coroutine`] has them. A variable that was borrowed keeps its place until its
    /// block ends, also when its value was moved away or dropped before the await: what the coroutine's drop glue passes by
    /// has no value. Not for a coroutine that is being polled.
    pub fn suspended(&self, stop: &Stop, suspended: &Suspended) -> Result<CoroutineState, ValueError> {
        let environment = &suspended.environment;
        let mut state = coroutine(stop, environment)?;
        if !matches!(state.phase, CoroutinePhase::Suspended(_)) {
            return Ok(state);
        }
        let glues = &self.plans.glues;
        let seen = environment.address().and_then(|address| {
            let own = glues.start(stop, &environment.ty, address);
            // Where it was inlined it is part of what drops the task.
            let of_task = || suspended.dropper.as_ref().and_then(|dropper| Start::of_task(stop, dropper));
            let seen = |start: Start| glues.seen(stop, &start, &environment.ty, address);
            own.and_then(seen).or_else(|| of_task().and_then(seen))
        });
        if let Some(seen) = seen {
            let line = state.own_line.as_ref().map(|at| at.line);
            for variable in state.upvars.iter_mut().chain(&mut state.locals) {
                if is_moved(stop, environment, &seen, variable) {
                    variable.place = Err(ValueError::Unavailable(match line {
                        Some(line) => format!("moved or dropped before the .await at line {line}"),
                        None => "moved or dropped before the .await".to_owned(),
                    }));
                    variable.note = None;
                }
            }
        }
        Ok(state)
    }
}

/// Whether a variable that owned something has nothing any more. Of what needs not be dropped the glue says nothing.
fn is_moved(stop: &Stop, environment: &Place, seen: &Seen, variable: &FrameVariable) -> bool {
    let Ok(place) = &variable.place else { return false };
    let offset = environment.address().zip(place.address()).and_then(|(start, address)| address.since(start));
    let Some(start) = offset else { return false };
    let Some(end) = start.checked_add(place.ty.size()).filter(|end| *end <= environment.ty.size()) else {
        return false;
    };
    let is_left = seen.leaves(&(start..end)) || {
        // What a pattern took out of an enum: the glue still looks which variant there was.
        let tag = place.ty.variant_part().and_then(|part| start.checked_add(part.discriminant.as_ref()?.offset));
        tag.is_some_and(|tag| {
            let rest = [start..tag, tag.saturating_add(place.ty.discriminant_size())..end];
            rest.iter().any(|bytes| !bytes.is_empty()) && rest.iter().all(|it| it.is_empty() || seen.leaves(it))
        })
    };
    is_left && owns(stop, place, MAX_DEPTH, &mut 0)
}

/// Whether a value certainly has something to drop in it, by its bytes. Of an enum the variant that it has now counts: where
/// the source has found it to be one that owns nothing, the glue does not look at it either, and it is alive.
fn owns(stop: &Stop, place: &Place, depth: usize, looked_at: &mut usize) -> bool {
    *looked_at = looked_at.saturating_add(1);
    let Some(depth) = depth.checked_sub(1).filter(|_| *looked_at <= MAX_PLACES) else { return false };
    let ty = &place.ty;
    let name = base(if ty.path().is_empty() { ty.name() } else { ty.path() });
    if OWNERS.contains(&name) {
        return true;
    }
    if KEEPERS.contains(&name) || ty.is_coroutine() || !matches!(ty.kind(), TypeKind::Struct { .. }) {
        return false;
    }
    let variant = || place.variant(stop).ok().map(|active| active.place);
    let parts = ty.variant_part().and_then(|_| variant()).map_or_else(|| place.members(), |active| active.members());
    parts.iter().filter_map(|part| part.place.as_ref().ok()).any(|part| owns(stop, part, depth, looked_at))
}
