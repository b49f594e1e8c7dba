//! Interpreters and their threads.

use std::collections::HashSet;

use weft_memory::MemAddr;

use super::objects::Objects;
use super::offsets::{AsyncioOffsets, OWNED_BY_INTERPRETER};

/// Interpreters of a process that are looked at.
const MOST_INTERPRETERS: usize = 1024;
/// Threads of an interpreter that are looked at.
const MOST_THREADS: usize = 65_536;
/// Frames of a thread's stack that are looked at.
const MOST_FRAMES: usize = 10_000;

/// A thread that executes Python.
pub(super) struct Thread {
    /// Its state (`_PyThreadStateImpl`).
    pub(super) address: MemAddr,
    /// The operating system's number for it.
    pub(super) id: i32,
    /// The frame that it executes.
    frame: Option<MemAddr>,
    /// The event loop that it runs.
    pub(super) event_loop: Option<MemAddr>,
    /// The task that it runs at the moment.
    pub(super) task: Option<MemAddr>,
}

/// An interpreter (`PyInterpreterState`), of which a process has one, or several that know nothing of each other.
pub(super) struct Interpreter {
    pub(super) address: MemAddr,
    pub(super) threads: Vec<Thread>,
}

/// All interpreters, in the order of their list. What is cut off or goes in a circle ends there.
pub(super) fn interpreters(objects: &Objects<'_>, asyncio: &AsyncioOffsets, runtime: MemAddr) -> Vec<Interpreter> {
    let offsets = objects.offsets;
    let first = objects.pointer(runtime, offsets.runtime_interpreters);
    let all = along(first, MOST_INTERPRETERS, |address| objects.pointer(address, offsets.interpreter_next));
    let interpreter = |address: MemAddr| Interpreter { address, threads: threads(objects, asyncio, address) };
    all.into_iter().map(interpreter).collect()
}

fn threads(objects: &Objects<'_>, asyncio: &AsyncioOffsets, interpreter: MemAddr) -> Vec<Thread> {
    let offsets = objects.offsets;
    let first = objects.pointer(interpreter, offsets.interpreter_threads);
    let all = along(first, MOST_THREADS, |address| objects.pointer(address, offsets.thread_next));
    let thread = |address: MemAddr| {
        let event_loop = objects.pointer(address, asyncio.thread_running_loop);
        Some(Thread {
            address,
            id: i32::try_from(objects.word(address, offsets.thread_native_id)?).ok()?,
            frame: objects.pointer(address, offsets.thread_frame),
            event_loop,
            task: event_loop.and_then(|_| objects.pointer(address, asyncio.thread_running_task)),
        })
    };
    all.into_iter().filter_map(thread).collect()
}

/// The elements of a list from the first on, each once, at most so many.
pub(super) fn along(first: Option<MemAddr>, most: usize, next: impl Fn(MemAddr) -> Option<MemAddr>) -> Vec<MemAddr> {
    let mut seen = HashSet::new();
    let from_one_to_the_next = std::iter::successors(first, |address| next(*address));
    from_one_to_the_next.take_while(|address| seen.insert(*address)).take(most).collect()
}

impl Thread {
    /// The frames of Python code from the innermost one out to `last`; none where that is not on the stack.
    pub(super) fn frames_up_to(&self, objects: &Objects<'_>, last: MemAddr) -> Option<Vec<MemAddr>> {
        let offsets = objects.offsets;
        let mut all = along(self.frame, MOST_FRAMES, |frame| objects.pointer(frame, offsets.frame_previous));
        let end = all.iter().position(|frame| *frame == last)?;
        all.truncate(end.saturating_add(1));
        all.retain(|frame| {
            let owner = frame.checked_add(offsets.frame_owner).and_then(|at| objects.memory.read_u8(at).ok());
            owner.is_some_and(|owner| owner < OWNED_BY_INTERPRETER)
        });
        Some(all)
    }
}
