//! The control flow of a coroutine's poll function, as far as steps need it: which code can only run after an `.await`.
//!
//! A poll function begins with a jump table over the coroutine's state: entry 0 begins the body, entries 1 and 2 (returned,
//! panicked) panic, entry 3 + k is the *pad* that resumes the k-th await by jumping to where its future is polled. From
//! there on code runs that cannot run without that poll: the rest of the awaiting expression (`?`, the move of the value, drops of
//! temporaries), which the line table gives to the lines that the expression began on, and then the statements after it. So a
//! row behind an await whose line is not behind it is no new statement. In a loop the earlier lines can be reached without
//! the await as well, and stay what they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{Image, Type, TypeKind};
use weft_values::{Frame, Stop};

use super::call::read_code;
use super::rows;

/// How far before the jump its table's address is looked for, in instructions.
const WINDOW: usize = 12;

/// Awaits looked at in one function; each costs a walk over its blocks.
const MOST_AWAITS: usize = 512;

/// Addresses of rows that only finish an await's expression. Empty where the function is not as described above.
pub(crate) fn unfinished(stop: &Stop, frame: &Frame, environment: &Type) -> BTreeSet<MemAddr> {
    let Some(code) = frame.code.as_ref().filter(|code| code.inline_depth == 0) else { return BTreeSet::new() };
    let Some(module) = stop.modules.of(&code.image) else { return BTreeSet::new() };
    let states = match environment.kind() {
        TypeKind::Struct { variants: Some(part), .. } => part.variants.len(),
        _ => return BTreeSet::new(),
    };
    let in_memory = |range: &Range<_>| module.bias.to_memory(range.start)..module.bias.to_memory(range.end);
    let ranges: Vec<Range<MemAddr>> = code.ranges.iter().map(in_memory).collect();
    let Some(flow) = Flow::read(stop, &ranges, states) else { return BTreeSet::new() };
    let file = code.function.declared.as_ref().map(|declared| declared.file.clone());
    let body = rows::body(code).into_iter().filter(|row| row.source.line > 0);
    let rows: Vec<(u64, u32)> = body
        .filter(|row| file.as_ref().is_none_or(|file| *file == row.source.file))
        .map(|row| (module.bias.to_memory(row.address).raw(), row.source.line))
        .collect();
    let declared = code.function.declared.as_ref().map_or(0, |declared| declared.line);
    let mut found = BTreeSet::new();
    for await_point in flow.awaits() {
        let in_pad = rows.iter().filter(|(address, _)| flow.block_of(*address) == Some(await_point.pad));
        found.extend(in_pad.clone().map(|(address, _)| MemAddr::new(*address)));
        let Some((_, line)) = in_pad.clone().find(|(_, line)| *line > declared) else { continue };
        let mut after = await_point.after;
        // The future is moved to where it is polled between `into_future` and the first poll.
        let begun = flow.calls.iter().filter(|(call, target)| {
            line_of(&rows, *call) == Some(*line)
                && is_into_future(&code.image, module.bias.to_file(MemAddr::new(*target)))
        });
        let begun: Vec<u64> = begun.map(|(call, _)| *call).collect();
        for call in &begun {
            after.extend(flow.block_of(*call).map(|block| flow.only_after(block)).unwrap_or_default());
        }
        let finishes = |address: u64| {
            let block = flow.block_of(address);
            let before_call = begun.iter().any(|call| flow.block_of(*call) == block && address <= *call);
            !before_call && block.is_some_and(|block| after.contains(&block))
        };
        let rest = rows.iter().filter(|(address, at)| at <= line && finishes(*address));
        found.extend(rest.map(|(address, _)| MemAddr::new(*address)));
    }
    found
}

/// The line of the row that covers an address; rows are in order of address within a range of code.
fn line_of(rows: &[(u64, u32)], address: u64) -> Option<u32> {
    rows.iter().filter(|(begin, _)| *begin <= address).max_by_key(|(begin, _)| *begin).map(|(_, line)| *line)
}

fn is_into_future(image: &Image, address: FileAddr) -> bool {
    image.symbol_at(address).is_some_and(|symbol| symbol.name.contains("11into_future"))
}

/// One await: the block that resumes it, and all blocks that only run once it was polled.
struct AwaitPoint {
    pad: usize,
    after: BTreeSet<usize>,
}

/// Basic blocks by address, with their successors.
struct Flow {
    blocks: BTreeMap<u64, usize>,
    successors: Vec<Vec<usize>>,
    /// Direct calls, with their targets.
    calls: Vec<(u64, u64)>,
    /// Targets of the jump table: block of the body's begin, then of the pads.
    root: usize,
    pads: Vec<usize>,
}

impl Flow {
    fn read(stop: &Stop, ranges: &[Range<MemAddr>], states: usize) -> Option<Self> {
        let mut code: Vec<Instruction> = Vec::new();
        for range in ranges {
            let bytes = read_code(stop, range);
            code.extend(&mut Decoder::with_ip(64, &bytes, range.start.raw(), DecoderOptions::NONE));
        }
        let table = jump_table(stop, &code, states)?;
        let inside = |address: &u64| ranges.iter().any(|range| range.contains(&MemAddr::new(*address)));
        let mut begins: BTreeSet<u64> = ranges.iter().map(|range| range.start.raw()).collect();
        begins.extend(&table);
        for instruction in &code {
            begins.extend(branch_target(instruction));
            if ends_block(instruction) {
                begins.insert(instruction.next_ip());
            }
        }
        begins.retain(inside);
        let blocks: BTreeMap<u64, usize> = begins.into_iter().zip(0..).collect();
        let successors = successors(&code, &blocks);
        let mut targets = table.iter().map(|target| blocks.get(target).copied());
        let root = targets.next()??;
        let pads = targets.skip(2).take(MOST_AWAITS).collect::<Option<Vec<usize>>>()?;
        let calls = code.iter().filter(|instruction| instruction.flow_control() == FlowControl::Call);
        let calls = calls.map(|call| (call.ip(), call.near_branch_target())).collect();
        Some(Self { blocks, successors, calls, root, pads })
    }

    fn block_of(&self, address: u64) -> Option<usize> {
        self.blocks.range(..=address).next_back().map(|(_, block)| *block)
    }

    fn awaits(&self) -> Vec<AwaitPoint> {
        let main = self.reached(self.root, None);
        let main_set: BTreeSet<usize> = main.iter().copied().collect();
        let mut found = Vec::new();
        for pad in &self.pads {
            let resumed = self.reached(*pad, None);
            // Where the pad comes into the body is where the future is polled.
            let Some(poll) = resumed.iter().find(|block| main_set.contains(block)) else { continue };
            let mut after = self.only_after(*poll);
            after.extend(resumed.iter().filter(|block| !main_set.contains(block)));
            found.push(AwaitPoint { pad: *pad, after });
        }
        found
    }

    /// Blocks of the body that cannot be reached without passing `block`, itself included.
    fn only_after(&self, block: usize) -> BTreeSet<usize> {
        let main: BTreeSet<usize> = self.reached(self.root, None).into_iter().collect();
        let without: BTreeSet<usize> = self.reached(self.root, Some(block)).into_iter().collect();
        main.difference(&without).copied().collect()
    }

    /// Blocks that can be reached from `start`, nearest first, without passing `barred`.
    fn reached(&self, start: usize, barred: Option<usize>) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        let mut queue = VecDeque::from([start]);
        while let Some(block) = queue.pop_front() {
            if barred == Some(block) || !seen.insert(block) {
                continue;
            }
            order.push(block);
            queue.extend(self.successors.get(block).into_iter().flatten());
        }
        order
    }
}

fn branch_target(instruction: &Instruction) -> Option<u64> {
    let direct =
        matches!(instruction.flow_control(), FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch);
    direct.then(|| instruction.near_branch_target())
}

fn ends_block(instruction: &Instruction) -> bool {
    !matches!(instruction.flow_control(), FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall)
}

/// Successors of each block. A jump through a register has none: the state's dispatch must not connect everything.
fn successors(code: &[Instruction], blocks: &BTreeMap<u64, usize>) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); blocks.len()];
    let mut current = None;
    for instruction in code {
        current = blocks.get(&instruction.ip()).copied().or(current);
        let Some(list) = current.and_then(|block| found.get_mut(block)) else { continue };
        list.extend(branch_target(instruction).and_then(|target| blocks.get(&target)));
        let falls_through = !ends_block(instruction) || instruction.flow_control() == FlowControl::ConditionalBranch;
        if falls_through {
            list.extend(blocks.get(&instruction.next_ip()));
        }
    }
    found
}

/// Targets of the first jump through a register: a table of 32-bit offsets from its own address (LLVM's x86-64 jump tables in
/// position-independent code), found by the `lea` before the jump.
fn jump_table(stop: &Stop, code: &[Instruction], states: usize) -> Option<Vec<u64>> {
    let jump = code.iter().position(|instruction| {
        instruction.flow_control() == FlowControl::IndirectBranch && instruction.op0_kind() == OpKind::Register
    })?;
    let before = code.get(jump.saturating_sub(WINDOW)..jump)?;
    let lea = before.iter().rev().find(|instruction| {
        instruction.mnemonic() == Mnemonic::Lea
            && instruction.code() == Code::Lea_r64_m
            && instruction.memory_base() == Register::RIP
    })?;
    let table = lea.ip_rel_memory_address();
    let bytes = stop.memory.read_bytes(MemAddr::new(table), states.checked_mul(4)?).ok()?;
    let offsets = bytes.chunks_exact(4).filter_map(|word| word.first_chunk::<4>());
    Some(offsets.map(|word| table.wrapping_add_signed(i64::from(i32::from_le_bytes(*word)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use weft_memory::Bytes;

    /// A body that polls, and then ends; its pad; a loop around nothing.
    #[test]
    fn what_follows_a_poll_is_told_from_what_leads_to_it() {
        // 1000: lea rcx,[rip+0xff9] (=0x2000); 1007: jmp rcx; 1009: nop (body); 100a: jmp 100c
        // 100c: nop (poll); 100d: nop; 100e: ret; 100f: jmp 100c (pad); 1011: ud2 (returned, panicked)
        let code = [
            0x48, 0x8d, 0x0d, 0xf9, 0x0f, 0, 0, 0xff, 0xe1, 0x90, 0xeb, 0x00, 0x90, 0x90, 0xc3, 0xeb, 0xfb, 0x0f, 0x0b,
        ];
        let start = MemAddr::new(0x1000);
        let offset = |target: i32| (target - 0x2000).to_le_bytes();
        let table: Vec<u8> = [0x1009, 0x1011, 0x1011, 0x100f].into_iter().flat_map(offset).collect();
        let memory = Bytes::new().with(start, code).with(MemAddr::new(0x2000), table);
        let stop = Stop {
            generation: 1,
            pid: 0,
            memory: Arc::new(memory),
            modules: Arc::default(),
            threads: Vec::new(),
            clock: None,
        };
        let range = start..MemAddr::new(0x1013);
        let flow = Flow::read(&stop, &[range], 4).expect("a dispatch");
        let awaits = flow.awaits();
        assert_eq!(awaits.len(), 1);
        assert_eq!(flow.block_of(0x100f), Some(awaits[0].pad));
        let after = |address: u64| awaits[0].after.contains(&flow.block_of(address).expect("a block"));
        assert_eq!([0x1009, 0x100c, 0x100e, 0x100f].map(after), [false, true, true, true]);
    }
}
