//! From what the kernel reports to what has happened.

use super::{MOST_EARLY, Pace, State, Thread};
use crate::{Ended, Pid, Tid, Tracee, Trap, WaitEvent, proc, ptrace, slots::Slots, watches::Watches};

impl Tracee {
    /// Makes an event of what the kernel reported, or none if it concerns only our own bookkeeping.
    pub(super) fn digest(&mut self, tid: Tid, status: i32) -> Option<WaitEvent> {
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            return self.digest_end(tid, status);
        }
        if !libc::WIFSTOPPED(status) {
            return None;
        }
        let signal = libc::WSTOPSIG(status);
        // The event's number lies above the signal's byte; the kernel defines no negative statuses here.
        let event = status >> 16;
        if tid == self.pid {
            // The leader may have exited long ago and be back by another thread's exec.
            self.threads.entry(tid).or_insert_with(|| Thread::new(State::Running));
        }
        if self.sharing.contains(&tid) {
            self.digest_sharing(tid, status);
            return None;
        }
        let Some(thread) = self.threads.get_mut(&tid) else {
            self.digest_unknown(tid, status);
            return None;
        };
        // Any stop answers our interrupt: the kernel forgets it then.
        let interrupted = std::mem::take(&mut thread.interrupted);
        thread.fetching = false;
        thread.trapped = false;
        thread.position.set(None);
        thread.delivering = (event == 0 && signal != libc::SIGTRAP).then_some(signal);
        if std::mem::replace(&mut thread.state, State::Stopped) == State::Starting && event != libc::PTRACE_EVENT_EXIT {
            self.leave_slot(tid);
            return Some(WaitEvent::ThreadStarted { tid });
        }
        match event {
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                let report = self.digest_birth(tid, event);
                let interrupted = self.resume_unasked(tid, interrupted);
                match report {
                    Some(report) => {
                        self.queue.extend(interrupted.filter(|_| !self.stopping));
                        Some(report)
                    }
                    None => interrupted,
                }
            }
            libc::PTRACE_EVENT_VFORK_DONE => {
                thread.in_vfork = false;
                self.resume_unasked(tid, interrupted)
            }
            libc::PTRACE_EVENT_EXEC => self.digest_exec(tid),
            libc::PTRACE_EVENT_EXIT => {
                thread.state = State::Exiting;
                // ESRCH: it was killed meanwhile and is on its way without us.
                let _gone = ptrace::cont(tid, 0);
                Some(WaitEvent::ThreadExited { tid })
            }
            libc::PTRACE_EVENT_STOP => self.digest_stop(tid, signal, interrupted),
            _ if signal == libc::SIGTRAP => self.digest_trap(tid),
            _ => {
                self.leave_slot(tid);
                self.settle_signal(tid, signal);
                self.is_stopped(tid).then_some(WaitEvent::Signal { tid, signal })
            }
        }
    }

    /// A thread or the process is gone.
    fn digest_end(&mut self, tid: Tid, status: i32) -> Option<WaitEvent> {
        self.early.remove(&tid);
        self.forked.remove(&tid);
        self.sharing.remove(&tid);
        let ended = if libc::WIFEXITED(status) {
            Ended::Code(libc::WEXITSTATUS(status))
        } else {
            Ended::Signal(libc::WTERMSIG(status))
        };
        let known = self.threads.remove(&tid);
        if tid == self.pid {
            self.threads.clear();
            self.generation.advance();
            self.ended = Some(ended);
            self.guardian = None;
            return Some(WaitEvent::Exited(ended));
        }
        if known.is_some() {
            self.last_end = Some(ended);
        }
        self.queue.retain(|event| event.stopped_thread() != Some(tid));
        known.filter(|thread| thread.state != State::Exiting).map(|_| WaitEvent::ThreadExited { tid })
    }

    /// A stop of a thread that we have not been told of: hold it until its parent's event names it.
    fn digest_unknown(&mut self, tid: Tid, status: i32) {
        if status >> 16 == libc::PTRACE_EVENT_EXIT {
            // Killed at birth, and so perhaps its parent was: nothing else may ever name it.
            self.early.remove(&tid);
            let _gone = ptrace::cont(tid, 0);
        } else if let Some(shares_memory) = self.forked.remove(&tid) {
            self.release_fork(tid, shares_memory);
        } else if self.early.len() < MOST_EARLY {
            self.early.insert(tid, status);
        }
    }

    /// A thread created a thread or a process.
    fn digest_birth(&mut self, parent: Tid, event: i32) -> Option<WaitEvent> {
        let child = ptrace::event_message(parent).ok().and_then(|message| Tid::try_from(message).ok());
        // None: the parent was killed meanwhile; its end will be reported.
        let child = child?;
        let waits = event == libc::PTRACE_EVENT_VFORK;
        if let Some(thread) = self.threads.get_mut(&parent) {
            thread.in_vfork = waits;
        }
        let shares_memory = waits || self.asked_to_share(parent);
        let is_thread = event == libc::PTRACE_EVENT_CLONE && proc::is_thread_of(self.pid, child);
        let came_early = self.early.remove(&child).is_some();
        if is_thread {
            self.threads.insert(child, Thread::new(if came_early { State::Stopped } else { State::Starting }));
            if came_early {
                self.leave_slot(child);
            }
            came_early.then_some(WaitEvent::ThreadStarted { tid: child })
        } else {
            if came_early {
                self.release_fork(child, shares_memory);
            } else {
                self.forked.insert(child, shares_memory);
            }
            // One that is followed is told of when it stands ready for somebody else.
            (!self.follow_forks).then_some(WaitEvent::Forked { child })
        }
    }

    /// Lets a forked process go, with its original code. One made by vfork shares our debuggee's memory until it execs:
    /// there the traps stay, and so do we.
    fn release_fork(&mut self, child: Pid, shares_memory: bool) {
        if shares_memory {
            self.sharing.insert(child);
            let _gone = ptrace::cont(child, 0);
            return;
        }
        if let Some(memory) = &self.memory {
            memory.restore_in(child);
        }
        self.let_go(child);
    }

    /// A stop of a process that shares our debuggee's memory. Hits of traps are not its own; it is let go when its memory
    /// is.
    pub(super) fn digest_sharing(&mut self, child: Pid, status: i32) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        match event {
            libc::PTRACE_EVENT_EXEC => {
                self.sharing.remove(&child);
                self.let_go(child);
            }
            libc::PTRACE_EVENT_EXIT => {
                self.sharing.remove(&child);
                let _gone = ptrace::detach(child, 0);
            }
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                let born = ptrace::event_message(child).ok().and_then(|message| Pid::try_from(message).ok());
                let shares_memory = event == libc::PTRACE_EVENT_VFORK || self.asked_to_share(child);
                match born {
                    Some(born) if self.early.remove(&born).is_some() => self.release_fork(born, shares_memory),
                    Some(born) => {
                        self.forked.insert(born, shares_memory);
                    }
                    None => {}
                }
                let _gone = ptrace::cont(child, 0);
            }
            0 if signal == libc::SIGTRAP && self.pass_sharing(child) => {}
            0 => {
                let _gone = ptrace::cont(child, signal);
            }
            _ => {
                let _gone = ptrace::cont(child, 0);
            }
        }
    }

    /// Another program took over: whatever thread asked for it now has the process's number, and is alone.
    fn digest_exec(&mut self, tid: Tid) -> Option<WaitEvent> {
        // All others have reported their end; the thread that asked has vanished into the first one without a word.
        let vanished: Vec<Tid> = self.threads().into_iter().filter(|other| *other != tid).collect();
        self.threads.clear();
        self.early.clear();
        self.queue.retain(|event| event.stopped_thread().is_none());
        self.queue.extend(vanished.into_iter().map(|tid| WaitEvent::ThreadExited { tid }));
        self.generation.advance();
        self.threads.insert(tid, Thread::new(State::Stopped));
        // The old program's memory lives on with children by vfork that have not executed another one yet.
        if let Some(memory) = self.memory.as_ref().filter(|_| !self.sharing.is_empty()) {
            memory.lift_all();
        }
        // Killed meanwhile: its end will be reported.
        let _gone = self.open_memory();
        self.slots = Slots::default();
        self.gates = super::gates::Gates::default();
        self.watches = Watches::default();
        Some(WaitEvent::Exec { tid })
    }

    /// An interrupt's stop, a job-control stop, or the end of one.
    fn digest_stop(&mut self, tid: Tid, signal: i32, interrupted: bool) -> Option<WaitEvent> {
        if interrupted && ptrace::has_pending_trap(tid) {
            // The interrupt overtook a trap that the thread has executed. Let it report that one: nothing may stand
            // behind a trap without having said so, or it would die of it when it is let go.
            let pace = self.threads.get(&tid).map_or(Pace::Run, |thread| thread.pace);
            self.go(tid, 0, pace);
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.fetching = true;
            }
            return None;
        }
        self.leave_slot(tid);
        let group_stop = (signal != libc::SIGTRAP).then_some(signal);
        let before =
            self.threads.get_mut(&tid).and_then(|thread| std::mem::replace(&mut thread.group_stop, group_stop));
        match group_stop {
            _ if interrupted => Some(WaitEvent::Interrupted { tid }),
            Some(signal) if before.is_none() => Some(WaitEvent::GroupStop { tid, signal }),
            _ => self.resume_unasked(tid, false),
        }
    }

    /// Which kind of trap stopped the thread, by the code the x86 kernel gives it.
    fn digest_trap(&mut self, tid: Tid) -> Option<WaitEvent> {
        const SI_KERNEL: i32 = 0x80;
        let pace = self.threads.get(&tid).map_or(Pace::Run, |thread| thread.pace);
        if pace == Pace::Run && self.is_at_known_trap(tid) {
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.trapped = true;
            }
            return Some(WaitEvent::Trapped { tid, trap: Trap::Breakpoint });
        }
        let trap = match ptrace::signal_info(tid).map(|info| info.si_code) {
            Ok(SI_KERNEL) => Trap::Breakpoint,
            Ok(libc::TRAP_HWBKPT) => Trap::Hardware(self.read_watch_hits(tid)),
            // TRAP_BRKPT: the step ended behind a system call.
            Ok(libc::TRAP_TRACE | libc::TRAP_BRKPT) if pace == Pace::Step => {
                let hits = self.read_watch_hits(tid);
                if let Some(thread) = self.threads.get_mut(&tid) {
                    thread.watch_hits |= hits;
                }
                if self.is_halfway(tid) {
                    self.go(tid, 0, Pace::Step);
                    return None;
                }
                Trap::Step
            }
            _ => {
                self.leave_slot(tid);
                return Some(WaitEvent::Signal { tid, signal: libc::SIGTRAP });
            }
        };
        if trap == Trap::Breakpoint {
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.trapped = true;
            }
        } else {
            self.leave_slot(tid);
        }
        Some(WaitEvent::Trapped { tid, trap })
    }

    /// Resumes a thread as it was resumed before, unless it was asked to stop: then this is the stop. A vfork's parent
    /// must go on to where it waits for its child.
    fn resume_unasked(&mut self, tid: Tid, interrupted: bool) -> Option<WaitEvent> {
        let stopping = self.stopping;
        let thread = self.threads.get_mut(&tid)?;
        if interrupted || stopping {
            if !thread.in_vfork {
                self.leave_slot(tid);
                return Some(WaitEvent::Interrupted { tid });
            }
            thread.interrupted = true;
        }
        let pace = thread.pace;
        self.go(tid, 0, pace);
        None
    }
}
