//! What is known about one thread.

use std::{cell::Cell, collections::HashMap};

use weft_memory::MemAddr;

use super::passing::Detour;
use crate::{Tid, ptrace};

/// What a thread is doing, as far as the kernel has told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Announced by its parent; its first stop has not been seen.
    Starting,
    Running,
    Stopped,
    /// Past its last own instruction.
    Exiting,
}

/// How a thread was last resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Run,
    Step,
}

#[derive(Debug)]
pub(super) struct Thread {
    pub(super) state: State,
    pub(super) pace: Pace,
    /// We asked it to stop and it has not stopped since.
    pub(super) interrupted: bool,
    /// The signal of the job-control stop that the thread is in.
    pub(super) group_stop: Option<i32>,
    /// Waits in the kernel for a vforked child; it cannot be stopped until that child execs or ends.
    pub(super) in_vfork: bool,
    /// Resumed only to report a trap that it has already hit; it executes nothing and must not be interrupted.
    pub(super) fetching: bool,
    /// The signal whose delivery the thread is stopped at.
    pub(super) delivering: Option<i32>,
    /// An `int3` stopped it.
    pub(super) trapped: bool,
    /// Its pc and stack pointer, if they were looked at during this stop.
    pub(super) position: Cell<Option<(MemAddr, MemAddr)>>,
    /// It was found in a slot, and goes on there.
    pub(super) detour: Option<Detour>,
    /// Which setting of the watches it has in its debug registers; 0: none.
    pub(super) watched: u64,
    /// Watches that were hit by single steps since somebody asked.
    pub(super) watch_hits: u8,
    /// Signals that were put off by resuming without them: if they are given later, they tell what they would have then.
    put_off: HashMap<i32, SignalInfo>,
}

/// A signal with its sender, address and so on.
struct SignalInfo(libc::siginfo_t);

impl std::fmt::Debug for SignalInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SignalInfo").field(&self.0.si_signo).finish()
    }
}

impl Thread {
    pub(super) fn new(state: State) -> Self {
        Self {
            state,
            pace: Pace::Run,
            interrupted: false,
            group_stop: None,
            in_vfork: false,
            fetching: false,
            delivering: None,
            trapped: false,
            position: Cell::new(None),
            detour: None,
            watched: 0,
            watch_hits: 0,
            put_off: HashMap::new(),
        }
    }
}

impl Thread {
    /// Another stop has taken the place of that at the delivery of `signal`.
    pub(super) fn put_off(&mut self, signal: i32, info: libc::siginfo_t) {
        self.delivering = None;
        self.put_off.insert(signal, SignalInfo(info));
    }

    /// Before the thread is resumed with `signal`: what the kernel knows about a signal belongs to the stop at its delivery
    /// and is lost when that is left without it.
    pub(super) fn keep_signal_info(&mut self, tid: Tid, signal: i32) {
        let delivering = self.delivering.take();
        if let Some(put_off) = delivering.filter(|delivering| *delivering != signal)
            && let Ok(info) = ptrace::signal_info(tid)
        {
            self.put_off.insert(put_off, SignalInfo(info));
        }
        if signal != 0
            && delivering != Some(signal)
            && let Some(SignalInfo(info)) = self.put_off.remove(&signal)
            && let Err(error) = ptrace::set_signal_info(tid, &info)
        {
            tracing::debug!(tid, signal, %error, "a signal is delivered without its sender");
        }
    }
}
