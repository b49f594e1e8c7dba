//! Which threads a client sees: those of the operating system, and the tasks that are shown as threads.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_protocol::ErrorId;
use weft_protocol::launch::{AsyncArguments, TasksAsThreads};
use weft_protocol::spec::{Thread, ThreadEventBody, ThreadReason, ThreadsResponse};
use weft_tasks::{Snapshot, TaskKey};

use crate::debuggee::{Answer, Channel, ThreadInfo};
use crate::shared::Shared;

/// Which tasks are shown as threads.
#[derive(Default)]
pub(crate) struct Listing {
    settings: AsyncArguments,
    /// Asked for by the client, oldest first.
    focused: Vec<TaskKey>,
    /// Those the client was told of.
    announced: BTreeSet<TaskKey>,
    said_cut: bool,
}

/// What became of the list.
#[derive(Default)]
struct Change {
    started: Vec<TaskKey>,
    exited: Vec<TaskKey>,
    /// How many tasks did not fit, when it has not been said yet.
    cut: Option<usize>,
}

impl Listing {
    pub(crate) fn configure(&mut self, settings: AsyncArguments) {
        *self = Self { settings, ..Self::default() };
    }

    /// The program is gone: the tasks that the client knew of.
    pub(crate) fn leave(&mut self) -> Vec<TaskKey> {
        std::mem::take(&mut self.announced).into_iter().collect()
    }

    /// Whether executor frames are shown like the user's.
    pub(crate) fn shows_runtime_frames(&self) -> bool {
        self.settings.show_runtime_frames
    }

    /// The client wants to see a task. True if it did not know of it.
    pub(crate) fn focus(&mut self, task: TaskKey) -> bool {
        if !self.focused.contains(&task) {
            self.focused.push(task);
        }
        self.announced.insert(task)
    }

    /// The client does not want to see a task any more. True if it leaves the list with that.
    pub(crate) fn unfocus(&mut self, task: TaskKey) -> bool {
        self.focused.retain(|key| *key != task);
        self.settings.tasks_as_threads != TasksAsThreads::All && self.announced.remove(&task)
    }

    /// Whether the list depends on the tasks there are.
    fn needs_tasks(&self) -> bool {
        !self.focused.is_empty() || self.settings.tasks_as_threads == TasksAsThreads::All
    }

    /// The tasks to list, in the snapshot's order, and what changed since the last time.
    fn update(&mut self, snapshot: &Snapshot) -> (Vec<(TaskKey, Arc<str>)>, Change) {
        let live: BTreeSet<TaskKey> = snapshot.tasks.iter().filter(|task| !task.ended).map(|task| task.key).collect();
        self.focused.retain(|key| live.contains(key));
        let all = self.settings.tasks_as_threads == TasksAsThreads::All;
        let most = usize::try_from(self.settings.max_threads).unwrap_or(usize::MAX);
        let mut listed = Vec::new();
        let mut cut = 0usize;
        for task in snapshot.tasks.iter().filter(|task| live.contains(&task.key)) {
            if self.focused.contains(&task.key) || (all && listed.len() < most) {
                listed.push((task.key, Arc::clone(&task.name)));
            } else if all {
                cut = cut.saturating_add(1);
            }
        }
        let now: BTreeSet<TaskKey> = listed.iter().map(|(key, _)| *key).collect();
        let change = Change {
            started: now.difference(&self.announced).copied().collect(),
            exited: self.announced.difference(&now).copied().collect(),
            cut: (cut > 0 && !self.said_cut).then_some(cut),
        };
        self.said_cut |= cut > 0;
        self.announced = now;
        (listed, change)
    }
}

/// Serves `threads`.
pub(crate) fn threads(shared: &Shared) -> Answer<ThreadsResponse> {
    // Clients ask before there is a program and after it ended.
    let Some(debuggee) = shared.debuggee() else { return Ok(ThreadsResponse { threads: Vec::new() }) };
    let os = match debuggee.threads() {
        // It has, and nobody was told yet.
        Err(error) if error.id == ErrorId::NoDebuggee => Vec::new(),
        listed => listed?,
    };
    let mut threads: Vec<Thread> = os.into_iter().map(|ThreadInfo { id, name }| Thread { id, name }).collect();
    let needs_tasks = shared.listing().needs_tasks();
    if needs_tasks {
        // A running program is not stopped for a list of threads: what was last seen serves.
        let snapshot = match shared.tasks.here() {
            Some(look) => shared.tasks.look(&look, &*debuggee).ok(),
            None => shared.tasks.latest(),
        };
        if let Some(snapshot) = snapshot {
            threads.extend(tasks(shared, &snapshot));
        }
    }
    Ok(ThreadsResponse { threads })
}

fn tasks(shared: &Shared, snapshot: &Snapshot) -> Vec<Thread> {
    let mut listing = shared.listing();
    let (listed, change) = listing.update(snapshot);
    let most = listing.settings.max_threads;
    drop(listing);
    for key in change.exited {
        announce(shared, key, ThreadReason::Exited);
    }
    for key in change.started {
        announce(shared, key, ThreadReason::Started);
    }
    if let Some(cut) = change.cut {
        let line = format!("weft: {cut} tasks are not listed as threads (`async.maxThreads` is {most})");
        shared.out.say(Channel::Console, &line);
    }
    let mut numbering = shared.tasks.numbering();
    listed
        .into_iter()
        .map(|(key, name)| Thread {
            id: numbering.task_thread(key),
            name: format!("task {} {name}", numbering.task(key)),
        })
        .collect()
}

/// Tells the client that a task is now a thread, or no longer.
pub(crate) fn announce(shared: &Shared, task: TaskKey, reason: ThreadReason) {
    if shared.client().unbearable.task_threads {
        return;
    }
    let thread_id = shared.tasks.numbering().task_thread(task);
    shared.out.event("thread", &ThreadEventBody { reason, thread_id });
}
