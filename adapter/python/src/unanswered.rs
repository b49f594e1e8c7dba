//! Tasks of a program whose probe does not answer, seen from outside.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};

use weft_process::Pid;
use weft_session::debuggee::Answer;
use weft_tasks::{Snapshot, Task, TaskKey};

use crate::link::lock;
use crate::outside::{Look, look};
use crate::probe::{Hello, ProbeError};

/// The first number of a task that the probe has not told of: its own begin at 1.
const FIRST: u64 = 1 << 48;

/// The oldest Python that can be looked into.
const OLDEST: [u32; 2] = [3, 14];

/// A process that can be looked into from here.
pub(crate) struct Unanswered {
    pid: Pid,
    known: Mutex<Known>,
}

/// What is known of its tasks.
#[derive(Default)]
struct Known {
    /// What the probe told last.
    told: Arc<Snapshot>,
    /// Tasks that the probe did not tell of before they were seen from outside, by address: name and number.
    met: HashMap<u64, (Arc<str>, u64)>,
    /// How many there have been.
    count: u64,
}

impl Unanswered {
    /// The process of a probe, if it is one of this machine that can be looked into.
    pub(crate) fn of(hello: &Hello) -> Option<Self> {
        let [major, minor, _] = hello.python;
        let is_here = machine().is_some_and(|machine| machine == hello.machine);
        let can_be = is_here && hello.implementation == "cpython" && [major, minor] >= OLDEST;
        let pid = Pid::try_from(hello.pid).ok().filter(|_| can_be)?;
        Some(Self { pid, known: Mutex::default() })
    }

    /// What the probe has told of.
    pub(crate) fn told(&self, snapshot: &Arc<Snapshot>) {
        lock(&self.known).told = Arc::clone(snapshot);
    }

    /// Lets the probe know of the tasks that it was not asked for.
    pub(crate) fn introduce(
        &self,
        to: impl FnOnce(&[(u64, String, u64)]) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let mut known = lock(&self.known);
        if known.met.is_empty() {
            return Ok(());
        }
        let met: Vec<_> =
            known.met.iter().map(|(address, (name, number))| (*address, name.to_string(), *number)).collect();
        to(&met)?;
        known.met.clear();
        Ok(())
    }

    /// All tasks as they lie in the process's memory, by the numbers that they have; `busy`: what the probe has come to.
    pub(crate) fn look(&self, busy: &ProbeError) -> Answer<Snapshot> {
        let mut known = lock(&self.known);
        let Look { listing, stood } = look(self.pid).map_err(|mut error| {
            error.message = format!("{busy}; it cannot be looked at from outside either: {}", error.message);
            error
        })?;
        let mut snapshot = listing.snapshot;
        snapshot.rename(&known.keys(&snapshot.tasks));
        snapshot.notes.push(format!(
            "the program does not answer (a call that is not Python's holds the interpreter's lock, or the process was stopped): its \
             tasks are told as they lie in its memory, which tells less of what they wait for; stopped for {} ms",
            stood.as_millis().max(1)
        ));
        Ok(snapshot)
    }
}

impl Known {
    /// The keys that tasks have by the probe's numbers, or get now.
    fn keys(&mut self, seen: &[Task]) -> HashMap<TaskKey, TaskKey> {
        let told = Arc::clone(&self.told);
        let told: HashMap<u64, &Task> = told.tasks.iter().map(|task| (task.key.address, task)).collect();
        let mut key = |task: &Task| {
            // At the address of one that is gone there may be another by now.
            if let Some(known) = told.get(&task.key.address).filter(|known| known.name == task.name) {
                return (task.key, known.key);
            }
            let next = FIRST.saturating_add(self.count);
            let met = self.met.entry(task.key.address).or_default();
            if met.0 != task.name || met.1 == 0 {
                *met = (Arc::clone(&task.name), next);
                self.count = self.count.saturating_add(1);
            }
            (task.key, TaskKey { address: task.key.address, id: met.1 })
        };
        seen.iter().map(&mut key).collect()
    }
}

/// This machine, as the probe names its own.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbers = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), numbers.display()))
}
