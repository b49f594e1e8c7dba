//! Breakpoint → Location → Trap: what was asked (one), where it landed in files (many), the byte in memory (shared).
//!
//! Tables only: nobody here touches the debuggee. What is to be planted or lifted is returned to the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{Image, LineMatch, Modules, SourceLine};

use crate::{Bound, LineSpec};

/// Where a breakpoint landed in one file.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) image: Arc<Image>,
    pub(crate) address: FileAddr,
}

/// A breakpoint as it was asked for, and where it landed.
#[derive(Clone, Debug)]
pub(crate) struct Breakpoint {
    pub(crate) id: i64,
    file: PathBuf,
    asked: LineSpec,
    at: Option<SourceLine>,
    pub(crate) locations: Vec<Location>,
    trouble: Option<String>,
}

impl Breakpoint {
    pub(crate) fn bound(&self) -> Bound {
        let moved = self.at.as_ref().filter(|at| at.line != self.asked.line);
        let message = self.trouble.clone().or_else(|| {
            let at = moved?;
            Some(format!("line {} has no code; moved to line {}", self.asked.line, at.line))
        });
        Bound {
            id: self.id,
            verified: self.at.is_some(),
            at: self.at.clone(),
            address: None,
            locations: self.locations.len(),
            message,
        }
    }

    /// Looks for the line in every file of the program. Whether that changed anything that a user sees.
    fn bind(&mut self, modules: &Modules) -> bool {
        let before = self.bound();
        self.locations.clear();
        self.at = None;
        self.trouble = None;
        let mut known_source = false;
        for module in modules {
            known_source |= module.image.has_source(&self.file);
            match module.image.find_line(&self.file, self.asked.line) {
                Ok(Some(found)) => self.land(&module.image, found),
                Ok(None) => {}
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        if self.locations.is_empty() && self.trouble.is_none() {
            self.trouble = Some(self.unbound_because(modules, known_source));
        }
        before != self.bound()
    }

    /// Files may disagree about the next line with code: the nearest one to what was asked wins.
    fn land(&mut self, image: &Arc<Image>, found: LineMatch) {
        let nearest = self.at.as_ref().map_or(u32::MAX, |at| at.line);
        if found.line > nearest {
            return;
        }
        if found.line < nearest {
            self.locations.clear();
            self.at = Some(SourceLine { file: found.file, line: found.line, column: 0 });
        }
        let landed = found.addresses.into_iter().map(|address| Location { image: image.clone(), address });
        self.locations.extend(landed);
    }

    fn unbound_because(&self, modules: &Modules, known_source: bool) -> String {
        let name = self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy();
        let program = modules.iter().next().map(|module| module.image.name()).unwrap_or_default();
        if known_source {
            return format!("{name} has no code at or after line {}", self.asked.line);
        }
        match modules.iter().next().map(|module| module.image.debug_info()) {
            Some(weft_symbols::DebugInfo::Absent) => {
                format!("{program} has no debug information; build it with `debug = true` in its cargo profile")
            }
            _ => format!("no code of {program} or its loaded libraries comes from {name}"),
        }
    }
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Breakpoints {
    list: Vec<Breakpoint>,
    minted: i64,
}

impl Breakpoints {
    /// Replaces all breakpoints of a file and answers in the order asked. A line that was asked for before keeps its id.
    pub(crate) fn replace(&mut self, file: &Path, wanted: &[LineSpec], modules: &Modules) -> Vec<Bound> {
        let mut old: Vec<Breakpoint> = Vec::new();
        self.list.retain(|breakpoint| {
            let other = breakpoint.file != file;
            if !other {
                old.push(breakpoint.clone());
            }
            other
        });
        let mut answer = Vec::new();
        for asked in wanted {
            let kept = old.iter().position(|breakpoint| breakpoint.asked == *asked).map(|at| old.swap_remove(at));
            let mut breakpoint = kept.unwrap_or_else(|| self.new_breakpoint(file, asked.clone()));
            breakpoint.bind(modules);
            answer.push(breakpoint.bound());
            self.list.push(breakpoint);
        }
        answer
    }

    /// Looks again for every line, because files came or went; those that changed.
    pub(crate) fn rebind(&mut self, modules: &Modules) -> Vec<Bound> {
        let changed =
            self.list.iter_mut().filter_map(|breakpoint| breakpoint.bind(modules).then(|| breakpoint.bound()));
        changed.collect()
    }

    /// Every address that must have a trap, with the breakpoints it is for.
    pub(crate) fn wanted_traps(&self, modules: &Modules) -> BTreeMap<MemAddr, BTreeSet<i64>> {
        let mut wanted: BTreeMap<MemAddr, BTreeSet<i64>> = BTreeMap::new();
        for breakpoint in &self.list {
            for location in &breakpoint.locations {
                if let Some(module) = modules.of(&location.image) {
                    wanted.entry(module.bias.to_memory(location.address)).or_default().insert(breakpoint.id);
                }
            }
        }
        wanted
    }

    fn new_breakpoint(&mut self, file: &Path, asked: LineSpec) -> Breakpoint {
        self.minted = self.minted.saturating_add(1);
        let file = file.to_owned();
        Breakpoint { id: self.minted, file, asked, at: None, locations: Vec::new(), trouble: None }
    }
}
