//! Machine code as a user reads it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, SymbolResolver, SymbolResult};
use weft_memory::MemAddr;
use weft_session::debuggee::{Answer, Instruction};
use weft_symbols::Modules;
use weft_values::Stop;

use crate::memory;
use crate::variables::still;
use crate::words::location;

/// The longest instruction there is.
const LONGEST: usize = 15;

/// Bytes read at once.
const WINDOW: usize = 4096;

/// A function larger than this is not decoded from its begin to find out where an instruction in it begins.
const MOST_FUNCTION: u64 = 1 << 20;

/// What may lie between two functions at most.
const MOST_PADDING: u64 = 64;

/// Exactly `count` instructions, the first of them `skip` instructions after `address`, or before. Before an address,
/// instructions are those that the function's begin leads to; where no begin is known, bytes are shown one by one.
pub(crate) fn disassemble(stop: &Stop, address: MemAddr, skip: i64, count: usize) -> Answer<Vec<Instruction>> {
    let mut code = Code { stop, base: 0, window: Vec::new() };
    let before = usize::try_from(skip.min(0).unsigned_abs()).unwrap_or(0);
    let after = usize::try_from(skip.max(0)).unwrap_or(0);
    let mut list: VecDeque<Piece> = VecDeque::new();
    code.backwards(address.raw(), before, &mut list);
    let mut at = address.raw();
    while list.len() < before + after + count {
        let piece = code.piece(at, u64::MAX);
        at = at.wrapping_add(piece.length);
        list.push_back(piece);
    }
    let pieces: Vec<Piece> = list.into_iter().skip(after).take(count).collect();
    let names = Names(stop.modules.clone());
    let mut formatter = IntelFormatter::with_options(Some(Box::new(names.clone())), None);
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_space_after_operand_separator(true);
    options.set_uppercase_hex(false);
    options.set_rip_relative_addresses(true);
    options.set_small_hex_numbers_in_decimal(true);
    let shown = pieces.into_iter().enumerate();
    let instructions = shown.map(|(row, piece)| piece.shown(&names, &mut formatter, row == 0)).collect();
    still(stop)?;
    Ok(instructions)
}

/// A piece of memory that is one instruction, or one byte of none.
struct Piece {
    address: u64,
    length: u64,
    bytes: Vec<u8>,
    instruction: Option<iced_x86::Instruction>,
}

/// The program's code, read by windows.
struct Code<'a> {
    stop: &'a Stop,
    base: u64,
    window: Vec<u8>,
}

impl Code<'_> {
    /// Bytes at an address, as many as an instruction can have; fewer where memory ends.
    fn bytes(&mut self, at: u64) -> Answer<&[u8]> {
        let inside = at.checked_sub(self.base).and_then(|from| usize::try_from(from).ok());
        let from = match inside.filter(|from| from.saturating_add(LONGEST) <= self.window.len()) {
            Some(from) => from,
            None => {
                self.window = memory::read(self.stop, MemAddr::new(at), WINDOW)?.bytes;
                self.base = at;
                0
            }
        };
        let rest = self.window.get(from..).unwrap_or_default();
        Ok(rest.get(..rest.len().min(LONGEST)).unwrap_or_default())
    }

    /// What is at an address. `end`: where it has to end at the latest.
    fn piece(&mut self, at: u64, end: u64) -> Piece {
        let bytes = self.bytes(at).unwrap_or_default();
        let mut decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
        let decoded = decoder.decode();
        let length = decoded.len();
        let fits = at.checked_add(length as u64).is_some_and(|next| next <= end);
        if decoded.is_invalid() || !fits {
            let bytes = bytes.iter().take(1).copied().collect();
            return Piece { address: at, length: 1, bytes, instruction: None };
        }
        let bytes = bytes.get(..length).unwrap_or_default().to_vec();
        Piece { address: at, length: length as u64, bytes, instruction: Some(decoded) }
    }

    /// Puts `wanted` pieces before `address`.
    fn backwards(&mut self, address: u64, wanted: usize, list: &mut VecDeque<Piece>) {
        let mut end = address;
        while list.len() < wanted {
            let before = end.wrapping_sub(1);
            let Some(start) = block_start(&self.stop.modules, before) else {
                list.push_front(self.piece_of_one(before));
                end = before;
                continue;
            };
            let mut block = Vec::new();
            let mut at = start;
            while at < end {
                let piece = self.piece(at, end);
                at = at.saturating_add(piece.length);
                block.push(piece);
            }
            for piece in block.into_iter().rev().take(wanted.saturating_sub(list.len())) {
                list.push_front(piece);
            }
            end = start;
        }
    }

    fn piece_of_one(&mut self, at: u64) -> Piece {
        let bytes = self.bytes(at).unwrap_or_default().iter().take(1).copied().collect();
        Piece { address: at, length: 1, bytes, instruction: None }
    }
}

/// Where decoding has to begin to find the instruction that ends after `last`: at the begin of its function, or of the
/// padding that it is in. None where that is not known.
fn block_start(modules: &Modules, last: u64) -> Option<u64> {
    if let Some(function) = function_at(modules, last) {
        return (last.saturating_sub(function.start) < MOST_FUNCTION).then_some(function.start);
    }
    let padding = (1..=MOST_PADDING).find_map(|back| function_at(modules, last.checked_sub(back)?))?;
    (padding.end <= last).then_some(padding.end)
}

/// The code around an address that belongs together: a symbol's, or a function's in the debug information.
fn function_at(modules: &Modules, address: u64) -> Option<Range<u64>> {
    let (module, file) = modules.to_file(MemAddr::new(address))?;
    if let Some(symbol) = module.image.symbol_at(file) {
        let start = module.bias.to_memory(symbol.address).raw();
        return Some(start..start.saturating_add(symbol.size).max(address.saturating_add(1)));
    }
    let function = module.image.frames_at(file).ok()?.pop()?;
    let range = function.ranges.iter().find(|range| range.contains(&file))?;
    Some(module.bias.to_memory(range.start).raw()..module.bias.to_memory(range.end).raw())
}

impl Piece {
    fn shown(self, names: &Names, formatter: &mut IntelFormatter, first: bool) -> Instruction {
        let text = self.instruction.map(|instruction| {
            let mut text = String::new();
            formatter.format(&instruction, &mut text);
            text
        });
        let symbol = names.at(self.address).and_then(|(start, name)| match self.address.saturating_sub(start) {
            0 => Some(name),
            offset if first => Some(format!("{name}+{offset:#x}")),
            _ => None,
        });
        let at = names.0.to_file(MemAddr::new(self.address)).and_then(|(module, file)| {
            let line = self.instruction.and_then(|_| module.image.line_at(file).ok().flatten())?;
            location(&line)
        });
        Instruction { address: self.address, bytes: self.bytes, text, symbol, at }
    }
}

/// Names of addresses.
#[derive(Clone)]
struct Names(Arc<Modules>);

impl Names {
    /// What covers an address: where it begins, and what a user calls it.
    fn at(&self, address: u64) -> Option<(u64, String)> {
        let found = self.0.code_name(MemAddr::new(address))?;
        Some((address.checked_sub(found.offset)?, found.name))
    }
}

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        _: &iced_x86::Instruction,
        _: u32,
        _: Option<u32>,
        address: u64,
        _: u32,
    ) -> Option<SymbolResult<'_>> {
        let (start, name) = self.at(address)?;
        Some(SymbolResult::with_string(start, name))
    }
}
