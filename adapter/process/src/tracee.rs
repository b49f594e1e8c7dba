//! A debuggee's threads: which run, which stand, and what they report.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    marker::PhantomData,
};

use weft_memory::{MemAddr, Registers};

use crate::{
    Ended, LiveMemory, Pid, ProcessError, StoppedMemory, Tid, Trap, Wait, WaitEvent, Waker, memory::Generation, proc,
    ptrace, registers, wait::Waiter,
};

/// Threads that stopped before anything named them, at most; more than that are not ours to remember.
const MOST_EARLY: usize = 65_536;

/// Who started the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// We did: it dies with us.
    Launched,
    /// Somebody else: it outlives us.
    Attached,
}

/// What a thread is doing, as far as the kernel has told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Announced by its parent; its first stop has not been seen.
    Starting,
    Running,
    Stopped,
    /// Past its last own instruction.
    Exiting,
}

/// How a thread was last resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Run,
    Step,
}

#[derive(Debug)]
struct Thread {
    state: State,
    pace: Pace,
    /// We asked it to stop and it has not stopped since.
    interrupted: bool,
    /// The signal of the job-control stop that the thread is in.
    group_stop: Option<i32>,
    /// Waits in the kernel for a vforked child; it cannot be stopped until that child execs or ends.
    in_vfork: bool,
    /// Resumed only to report a trap that it has already hit; it executes nothing and must not be interrupted.
    fetching: bool,
    /// The signal whose delivery the thread is stopped at.
    delivering: Option<i32>,
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
    fn new(state: State) -> Self {
        Self {
            state,
            pace: Pace::Run,
            interrupted: false,
            group_stop: None,
            in_vfork: false,
            fetching: false,
            delivering: None,
            put_off: HashMap::new(),
        }
    }
}

impl Thread {
    /// Before the thread is resumed with `signal`: what the kernel knows about a signal belongs to the stop at its delivery
    /// and is lost when that is left without it.
    fn keep_signal_info(&mut self, tid: Tid, signal: i32) {
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

/// A traced process. All of it happens on the thread that launched or attached; [`Tracee::memory`] and
/// [`Tracee::waker`] are for the others.
///
/// What it does unasked: a new thread's parent is resumed (the new thread is not); a thread that is about to exit may;
/// a forked process gets its original code and is let go; a stop that nobody asked for and that means nothing is
/// resumed. When dropped, a launched process is killed and an attached one is freed of traps and left running.
#[derive(Debug)]
pub struct Tracee {
    pid: Pid,
    origin: Origin,
    waiter: Waiter,
    threads: BTreeMap<Tid, Thread>,
    /// Stops of threads that no event has named yet.
    early: HashMap<Tid, i32>,
    /// Forked processes whose first stop has not been seen, and whether they share our debuggee's memory.
    forked: HashMap<Pid, bool>,
    queue: VecDeque<WaitEvent>,
    ended: Option<Ended>,
    /// How the thread that ended last did.
    last_end: Option<Ended>,
    detached: bool,
    /// While all threads are being stopped, nothing is resumed unasked.
    stopping: bool,
    memory: Option<LiveMemory>,
    generation: Generation,
    /// Ptrace knows threads: only the one that attached may ask.
    not_send: PhantomData<*const ()>,
}

impl Tracee {
    pub(crate) fn new(waiter: Waiter, pid: Pid, origin: Origin) -> Result<Self, ProcessError> {
        Ok(Self {
            pid,
            origin,
            waiter,
            threads: BTreeMap::new(),
            early: HashMap::new(),
            forked: HashMap::new(),
            queue: VecDeque::new(),
            ended: None,
            last_end: None,
            detached: false,
            stopping: false,
            memory: None,
            generation: Generation::default(),
            not_send: PhantomData,
        })
    }

    /// Waits for a seized child's exec. `None`: it ended instead, and has been collected.
    pub(crate) fn after_exec(waiter: Waiter, pid: Pid, origin: Origin) -> Result<Option<Self>, ProcessError> {
        let mut tracee = Self::new(waiter, pid, origin)?;
        tracee.add_running(pid);
        loop {
            match tracee.next_event()? {
                WaitEvent::Exec { .. } => return Ok(Some(tracee)),
                WaitEvent::Exited(_) => return Ok(None),
                WaitEvent::Signal { tid, signal } => tracee.resume(tid, signal)?,
                event => {
                    if let Some(tid) = event.stopped_thread() {
                        tracee.resume(tid, 0)?;
                    }
                }
            }
        }
    }

    pub(crate) fn add_running(&mut self, tid: Tid) {
        self.threads.insert(tid, Thread::new(State::Running));
    }

    pub(crate) fn open_memory(&mut self) -> Result<(), ProcessError> {
        // Of a leader that has exited before the others the kernel shows no memory.
        let tid = self.threads().first().copied().unwrap_or(self.pid);
        self.memory = Some(LiveMemory::open(tid)?);
        Ok(())
    }

    /// The process's number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Gets this thread out of [`Tracee::wait`].
    pub fn waker(&self) -> Waker {
        self.waiter.waker()
    }

    /// The threads that exist and have not begun to exit, by number.
    pub fn threads(&self) -> Vec<Tid> {
        self.threads.iter().filter(|(_, thread)| thread.state != State::Exiting).map(|(tid, _)| *tid).collect()
    }

    /// Whether a thread is stopped, so that it has registers to read.
    pub fn is_stopped(&self, tid: Tid) -> bool {
        self.threads.get(&tid).is_some_and(|thread| thread.state == State::Stopped)
    }

    /// The process's memory at any time. After an [`WaitEvent::Exec`] it must be asked for anew.
    pub fn memory(&self) -> Result<LiveMemory, ProcessError> {
        self.memory.clone().ok_or(ProcessError::NoProcess(self.pid))
    }

    /// The process's memory until the next resumption of any of its threads, or [`Tracee::advance`].
    pub fn stopped_memory(&self) -> Result<StoppedMemory, ProcessError> {
        Ok(StoppedMemory::new(self.memory()?, self.generation.clone()))
    }

    /// Ends what was published about the current stop, because the debugger has changed the program.
    pub fn advance(&self) {
        self.generation.advance();
    }

    /// A stopped thread's registers.
    pub fn registers(&self, tid: Tid) -> Result<Registers, ProcessError> {
        registers::read(tid)
    }

    /// Sets a stopped thread's registers; those unknown in `registers` are left alone.
    pub fn set_registers(&self, tid: Tid, registers: &Registers) -> Result<(), ProcessError> {
        self.advance();
        registers::write(tid, registers)
    }

    /// Moves a stopped thread's pc.
    pub fn set_pc(&self, tid: Tid, pc: MemAddr) -> Result<(), ProcessError> {
        registers::set_pc(tid, pc)
    }

    /// How the process ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether events wait that arrived while threads were being stopped.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether an event of this thread waits to be taken.
    fn is_queued(&self, tid: Tid) -> bool {
        self.queue.iter().any(|event| event.stopped_thread() == Some(tid))
    }

    /// Takes the queued events, oldest first, without waiting.
    pub fn take_queued(&mut self) -> Option<WaitEvent> {
        self.queue.pop_front()
    }

    /// Puts an event back to where [`Tracee::wait`] will take it next.
    pub fn put_back(&mut self, event: WaitEvent) {
        self.queue.push_front(event);
    }

    /// Waits until something happens or somebody wakes this thread. After [`WaitEvent::Exited`] it only waits for
    /// wakers no more: it answers the same again.
    pub fn wait(&mut self) -> Result<Wait, ProcessError> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Wait::Event(event));
            }
            if let Some(ended) = self.ended {
                return Ok(Wait::Event(WaitEvent::Exited(ended)));
            }
            match self.waiter.wait() {
                Ok(None) => return Ok(Wait::Woken),
                Ok(Some((tid, status))) => {
                    if let Some(event) = self.digest(tid, status) {
                        return Ok(Wait::Event(event));
                    }
                }
                Err(error) => self.lost(error)?,
            }
        }
    }

    /// As [`Tracee::wait`], deaf to wakers and to the queue.
    fn next_event(&mut self) -> Result<WaitEvent, ProcessError> {
        loop {
            if let Some(ended) = self.ended {
                return Ok(WaitEvent::Exited(ended));
            }
            match self.waiter.wait_for_tracee() {
                Ok((tid, status)) => {
                    if let Some(event) = self.digest(tid, status) {
                        return Ok(event);
                    }
                }
                Err(error) => self.lost(error)?,
            }
        }
    }

    /// Waiting failed: without any tracee left the process is gone.
    fn lost(&mut self, error: io::Error) -> Result<(), ProcessError> {
        if error.raw_os_error() != Some(libc::ECHILD) {
            return Err(ProcessError::System { what: "waiting for the debuggee failed", reason: error });
        }
        self.threads.clear();
        self.generation.advance();
        // The leader was dead before we attached: what ended the last thread ended the process.
        self.ended.get_or_insert(self.last_end.unwrap_or(Ended::Unknown));
        Ok(())
    }

    /// Makes an event of what the kernel reported, or none if it concerns only our own bookkeeping.
    fn digest(&mut self, tid: Tid, status: i32) -> Option<WaitEvent> {
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
        let Some(thread) = self.threads.get_mut(&tid) else {
            self.digest_unknown(tid, status);
            return None;
        };
        // Any stop answers our interrupt: the kernel forgets it then.
        let interrupted = std::mem::take(&mut thread.interrupted);
        thread.fetching = false;
        thread.delivering = (event == 0 && signal != libc::SIGTRAP).then_some(signal);
        if std::mem::replace(&mut thread.state, State::Stopped) == State::Starting && event != libc::PTRACE_EVENT_EXIT {
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
            _ if signal == libc::SIGTRAP => Some(self.digest_trap(tid)),
            _ => Some(WaitEvent::Signal { tid, signal }),
        }
    }

    /// A thread or the process is gone.
    fn digest_end(&mut self, tid: Tid, status: i32) -> Option<WaitEvent> {
        self.early.remove(&tid);
        self.forked.remove(&tid);
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
        let shares_memory = event == libc::PTRACE_EVENT_VFORK;
        if let Some(thread) = self.threads.get_mut(&parent) {
            thread.in_vfork = shares_memory;
        }
        let is_thread = event == libc::PTRACE_EVENT_CLONE && proc::is_thread_of(self.pid, child);
        let came_early = self.early.remove(&child).is_some();
        if is_thread {
            self.threads.insert(child, Thread::new(if came_early { State::Stopped } else { State::Starting }));
            came_early.then_some(WaitEvent::ThreadStarted { tid: child })
        } else {
            if came_early {
                self.release_fork(child, shares_memory);
            } else {
                self.forked.insert(child, shares_memory);
            }
            Some(WaitEvent::Forked { child })
        }
    }

    /// Lets a forked process go, with its original code. One made by vfork shares our debuggee's memory for the few
    /// instructions until it execs: there the traps must stay.
    fn release_fork(&mut self, child: Pid, shares_memory: bool) {
        if let Some(memory) = self.memory.as_ref().filter(|_| !shares_memory) {
            memory.restore_in(child);
        }
        if let Err(error) = ptrace::detach(child, 0) {
            tracing::debug!(child, %error, "a forked process was gone before it was let go");
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
        self.memory = LiveMemory::open(self.pid).ok();
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
    fn digest_trap(&mut self, tid: Tid) -> WaitEvent {
        const SI_KERNEL: i32 = 0x80;
        let pace = self.threads.get(&tid).map_or(Pace::Run, |thread| thread.pace);
        let trap = match ptrace::signal_info(tid).map(|info| info.si_code) {
            Ok(SI_KERNEL) => Trap::Breakpoint,
            Ok(libc::TRAP_HWBKPT) => Trap::Hardware,
            // TRAP_BRKPT: the step ended behind a system call.
            Ok(libc::TRAP_TRACE | libc::TRAP_BRKPT) if pace == Pace::Step => Trap::Step,
            _ => return WaitEvent::Signal { tid, signal: libc::SIGTRAP },
        };
        WaitEvent::Trapped { tid, trap }
    }

    /// Resumes a thread as it was resumed before, unless it was asked to stop: then this is the stop. A vfork's parent
    /// must go on to where it waits for its child.
    fn resume_unasked(&mut self, tid: Tid, interrupted: bool) -> Option<WaitEvent> {
        let stopping = self.stopping;
        let thread = self.threads.get_mut(&tid)?;
        if interrupted || stopping {
            if !thread.in_vfork {
                return Some(WaitEvent::Interrupted { tid });
            }
            thread.interrupted = true;
        }
        let pace = thread.pace;
        self.go(tid, 0, pace);
        None
    }

    /// The one place that resumes. ESRCH means that the thread was killed: its end will be reported.
    fn go(&mut self, tid: Tid, signal: i32, pace: Pace) {
        self.generation.advance();
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        thread.pace = pace;
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

    /// Fails unless the thread is stopped and nothing of it waits to be taken.
    fn resumable(&self, tid: Tid) -> Result<(), ProcessError> {
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
    /// A thread that waits for a vforked child stops, and reports [`WaitEvent::Interrupted`], when that child execs.
    pub fn stop_all(&mut self) -> Result<(), ProcessError> {
        self.stopping = true;
        let result = self.stop_each();
        self.stopping = false;
        result
    }

    fn stop_each(&mut self) -> Result<(), ProcessError> {
        while self.pending_stops() {
            let running: Vec<Tid> = self.threads.keys().copied().collect();
            for tid in running {
                self.interrupt(tid);
            }
            match self.next_event()? {
                WaitEvent::Interrupted { .. } => {}
                WaitEvent::Exited(ended) => {
                    self.queue.push_back(WaitEvent::Exited(ended));
                    break;
                }
                event => self.queue.push_back(event),
            }
        }
        Ok(())
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

    /// Lets the process go: traps out, every thread running (or in the job-control stop it was in), undelivered signals
    /// delivered. Threads whose hit of a trap nobody has taken yet are moved back to it.
    pub fn detach(&mut self) -> Result<(), ProcessError> {
        if self.ended.is_some() || self.detached {
            return Ok(());
        }
        self.stop_all()?;
        self.take_hits_back();
        if let Some(memory) = &self.memory {
            memory.lift_all();
        }
        self.generation.advance();
        let mut signals: HashMap<Tid, i32> = HashMap::new();
        for event in self.queue.drain(..) {
            if let WaitEvent::Signal { tid, signal } = event {
                signals.insert(tid, signal);
            }
        }
        for child in self.early.keys().chain(self.forked.keys()) {
            let _gone = ptrace::detach(*child, 0);
        }
        for tid in self.threads.keys() {
            if let Err(error) = ptrace::detach(*tid, signals.get(tid).copied().unwrap_or(0)) {
                tracing::debug!(tid, %error, "a thread was gone before it was let go");
            }
        }
        self.threads.clear();
        self.detached = true;
        Ok(())
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if self.ended.is_some() || self.detached {
            return;
        }
        let result = match self.origin {
            Origin::Launched => self.kill().map(|_| ()),
            Origin::Attached => self.detach(),
        };
        if let Err(error) = result {
            tracing::warn!(pid = self.pid, %error, "the debuggee could not be left in order");
        }
    }
}
