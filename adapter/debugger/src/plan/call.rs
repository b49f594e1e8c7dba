//! The calls that a line makes.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl};
use weft_memory::MemAddr;
use weft_values::Stop;

/// Longest stretch of code that is decoded for one row; a row is a few instructions.
const LONGEST: u64 = 1 << 16;

/// The code in a range of addresses; none where it cannot be read.
fn read_code(stop: &Stop, range: &Range<MemAddr>) -> Vec<u8> {
    let length = range.end.since(range.start).unwrap_or(0).min(LONGEST);
    stop.memory.read_bytes(range.start, usize::try_from(length).unwrap_or(0)).unwrap_or_default()
}

/// Addresses of call instructions in a range of code.
pub(crate) fn calls_in(stop: &Stop, range: &Range<MemAddr>) -> Vec<MemAddr> {
    let bytes = read_code(stop, range);
    Decoder::with_ip(64, &bytes, range.start.raw(), DecoderOptions::NONE)
        .iter()
        .filter(|instruction| matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall))
        .map(|instruction| MemAddr::new(instruction.ip()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use weft_memory::Bytes;

    #[test]
    fn direct_and_indirect_calls_are_found() {
        // nop; call +0; call rax; jmp rax
        let code = [0x90, 0xe8, 0, 0, 0, 0, 0xff, 0xd0, 0xff, 0xe0];
        let start = MemAddr::new(0x1000);
        let stop = Stop {
            generation: 1,
            pid: 0,
            memory: Arc::new(Bytes::new().with(start, code)),
            modules: Arc::default(),
            threads: Vec::new(),
            clock: None,
        };
        assert_eq!(calls_in(&stop, &(start..MemAddr::new(0x100a))), [MemAddr::new(0x1001), MemAddr::new(0x1006)]);
    }
}
