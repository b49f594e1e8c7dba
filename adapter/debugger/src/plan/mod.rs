//! What a step intends, and how it knows that it is there.
//!
//! A plan never looks at time or instructions gone by: it says at which addresses it wants the debuggee trapped, and judges
//! each hit. So a step costs what its own traps cost, however long the line under it runs, and other threads run freely
//! meanwhile. The hit is judged by thread and CFA (which activation of the function is it?) and, for coroutines, by the
//! environment's address (which instance?).

mod bodies;
mod call;
mod gate;
mod instruction;
mod makers;
mod rows;
mod run_to;
mod stepper;
mod unwinding;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::Runtimes;
use weft_symbols::Route;
use weft_tasks::TaskKey;
use weft_values::{Place, Stop};

pub(crate) use bodies::polls_of;
pub(crate) use call::{Reach, call_target, calls_in, calls_method, function_at, is_call_at, is_made_by_macro};
pub(crate) use gate::{Gate, Inside};
pub(crate) use makers::{coroutine_in, coroutine_made_by};
pub(crate) use rows::{code_ahead, first_statement, rows_begin};
pub(crate) use unwinding::panic_is_caught_at;

use crate::{Grain, StepKind, TargetId};

/// A thread stands at a trap that a plan asked for.
pub(crate) struct Hit<'a> {
    /// The thread.
    pub(crate) tid: i32,
    /// Its registers (pc at the trapped instruction, which has not been executed), memory and modules. Other threads may be
    /// running: only this thread's stack can be relied on.
    pub(crate) stop: &'a Stop,
}

/// A thread that has just hit a trap, as it can be looked at for next to nothing: no debug information, no allocation.
pub(crate) struct Passerby<'a> {
    /// The thread.
    pub(crate) tid: i32,
    /// The trap.
    pub(crate) pc: MemAddr,
    /// Its stack pointer.
    pub(crate) sp: MemAddr,
    /// Its registers.
    pub(crate) register: &'a dyn Fn(DwarfRegister) -> Option<u64>,
    /// Its memory: all of the bytes, or nothing.
    pub(crate) read: &'a dyn Fn(MemAddr, &mut [u8]) -> bool,
}

impl Passerby<'_> {
    /// The number at the end of a way that begins in its registers.
    pub(crate) fn end_of(&self, route: &Route) -> Option<u64> {
        route.end(
            |register| match register {
                DwarfRegister::RSP => Some(self.sp.raw()),
                DwarfRegister::RA => Some(self.pc.raw()),
                register => (self.register)(register),
            },
            self.read,
        )
    }
}

/// Bytes whose accesses, reading or writing, a plan wants to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The first one.
    pub(crate) address: MemAddr,
    /// How many: 1, 2, 4 or 8, and the address is a multiple of it.
    pub(crate) size: u8,
}

/// What a plan says to a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on; the wanted traps may have changed.
    Continue,
    /// Have this thread execute one instruction, then ask [`Plan::on_stepped`].
    StepInstruction,
    /// Put the wanted traps in place, then ask [`Plan::on_placed`]: what they are to tell of may have happened before.
    Place,
    /// The step ends here; a sentence if there is something to say about it.
    Done(Option<String>),
    /// The step cannot end any more; the program runs on, and the user is told why.
    Lost(String),
}

/// What a step intends.
pub(crate) trait Plan: Send {
    /// What a user calls it: `the step over line 12`.
    fn name(&self) -> String;

    /// What to do before anything runs: [`Verdict::Continue`] or [`Verdict::StepInstruction`].
    fn start(&mut self) -> Verdict;

    /// Where it wants the debuggee trapped now.
    fn traps(&self) -> BTreeSet<MemAddr>;

    /// Judges a hit of one of its traps.
    fn on_trap(&mut self, hit: &Hit<'_>) -> Verdict;

    /// Whether a hit of one of its traps is surely none of its business, so that the thread can go on without being looked
    /// at. Asked at every hit, most of which are other tasks' in the same code.
    fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        let _ = by;
        false
    }

    /// What it wants to be watched by the processor, in all threads. It has to do without where that is not granted.
    fn watch(&self) -> Option<Watched> {
        None
    }

    /// Told, while all threads stand, whether what it asks for is watched from now on; `stop` has every thread.
    fn set_watched(&mut self, is_watched: bool, stop: &Stop) -> Verdict {
        let _ = (is_watched, stop);
        Verdict::Continue
    }

    /// The memory of whose task it wants to be told of all calls. It has to do without where that cannot be had.
    fn gated(&self) -> Option<Range<MemAddr>> {
        None
    }

    /// Told, while all threads stand, which gate it has got for what it asks for, if any.
    fn set_gate(&mut self, gate: Option<Gate>) {
        let _ = gate;
    }

    /// Judges an access to what is watched. The thread stands behind the instruction.
    fn on_access(&mut self, hit: &Hit<'_>) -> Verdict {
        let _ = hit;
        Verdict::Continue
    }

    /// Judges the place reached by the single instruction that it asked for.
    fn on_stepped(&mut self, hit: &Hit<'_>) -> Verdict;

    /// Judges what can be seen when its traps are in place, as it asked for by [`Verdict::Place`].
    fn on_placed(&mut self, hit: &Hit<'_>) -> Verdict {
        let _ = hit;
        Verdict::Continue
    }

    /// Whether this hit of a user's breakpoint is still the line on which the step began, in the same activation: one line
    /// may have several addresses, and a step over it is not stopped by the line itself.
    fn is_same_line(&self, hit: &Hit<'_>) -> bool {
        let _ = hit;
        false
    }

    /// Whether it has gone on outside of the task that it was in since this was last asked: in the task that the thread of
    /// the last hit polls, or where that task was polled from.
    fn has_left_task(&mut self) -> bool {
        false
    }

    /// What it waits for, if that may never come: for a user who waits too.
    fn waits(&self) -> Option<String> {
        None
    }

    /// What is to be said when the program ends before the step does; mostly nothing.
    fn unfinished(&self) -> Option<String> {
        None
    }

    /// Told when a thread has ended.
    fn on_thread_exited(&mut self, tid: i32) -> Verdict;
}

/// The plan for a step by machine instructions.
pub(crate) fn step_instruction(kind: StepKind, stop: &Stop, tid: i32) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(instruction::InstructionStep::new(kind, stop, tid)?))
}

/// The plan for a run of one task to places of a line; where its end can be seen, if that is known.
pub(crate) fn run_to(
    runtimes: &Arc<Runtimes>,
    task: TaskKey,
    line: u32,
    places: impl IntoIterator<Item = MemAddr>,
    ends: Vec<MemAddr>,
) -> Box<dyn Plan> {
    Box::new(run_to::RunTo::new(runtimes, task, line, places, ends))
}

/// How a step by source goes, whatever its kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// How far it goes.
    pub(crate) grain: Grain,
    /// It may end in the standard library and in runtimes.
    pub(crate) into_runtime: bool,
}

/// The plan for a step by source from where a thread stands.
pub(crate) fn step(kind: StepKind, way: Way, stop: &Stop, tid: i32) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(stepper::Stepper::new(kind, way, stop, tid)?))
}

/// The plan for a step into what one call calls.
pub(crate) fn step_into(way: Way, stop: &Stop, tid: i32, target: TargetId) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(stepper::Stepper::into_target(way, stop, tid, target)?))
}

/// The plan for a step by source of a coroutine from where it is suspended.
pub(crate) fn step_suspended(
    kind: StepKind,
    way: Way,
    stop: &Stop,
    environment: Place,
) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(stepper::Stepper::suspended_at(kind, way, stop, environment)?))
}
