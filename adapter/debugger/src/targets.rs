//! Where a user may send a stopped thread.

use std::path::Path;

use weft_memory::MemAddr;
use weft_symbols::SourceLine;
use weft_values::{Frame, Stop, frames};

/// Inlined copies that are looked through to the concrete function.
const DEPTH: usize = 512;

/// The instructions to which a thread can be sent for a line of the function that it is in; empty for other lines. A line
/// without code stands for the next one that has some, as with breakpoints.
pub fn goto_targets(stop: &Stop, tid: i32, file: &Path, line: u32) -> Vec<(MemAddr, SourceLine)> {
    let Some(code) = concrete(stop, tid).and_then(|frame| frame.code) else { return Vec::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Vec::new() };
    let Ok(Some(found)) = code.image.find_line(file, line) else { return Vec::new() };
    let mut targets = Vec::new();
    for address in found.addresses {
        let at = module.bias.to_memory(address);
        if can_go_to(stop, tid, at).is_ok() {
            let source = SourceLine { file: found.file.clone(), line: found.line, column: 0 };
            targets.push((at, code.image.line_at(address).ok().flatten().unwrap_or(source)));
        }
    }
    targets
}

/// The innermost frame that is no inlined copy.
fn concrete(stop: &Stop, tid: i32) -> Option<Frame> {
    frames(stop, tid, DEPTH).frames.into_iter().find(|frame| !frame.inlined)
}

/// Whether a thread can be sent to an instruction: it is in the function that the thread executes, whose frame is set up
/// there as it is now. Else why not, for the user.
pub(crate) fn can_go_to(stop: &Stop, tid: i32, address: MemAddr) -> Result<(), String> {
    let frame = concrete(stop, tid).ok_or_else(|| format!("there is no thread {tid} any more"))?;
    let elsewhere = || format!("a thread can only be sent to another line of the function it is in, {}", frame.name);
    let code = frame
        .code
        .as_ref()
        .ok_or_else(|| format!("{} has no debug information: where a thread in it may go is not known", frame.name))?;
    let (module, there) = stop.modules.to_file(address).ok_or_else(elsewhere)?;
    let function = module.image.frames_at(there).ok().and_then(|mut found| found.pop()).ok_or_else(elsewhere)?;
    if function.die != code.die || !std::sync::Arc::ptr_eq(&function.image, &code.image) {
        return Err(elsewhere());
    }
    let mut registers = frame.registers;
    registers.set(weft_memory::DwarfRegister::RA, Some(address.raw()));
    let caller = stop.modules.caller(&registers, false, &*stop.memory).ok().flatten();
    if frame.cfa.is_none() || caller.map(|caller| caller.cfa) != frame.cfa {
        return Err(format!("the frame of {} is not set up there as it is where the thread stands", frame.name));
    }
    Ok(())
}
