//! What was asked for, kept for a restart, and the numbers by which the client knows it.

use std::collections::HashMap;

use weft_protocol::spec::{
    Breakpoint, SetBreakpointsArguments, SetDataBreakpointsArguments, SetExceptionBreakpointsArguments,
    SetFunctionBreakpointsArguments, SetInstructionBreakpointsArguments,
};

use super::data;
use crate::debuggee::ModuleInfo;
use crate::places::{address_text, parse_address};

/// A request that sets all breakpoints of a kind (of a file).
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Lines(SetBreakpointsArguments),
    Functions(SetFunctionBreakpointsArguments),
    Instructions(SetInstructionBreakpointsArguments),
    Data(SetDataBreakpointsArguments),
    Exceptions(SetExceptionBreakpointsArguments),
}

impl Asked {
    /// How many breakpoints.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lines(asked) => super::wanted_lines(asked).len(),
            Self::Functions(asked) => asked.breakpoints.len(),
            Self::Instructions(asked) => asked.breakpoints.len(),
            Self::Data(asked) => asked.breakpoints.len(),
            Self::Exceptions(asked) => asked.filters.len() + asked.filter_options.as_ref().map_or(0, Vec::len),
        }
    }

    /// Whether it replaces what `other` set.
    fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Lines(new), Self::Lines(old)) => new.source.path == old.source.path,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// The client's breakpoints.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// The debuggee's number → the client's. They differ once a debuggee has taken the place of another.
    numbers: HashMap<i64, i64>,
    last: i64,
    kept: Vec<(Asked, Vec<Breakpoint>)>,
}

impl Book {
    /// The client's number of a debuggee's breakpoint; `kept` is the one it shall have if it has none yet.
    pub(super) fn number(&mut self, id: i64, kept: Option<i64>) -> i64 {
        if let Some(known) = self.numbers.get(&id) {
            return *known;
        }
        let number = kept.unwrap_or_else(|| self.fresh());
        self.numbers.insert(id, number);
        number
    }

    /// A number for a breakpoint that no debuggee knows yet.
    pub(super) fn fresh(&mut self) -> i64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// The client's numbers of breakpoints that were hit.
    pub(crate) fn hit(&mut self, ids: &[i64]) -> Vec<i64> {
        ids.iter().map(|id| self.number(*id, None)).collect()
    }

    /// Another debuggee begins to count.
    pub(super) fn forget_numbers(&mut self) {
        self.numbers.clear();
    }

    pub(super) fn keep(&mut self, asked: Asked, shown: &[Breakpoint]) {
        self.kept.retain(|(old, _)| !asked.replaces(old));
        if asked.len() > 0 {
            self.kept.push((asked, shown.to_vec()));
        }
    }

    pub(super) fn take(&mut self) -> Vec<(Asked, Vec<Breakpoint>)> {
        std::mem::take(&mut self.kept)
    }

    /// A breakpoint on data is no more: a restart does not bring it back.
    pub(super) fn forget(&mut self, id: i64) {
        for (asked, shown) in &mut self.kept {
            let Some(at) = shown.iter().position(|breakpoint| breakpoint.id == Some(id)) else { continue };
            if let Asked::Data(asked) = asked
                && at < asked.breakpoints.len()
            {
                asked.breakpoints.remove(at);
                shown.remove(at);
            }
        }
    }

    /// A breakpoint has become another.
    pub(super) fn learn(&mut self, now: &Breakpoint) {
        let known = self.kept.iter_mut().flat_map(|(_, shown)| shown);
        for breakpoint in known.filter(|breakpoint| breakpoint.id == now.id) {
            *breakpoint = now.clone();
        }
    }
}

/// Where files were, and where they are in the debuggee that took the place of another: addresses mean nothing else to
/// it.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) before: Vec<ModuleInfo>,
    pub(crate) after: Vec<ModuleInfo>,
}

impl Moves {
    /// The new address of what lies in a file; none for what lies elsewhere.
    fn address(&self, old: u64) -> Option<u64> {
        let from = self.before.iter().find(|module| module.range.contains(&old))?;
        let to = self.after.iter().find(|module| module.path == from.path)?;
        to.range.start.checked_add(old.checked_sub(from.range.start)?)
    }

    /// What can be asked of the new debuggee, and the numbers of what cannot, each with the reason.
    pub(super) fn apply(&self, asked: Asked, shown: Vec<Breakpoint>) -> (Asked, Vec<Breakpoint>, Vec<(i64, String)>) {
        let mut lost = Vec::new();
        let mut left = Vec::new();
        let mut lose = |breakpoint: &Breakpoint, why: String| {
            if let Some(id) = breakpoint.id {
                lost.push((id, why));
            }
        };
        let asked = match asked {
            Asked::Instructions(mut asked) => {
                let mut all = shown.into_iter();
                asked.breakpoints.retain_mut(|wanted| {
                    let was = all.next().unwrap_or_default();
                    let old = parse_address(&wanted.instruction_reference, wanted.offset).ok();
                    let Some(new) = old.and_then(|old| self.address(old)) else {
                        lose(&was, "a breakpoint on an instruction outside the program's files ended with it".into());
                        return false;
                    };
                    (wanted.instruction_reference, wanted.offset) = (address_text(new), None);
                    left.push(was);
                    true
                });
                Asked::Instructions(asked)
            }
            Asked::Data(mut asked) => {
                let mut all = shown.into_iter();
                asked.breakpoints.retain_mut(|wanted| {
                    let was = all.next().unwrap_or_default();
                    let data = data::parse(&wanted.data_id);
                    let name = data.as_ref().map_or_else(String::new, |data| data.name.clone());
                    let moved = data.filter(|data| data.call.is_none()).and_then(|mut data| {
                        data.address = self.address(data.address)?;
                        Some(data)
                    });
                    let Some(data) = moved else {
                        lose(&was, format!("the data breakpoint on {name} ended with the program: that was no static"));
                        return false;
                    };
                    wanted.data_id = data::text(&data);
                    left.push(was);
                    true
                });
                Asked::Data(asked)
            }
            other => {
                left = shown;
                other
            }
        };
        (asked, left, lost)
    }
}
