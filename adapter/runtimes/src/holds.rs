//! What tasks hold: guards, permits and halves of channels in the environments of their coroutines.
//!
//! Not everything that lies in an environment is alive: the compiler also keeps the place of a local that was borrowed and
//! then moved away (`drop(guard)`), and what an async block captured and gave away. Where the coroutine's drop glue tells
//! ([`crate::drops`]), these are passed over. Where it does not, what is found is a candidate, and the resource itself has
//! the last word ([`unite`]): of a lock that is free nobody is the holder, and of two candidates for a lock that only one
//! can hold nobody is named.

mod guards;
mod plan;

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_symbols::{FIRST_AWAIT, Type, UNRESUMED};
use weft_tasks::{Held, Hold, Location, Polled, Resource, Task, TaskKey, TaskKind, Wait, WaitKind, Want};
use weft_values::{Frame, Place, Stop, environment, variables};

use crate::chain::{Chain, Node, Visited, at};
use crate::drops::{Seen, Start};
use crate::leaves::{self, Acquire};
use crate::listing::{Body, EntryFuture};
use crate::names::location;
use crate::shape::{Alternative, Choice, Kind, Part, Shapes, TypeId};
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
/// How many handles of one task are looked at.
const MAX_HANDLES: usize = 1_000;
/// How many frames of one thread are looked at.
const MAX_FRAMES: usize = 64;

/// What is kept of types, and a stop to look at.
#[derive(Clone, Copy)]
pub(crate) struct Finder<'a> {
    pub(crate) stop: &'a Stop,
    pub(crate) shapes: &'a Shapes,
    pub(crate) plans: &'a Plans,
}

impl<'a> Finder<'a> {
    /// What a task whose entry future is at rest has. `chain` says what of it is polled.
    pub(crate) fn at_rest(self, future: &'a EntryFuture, chain: &Chain, visited: &'a mut Visited) -> Belongings {
        let plan = self.plans.of(self.shapes, &future.ty);
        if matches!(plan.keep, Keep::Nothing) {
            return Belongings::default();
        }
        let mut walk = self.walk(visited);
        coroutines(&chain.nodes, &mut walk.polled);
        walk.hides = chain.hides;
        walk.starts.extend(future.dropper.as_ref().and_then(|dropper| Start::of_task(self.stop, dropper)));
        walk.place(&plan, future.address, 0);
        walk.belongings
    }

    /// What a task has that is being polled in these frames: what their variables are, and what lies in futures that are
    /// kept there and are not polled themselves.
    pub(crate) fn on_stack(self, frames: &[Frame]) -> Belongings {
        let mut visited = Visited::default();
        let mut walk = self.walk(&mut visited);
        // The stored state of a coroutine at work is an earlier one.
        walk.at_work = frames.iter().filter_map(|frame| environment(self.stop, frame)?.address()).collect();
        for frame in frames.iter().take(MAX_FRAMES) {
            let source = frame.source.as_ref().filter(|source| source.line > 0);
            walk.owner = Owner {
                frame: Some(frame.name.as_str().into()),
                waits: None,
                location: source.map(location),
                polled: Polled::Active,
            };
            for variable in variables(self.stop, frame) {
                if let Ok(place) = variable.place {
                    walk.variable(&place);
                }
            }
        }
        walk.belongings
    }

    fn walk(self, visited: &'a mut Visited) -> Walk<'a> {
        visited.clear();
        Walk {
            stop: self.stop,
            shapes: self.shapes,
            plans: self.plans,
            polled: FxHashMap::default(),
            hides: false,
            at_work: FxHashSet::default(),
            visited,
            places: 0,
            starts: Vec::new(),
            within: Vec::new(),
            owner: Owner { frame: None, waits: None, location: None, polled: Polled::Active },
            belongings: Belongings::default(),
        }
    }
}

/// What one task has.
#[derive(Debug, Default)]
pub(crate) struct Belongings {
    /// What others may wait for.
    pub(crate) held: Vec<Held>,
    /// The headers of tasks whose handles it has, which need not be tasks any more.
    pub(crate) handles: Vec<MemAddr>,
}

/// Where each coroutine of a chain is, and where it awaits.
fn coroutines(nodes: &[Node], found: &mut FxHashMap<MemAddr, Option<Arc<Location>>>) {
    for node in nodes {
        if let Some(Body::Suspended(coroutine)) = &node.body
            && let Some(address) = coroutine.environment.address()
        {
            found.insert(address, node.location.clone());
        }
        coroutines(&node.children, found);
    }
}

/// Whose the places are that are being looked at.
#[derive(Clone)]
struct Owner {
    /// The user's function; none around all of them.
    frame: Option<Arc<str>>,
    /// What the innermost coroutine, which may be a runtime's own, says about waits inside it.
    waits: Option<WaitKind>,
    location: Option<Arc<Location>>,
    polled: Polled,
}

/// One search through one task.
struct Walk<'a> {
    stop: &'a Stop,
    shapes: &'a Shapes,
    plans: &'a Plans,
    /// The coroutines that are polled when the task is, and where they await.
    polled: FxHashMap<MemAddr, Option<Arc<Location>>>,
    /// There may be more of those.
    hides: bool,
    /// Coroutines that are in the middle of a poll.
    at_work: FxHashSet<MemAddr>,
    visited: &'a mut Visited,
    places: usize,
    /// What drops the values that the search is in.
    starts: Vec<Start>,
    /// The coroutines that the search is in: where each is, and what of it is alive.
    within: Vec<(Range<MemAddr>, Arc<Seen>)>,
    owner: Owner,
    belongings: Belongings,
}

impl Walk<'_> {
    fn of(&mut self, ty: &Type, address: MemAddr, depth: usize) {
        let plan = self.plans.of(self.shapes, ty);
        self.place(&plan, address, depth);
    }

    fn place(&mut self, plan: &Plan, address: MemAddr, depth: usize) {
        let is_over = depth >= MAX_DEPTH || self.places >= MAX_PLACES || self.belongings.held.len() >= MAX_HELD;
        if is_over || matches!(plan.keep, Keep::Nothing) || self.is_left(address, plan.ty.size()) {
            return;
        }
        if !self.visited.insert((address, TypeId::of(&plan.ty))) {
            return;
        }
        self.places = self.places.saturating_add(1);
        let depth = depth.saturating_add(1);
        match &plan.keep {
            Keep::Nothing => {}
            Keep::Guard(guard) => self.guard(guard, &Place::new(plan.ty.clone(), address)),
            Keep::Waiter(acquire) => self.waiter(acquire, address),
            Keep::Handle(header) => {
                let header = self.pointer(at(address, *header));
                self.handles(header.as_slice());
            }
            Keep::Handles(set) => self.handles(&set.headers(self.stop, address).0),
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
                    let around = self.starts.len();
                    self.starts.extend(vtable.and_then(|vtable| self.first_of(vtable, &concrete, to)));
                    self.of(&concrete, to, depth);
                    self.starts.truncate(around);
                }
            }
            Keep::Unordered(set) => self.unordered(set, address, depth),
        }
    }

    /// The glue that a trait object's vtable begins with.
    fn first_of(&self, vtable: MemAddr, concrete: &Type, value: MemAddr) -> Option<Start> {
        Some(Start { function: self.pointer(vtable)?, value: value..value.checked_add(concrete.size())? })
    }

    /// Whether what was at a place has been moved away: the coroutine that it lies in would not drop it.
    fn is_left(&self, address: MemAddr, size: u64) -> bool {
        let offset = |within: &Range<MemAddr>| address.since(within.start).filter(|_| within.contains(&address));
        self.within.iter().any(|(within, seen)| {
            offset(within).is_some_and(|offset| seen.leaves(&(offset..offset.saturating_add(size))))
        })
    }

    fn coroutine(&mut self, plan: &Plan, states: &Choice, address: MemAddr, depth: usize) {
        if self.at_work.contains(&address) {
            return;
        }
        let Some((state, active)) = self.active(states, address).filter(|(_, active)| !active.parts.is_empty()) else {
            return;
        };
        let shape = self.shapes.of(&plan.ty);
        let Kind::Coroutine(coroutine) = &shape.kind else { return };
        let awaits = self.polled.get(&address).cloned();
        // Whether somebody polls it is the point of what would be told of it.
        if self.hides && awaits.is_none() {
            return;
        }
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
        // What the runtime's own functions hold they hold for the user's function that called them.
        let owner = if coroutine.user_code || self.owner.frame.is_none() {
            Owner { frame: Some(Arc::clone(&coroutine.name)), waits: coroutine.waits, location, polled }
        } else {
            Owner { waits: coroutine.waits, polled, ..self.owner.clone() }
        };
        let outer = std::mem::replace(&mut self.owner, owner);
        let around = (self.starts.len(), self.within.len());
        let glues = &self.plans.glues;
        self.starts.extend(glues.start(self.stop, &plan.ty, address));
        let mut innermost = self.starts.iter().rev();
        let seen = innermost.find_map(|start| glues.seen(self.stop, start, &plan.ty, address));
        self.within.extend(seen.map(|seen| (address..at(address, plan.ty.size()), seen)));
        self.parts(&active.parts, address, depth);
        self.starts.truncate(around.0);
        self.within.truncate(around.1);
        self.owner = outer;
    }

    /// Where a coroutine that is kept and not polled awaits.
    fn await_of(&self, plan: &Plan, states: &Choice, state: usize) -> Option<Arc<Location>> {
        let active = states.variants.get(state)?;
        self.shapes.await_of(&plan.ty, state, active).0
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

    /// A variable on a stack, which need not lie in memory.
    fn variable(&mut self, place: &Place) {
        let plan = self.plans.of(self.shapes, &place.ty);
        match (&plan.keep, place.address()) {
            (_, Some(address)) => self.place(&plan, address, 0),
            (Keep::Guard(guard), None) => self.guard(guard, place),
            _ => {}
        }
    }

    fn guard(&mut self, guard: &Guard, place: &Place) {
        let read = |offset: u64, size: u64| {
            let bytes = place.read_bytes(self.stop, place.size()).ok()?;
            let from = usize::try_from(offset).ok()?;
            let mut word = [0; 8];
            let size = usize::try_from(size).ok()?;
            word.get_mut(..size)?.copy_from_slice(bytes.get(from..from.checked_add(size)?)?);
            Some(u64::from_le_bytes(word))
        };
        let Some(target) = read(guard.pointer, 8).filter(|target| *target != 0) else { return };
        let identity = at(MemAddr::new(target), guard.identity);
        let how = match guard.how {
            How::Lock => Hold::Lock,
            How::Read => Hold::Read,
            How::Sender => Hold::Sender,
            How::Receiver => Hold::Receiver,
            How::BlockingLock => Hold::BlockingLock,
            How::BlockingRead => Hold::BlockingRead,
            How::Permits(offset, size) => match read(offset, size) {
                Some(count) if count > 0 => Hold::Permits(count),
                _ => return,
            },
        };
        if self.is_held(guard, identity, how) {
            self.push(Resource { id: identity.raw(), type_name: Arc::clone(&guard.type_name) }, how);
        }
    }

    /// A waiter that was given its permits has them, whether or not anybody polls it ever again.
    fn waiter(&mut self, acquire: &Acquire, address: MemAddr) {
        if !acquire.is_granted(self.stop, address) {
            return;
        }
        let semaphore = acquire.semaphore.and_then(|offset| self.pointer(at(address, offset)));
        let permits = acquire.permits.and_then(|(offset, size)| self.number(at(address, offset), size));
        let (Some(semaphore), Some(permits)) = (semaphore, permits) else { return };
        let (how, type_name) = match self.owner.waits {
            Some(WaitKind::Mutex) => (Hold::Lock, "Mutex"),
            Some(WaitKind::RwLock) if permits == 1 => (Hold::Read, "RwLock"),
            Some(WaitKind::RwLock) => (Hold::Lock, "RwLock"),
            // Room for a message in a channel is no lock.
            Some(WaitKind::Channel) => return,
            _ => (Hold::Permits(permits), "Semaphore"),
        };
        self.push(Resource { id: semaphore.raw(), type_name: type_name.into() }, how);
    }

    fn handles(&mut self, headers: &[MemAddr]) {
        let handles = &mut self.belongings.handles;
        handles.extend(headers.iter().take(MAX_HANDLES.saturating_sub(handles.len())));
    }

    fn push(&mut self, resource: Resource, how: Hold) {
        // A guard that was moved inwards leaves its bytes behind.
        if matches!(how, Hold::Lock | Hold::BlockingLock) {
            self.belongings.held.retain(|held| held.how != how || held.resource.id != resource.id);
        }
        self.belongings.held.push(Held {
            resource,
            how,
            frame: self.owner.frame.clone().unwrap_or_default(),
            location: self.owner.location.clone(),
            polled: self.owner.polled,
        });
    }

    /// Whether the resource agrees that somebody holds it in this way.
    fn is_held(&self, guard: &Guard, identity: MemAddr, how: Hold) -> bool {
        match guard.proof {
            Proof::Own => true,
            Proof::Word(size, test) => self.number(identity, size).is_some_and(test),
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

/// How many holders a wait has; of a semaphore with thousands all that wait for it would have thousands.
const MAX_HOLDERS: usize = 64;
/// How many holders a wait's text names.
const MAX_NAMED: usize = 3;

/// Brings together who waits and who holds: candidates that exclude each other are nobody's any more, and each wait gets
/// the holders of its resource. A join of a closure on a thread made for blocking is a wait for that job.
pub(crate) fn unite(tasks: &mut [Task]) {
    let contested = contested(tasks);
    let mut holders: FxHashMap<u64, Holders> = FxHashMap::default();
    for task in tasks.iter_mut() {
        task.holds.retain(|held| !contested.contains(&(held.resource.id, is_owner(held.how))));
        for held in &task.holds {
            holders.entry(held.resource.id).or_default().add(task.key, held.how);
        }
    }
    let jobs: FxHashSet<TaskKey> =
        tasks.iter().filter(|task| task.kind == TaskKind::Blocking).map(|task| task.key).collect();
    if holders.is_empty() && jobs.is_empty() {
        return;
    }
    for found in holders.values_mut().filter(|found| !found.owners.is_empty()) {
        found.named = held_by(&found.owners);
    }
    for wait in tasks.iter_mut().filter_map(|task| task.waiting_on.as_mut()) {
        settle(wait, &holders, &jobs);
    }
}

/// Resources that several tasks seem to hold although only one can: whether as their owners, or as a channel's receiver.
fn contested(tasks: &[Task]) -> FxHashSet<(u64, bool)> {
    let mut seen: FxHashMap<(u64, bool), (FxHashSet<TaskKey>, bool)> = FxHashMap::default();
    for task in tasks {
        for held in task.holds.iter().filter(|held| held.how != Hold::Sender) {
            let (keys, alone) = seen.entry((held.resource.id, is_owner(held.how))).or_default();
            keys.insert(task.key);
            *alone |= matches!(held.how, Hold::Lock | Hold::BlockingLock)
                || held.how == Hold::Receiver && !is_shared_channel(&held.resource.type_name);
        }
    }
    seen.into_iter().filter(|(_, (keys, alone))| *alone && keys.len() > 1).map(|(which, _)| which).collect()
}

/// Channels that have many receivers.
fn is_shared_channel(name: &str) -> bool {
    name.starts_with("broadcast::") || name.starts_with("watch::")
}

fn is_owner(how: Hold) -> bool {
    !matches!(how, Hold::Sender | Hold::Receiver)
}

/// Who has a part in one resource.
#[derive(Default)]
struct Holders {
    owners: Vec<TaskKey>,
    /// The owners in words.
    named: String,
    senders: Vec<TaskKey>,
    receivers: Vec<TaskKey>,
    /// How many sending halves were found.
    sending: u64,
}

impl Holders {
    fn add(&mut self, task: TaskKey, how: Hold) {
        let list = match how {
            Hold::Sender => {
                self.sending = self.sending.saturating_add(1);
                &mut self.senders
            }
            Hold::Receiver => &mut self.receivers,
            _ => &mut self.owners,
        };
        if list.last() != Some(&task) {
            list.push(task);
        }
    }

    /// Those whose move ends a wait that wants this.
    fn of(&self, want: Want) -> &[TaskKey] {
        match want {
            // More halves than the channel counts: some of them have been given away.
            Want::Message { senders } if self.sending > senders => &[],
            Want::Message { .. } => &self.senders,
            Want::Room => &self.receivers,
            _ => &self.owners,
        }
    }
}

fn settle(wait: &mut Wait, holders: &FxHashMap<u64, Holders>, jobs: &FxHashSet<TaskKey>) {
    if wait.kind == WaitKind::Join && wait.tasks.iter().any(|task| jobs.contains(task)) {
        wait.kind = WaitKind::BlockingJob;
    }
    if let Some(found) = wait.resource.as_ref().and_then(|resource| holders.get(&resource.id)) {
        wait.holders = found.of(wait.want).iter().take(MAX_HOLDERS).copied().collect();
        if !matches!(wait.want, Want::Message { .. } | Want::Room) && !wait.holders.is_empty() {
            wait.text = [&*wait.text, &found.named].concat().into();
        }
    }
    wait.branches.iter_mut().for_each(|branch| settle(branch, holders, jobs));
}

/// `, held by task 3 and task 4`, in keys that are numbers only for the user.
fn held_by(holders: &[TaskKey]) -> String {
    let named: Vec<String> =
        holders.iter().take(MAX_NAMED).map(|key| format!("{{task:{:x}:{}}}", key.address, key.id)).collect();
    match holders.len().min(MAX_HOLDERS).saturating_sub(named.len()) {
        0 => format!(", held by {}", named.join(" and ")),
        more => format!(", held by {} and {more} more", named.join(", ")),
    }
}
