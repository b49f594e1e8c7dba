//! Breakpoint → Location → Trap: what was asked (one), where it landed in files (many), the byte in memory (shared).
//!
//! Tables only: nobody here touches the debuggee. What is to be planted or lifted is worked out by the engine from
//! [`Breakpoints::owners`]. One table for every kind: what differs is how a kind is [`landing`]ed.

mod functions;
mod instructions;
mod landing;
mod lines;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{Image, Modules, SourceLine};

use crate::{Bound, BreakpointKind, Terms};

use landing::Landing;

/// What a breakpoint is to stop at. Two that are equal here are the same breakpoint, whatever their terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A line, and the column on it that is meant.
    Line { file: PathBuf, line: u32, column: Option<u32> },
    /// The begin of functions, by name or pattern.
    Function { name: String },
    /// One instruction.
    Instruction { address: MemAddr },
}

impl Asked {
    /// What hitting it is called.
    pub(crate) fn kind(&self) -> BreakpointKind {
        match self {
            Self::Line { .. } => BreakpointKind::Line,
            Self::Function { .. } => BreakpointKind::Function,
            Self::Instruction { .. } => BreakpointKind::Instruction,
        }
    }
}

/// Breakpoints that are replaced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group<'a> {
    /// Those on lines of one file.
    File(&'a Path),
    /// Those on functions.
    Functions,
    /// Those on instructions.
    Instructions,
}

impl Group<'_> {
    fn holds(self, asked: &Asked) -> bool {
        match (self, asked) {
            (Self::File(path), Asked::Line { file, .. }) => file == path,
            (Self::Functions, Asked::Function { .. }) | (Self::Instructions, Asked::Instruction { .. }) => true,
            _ => false,
        }
    }
}

/// A breakpoint as it was asked for, and where it landed.
#[derive(Clone, Debug)]
pub(crate) struct Breakpoint {
    id: i64,
    asked: Asked,
    terms: Arc<Terms>,
    /// What was found in each file that was looked at, so that each is looked at once.
    landings: Vec<Landing>,
    at: Option<SourceLine>,
    locations: Vec<(Arc<Image>, FileAddr)>,
    /// Why it is bound nowhere, or what is odd about where.
    remark: Option<String>,
    /// The source file that may be the one asked for, under another path.
    similar: Option<Arc<Path>>,
    /// The library that it was in and that was unloaded, while it is bound nowhere.
    lost: Option<String>,
    /// What is wrong with its terms.
    objection: Option<String>,
}

/// Somebody whom a trap is for: everything that a hit has to know.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The breakpoint.
    pub(crate) id: i64,
    /// What a hit of it is called.
    pub(crate) kind: BreakpointKind,
    /// When it stops. The same `Arc` as long as nobody changed them.
    pub(crate) terms: Arc<Terms>,
    /// The trapped instruction in its file; none in code that comes from no file.
    pub(crate) code: Option<(Arc<Image>, FileAddr)>,
}

impl Breakpoint {
    fn new(id: i64, asked: Asked, terms: Terms) -> Self {
        Self {
            id,
            asked,
            terms: Arc::new(terms),
            landings: Vec::new(),
            at: None,
            locations: Vec::new(),
            remark: None,
            similar: None,
            lost: None,
            objection: None,
        }
    }

    fn bound(&self) -> Bound {
        Bound {
            id: self.id,
            verified: !self.locations.is_empty() && self.objection.is_none(),
            at: self.at.clone(),
            address: match self.asked {
                Asked::Instruction { address } => Some(address),
                _ => None,
            },
            locations: self.locations.len(),
            message: self.objection.clone().or_else(|| self.remark.clone()),
            similar: self.similar.clone(),
        }
    }

    /// Looks in every file of the program that was not looked at before.
    fn bind(&mut self, modules: &Modules) {
        let was_in = std::mem::take(&mut self.landings);
        let mut known: Vec<Landing> = was_in.clone();
        for module in modules {
            // What the program itself has is not the C library's, whose debug information may be long to read.
            let is_line = matches!(self.asked, Asked::Line { .. });
            if is_line && module.image.is_system_runtime() && self.landings.iter().any(Landing::is_found) {
                continue;
            }
            let at = known.iter().position(|landing| Arc::ptr_eq(&landing.image, &module.image));
            let landing = match at {
                Some(at) => known.swap_remove(at),
                None => Landing::look(&module.image, &self.asked),
            };
            self.landings.push(landing);
        }
        let lost = was_in.iter().find(|old| old.is_found() && modules.of(&old.image).is_none());
        let lost = lost.map(|old| old.image.name()).or_else(|| self.lost.take());
        let landed = match &self.asked {
            Asked::Line { file, line, column } => lines::settle(&self.landings, (file, *line, *column), modules),
            Asked::Function { name } => functions::settle(&self.landings, name, modules),
            Asked::Instruction { address } => instructions::settle(*address, modules),
        };
        (self.at, self.locations, self.remark) = (landed.at, landed.locations, landed.remark);
        self.similar = landed.similar;
        if let (true, Some(library)) = (self.locations.is_empty(), lost) {
            self.remark =
                Some(format!("{library}, where it was, is not loaded any more; it waits for the file to come back"));
            self.lost = Some(library);
        }
    }
}

/// Where a breakpoint on a line would stop, and which line that is; else why nowhere.
pub(crate) fn places_of_line(modules: &Modules, file: &Path, line: u32) -> Result<(Vec<MemAddr>, u32), String> {
    let asked = Asked::Line { file: file.to_owned(), line, column: None };
    let mut breakpoint = Breakpoint::new(0, asked, Terms::default());
    breakpoint.bind(modules);
    let place = |(image, address): &(Arc<Image>, FileAddr)| Some(modules.of(image)?.bias.to_memory(*address));
    let places: Vec<MemAddr> = breakpoint.locations.iter().filter_map(place).collect();
    if places.is_empty() {
        return Err(breakpoint.remark.unwrap_or_else(|| format!("line {line} has no code")));
    }
    Ok((places, breakpoint.at.map_or(line, |at| at.line)))
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Breakpoints {
    list: Vec<Breakpoint>,
    minted: i64,
}

impl Breakpoints {
    /// Replaces all breakpoints of a group; their ids in the order asked. What was asked for before keeps its id, also with
    /// other terms.
    pub(crate) fn replace(&mut self, group: Group<'_>, wanted: Vec<(Asked, Terms)>, modules: &Modules) -> Vec<i64> {
        let (mut old, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.list).into_iter().partition(|breakpoint| group.holds(&breakpoint.asked));
        self.list = others;
        let mut take = |is: &dyn Fn(&Breakpoint) -> bool| old.iter().position(is).map(|at| old.remove(at));
        // Those that did not change at all come first: of two on one line, each keeps its own id.
        let mut kept: Vec<Option<Breakpoint>> = wanted
            .iter()
            .map(|(asked, terms)| take(&|old: &Breakpoint| old.asked == *asked && *old.terms == *terms))
            .collect();
        for ((asked, terms), kept) in wanted.iter().zip(&mut kept) {
            if kept.is_none() {
                *kept = take(&|old: &Breakpoint| old.asked == *asked).map(|old| Breakpoint {
                    terms: Arc::new(terms.clone()),
                    objection: None,
                    ..old
                });
            }
        }
        let mut ids = Vec::new();
        for ((asked, terms), kept) in wanted.into_iter().zip(kept) {
            let mut breakpoint = kept.unwrap_or_else(|| self.new_breakpoint(asked, terms));
            breakpoint.bind(modules);
            ids.push(breakpoint.id);
            self.list.push(breakpoint);
        }
        ids
    }

    /// How a breakpoint is set now.
    pub(crate) fn bound(&self, id: i64) -> Option<Bound> {
        self.list.iter().find(|breakpoint| breakpoint.id == id).map(Breakpoint::bound)
    }

    /// Whether only the task that the user looks at hits a breakpoint.
    pub(crate) fn is_in_focus(&self, id: i64) -> bool {
        self.list.iter().any(|breakpoint| breakpoint.id == id && breakpoint.terms.in_focus)
    }

    /// Breakpoints that landed nowhere, with their terms.
    pub(crate) fn unbound_terms(&self) -> impl Iterator<Item = (i64, &Terms)> {
        let unbound = self.list.iter().filter(|breakpoint| breakpoint.locations.is_empty());
        unbound.map(|breakpoint| (breakpoint.id, breakpoint.terms.as_ref()))
    }

    /// Looks again for every breakpoint, because files came or went; those that changed.
    pub(crate) fn rebind(&mut self, modules: &Modules) -> Vec<i64> {
        let changed = self.list.iter_mut().filter_map(|breakpoint| {
            let before = breakpoint.bound();
            breakpoint.bind(modules);
            (before != breakpoint.bound()).then_some(breakpoint.id)
        });
        changed.collect()
    }

    /// Says what is wrong with a breakpoint's terms (they do not compile where it landed), or that nothing is. Whether that
    /// is news. It is forgotten when the terms change.
    pub(crate) fn object(&mut self, id: i64, objection: Option<String>) -> bool {
        let Some(breakpoint) = self.list.iter_mut().find(|breakpoint| breakpoint.id == id) else { return false };
        let before = std::mem::replace(&mut breakpoint.objection, objection);
        before != breakpoint.objection
    }

    /// Where breakpoints lie in a file.
    pub(crate) fn places_in(&self, image: &Arc<Image>) -> impl Iterator<Item = FileAddr> {
        let all = self.list.iter().flat_map(|breakpoint| &breakpoint.locations);
        all.filter(|(own, _)| Arc::ptr_eq(own, image)).map(|(_, address)| *address)
    }

    /// Every address that must have a trap, with those whom it is for, in the order they were set.
    pub(crate) fn owners(&self, modules: &Modules) -> BTreeMap<MemAddr, Vec<Owner>> {
        let mut owners: BTreeMap<MemAddr, Vec<Owner>> = BTreeMap::new();
        for breakpoint in &self.list {
            for (image, address) in &breakpoint.locations {
                let Some(module) = modules.of(image) else { continue };
                owners.entry(module.bias.to_memory(*address)).or_default().push(Owner {
                    id: breakpoint.id,
                    kind: breakpoint.asked.kind(),
                    terms: breakpoint.terms.clone(),
                    code: Some((image.clone(), *address)),
                });
            }
        }
        owners
    }

    /// A number that no other breakpoint has, for one that is kept elsewhere.
    pub(crate) fn mint(&mut self) -> i64 {
        self.minted = self.minted.saturating_add(1);
        self.minted
    }

    fn new_breakpoint(&mut self, asked: Asked, terms: Terms) -> Breakpoint {
        Breakpoint::new(self.mint(), asked, terms)
    }
}
