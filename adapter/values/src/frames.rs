//! A thread's physical stack: from frame to caller, with inlined copies as frames of their own.

use weft_memory::{FileAddr, MemAddr, Registers};
use weft_symbols::{CodeFrame, Module, SourceLine, is_user_code};

use crate::{Stop, ValueError};

/// Most frames of one stack, whatever was asked for.
const MAX_FRAMES: usize = 10_000;

/// One frame of a thread's stack.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The thread.
    pub tid: i32,
    /// Its number in the stack, 0 innermost; inlined copies count.
    pub index: usize,
    /// Where it executes or will return to. Inlined copies share it with the function they are in.
    pub pc: MemAddr,
    /// The address by which line, function and variables are looked up: `pc`, but one less where `pc` is a return
    /// address (the call may be the last instruction of its line, block or function).
    pub lookup_pc: MemAddr,
    /// The registers as they are in this frame; what a callee did not save is unknown.
    pub registers: Registers,
    /// The canonical frame address; unknown where the stack cannot be followed further.
    pub cfa: Option<MemAddr>,
    /// The function, if there is debug information.
    pub code: Option<CodeFrame>,
    /// What a user reads.
    pub name: String,
    /// Where it executes; for an inlined copy's caller the line of the call.
    pub source: Option<SourceLine>,
    /// Whether this copy of the function was inlined into the next frame.
    pub inlined: bool,
    /// Whether this is the user's code (see [`is_user_code`]).
    pub user_code: bool,
}

impl Frame {
    /// `lookup_pc` as its file calls it.
    pub fn file_pc(&self, stop: &Stop) -> Option<FileAddr> {
        stop.modules.to_file(self.lookup_pc).map(|(_, address)| address)
    }
}

/// Why a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// The outermost frame was reached.
    Outermost,
    /// As many frames as were asked for; there may be more.
    Limit,
    /// The stack cannot be followed; the frames before are right.
    Broken(ValueError),
}

/// A thread's stack, innermost frame first.
#[derive(Clone, Debug)]
pub struct FrameWalk {
    /// The frames.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: WalkEnd,
}

/// The stack of a thread, innermost first, at most `limit` (and 10,000) frames. An unknown thread has none.
pub fn frames(stop: &Stop, tid: i32, limit: usize) -> FrameWalk {
    let Some(thread) = stop.thread(tid) else {
        let error = ValueError::Unavailable(format!("there is no thread {tid}"));
        return FrameWalk { frames: Vec::new(), end: WalkEnd::Broken(error) };
    };
    let limit = limit.min(MAX_FRAMES);
    let mut frames = Vec::new();
    let mut registers = thread.registers;
    let mut is_return_address = false;
    let mut below: Option<MemAddr> = None;
    let end = loop {
        if frames.len() >= limit {
            break WalkEnd::Limit;
        }
        let caller = stop.modules.caller(&registers, is_return_address, &*stop.memory);
        let cfa = caller.as_ref().ok().and_then(|caller| caller.as_ref()).map(|caller| caller.cfa);
        push_at(stop, &mut frames, &Physical { tid, registers, is_return_address, cfa });
        match caller {
            Ok(None) => break WalkEnd::Outermost,
            Err(error) => break WalkEnd::Broken(error.into()),
            Ok(Some(caller)) => {
                // A stack grows downwards: a CFA that does not rise is a cycle. Signal handlers may run on another
                // stack, which may lie anywhere.
                if !caller.signal_frame && below.is_some_and(|below| caller.cfa <= below) {
                    break WalkEnd::Broken(ValueError::Unavailable("the stack leads back into itself".to_owned()));
                }
                below = (!caller.signal_frame).then_some(caller.cfa);
                registers = caller.registers;
                is_return_address = !caller.signal_frame;
                if registers.pc().raw() == 0 {
                    break WalkEnd::Outermost;
                }
            }
        }
    };
    frames.truncate(limit);
    FrameWalk { frames, end }
}

struct Physical {
    tid: i32,
    registers: Registers,
    is_return_address: bool,
    cfa: Option<MemAddr>,
}

/// Adds the frames of one physical frame: its inlined copies, innermost first, then the concrete function.
fn push_at(stop: &Stop, frames: &mut Vec<Frame>, physical: &Physical) {
    let pc = physical.registers.pc();
    let lookup_pc = if physical.is_return_address { pc.offset(-1) } else { pc };
    let frame = |index: usize| Frame {
        tid: physical.tid,
        index,
        pc,
        lookup_pc,
        registers: physical.registers,
        cfa: physical.cfa,
        code: None,
        name: String::new(),
        source: None,
        inlined: false,
        user_code: false,
    };
    let Some((module, address)) = stop.modules.to_file(lookup_pc) else {
        frames.push(Frame { name: format!("{pc}"), ..frame(frames.len()) });
        return;
    };
    let codes = module.image.frames_at(address).unwrap_or_default();
    let mut source = module.image.line_at(address).ok().flatten();
    if codes.is_empty() {
        let name = symbol_name(module, address, pc);
        let user_code = source.is_some() && is_user_symbol(&name);
        frames.push(Frame { name, source, user_code, ..frame(frames.len()) });
        return;
    }
    for code in codes {
        let inlined = code.inline_depth > 0;
        let called_from = code.call_site.clone();
        let symbol = bare_symbol(module, &code);
        frames.push(Frame {
            user_code: symbol.as_deref().map_or_else(|| is_user_code(&code.function.krate), is_user_symbol),
            name: symbol.unwrap_or_else(|| code.function.name.clone()),
            source,
            inlined,
            code: Some(code),
            ..frame(frames.len())
        });
        source = called_from;
    }
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
