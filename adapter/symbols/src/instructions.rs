//! Where instructions begin.

use std::sync::Arc;

use iced_x86::{Decoder, DecoderOptions};
use weft_memory::FileAddr;

use crate::Image;

/// Longest function that is decoded, in bytes.
const LONGEST: u64 = 1 << 22;

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
