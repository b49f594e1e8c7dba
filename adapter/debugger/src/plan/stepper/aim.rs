//! A step into one target of a line: the function that a call calls, a coroutine that the line polls, the first function of
//! a task that it spawns.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_runtimes::{macro_branch_of, macro_branches};
use weft_values::{Frame, Place, Stop, environment, frames, variables};

use super::super::call::{Reach, called_function, calls_in};
use super::super::rows;
use super::spawn::Spawn;
use super::{Activation, Hit, Phase, Stepper, Verdict, Way};
use crate::api::{Branch, Goal};
use crate::{InTarget, StepKind, TargetId, step_in_targets};

/// What polls the future of a `select!` or `join!`.
const POLL_OF_MACRO: &str = "::poll_fn::PollFn::poll";

/// Pointers between the variable `self` of a macro's future and that.
const MOST_POINTERS: usize = 3;

/// What a step is aimed at that is not simply called.
pub(super) struct Aim {
    pub(super) name: String,
    goal: Goal,
    /// Calls of the line one of which has to be made before there is anything to look for.
    calls: BTreeSet<MemAddr>,
    pub(super) spawn: Option<Spawn>,
}

impl Stepper {
    /// A step into a target of the line, as [`step_in_targets`] names it.
    pub(crate) fn into_target(way: Way, stop: &Stop, tid: i32, id: TargetId) -> Result<Self, String> {
        let mut stepper = Self::new(StepKind::In, way, stop, tid)?;
        let Phase::Active(active) = &mut stepper.phase else { return Ok(stepper) };
        let ahead = step_in_targets(stop, tid);
        let Some(target) = ahead.into_iter().find(|target| target.id == id) else {
            return Err("this call is not ahead on the current line any more; ask for the targets again".to_owned());
        };
        let call = id.place;
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
        let spawn = match &target.goal {
            Goal::Task(spawned) => Some(Spawn::of(stop, spawned)?),
            _ => None,
        };
        let InTarget { name, goal, .. } = target;
        let mut aim = Aim { name, goal, calls, spawn };
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
        let aim = Aim { name: name.to_owned(), goal, calls: BTreeSet::new(), spawn: None };
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
        let found = match (&self.goal, &self.spawn) {
            _ if !self.calls.is_empty() => BTreeSet::new(),
            (Goal::Coroutine { polls, .. }, _) => polls.clone(),
            (Goal::Task(_), Some(spawn)) => spawn.numbering().collect(),
            _ => BTreeSet::new(),
        };
        *active.reach = Reach::only(found);
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
