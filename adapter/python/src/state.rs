//! Whether the program stands: what was handed out for a stop is worth nothing after it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::Answer;

use crate::link::{Fault, Link, PATIENCE, lock};

/// Which stop, counted from 1.
pub(crate) type Epoch = u64;

/// Whether the program stands, and where.
#[derive(Default)]
pub(crate) struct Standing {
    /// Counts stops.
    last: AtomicU64,
    now: Mutex<Option<Epoch>>,
}

impl Standing {
    /// It has stopped.
    pub(crate) fn stop(&self) {
        let epoch = self.last.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        *lock(&self.now) = Some(epoch);
    }

    /// It goes on. What it was before: so that it can be as before, should it not have gone.
    pub(crate) fn leave(&self) -> Option<Epoch> {
        lock(&self.now).take()
    }

    /// It did not go on after all.
    pub(crate) fn stay(&self, epoch: Option<Epoch>) {
        *lock(&self.now) = epoch;
    }

    /// The current stop.
    pub(crate) fn current(&self) -> Answer<Epoch> {
        lock(&self.now).ok_or_else(Error::running)
    }

    /// Whether that stop is still the current one.
    pub(crate) fn check(&self, epoch: Epoch) -> Answer<()> {
        if *lock(&self.now) == Some(epoch) { Ok(()) } else { Err(Error::resumed()) }
    }

    /// Asks something that is only true at that stop.
    pub(crate) fn ask(&self, epoch: Epoch, link: &Link, command: &'static str, arguments: &Value) -> Answer<Value> {
        self.check(epoch)?;
        let answer = link.request(command, arguments, PATIENCE);
        self.check(epoch)?;
        answer.map_err(|fault| fault_as(ErrorId::Unreadable, fault))
    }
}

/// An error of the protocol; `refused` is the kind when the program itself says no.
pub(crate) fn fault_as(refused: ErrorId, fault: Fault) -> Error {
    let id = match &fault {
        Fault::Refused(_) => refused,
        Fault::Late { .. } => ErrorId::Control,
        Fault::Gone => ErrorId::NoDebuggee,
    };
    Error::new(id, fault)
}
