//! The control flow inside one function, from its machine code.
//!
//! Good for questions of the kind "is this instruction only ever reached behind that one". Where the code does something
//! that is not understood (an indirect jump without a table that can be read), there is no answer rather than a guess.
//! Unwinding is no edge: landing pads are not reached.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Image;

/// Larger functions are not looked at.
const MAX_CODE: u64 = 1 << 20;
/// Entries of a jump table that are read.
const MAX_TABLE: u64 = 4096;
/// Instructions before an indirect jump among which its table's address is looked for.
const TABLE_SEARCH: usize = 24;

/// Blocks followed to a call that never returns.
const MAX_TO_DEAD_END: usize = 4;

/// A straight piece of code.
#[derive(Debug, Clone)]
struct Block {
    code: Range<u64>,
    next: Vec<usize>,
    /// Targets of the jump table that ends it.
    table: Option<Vec<usize>>,
    /// It ends with a call that never returns.
    dead_end: bool,
}

/// The blocks of a function, by address.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    blocks: Vec<Block>,
    entry: usize,
}

/// Blocks that can be reached.
pub(crate) type Reached = Vec<bool>;

impl Flow {
    /// Decodes a function. `None` if it is too large or its jumps cannot all be followed.
    pub(crate) fn read(image: &Image, ranges: &[Range<u64>], entry: u64) -> Option<Self> {
        let total = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end.saturating_sub(range.start)));
        if total == 0 || total > MAX_CODE {
            return None;
        }
        let mut code = Code { instructions: Vec::new(), ranges };
        for range in ranges {
            code.decode(image, range)?;
        }
        code.instructions.sort_by_key(Instruction::ip);
        Self::split(image, &code, entry)
    }

    fn split(image: &Image, code: &Code<'_>, entry: u64) -> Option<Self> {
        let mut starts: Vec<u64> = code.ranges.iter().map(|range| range.start).collect();
        let mut exits = Exits::default();
        for (at, instruction) in code.instructions.iter().enumerate() {
            match instruction.flow_control() {
                FlowControl::Next => continue,
                FlowControl::Call | FlowControl::IndirectCall if !exits.never_returns(image, instruction) => continue,
                FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                    starts.push(instruction.near_branch_target());
                }
                FlowControl::IndirectBranch => {
                    let targets = code.table_before(image, at)?;
                    starts.extend(&targets);
                    exits.tables.insert(instruction.ip(), targets);
                }
                _ => {}
            }
            starts.push(instruction.next_ip());
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| code.is_instruction(*start));
        let mut flow = Self { blocks: Vec::new(), entry: 0 };
        for (at, start) in starts.iter().enumerate() {
            let limit = code.ranges.iter().find(|range| range.contains(start))?.end;
            let end = starts.get(at.checked_add(1)?).map_or(limit, |next| (*next).min(limit));
            flow.blocks.push(Block { code: *start..end, next: Vec::new(), table: None, dead_end: false });
        }
        flow.entry = flow.block_at(entry)?;
        for at in 0..flow.blocks.len() {
            flow.connect(at, code, &exits)?;
        }
        Some(flow)
    }

    /// Works out where a block leads.
    fn connect(&mut self, at: usize, code: &Code<'_>, exits: &Exits) -> Option<()> {
        let range = self.blocks.get(at)?.code.clone();
        let after = code.instructions.partition_point(|instruction| instruction.ip() < range.end);
        let last = code.instructions.get(after.checked_sub(1)?)?;
        let (mut next, mut table) = (Vec::new(), None);
        let flow = last.flow_control();
        if matches!(flow, FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch) {
            // A target outside is a tail call.
            next.extend(self.block_at(last.near_branch_target()));
        }
        let is_call = matches!(flow, FlowControl::Call | FlowControl::IndirectCall);
        if matches!(flow, FlowControl::Next | FlowControl::ConditionalBranch)
            || (is_call && !exits.dead_ends.contains(&last.ip()))
        {
            next.extend(self.block_at(last.next_ip()));
        }
        if flow == FlowControl::IndirectBranch {
            let targets = exits.tables.get(&last.ip())?;
            let targets: Vec<usize> = targets.iter().filter_map(|target| self.block_at(*target)).collect();
            next.extend(&targets);
            table = Some(targets);
        }
        let block = self.blocks.get_mut(at)?;
        (block.next, block.table) = (next, table);
        block.dead_end = exits.dead_ends.contains(&last.ip());
        Some(())
    }

    /// The block that covers an address.
    pub(crate) fn block_at(&self, address: u64) -> Option<usize> {
        let at = self.blocks.partition_point(|block| block.code.start <= address).checked_sub(1)?;
        self.blocks.get(at).filter(|block| address < block.code.end).map(|_| at)
    }

    /// The code of a block.
    pub(crate) fn code(&self, block: usize) -> Range<u64> {
        self.blocks.get(block).map_or(0..0, |block| block.code.clone())
    }

    /// Where the function begins.
    pub(crate) fn entry(&self) -> usize {
        self.entry
    }

    /// Marks all blocks that can be reached from some (these included) without passing through those that `avoid`
    /// holds for.
    pub(crate) fn reach(&self, from: &[usize], avoid: impl Fn(usize) -> bool) -> Reached {
        let mut reached = vec![false; self.blocks.len()];
        let mut open: Vec<usize> = from.to_vec();
        while let Some(at) = open.pop() {
            let Some(mark) = reached.get_mut(at).filter(|mark| !**mark) else { continue };
            if avoid(at) {
                continue;
            }
            *mark = true;
            open.extend(self.blocks.get(at).into_iter().flat_map(|block| &block.next));
        }
        reached
    }

    /// Blocks that directly follow one.
    pub(crate) fn after(&self, block: usize) -> &[usize] {
        self.blocks.get(block).map_or(&[], |block| &block.next)
    }

    /// Blocks that lead directly to one.
    pub(crate) fn before(&self, block: usize) -> impl Iterator<Item = usize> {
        self.blocks.iter().enumerate().filter(move |(_, before)| before.next.contains(&block)).map(|(at, _)| at)
    }

    /// The first jump through a table on the way from the entry that lies in one of the ranges: a coroutine's dispatch on
    /// its state. The table's targets.
    pub(crate) fn first_table(&self, within: &[Range<u64>]) -> Option<Vec<usize>> {
        let mut seen = FxHashSet::default();
        let mut open = std::collections::VecDeque::from([self.entry]);
        while let Some(at) = open.pop_front() {
            if !seen.insert(at) {
                continue;
            }
            let block = self.blocks.get(at)?;
            let last = block.code.end.saturating_sub(1);
            if let Some(table) = &block.table
                && within.iter().any(|range| range.contains(&last))
            {
                return Some(table.clone());
            }
            open.extend(&block.next);
        }
        None
    }

    /// Whether a block, or the only way on from it, ends in a call that never returns.
    pub(crate) fn is_dead_end(&self, block: usize) -> bool {
        let mut at = block;
        for _ in 0..MAX_TO_DEAD_END {
            match self.blocks.get(at) {
                Some(block) if block.dead_end => return true,
                Some(Block { next, .. }) => match next.as_slice() {
                    [next] => at = *next,
                    _ => return false,
                },
                None => return false,
            }
        }
        false
    }

    /// Leaves all jumps through a table (compilers double them) one single target.
    pub(crate) fn reduce(&mut self, table: &[usize], target: usize) {
        for block in &mut self.blocks {
            if block.table.as_deref() == Some(table) {
                block.next = vec![target];
            }
        }
    }
}

/// What is special about where instructions lead.
#[derive(Default)]
struct Exits {
    /// Targets of jumps through tables, by the jump.
    tables: FxHashMap<u64, Vec<u64>>,
    /// Whether a called function never returns, by its address.
    noreturn: FxHashMap<u64, bool>,
    /// Calls of such functions.
    dead_ends: FxHashSet<u64>,
}

impl Exits {
    /// Whether a call is to one of the standard library's functions that panic or end the program. Nothing in the
    /// machine code says so, and what follows such a call is some other piece of the function.
    fn never_returns(&mut self, image: &Image, call: &Instruction) -> bool {
        let target = match call.op0_kind() {
            OpKind::NearBranch64 => Some(call.near_branch_target()),
            OpKind::Memory if call.is_ip_rel_memory_operand() => image.got_target(call.ip_rel_memory_address()),
            _ => None,
        };
        let Some(target) = target else { return false };
        let ask = || {
            let symbol = image.symbol_at(weft_memory::FileAddr::new(target));
            symbol.is_some_and(|symbol| is_diverging(&format!("{:#}", rustc_demangle::demangle(&symbol.name))))
        };
        let never = *self.noreturn.entry(target).or_insert_with(ask);
        if never {
            self.dead_ends.insert(call.ip());
        }
        never
    }
}

/// Whether a function of the standard library is one of those declared `-> !`.
fn is_diverging(path: &str) -> bool {
    let is_std = ["core::", "alloc::", "std::"].iter().any(|krate| path.starts_with(krate));
    let last = path.rsplit("::").next().unwrap_or_default();
    let by_name = last.starts_with("panic")
        || last.ends_with("_fail")
        || last.ends_with("_failed")
        || matches!(
            last,
            "begin_panic" | "resume_unwind" | "handle_alloc_error" | "handle_error" | "capacity_overflow"
        );
    let ends_program = matches!(path, "std::process::exit" | "std::process::abort" | "core::intrinsics::abort");
    (is_std && by_name && !path.contains("::panicking::panic_count")) || ends_program
}

struct Code<'a> {
    instructions: Vec<Instruction>,
    ranges: &'a [Range<u64>],
}

impl Code<'_> {
    fn decode(&mut self, image: &Image, range: &Range<u64>) -> Option<()> {
        let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let bytes = image.loaded_bytes(range.start, length)?;
        let mut decoder = Decoder::with_ip(64, &bytes, range.start, DecoderOptions::NONE);
        while decoder.can_decode() {
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return None;
            }
            self.instructions.push(instruction);
        }
        Some(())
    }

    fn is_instruction(&self, address: u64) -> bool {
        self.instructions.binary_search_by_key(&address, Instruction::ip).is_ok()
    }

    /// The targets of the jump table that an indirect jump goes through; none for a tail call, which leaves the
    /// function. `None` where there is a table that cannot be read.
    fn table_before(&self, image: &Image, jump: usize) -> Option<Vec<u64>> {
        let instruction = self.instructions.get(jump)?;
        let found = if instruction.op0_kind() == OpKind::Memory {
            // `jmp [table + index * 8]`: absolute addresses.
            if instruction.memory_index() == Register::None {
                return Some(Vec::new());
            }
            self.targets(image, instruction.memory_displacement64(), 8, |entry| entry)
        } else {
            // `lea base, [rip + table]` … `movsxd r, [base + index * 4]`, `add r, base`, `jmp r`: relative to the table.
            let before = self.instructions.get(jump.saturating_sub(TABLE_SEARCH)..jump)?;
            let is_load = |load: &&Instruction| {
                load.mnemonic() == Mnemonic::Movsxd
                    && load.memory_index_scale() == 4
                    && load.op1_kind() == OpKind::Memory
            };
            let Some(load) = before.iter().rev().find(is_load) else { return Some(Vec::new()) };
            let is_base = |lea: &&Instruction| {
                lea.mnemonic() == Mnemonic::Lea
                    && lea.is_ip_rel_memory_operand()
                    && lea.op0_register() == load.memory_base()
            };
            let table = before.iter().rev().find(is_base)?.ip_rel_memory_address();
            self.targets(image, table, 4, |entry| {
                let offset = i64::from(i32::from_le_bytes(u32::try_from(entry).unwrap_or(0).to_le_bytes()));
                table.wrapping_add_signed(offset)
            })
        };
        Some(found).filter(|targets| !targets.is_empty())
    }

    /// Reads entries as long as they lead to instructions of the function.
    fn targets(&self, image: &Image, table: u64, width: u64, target: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut targets = Vec::new();
        for index in 0..MAX_TABLE {
            let at = index.checked_mul(width).and_then(|offset| table.checked_add(offset));
            let Some(bytes) = at.and_then(|at| image.loaded_bytes(at, usize::try_from(width).ok()?)) else { break };
            let entry = bytes.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            let target = target(entry);
            if !self.is_instruction(target) {
                break;
            }
            targets.push(target);
        }
        targets
    }
}

impl Image {
    /// Bytes of the file that are loaded at an address; all of them or none.
    pub(crate) fn loaded_bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let address = weft_memory::FileAddr::new(address);
        let segment = self.segments().iter().find(|segment| segment.addresses.contains(&address))?;
        let offset = segment.file_range.start.checked_add(address.since(segment.addresses.start)?)?;
        let end = offset.checked_add(u64::try_from(length).ok()?)?;
        if end > segment.file_range.end {
            return None;
        }
        let mut bytes = vec![0; length];
        let count = self.sections().read_file(usize::try_from(offset).ok()?, &mut bytes);
        (count == length).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_never_return_are_known_by_name() {
        for path in [
            "core::panicking::panic_fmt",
            "core::panicking::panic_const::panic_const_add_overflow",
            "core::option::unwrap_failed",
            "core::slice::index::slice_end_index_len_fail",
            "alloc::raw_vec::handle_error",
            "std::process::exit",
        ] {
            assert!(is_diverging(path), "{path}");
        }
        for path in ["mine::panic_now", "core::fmt::write", "std::panicking::panic_count::increase", "main", ""] {
            assert!(!is_diverging(path), "{path}");
        }
    }
}
