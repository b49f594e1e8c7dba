//! What tasks hold: guards, permits and halves of channels in the environments of their coroutines.
//!
//! Not everything that lies in an environment is alive: the compiler also keeps the place of a local that was borrowed and
//! then moved away (`drop(guard)`), and what an async block captured and gave away. So what is found is a candidate, and
//! the resource itself has the last word ([`unite`]): of a lock that is free nobody is the holder, and of two candidates for
//! a lock that only one can hold nobody is named.

mod guards;
mod plan;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Held, Hold, Location, Polled, Resource, Task, TaskKey, Wait};
use weft_values::Stop;

use crate::chain::{Node, at};
use crate::leaves;
use crate::listing::{Body, EntryFuture};
use crate::shape::{Alternative, Choice, FIRST_AWAIT, Kind, Part, Shapes, TypeId, UNRESUMED};
use guards::{Guard, How, Proof};
pub(crate) use plan::Plans;
use plan::{Keep, Plan};

/// How many places one task's search looks at, and how deep it goes.
const MAX_PLACES: usize = 10_000;
const MAX_DEPTH: usize = 200;
/// How many elements of one vector or set are looked at.
const MAX_ELEMENTS: u64 = 1_000;
/// How many things one task is said to hold.
const MAX_HELD: usize = 256;

/// What a task whose entry future is at rest holds. `chain`: its nodes, which say what of it is polled.
pub(crate) fn of_task(stop: &Stop, shapes: &Shapes, plans: &Plans, future: &EntryFuture, chain: &[Node]) -> Vec<Held> {
    let plan = plans.of(shapes, &future.ty);
    if matches!(plan.keep, Keep::Nothing) {
        return Vec::new();
    }
    let mut polled = FxHashMap::default();
    coroutines(chain, &mut polled);
    let mut walk = Walk {
        stop,
        shapes,
        plans,
        poller: future.poller,
        polled,
        visited: FxHashSet::default(),
        places: 0,
        owner: Owner { frame: "".into(), location: None, polled: Polled::Active },
        found: Vec::new(),
    };
    walk.place(&plan, future.address, 0);
    walk.found
}

/// Where each coroutine of a chain is, and where it awaits.
fn coroutines(nodes: &[Node], found: &mut FxHashMap<MemAddr, Option<Arc<Location>>>) {
    for node in nodes {
        if let Some(Body::Suspended(place)) = &node.body
            && let Some(address) = place.address()
        {
            found.insert(address, node.location.clone());
        }
        coroutines(&node.children, found);
    }
}

/// Whose the places are that are being looked at.
#[derive(Clone)]
struct Owner {
    frame: Arc<str>,
    location: Option<Arc<Location>>,
    polled: Polled,
}

/// One search through one task.
struct Walk<'a> {
    stop: &'a Stop,
    shapes: &'a Shapes,
    plans: &'a Plans,
    poller: Option<MemAddr>,
    /// The coroutines that are polled when the task is, and where they await.
    polled: FxHashMap<MemAddr, Option<Arc<Location>>>,
    visited: FxHashSet<(MemAddr, TypeId)>,
    places: usize,
    owner: Owner,
    found: Vec<Held>,
}

impl Walk<'_> {
    fn of(&mut self, ty: &Type, address: MemAddr, depth: usize) {
        let plan = self.plans.of(self.shapes, ty);
        self.place(&plan, address, depth);
    }

    fn place(&mut self, plan: &Plan, address: MemAddr, depth: usize) {
        let is_over = depth >= MAX_DEPTH || self.places >= MAX_PLACES || self.found.len() >= MAX_HELD;
        if is_over || matches!(plan.keep, Keep::Nothing) || !self.visited.insert((address, TypeId::of(&plan.ty))) {
            return;
        }
        self.places = self.places.saturating_add(1);
        let depth = depth.saturating_add(1);
        match &plan.keep {
            Keep::Nothing => {}
            Keep::Guard(guard) => self.guard(guard, address),
            Keep::Coroutine(states) => self.coroutine(plan, states, address, depth),
            Keep::Struct(parts) => self.parts(parts, address, depth),
            Keep::Enum(choice) => {
                if let Some((_, active)) = self.active(choice, address) {
                    self.parts(&active.parts, address, depth);
                }
            }
            Keep::Boxed(target) => {
                if let Some(to) = self.pointer(address) {
                    self.of(target, to, depth);
                }
            }
            Keep::Elements { data, length, element } => {
                let count = self.stop.memory.read_u64(at(address, *length)).ok();
                if let (Some(from), Some(count)) = (self.pointer(at(address, *data)), count) {
                    self.elements(element, from, count, depth);
                }
            }
            Keep::Array { element, count } => self.elements(element, address, *count, depth),
            Keep::Dyn { data, vtable } => {
                let (to, vtable) = (self.pointer(at(address, *data)), self.pointer(at(address, *vtable)));
                let module = vtable.and_then(|vtable| self.stop.modules.to_file(vtable));
                let concrete = module.and_then(|(module, file)| module.image.vtable_type(file));
                if let (Some(to), Some(concrete)) = (to, concrete) {
                    self.of(&concrete, to, depth);
                }
            }
            Keep::Unordered(set) => self.unordered(set, address, depth),
        }
    }

    fn coroutine(&mut self, plan: &Plan, states: &Choice, address: MemAddr, depth: usize) {
        let Some((state, active)) = self.active(states, address) else { return };
        if active.parts.is_empty() {
            return;
        }
        let shape = self.shapes.of(&plan.ty);
        let Kind::Coroutine(coroutine) = &shape.kind else { return };
        let awaits = self.polled.get(&address).cloned();
        let location = match &awaits {
            Some(known) => known.clone(),
            None if state < FIRST_AWAIT => coroutine.declared.clone(),
            None => self.await_of(plan, &coroutine.states, state),
        };
        let polled = match awaits {
            Some(_) => Polled::Active,
            None if state == UNRESUMED => Polled::Never,
            None => Polled::Left,
        };
        let owner = Owner { frame: Arc::clone(&coroutine.name), location, polled };
        let outer = std::mem::replace(&mut self.owner, owner);
        self.parts(&active.parts, address, depth);
        self.owner = outer;
    }

    /// Where a coroutine that is kept and not polled awaits.
    fn await_of(&self, plan: &Plan, states: &Choice, state: usize) -> Option<Arc<Location>> {
        let active = states.variants.get(state)?;
        let awaitee = active.parts.iter().find(|part| part.name == "__awaitee").filter(|_| active.by_macro);
        awaitee
            .and_then(|of| self.shapes.macro_line(self.stop, &plan.ty, state, &of.ty, self.poller))
            .or_else(|| active.location.clone())
    }

    fn parts(&mut self, parts: &[Part], address: MemAddr, depth: usize) {
        for part in parts {
            self.of(&part.ty, at(address, part.offset), depth);
        }
    }

    fn elements(&mut self, element: &Type, from: MemAddr, count: u64, depth: usize) {
        let plan = self.plans.of(self.shapes, element);
        for index in 0..count.min(MAX_ELEMENTS) {
            self.place(&plan, at(from, index.saturating_mul(element.size())), depth);
        }
    }

    fn unordered(&mut self, set: &leaves::Unordered, address: MemAddr, depth: usize) {
        let plan = self.plans.of(self.shapes, &set.slot.1);
        let mut seen = FxHashSet::default();
        let mut next = self.pointer(at(address, set.head));
        while let Some(node) = next {
            if !seen.insert(node) || seen.len() as u64 > MAX_ELEMENTS {
                break;
            }
            self.place(&plan, at(node, set.slot.0), depth);
            next = self.pointer(at(node, set.next));
        }
    }

    fn guard(&mut self, guard: &Guard, address: MemAddr) {
        let Some(target) = self.pointer(at(address, guard.pointer)) else { return };
        let identity = at(target, guard.identity);
        let how = match guard.how {
            How::Lock => Hold::Lock,
            How::Read => Hold::Read,
            How::Permits(offset, size) => match self.number(at(address, offset), size) {
                Some(count) if count > 0 => Hold::Permits(count),
                _ => return,
            },
        };
        if !self.is_held(guard, identity, how) {
            return;
        }
        self.found.push(Held {
            resource: Resource { id: identity.raw(), type_name: Arc::clone(&guard.type_name) },
            how,
            frame: Arc::clone(&self.owner.frame),
            location: self.owner.location.clone(),
            polled: self.owner.polled,
        });
    }

    /// Whether the resource agrees that somebody holds it in this way.
    fn is_held(&self, guard: &Guard, identity: MemAddr, how: Hold) -> bool {
        match guard.proof {
            Proof::Permits(offset, size) => {
                // The lowest bit says that the semaphore is closed.
                let left = self.number(at(identity, offset), size).map(|word| word >> 1);
                left.is_some_and(|left| how != Hold::Lock || left == 0)
            }
        }
    }

    fn active<'c>(&self, choice: &'c Choice, address: MemAddr) -> Option<(usize, &'c Alternative)> {
        match choice.tag {
            None => choice.select(None),
            Some((offset, size)) => {
                let tag = self.stop.memory.read_uint(at(address, offset), usize::try_from(size).ok()?).ok()?;
                choice.select(Some(tag))
            }
        }
    }

    fn pointer(&self, address: MemAddr) -> Option<MemAddr> {
        self.stop.memory.read_pointer(address).ok().filter(|to| to.raw() != 0)
    }

    fn number(&self, address: MemAddr, size: u64) -> Option<u64> {
        self.stop.memory.read_uint(address, usize::try_from(size).ok()?).ok().and_then(|it| u64::try_from(it).ok())
    }
}

/// Brings together who waits and who holds: candidates that exclude each other are nobody's any more, and each wait gets
/// the holders of its resource.
pub(crate) fn unite(tasks: &mut [Task]) {
    let mut alone: FxHashMap<u64, FxHashSet<TaskKey>> = FxHashMap::default();
    for task in tasks.iter() {
        for held in task.holds.iter().filter(|held| held.how == Hold::Lock) {
            alone.entry(held.resource.id).or_default().insert(task.key);
        }
    }
    let mut holders: FxHashMap<u64, Vec<TaskKey>> = FxHashMap::default();
    for task in tasks.iter_mut() {
        task.holds.retain(|held| {
            let candidates = alone.get(&held.resource.id).map_or(0, FxHashSet::len);
            candidates == 0 || (candidates == 1 && held.how == Hold::Lock)
        });
        for held in &task.holds {
            let found = holders.entry(held.resource.id).or_default();
            if !found.contains(&task.key) {
                found.push(task.key);
            }
        }
    }
    if holders.is_empty() {
        return;
    }
    for task in tasks {
        task.waiting_on.iter_mut().for_each(|wait| fill(wait, &holders));
    }
}

fn fill(wait: &mut Wait, holders: &FxHashMap<u64, Vec<TaskKey>>) {
    if let Some(found) = wait.resource.as_ref().and_then(|resource| holders.get(&resource.id)) {
        wait.holders.clone_from(found);
    }
    wait.branches.iter_mut().for_each(|branch| fill(branch, holders));
}
