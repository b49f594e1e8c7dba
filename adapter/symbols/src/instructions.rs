//! Where instructions begin, and where some of them leave what they have worked out.

use std::ops::Range;
use std::sync::Arc;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};
use weft_memory::{DwarfRegister, FileAddr};

use crate::unwind::dwarf_register;
use crate::{CodeFrame, Image};

/// Longest function that is decoded, in bytes.
const LONGEST: u64 = 1 << 22;

/// Where a thread has a value that was just worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueAt {
    /// The instruction before which it is there.
    pub address: FileAddr,
    /// The register that has it then.
    pub register: DwarfRegister,
}

impl CodeFrame {
    /// Where a function with code of its own has the word that it returns: at each instruction that returns. Empty if its
    /// code cannot be read.
    pub fn returned_words(&self) -> Vec<ValueAt> {
        let returns = self.instructions().into_iter().filter(|instruction| instruction.mnemonic() == Mnemonic::Ret);
        let at = |instruction: Instruction| FileAddr::new(instruction.ip());
        returns.map(|it| ValueAt { address: at(it), register: DwarfRegister::RAX }).collect()
    }

    /// Where this copy of a function has what a word of memory was before it was atomically added to (`lock xadd`): behind
    /// each instruction that does. Empty if its code cannot be read.
    pub fn words_added_to(&self) -> Vec<ValueAt> {
        let adds =
            |instruction: &Instruction| instruction.mnemonic() == Mnemonic::Xadd && instruction.has_lock_prefix();
        let value = |instruction: Instruction| {
            let register = dwarf_register(instruction.op1_register())?;
            Some(ValueAt { address: FileAddr::new(instruction.next_ip()), register })
        };
        self.instructions().into_iter().filter(adds).filter_map(value).collect()
    }

    /// Its instructions, each piece of its code up to the first byte that is none.
    fn instructions(&self) -> Vec<Instruction> {
        let piece = |range: &Range<FileAddr>| {
            let length = range.end.since(range.start).filter(|length| *length <= LONGEST)?;
            let code = self.image.loaded_bytes(range.start.raw(), usize::try_from(length).ok()?)?;
            let decoder = Decoder::with_ip(64, &code, range.start.raw(), DecoderOptions::NONE);
            Some(decoder.into_iter().take_while(|instruction| !instruction.is_invalid()).collect::<Vec<_>>())
        };
        self.ranges.iter().filter_map(piece).flatten().collect()
    }
}

impl Image {
    /// Whether an instruction begins at an address, decoding from the begin of the function around it (by debug
    /// information, else by symbol). `None`: no function is known there, or it cannot be read.
    pub fn begins_instruction(self: &Arc<Self>, address: FileAddr) -> Option<bool> {
        let begin = self.function_begin(address)?;
        let length = address.since(begin).filter(|length| *length <= LONGEST)?;
        if length == 0 {
            return Some(true);
        }
        let code = self.loaded_bytes(begin.raw(), usize::try_from(length).ok()?)?;
        let mut decoder = Decoder::with_ip(64, &code, begin.raw(), DecoderOptions::NONE);
        while decoder.ip() < address.raw() {
            let before = decoder.ip();
            let instruction = decoder.decode();
            // The code ends where the address is: what does not fit begins before it and ends behind.
            if instruction.is_invalid() || decoder.ip() <= before {
                return Some(false);
            }
        }
        Some(decoder.ip() == address.raw())
    }

    /// The first instruction of the piece of a function that an address is in.
    fn function_begin(self: &Arc<Self>, address: FileAddr) -> Option<FileAddr> {
        let outermost = self.frames_at(address).ok().and_then(|frames| frames.into_iter().last());
        let piece = outermost.and_then(|code| code.ranges.iter().find(|range| range.contains(&address)).cloned());
        piece.map(|range| range.start).or_else(|| self.symbol_at(address).map(|symbol| symbol.address))
    }
}
