//! What wakes the engine from time to time while it waits for the debuggee.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use weft_process::Waker;

/// Wakes the engine in a rhythm for as long as it is kept.
pub(super) struct Clock {
    /// Dropped with the clock, which ends its thread.
    _running: Sender<()>,
}

impl Clock {
    /// Begins to tick; `what` is what for, in the name of its thread. None: no thread can be started for it.
    pub(super) fn start(what: &str, period: Duration, waker: Waker) -> Option<Self> {
        let (_running, ended) = channel::<()>();
        let tick = move || {
            while matches!(ended.recv_timeout(period), Err(RecvTimeoutError::Timeout)) {
                waker.wake();
            }
        };
        std::thread::Builder::new().name(what.to_owned()).spawn(tick).ok()?;
        Some(Self { _running })
    }
}
