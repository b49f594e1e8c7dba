//! Writing into the program's memory.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_values::Stop;

use super::{Engine, State};
use crate::Refused;
use crate::stops::stop_of;

/// What is writable or not at once.
const PAGE: u64 = 4096;

impl Engine {
    /// Writes as much as can be written, from the first byte on, and says how many bytes that is. A stop goes on with
    /// other memory, as another one.
    pub(super) fn write(&mut self, address: MemAddr, bytes: &[u8]) -> Result<usize, Refused> {
        if self.state == State::Over {
            return Err(Refused::Ended);
        }
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let here = address.raw().checked_add(written as u64).ok_or_else(|| outside(address))?;
            let to_page_end = usize::try_from(PAGE - here % PAGE).unwrap_or(rest.len());
            let part = rest.get(..rest.len().min(to_page_end)).unwrap_or(rest);
            match self.tracee.write_memory(MemAddr::new(here), part) {
                Ok(()) => written += part.len(),
                Err(error) if written == 0 => return Err(Refused::Failed(format!("{address}: {error}"))),
                Err(_) => break,
            }
        }
        self.look_at_watched();
        if matches!(self.state, State::Stopped(_)) {
            let stop = stop_of(&self.tracee, self.modules.clone()).map_err(super::refused)?;
            self.shared.set_current(Some(Arc::new(stop)));
        }
        Ok(written)
    }

    /// Writes into the program as it stands at the stop of that number.
    pub(super) fn change(&mut self, at: u64, writes: &[(MemAddr, Vec<u8>)]) -> Result<Arc<Stop>, Refused> {
        let now = self.shared.current().filter(|stop| stop.generation == at).ok_or(Refused::Running)?;
        // What can be read can be written: the kernel disregards protections for a debugger.
        for (address, bytes) in writes {
            let read = now.memory.read_bytes(*address, bytes.len());
            read.map_err(|error| Refused::Failed(format!("nothing was written: {error}")))?;
        }
        for (address, bytes) in writes {
            let written = self.write(*address, bytes)?;
            if written < bytes.len() {
                return Err(Refused::Failed(format!("only {written} of {} bytes were written", bytes.len())));
            }
        }
        self.shared.current().ok_or(Refused::Running)
    }
}

fn outside(address: MemAddr) -> Refused {
    Refused::Failed(format!("{address} and what follows it are no memory of the program"))
}
