//! Processes that the debuggee makes: what they share with it, and how they are let go.

use std::time::{Duration, Instant};

use weft_memory::{DwarfRegister, MemAddr, Memory};

use crate::{Pid, Tid, Tracee, WaitEvent, process_state, ptrace};

/// How long a process that is let go may take to its stop: it is on its way there and does nothing else first, but a busy
/// machine lets it wait for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

impl Tracee {
    /// Whether forked processes are left in a job-control stop, for somebody else to attach to, instead of running free.
    /// [`WaitEvent::Forked`] then comes when the process stands so: one that shares our debuggee's memory (`vfork`) only
    /// when it has executed another program.
    pub fn set_follow_forks(&mut self, follow: bool) {
        self.follow_forks = follow;
    }

    /// Whether a thread that stands in the system call which makes a process asked for one with the same memory
    /// (`CLONE_VM`; Linux: the flags are the first argument of `clone`, and the first word of what the first argument of
    /// `clone3` points to). Without an answer: a memory of its own, as `fork` makes.
    pub(super) fn asked_to_share(&self, parent: Tid) -> bool {
        let Ok(kernel) = ptrace::registers(parent) else { return false };
        let first = self.registers(parent).ok().and_then(|registers| registers.get(DwarfRegister::RDI)).unwrap_or(0);
        let flags = match i64::try_from(kernel.orig_rax) {
            Ok(libc::SYS_clone) => Some(first),
            Ok(libc::SYS_clone3) => self.memory().ok().and_then(|memory| memory.read_u64(MemAddr::new(first)).ok()),
            _ => None,
        };
        flags.is_some_and(|flags| flags & u64::from(libc::CLONE_VM.unsigned_abs()) != 0)
    }

    /// Lets a stopped process go that is not our debuggee and has a memory of its own by now.
    pub(super) fn let_go(&mut self, child: Pid) {
        // A stop that is asked for by detaching is not kept; one that waits to be delivered is.
        // SAFETY: kill takes numbers only; the process is stopped and ours to collect, so the number is its own.
        let stands = self.follow_forks && unsafe { libc::kill(child, libc::SIGSTOP) } == 0;
        match ptrace::detach(child, 0) {
            Ok(()) if stands => {
                await_stop(child);
                self.queue.push_back(WaitEvent::Forked { child });
            }
            Ok(()) => {}
            Err(error) => tracing::debug!(child, %error, "a forked process was gone before it was let go"),
        }
    }
}

/// Waits until a process stands in its job-control stop, for a moment: whoever is told of it may attach at once.
fn await_stop(child: Pid) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && process_state(child).is_ok_and(|state| !matches!(state.letter, 'T' | 'Z' | 'X'))
    {
        std::thread::sleep(Duration::from_micros(50));
    }
}
