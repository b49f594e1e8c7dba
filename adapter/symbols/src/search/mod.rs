//! Functions by what users call them.
//!
//! The index knows paths; what a function is called has to be worked out from its DIE. So the index is looked through for
//! the one component that both have, the function's own name, and only those are worked out. A pattern has no such
//! component: for it all are, in parallel.

mod copies;
mod query;
mod similar;
mod starts;

use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use weft_memory::FileAddr;

pub(crate) use query::is_inside;
pub use query::{Fit, FunctionQuery};
pub use starts::FunctionStart;

use crate::dies::DieReader;
use crate::index::Group;
use crate::naming::{is_user_code, split_path, symbol_name, without_generics};
use crate::{CodeFrame, DieOffset, Function, Image, Symbol};
use query::Names;

/// Functions of one name, whatever their generic arguments, that are worked out for one query.
const MOST_FUNCTIONS: usize = 20_000;

/// A function that was looked for.
#[derive(Clone, Debug)]
pub struct FoundFunction {
    /// What it is; of several instantiations, one of them.
    pub function: Arc<Function>,
    /// How well its name fits.
    pub fit: Fit,
    /// Its copies with code of their own.
    instances: Vec<DieOffset>,
    /// DIEs that copies of it were inlined from.
    origins: Vec<DieOffset>,
}

/// A function of the symbol table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSymbol {
    /// The symbol, with its mangled name.
    pub symbol: Symbol,
    /// How well its name fits.
    pub fit: Fit,
    /// It is chosen among several when the program starts (`STT_GNU_IFUNC`): the address is that of the code which
    /// chooses.
    pub indirect: bool,
}

impl Image {
    /// The functions with debug information that a query means. Uses the index, which is made first if it is not there.
    /// Of an `async fn` and other functions that only make a coroutine, the one with the body in the source.
    pub fn find_functions(self: &Arc<Self>, query: &FunctionQuery) -> Vec<FoundFunction> {
        let found: Vec<FoundFunction> = self.ask(|index| match query.anchor() {
            Some(name) => {
                let groups = index.functions_named(self.sections(), name.as_bytes(), MOST_FUNCTIONS)?;
                Ok(groups.iter().filter_map(|group| self.fit(query, group)).collect())
            }
            None => {
                let fitting = |at| Ok(index.group(at)?.and_then(|group| self.fit(query, &group)));
                (0..index.anchors.count()).into_par_iter().filter_map(|at| fitting(at).transpose()).collect()
            }
        });
        let mut found = bodies(found);
        found.sort_by(|a, b| a.function.path.cmp(&b.function.path));
        found
    }

    fn fit(self: &Arc<Self>, query: &FunctionQuery, group: &Group) -> Option<FoundFunction> {
        let die = group.instances.first().or_else(|| group.origins.first())?;
        // Of all functions of a program most are no match for a pattern; they are not kept.
        let function = match query.pattern() {
            Some(_) => self.function_uncached(*die)?,
            None => self.function_at(*die)?,
        };
        if function.kind == crate::FunctionKind::Glue {
            return None;
        }
        let linkage = function.linkage_name.as_deref();
        let fit = query.fit(&Names { shown: &function.name, path: &function.path, linkage })?;
        Some(FoundFunction { function, fit, instances: group.instances.clone(), origins: group.origins.clone() })
    }

    /// Where breakpoints on some functions belong: every instantiation and every inlined copy; ascending, at most `most`.
    pub fn starts_of(self: &Arc<Self>, functions: &[&FoundFunction], most: usize) -> Vec<FunctionStart> {
        let origins: FxHashSet<DieOffset> = functions.iter().flat_map(|found| found.origins.iter().copied()).collect();
        let copies = if origins.is_empty() { Vec::new() } else { copies::of_functions(self, &origins) };
        let concrete = functions.iter().flat_map(|found| found.instances.iter().copied());
        let mut starts: Vec<FunctionStart> = Vec::new();
        let mut seen: FxHashSet<FileAddr> = FxHashSet::default();
        for (die, inlined) in concrete.map(|die| (die, false)).chain(copies.into_iter().map(|die| (die, true))) {
            if starts.len() >= most {
                break;
            }
            let found = self.start_in(die, inlined);
            starts.extend(found.into_iter().filter(|start| seen.insert(start.address)));
        }
        starts.sort_by_key(|start| start.address);
        starts
    }

    /// Every copy of the functions of exactly this path, whatever their generic arguments: those with code of their own,
    /// then the inlined ones, of which 10,000 at most are listed. For inlined ones all units are read.
    pub fn copies_of(self: &Arc<Self>, path: &str) -> Vec<CodeFrame> {
        let concrete = self.functions(path).into_iter().map(|entry| (entry.die, 0));
        let origins: FxHashSet<DieOffset> = self.inlined_origins(path).into_iter().collect();
        let inlined = if origins.is_empty() { Vec::new() } else { copies::of_functions(self, &origins) };
        let all = concrete.chain(inlined.into_iter().map(|die| (die, 1)));
        all.filter_map(|(die, inline_depth)| {
            let (reader, entry) = DieReader::read(self, die).ok()?;
            self.frame(&reader, &entry, inline_depth).ok()?
        })
        .collect()
    }

    fn start_in(self: &Arc<Self>, die: DieOffset, inlined: bool) -> Vec<FunctionStart> {
        let frame =
            DieReader::read(self, die).and_then(|(reader, entry)| self.frame(&reader, &entry, u32::from(inlined)));
        frame.ok().flatten().map(|frame| frame.starts()).unwrap_or_default()
    }

    /// Functions of the symbol table that a query means: by a C name exactly, by a Rust path as elsewhere. For code
    /// without debug information.
    pub fn find_symbols(&self, query: &FunctionQuery) -> Vec<FoundSymbol> {
        let mut found = Vec::new();
        let candidates = match (query.plain_symbol(), query.anchor()) {
            (Some(plain), _) => self.functions_containing(plain),
            (None, Some(anchor)) => self.functions_containing(anchor),
            (None, None) => self.functions_containing(""),
        };
        for (symbol, indirect) in candidates {
            let shown = symbol_name(&symbol.name);
            let linkage = Some(symbol.name.as_str());
            let fit = query.fit(&Names { shown: &shown, path: &shown, linkage });
            found.extend(fit.map(|fit| FoundSymbol { symbol, fit, indirect }));
        }
        found.sort_by_key(|found| found.symbol.address);
        found.dedup_by_key(|found| found.symbol.address);
        found
    }
}

/// Leaves out functions that have nothing of their own in the source: those that make the coroutine of the same name, and
/// coroutines that are wrapped around another one of the same name by attribute macros.
fn bodies(found: Vec<FoundFunction>) -> Vec<FoundFunction> {
    let bare = |found: &FoundFunction| -> Vec<String> {
        split_path(&found.function.path).into_iter().map(|part| without_generics(part).to_owned()).collect()
    };
    let mut wrappers: FxHashSet<(Vec<String>, String)> = FxHashSet::default();
    let mut names: FxHashSet<String> = FxHashSet::default();
    for inner in found.iter().filter(|found| found.function.kind.is_coroutine()) {
        names.insert(inner.function.name.clone());
        let mut path = bare(inner);
        while path.pop().is_some() {
            wrappers.insert((path.clone(), inner.function.name.clone()));
        }
    }
    // An inherent method is described inside its type, while its coroutine is inside an `{impl#0}`: names must do.
    let is_inherent = |path: &[String]| !path.iter().any(|part| part.starts_with('{'));
    let is_wrapper = |found: &FoundFunction| {
        let path = bare(found);
        (is_inherent(&path) && !found.function.kind.is_coroutine() && names.contains(&found.function.name))
            || wrappers.contains(&(path, found.function.name.clone()))
    };
    found.into_iter().filter(|found| !is_wrapper(found)).collect()
}

impl FoundFunction {
    /// Whether it is code of the user's.
    pub fn is_user_code(&self) -> bool {
        is_user_code(&self.function.krate)
    }
}
