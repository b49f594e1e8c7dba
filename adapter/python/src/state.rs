//! Whether the program stands: what was handed out for a stop is worth nothing after it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

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
    /// Something was noted: a stop, or the end.
    noted: Condvar,
    over: AtomicBool,
    /// Counts what may have changed the program while it stood.
    changes: AtomicU64,
}

/// What came of a wait for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// It has stopped since.
    Stopped,
    /// It has not, and runs.
    Runs,
    /// There is no program any more.
    Over,
}

impl Standing {
    /// It has stopped.
    pub(crate) fn stop(&self) {
        let epoch = self.last.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        *lock(&self.now) = Some(epoch);
        self.noted.notify_all();
    }

    /// There will be no stop any more.
    pub(crate) fn end(&self) {
        // Under the lock, so that who is about to wait for it does not miss it.
        let mut now = lock(&self.now);
        *now = None;
        self.over.store(true, Ordering::Release);
        self.noted.notify_all();
    }

    /// Whether there will be no stop any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// How often something may have changed the program while it stood: what was read before is to be read again.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Something may have changed it.
    pub(crate) fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The last stop there was.
    pub(crate) fn last(&self) -> Epoch {
        self.last.load(Ordering::Acquire)
    }

    /// Waits for a stop after `last`, for so long at most.
    pub(crate) fn wait(&self, last: Epoch, at_most: Duration) -> Awaited {
        let nothing = |_: &mut Option<Epoch>| !self.is_over() && self.last() == last;
        let _now = self.noted.wait_timeout_while(lock(&self.now), at_most, nothing);
        match self.last() == last {
            _ if self.is_over() => Awaited::Over,
            true => Awaited::Runs,
            false => Awaited::Stopped,
        }
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
