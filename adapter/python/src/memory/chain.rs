//! A task's coroutines, from the outermost one in.

use std::collections::HashSet;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_tasks::Location;

use super::code::{Code, Codes, Position};
use super::objects::{Objects, Record};
use super::offsets::OWNED_BY_GENERATOR;
use super::threads::Thread;

/// Links of one chain, at most.
const MOST_LINKS: usize = 10_000;

/// A coroutine, generator or function on the way to what a task waits for or does.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) code: Arc<Code>,
    pub(super) location: Option<Arc<Location>>,
    /// What its first variable refers to: `self` in a method.
    pub(super) receiver: Option<MemAddr>,
}

/// Where a chain of coroutines ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It has never run.
    NotBegun,
    /// A thread executes it.
    Executing,
    /// It has ended.
    Over,
    /// A bare `yield`: the event loop goes on with it in its next round.
    Yield,
    /// A future.
    Future(MemAddr),
    /// Something else that can be awaited, and is no Python code.
    Other(Arc<str>),
    /// Memory does not tell.
    Unknown,
}

/// What a task's coroutine is about.
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    pub(super) end: End,
}

/// Reads chains.
pub(super) struct Chains<'a, 'o> {
    pub(super) objects: &'o mut Objects<'a>,
    codes: Codes,
}

/// What an awaited object is.
enum Awaited {
    /// Has a frame: a coroutine, a generator, an asynchronous generator.
    Frame,
    /// Passes on what is done with it to its first member: `async_generator_asend` and its like.
    Wrapper,
    /// asyncio's iterator of a future.
    FutureIterator,
    /// Anything else.
    Other(Arc<str>),
}

impl<'a, 'o> Chains<'a, 'o> {
    pub(super) fn new(objects: &'o mut Objects<'a>) -> Self {
        Self { objects, codes: Codes::default() }
    }

    /// The coroutines that are suspended below `coroutine`, itself included.
    pub(super) fn suspended(&mut self, coroutine: MemAddr) -> Chain {
        let mut links = Vec::new();
        let mut seen = HashSet::new();
        let mut next = coroutine;
        let end = loop {
            if links.len() >= MOST_LINKS || !seen.insert(next) {
                break End::Unknown;
            }
            next = match self.awaited(next) {
                Some(Awaited::Frame) => match self.link(next) {
                    Some((link, inner)) => {
                        links.extend(link);
                        match inner {
                            Ok(inner) => inner,
                            Err(end) => break end,
                        }
                    }
                    None => break End::Unknown,
                },
                Some(Awaited::Wrapper) => match self.objects.first_member(next) {
                    Some(inner) => inner,
                    None => break End::Unknown,
                },
                Some(Awaited::FutureIterator) => {
                    break self.objects.first_member(next).map_or(End::Unknown, End::Future);
                }
                Some(Awaited::Other(name)) => break End::Other(name),
                None => break End::Unknown,
            };
        };
        Chain { links, end }
    }

    /// The names are those of `Objects/genobject.c`, `Objects/iterobject.c` and `Modules/_asynciomodule.c`.
    fn awaited(&mut self, object: MemAddr) -> Option<Awaited> {
        const FRAMES: [&str; 3] = ["coroutine", "generator", "async_generator"];
        const WRAPPERS: [&str; 4] =
            ["async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"];
        let known = self.objects.type_of(object)?;
        Some(match () {
            () if FRAMES.iter().any(|name| known.is_static(name)) => Awaited::Frame,
            () if WRAPPERS.iter().any(|name| known.is_static(name)) => Awaited::Wrapper,
            () if *known.name == *"_asyncio.FutureIter" => Awaited::FutureIterator,
            () => Awaited::Other(known.name),
        })
    }

    /// A suspended generator (or coroutine), and what it awaits or why there is nothing.
    fn link(&mut self, generator: MemAddr) -> Option<(Option<Link>, Result<MemAddr, End>)> {
        let (offsets, untold) = (self.objects.offsets, self.objects.offsets.untold);
        let state = generator.checked_add(offsets.generator_state)?;
        let state = self.objects.memory.read_u8(state).ok()?.cast_signed();
        let frame = generator.checked_add(offsets.generator_frame)?;
        let record = self.objects.record(frame, offsets.frame_size)?;
        let end = match state {
            _ if state == untold.created => Some(End::NotBegun),
            _ if state == untold.executing => Some(End::Executing),
            _ if state == untold.yielding => Some(End::Yield),
            _ if untold.awaiting.contains(&state) => None,
            _ => return Some((None, Err(End::Over))),
        };
        let link = self.frame(&record);
        let awaited = || {
            record.byte(offsets.frame_owner).filter(|owner| *owner == OWNED_BY_GENERATOR)?;
            let top = MemAddr::new(record.word(offsets.frame_stack)?);
            self.objects.pointer(top.checked_sub(untold.awaited_depth.checked_mul(8)?)?, 0)
        };
        Some((link, end.map_or_else(|| awaited().ok_or(End::Unknown), Err)))
    }

    fn frame(&mut self, frame: &Record) -> Option<Link> {
        let Position { code, location } = self.codes.position(self.objects, frame)?;
        let receiver = frame.pointer(self.objects.offsets.frame_locals);
        Some(Link { code, location, receiver })
    }

    /// What a thread executes of `coroutine`, outermost first; none where the thread is not in it.
    pub(super) fn running(&mut self, thread: &Thread, coroutine: MemAddr) -> Option<Vec<Link>> {
        let offsets = self.objects.offsets;
        let outermost = coroutine.checked_add(offsets.generator_frame)?;
        let frames = thread.frames_up_to(self.objects, outermost)?;
        let mut links: Vec<Link> = Vec::with_capacity(frames.len());
        for frame in frames.into_iter().rev() {
            let record = self.objects.record(frame, offsets.frame_size);
            links.extend(record.and_then(|record| self.frame(&record)));
        }
        Some(links)
    }
}
