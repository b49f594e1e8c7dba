//! The way from a debuggee to its session.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::mpsc::UnboundedSender;
use weft_tasks::{Location, TaskKey};

use crate::debuggee::{Channel, DebuggeeEvent, Work};
use crate::lane::Input;
use crate::progress;
use crate::shared::{Shared, lock};

/// Log messages that may wait for the client.
const LOG_BOUND: usize = 4096;

/// Bytes of program output that may wait for the client before the program has to.
const OUTPUT_BOUND: usize = 1 << 20;

/// A debuggee's end of the way; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct EventSender {
    lane: UnboundedSender<Input>,
    shared: Arc<Shared>,
    /// Which debuggee of the session: what an earlier one still says is not taken for news of this one.
    load: u64,
}

impl EventSender {
    pub(crate) fn new(lane: UnboundedSender<Input>, shared: Arc<Shared>, load: u64) -> Self {
        Self { lane, shared, load }
    }

    /// Reports something. Never blocks; events are told to the client in the order sent, and after the response
    /// to the request that caused them. Reports of a session that is over go nowhere.
    pub fn send(&self, event: DebuggeeEvent) {
        let _ = self.lane.send(Input::Event(self.load, event));
    }

    /// Reports a breakpoint's log message. Never blocks: when the client is so far behind that thousands wait for it,
    /// further ones are dropped, and it is said how many.
    pub fn log(&self, text: String, at: Option<Location>) {
        if self.shared.logs.take() {
            self.send(DebuggeeEvent::Log(text, at));
        }
    }

    /// The number by which the client knows a task; a task that it has not seen gets one.
    pub fn task_number(&self, task: TaskKey) -> u64 {
        u64::try_from(self.shared.tasks.numbering().task(task)).unwrap_or(u64::MAX)
    }

    /// Tells of work that has begun. Never blocks.
    pub fn work(&self, work: Arc<dyn Work>) {
        progress::watch(&self.shared, work);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Passes on what the program wrote. Blocks while the client is far behind, as a pipe would, so that a program
    /// that writes without end cannot fill the adapter's memory; therefore never called by the thread that controls
    /// the program. What was passed on before [`send`](Self::send) is told before it. False: nobody listens any
    /// more, stop reading.
    pub fn output(&self, channel: Channel, text: String) -> bool {
        // It does not go through the lane: the lane may be waiting for the very thread that writes here.
        let goes_on = self.shared.budget.take(text.len());
        if goes_on {
            self.shared.out.output(channel, text);
        }
        goes_on
    }
}

/// Log messages between the program's breakpoints and the client.
#[derive(Default)]
pub(crate) struct LogBudget {
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

impl LogBudget {
    /// Whether one more may wait.
    fn take(&self) -> bool {
        let fits = self.waiting.fetch_add(1, Ordering::AcqRel) < LOG_BOUND;
        if !fits {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.dropped.fetch_add(1, Ordering::AcqRel);
        }
        fits
    }

    /// The client has got one.
    pub(crate) fn give_back(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many were dropped since this was asked the last time.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::AcqRel)
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
    /// Waits until less than the bound is under way, then adds to it. False when nobody listens any more.
    fn take(&self, size: usize) -> bool {
        let too_much = |waiting: &mut Waiting| waiting.bytes > OUTPUT_BOUND && !waiting.closed;
        let mut waiting = match self.changed.wait_while(lock(&self.state), too_much) {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        waiting.bytes = waiting.bytes.saturating_add(size);
        !waiting.closed
    }

    /// The client has got this much.
    pub(crate) fn give_back(&self, size: usize) {
        let mut waiting = lock(&self.state);
        waiting.bytes = waiting.bytes.saturating_sub(size);
        self.changed.notify_all();
    }

    /// The session is being ended: those who wait to write must not hold it up.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}
