//! A task's coroutines, from the outermost one in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_tasks::Location;

use super::code::{Code, Codes, Position};
use super::objects::{Objects, Record, object_at};
use super::offsets::OWNED_BY_GENERATOR;
use super::threads::Thread;

/// Links of one chain, at most.
const MOST_LINKS: usize = 10_000;
/// Words of a value stack that are looked at: a deeper one is not.
const DEEPEST_STACK: u64 = 256;
/// Functions that are remembered.
const MOST_FUNCTIONS: usize = 65_536;
/// From the end of a function object's head to its name: `PyFunctionObject` (`cpython/funcobject.h`).
const FUNCTION_NAME: u64 = 16;

/// A coroutine, generator or function on the way to what a task waits for or does.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) code: Arc<Code>,
    pub(super) location: Option<Arc<Location>>,
    /// What its first variable refers to: `self` in a method.
    pub(super) receiver: Option<MemAddr>,
    /// What it has entered by `async with`, or is about to enter or leave; known only of a suspended coroutine.
    pub(super) entered: Vec<MemAddr>,
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
    /// Functions that have been met, and whether they are called `__aexit__`.
    exits: HashMap<MemAddr, bool>,
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
        Self { objects, codes: Codes::default(), exits: HashMap::new() }
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
        let mut link = self.frame(&record);
        if end.is_none()
            && let Some(link) = &mut link
        {
            link.entered = self.entered(frame, &record, link.code.locals).unwrap_or_default();
        }
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
        Some(Link { code, location, receiver, entered: Vec::new() })
    }

    /// What a suspended frame has entered: while it is inside of `async with`, the function `__aexit__` lies on its value
    /// stack, and behind it the object that is to be left (`LOAD_SPECIAL`, `bytecodes.c`).
    fn entered(&mut self, frame: MemAddr, record: &Record, locals: u64) -> Option<Vec<MemAddr>> {
        let offsets = self.objects.offsets;
        let bottom = frame.checked_add(offsets.frame_locals)?.checked_add(locals.checked_mul(8)?)?;
        let bytes = MemAddr::new(record.word(offsets.frame_stack)?).since(bottom)?;
        // Below what is awaited there have to be two words.
        if bytes.checked_div(8)? < 3 || bytes > DEEPEST_STACK.checked_mul(8)? {
            return None;
        }
        let stack = self.objects.memory.read_bytes(bottom, usize::try_from(bytes).ok()?).ok()?;
        let words: Vec<Option<MemAddr>> =
            stack.as_chunks::<8>().0.iter().map(|word| object_at(u64::from_le_bytes(*word))).collect();
        let pairs = words.array_windows::<2>();
        let entered = pairs.filter_map(|[exit, object]| (*exit).filter(|exit| self.is_exit(*exit)).and(*object));
        Some(entered.collect())
    }

    fn is_exit(&mut self, object: MemAddr) -> bool {
        if let Some(known) = self.exits.get(&object) {
            return *known;
        }
        let is_function = self.objects.type_of(object).is_some_and(|known| known.is_static("function"));
        let name = self.objects.offsets.object_size.checked_add(FUNCTION_NAME).filter(|_| is_function);
        let name = name.and_then(|name| self.objects.pointer(object, name));
        let is_exit = name.and_then(|name| self.objects.text(name)).as_deref() == Some("__aexit__");
        if is_function && self.exits.len() < MOST_FUNCTIONS {
            self.exits.insert(object, is_exit);
        }
        is_exit
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
