//! Steps by lines: over, into, out.
//!
//! The step follows one activation of one body. *Active*: its rows (but those of the lines that do not count), its return
//! and, for a step into, its calls are trapped. When a coroutine's poll function returns while the coroutine is
//! suspended, the step is *idle*: it waits until the same environment is polled again, by whichever thread. When a
//! function ends, the step ends in its caller; when a coroutine ends, the step goes on in the coroutine that awaited it.

mod coroutines;
mod into;
mod panics;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::CodeFrame;
use weft_values::{CoroutinePhase, Frame, Place, Stop, coroutine, environment, frames};

use super::call::{callbacks_of, calls_in, tail_calls_in};
use super::rows::{self, At, Rows};
use super::unwinding::{Landing, raisers};
use super::{Hit, Plan, Verdict, Way};
use crate::{Grain, StepKind};

/// Frames looked at to find where a function returns to.
const DEPTH: usize = 512;

/// Frames looked at first: most functions that are left return to one nearby, and each frame costs.
const NEAR: usize = 12;

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
    /// Where unwinding begins and goes on.
    raisers: BTreeSet<MemAddr>,
    /// The file they are in.
    file: Option<Arc<Path>>,
    /// The coroutine that is followed, while the body is one.
    instance: Option<Place>,
    starts_at_call: bool,
}

enum Phase {
    /// An activation is running.
    Active(Activation),
    /// Having left the activation's function for code that is not the user's, on the way to a caller that is.
    Leaving { tid: i32, to: MemAddr, sp: MemAddr, why: Option<String> },
    /// A panic is leaving functions; with the activation that catches it, if that is the step's own.
    Unwinding { tid: i32, landing: Landing, stays: Option<Box<Activation>> },
    /// In a callee, on the way to its first line.
    Entering { tid: i32, rows: BTreeSet<MemAddr>, within: MemAddr, back: Box<Activation> },
    /// The coroutine is suspended; these are the entries of its poll function.
    Idle { entries: BTreeSet<MemAddr> },
}

/// One call of a function, with where it may end.
struct Activation {
    tid: i32,
    cfa: MemAddr,
    rows: Rows,
    /// Lines of functions that were inlined into the body, for a step into.
    inlined: Rows,
    calls: BTreeSet<MemAddr>,
    /// Entries of the user's functions that calls of the line may come to by way of others.
    callbacks: BTreeSet<MemAddr>,
    returns_to: Option<MemAddr>,
    /// What called it, where this is plumbing on the way to a coroutine that a step into looks for.
    outer: Option<Box<Activation>>,
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
            phase: Phase::Idle { entries: BTreeSet::new() },
            seen: BTreeSet::from([line]),
            begun: (way.grain == Grain::Statement).then_some(at),
            only: None,
            raisers: raisers(&stop.modules),
            file: frame.source.as_ref().map(|source| source.file.clone()),
            instance: environment(stop, frame),
            starts_at_call: false,
        };
        if kind == StepKind::Out && own > 0 {
            // Out of what was called: to the user's function that called it.
            stepper.leave_from(tid, walk_to(stop, tid, way), None);
            return Ok(stepper);
        }
        let active = stepper
            .activation(stop, tid, walk)
            .ok_or_else(|| format!("a step cannot begin in {}: its caller is not known", frame.name))?;
        stepper.starts_at_call = active.calls.contains(&innermost.pc);
        stepper.phase = Phase::Active(active);
        Ok(stepper)
    }

    /// A step into the function that one call of the line calls.
    pub(crate) fn into_call(way: Way, stop: &Stop, tid: i32, call: MemAddr) -> Result<Self, String> {
        let mut stepper = Self::new(StepKind::In, way, stop, tid)?;
        let Phase::Active(active) = &mut stepper.phase else { return Ok(stepper) };
        let ahead = crate::step_in_targets(stop, tid);
        if !ahead.iter().any(|target| target.call == call) {
            return Err("this call is not ahead on the current line any more; ask for the targets again".to_owned());
        }
        active.inlined.retain(|address, _| *address == call);
        active.calls = if active.inlined.is_empty() { BTreeSet::from([call]) } else { BTreeSet::new() };
        active.callbacks.clear();
        stepper.starts_at_call &= active.calls.contains(&stop.thread(tid).map_or(call, |it| it.registers.pc()));
        stepper.only = Some(call);
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
            phase: Phase::Idle { entries: BTreeSet::new() },
            begun: None,
            only: None,
            raisers: raisers(&stop.modules),
            seen: state.await_location.iter().map(|at| at.line).collect(),
            file: state.await_location.map(|at| at.file),
            instance: None,
            starts_at_call: false,
        };
        match stepper.suspended(stop, environment) {
            Verdict::Lost(why) => Err(why),
            _ => Ok(stepper),
        }
    }

    /// The activation of the innermost frame of a stack. `None` when not even its CFA is known.
    fn activation(&self, stop: &Stop, tid: i32, walk: &[Frame]) -> Option<Activation> {
        let concrete = walk.iter().position(|frame| !frame.inlined)?;
        let (body, caller) = (walk.first()?, walk.get(concrete.saturating_add(1)));
        let cfa = walk.get(concrete)?.cfa?;
        let mut rows = Rows::new();
        if self.kind != StepKind::Out {
            rows = rows::statements(stop, body);
            if let Some((line, _)) = self.begun {
                rows.extend(rows::parts_of_line(stop, body, line));
            }
            rows.retain(|_, at| match self.begun {
                Some(begun) => *at != begun,
                None => !self.seen.contains(&at.0),
            });
        }
        // Leaving an inlined copy is arriving in the code around it, on a line other than that of the call.
        for outer in walk.get(1..=concrete).unwrap_or_default().iter().filter(|frame| frame.user_code) {
            let call = outer.source.as_ref().map_or(0, |source| source.line);
            rows.extend(rows::statements(stop, outer).into_iter().filter(|(_, at)| at.0 != call));
        }
        let (mut calls, mut inlined, mut callbacks) = (BTreeSet::new(), Rows::new(), BTreeSet::new());
        if self.kind == StepKind::In {
            if let Some(code) = &body.code {
                inlined = rows::inlined_statements(stop, code);
            }
            let code: Vec<_> = self.seen.iter().flat_map(|line| rows::code_of_line(stop, body, *line)).collect();
            calls.extend(code.iter().flat_map(|range| calls_in(stop, range)));
            let function = walk.get(concrete).map(|frame| rows::code_of(stop, frame)).unwrap_or_default();
            calls.extend(code.iter().flat_map(|range| tail_calls_in(stop, range, &function)));
            if self.only.is_none() {
                callbacks = callbacks_of(stop, &code, krate_of(body));
            }
        }
        let returns_to = caller.map(|caller| caller.pc);
        Some(Activation { tid, cfa, rows, inlined, calls, callbacks, returns_to, outer: None })
    }

    /// The function of the activation has returned.
    fn returned(&mut self, hit: &Hit<'_>) -> Verdict {
        if let Phase::Active(Activation { outer, .. }) = &mut self.phase
            && let Some(outer) = outer.take()
        {
            self.phase = Phase::Active(*outer);
            return Verdict::Continue;
        }
        if let Some(place) = self.instance.take() {
            match coroutine(hit.stop, &place) {
                Ok(state) => match state.phase {
                    CoroutinePhase::Suspended(_) => {
                        self.seen.extend(state.await_location.map(|at| at.line));
                        return self.suspended(hit.stop, place);
                    }
                    _ => return self.completed(hit),
                },
                Err(error) => {
                    return Verdict::Lost(format!("the step was lost: its coroutine cannot be read ({error})"));
                }
            }
        }
        self.leave(hit, None)
    }

    /// Ends the step in the nearest caller that steps stop in.
    fn leave(&mut self, hit: &Hit<'_>, why: Option<String>) -> Verdict {
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
        if active.callbacks.contains(&pc) && within.is_some_and(|within| within < active.cfa) {
            return self.called_back(hit);
        }
        if within != Some(active.cfa) {
            return Verdict::Continue;
        }
        if active.inlined.contains_key(&pc) {
            return Verdict::Done(None);
        }
        if active.rows.contains_key(&pc) {
            return if self.is_followed(hit) { Verdict::Done(None) } else { Self::panicked() };
        }
        if active.calls.contains(&pc) { Verdict::StepInstruction } else { Verdict::Continue }
    }

    fn on_entering_trap(&mut self, hit: &Hit<'_>, pc: MemAddr, sp: MemAddr) -> Verdict {
        let Phase::Entering { tid, rows, within, back } = &self.phase else { return Verdict::Continue };
        if *tid != hit.tid {
            return Verdict::Continue;
        }
        if rows.contains(&pc) && cfa(hit) == Some(*within) {
            return Verdict::Done(None);
        }
        // The callee returned, or a coroutine suspended, without reaching a line of its own: back to the caller, or out of it
        // too.
        let left = back.returns_to == Some(pc) && sp == back.cfa;
        if left || cfa(hit) == Some(back.cfa) {
            let Phase::Entering { back, .. } =
                std::mem::replace(&mut self.phase, Phase::Idle { entries: BTreeSet::new() })
            else {
                return Verdict::Continue;
            };
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
            wanted.extend(active.calls.iter().chain(&active.callbacks).chain(&active.returns_to).chain(&self.raisers));
            wanted
        };
        match &self.phase {
            Phase::Active(active) => of(active),
            Phase::Leaving { to, .. } => self.raisers.iter().copied().chain([*to]).collect(),
            Phase::Entering { rows, back, .. } => rows.union(&of(back)).copied().collect(),
            Phase::Idle { entries } => entries.clone(),
            Phase::Unwinding { landing, .. } => BTreeSet::from([landing.pad]),
        }
    }

    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(thread) = hit.stop.thread(hit.tid) else { return Verdict::Continue };
        let (pc, sp) = (thread.registers.pc(), thread.registers.sp());
        if self.raisers.contains(&pc) {
            return self.raised(hit);
        }
        match &self.phase {
            Phase::Active(_) => self.on_active_trap(hit, pc, sp),
            Phase::Entering { .. } => self.on_entering_trap(hit, pc, sp),
            Phase::Leaving { tid, to, sp: at, why } if *tid == hit.tid && *to == pc && *at == sp => {
                Verdict::Done(why.clone())
            }
            Phase::Leaving { .. } => Verdict::Continue,
            Phase::Idle { .. } => self.polled(hit),
            Phase::Unwinding { .. } => self.landed(hit, pc),
        }
    }

    fn on_stepped(&mut self, hit: &Hit<'_>) -> Verdict {
        self.called(hit)
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

    fn on_thread_exited(&mut self, tid: i32) -> Verdict {
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

/// The CFA of the frame that the thread executes.
fn cfa(hit: &Hit<'_>) -> Option<MemAddr> {
    let thread = hit.stop.thread(hit.tid)?;
    let caller = hit.stop.modules.caller(&thread.registers, false, hit.stop.memory.as_ref()).ok()??;
    Some(caller.cfa)
}

/// A thread's stack as far as the nearest function that steps end in and what called that; all of it if there is none.
fn walk_to(stop: &Stop, tid: i32, way: Way) -> Vec<Frame> {
    let near = frames(stop, tid, NEAR).frames;
    let own = near.iter().position(|frame| is_stop(frame, way) && frame.source.is_some());
    let concrete = own.and_then(|own| near.iter().skip(own).position(|frame| !frame.inlined)?.checked_add(own));
    if near.len() < NEAR || concrete.is_some_and(|concrete| concrete.saturating_add(1) < near.len()) {
        return near;
    }
    frames(stop, tid, DEPTH).frames
}

/// The crate of a frame's function.
fn krate_of(frame: &Frame) -> &str {
    frame.code.as_ref().map_or("", |code| code.function.krate.as_str())
}

/// Whether steps end in this function: it is the user's, or theirs by wish, or written in another language (which has no
/// crates) and not the system's own.
fn is_stop(frame: &Frame, way: Way) -> bool {
    let is_foreign = |code: &CodeFrame| code.function.krate.is_empty() && !code.image.is_system_runtime();
    let foreign = || frame.code.as_ref().is_some_and(is_foreign);
    frame.user_code || (frame.code.is_some() && way.into_runtime) || foreign()
}

impl Activation {
    /// How many callers it is away from the one that the step began in.
    fn depth(&self) -> usize {
        std::iter::successors(self.outer.as_deref(), |outer| outer.outer.as_deref()).count()
    }

    /// The one that the step began in.
    fn outermost(self) -> Self {
        match self.outer {
            Some(outer) => outer.outermost(),
            None => self,
        }
    }

    /// The canonical frame address of the one that the step began in.
    fn outermost_cfa(&self) -> MemAddr {
        std::iter::successors(Some(self), |inner| inner.outer.as_deref()).last().map_or(self.cfa, |outer| outer.cfa)
    }
}
