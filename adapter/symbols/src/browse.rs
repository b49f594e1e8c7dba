//! What a file has to offer: places for breakpoints in a range of lines, its sources, names for addresses.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use weft_memory::{FileAddr, MemAddr};

use crate::programs::RawRow;
use crate::sources::NamedIn;
use crate::{CodeFrame, Image, LineRow, Modules, SymbolError, symbol_name};

/// Most places given for one range of lines.
const MAX_PLACES: usize = 100_000;

/// A place in a source file that has code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodePlace {
    /// From 1.
    pub line: u32,
    /// From 1; 0 is "left edge / unknown".
    pub column: u32,
}

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeName {
    /// The function as a user reads it, or the symbol, demangled.
    pub name: String,
    /// Bytes from its beginning.
    pub offset: u64,
}

impl Modules {
    /// Every place in `lines` of a source file where code begins, in any image; ascending. What a path means is said at
    /// [`Image::source_files`]. Empty: no image names the file, or no code there.
    pub fn breakpoint_locations(&self, path: &Path, lines: RangeInclusive<u32>) -> Result<Vec<CodePlace>, SymbolError> {
        let mut places = BTreeSet::new();
        let mut failed = None;
        for module in self {
            match module.image.breakpoint_locations(path, lines.clone()) {
                Ok(found) => places.extend(found),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // One broken file does not hide what the others say.
            Some(error) if places.is_empty() => Err(error),
            _ => Ok(places.into_iter().collect()),
        }
    }

    /// What the code at an address is called; `None` outside of the images and where no symbol covers it.
    pub fn code_name(&self, address: MemAddr) -> Option<CodeName> {
        let (module, address) = self.to_file(address)?;
        module.image.code_name(address)
    }

    /// The source files of all images, each once, by path.
    pub fn sources(&self) -> Vec<Arc<Path>> {
        let all: BTreeSet<Arc<Path>> = self.iter().flat_map(|module| module.image.sources()).collect();
        all.into_iter().collect()
    }
}

impl Image {
    /// As [`Modules::breakpoint_locations`], of this image.
    pub fn breakpoint_locations(&self, path: &Path, lines: RangeInclusive<u32>) -> Result<Vec<CodePlace>, SymbolError> {
        for (_, programs) in self.source_candidates(path).iter() {
            let found: Vec<_> =
                programs.par_iter().map(|program| self.statements_of_program(program, &lines)).collect();
            let mut places = BTreeSet::new();
            let mut failed = None;
            for result in found {
                match result {
                    Ok(some) => places.extend(some),
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                Some(error) if places.is_empty() => return Err(error),
                _ if places.is_empty() => {}
                _ => return Ok(places.into_iter().take(MAX_PLACES).collect()),
            }
        }
        Ok(Vec::new())
    }

    fn statements_of_program(
        &self,
        (place, numbers): &NamedIn,
        lines: &RangeInclusive<u32>,
    ) -> Result<BTreeSet<CodePlace>, SymbolError> {
        let mut places = BTreeSet::new();
        let begins = |row: &RawRow, after: &RawRow| {
            // Compilers mark as statements only what begins a line; another column of it is a place too.
            (row.is_stmt || row.column != 0)
                && !row.end_sequence
                && after.address > row.address
                && row.line != 0
                && lines.contains(&row.line)
                && numbers.contains(&row.file)
        };
        self.walk_sequences(*place, |sequence| {
            let pairs = sequence.iter().zip(sequence.iter().skip(1));
            let found = pairs.filter(|(row, after)| begins(row, after));
            places.extend(found.map(|(row, _)| CodePlace { line: row.line, column: u32::from(row.column) }));
        })?;
        Ok(places)
    }

    /// The source files that this image's line programs name, each once, by path: also those that only an inlined
    /// function comes from. Reads all headers of `.debug_line`; whoever asks often keeps the answer.
    pub fn sources(&self) -> Vec<Arc<Path>> {
        use rayon::iter::IntoParallelIterator;
        let units = self.units().list().len();
        let of_unit = |unit: usize| -> BTreeSet<PathBuf> {
            let is_file = |path: &PathBuf| {
                // `<anon>`, `<derive macros>`: what has no file.
                !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('<'))
            };
            self.read_unit_files(unit).into_iter().map(|(_, path)| path).filter(is_file).collect()
        };
        let join = |mut a: BTreeSet<PathBuf>, mut b: BTreeSet<PathBuf>| {
            if a.len() < b.len() {
                std::mem::swap(&mut a, &mut b);
            }
            a.extend(b);
            a
        };
        let all = (0..units).into_par_iter().map(of_unit).reduce(BTreeSet::new, join);
        all.into_iter().map(Arc::from).collect()
    }

    /// What the code at an address is called: the concrete function, or the symbol that covers it.
    pub fn code_name(self: &Arc<Self>, address: FileAddr) -> Option<CodeName> {
        if let Some(code) = self.frames_at(address).unwrap_or_default().pop()
            && let Some(offset) = address.since(code.entry)
        {
            return Some(CodeName { name: code.function.name.clone(), offset });
        }
        let symbol = self.symbol_at(address)?;
        Some(CodeName { name: symbol_name(&symbol.name), offset: address.since(symbol.address)? })
    }
}

impl CodeFrame {
    /// Where statements begin in this copy of the function's own code, inlined callees left out, by address: the places
    /// that a thread in it can be moved to.
    pub fn statements(&self) -> Result<Vec<LineRow>, SymbolError> {
        let inlined = self.inlined_ranges()?;
        let mut rows = Vec::new();
        for range in &self.ranges {
            let own = |row: &LineRow| {
                row.is_stmt
                    && row.source.line != 0
                    && range.contains(&row.address)
                    && !inlined.iter().any(|inner| inner.contains(&row.address))
            };
            rows.extend(self.image.rows_in(range.clone())?.into_iter().filter(own));
        }
        rows.sort_by_key(|row| row.address);
        Ok(rows)
    }
}
