//! Stops for one task: when it is polled, and when it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_memory::MemAddr;
use weft_runtimes::{TaskEnd, TaskTraps};
use weft_tasks::TaskKey;

use super::{Engine, State, refused};
use crate::stops::stop_of;
use crate::{Event, Reason, Refused, TaskEvent};

/// The tasks that are to stop the program.
#[derive(Default)]
pub(super) struct TaskStops {
    list: BTreeMap<TaskKey, Watched>,
}

struct Watched {
    name: Arc<str>,
    on: Vec<TaskEvent>,
    traps: TaskTraps,
}

impl TaskStops {
    /// Where threads must be trapped. The end of a task is always looked for: its stops end with it.
    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.list.values().flat_map(|watched| {
            let poll = watched.on.contains(&TaskEvent::Polled).then_some(watched.traps.poll);
            watched.traps.ends.iter().copied().chain(poll)
        })
    }
}

impl Engine {
    /// Replaces what a task stops for.
    pub(super) fn set_task_stops(&mut self, task: TaskKey, on: Vec<TaskEvent>) -> Result<(), Refused> {
        if self.state == State::Over {
            return Err(Refused::Ended);
        }
        // A task must not end between the look at it and the traps.
        let running = self.state == State::Running && !self.all_stand;
        if running {
            self.stop_all();
        }
        let answer = self.replace_task_stops(task, on);
        self.place_traps();
        if running {
            self.tracee.advance();
            self.release();
        }
        answer
    }

    fn replace_task_stops(&mut self, task: TaskKey, on: Vec<TaskEvent>) -> Result<(), Refused> {
        if on.is_empty() {
            // Of a task that has ended, too.
            self.task_stops.list.remove(&task);
            return Ok(());
        }
        let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
        let runtimes = &self.settings.runtimes;
        let traps = runtimes.task_traps(&stop, task).map_err(Refused::Failed)?;
        let name = runtimes.task(&stop, task).map_or_else(|| Arc::from("task"), |task| task.name);
        self.task_stops.list.insert(task, Watched { name, on, traps });
        Ok(())
    }

    /// A thread stands at a trap; perhaps a task is about to be polled there, or ends. Whether the program was stopped for it.
    pub(super) fn task_stopped(&mut self, tid: i32, address: MemAddr) -> bool {
        if self.task_stops.traps().all(|trap| trap != address) {
            return false;
        }
        let Some(stop) = self.one_thread(tid) else { return false };
        let runtimes = &self.settings.runtimes;
        let happens = |(task, watched): (&TaskKey, &Watched)| {
            if watched.traps.poll == address && runtimes.is_to_poll(&stop, tid, *task) {
                return Some((*task, None));
            }
            let ends = watched.traps.ends.contains(&address);
            let end = ends.then(|| runtimes.ending(&stop, tid, *task)).flatten()?;
            Some((*task, Some(end)))
        };
        let Some((task, end)) = self.task_stops.list.iter().find_map(happens) else { return false };
        if end.is_none() && runtimes.task(&stop, task).is_none() {
            self.lose_task_stops(task);
            return false;
        }
        let Some(watched) = self.task_stops.list.get(&task) else { return false };
        let (event, text) = match end {
            None => (TaskEvent::Polled, None),
            Some(TaskEnd::Completed) => (TaskEvent::Completed, None),
            Some(TaskEnd::Cancelled) => (TaskEvent::Cancelled, None),
            Some(TaskEnd::Panicked(message)) => (TaskEvent::Panicked, message),
        };
        let (stops, name) = (watched.on.contains(&event), watched.name.clone());
        let what = format!("task {} {name} {}", self.settings.task_numbers.of(task), event.sentence());
        if event != TaskEvent::Polled {
            self.task_stops.list.remove(&task);
            (self.events)(Event::Note(format!("{what}: the stops that were set for it are gone")));
        }
        if stops {
            self.report(tid, Reason::Task { task, what, text });
        } else if event != TaskEvent::Polled {
            self.place_traps();
        }
        stops
    }

    /// Another task is polled in this one's memory: it has ended where nobody could see it. (Up to Tokio 1.8.1 one without a
    /// `JoinHandle` is not marked as complete.)
    fn lose_task_stops(&mut self, task: TaskKey) {
        let Some(Watched { name, .. }) = self.task_stops.list.remove(&task) else { return };
        let number = self.settings.task_numbers.of(task);
        (self.events)(Event::Note(format!(
            "task {number} {name} has ended unseen: the stops that were set for it are gone"
        )));
        self.place_traps();
    }
}

impl TaskEvent {
    fn sentence(self) -> &'static str {
        match self {
            Self::Polled => "is about to be polled",
            Self::Completed => "has completed",
            Self::Cancelled => "was cancelled",
            Self::Panicked => "has panicked",
        }
    }
}
