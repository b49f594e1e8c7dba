//! Addresses with a meaning of their own: the program's `main`, and the loader's notice that files came or went.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{Image, Modules};

/// The first line of the program's own `main`: of the Rust function of that name, else of C's. Behind its prologue.
pub(crate) fn user_main(modules: &Modules) -> Option<MemAddr> {
    let module = modules.iter().next()?;
    let image = &module.image;
    let symbol = rust_main(image).or_else(|| image.symbol("main").map(|symbol| symbol.address))?;
    let code = image.frames_at(symbol).ok().and_then(|frames| frames.into_iter().last());
    Some(module.bias.to_memory(code.map_or_else(|| image.behind_prologue_at(symbol), |code| code.behind_prologue())))
}

/// `krate::main`, where several crates linked into the program have one, that of the crate the file is named after.
fn rust_main(image: &Arc<Image>) -> Option<weft_memory::FileAddr> {
    let stem = image.path().file_stem()?.to_string_lossy().replace('-', "_");
    let mut mains: Vec<(String, weft_memory::FileAddr)> = Vec::new();
    for symbol in image.symbols_containing("4main") {
        let name = format!("{:#}", rustc_demangle::demangle(&symbol.name));
        if let Some((krate, "main")) = name.split_once("::").map(|(krate, rest)| (krate.to_owned(), rest)) {
            mains.push((krate, symbol.address));
        }
    }
    let own = mains.iter().find(|(krate, _)| *krate == stem).or_else(|| mains.first());
    own.map(|(_, address)| *address)
}

/// The function that the dynamic loader calls before and after it changes the list of loaded files (`r_brk` of glibc's
/// and musl's `struct r_debug`, which both call `_dl_debug_state`). None in a static program.
pub(crate) fn loader_notice(modules: &Modules) -> Option<MemAddr> {
    modules.iter().skip(1).find_map(|module| {
        let symbol = module.image.symbol("_dl_debug_state")?;
        Some(module.bias.to_memory(symbol.address))
    })
}
