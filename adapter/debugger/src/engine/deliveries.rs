//! What becomes of signals, and of stops by job control.

use nix::libc;
use weft_process::WaitEvent;

use super::Engine;
use crate::{Event, Reason, SignalPolicy, signals};

impl Engine {
    /// A signal is about to be delivered: it is passed on, shown first, or swallowed.
    pub(super) fn on_signal(&mut self, tid: i32, signal: i32) {
        if signal == libc::SIGCONT {
            self.job_stop = None;
        }
        let fault = signals::is_fault(signal).then(|| self.tracee.registers(tid).ok()).flatten();
        let fault = fault.map(|registers| (tid, registers.pc(), signal));
        // Rust's handler returns to the faulting instruction, for the signal to kill: that is the same fault again.
        let again = fault.is_some() && std::mem::replace(&mut self.fault, fault) == fault;
        match self.settings.signals.get(&signal) {
            Some(SignalPolicy::Stop) if !again => self.show_signal(tid, signal),
            // An instruction that fails would fail again, forever.
            Some(SignalPolicy::Ignore) if !again => self.deliver(tid, 0),
            None if !again && signals::is_fatal(self.tracee.pid(), signal) => self.show_signal(tid, signal),
            _ => self.deliver(tid, signal),
        }
    }

    /// The program executed an `int3` that is its own. One that it has no handler for stops like a breakpoint, and the
    /// program goes on behind it.
    pub(super) fn on_own_trap(&mut self, tid: i32) {
        match self.settings.signals.get(&libc::SIGTRAP) {
            Some(SignalPolicy::Pass) => self.deliver(tid, libc::SIGTRAP),
            Some(SignalPolicy::Ignore) => self.deliver(tid, 0),
            Some(SignalPolicy::Stop) => self.show_signal(tid, libc::SIGTRAP),
            None if signals::is_caught(self.tracee.pid(), libc::SIGTRAP) => self.deliver(tid, libc::SIGTRAP),
            None => {
                let text = "the program executed a breakpoint instruction of its own".to_owned();
                self.report(tid, Reason::Signal { name: "SIGTRAP".to_owned(), text });
            }
        }
    }

    fn deliver(&mut self, tid: i32, signal: i32) {
        let _ = self.tracee.resume(tid, signal);
    }

    /// Stops at a signal, which is delivered when its thread goes on.
    fn show_signal(&mut self, tid: i32, signal: i32) {
        self.undelivered.insert(tid, signal);
        let (name, text) = (signals::signal_name(signal), signals::meaning(signal).to_owned());
        self.report(tid, Reason::Signal { name, text });
    }

    /// Job control stopped the program, from outside or by itself; each thread says so.
    pub(super) fn on_job_stop(&mut self, tid: i32, signal: i32) {
        if self.job_stop.replace(signal).is_none() {
            let name = signals::signal_name(signal);
            (self.events)(Event::Note(format!(
                "{name} has stopped the program (job control): it stands until SIGCONT comes, or until it is paused and \
                 continued here"
            )));
        }
        let _ = self.tracee.resume(tid, 0);
    }

    /// A user's wish to go on ends a stop by job control too; whether there was one. It ends before any thread goes on: one
    /// that had not joined it yet would join it now. What threads have said of it and nobody has heard yet is past with
    /// it.
    pub(super) fn end_job_stop(&mut self) -> bool {
        if self.job_stop.take().is_none() {
            return false;
        }
        if let Err(error) = self.tracee.signal(libc::SIGCONT) {
            tracing::debug!(%error, "the job-control stop could not be ended");
        }
        self.pending.retain(|event| !matches!(event, WaitEvent::GroupStop { .. }));
        true
    }
}
