//! A step that follows a coroutine: over its suspensions, and on in whoever awaited it.

use std::collections::{BTreeMap, BTreeSet};

use weft_memory::MemAddr;
use weft_runtimes::polls_task;
use weft_values::{Place, Stop, environment, frames};

use super::{DEPTH, Hit, Phase, Stepper, Verdict};
use crate::StepKind;

/// Frames looked at to find the coroutine whose poll function, or a copy inlined into it, a thread executes.
const INLINED: usize = 8;

impl Stepper {
    /// A coroutine has run to its end: the step goes on in the coroutine that awaited it.
    pub(super) fn completed(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let end = walk.iter().position(polls_task).unwrap_or(walk.len());
        let Some(at) = walk.iter().take(end).position(|frame| frame.user_code) else {
            return Verdict::Done(Some("the task has run to its end".to_owned()));
        };
        let Some(awaiter) = walk.get(at..) else { return Verdict::Continue };
        let Some(frame) = awaiter.first() else { return self.leave(hit, None) };
        self.instance = environment(hit.stop, frame);
        if self.instance.is_none() {
            return self.leave(hit, None);
        }
        self.seen = BTreeSet::from([frame.source.as_ref().map_or(0, |source| source.line)]);
        self.file = frame.source.as_ref().map(|source| source.file.clone());
        // Out has got where it wanted to: from here on any line of the awaiter ends it.
        self.kind = StepKind::Over;
        match self.activation(hit.stop, hit.tid, awaiter) {
            Some(active) => {
                self.phase = Phase::Active(active);
                Verdict::Continue
            }
            None => Verdict::Lost("the step was lost: the awaiting function's frame cannot be found".to_owned()),
        }
    }

    /// Waits for the coroutine's next poll. Its thread still stands inside the poll, so it cannot have begun elsewhere.
    pub(super) fn suspended(&mut self, stop: &Stop, place: Place) -> Verdict {
        let entries = poll_entries(stop, &place);
        if entries.is_empty() {
            return Verdict::Lost("the step was lost: the coroutine's poll function cannot be found".to_owned());
        }
        self.instance = Some(place);
        self.phase = Phase::Idle { entries };
        Verdict::Continue
    }

    /// A coroutine of the kind that is followed is being polled: is it the one?
    pub(super) fn polled(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let address = walk.first().and_then(|frame| environment(hit.stop, frame)).and_then(|place| place.address());
        if address.is_none() || address != self.instance.as_ref().and_then(Place::address) {
            return Verdict::Continue;
        }
        match self.activation(hit.stop, hit.tid, &walk) {
            Some(active) => {
                self.phase = Phase::Active(active);
                Verdict::Continue
            }
            None => Verdict::Lost("the step was lost: the coroutine's frame cannot be found".to_owned()),
        }
    }

    /// Whether the body that the thread executes is that of the coroutine which is followed. A panic leaves it without
    /// returning, and then another one of its kind may come to lie on the same stack.
    pub(super) fn is_followed(&self, hit: &Hit<'_>) -> bool {
        let Some(ours) = self.instance.as_ref().and_then(Place::address) else { return true };
        let walk = frames(hit.stop, hit.tid, INLINED).frames;
        let found = walk.iter().find_map(|frame| environment(hit.stop, frame)).and_then(|place| place.address());
        found.is_none_or(|found| found == ours)
    }

    pub(super) fn panicked() -> Verdict {
        Verdict::Lost(
            "the coroutine has ended without coming to another line, by a panic; the program runs on".to_owned(),
        )
    }
}

/// Where the poll function of a coroutine can be caught, in each copy the compiler made of it, with its environment
/// readable.
fn poll_entries(stop: &Stop, place: &Place) -> BTreeSet<MemAddr> {
    let Some(function) = place.ty.coroutine_function() else { return BTreeSet::new() };
    let image = place.ty.image();
    let Some(module) = stop.modules.of(image) else { return BTreeSet::new() };
    let copies = image.functions(&function.path);
    let mut entries = BTreeMap::new();
    for entry in &copies {
        if let Ok(Some(code)) = image.function_frame(entry) {
            entries.insert(code.entry, code.behind_prologue());
        }
    }
    entries.into_values().map(|address| module.bias.to_memory(address)).collect()
}
