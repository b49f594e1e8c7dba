//! asyncio's task objects.

use weft_memory::MemAddr;
use weft_tasks::TaskKey;

use super::chain::{Chain, Chains, End};
use super::objects::Type;
use super::offsets::AsyncioOffsets;
use super::threads::{Interpreter, Thread, along};

/// Tasks of one list that are looked at.
const MOST_TASKS: usize = 1 << 22;
/// Futures between a task and the task that awaits it.
const MOST_HOPS: usize = 16;
/// Awaiters of one task or future that are looked at.
const MOST_AWAITERS: usize = 100_000;
/// Awaiters of all together.
const MOST_EDGES: usize = 1 << 22;

/// `fut_state` (`Modules/_asynciomodule.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Pending,
    Cancelled,
    Finished,
}

/// A task as it lies in memory.
pub(super) struct Found {
    pub(super) key: TaskKey,
    pub(super) name: String,
    pub(super) chain: Chain,
    /// Its event loop.
    pub(super) event_loop: Option<MemAddr>,
    /// None: not known.
    pub(super) outcome: Option<Outcome>,
    /// Whether it ended with an exception.
    pub(super) failed: bool,
    /// Whether the future that it waits for is still to be done; none: not known.
    pub(super) waits: Option<bool>,
    /// The tasks that await it.
    pub(super) awaiters: Vec<TaskKey>,
}

/// The addresses of a list's tasks, and whether the list was read to its end.
pub(super) struct Listed {
    pub(super) tasks: Vec<MemAddr>,
    pub(super) whole: bool,
}

/// Reads tasks.
pub(super) struct Tasks<'a, 'o> {
    pub(super) chains: Chains<'a, 'o>,
    pub(super) asyncio: &'o AsyncioOffsets,
    awaiters_left: usize,
}

impl<'a, 'o> Tasks<'a, 'o> {
    pub(super) fn new(chains: Chains<'a, 'o>, asyncio: &'o AsyncioOffsets) -> Self {
        Self { chains, asyncio, awaiters_left: MOST_EDGES }
    }

    /// The tasks that a thread made.
    pub(super) fn of_thread(&self, thread: &Thread) -> Listed {
        self.listed(thread.address.checked_add(self.asyncio.thread_tasks))
    }

    /// The tasks whose threads have ended.
    pub(super) fn of_interpreter(&self, interpreter: &Interpreter) -> Listed {
        self.listed(interpreter.address.checked_add(self.asyncio.interpreter_tasks))
    }

    /// The tasks of a list: a circle of nodes, the one at `head` in none of them.
    fn listed(&self, head: Option<MemAddr>) -> Listed {
        let objects = &self.chains.objects;
        let next = |node: MemAddr| objects.pointer(node, objects.offsets.node_next);
        let mut nodes = along(head, MOST_TASKS, next);
        let whole = nodes.last().copied().and_then(next) == head;
        nodes.drain(..nodes.len().min(1));
        let tasks = nodes.into_iter().filter_map(|node| node.checked_sub(self.asyncio.task_node)).collect();
        Listed { tasks, whole }
    }

    /// A task; none where there is none. A task whose coroutine is being executed has the chain of the thread that does.
    pub(super) fn read(&mut self, address: MemAddr, threads: &[Thread]) -> Option<Found> {
        let record = self.chains.objects.record(address, self.asyncio.task_size)?;
        if record.byte(self.asyncio.is_task) != Some(1) {
            return None;
        }
        let (key, name) = self.named(address, record.pointer(self.asyncio.task_name));
        let coroutine = record.pointer(self.asyncio.task_coro);
        let mut chain = match coroutine {
            Some(coroutine) => self.chains.suspended(coroutine),
            None => Chain { links: Vec::new(), end: End::Over },
        };
        if chain.end == End::Executing
            && let Some(coroutine) = coroutine
            && let Some(links) = threads.iter().find_map(|thread| self.chains.running(thread, coroutine))
        {
            chain.links = links;
        }
        let future = self.asyncio.future;
        let outcome = future.and_then(|future| outcome(record.int(future.state)?));
        let waits = future.and_then(|future| match record.pointer(future.waiter) {
            None => Some(false),
            Some(waiter) => Some(self.outcome(waiter)? == Outcome::Pending),
        });
        Some(Found {
            key,
            name,
            chain,
            event_loop: future.and_then(|future| record.pointer(future.event_loop)),
            outcome,
            failed: future.is_some_and(|future| record.pointer(future.exception).is_some()),
            waits,
            awaiters: self.awaiters(address),
        })
    }

    /// What became of a future; none where that is not known, or it is no future of asyncio's own.
    fn outcome(&mut self, future: MemAddr) -> Option<Outcome> {
        let is_future = |known: &Type| matches!(&*known.name, "_asyncio.Future" | "_asyncio.Task");
        if !self.chains.objects.is_kind_of(future, is_future) {
            return None;
        }
        let state = future.checked_add(self.asyncio.future?.state)?;
        outcome(self.chains.objects.memory.read_u32(state).ok()?.cast_signed())
    }

    /// Which task a future is, if it is one.
    pub(super) fn key(&mut self, future: MemAddr) -> Option<TaskKey> {
        let name = self.chains.objects.pointer(future, self.asyncio.task_name);
        self.is_task(future).then(|| self.named(future, name).0)
    }

    /// A task's key and name. A name is a text, or the number that one is made of when somebody asks for it.
    fn named(&mut self, task: MemAddr, name: Option<MemAddr>) -> (TaskKey, String) {
        let objects = &mut *self.chains.objects;
        let given = name.and_then(|name| objects.integer(name)).map(|number| format!("Task-{number}"));
        let text = given.or_else(|| objects.text(name?)).unwrap_or_default();
        let number = text.strip_prefix("Task-").and_then(|number| number.parse().ok());
        (TaskKey { address: task.raw(), id: number.unwrap_or(0) }, text)
    }

    /// The tasks that await a task or future, also through other futures.
    fn awaiters(&mut self, address: MemAddr) -> Vec<TaskKey> {
        let mut tasks = Vec::new();
        let mut level = vec![address];
        for _ in 0..MOST_HOPS {
            let direct: Vec<MemAddr> = level.iter().flat_map(|object| self.direct_awaiters(*object)).collect();
            self.awaiters_left = self.awaiters_left.saturating_sub(direct.len());
            let is_task = |object: &MemAddr| self.is_task(*object);
            let (found, futures) = direct.into_iter().partition::<Vec<_>, _>(is_task);
            tasks.extend(found);
            level = futures;
            if level.is_empty() {
                break;
            }
        }
        tasks.sort_unstable();
        tasks.dedup();
        tasks.into_iter().filter_map(|task| self.key(task)).collect()
    }

    fn direct_awaiters(&self, object: MemAddr) -> Vec<MemAddr> {
        let (objects, most) = (&self.chains.objects, MOST_AWAITERS.min(self.awaiters_left));
        let Some(awaited_by) = objects.pointer(object, self.asyncio.awaited_by).filter(|_| most > 0) else {
            return Vec::new();
        };
        if self.flag(object, self.asyncio.awaited_by_is_set) {
            objects.elements(awaited_by, most)
        } else {
            vec![awaited_by]
        }
    }

    /// Whether a future is a task.
    fn is_task(&self, future: MemAddr) -> bool {
        self.flag(future, self.asyncio.is_task)
    }

    fn flag(&self, object: MemAddr, offset: u64) -> bool {
        let byte = object.checked_add(offset).and_then(|at| self.chains.objects.memory.read_u8(at).ok());
        byte == Some(1)
    }
}

const fn outcome(state: i32) -> Option<Outcome> {
    match state {
        0 => Some(Outcome::Pending),
        1 => Some(Outcome::Cancelled),
        2 => Some(Outcome::Finished),
        _ => None,
    }
}
