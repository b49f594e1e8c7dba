//! The line of an await that a macro of another crate made (`select!`, `join!`).
//!
//! The debug information declares such an await where the macro is. The line table knows better: code made by a macro
//! has the line of the macro's call. So the await is where the coroutine's poll function calls, or has inlined, the poll
//! function of what it awaits.

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Image, Module, SourceLine, Type};
use weft_values::Stop;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::names::base;

/// Most instantiations of one coroutine, most bytes of code and most rows of one poll function that are looked at.
const MAX_INSTANCES: usize = 64;
const MAX_CODE: u64 = 1 << 20;
const MAX_ROWS: usize = 20_000;
/// `call rel32`: its first byte and its length.
const CALL: u8 = 0xe8;
const CALL_LENGTH: usize = 5;

/// Where in the source the coroutine with this environment awaits a future of this type.
pub(crate) fn await_line(stop: &Stop, environment: &Type, awaitee: &Type) -> Option<SourceLine> {
    let image = environment.image();
    let module = stop.modules.of(image)?;
    let function = environment.coroutine_function()?;
    let entries = image.functions(base(&function.path));
    entries
        .iter()
        .take(MAX_INSTANCES)
        .filter_map(|entry| image.function_frame(entry).ok().flatten())
        .filter(|poll| poll.environment_type().is_some_and(|ty| ty.path() == environment.path()))
        .find_map(|poll| called(stop, module, &poll, awaitee).or_else(|| inlined(image, &poll, environment, awaitee)))
        .filter(|found| found.line > 0)
}

/// Whether this is the poll function of a future of that type: a coroutine's own, or a generic one of the same closure.
fn polls(code: &CodeFrame, awaitee: &Type) -> bool {
    if code.function.kind.is_coroutine() {
        return code.environment_type().is_some_and(|ty| ty.path() == awaitee.path());
    }
    let same = |name: &str| match (code.template_argument(name), awaitee.template_argument(name)) {
        (Some(of_function), Some(of_future)) => of_function.path() == of_future.path(),
        _ => false,
    };
    base(&code.function.path).ends_with("::poll") && (same("F") || same("T"))
}

/// The line of the first direct call of the awaited future's poll function. A byte that only looks like a call would
/// have to lead exactly to that function's entry.
fn called(stop: &Stop, module: &Module, poll: &CodeFrame, awaitee: &Type) -> Option<SourceLine> {
    let mut targets: FxHashMap<FileAddr, bool> = FxHashMap::default();
    for range in &poll.ranges {
        let length = usize::try_from(range.end.since(range.start)?.min(MAX_CODE)).ok()?;
        let code = stop.memory.read_bytes(module.bias.to_memory(range.start), length).ok()?;
        for (index, window) in code.windows(CALL_LENGTH).enumerate() {
            let [CALL, displacement @ ..] = window else { continue };
            let displacement = i64::from(i32::from_le_bytes(displacement.try_into().ok()?));
            let at = range.start.checked_add(u64::try_from(index).ok()?)?;
            let target = at.offset(displacement.wrapping_add(5));
            let is_poll = *targets.entry(target).or_insert_with(|| {
                is_code(module, module.bias.to_memory(target)) && is_entry_of_poll(&module.image, target, awaitee)
            });
            if is_poll {
                return module.image.line_at(at).ok().flatten();
            }
        }
    }
    None
}

fn is_code(module: &Module, address: MemAddr) -> bool {
    let file = module.bias.to_file(address);
    module.image.segments().iter().any(|segment| segment.executable && segment.addresses.contains(&file))
}

fn is_entry_of_poll(image: &Arc<Image>, target: FileAddr, awaitee: &Type) -> bool {
    let frames = image.frames_at(target).unwrap_or_default();
    frames.last().is_some_and(|concrete| concrete.entry == target && polls(concrete, awaitee))
}

/// The line at which the awaited future's poll function was inlined into the coroutine's.
fn inlined(image: &Arc<Image>, poll: &CodeFrame, environment: &Type, awaitee: &Type) -> Option<SourceLine> {
    let rows = poll.ranges.iter().flat_map(|range| image.rows_in(range.clone()).unwrap_or_default());
    rows.take(MAX_ROWS).find_map(|row| {
        let frames = image.frames_at(row.address).ok()?;
        let outer = frames.iter().position(|code| {
            code.function.kind.is_coroutine()
                && code.environment_type().is_some_and(|ty| ty.path() == environment.path())
        })?;
        let inner = frames.get(outer.checked_sub(1)?)?;
        inner.call_site.clone().filter(|_| polls(inner, awaitee))
    })
}
