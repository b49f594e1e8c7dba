//! Where a call leads that a step into has made.
//!
//! What counts are first lines of the user's functions and coroutines. Functions of others, and what macros of others have
//! written, are passed over; what they may come to is trapped instead ([`Reach`]), below the frame that made the call and
//! on its thread. What lies behind a task's edge there is another task, and nobody's callee.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_runtimes::polls_task;
use weft_symbols::CodeFrame;
use weft_values::{CoroutinePhase, Frame, Stop, coroutine, environment, frames, is_user_crate};

use super::super::bodies::{blocks_of, polls_of};
use super::super::call::{called_function, is_made_by_macro};
use super::super::makers::coroutine_made_by;
use super::super::{Way, rows};
use super::{Activation, DEPTH, Hit, Phase, Stepper, Verdict, is_stop};

/// Frames looked at to find the concrete function that was just called, and what called it. Each costs, at every call.
const INNER: usize = 8;

/// Where a callee's first line may be.
pub(super) struct Arrival {
    /// Begins of its lines.
    pub(super) rows: BTreeSet<MemAddr>,
    /// Its frame.
    pub(super) within: MemAddr,
    /// Entries of the blocks in it: attribute macros move all of a function's lines into one.
    pub(super) blocks: BTreeSet<MemAddr>,
}

impl Stepper {
    /// A call was made, by the line or by what it has called: into code of the user, or past it.
    pub(super) fn called(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let Some(at) = walk.iter().position(|frame| !frame.inlined) else { return Verdict::Continue };
        let (Some(callee), Phase::Active(active)) = (walk.get(at), &mut self.phase) else { return Verdict::Continue };
        let Some(code) = &callee.code else { return Verdict::Continue };
        // A jump to another function's entry replaces this one's frame.
        if callee.cfa == Some(active.cfa) && callee.file_pc(hit.stop) != Some(code.entry) {
            return Verdict::Continue;
        }
        let named = self.only.take().is_some();
        if let Some(made) = coroutine_made_by(code) {
            if named {
                self.aim_at_made(&code.function.name, polls_of(hit.stop, &made));
            }
            return Verdict::Continue;
        }
        if !enters(callee, self.way) {
            active.reach.extend(hit.stop, callee.pc);
            return Verdict::Continue;
        }
        if code.function.kind.is_coroutine() {
            let Some(module) = hit.stop.modules.of(&code.image) else { return Verdict::Continue };
            let begin = module.bias.to_memory(code.behind_prologue());
            active.reach.callbacks.insert(begin);
            return if begin == callee.pc { self.called_back(hit) } else { Verdict::Continue };
        }
        let by_line = walk.iter().skip(at.saturating_add(1)).find(|frame| !frame.inlined).and_then(|frame| frame.cfa);
        let is_meant = by_line == Some(active.cfa) || active.reach.is_home(&code.function.krate);
        if is_meant && (named || !self.is_aside(hit, callee)) {
            self.go_to_first_line(hit, callee);
        }
        Verdict::Continue
    }

    /// A function of the user's begins that other code has called on behalf of the line.
    pub(super) fn called_back(&mut self, hit: &Hit<'_>) -> Verdict {
        let pc = hit.stop.thread(hit.tid).map(|thread| thread.registers.pc());
        if let Some(verdict) = pc.and_then(|pc| self.numbered(hit, pc)) {
            return verdict;
        }
        let Phase::Active(active) = &self.phase else { return Verdict::Continue };
        let walk = frames_above(hit, active.cfa);
        let Some(at) = walk.iter().position(|frame| !frame.inlined) else { return Verdict::Continue };
        let (Some(callee), Some(callers)) = (walk.get(at), walk.get(at.saturating_add(1)..)) else {
            return Verdict::Continue;
        };
        let Some(code) = &callee.code else { return Verdict::Continue };
        let is_coroutine = code.function.kind.is_coroutine();
        if !self.is_aimed_at(hit, callee, callers) {
            return Verdict::Continue;
        }
        let is_elsewhere = callers.iter().any(|frame| polls_task(frame) || (is_coroutine && enters(frame, self.way)));
        if !is_elsewhere && coroutine_made_by(code).is_none() && !self.is_aside(hit, callee) {
            self.go_to_first_line(hit, callee);
        }
        Verdict::Continue
    }

    fn go_to_first_line(&mut self, hit: &Hit<'_>, callee: &Frame) {
        if let Some(arrival) = first_lines(hit.stop, callee) {
            self.go_in(|back| Phase::Entering { tid: hit.tid, arrival, back: Some(back) });
        }
    }

    /// A block begins in the function that is entered: the lines are there.
    pub(super) fn entered_block(&mut self, hit: &Hit<'_>) {
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let block = walk.iter().find(|frame| !frame.inlined);
        let Some(inner) = block.and_then(|frame| first_lines(hit.stop, frame)) else { return };
        if let Phase::Entering { arrival, .. } = &mut self.phase {
            *arrival = inner;
        }
    }

    /// Whether a function only prepares an argument (`Deref`, `From`, `Clone`) for one of the user's that the line calls
    /// later by its name: that one is meant.
    fn is_aside(&self, hit: &Hit<'_>, callee: &Frame) -> bool {
        let Phase::Active(active) = &self.phase else { return false };
        if !callee.code.as_ref().is_some_and(converts) {
            return false;
        }
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let Some(body) = walk.iter().find(|frame| frame.cfa == Some(active.cfa)) else { return false };
        let later = active.calls.range(body.pc..);
        later
            .filter_map(|call| called_function(hit.stop, *call))
            .any(|code| is_user_crate(&code.function.krate) && !converts(&code))
    }

    /// Leaves the active phase for one that keeps the activation to come back to.
    pub(super) fn go_in(&mut self, next: impl FnOnce(Box<Activation>) -> Phase) {
        self.phase = match self.take_phase() {
            Phase::Active(active) => next(Box::new(active)),
            other => other,
        };
    }
}

/// The frames of a hit's thread above the one with a CFA, innermost first; none if that one is not there.
fn frames_above(hit: &Hit<'_>, cfa: MemAddr) -> Vec<Frame> {
    for limit in [INNER, INNER * INNER, DEPTH] {
        let mut walk = frames(hit.stop, hit.tid, limit).frames;
        if let Some(at) = walk.iter().position(|frame| frame.cfa == Some(cfa)) {
            walk.truncate(at);
            return walk;
        }
    }
    Vec::new()
}

/// Whether a step into ends in this function: the user has written it, or wants to see what others have.
fn enters(frame: &Frame, way: Way) -> bool {
    is_stop(frame, way) && (way.into_runtime || !frame.code.as_ref().is_some_and(is_made_by_macro))
}

/// Whether a function implements one of the traits by which arguments are prepared.
fn converts(code: &CodeFrame) -> bool {
    const MODULES: [&str; 6] = [
        " as core::ops::deref::",
        " as core::convert::",
        " as core::clone::Clone>",
        " as core::borrow::",
        " as alloc::borrow::ToOwned>",
        " as core::iter::traits::collect::IntoIterator>",
    ];
    let name = code.function.linkage_name.as_deref().unwrap_or_default();
    let name = format!("{:#}", rustc_demangle::demangle(name));
    MODULES.iter().any(|of| name.contains(of))
}

/// Where a callee's first line begins. In a coroutine that was suspended, any line may be its first, but the one where it
/// has waited.
pub(super) fn first_lines(stop: &Stop, callee: &Frame) -> Option<Arrival> {
    let code = callee.code.as_ref()?;
    let module = stop.modules.of(&code.image)?;
    let first = code.behind_prologue();
    let mut blocks = BTreeSet::new();
    let rows = if code.function.kind.is_coroutine() {
        blocks.extend(blocks_of(code).iter().map(|block| module.bias.to_memory(block.behind_prologue())));
        let waited = waited_at(stop, callee);
        let lines = rows::statements(stop, callee).into_iter().filter(|(_, at)| Some(at.0) != waited);
        lines.map(|(address, _)| address).collect()
    } else if rows::is_in_user_code(code, first) {
        BTreeSet::from([module.bias.to_memory(first)])
    } else {
        // Optimised code may begin with what was inlined from a library.
        let own = rows::statements(stop, callee).into_keys();
        own.chain(rows::inlined_statements(stop, code).into_keys()).collect()
    };
    Some(Arrival { rows, within: callee.cfa?, blocks })
}

/// The line of the await at which a coroutine was suspended that is about to be polled again.
fn waited_at(stop: &Stop, callee: &Frame) -> Option<u32> {
    let state = coroutine(stop, &environment(stop, callee)?).ok()?;
    let is_suspended = matches!(state.phase, CoroutinePhase::Suspended(_));
    state.own_line.or(state.await_location).filter(|_| is_suspended).map(|at| at.line)
}
