//! What is owed to a process that was there before us and will be there after us.

use super::Engine;
use crate::Event;

impl Engine {
    /// Right after attaching: its code is its own until it runs.
    pub(super) fn begin_attached(&mut self) {
        self.tracee.disarm();
        if !self.tracee.is_guarded() {
            (self.events)(Event::Note(
                "no guardian process could be started: if weft is killed while the program runs, its breakpoints stay in the \
                 program's code and end it"
                    .to_owned(),
            ));
        }
    }

    /// Going on does not end a stop that somebody else's `SIGSTOP` made before we came.
    pub(super) fn admit_job_stop(&self) {
        if self.tracee.is_in_job_control_stop() && self.job_stop.is_none() {
            let pid = self.tracee.pid();
            (self.events)(Event::Note(format!(
                "the program was stopped by a signal (job control) before weft attached, and stays so until it gets SIGCONT: \
                 kill -CONT {pid}"
            )));
        }
    }
}
