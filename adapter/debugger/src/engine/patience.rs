//! A step that waits for what may never come says so, once.

use std::time::{Duration, Instant};

use super::Engine;
use super::clock::Clock;
use crate::Event;

/// How long a step waits before it says so.
const PATIENCE: Duration = Duration::from_secs(3);

/// A step that waits.
pub(super) struct Patience {
    since: Instant,
    /// Until it has been said.
    clock: Option<Clock>,
}

impl Engine {
    /// The plan has judged a hit: perhaps it begins to wait, or does not wait any more.
    pub(super) fn look_after_wait(&mut self) {
        let waits = self.plan.as_ref().is_some_and(|plan| plan.waits().is_some());
        if waits && self.patience.is_none() {
            let clock = Clock::start("patience", PATIENCE, self.tracee.waker());
            self.patience = Some(Patience { since: Instant::now(), clock });
        } else if !waits {
            // What has been said is not said again.
            self.patience.take_if(|patience| patience.clock.is_some());
        }
    }

    /// Somebody woke the engine, perhaps the clock.
    pub(super) fn tell_of_wait(&mut self) {
        let Some(patience) = &mut self.patience else { return };
        let Some(waits) = self.plan.as_ref().and_then(|plan| plan.waits()) else {
            return self.look_after_wait();
        };
        if patience.since.elapsed() >= PATIENCE && patience.clock.take().is_some() {
            (self.events)(Event::Note(format!("{waits}; pause to end the step")));
        }
    }
}
