//! A debuggee's threads: which run, which stand, and what they report.

mod control;
mod digest;
mod errands;
mod forks;
mod gates;
mod passing;
mod thread;

pub(crate) use errands::{seccomp_is_strict, syscall_instruction};
pub use gates::Gate;
use gates::Gates;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io,
    marker::PhantomData,
};

use thread::{Pace, State, Thread};
use weft_memory::{MemAddr, Registers};

use crate::{
    Ended, LiveMemory, Pid, ProcessError, StoppedMemory, Tid, Wait, WaitEvent, Waker, guardian::Guardian,
    memory::Generation, registers, slots::Slots, wait::Waiter, watches::Watches,
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
    /// Processes that run in our debuggee's memory: between vfork and exec.
    sharing: HashSet<Pid>,
    /// Forked processes are left standing for somebody else.
    follow_forks: bool,
    queue: VecDeque<WaitEvent>,
    ended: Option<Ended>,
    /// How the thread that ended last did.
    last_end: Option<Ended>,
    detached: bool,
    /// While all threads are being stopped, nothing is resumed unasked.
    stopping: bool,
    memory: Option<LiveMemory>,
    /// Restores the code of a process that outlives us.
    guardian: Option<Guardian>,
    /// Where instructions under traps are executed from.
    slots: Slots,
    gates: Gates,
    generation: Generation,
    pub(crate) watches: Watches,
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
            sharing: HashSet::new(),
            follow_forks: false,
            queue: VecDeque::new(),
            ended: None,
            last_end: None,
            detached: false,
            stopping: false,
            memory: None,
            guardian: None,
            slots: Slots::default(),
            gates: Gates::default(),
            generation: Generation::default(),
            watches: Watches::default(),
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

    /// Whether a thread is ours, on its way out or not.
    pub(crate) fn knows(&self, tid: Tid) -> bool {
        self.threads.contains_key(&tid)
    }

    pub(crate) fn open_memory(&mut self) -> Result<(), ProcessError> {
        let tid = self.living();
        // The old one first: it has nothing to guard any more.
        (self.memory, self.guardian) = (None, None);
        match self.origin {
            Origin::Launched => self.memory = Some(LiveMemory::open(tid)?),
            Origin::Attached => {
                let (memory, guardian) = LiveMemory::open_guarded(tid)?;
                (self.memory, self.guardian) = (Some(memory), guardian);
            }
        }
        Ok(())
    }

    /// Whether the program's code will be restored if we are killed: that is so for one that was launched (it dies) or
    /// whose guardian could be started.
    pub fn is_guarded(&self) -> bool {
        self.origin == Origin::Launched || self.guardian.is_some()
    }

    /// Every thread stands, and will for a while: takes the traps out of the code of a process that would outlive us, so
    /// that it is not harmed if we are killed meanwhile. Reads do not notice. The watches are taken out of the processor
    /// too; a thread that runs has them again.
    pub fn disarm(&mut self) {
        if self.origin != Origin::Attached {
            return;
        }
        if let Some(memory) = &self.memory {
            memory.disarm();
        }
        self.disarm_watches();
        self.end_stepping();
    }

    /// Puts the traps back that [`Tracee::disarm`] took out. To be called before any thread runs.
    pub fn arm(&mut self) {
        if let Some(memory) = &self.memory {
            memory.arm();
        }
        self.arm_watches();
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

    /// The threads that have begun to exit and are not collected yet: `/proc` still lists them.
    pub fn ending(&self) -> Vec<Tid> {
        self.threads.iter().filter(|(_, thread)| thread.state == State::Exiting).map(|(tid, _)| *tid).collect()
    }

    /// How many of the threads that the kernel counts are ours: those that are ending too, and the first one if it had ended
    /// before we came and is only not collected.
    pub(crate) fn held(&self) -> usize {
        self.threads.len().saturating_add(usize::from(!self.threads.contains_key(&self.pid)))
    }

    /// A thread that has not begun to exit: of one that has, `/proc` shows no memory, no mappings and no program. The first
    /// one if it can be: no other process gets its number while this one is there.
    pub fn living(&self) -> Tid {
        let has_begun_to_exit = |thread: &Thread| thread.state == State::Exiting;
        if self.threads.get(&self.pid).is_some_and(|first| !has_begun_to_exit(first)) {
            return self.pid;
        }
        self.threads.iter().find(|(_, thread)| !has_begun_to_exit(thread)).map_or(self.pid, |(tid, _)| *tid)
    }

    /// Whether a thread is stopped, so that it has registers to read.
    pub fn is_stopped(&self, tid: Tid) -> bool {
        self.threads.get(&tid).is_some_and(|thread| thread.state == State::Stopped)
    }

    /// Whether threads stand in a job-control stop (`SIGSTOP`, `SIGTSTP`): they will not run, whatever is done here, until
    /// the process gets `SIGCONT`.
    pub fn is_in_job_control_stop(&self) -> bool {
        self.threads.values().any(|thread| thread.group_stop.is_some())
    }

    /// Sends `SIGCONT` if the process stands in a job-control stop: it goes on when its threads are resumed here.
    pub fn end_job_control_stop(&mut self) -> Result<(), ProcessError> {
        if self.is_in_job_control_stop() {
            self.signal(libc::SIGCONT)?;
            self.threads.values_mut().for_each(|thread| thread.group_stop = None);
        }
        Ok(())
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
        self.forget_position(tid);
        registers::write(tid, registers)
    }

    /// Moves a stopped thread's pc.
    pub fn set_pc(&self, tid: Tid, pc: MemAddr) -> Result<(), ProcessError> {
        self.forget_position(tid);
        registers::set_pc(tid, pc)
    }

    fn forget_position(&self, tid: Tid) {
        if let Some(thread) = self.threads.get(&tid) {
            thread.position.set(None);
        }
    }

    /// Which setting of the watches a thread has.
    pub(crate) fn watched_version(&self, tid: Tid) -> Option<u64> {
        self.threads.get(&tid).map(|thread| thread.watched)
    }

    /// Which watches (bit 0: the first one set) a thread has hit by single steps since this was last asked: such a hit is
    /// reported as [`crate::Trap::Step`].
    pub fn take_watch_hits(&mut self, tid: Tid) -> u8 {
        self.threads.get_mut(&tid).map_or(0, |thread| std::mem::take(&mut thread.watch_hits))
    }

    pub(crate) fn set_watched_version(&mut self, tid: Tid, version: u64) {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.watched = version;
        }
    }

    /// How the process ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
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
