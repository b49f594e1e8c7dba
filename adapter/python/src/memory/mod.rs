//! Tasks of CPython 3.14 and later, read from outside the process.
//!
//! For: finding an interpreter in a process or core file, and reading its tasks, their coroutines and who awaits whom out of
//! its memory, as it lies there. Not for: stopping the process (`process` does), or older Pythons, which do not describe
//! themselves (the probe looks at those from inside).
//!
//! **Invariant:** nothing is run in the program, and nothing is written to it.
//! **Invariant:** memory is believed in nothing: each walk is bounded and goes nowhere twice, and what cannot be read is
//! missing and noted.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod chain;
mod code;
mod holds;
mod listing;
mod objects;
mod offsets;
mod sections;
mod tasks;
mod threads;
mod waits;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weft_memory::{Memory, Window};
use weft_process::{Core, Mapping, Pid, ProcessError, Tracee, executable_path};

pub use listing::Listing;
use offsets::{AsyncioOffsets, Offsets};
pub use offsets::{Unreadable, Version};
use sections::Sections;

/// A CPython interpreter in a process or core file.
#[derive(Clone, Copy, Debug)]
pub struct Interpreter(Sections);

impl Interpreter {
    /// The interpreter of a live process with these mappings; none if it has none.
    pub fn of_process(pid: Pid, mappings: &[Mapping]) -> Option<Self> {
        // Through `/proc`, for what was replaced since, or lies in another file system.
        let behind = |mapping: &Mapping, path: &Path| {
            let range = format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start.raw(), mapping.end.raw());
            File::open(range).or_else(|_| File::open(path)).ok()
        };
        let program = executable_path(pid).ok();
        Self::of(sections::find(mappings, program.as_deref(), behind))
    }

    /// The interpreter of a process of which there is this core file.
    pub fn of_core(core: &Core) -> Option<Self> {
        Self::of(sections::find(&core.mappings, core.executable(), |_, path| {
            let regular = path.metadata().is_ok_and(|metadata| metadata.is_file());
            if regular { File::open(path).ok() } else { None }
        }))
    }

    /// Whether the program is the interpreter; else it is a program that has one in it.
    pub fn is_program(&self) -> bool {
        self.0.is_program
    }

    fn of(found: Sections) -> Option<Self> {
        (found.runtime.is_some() || found.named.is_some()).then_some(Self(found))
    }

    /// All tasks that a core file has.
    pub fn list_core(&self, core: &Core) -> Result<Listing, Unreadable> {
        self.list(&Window::new(core.memory.clone()))
    }

    /// Stops the process, reads its tasks and lets it go on; for how long it stood.
    pub fn look(&self, pid: Pid) -> Result<(Result<Listing, Unreadable>, Duration), ProcessError> {
        let begun = Instant::now();
        let mut tracee = Tracee::attach(pid)?;
        // Tasks lie one behind the other, and so do their coroutines.
        let listing = tracee.stopped_memory().map(|memory| self.list(&Window::new(Arc::new(memory))));
        tracee.detach()?;
        Ok((listing?, begun.elapsed()))
    }

    /// All tasks as they are in this memory, which does not change meanwhile.
    pub fn list(&self, memory: &dyn Memory) -> Result<Listing, Unreadable> {
        let old = || self.version(memory).map_or(Unreadable::Ancient, Unreadable::TooOld);
        let runtime = self.0.runtime.ok_or_else(old)?;
        let offsets = Offsets::read(memory, runtime).map_err(|error| match error {
            Unreadable::Ancient => old(),
            known => known,
        })?;
        let Some(asyncio) = self.0.asyncio else {
            return Ok(Listing::empty("asyncio is not loaded in this process"));
        };
        let asyncio = AsyncioOffsets::read(memory, asyncio, &offsets)?;
        Ok(listing::list(memory, &offsets, &asyncio, runtime))
    }

    /// The version of an interpreter that does not describe itself.
    fn version(&self, memory: &dyn Memory) -> Option<Version> {
        let told = self.0.version.and_then(|at| memory.read_u32(at).ok());
        told.map(|hex| Version::of_hex(u64::from(hex))).or(self.0.named)
    }
}
