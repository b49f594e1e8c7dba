//! What goes on around a coroutine that waits.
//!
//! Optimised code drops a future that owns nothing without touching it, and whatever watches the future is told nothing. But then
//! those who awaited it go on: where one of them comes to another line, or where somebody takes the output of its task, the
//! coroutine is gone, unless a variable there still has it.

use std::collections::BTreeMap;

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::{Edge, Ending, edge, ending};
use weft_symbols::{Route, Type};
use weft_values::{Frame, Place, Stop, environment, frames, variables, way_to_environment};

use super::super::bodies::glue_of;
use super::super::rows;
use super::super::{Hit, Passerby};
use super::activation::NEAR;
use super::{Stepper, Verdict, Way, is_stop};

/// Code of drop glue that does nothing, in bytes: a return, and what aligns the next function.
const NOTHING: u64 = 16;

/// Pointers between a variable and the coroutine that it has.
const MOST_POINTERS: usize = 3;

/// Those who await a coroutine.
#[derive(Debug, Default)]
pub(super) struct Around {
    doors: BTreeMap<MemAddr, Vec<Awaiter>>,
    /// The task that all this is in.
    task: Option<Ending>,
}

/// Whose code has to come by.
#[derive(Clone, Debug)]
enum Awaiter {
    /// That of the coroutine whose environment lies there; the way to it.
    Coroutine(Route, MemAddr),
    /// That of a function which blocks on the coroutine: its thread and frame.
    Function(i32, MemAddr),
}

impl Around {
    /// Those on the stack of the thread that has polled the coroutine, from `walk` on outwards. Nobody where its drop glue does
    /// something, which tells.
    pub(super) fn of(stop: &Stop, tid: i32, coroutine: &Type, walk: &[Frame], way: Way) -> Self {
        let mut around = Self::default();
        if tells_of_drop(coroutine) {
            return around;
        }
        let at = walk.iter().position(|frame| edge(frame).is_some()).unwrap_or(walk.len());
        for frame in walk.iter().take(at).filter(|frame| frame.user_code) {
            if let Some(address) = environment(stop, frame).and_then(|place| place.address()) {
                around.add_coroutine(stop, frame, address);
            }
        }
        match walk.get(at).and_then(edge) {
            Some(Edge::Task) => around.task = ending(stop, walk, at),
            Some(Edge::Thread) => {
                let outside = walk.get(at..).unwrap_or_default().iter();
                let mut thread = outside.take_while(|frame| edge(frame) != Some(Edge::Task));
                if let Some(caller) = thread.find(|frame| is_stop(frame, way) && frame.source.is_some()) {
                    around.add_function(stop, tid, caller);
                }
            }
            None => {}
        }
        around
    }

    fn add_coroutine(&mut self, stop: &Stop, frame: &Frame, environment: MemAddr) {
        let Some(code) = &frame.code else { return };
        let Some(module) = stop.modules.of(&code.image) else { return };
        for row in other_lines(stop, frame) {
            if let Some(way) = way_to_environment(code, module.bias.to_file(row)) {
                self.doors.entry(row).or_default().push(Awaiter::Coroutine(way, environment));
            }
        }
    }

    fn add_function(&mut self, stop: &Stop, tid: i32, frame: &Frame) {
        let Some(cfa) = frame.cfa else { return };
        for row in other_lines(stop, frame) {
            self.doors.entry(row).or_default().push(Awaiter::Function(tid, cfa));
        }
    }

    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.doors.keys().copied().chain(self.task.iter().flat_map(Ending::traps))
    }

    /// Whether a hit of one of the traps is surely by somebody else.
    pub(super) fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        let is_another = |awaiter: &Awaiter| match awaiter {
            Awaiter::Coroutine(way, address) => by.end_of(way).is_some_and(|theirs| theirs != address.raw()),
            Awaiter::Function(tid, _) => *tid != by.tid,
        };
        let of_task = |task: &Ending| task.traps().contains(&by.pc) && task.is_meant((by.register)(DwarfRegister::RDI));
        self.doors.get(&by.pc).is_none_or(|awaiters| awaiters.iter().all(is_another))
            && !self.task.as_ref().is_some_and(of_task)
    }

    /// The awaiter's frame, if it is one that has come to another line.
    fn come(&self, hit: &Hit<'_>, pc: MemAddr) -> Option<Frame> {
        let awaiters = self.doors.get(&pc)?;
        let walk = frames(hit.stop, hit.tid, NEAR).frames;
        let is_it = |frame: &&Frame| {
            awaiters.iter().any(|awaiter| match awaiter {
                Awaiter::Coroutine(_, address) => {
                    environment(hit.stop, frame).and_then(|place| place.address()) == Some(*address)
                }
                Awaiter::Function(tid, within) => *tid == hit.tid && frame.cfa == Some(*within),
            })
        };
        walk.iter()
            .take_while(|frame| frame.inlined)
            .chain(walk.iter().find(|frame| !frame.inlined))
            .find(is_it)
            .cloned()
    }

    /// The task whose output is being taken, if the hit is for that.
    fn taken(&self, hit: &Hit<'_>, pc: MemAddr) -> Option<&Ending> {
        let first = hit.stop.thread(hit.tid)?.registers.get(DwarfRegister::RDI);
        let task = self.task.as_ref().filter(|task| task.traps().contains(&pc) && task.is_meant(first))?;
        (!task.reads_at(pc) || task.is_complete(hit.stop)).then_some(task)
    }
}

impl Stepper {
    /// Somebody around the coroutine has come to where that may be gone; none: nobody has.
    pub(super) fn passed_by(&mut self, hit: &Hit<'_>, pc: MemAddr) -> Option<Verdict> {
        let around = self.around.as_ref()?;
        if let Some(awaiter) = around.come(hit, pc) {
            let is_kept = self.instance.as_ref().is_some_and(|place| has(hit.stop, &awaiter, place));
            let said = "the future was not polled to its end: it was dropped, or waits on; its awaiter goes on here";
            return Some(if is_kept { Verdict::Continue } else { Verdict::Done(Some(said.to_owned())) });
        }
        let task = around.taken(hit, pc).cloned()?;
        Some(self.task_taken(hit, task))
    }
}

/// Whether dropping such a coroutine touches it. Not known where there is no function for it: it is inlined, or nothing.
fn tells_of_drop(coroutine: &Type) -> bool {
    let length = |range: &std::ops::Range<weft_memory::FileAddr>| range.end.since(range.start).unwrap_or_default();
    glue_of(coroutine).iter().any(|glue| glue.ranges.iter().map(length).sum::<u64>() > NOTHING)
}

/// Begins of the lines of what a frame executes, but for the one that it is on.
fn other_lines(stop: &Stop, frame: &Frame) -> impl Iterator<Item = MemAddr> {
    let line = frame.source.as_ref().map_or(0, |source| source.line);
    rows::statements(stop, frame).into_iter().filter(move |(_, at)| at.0 != line).map(|(row, _)| row)
}

/// Whether a variable of a frame still has a coroutine, or a pointer to what has it.
fn has(stop: &Stop, frame: &Frame, coroutine: &Place) -> bool {
    let Some(wanted) = coroutine.address() else { return false };
    let is_within = |place: &Place| {
        let start = place.address();
        let end = start.and_then(|start| start.checked_add(place.ty.size()));
        start.zip(end).is_some_and(|(start, end)| (start..end).contains(&wanted))
    };
    let leads_to = |place: Place| {
        let next = |place: &Place| place.peel().deref(stop).ok();
        std::iter::successors(Some(place), next).take(MOST_POINTERS).any(|place| is_within(&place))
    };
    variables(stop, frame).into_iter().filter_map(|variable| variable.place.ok()).any(leads_to)
}
