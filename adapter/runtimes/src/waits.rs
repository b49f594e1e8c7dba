//! What a primitive future waits for, read from it and from the coroutines around it.

mod channels;
mod io;
mod locks;

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Resource, Wait, WaitKind};

use crate::chain::{Node, Walk, at, leaf_node};
use crate::channels::{Half, half};
use crate::executors::Object;
use crate::leaves::{Leaf, LeafKind, find_pointer};
use crate::names::base;
use crate::queues::Queues;
use crate::shape::{Alternative, Coroutine, TypeId, find_by, find_member};

impl Walk<'_> {
    /// The node of a primitive future.
    pub(crate) fn leaf(&mut self, leaf: &Leaf, ty: &Type, address: MemAddr) -> Node {
        let wait = match &leaf.kind {
            LeafKind::Sleep { deadline } => self.sleep(*deadline, address),
            LeafKind::Join { header } => self.join_wait(header.and_then(|offset| self.pointer(at(address, offset)))),
            LeafKind::Acquire(acquire) => self.acquire(acquire, address),
            LeafKind::Notified { notify } => self.notified(notify.and_then(|offset| self.pointer(at(address, offset)))),
            LeafKind::Receive { half, through } => {
                let receiver = through.map_or(Some(address), |offset| self.pointer(at(address, offset)));
                self.receive(half.as_ref().zip(receiver))
            }
            LeafKind::Cancelled { node } => {
                let mut wait = Wait::new(WaitKind::Notify, "cancellation of CancellationToken");
                let node = node.and_then(|offset| self.pointer(at(address, offset)));
                wait.resource = node.map(|node| resource(node, "CancellationToken"));
                wait
            }
            LeafKind::Object(object) => self.object(object, address),
            LeafKind::Io { operation } => self.io(operation.as_deref(), ty, address),
        };
        leaf_node(Arc::clone(&leaf.name), wait)
    }

    /// A wait for what a future points to.
    fn object(&self, object: &Object, address: MemAddr) -> Wait {
        let mut wait = Wait::new(object.kind, object.text.as_str());
        let target = object.path.iter().try_fold(address, |from, offset| self.pointer(at(from, *offset)));
        let target = target.filter(|_| !object.path.is_empty());
        wait.resource = target.map(|target| resource(target, object.type_name.as_str()));
        wait
    }

    fn sleep(&self, deadline: Option<(u64, u64)>, address: MemAddr) -> Wait {
        let read = || {
            let (seconds, nanoseconds) = deadline?;
            let seconds = i128::from(self.stop.memory.read_u64(at(address, seconds)).ok()?.cast_signed());
            let nanoseconds = i128::from(self.stop.memory.read_u32(at(address, nanoseconds)).ok()?);
            // No time has that many: a timer that never fires.
            if nanoseconds >= 1_000_000_000 {
                return None;
            }
            let due = seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?;
            let left = due.checked_sub(self.stop.clock?.total_nanoseconds())?;
            u64::try_from(left.max(0).checked_div(1_000_000)?).ok()
        };
        let what = match self.kind_around() {
            Some(WaitKind::Sleep) => self.called().unwrap_or("sleep"),
            _ => "sleep",
        };
        match read() {
            None => Wait::new(WaitKind::Sleep, what),
            Some(milliseconds) => {
                let mut wait =
                    Wait::new(WaitKind::Sleep, [what, ", ", &weft_tasks::duration(milliseconds), " left"].concat());
                wait.remaining_ms = Some(milliseconds);
                wait
            }
        }
    }

    /// A wait for the task with its header there.
    pub(crate) fn join_wait(&self, header: Option<MemAddr>) -> Wait {
        // What the runtime's own functions leave to a thread made for blocking is known by the function.
        let kind = self.kind_around().filter(|kind| *kind == WaitKind::BlockingJob);
        let called = kind.and_then(|_| self.called());
        let found = header.and_then(|header| (self.key_of)(header));
        let text: Arc<str> = match (called, &found) {
            (Some(called), _) => called.into(),
            (None, Some((_, name))) => format!("join {name}").into(),
            (None, None) => "join".into(),
        };
        let mut wait = Wait::new(kind.unwrap_or(WaitKind::Join), text);
        wait.tasks.extend(found.map(|(key, _)| key));
        wait
    }

    fn notified(&self, notify: Option<MemAddr>) -> Wait {
        match self.kind_around() {
            Some(WaitKind::Barrier) => self.barrier(),
            Some(WaitKind::Channel) => self.change(),
            kind => {
                let called = kind.and_then(|_| self.called());
                let mut wait = Wait::new(kind.unwrap_or(WaitKind::Notify), called.unwrap_or("notify"));
                wait.resource = notify.map(|notify| resource(notify, "Notify"));
                wait
            }
        }
    }

    fn barrier(&self) -> Wait {
        let Some((barrier, way)) = self.object_around(&["tokio::sync::barrier::Barrier"]) else {
            return Wait::new(WaitKind::Barrier, "barrier");
        };
        let count = |name| {
            let (offset, count) = find_member(&way.object, &[name], 8)?;
            self.read(at(barrier, offset), count.size().clamp(1, 8))
        };
        let text = match (count("arrived"), count("n")) {
            (Some(arrived), Some(wanted)) => format!("barrier, {arrived} of {wanted} arrived"),
            _ => "barrier".to_owned(),
        };
        let mut wait = Wait::new(WaitKind::Barrier, text);
        wait.resource = Some(resource(barrier, "Barrier"));
        wait
    }

    /// A future of which only the type is known. If it holds a stream, that is what it waits for, most likely; which of
    /// the stream's directions is not known.
    pub(crate) fn opaque_wait(&self, ty: &Type, address: MemAddr, name: &str) -> Wait {
        if let Some(wait) = self.stream_wait(ty, address, name) {
            return wait;
        }
        // Inside the runtime's own functions the user knows the function, not the future.
        let kind = self.kind_around();
        let called = self.called();
        match kind {
            Some(WaitKind::Channel) => self.half_wait(called.unwrap_or(name)),
            Some(WaitKind::Process) => self.process(called.unwrap_or(name)),
            Some(WaitKind::Io) => self.io(None, ty, address),
            _ => Wait::new(kind.unwrap_or(WaitKind::Future), called.unwrap_or(name)),
        }
    }

    /// What kind of wait the runtime's own coroutines around say this is. The outermost of them is what the user
    /// called: a barrier waits through a channel, which waits through a notification.
    fn kind_around(&self) -> Option<WaitKind> {
        self.plumbing().filter_map(|coroutine| coroutine.waits).last()
    }

    /// The runtime's own coroutines around, innermost first.
    fn plumbing(&self) -> impl Iterator<Item = &Coroutine> {
        self.around.iter().rev().map_while(|enclosing| {
            let (coroutine, _) = enclosing.saved()?;
            (!coroutine.user_code).then_some(coroutine)
        })
    }

    /// The name of the runtime's function that the user called: the outermost of its coroutines around.
    fn called(&self) -> Option<&str> {
        self.plumbing().last().map(|coroutine| &*coroutine.called)
    }

    /// What of one of these types a runtime's coroutine around was called on, innermost first: its address, and the way to
    /// it. By reference, in an `Arc` or by value.
    fn object_around(&self, paths: Paths) -> Option<(MemAddr, Arc<Way>)> {
        let plumbing = self.around.iter().rev().map_while(|enclosing| {
            let (coroutine, active) = enclosing.saved()?;
            (!coroutine.user_code).then_some((enclosing, active))
        });
        plumbing.into_iter().find_map(|(enclosing, active)| {
            let key = (TypeId::of(&enclosing.shape.ty), enclosing.state, paths.as_ptr() as usize);
            let way = self.known.way(key, || way(active, paths))?;
            let place = at(enclosing.address, way.part);
            let object = match way.behind {
                None => place,
                Some((pointer, offset)) => at(self.pointer(at(place, pointer))?, offset),
            };
            Some((object, way))
        })
    }
}

/// The paths of types that are looked for together.
type Paths = &'static [&'static str];

/// An environment, its state, and where the paths lie that were looked for.
type Sought = (TypeId, usize, usize);

/// The way from a coroutine's environment to something that it was called on. Numbers are offsets in bytes.
#[derive(Debug)]
struct Way {
    /// Of the saved variable.
    part: u64,
    /// Of the pointer in it, and of the object from where that leads.
    behind: Option<(u64, u64)>,
    object: Type,
    /// The object's type as a user reads it.
    name: Arc<str>,
}

impl Way {
    fn new(part: u64, behind: Option<(u64, u64)>, object: Type) -> Self {
        Self { part, behind, name: weft_values::short_type_name(object.path()).into(), object }
    }
}

/// What is worked out for waits, kept between them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The queues of semaphores, of one stop.
    queues: Queues,
    ways: RwLock<FxHashMap<Sought, Option<Arc<Way>>>>,
    halves: RwLock<FxHashMap<TypeId, Option<Arc<Half>>>>,
}

impl Known {
    fn way(&self, key: Sought, make: impl Fn() -> Option<Way>) -> Option<Arc<Way>> {
        if let Some(known) = self.ways.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let made = make().map(Arc::new);
        self.ways.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }

    /// The half of a channel that values of a type are. The type must be one that somebody keeps.
    fn half(&self, ty: &Type) -> Option<Arc<Half>> {
        let key = TypeId::of(ty);
        if let Some(known) = self.halves.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let made = half(ty).map(Arc::new);
        self.halves.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }
}

fn way(active: &Alternative, paths: Paths) -> Option<Way> {
    let wanted = |ty: &Type| paths.contains(&base(ty.path()));
    active.parts.iter().filter(|part| part.name != "__awaitee").find_map(|part| {
        if wanted(&part.ty) {
            return Some(Way::new(part.offset, None, part.ty.clone()));
        }
        let (pointer, target) = find_pointer(&part.ty, 4, &|target| inside(target, &wanted).is_some())?;
        let (offset, object) = inside(&target, &wanted)?;
        Some(Way::new(part.offset, Some((pointer, offset)), object))
    })
}

/// What a pointer leads to: the wanted type itself, or an `Arc`'s allocation with it inside.
fn inside(target: &Type, wanted: &dyn Fn(&Type) -> bool) -> Option<(u64, Type)> {
    if wanted(target) {
        return Some((0, target.clone()));
    }
    (base(target.path()) == "alloc::sync::ArcInner").then(|| find_by(target, 1, &|_, inner| wanted(inner))).flatten()
}

fn resource(address: MemAddr, type_name: impl Into<Arc<str>>) -> Resource {
    Resource { id: address.raw(), type_name: type_name.into() }
}
