//! The functions that the compiler makes of a coroutine: those that poll it, and those that drop it.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{CodeFrame, Image, Type};
use weft_values::Stop;

/// What drop glue is called; the second name is that of newer compilers.
const GLUE: [&str; 2] = ["core::ptr::drop_in_place", "core::ptr::drop_glue"];

/// Copies of one function that are looked at.
const MOST_COPIES: usize = 256;

/// Whether a function, or a copy of it, is the body of coroutines of this type.
pub(crate) fn is_body_of(code: &CodeFrame, coroutine: &Type) -> bool {
    let by_function = || coroutine.coroutine_function().is_some_and(|function| function.path == code.function.path);
    let is_its = || code.environment_type().map_or_else(by_function, |ty| ty.path() == coroutine.path());
    code.function.kind.is_coroutine() && is_its()
}

/// The functions that poll a coroutine: each copy that the compiler made of its body and has not inlined.
pub(crate) fn bodies_of(coroutine: &Type) -> Vec<CodeFrame> {
    let Some(function) = coroutine.coroutine_function() else { return Vec::new() };
    let copies = copies_of(coroutine.image(), &function.path);
    copies.filter(|code| is_body_of(code, coroutine)).collect()
}

/// Where a coroutine is polled: in each of [`bodies_of`], behind the prologue, where its environment can be read. Empty where
/// all copies are inlined.
pub(crate) fn polls_of(stop: &Stop, coroutine: &Type) -> BTreeSet<MemAddr> {
    let Some(module) = stop.modules.of(coroutine.image()) else { return BTreeSet::new() };
    bodies_of(coroutine).iter().map(|code| module.bias.to_memory(code.behind_prologue())).collect()
}

/// The first async block in a function, in all copies that the compiler made of it.
pub(crate) fn blocks_of(code: &CodeFrame) -> Vec<CodeFrame> {
    copies_of(&code.image, &format!("{}::{{async_block#0}}", code.function.path)).collect()
}

fn copies_of(image: &Arc<Image>, path: &str) -> impl Iterator<Item = CodeFrame> {
    let entries = image.functions(path).into_iter().take(MOST_COPIES);
    entries.filter_map(|entry| image.function_frame(&entry).ok().flatten())
}

/// The functions that drop a coroutine and nothing else.
pub(crate) fn glue_of(coroutine: &Type) -> Vec<CodeFrame> {
    let is_its = |name: &[u8]| {
        let (_, dropped) = std::str::from_utf8(name).ok()?.split_once('<')?;
        (dropped.strip_suffix('>')? == coroutine.path()).then_some(())
    };
    let image = coroutine.image();
    let found = GLUE.iter().flat_map(|path| image.functions_by(path, &is_its)).take(MOST_COPIES);
    found.filter_map(|(_, entry)| image.function_frame(&entry).ok().flatten()).collect()
}
