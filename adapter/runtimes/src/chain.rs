//! From a future to everything it waits for: the walk along compiled shapes.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::{FIRST_AWAIT, Type, UNRESUMED};
use weft_tasks::{FrameKind, Location, TaskKey, Wait, WaitKind};
use weft_values::{Place, Stop, is_user_crate};

use crate::branches::{Group, branch};
use crate::leaves;
use crate::listing::{Body, Dropper, EntryFuture, Suspended};
use crate::names::krate;
use crate::shape::{Alternative, Choice, Coroutine, Kind, Part, Shape, Shapes, TypeId};
use crate::waits::Known;

/// How many futures deep a chain goes.
const MAX_DEPTH: usize = 256;
/// How many places one task's walk looks at.
const MAX_PLACES: usize = 20_000;
/// How many members of one set or slice are looked at.
const MAX_ELEMENTS: u64 = 1_000;

/// One node of a task's chain, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: FrameKind,
    pub(crate) name: Arc<str>,
    pub(crate) location: Option<Arc<Location>>,
    pub(crate) user_code: bool,
    /// Where its variables are.
    pub(crate) body: Option<Body>,
    /// What a leaf waits for.
    pub(crate) wait: Option<Wait>,
    pub(crate) group: Option<Group>,
    /// What a reader should know beyond the rest, in a few words.
    pub(crate) note: Option<Arc<str>>,
    pub(crate) children: Vec<Node>,
}

/// What a future is at the moment, seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    pub(crate) nodes: Vec<Node>,
    /// The entry future was never polled.
    pub(crate) unresumed: bool,
    /// It may poll futures that were not found.
    pub(crate) hides: bool,
    /// What kept the walk from being complete.
    pub(crate) error: Option<String>,
}

/// Finds out which task has its header at an address, and what it is called.
pub(crate) type KeyOf<'a> = dyn Fn(MemAddr) -> Option<Named> + 'a;

/// A task and its name.
pub(crate) type Named = (TaskKey, Arc<str>);

/// The places that one walk has been at, with the types that they were taken for; the next walk begins by clearing it.
pub(crate) type Visited = FxHashSet<(MemAddr, TypeId)>;

/// One walk over one task.
pub(crate) struct Walk<'a> {
    pub(crate) stop: &'a Stop,
    pub(crate) shapes: &'a Shapes,
    pub(crate) known: &'a Known,
    pub(crate) key_of: &'a KeyOf<'a>,
    visited: &'a mut Visited,
    /// What drops the task.
    dropper: Option<Dropper>,
    /// The coroutines around, outermost first, with their active states.
    pub(crate) around: Vec<Enclosing>,
    places: usize,
    unresumed: bool,
    hides: bool,
    pub(crate) error: Option<String>,
}

/// A coroutine around the place that is being looked at.
pub(crate) struct Enclosing {
    pub(crate) shape: Arc<Shape>,
    pub(crate) address: MemAddr,
    pub(crate) state: usize,
}

impl Enclosing {
    /// The coroutine and what its active state has saved.
    pub(crate) fn saved(&self) -> Option<(&Coroutine, &Alternative)> {
        let Kind::Coroutine(coroutine) = &self.shape.kind else { return None };
        Some((coroutine, coroutine.states.variants.get(self.state)?))
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        stop: &'a Stop,
        shapes: &'a Shapes,
        known: &'a Known,
        key_of: &'a KeyOf<'a>,
        visited: &'a mut Visited,
    ) -> Self {
        visited.clear();
        Self {
            stop,
            shapes,
            known,
            key_of,
            visited,
            dropper: None,
            around: Vec::new(),
            places: 0,
            unresumed: false,
            hides: false,
            error: None,
        }
    }

    /// The chain of a task's entry future, which is at rest.
    pub(crate) fn entry(mut self, future: &EntryFuture) -> Chain {
        self.dropper.clone_from(&future.dropper);
        let nodes = self.future(&future.ty, future.address, 0);
        Chain { nodes, unresumed: self.unresumed, hides: self.hides, error: self.error }
    }

    /// A place that is known to be a future being awaited: if nothing is known inside it, it is a leaf itself.
    pub(crate) fn future(&mut self, ty: &Type, address: MemAddr, depth: usize) -> Vec<Node> {
        if self.visited.contains(&(address, TypeId::of(ty))) {
            return Vec::new();
        }
        let shape = self.shapes.of(ty);
        let nodes = match &shape.kind {
            // A reference in this position is a future of its own, whoever wrote its target.
            Kind::Nothing if crate::shape::pointee(ty).is_some() && ty.path().starts_with("&mut ") => {
                match (crate::shape::pointee(ty), self.stop.memory.read_pointer(address)) {
                    (Some(target), Ok(to)) if depth < MAX_DEPTH => {
                        return self.future(&target, to, depth.saturating_add(1));
                    }
                    _ => Vec::new(),
                }
            }
            _ => self.shape(&shape, address, depth),
        };
        let ended = matches!(&shape.kind, Kind::Coroutine(_));
        if nodes.is_empty() && !ended && self.error.is_none() { vec![self.opaque(ty, address)] } else { nodes }
    }

    fn shape(&mut self, shape: &Arc<Shape>, address: MemAddr, depth: usize) -> Vec<Node> {
        if depth >= MAX_DEPTH || self.places >= MAX_PLACES {
            self.fail(format!("the chain was followed for {} places and then given up", self.places));
            return Vec::new();
        }
        if matches!(shape.kind, Kind::Nothing) || !self.visited.insert((address, TypeId::of(&shape.ty))) {
            return Vec::new();
        }
        self.places = self.places.saturating_add(1);
        let depth = depth.saturating_add(1);
        match &shape.kind {
            Kind::Nothing => Vec::new(),
            Kind::Coroutine(coroutine) => self.coroutine(shape, coroutine, address, depth),
            Kind::Leaf(leaf) => vec![self.leaf(leaf, &shape.ty, address)],
            Kind::Struct { parts, hides } => {
                self.hides |= hides;
                let nodes = self.parts(parts, address, depth);
                shape.combinator.combined(nodes)
            }
            Kind::Enum(choice) => {
                let parts = self.active(choice, address).map(|(_, active)| active.parts.as_slice()).unwrap_or_default();
                self.parts(parts, address, depth)
            }
            Kind::Pointer(target) => match self.pointer(address) {
                Some(to) => self.future_or_parts(target, to, depth),
                None => Vec::new(),
            },
            Kind::Slice { data, length, element } | Kind::Vector { data, length, element } => {
                let from = self.pointer(at(address, *data));
                let count = self.read(at(address, *length), 8).and_then(|count| u64::try_from(count).ok());
                match (from, count) {
                    (Some(from), Some(count)) => self.elements(element, from, count, depth),
                    _ => Vec::new(),
                }
            }
            Kind::Array { element, count } => self.elements(element, address, *count, depth),
            Kind::Dyn { data, vtable } => self.dynamic(&shape.ty, at(address, *data), at(address, *vtable), depth),
            Kind::Unordered(set) => {
                let nodes = self.unordered(set, address, depth);
                vec![branch("FuturesUnordered", Group::All, nodes)]
            }
            Kind::Macro(made) => self.made_by_macro(made, address, depth),
            Kind::JoinSet(set) => {
                let nodes = self.join_set(set, address);
                vec![branch("JoinSet", Group::All, nodes)]
            }
        }
    }

    /// Behind a pointer in the position of a future there may be a struct without anything known inside.
    fn future_or_parts(&mut self, ty: &Type, address: MemAddr, depth: usize) -> Vec<Node> {
        let shape = self.shapes.of(ty);
        self.shape(&shape, address, depth)
    }

    fn coroutine(&mut self, shape: &Arc<Shape>, coroutine: &Coroutine, address: MemAddr, depth: usize) -> Vec<Node> {
        let Some((state, active)) = self.active(&coroutine.states, address) else {
            self.fail(format!("the state of `{}` at {address} cannot be read", coroutine.name));
            return Vec::new();
        };
        if state != UNRESUMED && state < FIRST_AWAIT {
            return Vec::new();
        }
        if state == UNRESUMED && self.around.is_empty() {
            self.unresumed = true;
        }
        let awaitee = active.parts.iter().find(|part| part.name == "__awaitee");
        let (location, note) = match state {
            UNRESUMED if self.around.is_empty() => (coroutine.declared.clone(), None),
            UNRESUMED => (coroutine.declared.clone(), Some(Arc::from("never polled"))),
            _ => self.shapes.await_of(&shape.ty, state, active),
        };
        let mut children = Vec::new();
        if let Some(awaitee) = awaitee.filter(|_| state != UNRESUMED) {
            self.around.push(Enclosing { shape: Arc::clone(shape), address, state });
            children = self.future(&awaitee.ty, at(address, awaitee.offset), depth);
            self.around.pop();
        }
        vec![Node {
            kind: FrameKind::Await,
            name: Arc::clone(&coroutine.name),
            location,
            user_code: coroutine.user_code,
            body: Some(Body::Suspended(Suspended {
                environment: Place::new(shape.ty.clone(), address),
                dropper: self.dropper.clone(),
            })),
            wait: None,
            group: None,
            note,
            children,
        }]
    }

    fn active<'c>(&self, choice: &'c Choice, address: MemAddr) -> Option<(usize, &'c Alternative)> {
        match choice.tag {
            None => choice.select(None),
            Some((offset, size)) => choice.select(Some(self.read(at(address, offset), size)?)),
        }
    }

    fn parts(&mut self, parts: &[Part], address: MemAddr, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for part in parts {
            let shape = self.shapes.of(&part.ty);
            nodes.extend(self.shape(&shape, at(address, part.offset), depth));
        }
        nodes
    }

    fn elements(&mut self, element: &Type, from: MemAddr, count: u64, depth: usize) -> Vec<Node> {
        let shape = self.shapes.of(element);
        let mut nodes = Vec::new();
        if count > MAX_ELEMENTS {
            self.too_many();
        }
        for index in 0..count.min(MAX_ELEMENTS) {
            nodes.extend(self.shape(&shape, at(from, index.saturating_mul(element.size())), depth));
        }
        nodes
    }

    fn dynamic(&mut self, ty: &Type, data: MemAddr, vtable: MemAddr, depth: usize) -> Vec<Node> {
        let (Some(to), Some(vtable)) = (self.pointer(data), self.pointer(vtable)) else { return Vec::new() };
        let concrete = self.stop.modules.to_file(vtable).and_then(|(module, file)| module.image.vtable_type(file));
        match concrete {
            Some(concrete) => self.future(&concrete, to, depth),
            None => vec![self.opaque(ty, data)],
        }
    }

    fn unordered(&mut self, set: &leaves::Unordered, address: MemAddr, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut seen = FxHashSet::default();
        let mut next = self.pointer(at(address, set.head));
        while let Some(node) = next {
            if !seen.insert(node) {
                break;
            }
            if nodes.len() as u64 >= MAX_ELEMENTS {
                self.too_many();
                break;
            }
            if let Some((ty, place)) = self.live(&set.slot.1, at(node, set.slot.0)) {
                nodes.extend(self.future(&ty, place, depth));
            }
            next = self.pointer(at(node, set.next));
        }
        // The newest was pushed in front.
        nodes.reverse();
        nodes
    }

    fn join_set(&mut self, set: &leaves::JoinSet, address: MemAddr) -> Vec<Node> {
        let (headers, is_cut) = set.headers(self.stop, address);
        if is_cut {
            self.too_many();
        }
        headers.into_iter().map(|header| leaf_node("JoinHandle".into(), self.join_wait(Some(header)))).collect()
    }

    /// A future of which only the type is known.
    fn opaque(&mut self, ty: &Type, address: MemAddr) -> Node {
        let name = weft_values::short_type_name(ty.path());
        let wait = self.opaque_wait(ty, address, &name);
        let user_code = is_user_crate(krate(ty.path()));
        Node { user_code, ..leaf_node(name.into(), wait) }
    }

    pub(crate) fn pointer(&self, address: MemAddr) -> Option<MemAddr> {
        self.stop.memory.read_pointer(address).ok().filter(|to| to.raw() != 0)
    }

    pub(crate) fn read(&self, address: MemAddr, size: u64) -> Option<u128> {
        self.stop.memory.read_uint(address, usize::try_from(size).ok()?).ok()
    }

    fn too_many(&mut self) {
        self.fail(format!("more than {MAX_ELEMENTS} futures side by side: the rest is not shown"));
    }

    fn fail(&mut self, message: String) {
        self.error.get_or_insert(message);
    }
}

pub(crate) fn at(address: MemAddr, offset: u64) -> MemAddr {
    MemAddr::new(address.raw().wrapping_add(offset))
}

pub(crate) fn leaf_node(name: Arc<str>, wait: Wait) -> Node {
    Node {
        kind: FrameKind::Leaf,
        name,
        location: None,
        user_code: false,
        body: None,
        wait: Some(wait),
        group: None,
        note: None,
        children: Vec::new(),
    }
}

/// What a chain waits for: its innermost leaf, or a branch's kind.
pub(crate) fn wait_of(nodes: Vec<Node>) -> Option<Wait> {
    wait_of_one(nodes.into_iter().next()?)
}

fn wait_of_one(node: Node) -> Option<Wait> {
    let Some(group) = node.group else { return wait_of(node.children).or(node.wait) };
    let mut waits: Vec<Wait> = node.children.into_iter().filter_map(wait_of_one).collect();
    // They were collected into the memory of the nodes, which are larger.
    waits.shrink_to_fit();
    if group == Group::Timeout {
        return timed(waits);
    }
    let kind = if group == Group::Any { WaitKind::Select } else { WaitKind::Group };
    let texts: Vec<&str> = waits.iter().take(4).map(|wait| &*wait.text).collect();
    let more = if waits.len() > texts.len() { ", …" } else { "" };
    let count = waits.len().to_string();
    let mut wait = Wait::new(kind, [&node.name, " of ", &count, ": ", &texts.join(", "), more].concat());
    wait.tasks = waits.iter().flat_map(|wait| wait.tasks.iter().copied()).collect();
    wait.remaining_ms = waits.iter().filter_map(|wait| wait.remaining_ms).min().filter(|_| group == Group::Any);
    wait.branches = waits;
    Some(wait)
}

/// A wait with a timer beside it: the wait itself, and how long the timer leaves it.
fn timed(waits: Vec<Wait>) -> Option<Wait> {
    let mut waits = waits.into_iter();
    let (first, second) = (waits.next()?, waits.next());
    // The debug information may list the timer first.
    let (mut wait, timer) = match second {
        Some(second) if first.kind == WaitKind::Sleep && second.kind != WaitKind::Sleep => (second, Some(first)),
        second => (first, second),
    };
    wait.timed |= timer.is_some();
    if let Some(milliseconds) = timer.and_then(|timer| timer.remaining_ms) {
        wait.text = format!("{}; timeout in {}", wait.text, weft_tasks::duration(milliseconds)).into();
        wait.remaining_ms = Some(wait.remaining_ms.map_or(milliseconds, |own| own.min(milliseconds)));
    }
    Some(wait)
}

/// The tasks that the leaves of a chain join.
pub(crate) fn joined(nodes: &[Node], found: &mut Vec<(TaskKey, bool)>) {
    for node in nodes {
        if let Some(wait) = &node.wait {
            found.extend(wait.tasks.iter().map(|task| (*task, false)));
        }
        let before = found.len();
        joined(&node.children, found);
        if &*node.name == "JoinSet" && node.group.is_some() {
            found.iter_mut().skip(before).for_each(|(_, set)| *set = true);
        }
    }
}
