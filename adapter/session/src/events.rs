//! The way from a debuggee to its session.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::debuggee::{Channel, DebuggeeEvent};
use crate::lane::Input;

/// Bytes of program output that may wait for the client before the program has to.
const OUTPUT_BOUND: usize = 1 << 20;

/// A debuggee's end of the way; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct EventSender {
    lane: UnboundedSender<Input>,
    budget: Arc<OutputBudget>,
}

impl EventSender {
    pub(crate) fn new(lane: UnboundedSender<Input>, budget: Arc<OutputBudget>) -> Self {
        Self { lane, budget }
    }

    /// Reports something. Never blocks; events are told to the client in the order sent, and after the response
    /// to the request that caused them. Reports of a session that is over go nowhere.
    pub fn send(&self, event: DebuggeeEvent) {
        let _ = self.lane.send(Input::Event(event));
    }

    /// Passes on what the program wrote. Blocks while the client is far behind, as a pipe would, so that a program
    /// that writes without end cannot fill the adapter's memory; therefore never called by the thread that controls
    /// the program. False: nobody listens any more, stop reading.
    pub fn output(&self, channel: Channel, text: String) -> bool {
        let size = text.len();
        self.budget.take(size) && self.lane.send(Input::Output(channel, text)).is_ok()
    }
}

/// Bytes of output between the program and the client.
#[derive(Default)]
pub(crate) struct OutputBudget {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: usize,
    closed: bool,
}

impl OutputBudget {
    /// Waits until less than the bound is under way, then adds to it. False when the session is over.
    fn take(&self, size: usize) -> bool {
        let waiting = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self
            .changed
            .wait_while(waiting, |waiting| waiting.bytes > OUTPUT_BOUND && !waiting.closed)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = waiting.bytes.saturating_add(size);
        !waiting.closed
    }

    /// The client has got this much.
    pub(crate) fn give_back(&self, size: usize) {
        let mut waiting = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = waiting.bytes.saturating_sub(size);
        self.changed.notify_all();
    }

    /// Nothing is delivered from now on.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}
