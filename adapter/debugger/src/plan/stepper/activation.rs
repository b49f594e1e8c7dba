//! One call of the code that is stepped, and where it may end.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_runtimes::{Edge, edge};
use weft_symbols::CodeFrame;
use weft_values::{Frame, Place, Stop, environment, frames};

use super::super::bodies::is_body_of;
use super::super::call::{Reach, calls_in, is_made_by_macro, tail_calls_in};
use super::super::rows::{self, Rows};
use super::super::{Hit, Passerby, Way};
use super::Stepper;
use super::detector::Lines;
use crate::StepKind;

/// Frames looked at to find where a function returns to.
pub(super) const DEPTH: usize = 512;

/// Frames looked at first: most functions that are left return to one nearby, and each frame costs.
pub(super) const NEAR: usize = 12;

/// One call of a function, with where it may end.
pub(super) struct Activation {
    pub(super) tid: i32,
    pub(super) cfa: MemAddr,
    /// The body is a coroutine's.
    pub(super) is_coroutine: bool,
    pub(super) rows: Rows,
    /// If the body is a copy that was inlined, its lines, and then those of the coroutines that it was inlined into.
    lines: Vec<Lines>,
    /// The nearest coroutine of the user's that such a copy was inlined into, and its name.
    awaiter: Option<(CodeFrame, String)>,
    /// The body is a copy whose coroutine is not known: the one around it, which is followed, stands for that.
    pub(super) is_stood_for: bool,
    /// What returns is the function that has its thread wait for the coroutine: the copy was inlined into that.
    pub(super) is_blocked_on: bool,
    /// Lines of functions that were inlined into the body, for a step into.
    pub(super) inlined: Rows,
    pub(super) calls: BTreeSet<MemAddr>,
    /// Where calls of the line may come to by way of others.
    pub(super) reach: Box<Reach>,
    pub(super) returns_to: Option<MemAddr>,
}

impl Stepper {
    /// The activation of the innermost frame of a stack. `None` when not even its CFA is known.
    pub(super) fn activation(&self, stop: &Stop, tid: i32, walk: &[Frame]) -> Option<Activation> {
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
        let own = coroutine_at(walk);
        let mut lines = Vec::new();
        if let Some(code) = body.code.clone().filter(|_| body.inlined && own.is_none_or(|own| own == 0)) {
            lines.push(Lines { code, rows: rows.keys().copied().collect(), of: None });
        }
        let outers = || walk.iter().enumerate().take(concrete.saturating_add(1)).skip(1).filter(|(_, it)| is_users(it));
        for (at, outer) in outers() {
            let call = outer.source.as_ref().map_or(0, |source| source.line);
            let mut others = rows::statements(stop, outer);
            others.retain(|_, at| at.0 != call);
            let of = environment(stop, outer).and_then(|place| place.address()).filter(|_| own != Some(at));
            let is_copy = own == Some(at) && outer.inlined;
            if let Some(code) = outer.code.clone().filter(|_| of.is_some() || is_copy) {
                lines.push(Lines { code, rows: others.keys().copied().collect(), of });
            }
            rows.extend(others);
        }
        let (mut calls, mut inlined, mut reach) = (BTreeSet::new(), Rows::new(), Box::default());
        if self.kind == StepKind::In {
            if let Some(code) = &body.code {
                inlined = rows::inlined_statements(stop, code);
            }
            let code: Vec<_> = self.seen.iter().flat_map(|line| rows::code_called_on_line(stop, body, *line)).collect();
            calls.extend(code.iter().flat_map(|range| calls_in(stop, range)));
            let function = walk.get(concrete).map(|frame| rows::code_of(stop, frame)).unwrap_or_default();
            calls.extend(code.iter().flat_map(|range| tail_calls_in(stop, range, &function)));
            if self.only.is_none() && self.aim.is_none() {
                *reach = Reach::of_code(stop, &code, krate_of(body));
            }
        }
        let returns_to = caller.map(|caller| caller.pc);

        let around = outers().filter(|(at, outer)| own.is_some_and(|own| *at > own) && is_coroutine(outer));
        let awaiter = around.filter_map(|(_, outer)| Some((outer.code.clone()?, outer.name.clone()))).next();
        let own_code = own.and_then(|own| walk.get(own)?.code.as_ref());
        let is_its = |place: &Place| own_code.is_some_and(|code| is_body_of(code, &place.ty));
        let is_stood_for = self.instance.as_ref().is_some_and(|place| !is_its(place));
        let within = walk.get(..=concrete).unwrap_or_default();
        let is_blocked_on = own.is_some() && within.iter().filter_map(edge).any(|edge| edge != Edge::Task);
        let mut active = Activation {
            tid,
            cfa,
            is_coroutine: own.is_some(),
            rows,
            lines,
            awaiter,
            is_stood_for,
            is_blocked_on,
            inlined,
            calls,
            reach,
            returns_to,
        };
        if let Some(aim) = self.aim.as_ref().filter(|_| self.kind == StepKind::In) {
            aim.restrict(&mut active);
        }
        Some(active)
    }
}

/// Which frame of a stack is the coroutine that the innermost one is a part of: itself; or, if that is a function which was
/// inlined, the user's coroutine that it was inlined into.
pub(super) fn coroutine_at(walk: &[Frame]) -> Option<usize> {
    let concrete = walk.iter().position(|frame| !frame.inlined).unwrap_or(walk.len());
    let mut within = walk.iter().take(concrete.saturating_add(1)).enumerate();
    within.find(|(at, frame)| is_coroutine(frame) && (*at == 0 || is_users(frame))).map(|(at, _)| at)
}

pub(super) fn is_coroutine(frame: &Frame) -> bool {
    frame.code.as_ref().is_some_and(|code| code.function.kind.is_coroutine())
}

fn is_users(frame: &Frame) -> bool {
    frame.user_code && !frame.code.as_ref().is_some_and(is_made_by_macro)
}

/// The CFA of the frame that the thread executes.
pub(super) fn cfa(hit: &Hit<'_>) -> Option<MemAddr> {
    let thread = hit.stop.thread(hit.tid)?;
    let caller = hit.stop.modules.caller(&thread.registers, false, hit.stop.memory.as_ref()).ok()??;
    Some(caller.cfa)
}

/// A thread's stack as far as the nearest function that steps end in and what called that; all of it if there is none.
pub(super) fn walk_to(stop: &Stop, tid: i32, way: Way) -> Vec<Frame> {
    let near = frames(stop, tid, NEAR).frames;
    let own = near.iter().position(|frame| is_stop(frame, way) && frame.source.is_some());
    let concrete = own.and_then(|own| near.iter().skip(own).position(|frame| !frame.inlined)?.checked_add(own));
    if near.len() < NEAR || concrete.is_some_and(|concrete| concrete.saturating_add(1) < near.len()) {
        return near;
    }
    frames(stop, tid, DEPTH).frames
}

/// A thread's stack as far as what called its innermost concrete function.
pub(super) fn walk_past_concrete(stop: &Stop, tid: i32) -> Vec<Frame> {
    let near = frames(stop, tid, NEAR).frames;
    let is_past = near.iter().position(|frame| !frame.inlined).is_some_and(|at| at.saturating_add(1) < near.len());
    if is_past || near.len() < NEAR { near } else { frames(stop, tid, DEPTH).frames }
}

/// The crate of a frame's function.
pub(super) fn krate_of(frame: &Frame) -> &str {
    frame.code.as_ref().map_or("", |code| code.function.krate.as_str())
}

/// Whether steps end in this function: it is the user's, or theirs by wish, or written in another language (which has no
/// crates) and not the system's own.
pub(super) fn is_stop(frame: &Frame, way: Way) -> bool {
    let is_foreign = |code: &CodeFrame| code.function.krate.is_empty() && !code.image.is_system_runtime();
    let foreign = || frame.code.as_ref().is_some_and(is_foreign);
    frame.user_code || (frame.code.is_some() && way.into_runtime) || foreign()
}

impl Activation {
    /// Whether a hit is surely not of this call: it is another thread's, or the stack says so.
    pub(super) fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        let returns_elsewhere = self.returns_to == Some(by.pc) && by.sp != self.cfa;
        by.tid != self.tid || (returns_elsewhere && !self.is_inside(by.pc))
    }

    /// The body, if it is a copy that was inlined: nothing returns from it.
    pub(super) fn copy(&self) -> Option<&CodeFrame> {
        self.lines.first().map(|lines| &lines.code)
    }

    /// The lines of an inlined copy, and of what it is in, that may end a step for which some lines do not count.
    pub(super) fn lines(&self, seen: &BTreeSet<u32>) -> Vec<Lines> {
        let counts = |row: &MemAddr| self.rows.get(row).is_some_and(|at| !seen.contains(&at.0));
        let of = |lines: &Lines| Lines { rows: lines.rows.iter().copied().filter(counts).collect(), ..lines.clone() };
        self.lines.iter().map(of).collect()
    }

    /// Whether the thread is in the code around the copy which the body is.
    pub(super) fn has_left_copy(&self, stop: &Stop, pc: MemAddr) -> bool {
        let is_in = |copy: &CodeFrame| {
            let address = stop.modules.of(&copy.image).map(|module| module.bias.to_file(pc));
            address.is_some_and(|address| copy.ranges.iter().any(|range| range.contains(&address)))
        };
        self.copy().is_some_and(|copy| !is_in(copy))
    }

    /// The coroutine that the copy was inlined into, if the thread has left that too.
    pub(super) fn passed(&self, stop: &Stop, pc: MemAddr) -> Option<String> {
        let (code, name) = self.awaiter.as_ref()?;
        let address = stop.modules.of(&code.image)?.bias.to_file(pc);
        (!code.ranges.iter().any(|range| range.contains(&address))).then(|| name.clone())
    }

    /// Whether one of its own traps, apart from where it returns to, is at an address.
    fn is_inside(&self, pc: MemAddr) -> bool {
        let is_row = self.rows.contains_key(&pc) || self.inlined.contains_key(&pc);
        is_row || self.calls.contains(&pc) || self.reach.has(pc)
    }
}
