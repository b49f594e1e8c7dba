//! What a debuggee can report.

use crate::{Pid, Tid};

/// What [`crate::Tracee::wait`] came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Something happened in the debuggee.
    Event(WaitEvent),
    /// A [`crate::Waker`] was used.
    Woken,
}

/// Something that happened. But for [`WaitEvent::ThreadExited`] and [`WaitEvent::Exited`] the thread named is stopped
/// and stays so until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitEvent {
    /// A thread stopped by a trap.
    Trapped {
        /// The thread.
        tid: Tid,
        /// The kind of trap.
        trap: Trap,
    },
    /// A signal is about to be delivered; resume with it, or with none to swallow it.
    Signal {
        /// The thread.
        tid: Tid,
        /// The signal's number.
        signal: i32,
    },
    /// A thread was born; it has not executed anything yet.
    ThreadStarted {
        /// The new thread.
        tid: Tid,
    },
    /// A thread has ended or is past its last own instruction.
    ThreadExited {
        /// The thread that was.
        tid: Tid,
    },
    /// The process stopped by job control (`SIGSTOP` and its kin). Resuming the thread leaves it so until `SIGCONT`.
    GroupStop {
        /// The thread.
        tid: Tid,
        /// The signal which stopped it.
        signal: i32,
    },
    /// The stop that [`crate::Tracee::interrupt`] asked for.
    Interrupted {
        /// The thread.
        tid: Tid,
    },
    /// A new program took the process over; of all threads only the one with the process's number is left, even if its
    /// end was reported before. Memory must be asked for anew.
    Exec {
        /// The one thread.
        tid: Tid,
    },
    /// The process created another one, which is not traced and has no traps in it.
    Forked {
        /// The new process.
        child: Pid,
    },
    /// The process is gone. The last event.
    Exited(Ended),
}

impl WaitEvent {
    /// The thread that this event stopped, if it did.
    pub fn stopped_thread(&self) -> Option<Tid> {
        match *self {
            Self::Trapped { tid, .. }
            | Self::Signal { tid, .. }
            | Self::ThreadStarted { tid }
            | Self::GroupStop { tid, .. }
            | Self::Interrupted { tid }
            | Self::Exec { tid } => Some(tid),
            Self::ThreadExited { .. } | Self::Forked { .. } | Self::Exited(_) => None,
        }
    }
}

/// Kinds of `SIGTRAP` (Linux, `si_code` as the x86 kernel fills it in).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// An `int3` was executed; the pc is behind it.
    Breakpoint,
    /// A single step was made.
    Step,
    /// Watched data was accessed: which watches (bit 0: the first one set). The pc is behind the instruction that did it.
    Hardware(u8),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It is gone and nobody told us how.
    Unknown,
}
