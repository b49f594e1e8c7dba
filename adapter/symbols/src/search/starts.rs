//! Where in a function's code a breakpoint on the function belongs.
//!
//! Behind the prologue, where parameters can be read. In the poll function of a coroutine: the code with which the body
//! begins, which only the first poll executes; its entry is passed at every poll.

use std::ops::Range;

use weft_memory::FileAddr;

use crate::arrivals::Arrivals;
use crate::{CodeFrame, Image, LineRow};

/// Where a copy of a function is stopped at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionStart {
    /// The instruction.
    pub address: FileAddr,
    /// It is passed at every poll of the coroutine, because its first poll cannot be told from the others.
    pub at_each_poll: bool,
    /// This copy of the function was inlined.
    pub inlined: bool,
}

impl Image {
    /// Where a breakpoint on a function belongs of which only its entry is known, as its symbol tells it: behind its
    /// prologue if the file has lines, else at the entry.
    pub fn behind_prologue_at(&self, entry: FileAddr) -> FileAddr {
        let code = self.function_bounds(entry).map(|code| self.rows_in(entry..code.end).unwrap_or_default());
        code.into_iter().flatten().find(|row| row.prologue_end).map_or(entry, |row| row.address)
    }
}

impl CodeFrame {
    /// Where a breakpoint on this function, or this inlined copy of it, belongs. Of an optimised copy that may be several
    /// places, of which one is passed at each call.
    pub(super) fn starts(&self) -> Vec<FunctionStart> {
        let inlined = self.inline_depth > 0;
        let at = |address| FunctionStart { address, at_each_poll: false, inlined };
        if self.function.kind.is_coroutine() {
            return vec![match self.body_of_coroutine() {
                Some(body) => at(self.first_line_in(&body)),
                None => FunctionStart { at_each_poll: self.awaits(), ..at(self.behind_prologue()) },
            }];
        }
        if !inlined {
            return vec![at(self.behind_prologue())];
        }
        let first = self.first_statement().into_iter().map(at).collect::<Vec<_>>();
        if first.is_empty() { vec![at(self.entry)] } else { first }
    }

    /// Where the first line of an inlined copy's body is executed. The lowest address of a copy may be a cold part of it,
    /// so it is asked as a breakpoint on that line is.
    fn first_statement(&self) -> Vec<FileAddr> {
        let Some(declared) = &self.function.declared else { return Vec::new() };
        let own = self.statements().unwrap_or_default();
        let lines = own.iter().filter(|row| row.source.file == declared.file && row.source.line >= declared.line);
        let Some(first) = lines.map(|row| row.source.line).min() else { return Vec::new() };
        let found = self.image.find_line(&declared.file, first).ok().flatten().filter(|found| found.line == first);
        let addresses = found.map(|found| found.addresses).unwrap_or_default();
        addresses.into_iter().filter(|address| self.ranges.iter().any(|range| range.contains(address))).collect()
    }

    /// Where a breakpoint on the entry of a concrete function belongs: behind its prologue, where its parameters can be
    /// read. In optimised code nothing is marked, and the entry itself serves.
    pub fn behind_prologue(&self) -> FileAddr {
        let rows = self.ranges.iter().filter(|range| range.contains(&self.entry));
        let mut rows = rows.flat_map(|range| self.image.rows_in(range.clone()).unwrap_or_default());
        rows.find(|row| row.prologue_end && row.address >= self.entry).map_or(self.entry, |row| row.address)
    }

    /// The code that the first poll goes to.
    fn body_of_coroutine(&self) -> Option<Range<u64>> {
        if self.inline_depth == 0 {
            let mut ranges: Vec<_> = self.ranges.iter().map(|range| range.start.raw()..range.end.raw()).collect();
            ranges.sort_by_key(|range| !range.contains(&self.entry.raw()));
            return Arrivals::read(&self.image, &ranges, true)?.coroutine_start();
        }
        let around = self.image.frames_at(self.entry).ok()?.pop()?;
        let ranges = self.image.function_ranges(around.die)?;
        let arrivals = Arrivals::read(&self.image, &ranges, around.function.kind.is_coroutine())?;
        arrivals.of_inlined_coroutine(&self.image, self.die)?.coroutine_start()
    }

    /// The first row that is on a line of the body, where what was captured has been moved to; else the first that is on
    /// any line.
    fn first_line_in(&self, code: &Range<u64>) -> FileAddr {
        let rows = self.image.rows_in(FileAddr::new(code.start)..FileAddr::new(code.end)).unwrap_or_default();
        let declared = self.function.declared.as_ref();
        let in_body = |row: &&LineRow| {
            row.is_stmt && declared.is_some_and(|at| at.file == row.source.file && row.source.line > at.line)
        };
        let has_line = |row: &&LineRow| row.source.line != 0;
        let found = rows.iter().find(in_body).or_else(|| rows.iter().find(has_line));
        found.map_or(FileAddr::new(code.start), |row| FileAddr::new(row.address.raw().max(code.start)))
    }

    /// Whether the coroutine can be polled more than once before it ends.
    fn awaits(&self) -> bool {
        const STATES_BEFORE_AWAITS: usize = 3;
        let states = self.environment_type().and_then(|ty| ty.variant_part().map(|part| part.variants.len()));
        states.is_none_or(|states| states > STATES_BEFORE_AWAITS)
    }
}
