//! Steps by lines: over, into, out.
//!
//! The step follows one activation of one body. *Active*: its rows (but those of the lines that do not count), its return
//! and, for a step into, its calls are trapped. When a coroutine's poll function returns while the coroutine is
//! suspended, the step is *idle*: it waits until the same environment is polled again, by whichever thread. When a
//! function ends, the step ends in its caller; when a coroutine ends, the step goes on in the coroutine that awaited it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_runtimes::polls_task;
use weft_values::{CoroutinePhase, Frame, Place, Stop, coroutine, environment, frames};

use super::call::calls_in;
use super::rows::{self, Rows};
use super::{Hit, Plan, Verdict};
use crate::StepKind;

/// Frames looked at to find where a function returns to.
const DEPTH: usize = 512;

/// Frames looked at to find the coroutine whose poll function, or a copy inlined into it, a thread executes.
const INLINED: usize = 8;

/// Wrappers around a coroutine that a step into goes through.
const MOST_PLUMBING: usize = 32;

/// See the module.
pub(crate) struct Stepper {
    /// What a user calls it.
    name: String,
    kind: StepKind,
    phase: Phase,
    /// Lines that do not count: where the step began, and where the coroutine awaited since.
    seen: BTreeSet<u32>,
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
    Leaving { tid: i32, to: MemAddr, sp: MemAddr },
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
    returns_to: Option<MemAddr>,
    /// What called it, where this is plumbing on the way to a coroutine that a step into looks for.
    outer: Option<Box<Activation>>,
}

impl Stepper {
    /// A step from where thread `tid` stands.
    pub(crate) fn new(kind: StepKind, stop: &Stop, tid: i32) -> Result<Self, String> {
        let walk = frames(stop, tid, DEPTH).frames;
        let frame = walk.first().ok_or_else(|| format!("there is no thread {tid} any more"))?;
        let line = frame.source.as_ref().map_or(0, |source| source.line);
        let mut stepper = Self {
            name: match kind {
                StepKind::Over => format!("the step over line {line}"),
                StepKind::In => format!("the step into line {line}"),
                StepKind::Out => format!("the step out of {}", frame.name),
            },
            kind,
            phase: Phase::Idle { entries: BTreeSet::new() },
            seen: BTreeSet::from([line]),
            file: frame.source.as_ref().map(|source| source.file.clone()),
            instance: environment(stop, frame),
            starts_at_call: false,
        };
        let active = stepper
            .activation(stop, tid, &walk)
            .ok_or_else(|| format!("a step cannot begin in {}: its caller is not known", frame.name))?;
        stepper.starts_at_call = active.calls.contains(&frame.pc);
        stepper.phase = Phase::Active(active);
        Ok(stepper)
    }

    /// A step from where a coroutine is suspended. A step into has nothing to go into there, and is a step over.
    pub(crate) fn suspended_at(kind: StepKind, stop: &Stop, environment: Place) -> Result<Self, String> {
        let state = coroutine(stop, &environment).map_err(|error| format!("the coroutine cannot be read: {error}"))?;
        let kind = if kind == StepKind::In { StepKind::Over } else { kind };
        let mut stepper = Self {
            name: "the step of the suspended task".to_owned(),
            kind,
            phase: Phase::Idle { entries: BTreeSet::new() },
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
            rows.retain(|_, line| !self.seen.contains(line));
        }
        // Leaving an inlined copy is arriving in the code around it, on a line other than that of the call.
        for outer in walk.get(1..=concrete).unwrap_or_default().iter().filter(|frame| frame.user_code) {
            let call = outer.source.as_ref().map_or(0, |source| source.line);
            rows.extend(rows::statements(stop, outer).into_iter().filter(|(_, line)| *line != call));
        }
        let (mut calls, mut inlined) = (BTreeSet::new(), Rows::new());
        if self.kind == StepKind::In {
            if let Some(code) = &body.code {
                inlined = rows::inlined_statements(stop, code);
            }
            for range in self.seen.iter().flat_map(|line| rows::code_of_line(stop, body, *line)) {
                calls.extend(calls_in(stop, &range));
            }
        }
        Some(Activation { tid, cfa, rows, inlined, calls, returns_to: caller.map(|caller| caller.pc), outer: None })
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
        self.leave(hit)
    }

    /// A coroutine has run to its end: the step goes on in the coroutine that awaited it.
    fn completed(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let end = walk.iter().position(polls_task).unwrap_or(walk.len());
        let Some(at) = walk.iter().take(end).position(|frame| frame.user_code) else {
            return Verdict::Done(Some("the task has run to its end".to_owned()));
        };
        let Some(awaiter) = walk.get(at..) else { return Verdict::Continue };
        let Some(frame) = awaiter.first() else { return self.leave(hit) };
        self.instance = environment(hit.stop, frame);
        if self.instance.is_none() {
            return self.leave(hit);
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

    /// Ends the step in the nearest caller that is the user's code.
    fn leave(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let Some(at) = walk.iter().position(|frame| frame.user_code && frame.source.is_some()) else {
            return Verdict::Lost(
                "the function has returned, and nothing of yours called it; the program runs on".to_owned(),
            );
        };
        let inner = walk.get(..at).unwrap_or_default();
        let Some(callee) = inner.iter().rev().find(|frame| !frame.inlined) else { return Verdict::Done(None) };
        match (walk.get(at), callee.cfa) {
            (Some(frame), Some(cfa)) => {
                self.phase = Phase::Leaving { tid: hit.tid, to: frame.pc, sp: cfa };
                Verdict::Continue
            }
            _ => Verdict::Lost("the step was lost: the caller's frame cannot be found".to_owned()),
        }
    }

    /// Waits for the coroutine's next poll. Its thread still stands inside the poll, so it cannot have begun elsewhere.
    fn suspended(&mut self, stop: &Stop, place: Place) -> Verdict {
        let entries = poll_entries(stop, &place);
        if entries.is_empty() {
            return Verdict::Lost("the step was lost: the coroutine's poll function cannot be found".to_owned());
        }
        self.instance = Some(place);
        self.phase = Phase::Idle { entries };
        Verdict::Continue
    }

    /// A coroutine of the kind that is followed is being polled: is it the one?
    fn polled(&mut self, hit: &Hit<'_>) -> Verdict {
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

    /// A call of the line was made: into code of the user, or past it.
    fn called(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, 8).frames;
        let Some(callee) = walk.iter().find(|frame| !frame.inlined) else { return Verdict::Continue };
        let Phase::Active(active) = &self.phase else { return Verdict::Continue };
        if callee.cfa == Some(active.cfa) || makes_coroutine(callee) {
            return Verdict::Continue;
        }
        let entered = if callee.user_code { first_lines(hit.stop, callee) } else { None };
        if polls_on(callee) {
            // Even a coroutine of the user's may be a wrapper that an attribute macro made: it polls on before any line.
            let lines = entered.map(|(rows, _)| rows).unwrap_or_default();
            if let Some(inner) = plumbing(hit, &walk, lines).filter(|_| active.depth() < MOST_PLUMBING) {
                self.go_in(|outer| Phase::Active(Activation { outer: Some(outer), ..inner }));
            }
        } else if let Some((rows, within)) = entered {
            self.go_in(|back| Phase::Entering { tid: hit.tid, rows, within, back });
        }
        Verdict::Continue
    }

    /// Leaves the active phase for one that keeps the activation to come back to.
    fn go_in(&mut self, next: impl FnOnce(Box<Activation>) -> Phase) {
        let left = std::mem::replace(&mut self.phase, Phase::Idle { entries: BTreeSet::new() });
        self.phase = match left {
            Phase::Active(active) => next(Box::new(active)),
            other => other,
        };
    }

    fn on_active_trap(&mut self, hit: &Hit<'_>, pc: MemAddr, sp: MemAddr) -> Verdict {
        let Phase::Active(active) = &self.phase else { return Verdict::Continue };
        if active.tid != hit.tid {
            return Verdict::Continue;
        }
        if active.returns_to == Some(pc) && sp == active.cfa {
            return self.returned(hit);
        }
        if cfa(hit) != Some(active.cfa) {
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

    /// Whether the body that the thread executes is that of the coroutine which is followed. A panic leaves it without
    /// returning, and then another one of its kind may come to lie on the same stack.
    fn is_followed(&self, hit: &Hit<'_>) -> bool {
        let Some(ours) = self.instance.as_ref().and_then(Place::address) else { return true };
        let walk = frames(hit.stop, hit.tid, INLINED).frames;
        let found = walk.iter().find_map(|frame| environment(hit.stop, frame)).and_then(|place| place.address());
        found.is_none_or(|found| found == ours)
    }

    fn panicked() -> Verdict {
        Verdict::Lost(
            "the coroutine has ended without coming to another line, by a panic; the program runs on".to_owned(),
        )
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
            wanted.extend(active.calls.iter().chain(&active.returns_to));
            wanted
        };
        match &self.phase {
            Phase::Active(active) => of(active),
            Phase::Leaving { to, .. } => BTreeSet::from([*to]),
            Phase::Entering { rows, back, .. } => rows.union(&of(back)).copied().collect(),
            Phase::Idle { entries } => entries.clone(),
        }
    }

    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict {
        let Some(thread) = hit.stop.thread(hit.tid) else { return Verdict::Continue };
        let (pc, sp) = (thread.registers.pc(), thread.registers.sp());
        match &self.phase {
            Phase::Active(_) => self.on_active_trap(hit, pc, sp),
            Phase::Entering { .. } => self.on_entering_trap(hit, pc, sp),
            Phase::Leaving { tid, to, sp: at } if *tid == hit.tid && *to == pc && *at == sp => Verdict::Done(None),
            Phase::Leaving { .. } => Verdict::Continue,
            Phase::Idle { .. } => self.polled(hit),
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
            entries.insert(code.entry, rows::behind_prologue(&code));
        }
    }
    entries.into_values().map(|address| module.bias.to_memory(address)).collect()
}

/// Whether the function is the part of an `async fn` that only makes its coroutine: nobody wants to step into that. It
/// returns the environment that is named after it.
fn makes_coroutine(frame: &Frame) -> bool {
    let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
    frame.code.as_ref().is_some_and(|code| {
        let returned = code.return_type().filter(|ty| ty.name().starts_with("{async_fn_env#"));
        returned.is_some_and(|ty| last(ty.namespace()) == last(&code.function.path))
    })
}

/// Whether a function may poll a coroutine on behalf of the one that called it: `Future::poll` of a wrapper, or a coroutine
/// without lines of its own, as attribute macros make them.
fn polls_on(frame: &Frame) -> bool {
    frame.code.as_ref().is_some_and(|code| {
        let path = code.function.path.split('<').next().unwrap_or_default();
        code.function.kind.is_coroutine() || path.ends_with("::poll")
    })
}

/// The activation of a function that was just called and polls on: its own lines end a step, its calls lead deeper.
fn plumbing(hit: &Hit<'_>, walk: &[Frame], lines: BTreeSet<MemAddr>) -> Option<Activation> {
    let at = walk.iter().position(|frame| !frame.inlined)?;
    let (frame, caller) = (walk.get(at)?, walk.get(at.checked_add(1)?)?);
    let code = frame.code.as_ref()?;
    let bias = hit.stop.modules.of(&code.image)?.bias;
    let ranges = code.ranges.iter().map(|range| bias.to_memory(range.start)..bias.to_memory(range.end));
    Some(Activation {
        tid: hit.tid,
        cfa: frame.cfa?,
        rows: Rows::new(),
        inlined: lines.into_iter().map(|address| (address, 0)).collect(),
        calls: ranges.flat_map(|range| calls_in(hit.stop, &range)).collect(),
        returns_to: Some(caller.pc),
        outer: None,
    })
}

impl Activation {
    /// How many callers it is away from the one that the step began in.
    fn depth(&self) -> usize {
        std::iter::successors(self.outer.as_deref(), |outer| outer.outer.as_deref()).count()
    }
}

/// Where a callee's first line begins, and its CFA. In a coroutine that was suspended, any line may be its first.
fn first_lines(stop: &Stop, callee: &Frame) -> Option<(BTreeSet<MemAddr>, MemAddr)> {
    let code = callee.code.as_ref()?;
    let module = stop.modules.of(&code.image)?;
    let first = rows::behind_prologue(code);
    let rows = if code.function.kind.is_coroutine() {
        rows::statements(stop, callee).into_keys().collect()
    } else if rows::is_in_user_code(code, first) {
        BTreeSet::from([module.bias.to_memory(first)])
    } else {
        // Optimised code may begin with what was inlined from a library.
        let own = rows::statements(stop, callee).into_keys();
        own.chain(rows::inlined_statements(stop, code).into_keys()).collect()
    };
    Some((rows, callee.cfa?))
}
