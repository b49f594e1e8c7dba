//! The program as a machine: instructions and bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weft_protocol::spec::{
    DisassembleArguments, DisassembleResponse, DisassembledInstruction, ReadMemoryArguments, ReadMemoryResponse,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, Instruction};
use crate::places::{Places, address_text, parse_address};
use crate::shared::Shared;

/// Instructions of one answer.
const MOST_INSTRUCTIONS: usize = 16_384;

/// Bytes of one answer; a client that wants more asks again.
const MOST_BYTES: usize = 1 << 20;

/// Serves `disassemble`.
pub(crate) fn disassemble(shared: &Shared, asked: &DisassembleArguments) -> Answer<DisassembleResponse> {
    shared.need_stop()?;
    let address = parse_address(&asked.memory_reference, asked.offset)?;
    let count = usize::try_from(asked.instruction_count).ok().filter(|count| *count <= MOST_INSTRUCTIONS);
    let count = count.ok_or_else(|| {
        Error::new(ErrorId::InvalidArguments, format!("`instructionCount` must be 0 to {MOST_INSTRUCTIONS}"))
    })?;
    let skip = asked.instruction_offset.unwrap_or(0);
    if skip.unsigned_abs() > MOST_INSTRUCTIONS as u64 {
        let sentence = format!("`instructionOffset` must be within {MOST_INSTRUCTIONS} instructions");
        return Err(Error::new(ErrorId::InvalidArguments, sentence));
    }
    let found = shared.need_debuggee()?.disassemble(address, skip, count)?;
    let places = shared.places();
    let with_symbols = asked.resolve_symbols.unwrap_or(true);
    let mut last_file = None;
    let instructions = found.into_iter().map(|found| {
        let mut line = instruction(&found, &places, with_symbols);
        // The protocol wants the file where it changes.
        let file = found.at.map(|at| at.file);
        if file.is_some() && file == last_file {
            line.location = None;
        }
        last_file = file.or(last_file.take());
        line
    });
    Ok(DisassembleResponse { instructions: instructions.collect() })
}

fn instruction(found: &Instruction, places: &Places, with_symbols: bool) -> DisassembledInstruction {
    let at = found.at.as_ref();
    let bytes: Vec<String> = found.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    DisassembledInstruction {
        address: address_text(found.address),
        instruction_bytes: (!bytes.is_empty()).then(|| bytes.join(" ")),
        instruction: found.text.clone().unwrap_or_else(|| "??".to_owned()),
        symbol: found.symbol.clone().filter(|_| with_symbols),
        location: at.map(|at| places.source(&at.file)),
        line: at.map(|at| places.line(at.line)),
        column: at.filter(|at| at.column > 0).map(|at| places.column(at.column)),
        presentation_hint: found.text.is_none().then_some("invalid"),
    }
}

/// Serves `readMemory`.
pub(crate) fn read(shared: &Shared, asked: &ReadMemoryArguments) -> Answer<ReadMemoryResponse> {
    shared.need_stop()?;
    let address = parse_address(&asked.memory_reference, asked.offset)?;
    let count = usize::try_from(asked.count)
        .map_err(|_| Error::new(ErrorId::InvalidArguments, "`count` must not be negative"))?;
    let found = shared.need_debuggee()?.read_memory(address, count.min(MOST_BYTES))?;
    Ok(ReadMemoryResponse {
        address: address_text(address),
        unreadable_bytes: (found.unreadable > 0).then(|| i64::try_from(found.unreadable).unwrap_or(i64::MAX)),
        data: (!found.bytes.is_empty()).then(|| STANDARD.encode(&found.bytes)),
    })
}
