//! Which of several rows of one line are the places where execution arrives at the line.
//!
//! A line's code is in pieces, and a trap on each of them stops again and again in what a user sees as one evaluation. A
//! piece that is only ever reached behind another piece is no arrival. In the poll function of a coroutine, where every
//! poll enters through a jump on the state, the code that resumes at an `.await` is none either: its rows name the
//! await's line, and without this a breakpoint there stops at every poll.

use std::ops::Range;

use crate::dies::DieReader;
use crate::flow::{Flow, Reached};
use crate::{DieOffset, FIRST_AWAIT, Image, RETURNED, UNRESUMED};

/// Pairs of places times blocks of the function that are walked at most.
const MAX_STEPS: usize = 10_000_000;

/// The control flow of a function, seen as a user sees it: a coroutine as one run from its beginning.
#[derive(Debug)]
pub(crate) struct Arrivals {
    flow: Flow,
    /// What a run from the beginning reaches.
    main: Reached,
    coroutine: Option<Coroutine>,
}

#[derive(Debug)]
struct Coroutine {
    /// Where the first poll leads.
    start: usize,
    /// Where polls lead that resume at an await.
    pads: Vec<usize>,
}

impl Arrivals {
    /// `ranges` are the function's, its entry first. `None` if its jumps cannot all be followed.
    pub(crate) fn read(image: &Image, ranges: &[Range<u64>], is_coroutine: bool) -> Option<Self> {
        let flow = Flow::read(image, ranges, ranges.first()?.start)?;
        let dispatch = if is_coroutine { flow.first_table(ranges) } else { None };
        Some(Self::of(flow, dispatch))
    }

    /// The same for a copy of a coroutine's poll function that was inlined. `None` if its dispatch on the state was
    /// merged with something else.
    pub(crate) fn of_inlined_coroutine(&self, image: &Image, copy: DieOffset) -> Option<Self> {
        let table = self.flow.first_table(&image.function_ranges(copy)?)?;
        // What polls after completion lead to is a panic: by that the state's table is known from another one.
        let panics = |index: usize| table.get(index).is_some_and(|block| self.flow.is_dead_end(*block));
        if table.len() <= FIRST_AWAIT || !panics(RETURNED) {
            return None;
        }
        Some(Self::of(self.flow.clone(), Some(table)))
    }

    fn of(mut flow: Flow, dispatch: Option<Vec<usize>>) -> Self {
        let coroutine = dispatch.and_then(|table| {
            let start = *table.get(UNRESUMED)?;
            flow.reduce(&table, start);
            Some(Coroutine { start, pads: table.get(FIRST_AWAIT..).unwrap_or_default().to_vec() })
        });
        let main = flow.reach(&[flow.entry()], |_| false);
        Self { flow, main, coroutine }
    }

    /// The code with which the body of a coroutine begins: its entry is passed at every poll.
    pub(crate) fn coroutine_start(&self) -> Option<Range<u64>> {
        self.coroutine.as_ref().map(|coroutine| self.flow.code(coroutine.start))
    }

    /// Leaves out rows of one line (all of it in this function) that are not reached on the way of a program that does
    /// not panic, and those that resume an await on that line.
    pub(crate) fn reachable(&self, rows: &[u64]) -> Vec<u64> {
        let resumed = self.resumed(rows);
        let keep = |row: &u64| {
            let Some(block) = self.flow.block_at(*row) else { return true };
            match (is_in(&self.main, block), &resumed) {
                (true, _) => true,
                (false, None) => false,
                // Code that the compiler doubled for the polls that resume.
                (false, Some(resumed)) => is_in(&resumed.all, block) && !is_in(&resumed.by_the_line, block),
            }
        };
        let kept: Vec<u64> = rows.iter().copied().filter(keep).collect();
        // A line that only unwinding reaches, or that is wholly about resuming: then those places are meant.
        if kept.is_empty() { rows.to_vec() } else { kept }
    }

    /// What is reached only by polls that resume at an await.
    fn resumed(&self, rows: &[u64]) -> Option<Resumed> {
        let coroutine = self.coroutine.as_ref()?;
        let in_main = |block: usize| is_in(&self.main, block);
        let of_the_line: Vec<usize> =
            coroutine.pads.iter().copied().filter(|pad| has_row(&self.flow.code(*pad), rows)).collect();
        Some(Resumed {
            all: self.flow.reach(&coroutine.pads, in_main),
            by_the_line: self.flow.reach(&of_the_line, in_main),
        })
    }

    /// Leaves out places that execution only comes to from the line's own code, and those that are only reached behind
    /// another one, each time. `None` where there are too many to compare.
    pub(crate) fn first_of(&self, places: &[u64], code_of_line: &[Range<u64>]) -> Option<Vec<u64>> {
        let pairs = places.len().checked_mul(places.len())?;
        if pairs.checked_mul(self.main.len())? > MAX_STEPS {
            return None;
        }
        let places = kept(places, |place| !self.goes_on(place, code_of_line));
        let behind: Vec<Option<Behind>> = places.iter().map(|other| self.behind(*other)).collect();
        Some(kept(&places, |place| !behind.iter().flatten().any(|other| self.is_behind(place, other))))
    }

    /// Whether all that leads to a place is the line's own code: a loop's condition behind the jump to it, the end of a
    /// function behind each of its returns.
    fn goes_on(&self, place: u64, code_of_line: &[Range<u64>]) -> bool {
        let Some(block) = self.flow.block_at(place).filter(|block| *block != self.flow.entry()) else { return false };
        if self.flow.code(block).start != place {
            return false;
        }
        let mut before = self.flow.before(block).filter(|before| is_in(&self.main, *before)).peekable();
        before.peek().is_some() && before.all(|before| is_covered(code_of_line, self.flow.code(before).end))
    }

    fn behind(&self, place: u64) -> Option<Behind> {
        let block = self.flow.block_at(place).filter(|block| is_in(&self.main, *block))?;
        let without = self.flow.reach(&[self.flow.entry()], |at| at == block);
        Some(Behind { place, block, without })
    }

    /// Whether the place is reached only through the other one, and again only through it again.
    fn is_behind(&self, place: u64, other: &Behind) -> bool {
        let Some(at) = self.flow.block_at(place).filter(|at| is_in(&self.main, *at)) else { return false };
        if at == other.block {
            return other.place < place;
        }
        !is_in(&other.without, at) && !is_in(&self.flow.reach(self.flow.after(at), |at| at == other.block), at)
    }
}

/// What is reached without passing through a place.
struct Behind {
    place: u64,
    block: usize,
    without: Reached,
}

/// Those that hold, or all if none does.
fn kept(places: &[u64], holds: impl Fn(u64) -> bool) -> Vec<u64> {
    let kept: Vec<u64> = places.iter().copied().filter(|place| holds(*place)).collect();
    if kept.is_empty() { places.to_vec() } else { kept }
}

/// Whether the code that ends before an address is in one of the pieces.
fn is_covered(pieces: &[Range<u64>], end: u64) -> bool {
    let next = pieces.partition_point(|piece| piece.start < end);
    next.checked_sub(1).and_then(|at| pieces.get(at)).is_some_and(|piece| end <= piece.end)
}

struct Resumed {
    all: Reached,
    /// Of awaits whose resuming code has a row of the line.
    by_the_line: Reached,
}

fn is_in(reached: &Reached, block: usize) -> bool {
    reached.get(block).copied().unwrap_or(false)
}

fn has_row(code: &Range<u64>, rows: &[u64]) -> bool {
    let next = rows.partition_point(|row| *row < code.start);
    rows.get(next).is_some_and(|row| *row < code.end)
}

impl Image {
    /// The code of a function's DIE, or of an inlined copy's; a function's entry is in the first range.
    pub(crate) fn function_ranges(&self, die: DieOffset) -> Option<Vec<Range<u64>>> {
        let (reader, entry) = DieReader::read(self, die).ok()?;
        let mut ranges = reader.dwarf().die_ranges(reader.unit(), &entry).ok()?;
        let mut found = Vec::new();
        while let Some(range) = ranges.next().ok()? {
            if range.begin < range.end {
                found.push(range.begin..range.end);
            }
        }
        Some(found)
    }
}
