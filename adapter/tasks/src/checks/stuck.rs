//! Which tasks can never be woken again: those that the least fixpoint of "may still be woken" leaves out.
//!
//! A task may be woken if it runs or is about to, or if something that is not known may end its wait: a timer, a
//! socket, a signal, a future that nobody recognised, a resource whose holder was not found. It also may if another task
//! may, on which it waits: the joined one, one that holds the lock, one that has the channel's other half. What only
//! waits for itself in the end is stuck.

use rustc_hash::FxHashMap;

use crate::{Held, Hold, RuntimeKey, RuntimeKind, Snapshot, State, Task, TaskKey, TaskKind, Wait, WaitKind, Want};

/// The tasks that are stuck, and what keeps each of them.
pub(super) struct Stuck<'a> {
    pub(super) tasks: &'a [Task],
    index: FxHashMap<TaskKey, usize>,
    /// The tasks first, in the snapshot's order, then the resources.
    nodes: Vec<Node>,
    may: Vec<bool>,
    /// For each node those that it may be the end of waiting for.
    dependents: Vec<Vec<usize>>,
    resources: FxHashMap<(u64, Aspect), usize>,
    holds: FxHashMap<u64, Vec<(usize, usize)>>,
    /// What a waiting task asks of each resource.
    waiters: FxHashMap<u64, Vec<(usize, Want)>>,
    /// Whether a task runs that may hold permits which nobody sees.
    runs: bool,
}

/// What has to happen to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Aspect {
    /// It is given back by who has it.
    Freed,
    /// Readers are let in.
    Readable,
    /// Permits come back.
    Permits,
    /// A message comes, or the last sender goes.
    Message,
    /// A message is taken out, or the receiver goes.
    Room,
}

/// A task, or an aspect of a resource. It may happen if `open`, or if one of the nodes may on which it waits; in any case
/// only if `thread` may.
#[derive(Clone, Debug, Default)]
struct Node {
    open: bool,
    on: Vec<usize>,
    /// What may end it, too, but is not waited for: others in the queue may leave it.
    aside: Vec<usize>,
    /// The task that blocks the thread which polls this one.
    thread: Option<usize>,
}

impl<'a> Stuck<'a> {
    /// None if no task is stuck.
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let blockers = blockers(snapshot);
        let depends = |task: &Task| obstacle(task).is_some_and(depends_on_tasks);
        if !snapshot.tasks.iter().any(depends) {
            return None;
        }
        let index = snapshot.tasks.iter().enumerate().map(|(at, task)| (task.key, at)).collect();
        let mut stuck = Self {
            tasks: &snapshot.tasks,
            index,
            nodes: vec![Node::default(); snapshot.tasks.len()],
            may: Vec::new(),
            dependents: Vec::new(),
            resources: FxHashMap::default(),
            holds: FxHashMap::default(),
            waiters: FxHashMap::default(),
            runs: snapshot.tasks.iter().any(|task| task.state == State::Running && task.waiting_on.is_none()),
        };
        stuck.collect();
        for (at, task) in snapshot.tasks.iter().enumerate() {
            let mut node = Node { thread: blocker_of(&blockers, snapshot, at), ..Node::default() };
            match obstacle(task) {
                Some(wait) => stuck.wait(wait, &mut node),
                None => node.open = true,
            }
            if let Some(place) = stuck.nodes.get_mut(at) {
                *place = node;
            }
        }
        stuck.solve();
        let any = stuck.may.iter().take(snapshot.tasks.len()).any(|may| !may);
        any.then_some(stuck)
    }

    /// Notes who holds and who waits for each resource.
    fn collect(&mut self) {
        for (at, task) in self.tasks.iter().enumerate().filter(|(_, task)| !task.ended) {
            for (position, held) in task.holds.iter().enumerate() {
                self.holds.entry(held.resource.id).or_default().push((at, position));
            }
            if let Some(wait) = obstacle(task) {
                each_wait(wait, &mut |wait| {
                    if let Some(resource) = &wait.resource {
                        self.waiters.entry(resource.id).or_default().push((at, wait.want));
                    }
                });
            }
        }
    }

    /// What a wait waits for, added to its task's node.
    fn wait(&mut self, wait: &Wait, node: &mut Node) {
        // A timer beside it ends it.
        if wait.timed || wait.remaining_ms.is_some() {
            node.open = true;
            return;
        }
        match wait.kind {
            // One branch that moves may do what the others wait for.
            WaitKind::Select | WaitKind::Group if !wait.branches.is_empty() => {
                wait.branches.iter().for_each(|branch| self.wait(branch, node));
            }
            WaitKind::Join if !wait.tasks.is_empty() => {
                for task in &wait.tasks {
                    match self.index.get(task) {
                        Some(at) => node.on.push(*at),
                        None => node.open = true,
                    }
                }
            }
            _ => match (&wait.resource, aspect(wait.want)) {
                (Some(resource), Some(aspect)) => {
                    let resource = self.resource(resource.id, aspect, wait);
                    node.on.push(resource);
                }
                _ => node.open = true,
            },
        }
    }

    /// The node of a resource's aspect.
    fn resource(&mut self, id: u64, aspect: Aspect, wait: &Wait) -> usize {
        if let Some(known) = self.resources.get(&(id, aspect)) {
            return *known;
        }
        let mut node = Node::default();
        let holders = |wanted: &dyn Fn(Hold) -> bool| -> Vec<usize> {
            self.held(id).filter(|(_, held)| wanted(held.how)).map(|(at, _)| at).collect()
        };
        let waiters = self.waiters.get(&id).map(Vec::as_slice).unwrap_or_default();
        match aspect {
            Aspect::Freed => {
                node.on = holders(&is_lock);
                // Which of several readers were not found is not known.
                node.open = self.held(id).any(|(_, held)| matches!(held.how, Hold::Read | Hold::BlockingRead));
            }
            Aspect::Readable => {
                node.on = holders(&|how| matches!(how, Hold::Lock | Hold::BlockingLock));
                // Readers only wait for readers because a writer is ahead in the queue.
                if node.on.is_empty() {
                    let writers = waiters.iter().filter(|(_, want)| *want == Want::Alone);
                    node.on = writers.map(|(at, _)| *at).collect();
                }
            }
            Aspect::Permits => {
                node.on = holders(&|how| matches!(how, Hold::Permits(_)));
                node.aside = waiters.iter().map(|(at, _)| *at).collect();
                // How many permits there are in all is not recorded: one that runs may have some.
                node.open = self.runs;
            }
            Aspect::Message => {
                node.on = holders(&|how| how == Hold::Sender);
                let counted =
                    matches!(wait.want, Want::Message { senders } if u64::try_from(node.on.len()) == Ok(senders));
                node.open = !counted;
            }
            Aspect::Room => {
                node.on = holders(&|how| how == Hold::Receiver);
                node.aside = holders(&|how| matches!(how, Hold::Permits(_)));
                node.aside.extend(waiters.iter().map(|(at, _)| *at));
            }
        }
        node.open |= node.on.is_empty();
        let number = self.nodes.len();
        self.nodes.push(node);
        self.resources.insert((id, aspect), number);
        number
    }

    /// Everybody who has something of a resource, and what.
    pub(super) fn held(&self, id: u64) -> impl Iterator<Item = (usize, &'a Held)> {
        let tasks = self.tasks;
        let found = self.holds.get(&id).map(Vec::as_slice).unwrap_or_default();
        found.iter().filter_map(move |(at, position)| Some((*at, tasks.get(*at)?.holds.get(*position)?)))
    }

    /// Finds everything that may still happen, starting from what needs nobody.
    fn solve(&mut self) {
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            for on in node.on.iter().chain(&node.aside).chain(&node.thread) {
                if let Some(of) = dependents.get_mut(*on) {
                    of.push(number);
                }
            }
        }
        self.may = vec![false; self.nodes.len()];
        let mut asked: Vec<usize> = (0..self.nodes.len()).collect();
        while let Some(number) = asked.pop() {
            if self.may(number) || !self.can(number) {
                continue;
            }
            if let Some(may) = self.may.get_mut(number) {
                *may = true;
            }
            asked.extend(dependents.get(number).into_iter().flatten());
        }
        self.dependents = dependents;
    }

    /// Whether what a node needs may happen, as far as that is known.
    fn can(&self, number: usize) -> bool {
        let Some(node) = self.nodes.get(number) else { return true };
        let woken = node.open || node.on.iter().chain(&node.aside).any(|on| self.may(*on));
        woken && node.thread.is_none_or(|thread| self.may(thread))
    }

    fn may(&self, number: usize) -> bool {
        self.may.get(number).copied().unwrap_or(true)
    }

    /// Whether a task is stuck.
    pub(super) fn is_stuck(&self, task: usize) -> bool {
        !self.may(task)
    }

    /// The task that blocks the thread which polls a stuck one.
    pub(super) fn thread_of(&self, task: usize) -> Option<usize> {
        self.nodes.get(task)?.thread.filter(|thread| self.is_stuck(*thread))
    }

    /// What a stuck node waits for that is stuck as well: nodes, of which those below the number of tasks are tasks.
    pub(super) fn waits_for(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        let node = self.nodes.get(number);
        let needs_waking =
            node.is_some_and(|node| !node.open && !node.on.iter().chain(&node.aside).any(|on| self.may(*on)));
        let on = node.into_iter().filter(move |_| needs_waking).flat_map(|node| &node.on);
        let thread = node.and_then(|node| node.thread);
        on.copied().chain(thread).filter(|on| !self.may(*on))
    }

    /// The stuck nodes that wait for a stuck one.
    pub(super) fn waiting_for(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        let dependents = self.dependents.get(number).into_iter().flatten().copied();
        dependents.filter(move |other| self.is_stuck(*other) && self.waits_for(*other).any(|on| on == number))
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A task's place in the snapshot.
    pub(super) fn find(&self, key: TaskKey) -> Option<usize> {
        self.index.get(&key).copied()
    }

    /// The waits for a resource that want it alone, by task.
    pub(super) fn writers(&self, id: u64) -> impl Iterator<Item = usize> + '_ {
        let waiters = self.waiters.get(&id).map(Vec::as_slice).unwrap_or_default();
        waiters.iter().filter(|(_, want)| *want == Want::Alone).map(|(at, _)| *at)
    }
}

/// The wait that a task cannot go on before; none if it may go on as it is.
pub(super) fn obstacle(task: &Task) -> Option<&Wait> {
    let known = matches!(task.state, State::Waiting | State::Running) && !task.ended && task.error.is_none();
    task.waiting_on.as_ref().filter(|_| known)
}

/// Whether other tasks are what ends a wait, as far as it says.
fn depends_on_tasks(wait: &Wait) -> bool {
    !wait.timed
        && wait.remaining_ms.is_none()
        && match wait.kind {
            WaitKind::Select | WaitKind::Group => {
                wait.branches.iter().all(depends_on_tasks) && !wait.branches.is_empty()
            }
            WaitKind::Join => !wait.tasks.is_empty(),
            _ => wait.resource.is_some() && aspect(wait.want).is_some(),
        }
}

/// Every wait that is not one of several futures.
pub(super) fn each_wait<'w>(wait: &'w Wait, see: &mut dyn FnMut(&'w Wait)) {
    if wait.branches.is_empty() {
        see(wait);
    }
    wait.branches.iter().for_each(|branch| each_wait(branch, see));
}

fn aspect(want: Want) -> Option<Aspect> {
    match want {
        Want::Unknown => None,
        Want::Alone => Some(Aspect::Freed),
        Want::Shared => Some(Aspect::Readable),
        Want::Permits(_) => Some(Aspect::Permits),
        Want::Message { .. } => Some(Aspect::Message),
        Want::Room => Some(Aspect::Room),
    }
}

pub(super) fn is_lock(how: Hold) -> bool {
    matches!(how, Hold::Lock | Hold::Read | Hold::BlockingLock | Hold::BlockingRead)
}

/// A running task that blocks its thread.
struct Blocker {
    at: usize,
    runtime: RuntimeKey,
    /// A scheduler polls it, which polls nothing else on that thread meanwhile.
    spawned: bool,
    thread: Option<i32>,
    /// The runtimes whose own roots it is polled in.
    inside: Vec<RuntimeKey>,
}

fn blockers(snapshot: &Snapshot) -> Vec<Blocker> {
    let blocks =
        |task: &Task| task.state == State::Running && task.waiting_on.is_some() && task.kind != TaskKind::Blocking;
    let roots = |thread: Option<i32>| {
        let around = move |task: &&Task| task.kind == TaskKind::Root && thread.is_some() && task.os_thread == thread;
        snapshot.tasks.iter().filter(around).map(|root| root.runtime).collect()
    };
    let found = snapshot.tasks.iter().enumerate().filter(|(_, task)| blocks(task));
    let blocker = |(at, task): (usize, &Task)| Blocker {
        at,
        runtime: task.runtime,
        spawned: is_spawned(task),
        thread: task.os_thread,
        inside: roots(task.os_thread),
    };
    found.map(blocker).collect()
}

fn is_spawned(task: &Task) -> bool {
    matches!(task.kind, TaskKind::Task | TaskKind::Local)
}

/// The task that blocks the only thread which can poll a task: a current-thread runtime and a thread-bound set poll their
/// tasks on the thread that polls any of them, and a runtime that only one thread is in has no other. Of a multi-thread
/// runtime it is not said which thread would be the next.
fn blocker_of(blockers: &[Blocker], snapshot: &Snapshot, at: usize) -> Option<usize> {
    let task = snapshot.tasks.get(at).filter(|task| !task.ended && !blockers.is_empty())?;
    let runtime = snapshot.runtimes.iter().find(|runtime| runtime.key == task.runtime)?;
    let single = matches!(runtime.kind, RuntimeKind::TokioCurrentThread | RuntimeKind::TokioLocalSet);
    if !single || task.kind == TaskKind::Blocking {
        return None;
    }
    let only_thread = match runtime.os_threads.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let drives = |blocker: &&Blocker| {
        let is_own = blocker.runtime == runtime.key;
        let alone = only_thread.is_some() && blocker.thread == only_thread;
        blocker.at != at
            && (is_own && blocker.spawned && is_spawned(task)
                || alone && (is_own || blocker.inside.contains(&runtime.key)))
    };
    blockers.iter().find(drives).map(|blocker| blocker.at)
}
