//! Where, in one body of code, a step may end.
//!
//! A body is a concrete function or an inlined copy; rows of copies inlined into it are not its own. In a coroutine's poll
//! function, rows on the declaring line belong to the dispatch that resumes it, not to the source.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, LineRow, SourceLine};
use weft_values::{Frame, Stop, is_user_crate as is_user_code};

/// Inlined copies that are looked at in one body.
const MOST_COPIES: usize = 1000;

/// Where a statement stands: line and column, from 1; column 0 is "unknown".
pub(crate) type At = (u32, u32);

/// Addresses where a statement begins, with where it stands.
pub(crate) type Rows = BTreeMap<MemAddr, At>;

/// Begins of statements in the body that `frame` executes.
pub(crate) fn statements(stop: &Stop, frame: &Frame) -> Rows {
    frame.code.as_ref().map(|code| statements_of(stop, code, frame.source.as_ref())).unwrap_or_default()
}

/// Where the body that `frame` executes comes to another part of one line. Compilers mark as statements only what begins a
/// line, so every row counts that differs in its column from the one before.
pub(crate) fn parts_of_line(stop: &Stop, frame: &Frame, line: u32) -> Rows {
    let Some(code) = &frame.code else { return Rows::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Rows::new() };
    let finishing = code.rows_finishing_awaits().unwrap_or_default();
    let mut found = Rows::new();
    for row in body(code) {
        let begins = row.source.line == line && row.source.column != 0 && !finishing.contains(&row.address);
        if begins && in_source(code, frame.source.as_ref(), &row) {
            found.insert(module.bias.to_memory(row.address), (line, row.source.column));
        }
    }
    found
}

/// Begins of statements in a body; `within` is a line of it, for a body that does not say where it was declared.
fn statements_of(stop: &Stop, code: &CodeFrame, within: Option<&SourceLine>) -> Rows {
    let Some(module) = stop.modules.of(&code.image) else { return Rows::new() };
    let finishing = code.rows_finishing_awaits().unwrap_or_default();
    let rows = body(code);
    let mut found = Rows::new();
    for row in &rows {
        let begins = row.is_stmt && row.source.line != 0 && !finishing.contains(&row.address);
        if begins && in_source(code, within, row) {
            found.insert(module.bias.to_memory(row.address), (row.source.line, row.source.column));
        }
    }
    if found.is_empty() && code.function.kind.is_coroutine() {
        let behind = rows.iter().filter(|row| !finishing.contains(&row.address) && is_behind_brace(&rows, row));
        found.extend(behind.map(|row| (module.bias.to_memory(row.address), (row.source.line, row.source.column))));
    }
    found
}

/// Whether a row of a coroutine that is all on one line belongs to its body: it stands behind the brace that the body
/// begins with, which the end of the prologue is said to be at. No such row begins a statement, as the line does not change.
fn is_behind_brace(rows: &[LineRow], row: &LineRow) -> bool {
    let brace = rows.iter().find(|row| row.prologue_end).map(|row| &row.source);
    brace.is_some_and(|at| at.file == row.source.file && at.line == row.source.line && at.column < row.source.column)
}

/// Begins of statements in copies of the user's functions that are inlined into what `code` is, and in the copies of
/// other functions there. Whichever line made the call: it may have no code of its own before the copy.
pub(crate) fn inlined_statements(stop: &Stop, code: &CodeFrame) -> Rows {
    let mut found = Rows::new();
    let mut queue = copies_in(code);
    let mut looked_at: usize = 0;
    while let Some(copy) = queue.pop() {
        looked_at = looked_at.saturating_add(1);
        if looked_at > MOST_COPIES {
            break;
        }
        if is_user_code(&copy.function.krate) {
            found.extend(statements_of(stop, &copy, None));
        } else {
            queue.extend(copies_in(&copy));
        }
    }
    found
}

/// The copy for which something holds among those that are inlined into what `code` is, the outermost first.
pub(crate) fn copy_in(code: &CodeFrame, is_it: impl Fn(&CodeFrame) -> bool) -> Option<CodeFrame> {
    let mut queue = VecDeque::from(copies_in(code));
    for _ in 0..MOST_COPIES {
        let copy = queue.pop_front()?;
        if is_it(&copy) {
            return Some(copy);
        }
        queue.extend(copies_in(&copy));
    }
    None
}

/// The copies that are inlined directly into what `code` is.
fn copies_in(code: &CodeFrame) -> Vec<CodeFrame> {
    let mut copies: Vec<CodeFrame> = Vec::new();
    for range in code.inlined_ranges().unwrap_or_default().into_iter().take(MOST_COPIES) {
        let there = code.image.frames_at(range.start).unwrap_or_default();
        let depth = code.inline_depth.saturating_add(1);
        if let Some(copy) = there.into_iter().find(|copy| copy.inline_depth == depth)
            && !copies.iter().any(|known| known.die == copy.die)
        {
            copies.push(copy);
        }
    }
    copies
}

/// All the code, in memory, of the function or copy that `frame` executes.
pub(crate) fn code_of(stop: &Stop, frame: &Frame) -> Vec<Range<MemAddr>> {
    let Some(code) = &frame.code else { return Vec::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Vec::new() };
    let to_memory = |range: &Range<FileAddr>| module.bias.to_memory(range.start)..module.bias.to_memory(range.end);
    code.ranges.iter().map(to_memory).collect()
}

/// Ranges of code, in memory, that belong to `line` in the body that `frame` executes.
pub(crate) fn code_of_line(stop: &Stop, frame: &Frame, line: u32) -> Vec<Range<MemAddr>> {
    let Some(code) = &frame.code else { return Vec::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Vec::new() };
    body(code)
        .into_iter()
        .filter(|row| row.source.line == line)
        .map(|row| module.bias.to_memory(row.address)..module.bias.to_memory(row.end))
        .collect()
}

/// The same with the copies that were inlined there of functions that are not the user's: what those call, the line calls.
pub(crate) fn code_called_on_line(stop: &Stop, frame: &Frame, line: u32) -> Vec<Range<MemAddr>> {
    let mut found = code_of_line(stop, frame, line);
    let Some((code, module)) = frame.code.as_ref().and_then(|code| Some((code, stop.modules.of(&code.image)?))) else {
        return found;
    };
    let is_of_line = |copy: &CodeFrame| {
        copy.call_site.as_ref().is_some_and(|at| at.line == line) && !is_user_code(&copy.function.krate)
    };
    for copy in copies_in(code).into_iter().filter(is_of_line) {
        let ranges = copy.ranges.iter();
        found.extend(ranges.map(|range| module.bias.to_memory(range.start)..module.bias.to_memory(range.end)));
    }
    found
}

/// Code that a thread with this stack executes, in that order, before it comes to another line of the innermost body, or
/// out of it. Where not all jumps can be followed, the rest of the line's own code.
pub(crate) fn code_ahead(stop: &Stop, walk: &[Frame]) -> Vec<Range<MemAddr>> {
    let concrete = walk.iter().position(|frame| !frame.inlined).and_then(|at| Some((at, walk.get(at)?)));
    let (Some(body), Some((at, concrete))) = (walk.first(), concrete) else { return Vec::new() };
    let (Some(code), Some(pc)) = (&concrete.code, concrete.file_pc(stop)) else { return Vec::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Vec::new() };
    let mut stops = BTreeSet::new();
    for frame in walk.get(..=at).unwrap_or_default() {
        let line = frame.source.as_ref().map_or(0, |source| source.line);
        let others = statements(stop, frame).into_iter().filter(|(_, at)| at.0 != line);
        stops.extend(others.map(|(address, _)| module.bias.to_file(address)));
    }
    let ahead = code.code_ahead(pc, &stops).map(|ranges| {
        let to_memory = |range: Range<FileAddr>| module.bias.to_memory(range.start)..module.bias.to_memory(range.end);
        ranges.into_iter().map(to_memory).collect()
    });
    ahead.unwrap_or_else(|| {
        let line = body.source.as_ref().map_or(0, |source| source.line);
        let mut own = code_of_line(stop, body, line);
        own.retain(|range| range.end > body.pc);
        own.iter_mut().for_each(|range| range.start = range.start.max(body.pc));
        own
    })
}

/// Where rows of the line table begin in a range of code, whosever they are.
pub(crate) fn rows_begin(stop: &Stop, range: &Range<MemAddr>) -> Vec<MemAddr> {
    let Some((module, start)) = stop.modules.to_file(range.start) else { return Vec::new() };
    let rows = module.image.rows_in(start..module.bias.to_file(range.end)).unwrap_or_default();
    let begins = rows.into_iter().map(|row| module.bias.to_memory(row.address));
    begins.filter(|address| range.contains(address)).collect()
}

/// Where the first statement of an inlined copy begins.
pub(crate) fn first_statement(stop: &Stop, copy: &CodeFrame) -> Option<MemAddr> {
    statements_of(stop, copy, None).into_keys().next()
}

/// Whether the innermost function at an address in `code` is the user's.
pub(crate) fn is_in_user_code(code: &CodeFrame, address: FileAddr) -> bool {
    let there = code.image.frames_at(address).unwrap_or_default();
    there.first().is_some_and(|innermost| is_user_code(&innermost.function.krate))
}

/// All rows of the body itself.
fn body(code: &CodeFrame) -> Vec<LineRow> {
    let inlined = code.inlined_ranges().unwrap_or_default();
    let rows = code.ranges.iter().flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
    rows.filter(|row| !inlined.iter().any(|range| range.contains(&row.address))).collect()
}

/// Whether the row stands in the function's own text. Macros of other files, and in coroutines everything up to the
/// declaring line, do not.
fn in_source(code: &CodeFrame, within: Option<&SourceLine>, row: &LineRow) -> bool {
    let declared = code.function.declared.as_ref();
    let file = declared.or(within).map(|source| &source.file);
    if file.is_some_and(|file| *file != row.source.file) {
        return false;
    }
    let dispatch = code.function.kind.is_coroutine();
    !dispatch || declared.is_none_or(|declared| row.source.line > declared.line)
}
