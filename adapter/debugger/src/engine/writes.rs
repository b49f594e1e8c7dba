//! Writing into the program's memory.

use std::sync::Arc;

use weft_memory::{MemAddr, MemoryError};

use super::{Engine, State};
use crate::stops::stop_of;
use crate::{Changed, Refused};

/// What is writable or not at once.
const PAGE: u64 = 4096;

impl Engine {
    /// Writes as much as can be written, from the first byte on, and says how many bytes that is. A stop goes on with
    /// other memory, as another one.
    pub(super) fn write(&mut self, address: MemAddr, bytes: &[u8]) -> Result<usize, Refused> {
        if self.state == State::Over {
            return Err(Refused::Ended);
        }
        let written = self.put(address, bytes);
        self.renew()?;
        written
    }

    /// Writes into the program as it stands at the stop of that number: all, or nothing.
    pub(super) fn change(&mut self, at: u64, writes: &[(MemAddr, Vec<u8>)]) -> Result<Changed, Refused> {
        let now = self.shared.current().filter(|stop| stop.generation == at).ok_or(Refused::Running)?;
        let read =
            |(address, bytes): &(MemAddr, Vec<u8>)| Ok((*address, now.memory.read_bytes(*address, bytes.len())?));
        let before = writes.iter().map(read).collect::<Result<Vec<_>, MemoryError>>();
        let before = before.map_err(|error| Refused::Failed(format!("nothing was written: {error}")))?;
        let failure = writes.iter().find_map(|(address, bytes)| self.put_all(*address, bytes).err());
        if failure.is_some() {
            // What was not written is put back too, which changes nothing; whether all is as before is seen below.
            before.iter().for_each(|(address, bytes)| drop(self.put(*address, bytes)));
        }
        self.renew()?;
        let stop = self.shared.current().ok_or(Refused::Running)?;
        let is_there = |(address, bytes): &(MemAddr, Vec<u8>)| {
            stop.memory.read_bytes(*address, bytes.len()).is_ok_and(|found| found == *bytes)
        };
        let failure = failure.map(|why| match before.iter().all(is_there) {
            true => Refused::Failed(format!("nothing was written: {why}")),
            false => Refused::Failed(format!("not all was written, and what was cannot be taken back: {why}")),
        });
        Ok(Changed { stop, failure })
    }

    fn put_all(&mut self, address: MemAddr, bytes: &[u8]) -> Result<(), Refused> {
        match self.put(address, bytes)? {
            written if written == bytes.len() => Ok(()),
            written => {
                Err(Refused::Failed(format!("{address}: only {written} of {} bytes can be written", bytes.len())))
            }
        }
    }

    /// Writes page by page, as far as it goes.
    fn put(&mut self, address: MemAddr, bytes: &[u8]) -> Result<usize, Refused> {
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
        Ok(written)
    }

    /// Attempts to write end a stop, which goes on as another one.
    fn renew(&mut self) -> Result<(), Refused> {
        self.look_at_watched();
        if matches!(self.state, State::Stopped(_)) {
            let stop = stop_of(&self.tracee, self.modules.clone()).map_err(super::refused)?;
            self.shared.set_current(Some(Arc::new(stop)));
        }
        Ok(())
    }
}

fn outside(address: MemAddr) -> Refused {
    Refused::Failed(format!("{address} and what follows it are no memory of the program"))
}
