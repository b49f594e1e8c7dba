//! The calls that code makes, and where they lead.
//!
//! A step into passes over what is not the user's, but ends in functions of the user's that are called from there:
//! closures, implementations of traits. Which those can be is read from the machine code: generic functions are compiled
//! for the types they are used with, so whatever they call, or take the address of, is written in them. What came
//! compiled with the toolchain or the system knows nothing of the user, but what it is handed.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use weft_memory::MemAddr;
use weft_runtimes::is_file_of;
use weft_symbols::{CodeFrame, is_standard};
use weft_values::{Stop, is_user_crate};

/// Longest stretch of code that is decoded for one row or function.
const LONGEST: u64 = 1 << 16;

/// Functions that are looked through for those of the user's.
const MOST_FUNCTIONS: usize = 1000;

/// Instructions before a call through a register among which its load is looked for.
const LOAD_SEARCH: usize = 16;

/// Where in a table of a trait's methods the first one is.
const FIRST_METHOD: u64 = 24;

/// Functions in one table of a trait's methods.
const MOST_METHODS: u64 = 64;

/// The instructions in a range of addresses; none where it cannot be read.
fn instructions(stop: &Stop, range: &Range<MemAddr>) -> Vec<Instruction> {
    let length = range.end.since(range.start).unwrap_or(0).min(LONGEST);
    let bytes = stop.memory.read_bytes(range.start, usize::try_from(length).unwrap_or(0)).unwrap_or_default();
    Decoder::with_ip(64, &bytes, range.start.raw(), DecoderOptions::NONE).iter().collect()
}

fn is_call(instruction: &Instruction) -> bool {
    matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
}

/// Addresses of call instructions in a range of code.
pub(crate) fn calls_in(stop: &Stop, range: &Range<MemAddr>) -> Vec<MemAddr> {
    let calls = instructions(stop, range).into_iter().filter(is_call);
    calls.map(|instruction| MemAddr::new(instruction.ip())).collect()
}

/// Addresses of jumps in a range of code that leave a function for another one, which returns to this one's caller. One
/// through a register may be a jump inside the function as well.
pub(crate) fn tail_calls_in(stop: &Stop, range: &Range<MemAddr>, function: &[Range<MemAddr>]) -> Vec<MemAddr> {
    let leaves = |jump: &Instruction| match jump.flow_control() {
        FlowControl::UnconditionalBranch => {
            let target = MemAddr::new(jump.near_branch_target());
            !function.iter().any(|range| range.contains(&target))
        }
        FlowControl::IndirectBranch => true,
        _ => false,
    };
    let jumps = instructions(stop, range).into_iter().filter(leaves);
    jumps.map(|jump| MemAddr::new(jump.ip())).collect()
}

/// The call at an address.
fn call_at(stop: &Stop, call: MemAddr) -> Option<Instruction> {
    // No instruction is longer than 15 bytes; a mapping may end behind a shorter one.
    let range = |length| call..call.offset(length);
    let decoded = (2..=15).rev().find_map(|length| instructions(stop, &range(length)).into_iter().next());
    decoded.filter(is_call)
}

/// Whether there is a call at an address.
pub(crate) fn is_call_at(stop: &Stop, address: MemAddr) -> bool {
    call_at(stop, address).is_some()
}

/// Where a call or jump leads, if its instruction says so.
fn target_of(stop: &Stop, instruction: &Instruction) -> Option<MemAddr> {
    let target = match instruction.op0_kind() {
        OpKind::NearBranch64 => MemAddr::new(instruction.near_branch_target()),
        OpKind::Memory if instruction.is_ip_rel_memory_operand() => {
            MemAddr::new(stop.memory.read_u64(MemAddr::new(instruction.ip_rel_memory_address())).ok()?)
        }
        _ => return None,
    };
    // A stub of the procedure linkage table only jumps on.
    let stub = instructions(stop, &(target..target.offset(16)));
    let jump = stub.iter().take(2).find(|instruction| instruction.flow_control() == FlowControl::IndirectBranch);
    match jump.filter(|jump| jump.is_ip_rel_memory_operand()) {
        Some(jump) => stop.memory.read_u64(MemAddr::new(jump.ip_rel_memory_address())).ok().map(MemAddr::new),
        None => Some(target),
    }
}

/// Where the call at an address leads, if that is written in the code: in its own instruction, or in the one that has
/// loaded the register it goes through.
pub(crate) fn call_target(stop: &Stop, call: MemAddr) -> Option<MemAddr> {
    let instruction = call_at(stop, call)?;
    if instruction.op0_kind() != OpKind::Register {
        return target_of(stop, &instruction);
    }
    let load = load_before(stop, call, instruction.op0_register()).filter(Instruction::is_ip_rel_memory_operand)?;
    let at = MemAddr::new(load.ip_rel_memory_address());
    match load.mnemonic() {
        Mnemonic::Lea => Some(at),
        Mnemonic::Mov => stop.memory.read_u64(at).ok().map(MemAddr::new),
        _ => None,
    }
}

/// Whether a call goes through a table of a trait's methods: what is called was loaded from behind the three words with
/// which each begins (drop, size, alignment; rustc's layout), through a register.
pub(crate) fn calls_method(stop: &Stop, call: MemAddr) -> bool {
    let Some(instruction) = call_at(stop, call) else { return false };
    is_method(&instruction, || load_before(stop, call, instruction.op0_register()))
}

/// The same of a call or jump; `load` finds what its register was loaded by.
fn is_method(instruction: &Instruction, load: impl FnOnce() -> Option<Instruction>) -> bool {
    let loads = |instruction: &Instruction| {
        let base = instruction.memory_base();
        let displacement = instruction.memory_displacement64();
        base != Register::None
            && !matches!(base.full_register(), Register::RSP | Register::RBP | Register::RIP)
            && displacement >= FIRST_METHOD
            && displacement.is_multiple_of(8)
    };
    match instruction.op0_kind() {
        OpKind::Memory => loads(instruction),
        OpKind::Register => load()
            .is_some_and(|load| load.mnemonic() == Mnemonic::Mov && load.op1_kind() == OpKind::Memory && loads(&load)),
        _ => false,
    }
}

/// What last wrote a register in the instructions before a call, where nothing comes between that could have jumped in or
/// changed it.
fn load_before(stop: &Stop, call: MemAddr, register: Register) -> Option<Instruction> {
    let (module, address) = stop.modules.to_file(call)?;
    let start = module.bias.to_memory(module.image.function_bounds(address)?.start);
    last_load(&instructions(stop, &(start..call)), register)
}

fn last_load(before: &[Instruction], register: Register) -> Option<Instruction> {
    let straight = before.iter().rev().take(LOAD_SEARCH).take_while(|it| it.flow_control() == FlowControl::Next);
    straight.into_iter().find(|load| load.op0_register().full_register() == register.full_register()).copied()
}

/// Calls of a trait object's methods in a range of code, and jumps that end it with one.
fn dispatches_in(stop: &Stop, range: &Range<MemAddr>) -> Vec<MemAddr> {
    let code = instructions(stop, range);
    let mut found = Vec::new();
    for (index, instruction) in code.iter().enumerate() {
        let flow = instruction.flow_control();
        let before = code.get(..index).unwrap_or_default();
        if matches!(flow, FlowControl::IndirectCall | FlowControl::IndirectBranch)
            && is_method(instruction, || last_load(before, instruction.op0_register()))
        {
            found.push(MemAddr::new(instruction.ip()));
        }
    }
    found
}

/// The function that begins at an address.
pub(crate) fn function_at(stop: &Stop, entry: MemAddr) -> Option<CodeFrame> {
    let (module, address) = stop.modules.to_file(entry)?;
    let code = module.image.frames_at(address).ok()?.pop()?;
    (code.entry == address).then_some(code)
}

/// The function that the call at an address calls, if its instruction says so.
pub(crate) fn called_function(stop: &Stop, call: MemAddr) -> Option<CodeFrame> {
    function_at(stop, call_target(stop, call)?)
}

/// Where a line's calls may come to by way of functions that are not the user's.
///
/// What a runtime calls for itself (its locks, say) may come from anywhere: of the plain functions that it calls, only those
/// of the line's own crate count. A coroutine is nobody's but the user's.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// The crate that the line is in.
    home: String,
    /// Functions that were looked through.
    seen: BTreeSet<MemAddr>,
    /// Where functions of the user's begin. Coroutines: behind their prologue, where their environment can be read.
    pub(crate) callbacks: BTreeSet<MemAddr>,
    /// Calls of a trait object's methods in functions that are not the user's. Where they lead is seen when they are made.
    pub(crate) dispatches: BTreeSet<MemAddr>,
}

impl Reach {
    /// From some code of the crate `home`.
    pub(crate) fn of_code(stop: &Stop, code: &[Range<MemAddr>], home: &str) -> Self {
        let mut reach = Self { home: home.to_owned(), ..Self::default() };
        let mut search = Search::new(stop, &mut reach);
        code.iter().for_each(|range| search.look(range, false));
        search.run();
        // What the line itself calls is seen when it does; what it hands on is not.
        let calls = code.iter().flat_map(|range| calls_in(stop, range));
        let named: BTreeSet<MemAddr> = calls.filter_map(|call| call_target(stop, call)).collect();
        reach.callbacks.retain(|callback| !named.contains(callback));
        reach
    }

    /// From a function that is not the user's, by its entry, on behalf of code of the crate `home`.
    pub(crate) fn of_function(stop: &Stop, entry: MemAddr, home: &str) -> Self {
        let mut reach = Self { home: home.to_owned(), ..Self::default() };
        reach.extend(stop, entry);
        reach
    }

    /// These functions and no others.
    pub(crate) fn only(callbacks: BTreeSet<MemAddr>) -> Self {
        Self { callbacks, ..Self::default() }
    }

    /// Adds what a function may come to, which has just been called.
    pub(crate) fn extend(&mut self, stop: &Stop, entry: MemAddr) {
        let mut search = Search::new(stop, self);
        search.open.push_back((entry, false));
        search.run();
    }

    /// Whether a hit at an address is of interest.
    pub(crate) fn has(&self, address: MemAddr) -> bool {
        self.callbacks.contains(&address) || self.dispatches.contains(&address)
    }

    /// Whether a function of this crate counts where a runtime has called it.
    pub(crate) fn is_home(&self, krate: &str) -> bool {
        self.home == krate
    }
}

/// Whether a function, though of a crate of the user's, was written by a macro of another crate.
pub(crate) fn is_made_by_macro(code: &CodeFrame) -> bool {
    let function = &code.function;
    function.declared.as_ref().is_some_and(|at| !is_file_of(&at.file, &function.krate))
}

/// A walk along calls and taken addresses, nearest first.
struct Search<'a> {
    stop: &'a Stop,
    reach: &'a mut Reach,
    /// Entries, and whether the way there leads through a runtime.
    open: VecDeque<(MemAddr, bool)>,
    /// Functions that may still be looked through.
    left: usize,
}

impl<'a> Search<'a> {
    fn new(stop: &'a Stop, reach: &'a mut Reach) -> Self {
        Self { stop, reach, open: VecDeque::new(), left: MOST_FUNCTIONS }
    }

    fn run(&mut self) {
        while let Some((entry, by_runtime)) = self.open.pop_front() {
            if self.reach.seen.insert(entry) {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    return;
                }
                self.enter(entry, by_runtime);
            }
        }
    }

    fn enter(&mut self, entry: MemAddr, by_runtime: bool) {
        let Some((module, address)) = self.stop.modules.to_file(entry) else { return };
        if module.image.came_with_the_toolchain(address) || module.image.is_system_runtime() {
            return;
        }
        let Some(code) = function_at(self.stop, entry) else { return };
        let krate = code.function.krate.as_str();
        if is_user_crate(krate) && !is_made_by_macro(&code) {
            if code.function.kind.is_coroutine() {
                self.reach.callbacks.insert(module.bias.to_memory(code.behind_prologue()));
            } else if !by_runtime || self.reach.is_home(krate) {
                self.reach.callbacks.insert(entry);
            }
            return;
        }
        let by_runtime = by_runtime || !(is_standard(krate) || self.reach.is_home(krate));
        for range in &code.ranges {
            let range = module.bias.to_memory(range.start)..module.bias.to_memory(range.end);
            self.look(&range, by_runtime);
            self.reach.dispatches.extend(dispatches_in(self.stop, &range));
        }
    }

    /// Notes every function that a piece of code calls, jumps to, or takes the address of.
    fn look(&mut self, range: &Range<MemAddr>, by_runtime: bool) {
        for instruction in instructions(self.stop, range) {
            let flow = instruction.flow_control();
            if is_call(&instruction) || flow == FlowControl::IndirectBranch {
                self.open.extend(target_of(self.stop, &instruction).map(|target| (target, by_runtime)));
            } else if flow == FlowControl::UnconditionalBranch {
                let target = MemAddr::new(instruction.near_branch_target());
                self.open.extend(Some((target, by_runtime)).filter(|(target, _)| !range.contains(target)));
            } else if instruction.is_ip_rel_memory_operand() {
                self.take_address(&instruction, by_runtime);
            }
        }
    }

    /// `lea` of a function or of a table of a trait's methods; `mov` of a function from the global offset table.
    fn take_address(&mut self, instruction: &Instruction, by_runtime: bool) {
        let at = MemAddr::new(instruction.ip_rel_memory_address());
        match instruction.mnemonic() {
            Mnemonic::Lea if self.is_code(at) => self.open.push_back((at, by_runtime)),
            Mnemonic::Lea => self.take_methods(at, by_runtime),
            Mnemonic::Mov => {
                let value = self.stop.memory.read_u64(at).map(MemAddr::new);
                let function = value.ok().filter(|value| self.is_code(*value));
                self.open.extend(function.map(|function| (function, by_runtime)));
            }
            _ => {}
        }
    }

    /// A table of methods: drop, size, alignment, then the methods (rustc's layout; all words that are functions count).
    fn take_methods(&mut self, table: MemAddr, by_runtime: bool) {
        let Some((module, address)) = self.stop.modules.to_file(table) else { return };
        let Some(ty) = module.image.vtable_type(address) else { return };
        for index in 0..(ty.size() / 8).min(MOST_METHODS) {
            let word = self.stop.memory.read_u64(table.offset(index.cast_signed().saturating_mul(8)));
            let Ok(word) = word.map(MemAddr::new) else { return };
            // Size and alignment are no functions.
            self.open.extend(Some((word, by_runtime)).filter(|(word, _)| self.is_code(*word)));
        }
    }

    fn is_code(&self, address: MemAddr) -> bool {
        self.stop.modules.to_file(address).is_some_and(|(module, address)| {
            module.image.segments().iter().any(|segment| segment.executable && segment.addresses.contains(&address))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use weft_memory::Bytes;

    fn stop_with(start: MemAddr, code: &[u8]) -> Stop {
        Stop {
            generation: 1,
            pid: 0,
            memory: Arc::new(Bytes::new().with(start, code)),
            modules: Arc::default(),
            threads: Vec::new(),
            clock: None,
            descriptors: None,
            stacks: weft_values::Stacks::default(),
        }
    }

    #[test]
    fn direct_and_indirect_calls_are_found() {
        // nop; call +0; call rax; jmp rax
        let start = MemAddr::new(0x1000);
        let stop = stop_with(start, &[0x90, 0xe8, 0, 0, 0, 0, 0xff, 0xd0, 0xff, 0xe0]);
        assert_eq!(calls_in(&stop, &(start..MemAddr::new(0x100a))), [MemAddr::new(0x1001), MemAddr::new(0x1006)]);
        let call = call_at(&stop, MemAddr::new(0x1001)).unwrap();
        assert_eq!(target_of(&stop, &call), Some(MemAddr::new(0x1006)));
        let call = call_at(&stop, MemAddr::new(0x1006)).unwrap();
        assert_eq!((call.next_ip(), target_of(&stop, &call)), (0x1008, None));
    }
}
