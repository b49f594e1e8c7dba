//! Where a user may send a stopped thread: into which call, to which instruction.

use std::path::Path;

use weft_memory::MemAddr;
use weft_symbols::SourceLine;
use weft_values::Stop;

use crate::InTarget;

/// The calls that are still ahead of a thread on the line where it stands, in the order they are executed. Empty where
/// nothing is known about the line.
pub fn step_in_targets(stop: &Stop, tid: i32) -> Vec<InTarget> {
    let _ = (stop, tid);
    Vec::new()
}

/// The instructions to which a thread can be sent for a line of the function that it is in; empty for other lines.
pub fn goto_targets(stop: &Stop, tid: i32, file: &Path, line: u32) -> Vec<(MemAddr, SourceLine)> {
    let _ = (stop, tid, file, line);
    Vec::new()
}
