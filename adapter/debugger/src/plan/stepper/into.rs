//! Where a call leads that a step into has made.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_symbols::CodeFrame;
use weft_values::{Frame, Stop, frames, is_user_crate};

use super::super::call::{callbacks_from, called_function, calls_in};
use super::super::rows::{self, Rows};
use super::{Activation, DEPTH, Hit, Phase, Stepper, Verdict, is_stop, krate_of};

/// Frames looked at to find the concrete function that was just called, and what called it. Each costs, at every call.
const INNER: usize = 24;

/// Wrappers around a coroutine that a step into goes through.
const MOST_PLUMBING: usize = 32;

impl Stepper {
    /// A call of the line was made: into code of the user, or past it.
    pub(super) fn called(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let Some(callee) = walk.iter().find(|frame| !frame.inlined) else { return Verdict::Continue };
        let Phase::Active(active) = &mut self.phase else { return Verdict::Continue };
        // A jump to another function's entry replaces this one's frame.
        let at_entry = callee.code.as_ref().is_some_and(|code| callee.file_pc(hit.stop) == Some(code.entry));
        if callee.cfa == Some(active.cfa) && !at_entry {
            return Verdict::Continue;
        }
        let named = self.only.take().is_some();
        if makes_coroutine(callee) {
            if named {
                // What was asked for is the function's body, which the line polls later.
                self.any_call(hit);
            }
            return Verdict::Continue;
        }
        let entered = if is_stop(callee, self.way) { first_lines(hit.stop, callee) } else { None };
        if polls_on(callee) {
            // Even a coroutine of the user's may be a wrapper that an attribute macro made: it polls on before any line.
            let lines = entered.map(|(rows, _)| rows).unwrap_or_default();
            if let Some(inner) = plumbing(hit, &walk, lines).filter(|_| active.depth() < MOST_PLUMBING) {
                self.go_in(|outer| Phase::Active(Activation { outer: Some(outer), ..inner }));
            }
        } else if let Some((rows, within)) = entered {
            if named || !self.is_aside(hit, callee) {
                self.go_in(|back| Phase::Entering { tid: hit.tid, rows, within, back });
            }
        } else {
            let caller = walk.iter().find(|frame| frame.cfa == Some(active.cfa)).map_or("", krate_of);
            active.callbacks.extend(callbacks_from(hit.stop, callee.pc, caller));
        }
        Verdict::Continue
    }

    /// A function of the user's begins that other code has called on behalf of the line.
    pub(super) fn called_back(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let Some(callee) = walk.iter().find(|frame| !frame.inlined) else { return Verdict::Continue };
        if makes_coroutine(callee) || self.is_aside(hit, callee) {
            return Verdict::Continue;
        }
        if let Some((rows, within)) = first_lines(hit.stop, callee) {
            self.go_in(|back| Phase::Entering { tid: hit.tid, rows, within, back });
        }
        Verdict::Continue
    }

    /// From here on every call of the line may be gone into.
    fn any_call(&mut self, hit: &Hit<'_>) {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let Phase::Active(active) = &self.phase else { return };
        let body = walk.iter().position(|frame| frame.cfa == Some(active.cfa));
        let fresh = body.and_then(|at| self.activation(hit.stop, hit.tid, walk.get(at..)?));
        if let Some(fresh) = fresh {
            self.phase = Phase::Active(fresh);
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
        inlined: lines.into_iter().map(|address| (address, (0, 0))).collect(),
        calls: ranges.flat_map(|range| calls_in(hit.stop, &range)).collect(),
        callbacks: BTreeSet::new(),
        returns_to: Some(caller.pc),
        outer: None,
    })
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

/// Where a callee's first line begins, and its CFA. In a coroutine that was suspended, any line may be its first.
fn first_lines(stop: &Stop, callee: &Frame) -> Option<(BTreeSet<MemAddr>, MemAddr)> {
    let code = callee.code.as_ref()?;
    let module = stop.modules.of(&code.image)?;
    let first = code.behind_prologue();
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
