//! Which tasks hold what others wait for, and which waits end in time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weft_tasks::{Held, Hold, Polled, Resource, Snapshot, TaskKey, WaitKind, Want};

use super::chain::Link;
use super::objects::Objects;

/// What a chain has entered by `async with`: each object with the link that has, from the outermost in. What a link is
/// only about to enter is left out.
fn entered(links: &[Link]) -> impl Iterator<Item = (u64, &Link)> {
    let inner = links.iter().skip(1).map(Some).chain([None]);
    links.iter().zip(inner).flat_map(|(link, inner)| {
        let enters = inner.filter(|inner| inner.code.name.ends_with("__aenter__")).and_then(|inner| inner.receiver);
        let has = link.entered.iter().filter(move |object| Some(**object) != enters);
        has.map(move |object| (object.raw(), link))
    })
}

/// Whether a chain is inside of an `asyncio.timeout`, or of `wait_for`, which uses it.
pub(super) fn is_timed(objects: &mut Objects<'_>, links: &[Link]) -> bool {
    let mut all = links.iter().flat_map(|link| &link.entered);
    all.any(|object| objects.type_of(*object).is_some_and(|known| &*known.name == "Timeout"))
}

/// Adds who holds each lock that somebody waits for, and to waits that a timeout of theirs or of an awaiter's ends, that it
/// does. What is held without `async with` leaves no trace.
pub(super) fn settle<'a>(
    snapshot: &mut Snapshot,
    links: impl Fn(TaskKey) -> Option<&'a [Link]>,
    timed: impl Iterator<Item = TaskKey>,
) {
    let wanted = |task: &weft_tasks::Task| {
        let wait = task.waiting_on.as_ref().filter(|wait| wait.kind == WaitKind::Mutex)?;
        wait.resource.as_ref().map(|resource| (resource.id, Arc::clone(&resource.type_name)))
    };
    let locks: HashMap<u64, Arc<str>> = snapshot.tasks.iter().filter_map(wanted).collect();
    let mut holders: HashMap<u64, Vec<TaskKey>> = HashMap::new();
    for task in &mut snapshot.tasks {
        for (id, link) in entered(links(task.key).unwrap_or_default()) {
            let Some(type_name) = locks.get(&id) else { continue };
            holders.entry(id).or_default().push(task.key);
            task.holds.push(Held {
                resource: Resource { id, type_name: Arc::clone(type_name) },
                how: Hold::Lock,
                frame: link.code.name.as_str().into(),
                location: link.location.clone(),
                polled: Polled::Active,
            });
        }
    }
    let timed = with_those_they_await(snapshot, timed);
    for task in &mut snapshot.tasks {
        let Some(wait) = &mut task.waiting_on else { continue };
        wait.timed |= timed.contains(&task.key);
        let held = wait.resource.as_ref().and_then(|resource| holders.get(&resource.id));
        if let Some(by) = held.filter(|_| wait.kind == WaitKind::Mutex) {
            // Two cannot have it: one of them has given it back by hand.
            if by.len() != 1 {
                wait.want = Want::Unknown;
                continue;
            }
            wait.holders = by.clone();
            let names: Vec<String> = by.iter().map(|key| format!("{{task:{:x}:{}}}", key.address, key.id)).collect();
            wait.text = format!("{}, held by {}", wait.text, names.join(", ")).into();
        }
    }
}

/// Tasks with a timeout, and those that are cancelled with them.
fn with_those_they_await(snapshot: &Snapshot, timed: impl Iterator<Item = TaskKey>) -> HashSet<TaskKey> {
    let mut awaited: HashMap<TaskKey, Vec<TaskKey>> = HashMap::new();
    for task in &snapshot.tasks {
        for awaiter in &task.awaited_by {
            awaited.entry(awaiter.task).or_default().push(task.key);
        }
    }
    let mut found: HashSet<TaskKey> = HashSet::new();
    let mut left: Vec<TaskKey> = timed.collect();
    while let Some(key) = left.pop() {
        if found.insert(key) {
            left.extend(awaited.get(&key).into_iter().flatten());
        }
    }
    found
}
