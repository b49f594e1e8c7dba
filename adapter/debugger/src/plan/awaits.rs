//! Which lines one `.await` expression takes.
//!
//! `cmd.apply(&db)\n.await?` has rows on both lines, and after the await completed code of the first line runs again (the
//! value is moved, the awaited future dropped). A step that counted each row would go back and forth; so the lines of one
//! such expression count as one. Where it begins is where `into_future` is called, where it ends is the line of the
//! `.await` token, which the debug information gives to the state that waits there.

use std::ops::RangeInclusive;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use weft_memory::MemAddr;
use weft_symbols::{Image, Type, TypeKind};
use weft_values::{Frame, Stop};

use super::call::read_code;
use super::rows;

/// Lines of one expression.
pub(crate) type Lines = RangeInclusive<u32>;

/// The expressions that end in `.await` in the body of a coroutine, given a frame of its poll function and the type of its
/// environment. In optimised code, where the calls are inlined, each has the line of its token only.
pub(crate) fn expressions(stop: &Stop, frame: &Frame, environment: &Type) -> Vec<Lines> {
    let mut tokens = token_lines(frame, environment);
    tokens.sort_unstable();
    tokens.dedup();
    let begins = into_future_lines(stop, frame);
    let mut previous = 0;
    let mut found = Vec::new();
    for token in tokens {
        let begin = begins.iter().copied().filter(|line| (previous + 1..=token).contains(line)).max().unwrap_or(token);
        found.push(begin..=token);
        previous = token;
    }
    found
}

/// Lines of `.await` tokens in the function's own file (those of macros lie elsewhere).
fn token_lines(frame: &Frame, environment: &Type) -> Vec<u32> {
    let file = frame.source.as_ref().map(|source| &source.file);
    let TypeKind::Struct { variants: Some(part), .. } = environment.kind() else { return Vec::new() };
    // States 0 to 2 are unresumed, returned and panicked (rustc's coroutine layout).
    let suspended = part.variants.iter().filter(|variant| variant.member.name.parse::<u32>().is_ok_and(|state| state > 2));
    let declared = suspended.filter_map(|variant| variant.member.declared.as_ref());
    declared.filter(|at| Some(&at.file) == file && at.line > 0).map(|at| at.line).collect()
}

/// Lines on which the body calls `IntoFuture::into_future`.
fn into_future_lines(stop: &Stop, frame: &Frame) -> Vec<u32> {
    let Some(code) = &frame.code else { return Vec::new() };
    let Some(module) = stop.modules.of(&code.image) else { return Vec::new() };
    let mut lines = Vec::new();
    for row in rows::body(code) {
        let range = module.bias.to_memory(row.address)..module.bias.to_memory(row.end);
        let bytes = read_code(stop, &range);
        let instructions = Decoder::with_ip(64, &bytes, range.start.raw(), DecoderOptions::NONE);
        let calls = |instruction: Instruction| {
            instruction.flow_control() == FlowControl::Call
                && is_into_future(&code.image, module.bias.to_file(MemAddr::new(instruction.near_branch_target())))
        };
        if instructions.into_iter().any(calls) {
            lines.push(row.source.line);
        }
    }
    lines
}

fn is_into_future(image: &Image, address: weft_memory::FileAddr) -> bool {
    image.symbol_at(address).is_some_and(|symbol| symbol.name.contains("11into_future"))
}
