//! What is worked out of the stacks of one stop, kept until it is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Module, Modules, SourceLine, is_user_code};

use crate::Stop;
use crate::frames::Walked;

/// Most addresses whose functions are kept.
const MAX_DESCRIBED: usize = 4096;

/// The functions at the addresses that were met, and how far the threads' stacks were walked. Clones share it.
#[derive(Clone, Default)]
pub struct Stacks {
    described: Arc<Mutex<FxHashMap<Code, Arc<[FunctionAt]>>>>,
    walks: Arc<Mutex<FxHashMap<i32, Arc<Mutex<Walked>>>>>,
}

/// Where a frame executes, and whether that is a return address.
type Code = (MemAddr, bool);

/// A function at an address: all of a frame that does not depend on who called it. See [`crate::Frame`].
#[derive(Clone, Debug)]
pub struct FunctionAt {
    /// The function, if there is debug information.
    pub code: Option<CodeFrame>,
    /// What a user reads.
    pub name: String,
    /// Where it executes; for an inlined copy's caller the line of the call.
    pub source: Option<SourceLine>,
    /// Whether this copy was inlined into the next one.
    pub inlined: bool,
    /// Whether this is the user's code.
    pub user_code: bool,
}

impl Stacks {
    /// The functions at an address: inlined copies, innermost first, then the concrete function; at least one.
    pub(crate) fn describe(&self, stop: &Stop, pc: MemAddr, is_return_address: bool) -> Arc<[FunctionAt]> {
        let key = (pc, is_return_address);
        if let Some(known) = lock(&self.described).get(&key) {
            return Arc::clone(known);
        }
        let made: Arc<[FunctionAt]> = functions_at(&stop.modules, pc, is_return_address).into();
        let mut described = lock(&self.described);
        if described.len() >= MAX_DESCRIBED {
            described.clear();
        }
        described.insert(key, Arc::clone(&made));
        made
    }

    /// How far a thread's stack was walked.
    pub(crate) fn walked(&self, tid: i32) -> Arc<Mutex<Walked>> {
        Arc::clone(lock(&self.walks).entry(tid).or_default())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The functions at an address of code: inlined copies, innermost first, then the concrete function; at least one.
pub fn functions_at(modules: &Modules, pc: MemAddr, is_return_address: bool) -> Vec<FunctionAt> {
    let lookup_pc = if is_return_address { pc.offset(-1) } else { pc };
    let Some((module, address)) = modules.to_file(lookup_pc) else {
        return vec![FunctionAt { code: None, name: format!("{pc}"), source: None, inlined: false, user_code: false }];
    };
    let codes = module.image.frames_at(address).unwrap_or_default();
    let mut source = module.image.line_at(address).ok().flatten();
    if codes.is_empty() {
        let name = symbol_name(module, address, pc);
        let user_code = source.is_some() && is_user_symbol(&name);
        return vec![FunctionAt { code: None, name, source, inlined: false, user_code }];
    }
    let mut found = Vec::with_capacity(codes.len());
    for code in codes {
        let called_from = code.call_site.clone();
        let symbol = bare_symbol(module, &code);
        found.push(FunctionAt {
            user_code: symbol.as_deref().map_or_else(|| is_user_code(&code.function.krate), is_user_symbol),
            name: symbol.unwrap_or_else(|| code.function.name.clone()),
            source,
            inlined: code.inline_depth > 0,
            code: Some(code),
        });
        source = called_from;
    }
    found
}

/// Where debug information has a function's bare name alone (line tables only), its symbol, which says more.
fn bare_symbol(module: &Module, code: &CodeFrame) -> Option<String> {
    if code.inline_depth > 0 || code.function.linkage_name.is_some() || code.function.path.contains("::") {
        return None;
    }
    let symbol = weft_symbols::symbol_name(&module.image.symbol_at(code.entry)?.name);
    symbol.ends_with(&format!("::{}", code.function.path)).then_some(symbol)
}

/// Whether a function is the user's, by its symbol's path.
fn is_user_symbol(name: &str) -> bool {
    let krate = name.trim_start_matches(['<', '&']).split_once("::").map(|(krate, _)| krate);
    krate.is_some_and(is_user_code)
}

/// A name for code without debug information.
fn symbol_name(module: &Module, address: FileAddr, pc: MemAddr) -> String {
    match module.image.symbol_at(address) {
        Some(symbol) => weft_symbols::symbol_name(&symbol.name),
        None => format!("{pc} in {}", module.image.name()),
    }
}
