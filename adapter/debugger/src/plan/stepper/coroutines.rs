//! A step that follows a coroutine: over its suspensions, and on in whoever awaited it.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_runtimes::polls_task;
use weft_values::{CoroutinePhase, Place, Stop, coroutine, environment, frames};

use super::detector::{Coming, Detector, Touch, state_of, touch};
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
        self.follow(environment(hit.stop, frame));
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

    /// A poll of the coroutine that is followed is over: by its state it is suspended, or has ended.
    pub(super) fn polled_to_an_end(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(place) = &self.instance else { return Verdict::Continue };
        match coroutine(hit.stop, place) {
            Ok(state) if matches!(state.phase, CoroutinePhase::Suspended(_)) => {
                self.seen.extend(state.called_at.or(state.await_location).map(|at| at.line));
                self.suspended(hit.stop, place.clone())
            }
            Ok(_) => self.completed(hit),
            Err(error) => Verdict::Lost(format!("the step was lost: its coroutine cannot be read ({error})")),
        }
    }

    /// Waits for the coroutine's next poll. Its thread still stands inside the poll, so it cannot have begun elsewhere.
    pub(super) fn suspended(&mut self, stop: &Stop, place: Place) -> Verdict {
        let detector = Detector::of(stop, &place);
        if !detector.sees_polls() && state_of(&place).is_none() {
            return Verdict::Lost("the step was lost: the coroutine's poll function cannot be found".to_owned());
        }
        if self.instance.as_ref() != Some(&place) {
            self.follow(Some(place));
        }
        self.phase = Phase::Idle(detector);
        Verdict::Continue
    }

    /// Somebody comes in where coroutines of the kind that is followed are polled or dropped: is it for this one?
    pub(super) fn came(&mut self, hit: &Hit<'_>, pc: MemAddr) -> Verdict {
        let Phase::Idle(detector) = &self.phase else { return Verdict::Continue };
        let Some(ours) = self.instance.as_ref().and_then(Place::address) else { return Verdict::Continue };
        match detector.coming(pc) {
            Some(Coming::Poll) => {
                let walk = frames(hit.stop, hit.tid, INLINED).frames;
                let address = walk.first().and_then(|frame| environment(hit.stop, frame)).and_then(|it| it.address());
                if address == Some(ours) { self.polled(hit.stop, hit.tid) } else { Verdict::Continue }
            }
            // Others were told apart before.
            Some(Coming::Drop) if detector.has(hit, ours) => self.dropped(hit),
            _ => Verdict::Continue,
        }
    }

    /// Somebody has touched the state of the coroutine while it is suspended.
    pub(super) fn accessed(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some((thread, place)) = hit.stop.thread(hit.tid).zip(self.instance.as_ref()) else {
            return Verdict::Continue;
        };
        match touch(hit.stop, thread.registers.pc(), &place.ty) {
            Touch::Poll => self.polled(hit.stop, hit.tid),
            Touch::Drop => self.dropped(hit),
            Touch::Other => Verdict::Continue,
        }
    }

    /// The coroutine that is followed is being polled by a thread.
    fn polled(&mut self, stop: &Stop, tid: i32) -> Verdict {
        let walk = frames(stop, tid, DEPTH).frames;
        match self.activation(stop, tid, &walk) {
            Some(active) => {
                self.phase = Phase::Active(active);
                Verdict::Continue
            }
            None => Verdict::Lost("the step was lost: the coroutine's frame cannot be found".to_owned()),
        }
    }

    /// The coroutine that is followed is being dropped.
    fn dropped(&mut self, hit: &Hit<'_>) -> Verdict {
        self.completed(hit)
    }

    /// The processor does not watch the coroutine any more. Whoever has come in since, and before the traps are there that
    /// are to tell of it, is found inside; all threads stand.
    pub(super) fn unwatched(&mut self, stop: &Stop) {
        if !matches!(self.phase, Phase::Idle(_)) {
            return;
        }
        let Some(ours) = self.instance.as_ref().and_then(Place::address) else { return };
        let is_ours = |tid: i32| {
            let walk = frames(stop, tid, INLINED).frames;
            walk.iter().find_map(|frame| environment(stop, frame)).and_then(|place| place.address()) == Some(ours)
        };
        if let Some(thread) = stop.threads.iter().find(|thread| is_ours(thread.tid)) {
            let _ = self.polled(stop, thread.tid);
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
