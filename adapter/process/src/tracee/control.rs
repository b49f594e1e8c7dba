//! Stopping, resuming, ending.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Pace, State, Thread};
use crate::{Ended, ProcessError, Tid, Tracee, Trap, WaitEvent, ptrace};

/// How long a stop waits for threads that wait for a vforked child.
const VFORK_PATIENCE: Duration = Duration::from_millis(10);
/// How often it looks whether they have stopped: nothing can be waited for with an end.
const VFORK_LOOK: Duration = Duration::from_micros(200);
/// How long a thread that is on its way out may take when it is let go: it has nothing else to do, but may wait for a file.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether it has ended.
const EXIT_LOOK: Duration = Duration::from_micros(100);

impl Tracee {
    /// The one place that resumes. ESRCH means that the thread was killed: its end will be reported.
    pub(super) fn go(&mut self, tid: Tid, signal: i32, pace: Pace) {
        self.generation.advance();
        if let Err(error) = self.bring_up_to_date(tid) {
            tracing::warn!(tid, %error, "a thread runs without watching");
        }
        let Some(thread) = self.threads.get(&tid) else { return };
        if thread.detour.is_some() && thread.group_stop.is_none() {
            self.enter_again(tid);
        }
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        thread.pace = pace;
        thread.position.set(None);
        thread.state = State::Running;
        thread.keep_signal_info(tid, signal);
        let result = match (thread.group_stop, pace) {
            (Some(_), _) => ptrace::listen(tid),
            (None, Pace::Run) => ptrace::cont(tid, signal),
            (None, Pace::Step) => ptrace::step(tid, signal),
        };
        if let Err(error) = result {
            tracing::debug!(tid, %error, "a thread was gone before it was resumed");
        }
    }

    /// Has no thread that stands step when it goes on by itself: the kernel sets the tracees of a dead tracer free as they
    /// are, and one that was resumed last for a single step would be ended by the trap of the next one. Only resuming it
    /// otherwise ends that; it is asked to stop first, and does so before it executes anything.
    pub(super) fn end_stepping(&mut self) {
        let steps = |thread: &Thread| {
            thread.state == State::Stopped
                && thread.pace == Pace::Step
                // The signal would be lost, and a job-control stop ended.
                && thread.delivering.is_none()
                && thread.group_stop.is_none()
        };
        let stepped: Vec<Tid> = self.threads.iter().filter(|(_, thread)| steps(thread)).map(|(tid, _)| *tid).collect();
        for tid in stepped {
            if ptrace::interrupt(tid).and_then(|()| ptrace::cont(tid, 0)).is_err() {
                continue;
            }
            let Some(status) = ptrace::wait_for(tid) else { continue };
            if libc::WIFSTOPPED(status) && status >> 8 == libc::SIGTRAP | libc::PTRACE_EVENT_STOP << 8 {
                self.threads.entry(tid).and_modify(|thread| thread.pace = Pace::Run);
            } else if let Some(event) = self.digest(tid, status) {
                self.queue.push_back(event);
            }
        }
    }

    /// Fails unless the thread is stopped and nothing of it waits to be taken.
    pub(super) fn resumable(&self, tid: Tid) -> Result<(), ProcessError> {
        if self.is_stopped(tid) && !self.is_queued(tid) { Ok(()) } else { Err(ProcessError::ThreadGone(tid)) }
    }

    /// Lets a stopped thread run, with a signal (0: none).
    pub fn resume(&mut self, tid: Tid, signal: i32) -> Result<(), ProcessError> {
        self.resumable(tid)?;
        self.go(tid, signal, Pace::Run);
        Ok(())
    }

    /// Lets a stopped thread execute one instruction.
    pub fn step(&mut self, tid: Tid, signal: i32) -> Result<(), ProcessError> {
        self.resumable(tid)?;
        self.go(tid, signal, Pace::Step);
        Ok(())
    }

    /// Resumes every stopped thread of which no event waits to be taken.
    pub fn resume_all(&mut self) {
        let ready: Vec<Tid> = self.threads.keys().copied().filter(|tid| self.resumable(*tid).is_ok()).collect();
        for tid in ready {
            self.go(tid, 0, Pace::Run);
        }
        // One that waited for its vforked child all the while need not stop any more when that is done.
        for thread in self.threads.values_mut().filter(|thread| thread.in_vfork) {
            thread.interrupted = false;
        }
    }

    /// Asks a running thread to stop. It will report a stop, by this or by something else.
    pub fn interrupt(&mut self, tid: Tid) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        if thread.state == State::Running && !thread.interrupted && !thread.fetching {
            thread.interrupted = ptrace::interrupt(tid).is_ok();
        }
    }

    /// Whether there is something to wait for until all stands: threads that run and can be stopped, or, when none is
    /// left that could be, the process's end.
    fn pending_stops(&self) -> bool {
        let pending = self.threads.values().any(|thread| match thread.state {
            State::Starting => true,
            State::Running => !thread.in_vfork,
            State::Stopped | State::Exiting => false,
        });
        pending || self.threads.values().all(|thread| thread.state == State::Exiting) && self.ended.is_none()
    }

    /// Stops every thread. What happens meanwhile is queued. If the process ends, its end is queued and all is well.
    /// A thread that waits for a vforked child is given a moment; after that it stops, and reports
    /// [`WaitEvent::Interrupted`], when that child execs.
    pub fn stop_all(&mut self) -> Result<(), ProcessError> {
        self.stopping = true;
        let result = self.stop_each();
        self.stopping = false;
        result
    }

    fn stop_each(&mut self) -> Result<(), ProcessError> {
        let mut is_news = true;
        while self.pending_stops() {
            // What stops because it was asked to has set nothing going: all others have been asked already.
            if std::mem::take(&mut is_news) {
                let running: Vec<Tid> = self.threads.keys().copied().collect();
                running.into_iter().for_each(|tid| self.interrupt(tid));
            }
            let event = self.next_event()?;
            is_news = !matches!(event, WaitEvent::Interrupted { .. });
            match event {
                WaitEvent::Interrupted { .. } => {}
                WaitEvent::Exited(ended) => {
                    self.queue.push_back(WaitEvent::Exited(ended));
                    break;
                }
                event => self.queue.push_back(event),
            }
        }
        self.await_vforks();
        if let Some(memory) = self.memory.as_ref().filter(|_| self.forked.is_empty() && self.sharing.is_empty()) {
            memory.settle();
        }
        Ok(())
    }

    /// Gives threads that wait for a vforked child a moment: it execs at once, as a rule, and then they stop too.
    fn await_vforks(&mut self) {
        let waits = |thread: &Thread| thread.in_vfork && thread.state == State::Running;
        let begun = Instant::now();
        while self.threads.values().any(waits) && begun.elapsed() < VFORK_PATIENCE && self.ended.is_none() {
            let Some((tid, status)) = self.waiter.poll() else {
                std::thread::sleep(VFORK_LOOK);
                continue;
            };
            match self.digest(tid, status) {
                None | Some(WaitEvent::Interrupted { .. }) => {}
                Some(event) => self.queue.push_back(event),
            }
        }
    }

    /// Sends the whole process a signal.
    pub fn signal(&self, signal: i32) -> Result<(), ProcessError> {
        if self.ended.is_some() {
            return Err(ProcessError::NoProcess(self.pid));
        }
        // SAFETY: kill takes numbers. Until its end has been reported to us the process is not collected, so the number
        // is still its own.
        if unsafe { libc::kill(self.pid, signal) } != 0 {
            return Err(ProcessError::last("the debuggee cannot be signalled"));
        }
        Ok(())
    }

    /// Kills the process and waits for its end.
    pub fn kill(&mut self) -> Result<Ended, ProcessError> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        self.signal(libc::SIGKILL)?;
        loop {
            if let WaitEvent::Exited(ended) = self.next_event()? {
                return Ok(ended);
            }
        }
    }

    /// Moves threads with a queued hit of one of our traps back to before it.
    fn take_hits_back(&self) {
        let Some(memory) = &self.memory else { return };
        for event in &self.queue {
            let WaitEvent::Trapped { tid, trap: Trap::Breakpoint } = *event else { continue };
            let address = self.registers(tid).ok().and_then(|registers| registers.pc().checked_sub(1));
            if let Some(address) = address.filter(|address| memory.is_planted(*address))
                && let Err(error) = self.set_pc(tid, address)
            {
                tracing::debug!(tid, %error, "a thread was gone before it was moved");
            }
        }
    }

    /// Waits for the first stop of forked processes, each on its way there, and lets them go with their original code.
    fn let_newborn_go(&mut self) {
        let children: Vec<Tid> = self.forked.keys().copied().collect();
        for child in children {
            if let Some(status) = ptrace::wait_for(child)
                && let Some(event) = self.digest(child, status)
            {
                self.queue.push_back(event);
            }
        }
    }

    /// Waits for the ends of threads that are on their way out. They cannot be let go, and as long as nobody takes note of
    /// their end, nobody can be told of the process's. The first thread's comes with the process's.
    fn collect_exiting(&self) {
        let exiting = self.threads.iter().filter(|(tid, thread)| thread.state == State::Exiting && **tid != self.pid);
        let mut exiting: Vec<Tid> = exiting.map(|(tid, _)| *tid).collect();
        let begun = Instant::now();
        loop {
            exiting.retain(|tid| !ptrace::has_ended(*tid));
            if exiting.is_empty() || begun.elapsed() > EXIT_PATIENCE {
                return;
            }
            std::thread::sleep(EXIT_LOOK);
        }
    }

    /// Lets the process go: traps out, every thread running (or in the job-control stop it was in), undelivered signals
    /// delivered. Threads whose hit of a trap nobody has taken yet are moved back to it.
    pub fn detach(&mut self) -> Result<(), ProcessError> {
        if self.ended.is_some() || self.detached {
            return Ok(());
        }
        self.stop_all()?;
        self.take_hits_back();
        self.let_newborn_go();
        if let Some(memory) = &self.memory {
            memory.lift_all();
        }
        self.guardian = None;
        self.generation.advance();
        let mut signals: HashMap<Tid, i32> = HashMap::new();
        for event in self.queue.drain(..) {
            if let WaitEvent::Signal { tid, signal } = event {
                signals.insert(tid, signal);
            }
        }
        for child in self.early.keys().chain(self.forked.keys()).chain(&self.sharing) {
            let _gone = ptrace::detach(*child, 0);
        }
        if !self.watches().is_empty()
            && let Err(error) = self.set_watches(&[])
        {
            tracing::debug!(%error, "debug registers stay as they are");
        }
        for tid in self.threads.keys() {
            if let Err(error) = ptrace::detach(*tid, signals.get(tid).copied().unwrap_or(0)) {
                tracing::debug!(tid, %error, "a thread was gone before it was let go");
            }
        }
        self.collect_exiting();
        self.threads.clear();
        self.detached = true;
        Ok(())
    }
}
