//! Everything that is known about a program at one moment when it does not run.

use std::fmt;
use std::sync::Arc;

use std::ops::Range;

use weft_memory::{Copied, MemAddr, Memory, Registers, Window};
use weft_symbols::Modules;

use crate::Stacks;

/// Most bytes of a program that are copied.
const MAX_COPIED: u64 = 512 << 20;
/// Bytes below the stack pointer that are in use nevertheless (System V ABI for x86-64).
const RED_ZONE: i64 = 128;

/// A thread of the stopped program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// The kernel's thread id.
    pub tid: i32,
    /// The thread's name (`/proc/<pid>/task/<tid>/comm`).
    pub name: String,
    /// Registers of its innermost frame.
    pub registers: Registers,
}

/// A reading of `CLOCK_MONOTONIC` taken at the stop: what `Instant`s in the program are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Clock {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Clock {
    /// The reading in nanoseconds.
    pub fn total_nanoseconds(self) -> i128 {
        i128::from(self.seconds).saturating_mul(1_000_000_000).saturating_add(i128::from(self.nanoseconds))
    }
}

/// A socket's two ends, as text: `127.0.0.1:80`, a path. None where that end has no name, or there is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ends {
    /// Its own.
    pub local: Option<String>,
    /// The other one.
    pub peer: Option<String>,
}

/// What the kernel knows of a program's descriptors; asked only when somebody wants to know.
pub trait Descriptors: Send + Sync {
    /// The ends of the socket behind a descriptor. None if it is no socket, and once the program has run on.
    fn ends(&self, fd: i32) -> Option<Ends>;

    /// What the kernel calls the file behind a descriptor: its path. None as for [`Descriptors::ends`].
    fn target(&self, _fd: i32) -> Option<String> {
        None
    }

    /// All of them as they are now, for a time when the program has run on; none if that cannot be had.
    fn kept(&self) -> Option<Arc<dyn Descriptors>> {
        None
    }
}

/// A stopped program. Immutable; shared in an `Arc` by all who read it. Its memory answers `Resumed` once the program
/// has run on.
pub struct Stop {
    /// Counts stops (and writes) of one program; no two stops of a program share a number.
    pub generation: u64,
    /// The kernel's process id; 0 when there is no process (a core file without one).
    pub pid: i32,
    /// The program's memory, without the debugger's own breakpoints in it.
    pub memory: Arc<dyn Memory>,
    /// The files it consists of.
    pub modules: Arc<Modules>,
    /// All its threads, the process's first thread first.
    pub threads: Vec<ThreadState>,
    /// The time at the stop; none if it is not known (a core file).
    pub clock: Option<Clock>,
    /// Its descriptors; none if there is no kernel to ask (a core file).
    pub descriptors: Option<Arc<dyn Descriptors>>,
    /// What was worked out of its stacks so far; begins empty.
    pub stacks: Stacks,
}

impl Stop {
    /// The thread of that id.
    pub fn thread(&self, tid: i32) -> Option<&ThreadState> {
        self.threads.iter().find(|thread| thread.tid == tid)
    }

    /// The same stop for one long walk, whose end is the end of what it keeps in memory.
    #[must_use]
    pub fn for_a_walk(&self) -> Self {
        self.with_memory(Arc::new(Window::new(Arc::clone(&self.memory))))
    }

    /// The same stop for a time when the program runs on: all that it can change is copied, and only what it cannot is read
    /// later. What is in neither answers [`weft_memory::MemoryError::Resumed`]. None if there are more than `most` bytes to
    /// copy.
    pub fn outliving(&self, most: u64) -> Option<Self> {
        let (parts, live) = (self.in_use(), self.memory.unbound()?);
        let copy = (Copied::size(&parts) <= most.min(MAX_COPIED)).then(|| Copied::of(&self.memory, &parts))?;
        let descriptors = self.descriptors.as_ref().and_then(|descriptors| descriptors.kept());
        Some(Self { descriptors, ..self.with_memory(Arc::new(copy.outliving(self.memory.writable(), live))) })
    }

    fn with_memory(&self, memory: Arc<dyn Memory>) -> Self {
        Self {
            generation: self.generation,
            pid: self.pid,
            memory,
            modules: Arc::clone(&self.modules),
            threads: self.threads.clone(),
            clock: self.clock,
            descriptors: self.descriptors.clone(),
            stacks: self.stacks.clone(),
        }
    }

    /// What the program can write to, without the parts of its stacks that are not in use.
    fn in_use(&self) -> Vec<Range<MemAddr>> {
        let mut parts = self.memory.writable();
        for part in &mut parts {
            let used = self.threads.iter().map(|thread| thread.registers.sp()).filter(|sp| part.contains(sp)).min();
            part.start = used.map_or(part.start, |sp| sp.offset(-RED_ZONE).max(part.start));
        }
        parts
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("generation", &self.generation)
            .field("pid", &self.pid)
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}
