//! Writing into the program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weft_protocol::async_dap::AsyncTasksChangedEventBody;
use weft_protocol::spec::{InvalidatedEventBody, MemoryEventBody, WriteMemoryArguments, WriteMemoryResponse};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::Answer;
use crate::lane::Lane;
use crate::outbox::Ticket;
use crate::places::{address_text, parse_address};

impl Lane {
    /// Serves `writeMemory`. What was read before may be different now: the numbers of frames and variables end, and a
    /// client that understands is told to ask again.
    pub(crate) fn write_memory(&self, asked: &WriteMemoryArguments, ticket: Ticket) {
        let (address, written) = match self.write(asked) {
            Ok(done) => done,
            Err(error) => return ticket.fail(error),
        };
        let count = i64::try_from(written).unwrap_or(i64::MAX);
        let generation = match self.shared.need_stop() {
            Ok((_, stopped)) if written > 0 => Some(self.shared.stop((*stopped).clone())),
            _ => None,
        };
        ticket.ok(&WriteMemoryResponse { bytes_written: count });
        let Some(generation) = generation else { return };
        let client = self.shared.client();
        if client.hears_memory {
            let body = MemoryEventBody { memory_reference: address_text(address), offset: 0, count };
            self.shared.out.event("memory", &body);
        }
        if client.hears_invalidated {
            self.shared.out.event("invalidated", &InvalidatedEventBody { areas: vec!["all"] });
        }
        self.shared.out.event("asyncTasksChanged", &AsyncTasksChangedEventBody { generation });
    }

    /// Where it was written, and how many bytes.
    fn write(&self, asked: &WriteMemoryArguments) -> Answer<(u64, usize)> {
        self.shared.need_stop()?;
        let address = parse_address(&asked.memory_reference, asked.offset)?;
        let bytes = STANDARD
            .decode(asked.data.trim())
            .map_err(|error| Error::new(ErrorId::InvalidArguments, format!("`data` is not base64: {error}")))?;
        if bytes.is_empty() {
            return Ok((address, 0));
        }
        let debuggee = self.shared.need_debuggee()?;
        if asked.allow_partial != Some(true) {
            let there = debuggee.read_memory(address, bytes.len())?.bytes.len();
            if there < bytes.len() {
                let sentence = format!(
                    "only {there} of {} bytes at {address:#x} are memory of the program; nothing was written",
                    bytes.len()
                );
                return Err(Error::new(ErrorId::Unreadable, sentence));
            }
        }
        Ok((address, debuggee.write_memory(address, &bytes)?))
    }
}
