//! Where a breakpoint on a line lands.
//!
//! It begins with gdb's set: of the rows that begin a run of the line, one per function and innermost inlined copy or
//! lexical block, the one with the lowest address; a function's entry moves behind its prologue. Drop glue is left out:
//! its rows name the lines of an async function's awaits, and nobody means it. Of what is left in one copy of a
//! function, the places where execution arrives at the line are kept ([`crate::arrivals`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::FileAddr;

use crate::arrivals::Arrivals;
use crate::blocks::{Block, Declaration};
use crate::programs::{ProgramPlace, RawRow};
use crate::sources::NamedIn;
use crate::{DieOffset, Image, LineMatch, SymbolError};

/// Later lines tried when all code of a line is compiler-made.
const MAX_SLIDES: usize = 64;
/// Bytes of line programs from which threads are worth their start.
const PARALLEL_FROM: usize = 1 << 20;

/// A place for a breakpoint, before the choice among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    address: u64,
    line: u32,
}

/// A place in a function.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: Candidate,
    /// The function's own file is another one: a macro made it.
    foreign: bool,
    /// Where the function is declared.
    declared: u32,
    coroutine: bool,
}

impl Place {
    fn outside_functions(at: Candidate) -> Self {
        Self { at, foreign: false, declared: 0, coroutine: false }
    }
}

/// What is looked for in a file.
#[derive(Clone, Copy, Debug)]
struct Wish {
    line: u32,
    column: Option<u16>,
}

/// What one program says about one line.
#[derive(Debug, Default)]
struct Rows {
    /// Rows that begin a run of the line, ascending.
    exact: Vec<u64>,
    /// Code of the line, each piece from the row that begins it; ascending.
    code: Vec<Range<u64>>,
    /// The smallest later line that begins a run.
    later: Option<u32>,
    /// Ends of prologues, ascending by address.
    prologue_ends: Vec<Candidate>,
}

impl Image {
    /// Where a breakpoint on `line` of `path` lands, in every instantiation of a generic function. What a path means is
    /// said at [`Image::source_files`]. `Ok(None)`: no unit of this file names that source file, or it has no code at or
    /// after the line.
    pub fn find_line(&self, path: &Path, line: u32) -> Result<Option<LineMatch>, SymbolError> {
        self.find_place(path, line, None)
    }

    /// As [`Image::find_line`]; with a column (from 1), only what begins there, if anything of the line does.
    pub fn find_place(&self, path: &Path, line: u32, column: Option<u32>) -> Result<Option<LineMatch>, SymbolError> {
        for (file, programs) in self.source_candidates(path).iter() {
            if let Some(column) = column.and_then(|column| u16::try_from(column).ok()).filter(|column| *column > 0) {
                let (places, _) = self.places_of_line(file, programs, Wish { line, column: Some(column) })?;
                if places.iter().any(|place| place.line == line) {
                    return Ok(Some(LineMatch::of(file, line, u32::from(column), &places)));
                }
            }
            if let Some(found) = self.find_in_file(file, programs, line)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_in_file(
        &self,
        file: &Arc<Path>,
        programs: &[NamedIn],
        line: u32,
    ) -> Result<Option<LineMatch>, SymbolError> {
        let mut line = line;
        for _ in 0..MAX_SLIDES {
            let (places, later) = self.places_of_line(file, programs, Wish { line, column: None })?;
            if let Some(first) = places.first() {
                // A function's entry moved to a line below says so; if any address is on the line itself, that is it.
                let used = places.iter().map(|place| place.line).min().unwrap_or(first.line);
                let used = if places.iter().any(|place| place.line == line) { line } else { used };
                return Ok(Some(LineMatch::of(file, used, 0, &places)));
            }
            match later {
                Some(later) => line = later,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The places of exactly this line in all programs, ascending, and the next line that has rows.
    fn places_of_line(
        &self,
        file: &Path,
        programs: &[NamedIn],
        wish: Wish,
    ) -> Result<(Vec<Candidate>, Option<u32>), SymbolError> {
        let one = |(place, numbers): &NamedIn| {
            let rows = self.rows_of_line(*place, numbers, wish)?;
            let later = rows.later;
            Ok::<_, SymbolError>((self.choose(file, *place, &rows, wish.line), later))
        };
        let bytes = programs.iter().fold(0_usize, |sum, (place, _)| sum.saturating_add(place.length));
        let found: Vec<_> = if bytes > PARALLEL_FROM {
            programs.par_iter().map(one).collect()
        } else {
            programs.iter().map(one).collect()
        };
        let mut places = Vec::new();
        let mut later: Option<u32> = None;
        let mut failed = None;
        for result in found {
            match result {
                Ok((some, next)) => {
                    places.extend(some);
                    later = [later, next].into_iter().flatten().min();
                }
                Err(error) => failed = Some(error),
            }
        }
        let mut places = meant(&places);
        places.sort_unstable();
        match failed {
            // One broken program does not hide what the others say.
            Some(error) if places.is_empty() && later.is_none() => Err(error),
            _ => Ok((places, later)),
        }
    }

    fn rows_of_line(&self, place: ProgramPlace, numbers: &[u32], wish: Wish) -> Result<Rows, SymbolError> {
        let mut rows = Rows::default();
        self.walk_sequences(place, |sequence| rows.add(sequence, numbers, wish))?;
        rows.exact.sort_unstable();
        rows.exact.dedup();
        rows.code.sort_unstable_by_key(|piece| piece.start);
        rows.prologue_ends.sort_unstable();
        Ok(rows)
    }

    /// The places of one program's rows.
    fn choose(&self, file: &Path, program: ProgramPlace, rows: &Rows, line: u32) -> Vec<Place> {
        if rows.exact.is_empty() {
            return Vec::new();
        }
        let stay = |address: u64| Place::outside_functions(Candidate { address, line });
        let Some(unit) = self.unit_of_program(program.offset) else {
            return rows.exact.iter().copied().map(stay).collect();
        };
        // Where prologues end is asked in the same walk, to know whether an inlined copy begins there.
        let ends = rows.exact.iter().filter_map(|row| rows.next_prologue_end(*row).map(|end| end.address));
        let mut addresses: Vec<u64> = rows.exact.iter().copied().chain(ends).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let blocks: FxHashMap<u64, Block> = addresses
            .iter()
            .zip(self.blocks_of(unit, &addresses))
            .filter_map(|(address, block)| Some((*address, block?)))
            .collect();
        let mut chosen: Vec<Place> =
            rows.exact.iter().filter(|row| !blocks.contains_key(row)).copied().map(stay).collect();
        let mut functions: FxHashMap<DieOffset, Vec<(u64, &Block)>> = FxHashMap::default();
        let mut declarations: FxHashMap<DieOffset, Declaration> = FxHashMap::default();
        for row in &rows.exact {
            let Some(block) = blocks.get(row) else { continue };
            let innermost = block.innermost;
            if !declarations.entry(innermost).or_insert_with(|| self.declaration(innermost)).is_drop_glue() {
                functions.entry(block.function).or_default().push((*row, block));
            }
        }
        for (function, own) in functions {
            let is_coroutine =
                declarations.entry(function).or_insert_with(|| self.declaration(function)).is_coroutine();
            for (innermost, at) in self.choose_in_function((function, is_coroutine), &own, &blocks, rows, line) {
                let declared = declarations.entry(innermost).or_insert_with(|| self.declaration(innermost));
                chosen.push(Place {
                    at,
                    foreign: declared.file.as_ref().is_some_and(|own| **own != *file),
                    declared: declared.line,
                    coroutine: declared.is_coroutine(),
                });
            }
        }
        chosen
    }

    /// The places of the rows that lie in one function, and the copy each is in.
    fn choose_in_function(
        &self,
        (function, is_coroutine): (DieOffset, bool),
        own: &[(u64, &Block)],
        blocks: &FxHashMap<u64, Block>,
        rows: &Rows,
        line: u32,
    ) -> Vec<(DieOffset, Candidate)> {
        let Some((first, block)) = own.first() else { return Vec::new() };
        let ranges = self.function_ranges(function).unwrap_or_else(|| vec![block.code.clone()]);
        let entry = ranges.first().map_or(block.code.start, |range| range.start);
        let arrivals =
            if own.len() > 1 || *first == entry { Arrivals::read(self, &ranges, is_coroutine) } else { None };
        let rows_here: Vec<u64> = own.iter().map(|(row, _)| *row).collect();
        let reachable = arrivals.as_ref().map(|arrivals| arrivals.reachable(&rows_here)).unwrap_or(rows_here);
        let mut copies: BTreeMap<DieOffset, Vec<u64>> = BTreeMap::new();
        for address in reachable {
            if let Some(block) = blocks.get(&address) {
                copies.entry(block.innermost).or_default().push(address);
            }
        }
        let choose_in_copy = |copy: DieOffset, places: Vec<u64>| -> Option<Vec<u64>> {
            let arrivals = arrivals.as_ref()?;
            if copy == function || places.len() == 1 || !self.declaration(copy).is_coroutine() {
                return arrivals.first_of(&places, &rows.code);
            }
            match arrivals.of_inlined_coroutine(self, copy) {
                Some(own) => own.first_of(&own.reachable(&places), &rows.code),
                None => arrivals.first_of(&places, &rows.code),
            }
        };
        let places = copies.into_iter().flat_map(|(copy, places)| {
            let first = choose_in_copy(copy, places.clone());
            let places = first.unwrap_or_else(|| lowest_per_block(&places, blocks));
            places.into_iter().map(move |address| (copy, address))
        });
        let at_place = |address: u64| {
            if address != entry {
                return Candidate { address, line };
            }
            match arrivals.as_ref().and_then(Arrivals::coroutine_start) {
                Some(start) => Candidate { address: self.first_with_line(&start), line },
                None => behind_prologue(entry, block, blocks, rows, line),
            }
        };
        places.map(|(copy, address)| (copy, at_place(address))).collect()
    }
}

impl Image {
    /// The first address of a stretch of code that belongs to a line: what the compiler adds in front belongs to none.
    fn first_with_line(&self, code: &Range<u64>) -> u64 {
        let rows = self.rows_in(FileAddr::new(code.start)..FileAddr::new(code.end)).unwrap_or_default();
        let first = rows.iter().find(|row| row.source.line != 0);
        first.map_or(code.start, |row| row.address.raw().max(code.start))
    }
}

/// Where the flow is not known: of the places in one lexical block, the one with the lowest address.
fn lowest_per_block(places: &[u64], blocks: &FxHashMap<u64, Block>) -> Vec<u64> {
    let mut seen = FxHashSet::default();
    let is_first = |place: &&u64| blocks.get(place).is_none_or(|block| seen.insert(block.block));
    places.iter().filter(is_first).copied().collect()
}

/// Leaves out what nobody means who sets a breakpoint on a line, as long as something else is there: closures that a
/// macro of another file made (`select!` has one that runs at every poll), and the function that only makes an async
/// function's future.
fn meant(places: &[Place]) -> Vec<Candidate> {
    let any_own = places.iter().any(|place| !place.foreign);
    let coroutines: FxHashSet<u32> =
        places.iter().filter(|place| place.coroutine && place.declared != 0).map(|place| place.declared).collect();
    let is_meant = |place: &&Place| {
        let is_maker = !place.coroutine && coroutines.contains(&place.declared);
        (!place.foreign || !any_own) && !is_maker
    };
    places.iter().filter(is_meant).map(|place| place.at).collect()
}

impl Rows {
    /// The first end of a prologue at or after an address.
    fn next_prologue_end(&self, address: u64) -> Option<Candidate> {
        let next = self.prologue_ends.partition_point(|end| end.address < address);
        self.prologue_ends.get(next).copied()
    }

    fn add(&mut self, sequence: &[RawRow], numbers: &[u32], Wish { line, column }: Wish) {
        let is_meant = |row: &RawRow| row.line == line && column.is_none_or(|column| row.column == column);
        let mut run = None;
        let mut run_has_place = false;
        for (at, row) in sequence.iter().enumerate() {
            let after = at.checked_add(1).and_then(|next| sequence.get(next)).unwrap_or(row);
            if row.prologue_end {
                // Optimised, the first code behind the prologue may be another file's, inlined: then the line stays.
                let own = numbers.contains(&row.file) && row.line != 0;
                self.prologue_ends.push(Candidate { address: row.address, line: if own { row.line } else { line } });
            }
            // Of one line every column is the same run, unless one of them is meant.
            let piece = (row.file, row.line, column.filter(|_| row.line == line).map_or(0, |_| row.column));
            if run != Some(piece) {
                run = Some(piece);
                run_has_place = false;
            }
            if run_has_place
                && is_meant(row)
                && let Some(piece) = self.code.last_mut()
            {
                piece.end = after.address;
            }
            // Compilers mark as statements only what begins a line: a column that is meant says enough.
            let is_place = row.is_stmt || (column.is_some() && is_meant(row));
            if run_has_place || !is_place || row.end_sequence || row.line < line || !numbers.contains(&row.file) {
                continue;
            }
            run_has_place = true;
            if is_meant(row) {
                self.exact.push(row.address);
                self.code.push(row.address..after.address);
            } else if row.line > line && self.later.is_none_or(|later| row.line < later) {
                self.later = Some(row.line);
            }
        }
    }
}

impl LineMatch {
    /// `places` are ascending.
    fn of(file: &Arc<Path>, line: u32, column: u32, places: &[Candidate]) -> Self {
        let mut addresses: Vec<_> = places.iter().map(|place| FileAddr::new(place.address)).collect();
        addresses.dedup();
        Self { file: file.clone(), line, column, addresses }
    }
}

/// The end of the prologue of a function, with the line that is there; its entry if the prologue's end is not known.
fn behind_prologue(entry: u64, function: &Block, blocks: &FxHashMap<u64, Block>, rows: &Rows, line: u32) -> Candidate {
    match rows.next_prologue_end(entry).filter(|end| function.code.contains(&end.address)) {
        // The line of an inlined copy is not where the user is.
        Some(end) if blocks.get(&end.address).is_some_and(|block| block.innermost != block.function) => {
            Candidate { address: end.address, line }
        }
        Some(end) => end,
        None => Candidate { address: entry, line },
    }
}
