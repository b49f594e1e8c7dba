//! Where, in one body of code, a step may end.
//!
//! A body is a concrete function or an inlined copy; rows of copies inlined into it are not its own. In a coroutine's poll
//! function, rows on the declaring line belong to the dispatch that resumes it, not to the source.

use std::collections::BTreeMap;
use std::ops::Range;

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, LineRow};
use weft_values::{Frame, Stop};

/// Addresses where a statement begins, with its line.
pub(crate) type Rows = BTreeMap<MemAddr, u32>;

/// Begins of statements in the body that `frame` executes.
pub(crate) fn statements(stop: &Stop, frame: &Frame) -> Rows {
    let Some(code) = &frame.code else { return Rows::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Rows::new() };
    let finishing = code.rows_finishing_awaits().unwrap_or_default();
    let mut found = Rows::new();
    for row in body(code) {
        let begins = row.is_stmt && row.source.line != 0 && !finishing.contains(&row.address);
        if begins && in_source(code, frame, &row) {
            found.insert(module.bias.to_memory(row.address), row.source.line);
        }
    }
    found
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

/// Where a breakpoint on the entry of a concrete function belongs: behind its prologue, where its parameters can be read.
/// In optimised code nothing is marked, and the entry itself serves.
pub(crate) fn behind_prologue(code: &CodeFrame) -> FileAddr {
    let rows = code.ranges.iter().filter(|range| range.contains(&code.entry));
    let mut rows = rows.flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
    rows.find(|row| row.prologue_end).map_or(code.entry, |row| row.address)
}

/// All rows of the body itself.
fn body(code: &CodeFrame) -> Vec<LineRow> {
    let inlined = code.inlined_ranges().unwrap_or_default();
    let rows = code.ranges.iter().flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
    rows.filter(|row| !inlined.iter().any(|range| range.contains(&row.address))).collect()
}

/// Whether the row stands in the function's own text. Macros of other files, and in coroutines everything up to the
/// declaring line, do not.
fn in_source(code: &CodeFrame, frame: &Frame, row: &LineRow) -> bool {
    let declared = code.function.declared.as_ref();
    let file = declared.or(frame.source.as_ref()).map(|source| &source.file);
    if file.is_some_and(|file| *file != row.source.file) {
        return false;
    }
    let dispatch = code.function.kind.is_coroutine();
    !dispatch || declared.is_none_or(|declared| row.source.line > declared.line)
}
