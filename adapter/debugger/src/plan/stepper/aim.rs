//! A step into one target of a line: the function that a call calls, a coroutine that the line polls, the first function of
//! a task that it spawns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::{Births, macro_branch_of, macro_branches};
use weft_symbols::Image;
use weft_values::{Frame, Place, Stop, environment, frames, variables};

use super::super::call::{Reach, called_function, calls_in};
use super::super::rows;
use super::into::first_lines;
use super::{Activation, Hit, Phase, Stepper, Verdict, Way};
use crate::api::{Branch, Goal};
use crate::{InTarget, StepKind, step_in_targets};

/// Frames looked at to find a coroutine that is about to be polled.
const INNER: usize = 8;

/// What polls the future of a `select!` or `join!`.
const POLL_OF_MACRO: &str = "::poll_fn::PollFn::poll";

/// Pointers between the variable `self` of a macro's future and that.
const MOST_POINTERS: usize = 3;

/// What a step is aimed at that is not simply called.
pub(super) struct Aim {
    name: String,
    goal: Goal,
    /// Calls of the line one of which has to be made before there is anything to look for.
    calls: BTreeSet<MemAddr>,
    births: Option<Watching>,
}

/// What it takes to know a task when it is polled.
struct Watching {
    image: Arc<Image>,
    births: Births,
    /// Where a thread has the number of a task that it is about to make, in which register.
    places: BTreeMap<MemAddr, DwarfRegister>,
}

impl Stepper {
    /// A step into a target of the line, as [`step_in_targets`] names it.
    pub(crate) fn into_target(way: Way, stop: &Stop, tid: i32, call: MemAddr) -> Result<Self, String> {
        let mut stepper = Self::new(StepKind::In, way, stop, tid)?;
        let Phase::Active(active) = &mut stepper.phase else { return Ok(stepper) };
        let ahead = step_in_targets(stop, tid);
        let Some(target) = ahead.into_iter().find(|target| target.call == call) else {
            return Err("this call is not ahead on the current line any more; ask for the targets again".to_owned());
        };
        let pc = stop.thread(tid).map(|thread| thread.registers.pc());
        if target.goal == Goal::Call {
            active.inlined.retain(|address, _| *address == call);
            active.calls = if active.inlined.is_empty() { BTreeSet::from([call]) } else { BTreeSet::new() };
            *active.reach = Reach::default();
            stepper.starts_at_call &= pc.is_some_and(|pc| active.calls.contains(&pc));
            stepper.only = Some(call);
            return Ok(stepper);
        }
        let calls = match &target.goal {
            Goal::Coroutine { branch: Some(branch), .. } => macro_polls(stop, tid, branch.line),
            Goal::Coroutine { made_by, .. } => made_by.iter().copied().collect(),
            _ => BTreeSet::from([call]),
        };
        let births = matches!(target.goal, Goal::Task(_)).then(|| Watching::of(stop)).transpose()?;
        let InTarget { name, goal, .. } = target;
        let mut aim = Aim { name, goal, calls, births };
        // The thread stands before it and is not trapped there.
        aim.begin(pc);
        aim.restrict(active);
        stepper.starts_at_call = false;
        stepper.aim = Some(aim);
        Ok(stepper)
    }

    /// The call of choice has only made a coroutine: what is meant is its body, which the line polls later.
    pub(super) fn aim_at_made(&mut self, name: &str, polls: BTreeSet<MemAddr>) {
        let goal = Goal::Coroutine { polls, made_by: None, branch: None };
        let aim = Aim { name: name.to_owned(), goal, calls: BTreeSet::new(), births: None };
        if let Phase::Active(active) = &mut self.phase {
            aim.restrict(active);
        }
        self.aim = Some(aim);
    }

    /// A call of the line is about to be made that a target waits for.
    pub(super) fn begins(&mut self, call: MemAddr) -> Verdict {
        let (Some(aim), Phase::Active(active)) = (&mut self.aim, &mut self.phase) else {
            return Verdict::StepInstruction;
        };
        aim.begin(Some(call));
        aim.restrict(active);
        Verdict::Continue
    }

    /// The thread comes to another line of the activation.
    pub(super) fn at_row(&self) -> Verdict {
        match &self.aim {
            // What belongs to a macro may stand on several lines.
            Some(aim) if !aim.calls.is_empty() && aim.is_branch() => Verdict::Continue,
            Some(aim) => Verdict::Done(Some(format!("{} has not run; the step has gone over the line", aim.name))),
            None => Verdict::Done(self.said.clone()),
        }
    }

    /// Whether a coroutine that the line polls is the one that was chosen.
    pub(super) fn is_aimed_at(&self, hit: &Hit<'_>, callee: &Frame, callers: &[Frame]) -> bool {
        let Some(Aim { goal: Goal::Coroutine { branch: Some(Branch { index, has_twins: true, .. }), .. }, .. }) =
            &self.aim
        else {
            return true;
        };
        let polled = environment(hit.stop, callee).and_then(|place| place.address());
        let future = callers.iter().find_map(|frame| future_of_macro(hit.stop, frame));
        let found = polled.zip(future).and_then(|(polled, future)| macro_branch_of(hit.stop, &future, polled));
        found == Some(*index)
    }

    /// The spawning call gives its task a number: from here on the task is looked for, whoever polls it.
    pub(super) fn numbered(&mut self, hit: &Hit<'_>, pc: MemAddr) -> Option<Verdict> {
        let watching = self.aim.as_ref()?.births.as_ref()?;
        let register = watching.places.get(&pc)?;
        let number = hit.stop.thread(hit.tid)?.registers.get(*register)?;
        self.phase = Phase::Starting { number };
        self.follow(None);
        Some(Verdict::Continue)
    }

    /// Where the task that was spawned can begin.
    pub(super) fn beginnings(&self) -> &BTreeSet<MemAddr> {
        const NONE: &BTreeSet<MemAddr> = &BTreeSet::new();
        match &self.aim {
            Some(Aim { goal: Goal::Task(polls), .. }) => polls,
            _ => NONE,
        }
    }

    /// A coroutine of the task's kind is being polled: in the task that was spawned?
    pub(super) fn started(&mut self, hit: &Hit<'_>, number: u64) -> Verdict {
        let watching = self.aim.as_ref().and_then(|aim| aim.births.as_ref());
        if watching.and_then(|watching| watching.polled_by(hit)) != Some(number) {
            return Verdict::Continue;
        }
        self.has_left_task = true;
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let arrival = walk.iter().find(|frame| !frame.inlined).and_then(|frame| first_lines(hit.stop, frame));
        match arrival {
            Some(arrival) if !arrival.rows.is_empty() || !arrival.blocks.is_empty() => {
                self.phase = Phase::Entering { tid: hit.tid, arrival, back: None };
                Verdict::Continue
            }
            _ => Verdict::Lost(
                "the task has begun, but where its lines are is not known; the program runs on".to_owned(),
            ),
        }
    }
}

impl Aim {
    fn is_branch(&self) -> bool {
        matches!(self.goal, Goal::Coroutine { branch: Some(_), .. })
    }

    fn begin(&mut self, call: Option<MemAddr>) {
        if call.is_some_and(|call| self.calls.contains(&call)) {
            self.calls.clear();
        }
    }

    /// Leaves an activation with nothing to stop at but what the aim looks for now.
    pub(super) fn restrict(&self, active: &mut Activation) {
        active.inlined.clear();
        active.calls = self.calls.clone();
        let found = match (&self.goal, &self.births) {
            _ if !self.calls.is_empty() => BTreeSet::new(),
            (Goal::Coroutine { polls, .. }, _) => polls.clone(),
            (Goal::Task(_), Some(watching)) => watching.places.keys().copied().collect(),
            _ => BTreeSet::new(),
        };
        *active.reach = Reach::only(found);
    }
}

impl Watching {
    fn of(stop: &Stop) -> Result<Self, String> {
        let found = stop.modules.iter().map(|module| (module, Births::find(&module.image)));
        let mut found = found.filter(|(_, births)| births.copies > 0);
        let (Some((module, births)), None) = (found.next(), found.next()) else {
            return Err("the program has no Tokio or several: set a breakpoint in the spawned function".to_owned());
        };
        if births.copies > 1 || births.places.is_empty() || !births.tells_current_task() {
            return Err(
                "this Tokio does not tell which task a thread polls (1.23 and newer do): set a breakpoint in the \
                        spawned function"
                    .to_owned(),
            );
        }
        let places = births.places.iter().map(|place| (module.bias.to_memory(place.address), place.register));
        Ok(Self { image: module.image.clone(), places: places.collect(), births })
    }

    /// The number of the task that a thread polls.
    fn polled_by(&self, hit: &Hit<'_>) -> Option<u64> {
        let (module, thread) = hit.stop.modules.of(&self.image).zip(hit.stop.thread(hit.tid))?;
        self.births.current_task(&hit.stop.modules, module, thread.registers.fs_base, &*hit.stop.memory)?
    }
}

/// Calls of a line that poll a macro's future, in the function that a thread executes.
fn macro_polls(stop: &Stop, tid: i32, line: u32) -> BTreeSet<MemAddr> {
    let walk = frames(stop, tid, 1).frames;
    let code = walk.first().map(|body| rows::code_of_line(stop, body, line)).unwrap_or_default();
    let calls = code.iter().flat_map(|range| calls_in(stop, range));
    let polls = |call: &MemAddr| {
        let code = called_function(stop, *call);
        code.is_some_and(|code| code.function.name.ends_with(POLL_OF_MACRO))
    };
    calls.filter(polls).collect()
}

/// The future of a macro that a frame polls: what its `self` points to.
fn future_of_macro(stop: &Stop, frame: &Frame) -> Option<Place> {
    let is_poll = frame.code.as_ref().is_some_and(|code| code.function.name.ends_with(POLL_OF_MACRO));
    let found = is_poll.then(|| variables(stop, frame))?.into_iter().find(|variable| variable.name == "self")?;
    let mut place = found.place.ok()?;
    for _ in 0..MOST_POINTERS {
        if macro_branches(&place.ty).is_some() {
            return Some(place);
        }
        place = place.deref(stop).ok()?;
    }
    None
}
