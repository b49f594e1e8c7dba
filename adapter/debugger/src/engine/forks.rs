//! Processes that the debuggee makes.

use super::Engine;
use crate::Event;

impl Engine {
    /// The debuggee forked. The child has its own code back and runs free; or stands in a job-control stop, for a client
    /// that wants to debug it too.
    pub(super) fn on_fork(&mut self, child: i32) {
        self.placement.born(child, &self.tracee);
        if self.settings.follow_forks {
            (self.events)(Event::Forked(child));
        }
    }
}
