//! What a suspended task waits for, as far as asyncio's own functions say.

use weft_tasks::{Resource, Via, Wait, WaitKind, Want};

use super::chain::{Chain, End, Link};
use super::objects::Objects;
use super::tasks::Tasks;

/// Functions that end a chain, the innermost last, by module of asyncio and qualified name, and what they wait for.
struct Rule {
    path: &'static [(&'static str, &'static str)],
    kind: WaitKind,
    text: &'static str,
}

const fn rule(path: &'static [(&'static str, &'static str)], kind: WaitKind, text: &'static str) -> Rule {
    Rule { path, kind, text }
}

/// The first that fits counts. Functions are those of `Lib/asyncio` in 3.14 and 3.15.
const RULES: &[Rule] = &[
    rule(&[("queues", "Queue.join"), ("locks", "Event.wait")], WaitKind::Channel, "Queue.join"),
    rule(&[("tasks", "_AsCompletedIterator._wait_for_one"), ("queues", "Queue.get")], WaitKind::Select, AS_COMPLETED),
    rule(
        &[("locks", "Barrier._block"), ("locks", "Condition.wait_for"), ("locks", "Condition.wait")],
        WaitKind::Barrier,
        "Barrier.wait",
    ),
    rule(
        &[("locks", "Barrier._wait"), ("locks", "Condition.wait_for"), ("locks", "Condition.wait")],
        WaitKind::Barrier,
        "Barrier.wait",
    ),
    rule(&[("tasks", "sleep")], WaitKind::Sleep, "sleep"),
    rule(&[("tasks", "_wait")], WaitKind::Group, WAIT),
    rule(&[("taskgroups", "TaskGroup._aexit")], WaitKind::Group, TASK_GROUP),
    rule(&[("locks", "Lock.acquire")], WaitKind::Mutex, "Lock.acquire"),
    rule(&[("locks", "Event.wait")], WaitKind::Notify, "Event.wait"),
    rule(&[("locks", "Condition.wait")], WaitKind::Notify, "Condition.wait"),
    rule(&[("locks", "Semaphore.acquire")], WaitKind::Semaphore, "Semaphore.acquire"),
    rule(&[("queues", "Queue.get")], WaitKind::Channel, "Queue.get"),
    rule(&[("queues", "Queue.put")], WaitKind::Channel, "Queue.put"),
    rule(&[("streams", "StreamReader._wait_for_data")], WaitKind::Io, "read"),
    rule(&[("streams", "FlowControlMixin._drain_helper")], WaitKind::Io, "drain"),
    rule(&[("base_subprocess", "BaseSubprocessTransport._wait")], WaitKind::Process, "a process"),
    rule(&[("threads", "to_thread")], WaitKind::BlockingJob, "to_thread"),
    rule(&[("selector_events", "BaseSelectorEventLoop.sock_recv")], WaitKind::Io, "sock_recv"),
    rule(&[("selector_events", "BaseSelectorEventLoop.sock_accept")], WaitKind::Io, "sock_accept"),
    rule(&[("selector_events", "BaseSelectorEventLoop.sock_connect")], WaitKind::Io, "sock_connect"),
    rule(&[("selector_events", "BaseSelectorEventLoop.sock_sendall")], WaitKind::Io, "sock_sendall"),
];
const AS_COMPLETED: &str = "as_completed";
const WAIT: &str = "wait";
const TASK_GROUP: &str = "TaskGroup";
const GATHER: &str = "gather";

/// What a suspended task with this chain waits for, and how it awaits the tasks that it does not await directly.
pub(super) fn of(tasks: &mut Tasks<'_, '_>, chain: &Chain) -> (Option<Wait>, Via) {
    let wait = wait(tasks, chain);
    let via = match wait.as_ref().map(|wait| &*wait.text) {
        Some(TASK_GROUP) => Via::TaskGroup,
        Some(WAIT | AS_COMPLETED) => Via::Wait,
        Some(GATHER) => Via::Gather,
        _ => Via::Await,
    };
    (wait, via)
}

fn wait(tasks: &mut Tasks<'_, '_>, chain: &Chain) -> Option<Wait> {
    if let End::Future(future) = chain.end
        && let Some(key) = tasks.key(future)
    {
        let mut wait = Wait::new(WaitKind::Join, format!("{{task:{:x}:{}}}", key.address, key.id));
        wait.tasks = vec![key];
        return Some(wait);
    }
    let objects = &mut *tasks.chains.objects;
    for rule in RULES {
        let Some(inner) = ends_in(&chain.links, rule.path) else { continue };
        let mut wait = Wait::new(rule.kind, rule.text);
        wait.resource = resource(objects, rule.kind, inner);
        if rule.kind == WaitKind::Mutex && wait.resource.is_some() {
            wait.want = Want::Alone;
        }
        return Some(wait);
    }
    match &chain.end {
        End::Future(future) => {
            let gathers = objects.is_kind_of(*future, |known| &*known.name == "_GatheringFuture");
            Some(if gathers { Wait::new(WaitKind::Group, GATHER) } else { Wait::new(WaitKind::Future, "a future") })
        }
        End::Other(name) => Some(Wait::new(WaitKind::Unknown, format!("a {name}"))),
        _ => None,
    }
}

/// The innermost link of a chain that ends in these functions.
fn ends_in<'a>(links: &'a [Link], path: &[(&str, &str)]) -> Option<&'a Link> {
    let tail = links.len().checked_sub(path.len()).and_then(|start| links.get(start..))?;
    let fits = |(link, (module, name)): (&Link, &(&str, &str))| {
        link.code.name == *name && link.code.asyncio_module() == Some(*module)
    };
    if tail.iter().zip(path).all(fits) { tail.last() } else { None }
}

/// What several tasks can wait for: the object whose method waits.
fn resource(objects: &mut Objects<'_>, kind: WaitKind, link: &Link) -> Option<Resource> {
    let shared = matches!(kind, WaitKind::Mutex | WaitKind::Notify | WaitKind::Semaphore | WaitKind::Channel);
    let object = link.receiver.filter(|_| shared)?;
    let type_name = objects.type_of(object)?.name;
    Some(Resource { id: object.raw(), type_name })
}
