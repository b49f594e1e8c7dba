//! Which rows of a coroutine's poll function only finish an `.await`.
//!
//! After an awaited future was polled, code runs that cannot run without that poll: the rest of the awaiting expression (`?`,
//! the move of the value, drops of temporaries), whose rows name the lines that the expression began on, and then the
//! statements after it. So a row behind an await's poll whose line is not behind the await's is no new statement. In a loop the
//! earlier lines can be reached without the await as well, and stay what they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use weft_memory::FileAddr;

use crate::flow::{Flow, Reached};
use crate::{CodeFrame, FIRST_AWAIT, Image, LineRow, RETURNED, SymbolError, UNRESUMED, Variant};

/// Awaits looked at in one function; each costs a walk over its blocks.
const MAX_AWAITS: usize = 512;

impl CodeFrame {
    /// Addresses of this poll function's rows that resume or finish an `.await` and begin no statement of their own; also of a
    /// copy of one that was inlined. Empty for other functions, and where the code is not as expected.
    pub fn rows_finishing_awaits(&self) -> Result<Arc<BTreeSet<FileAddr>>, SymbolError> {
        if !self.function.kind.is_coroutine() {
            return Ok(Arc::default());
        }
        let find = || self.find_rows_finishing_awaits().map(Arc::new);
        self.image.cache().finishing.get_or_try(u64::try_from(self.die.0).unwrap_or(u64::MAX), find)
    }

    fn find_rows_finishing_awaits(&self) -> Result<BTreeSet<FileAddr>, SymbolError> {
        let around = if self.inline_depth > 0 { self.image.frames_at(self.entry)?.pop() } else { None };
        let Some(body) = Body::of(self, around.as_ref().unwrap_or(self)) else {
            return Ok(BTreeSet::new());
        };
        let rows = self.own_rows()?;
        let declared = self.function.declared.as_ref().map_or(0, |at| at.line);
        let found = body.pads.iter().zip(self.lines_of_awaits()).flat_map(|(pad, line)| {
            let line = line.filter(|line| *line > declared);
            body.rows_of_await(&self.image, (*pad, line), &rows, declared)
        });
        Ok(found.collect())
    }

    /// Rows in the function's own text: not of copies that were inlined into it, nor of macros of other files.
    fn own_rows(&self) -> Result<Vec<LineRow>, SymbolError> {
        let inlined = self.inlined_ranges()?;
        let declared = self.function.declared.as_ref();
        let mut rows = Vec::new();
        for range in &self.ranges {
            rows.extend(self.image.rows_in(range.clone())?);
        }
        rows.retain(|row| {
            let is_own = declared.is_none_or(|at| at.file == row.source.file);
            row.source.line > 0 && is_own && !inlined.iter().any(|copy| copy.contains(&row.address))
        });
        Ok(rows)
    }

    /// The lines on which the awaits are, as far as they are in the function's own file; then no more.
    fn lines_of_awaits(&self) -> impl Iterator<Item = Option<u32>> {
        let environment = self.environment_type();
        let states = environment.as_ref().and_then(|ty| ty.variant_part()).map(|part| part.variants.clone());
        let file = self.function.declared.as_ref().map(|at| at.file.clone());
        let line =
            move |state: Variant| state.member.declared.filter(|at| file.as_ref() == Some(&at.file)).map(|at| at.line);
        let lines = states.unwrap_or_default().into_iter().skip(FIRST_AWAIT).map(line);
        lines.chain(std::iter::repeat(None))
    }
}

/// A poll function seen as one run from its beginning.
struct Body {
    flow: Flow,
    main: Reached,
    pads: Vec<usize>,
}

impl Body {
    /// `code` is inlined into `around`, or is it.
    fn of(code: &CodeFrame, around: &CodeFrame) -> Option<Self> {
        let plain = |code: &CodeFrame| code.ranges.iter().map(|range| range.start.raw()..range.end.raw()).collect();
        let (mut ranges, own): (Vec<_>, Vec<_>) = (plain(around), plain(code));
        ranges.sort_by_key(|range| !range.contains(&around.entry.raw()));
        let mut flow = Flow::read(&code.image, &ranges, around.entry.raw())?;
        let table = flow.first_table(&own)?;
        // What polls after completion lead to is a panic: by that the table of an inlined copy is known from another one.
        if code.inline_depth > 0 && !table.get(RETURNED).is_some_and(|block| flow.is_dead_end(*block)) {
            return None;
        }
        flow.reduce(&table, *table.get(UNRESUMED)?);
        let main = flow.reach(&[flow.entry()], |_| false);
        Some(Self { flow, main, pads: table.get(FIRST_AWAIT..)?.iter().copied().take(MAX_AWAITS).collect() })
    }

    /// `line` is that of the await, if it is known.
    fn rows_of_await(
        &self,
        image: &Image,
        (pad, line): (usize, Option<u32>),
        rows: &[LineRow],
        declared: u32,
    ) -> Vec<FileAddr> {
        let resumed = self.flow.reach(&[pad], |block| is_in(&self.main, block));
        // Where the pad comes into the body is where the future is polled; optimised, it may be that place itself.
        let leads_on = (0..resumed.len()).filter(|block| is_in(&resumed, *block));
        let mut comes_in = leads_on.flat_map(|block| self.flow.after(block)).copied();
        let is_poll = is_in(&self.main, pad);
        let poll = if is_poll { Some(pad) } else { comes_in.find(|next| is_in(&self.main, *next)) };
        let in_pad: Vec<&LineRow> = rows.iter().filter(|row| self.block_of(row) == Some(pad)).collect();
        let mut found: Vec<FileAddr> = in_pad.iter().map(|row| row.address).collect();
        // A macro's await is said to be where the macro is defined; its rows are where it is used.
        let in_pad = in_pad.iter().map(|row| row.source.line).find(|line| *line > declared);
        let Some(line) = in_pad.or(line) else { return found };
        let begun = calls_of_into_future(image, rows.iter().filter(|row| row.source.line == line));
        let without: Vec<Reached> = poll
            .into_iter()
            .chain(begun.iter().filter_map(|call| self.flow.block_at(*call)))
            .map(|block| self.without(block))
            .collect();
        let finishes = |row: &&LineRow| {
            let Some(block) = self.block_of(row) else { return false };
            let before_poll =
                begun.iter().any(|call| self.flow.block_at(*call) == Some(block) && row.address.raw() <= *call);
            let behind = is_in(&self.main, block) && without.iter().any(|without| !is_in(without, block));
            row.source.line <= line && !before_poll && (behind || is_in(&resumed, block))
        };
        found.extend(rows.iter().filter(finishes).map(|row| row.address));
        found
    }

    /// What a run reaches that never comes to `block`.
    fn without(&self, block: usize) -> Reached {
        self.flow.reach(&[self.flow.entry()], |at| at == block)
    }

    fn block_of(&self, row: &LineRow) -> Option<usize> {
        self.flow.block_at(row.address.raw())
    }
}

fn is_in(reached: &Reached, block: usize) -> bool {
    reached.get(block).copied().unwrap_or(false)
}

/// Calls of `IntoFuture::into_future` in some rows: there the awaited expression has been evaluated, and its future is moved
/// to where it is polled.
fn calls_of_into_future<'a>(image: &Image, rows: impl Iterator<Item = &'a LineRow>) -> Vec<u64> {
    let mut found = Vec::new();
    for row in rows {
        let length = row.end.since(row.address).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let bytes = image.loaded_bytes(row.address.raw(), length).unwrap_or_default();
        let calls = |instruction: &Instruction| {
            let target = FileAddr::new(instruction.near_branch_target());
            instruction.flow_control() == FlowControl::Call
                && image.symbol_at(target).is_some_and(|symbol| symbol.name.contains("11into_future"))
        };
        let decoded = Decoder::with_ip(64, &bytes, row.address.raw(), DecoderOptions::NONE).into_iter();
        found.extend(decoded.filter(calls).map(|call| call.ip()));
    }
    found
}
