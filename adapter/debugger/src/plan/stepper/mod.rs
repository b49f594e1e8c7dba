//! Steps by lines: over, into, out.
//!
//! The step follows one activation of one body. *Active*: its rows (but those of the lines that do not count), its return
//! and, for a step into, its calls are trapped. When a coroutine's poll function returns while the coroutine is
//! suspended, the step is *idle*: it waits until the same environment is polled again, by whichever thread. When a
//! function ends, the step ends in its caller; when a coroutine ends, the step goes on in whoever awaited it (`awaiter`).

mod activation;
mod aim;
mod around;
mod awaiter;
mod coroutines;
mod detector;
mod into;
mod panics;
mod spawn;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_values::{Frame, Place, Stop, coroutine};

use super::rows::At;
use super::unwinding::{Landing, raisers};
use super::{Gate, Hit, Passerby, Plan, Verdict, Watched, Way};
use crate::{Grain, StepKind};

use activation::{Activation, DEPTH, cfa, is_stop, walk_to};
use aim::Aim;
use around::Around;
use awaiter::Joining;
use coroutines::instance_of;
use detector::Detector;
use into::Arrival;

/// See the module.
pub(crate) struct Stepper {
    /// What a user calls it.
    name: String,
    kind: StepKind,
    way: Way,
    phase: Phase,
    /// Lines that do not count: where the step began, and where the coroutine awaited since.
    seen: BTreeSet<u32>,
    /// Where a step by statements began.
    begun: Option<At>,
    /// The one call that is to be gone into.
    only: Option<MemAddr>,
    /// What is to be gone into that is not simply called.
    aim: Option<Aim>,
    /// Where unwinding begins and goes on.
    raisers: BTreeSet<MemAddr>,
    /// The file they are in.
    file: Option<Arc<Path>>,
    /// The coroutine that is followed, while the body is one.
    instance: Option<Place>,
    /// What notices its polls where nothing is watched, while it is not at work.
    detector: Detector,
    /// Who goes on where it is dropped and nothing tells of that, while it is not at work.
    around: Option<Around>,
    /// The function in which the step has gone on since, if optimised code may have left no line of it.
    gone_on_in: Option<String>,
    /// Whether accesses to the state of `instance` are told; none while that has not been answered.
    is_watched: Option<bool>,
    /// What tells of calls for the task that `instance` lies in; none while that has not been answered.
    gate: Option<Option<Gate>>,
    /// What has become of the coroutine that the step began in, if that has ended.
    said: Option<String>,
    /// Threads that a panic has leave functions, with where it is caught, while the step waits for others.
    unwinding: BTreeMap<i32, Landing>,
    starts_at_call: bool,
    /// It goes on in another task than before, and nobody has asked for that yet.
    has_left_task: bool,
}

enum Phase {
    /// An activation is running.
    Active(Activation),
    /// Having left the activation's function for code that is not the user's, on the way to a caller that is.
    Leaving { tid: i32, to: MemAddr, sp: MemAddr, why: Option<String> },
    /// A panic is leaving functions; with the activation that catches it, if that is the step's own.
    Unwinding { tid: i32, landing: Landing, stays: Option<Box<Activation>> },
    /// In a callee, on the way to its first line.
    Entering { tid: i32, arrival: Arrival, back: Option<Box<Activation>> },
    /// A task was spawned that is to be gone into when it is polled.
    Starting { number: u64 },
    /// The coroutine is suspended.
    Idle(Detector),
    /// The task has ended; somebody is to await it.
    Joining(Joining),
    /// On the way from one phase to the next.
    Between,
}

impl Stepper {
    /// A step from where thread `tid` stands. One that stands in code which steps pass over steps in the user's function
    /// that called it.
    pub(crate) fn new(kind: StepKind, way: Way, stop: &Stop, tid: i32) -> Result<Self, String> {
        let walk = walk_to(stop, tid, way);
        let innermost = walk.first().ok_or_else(|| format!("there is no thread {tid} any more"))?;
        let own = walk.iter().position(|frame| is_stop(frame, way)).unwrap_or(0);
        let walk = walk.get(own..).unwrap_or_default();
        let frame = walk.first().unwrap_or(innermost);
        if !is_stop(frame, way) && frame.code.is_some() {
            return Err(format!(
                "nothing of yours is on this thread's stack; set a breakpoint, or `stepIntoRuntime` to step in {}",
                frame.name
            ));
        }
        let at = frame.source.as_ref().map_or((0, 0), |source| (source.line, source.column));
        let line = at.0;
        let mut stepper = Self {
            name: match kind {
                StepKind::Over => format!("the step over line {line}"),
                StepKind::In => format!("the step into line {line}"),
                StepKind::Out => format!("the step out of {}", frame.name),
            },
            kind,
            way,
            phase: Phase::Between,
            seen: BTreeSet::from([line]),
            begun: (way.grain == Grain::Statement).then_some(at),
            only: None,
            aim: None,
            raisers: raisers(&stop.modules),
            file: frame.source.as_ref().map(|source| source.file.clone()),
            instance: instance_of(stop, tid, walk),
            detector: Detector::default(),
            around: None,
            gone_on_in: None,
            is_watched: None,
            gate: None,
            said: None,
            unwinding: BTreeMap::new(),
            starts_at_call: false,
            has_left_task: false,
        };
        if kind == StepKind::Out && own > 0 {
            // Out of what was called: to the user's function that called it.
            match stepper.leave_from(tid, walk_to(stop, tid, way), None) {
                Verdict::Lost(why) => return Err(why),
                // All of it was inlined there: its next line is outside.
                Verdict::Done(_) => stepper.kind = StepKind::Over,
                Verdict::Continue | Verdict::StepInstruction | Verdict::Place => return Ok(stepper),
            }
        }
        let active = stepper
            .activation(stop, tid, walk)
            .ok_or_else(|| format!("a step cannot begin in {}: its caller is not known", frame.name))?;
        stepper.starts_at_call = active.calls.contains(&innermost.pc);
        stepper.phase = Phase::Active(active);
        Ok(stepper)
    }

    /// A step from where a coroutine is suspended. A step into has nothing to go into there, and is a step over.
    pub(crate) fn suspended_at(kind: StepKind, way: Way, stop: &Stop, environment: Place) -> Result<Self, String> {
        let state = coroutine(stop, &environment).map_err(|error| format!("the coroutine cannot be read: {error}"))?;
        let kind = if kind == StepKind::In { StepKind::Over } else { kind };
        let mut stepper = Self {
            name: "the step of the suspended task".to_owned(),
            kind,
            way,
            phase: Phase::Between,
            begun: None,
            only: None,
            aim: None,
            raisers: raisers(&stop.modules),
            seen: state.await_location.iter().map(|at| at.line).collect(),
            file: state.await_location.map(|at| at.file),
            instance: None,
            detector: Detector::default(),
            around: None,
            gone_on_in: None,
            is_watched: None,
            gate: None,
            said: None,
            unwinding: BTreeMap::new(),
            starts_at_call: false,
            has_left_task: false,
        };
        match stepper.suspended(stop, environment) {
            Verdict::Lost(why) => Err(why),
            _ => Ok(stepper),
        }
    }

    /// Follows another coroutine from now on, or none.
    fn follow(&mut self, instance: Option<Place>) {
        self.instance = instance;
        self.detector = Detector::default();
        self.around = None;
        (self.is_watched, self.gate) = (None, None);
    }

    /// What is to be said when the program ends while a coroutine is followed.
    fn overtaken(&self) -> String {
        format!("the program has ended before {}", self.name)
    }

    fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Between)
    }

    /// The function of the activation has returned.
    fn returned(&mut self, hit: &Hit<'_>) -> Verdict {
        match &self.phase {
            Phase::Active(active) if active.is_stood_for => self.left_behind(hit),
            _ if self.instance.is_some() => self.polled_to_an_end(hit),
            Phase::Active(active) if active.is_coroutine => Verdict::Lost(
                "the step was lost: the compiler has not kept where the coroutine lies, so that it cannot be followed over \
                 its suspension; the program runs on"
                    .to_owned(),
            ),
            _ => self.leave(hit, None),
        }
    }

    /// Ends the step in the nearest caller that steps stop in.
    fn leave(&mut self, hit: &Hit<'_>, why: Option<String>) -> Verdict {
        if let Some(verdict) = self.leave_task(hit) {
            return verdict;
        }
        self.leave_from(hit.tid, walk_to(hit.stop, hit.tid, self.way), why)
    }

    fn leave_from(&mut self, tid: i32, walk: Vec<Frame>, why: Option<String>) -> Verdict {
        let Some(at) = walk.iter().position(|frame| is_stop(frame, self.way) && frame.source.is_some()) else {
            return Verdict::Lost(
                "the function has returned, and nothing of yours called it; the program runs on".to_owned(),
            );
        };
        let inner = walk.get(..at).unwrap_or_default();
        let Some(callee) = inner.iter().rev().find(|frame| !frame.inlined) else { return Verdict::Done(why) };
        match (walk.get(at), callee.cfa) {
            (Some(frame), Some(cfa)) => {
                self.phase = Phase::Leaving { tid, to: frame.pc, sp: cfa, why };
                Verdict::Continue
            }
            _ => Verdict::Lost("the step was lost: the caller's frame cannot be found".to_owned()),
        }
    }

    fn on_active_trap(&mut self, hit: &Hit<'_>, pc: MemAddr, sp: MemAddr) -> Verdict {
        let Phase::Active(active) = &self.phase else { return Verdict::Continue };
        if active.tid != hit.tid {
            return Verdict::Continue;
        }
        if active.returns_to == Some(pc) && sp == active.cfa {
            return self.returned(hit);
        }
        let within = cfa(hit);
        let is_below = within.is_some_and(|within| within < active.cfa);
        if is_below && active.reach.callbacks.contains(&pc) {
            return self.called_back(hit);
        }
        if is_below && active.reach.dispatches.contains(&pc) {
            return Verdict::StepInstruction;
        }
        if within != Some(active.cfa) {
            return Verdict::Continue;
        }
        if active.inlined.contains_key(&pc) {
            return Verdict::Done(self.said.take());
        }
        if active.rows.contains_key(&pc) {
            let is_left = active.has_left_copy(hit.stop, pc);
            if let Some(passed) = active.passed(hit.stop, pc).filter(|_| is_left) {
                self.gone_on_in = Some(passed);
                self.said = self.without_line();
            }
            return if is_left || self.is_followed(hit) { self.at_row() } else { Self::panicked() };
        }
        if active.calls.contains(&pc) { self.begins(pc) } else { Verdict::Continue }
    }

    fn on_entering_trap(&mut self, hit: &Hit<'_>, pc: MemAddr, sp: MemAddr) -> Verdict {
        let Phase::Entering { tid, arrival, back } = &self.phase else { return Verdict::Continue };
        if *tid != hit.tid {
            return Verdict::Continue;
        }
        let at = cfa(hit);
        if arrival.rows.contains(&pc) && at == Some(arrival.within) {
            return Verdict::Done(None);
        }
        if arrival.blocks.contains(&pc) && at.is_some_and(|at| at < arrival.within) {
            self.entered_block(hit);
            return Verdict::Continue;
        }
        // The callee returned, or a coroutine suspended, without reaching a line of its own: back to the caller, or out of it
        // too.
        let Some(back) = back else { return Verdict::Continue };
        let left = back.returns_to == Some(pc) && sp == back.cfa;
        if left || at == Some(back.cfa) {
            let Phase::Entering { back: Some(back), .. } = self.take_phase() else { return Verdict::Continue };
            self.phase = Phase::Active(*back);
            return self.on_trap(hit);
        }
        Verdict::Continue
    }
}

impl Plan for Stepper {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn start(&mut self) -> Verdict {
        if self.starts_at_call { Verdict::StepInstruction } else { Verdict::Continue }
    }

    fn traps(&self) -> BTreeSet<MemAddr> {
        let of = |active: &Activation| {
            let mut wanted: BTreeSet<MemAddr> = active.rows.keys().chain(active.inlined.keys()).copied().collect();
            wanted.extend(active.calls.iter().chain(&active.returns_to).chain(&self.raisers));
            wanted.extend(active.reach.callbacks.iter().chain(&active.reach.dispatches));
            wanted
        };
        match &self.phase {
            Phase::Active(active) => of(active),
            Phase::Leaving { to, .. } => self.raisers.iter().copied().chain([*to]).collect(),
            Phase::Entering { arrival, back, .. } => {
                let back = back.iter().flat_map(|back| of(back));
                back.chain(arrival.rows.iter().chain(&arrival.blocks).chain(&self.raisers).copied()).collect()
            }
            Phase::Starting { .. } => self.beginnings(),
            Phase::Idle(detector) => {
                let gate = self.gate.iter().flatten().filter(|_| self.is_watched != Some(true));
                let is_shut = gate.clone().any(Gate::is_shut);
                let entries = detector.traps().filter(|_| self.is_watched != Some(true));
                let inside = entries.chain(self.around.iter().flat_map(Around::traps)).filter(|_| !is_shut);
                gate.flat_map(Gate::traps).chain(inside).chain(self.panics()).collect()
            }
            Phase::Joining(joining) => joining.traps().into_iter().chain(self.panics()).collect(),
            Phase::Between => BTreeSet::new(),
            Phase::Unwinding { landing, .. } => BTreeSet::from([landing.pad]),
        }
    }

    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(thread) = hit.stop.thread(hit.tid) else { return Verdict::Continue };
        let (pc, sp) = (thread.registers.pc(), thread.registers.sp());
        if self.raisers.contains(&pc) {
            return self.raised(hit);
        }
        self.forget_caught(hit, pc);
        match &self.phase {
            Phase::Active(_) => self.on_active_trap(hit, pc, sp),
            Phase::Entering { .. } => self.on_entering_trap(hit, pc, sp),
            Phase::Leaving { tid, to, sp: at, why } if *tid == hit.tid && *to == pc && *at == sp => {
                Verdict::Done(why.clone())
            }
            Phase::Leaving { .. } => Verdict::Continue,
            Phase::Starting { number } => self.started(hit, pc, *number),
            Phase::Idle(_) => match self.passed_by(hit, pc) {
                None | Some(Verdict::Continue) => self.came(hit),
                Some(verdict) => verdict,
            },
            Phase::Joining(_) => self.joined(hit, pc, sp),
            Phase::Between => Verdict::Continue,
            Phase::Unwinding { .. } => self.landed(hit, pc),
        }
    }

    fn on_stepped(&mut self, hit: &Hit<'_>) -> Verdict {
        self.called(hit)
    }

    fn on_placed(&mut self, hit: &Hit<'_>) -> Verdict {
        self.is_joined(hit)
    }

    fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        match &self.phase {
            Phase::Active(active) => active.is_anothers(by),
            Phase::Leaving { tid, .. } | Phase::Entering { tid, .. } | Phase::Unwinding { tid, .. } => *tid != by.tid,
            Phase::Joining(joining) => !self.is_of_panic(by.pc) && joining.is_anothers(by),
            Phase::Idle(detector) => {
                if let Some(is_anothers) = self.gate.iter().flatten().find_map(|gate| gate.is_anothers(by)) {
                    return is_anothers && !self.is_of_panic(by.pc);
                }
                let ours = self.instance.as_ref().and_then(Place::address);
                !self.is_of_panic(by.pc)
                    && self.around.as_ref().is_none_or(|around| around.is_anothers(by))
                    && ours.is_some_and(|ours| detector.is_anothers(by, ours))
            }
            Phase::Starting { number } => self.is_another_start(by, *number),
            Phase::Between => false,
        }
    }

    fn watch(&self) -> Option<Watched> {
        let wanted = match &self.phase {
            Phase::Idle(_) => true,
            // Kept from one suspension to the next: nobody else touches the state. Nothing else tells when a copy is left.
            Phase::Active(active) => self.is_watched.is_some() || active.copy().is_some(),
            Phase::Entering { .. } => self.is_watched.is_some(),
            Phase::Leaving { .. }
            | Phase::Starting { .. }
            | Phase::Unwinding { .. }
            | Phase::Joining(_)
            | Phase::Between => false,
        };
        self.instance.as_ref().filter(|_| wanted).and_then(detector::state_of)
    }

    fn set_watched(&mut self, is_watched: bool, stop: &Stop) -> Verdict {
        self.is_watched = Some(is_watched);
        if is_watched { Verdict::Continue } else { self.unwatched(stop) }
    }

    fn gated(&self) -> Option<Range<MemAddr>> {
        let wanted = match &self.phase {
            Phase::Idle(_) => true,
            // Kept, like a watch.
            Phase::Active(_) | Phase::Entering { .. } => self.gate.is_some(),
            _ => false,
        };
        let place = self.instance.as_ref().filter(|_| wanted && self.is_watched == Some(false))?;
        let start = place.address()?;
        Some(start..start.checked_add(place.ty.size())?)
    }

    fn set_gate(&mut self, gate: Option<Gate>) {
        self.gate = Some(gate);
    }

    fn on_access(&mut self, hit: &Hit<'_>) -> Verdict {
        match &self.phase {
            Phase::Idle(_) => self.accessed(hit),
            Phase::Active(active) if active.tid == hit.tid && active.copy().is_some() => self.wrote(hit),
            _ => Verdict::Continue,
        }
    }

    fn is_same_line(&self, hit: &Hit<'_>) -> bool {
        let Phase::Active(active) = &self.phase else { return false };
        if self.kind == StepKind::Out || active.tid != hit.tid || cfa(hit) != Some(active.cfa) {
            return false;
        }
        let line = hit.stop.thread(hit.tid).and_then(|thread| {
            let (module, pc) = hit.stop.modules.to_file(thread.registers.pc())?;
            module.image.line_at(pc).ok()?
        });
        line.is_some_and(|at| self.seen.contains(&at.line) && self.file.as_ref() == Some(&at.file))
    }

    fn has_left_task(&mut self) -> bool {
        std::mem::take(&mut self.has_left_task)
    }

    fn waits(&self) -> Option<String> {
        match &self.phase {
            Phase::Joining(joining) => Some(joining.waits()),
            Phase::Starting { .. } => self.not_started("yet, and the step goes on where it does"),
            _ => None,
        }
    }

    fn unfinished(&self) -> Option<String> {
        match &self.phase {
            Phase::Joining(joining) => Some(joining.unfinished()),
            Phase::Starting { .. } => self.not_started("and the program has ended"),
            _ => self.instance.as_ref().map(|_| self.overtaken()),
        }
    }

    fn on_thread_exited(&mut self, tid: i32) -> Verdict {
        self.unwinding.remove(&tid);
        self.forget_note(tid);
        match &self.phase {
            Phase::Active(Activation { tid: ours, .. })
            | Phase::Leaving { tid: ours, .. }
            | Phase::Entering { tid: ours, .. }
            | Phase::Unwinding { tid: ours, .. }
                if *ours == tid =>
            {
                Verdict::Lost("the thread has ended during the step; the program runs on".to_owned())
            }
            _ => Verdict::Continue,
        }
    }
}
