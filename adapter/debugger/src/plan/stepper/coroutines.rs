//! A step that follows a coroutine: over its suspensions, and on in whoever awaited it.

use weft_runtimes::{edge, ending};
use weft_symbols::{CodeFrame, Type};
use weft_values::{CoroutinePhase, Frame, Place, Stop, coroutine_phase, environment, frames};

use super::super::bodies::is_body_of;
use super::super::rows;
use super::activation::{DEPTH, coroutine_at, walk_past_concrete};
use super::around::Around;
use super::awaiter::End;
use super::detector::{Coming, Touch, state_of, touch, writes_before};
use super::{Hit, Phase, Stepper, Verdict};

/// Frames looked at to find the coroutine whose poll function, or a copy inlined into it, a thread executes.
const INLINED: usize = 8;

/// Boxes that a task's future may be in.
const MOST_BOXES: usize = 3;

impl Stepper {
    /// A poll of the coroutine that is followed is over: by its state it is suspended, or has ended.
    pub(super) fn polled_to_an_end(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(place) = &self.instance else { return Verdict::Continue };
        match coroutine_phase(hit.stop, place) {
            Ok((CoroutinePhase::Suspended(_), at)) => {
                // That of an await in a macro is a line of the macro's file.
                self.seen.extend(at.filter(|at| self.file.as_ref() == Some(&at.file)).map(|at| at.line));
                let place = place.clone();
                if self.around.is_none() {
                    self.around = Some(self.awaiters_of(hit, &place));
                }
                self.suspended(hit.stop, place)
            }
            Ok((CoroutinePhase::Panicked, _)) => self.ended(hit, End::Panicked),
            Ok(_) => self.ended(hit, End::Completed),
            Err(error) => Verdict::Lost(format!("the step was lost: its coroutine cannot be read ({error})")),
        }
    }

    /// Those who await the coroutine, which a thread has just polled.
    fn awaiters_of(&self, hit: &Hit<'_>, place: &Place) -> Around {
        let walk = self.stack(hit);
        Around::of(hit.stop, hit.tid, &place.ty, self.outside(hit, &walk), self.way)
    }

    /// The part of a stack that is outside of the coroutine which is followed: an inlined copy of its body may not have been left
    /// yet.
    pub(super) fn outside<'a>(&self, hit: &Hit<'_>, walk: &'a [Frame]) -> &'a [Frame] {
        let within = walk.iter().take_while(|frame| edge(frame).is_none());
        let own = within.enumerate().find(|(_, frame)| self.is_its_body(hit.stop, frame)).map(|(own, _)| own);
        walk.get(own.map_or(0, |own| own.saturating_add(1))..).unwrap_or_default()
    }

    /// The thread that polls the coroutine has touched its state: a copy of the poll function that was inlined is left when
    /// it writes there.
    pub(super) fn wrote(&mut self, hit: &Hit<'_>) -> Verdict {
        let pc = hit.stop.thread(hit.tid).map(|thread| thread.registers.pc());
        if pc.is_some_and(|pc| writes_before(hit.stop, pc)) { self.polled_to_an_end(hit) } else { Verdict::Continue }
    }

    /// Waits for the coroutine's next poll. Its thread still stands inside the poll, so it cannot have begun elsewhere.
    pub(super) fn suspended(&mut self, stop: &Stop, place: Place) -> Verdict {
        if self.instance.as_ref() != Some(&place) {
            self.follow(Some(place.clone()));
        }
        let mut detector = std::mem::take(&mut self.detector);
        if let Phase::Active(active) = &self.phase {
            detector.set_lines(active.lines(&self.seen));
        }
        let is_watchable = state_of(&place).is_some() && self.is_watched != Some(false);
        let is_noticed = is_watchable || detector.arm(stop, &place);
        self.phase = Phase::Idle(detector);
        if is_noticed { Verdict::Continue } else { Self::unnoticed() }
    }

    /// The processor does not watch the coroutine, or not any more: traps have to do. Whoever has come in since, and before
    /// they are there, is found inside; all threads stand.
    pub(super) fn unwatched(&mut self, stop: &Stop) -> Verdict {
        let (Phase::Idle(detector), Some(place)) = (&mut self.phase, &self.instance) else { return Verdict::Continue };
        if !detector.arm(stop, place) {
            return Self::unnoticed();
        }
        let inside = stop.threads.iter().find_map(|thread| Some((thread.tid, self.walk_inside(stop, thread.tid)?)));
        match inside {
            Some((tid, walk)) => self.polled_in(stop, tid, &walk),
            None => Verdict::Continue,
        }
    }

    /// The stack of a thread that polls the coroutine which is followed, from that poll on. Coroutines lie inside of each
    /// other, so that an address alone is not enough.
    fn walk_inside(&self, stop: &Stop, tid: i32) -> Option<Vec<Frame>> {
        let mut walk = frames(stop, tid, DEPTH).frames;
        let is_poll = |frame: &Frame| self.is_its_body(stop, frame) && environment(stop, frame).is_some();
        let at = walk.iter().position(is_poll)?;
        walk.drain(..at);
        Some(walk)
    }

    fn unnoticed() -> Verdict {
        Verdict::Lost(
            "the step was lost: the compiler has inlined the coroutine's poll function, and no debug register is free to \
             notice its next poll; the program runs on"
                .to_owned(),
        )
    }

    /// Somebody comes in where coroutines of the kind that is followed are polled or dropped: is it for this one?
    pub(super) fn came(&mut self, hit: &Hit<'_>) -> Verdict {
        if self.gate.iter_mut().flatten().any(|gate| gate.passed(hit)) {
            return Verdict::Continue;
        }
        let Phase::Idle(detector) = &self.phase else { return Verdict::Continue };
        let Some(ours) = self.instance.as_ref().and_then(Place::address) else { return Verdict::Continue };
        match detector.coming(hit, ours) {
            Some(Coming::Poll) => self.polled(hit.stop, hit.tid),
            Some(Coming::Drop) => self.dropped(hit),
            Some(Coming::Line) => Verdict::Done(None),
            None => Verdict::Continue,
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
        let mut walk = walk_past_concrete(stop, tid);
        if let Some(place) = &self.instance {
            begin_with_body(&mut walk, &place.ty);
        }
        self.polled_in(stop, tid, &walk)
    }

    /// The coroutine that is followed is being polled in the innermost frame of a stack.
    fn polled_in(&mut self, stop: &Stop, tid: i32, walk: &[Frame]) -> Verdict {
        // From here on nobody tells where a panic is caught.
        self.unwinding.clear();
        if let Phase::Idle(detector) = &mut self.phase {
            self.detector = std::mem::take(detector);
        }
        match self.activation(stop, tid, walk) {
            Some(active) => {
                self.phase = Phase::Active(active);
                Verdict::Continue
            }
            None => Verdict::Lost("the step was lost: the coroutine's frame cannot be found".to_owned()),
        }
    }

    /// The coroutine that is followed is being dropped.
    fn dropped(&mut self, hit: &Hit<'_>) -> Verdict {
        self.ended(hit, End::Dropped)
    }

    /// Whether a frame is a poll of the coroutine that is followed, or may be.
    pub(super) fn is_its_body(&self, stop: &Stop, frame: &Frame) -> bool {
        let Some((place, code)) = self.instance.as_ref().zip(frame.code.as_ref()) else { return false };
        is_body_of(code, &place.ty)
            && environment(stop, frame).is_none_or(|environment| environment.address() == place.address())
    }

    /// Whether the body that the thread executes is that of the coroutine which is followed. A panic leaves it without
    /// returning, and then another one of its kind may come to lie on the same stack.
    pub(super) fn is_followed(&self, hit: &Hit<'_>) -> bool {
        let Some(place) = &self.instance else { return true };
        let walk = frames(hit.stop, hit.tid, INLINED).frames;
        let is_body = |frame: &&Frame| frame.code.as_ref().is_some_and(|code| is_body_of(code, &place.ty));
        let found = walk.iter().find(is_body).and_then(|frame| environment(hit.stop, frame));
        found.is_none_or(|found| found.address() == place.address())
    }

    pub(super) fn panicked() -> Verdict {
        Verdict::Lost(
            "the coroutine has ended without coming to another line, by a panic; the program runs on".to_owned(),
        )
    }
}

/// Leaves out what was inlined into the coroutine's body where a thread stands. Compilers move a copy's first instructions
/// into the code around it: then the copy comes first all the same.
fn begin_with_body(walk: &mut Vec<Frame>, coroutine: &Type) {
    let Some(concrete) = walk.iter().position(|frame| !frame.inlined) else { return };
    let is_body = |frame: &Frame| frame.code.as_ref().is_some_and(|code| is_body_of(code, coroutine));
    if let Some(at) = walk.iter().take(concrete.saturating_add(1)).position(is_body) {
        walk.drain(..at);
        return;
    }
    walk.drain(..concrete);
    let host = walk.first();
    let copy = host.and_then(|host| rows::copy_in(host.code.as_ref()?, |code| is_body_of(code, coroutine)));
    if let Some((host, copy)) = host.cloned().zip(copy) {
        let name = copy.function.name.clone();
        walk.insert(0, Frame { code: Some(copy), name, source: None, inlined: true, user_code: true, ..host });
    }
}

/// The coroutine whose body, or what was inlined into that, the innermost frame of thread `tid`'s stack executes. Where the
/// compiler did not keep its environment, it is the task's own future, or where the coroutine around it has the one that it
/// awaits; or else the coroutine around an inlined copy has to stand for it.
pub(super) fn instance_of(stop: &Stop, tid: i32, walk: &[Frame]) -> Option<Place> {
    let walk = walk.get(coroutine_at(walk).unwrap_or(0)..)?;
    let body = walk.first()?;
    environment(stop, body).or_else(|| {
        let code = body.code.as_ref().filter(|code| code.function.kind.is_coroutine())?;
        let mut within = walk.iter().skip(1).take(INLINED).take_while(|frame| edge(frame).is_none());
        match within.find_map(|frame| environment(stop, frame)) {
            Some(around) => awaited_of(&around, code).or_else(|| body.inlined.then_some(around)),
            None => task_of(stop, tid, body, code),
        }
    })
}

/// The future of the task that a thread polls, if `code`, which `body` executes, is its body, and that is the only poll of such a
/// one there; or the one of this kind that it awaits; or else it has to stand for the copy that is inlined into it.
fn task_of(stop: &Stop, tid: i32, body: &Frame, code: &CodeFrame) -> Option<Place> {
    let walk = frames(stop, tid, DEPTH).frames;
    let at = walk.iter().position(|frame| edge(frame).is_some())?;
    let own = walk.get(..at)?;
    let is_inside = own.iter().any(|frame| frame.pc == body.pc && frame.cfa == body.cfa);
    let future = ending(stop, &walk, at)?.future().cloned()?;
    // Tokio puts a large one into a box.
    let boxed = |place: &Place| place.deref(stop).ok();
    let found = std::iter::successors(Some(future.clone()), boxed).take(MOST_BOXES).find(|it| is_body_of(code, &it.ty));
    let found = found.or_else(|| awaited_of(&future, code));
    let is_poll_of = |frame: &Frame, ty: &Type| frame.code.as_ref().is_some_and(|code| is_body_of(code, ty));
    match found.filter(|_| is_inside) {
        Some(found) => (own.iter().filter(|frame| is_poll_of(frame, &found.ty)).count() == 1).then_some(found),
        None => (body.inlined && own.iter().any(|frame| is_poll_of(frame, &future.ty))).then_some(future),
    }
}

/// Where a coroutine has one with this body that it awaits, if that is the same place in all its states.
fn awaited_of(around: &Place, code: &CodeFrame) -> Option<Place> {
    let states = around.variant_places();
    let awaited = states.iter().flat_map(Place::members).filter(|member| member.name == "__awaitee");
    let mut found: Vec<Place> = awaited.filter_map(|member| member.place.ok()).collect();
    found.retain(|place| is_body_of(code, &place.ty));
    let first = found.first()?.clone();
    found.iter().all(|place| (place.address(), &place.ty) == (first.address(), &first.ty)).then_some(first)
}
