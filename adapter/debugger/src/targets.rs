//! Where a user may send a stopped thread: into which call, to which instruction.

use std::path::Path;

use weft_memory::MemAddr;
use weft_symbols::{FunctionKind, SourceLine};
use weft_values::{Frame, Stop, frames, is_user_crate};

use crate::{InTarget, plan};

/// Calls of one line that are offered.
const MOST_TARGETS: usize = 100;

/// Inlined copies that are looked through to the concrete function.
const DEPTH: usize = 512;

/// The calls that are still ahead of a thread on the line where it stands, in the order they are executed: of functions of
/// the user's, and of others that may call those back. Functions that the compiler has inlined count as called. Empty
/// where nothing is known about the line, and outside of the user's code.
pub fn step_in_targets(stop: &Stop, tid: i32) -> Vec<InTarget> {
    let walk = frames(stop, tid, DEPTH).frames;
    let Some(body) = walk.first().filter(|frame| frame.user_code) else { return Vec::new() };
    let mut targets: Vec<InTarget> = Vec::new();
    for range in plan::code_ahead(stop, &walk) {
        // An inlined copy may make no call itself: it begins with the first row that is in it.
        let mut places = plan::calls_in(stop, &range);
        places.extend(plan::rows_begin(stop, &range));
        places.sort_unstable();
        places.dedup();
        for place in places {
            if targets.len() < MOST_TARGETS
                && let Some(target) = target_at(stop, body, place)
                // The body of an async function is polled where the function was called: one target.
                && !targets.iter().any(|known| known.call == target.call || polls_same(stop, known, &target))
            {
                targets.push(target);
            }
        }
    }
    targets
}

/// What a call is a target for.
fn target_at(stop: &Stop, body: &Frame, call: MemAddr) -> Option<InTarget> {
    let (module, address) = stop.modules.to_file(call)?;
    let own = body.code.as_ref()?;
    let there = module.image.frames_at(address).ok()?;
    let source = module.image.line_at(address).ok().flatten();
    // Inside a copy of a function that was inlined into the body: the user's is a target itself, whatever it calls.
    let depth = there.len().checked_sub(usize::try_from(own.inline_depth).ok()?)?.checked_sub(1)?;
    let copies = there.get(..depth)?;
    // The code of a copy that the next line makes may come before any row of that line.
    let line = |at: &Option<SourceLine>| at.as_ref().map(|at| at.line);
    if copies.last().is_some_and(|copy| line(&copy.call_site) != line(&body.source)) {
        return None;
    }
    if let Some(copy) = copies.iter().rev().find(|copy| is_user_crate(&copy.function.krate)) {
        let first = plan::first_statement(stop, copy)?;
        return Some(InTarget { call: first, name: copy.function.name.clone(), at: copy.call_site.clone().or(source) });
    }
    let at = copies.last().and_then(|copy| copy.call_site.clone()).or(source);
    let named = |name: &str| Some(InTarget { call, name: name.to_owned(), at: at.clone() });
    if !plan::is_call_at(stop, call) {
        return None;
    }
    let Some(target) = plan::call_target(stop, call) else {
        // Which function it will be is not known before the registers are loaded.
        return named(if plan::calls_method(stop, call) {
            "a method of a trait object"
        } else {
            "a function by its pointer"
        });
    };
    // What drops values is nowhere in the source.
    let code = plan::function_at(stop, target).filter(|code| code.function.kind != FunctionKind::Glue)?;
    if is_user_crate(&code.function.krate)
        || !plan::Reach::of_function(stop, target, &own.function.krate).callbacks.is_empty()
    {
        return named(&code.function.name);
    }
    None
}

/// Whether a target is the body of an async function whose call is another one.
fn polls_same(stop: &Stop, known: &InTarget, target: &InTarget) -> bool {
    let polls = plan::called_function(stop, target.call).is_some_and(|code| code.function.kind.is_coroutine());
    polls && known.name == target.name
}

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
