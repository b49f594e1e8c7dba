//! A step of a task is not disturbed by its siblings: other tasks that were made of the same function.

use std::collections::BTreeMap;

use weft_runtimes::Polled;
use weft_tasks::TaskKey;
use weft_values::Stop;

use super::Engine;
use crate::{Event, StepMode};

/// Tasks that are named in the line that says whose hits were passed.
const MOST_NAMED: usize = 8;

/// The task that is stepped, and its siblings' hits of breakpoints since the step began.
pub(super) struct Siblings {
    own: Polled,
    /// By the runtime's number: those that were recognised, so that their stacks need not be walked again.
    known: BTreeMap<u64, TaskKey>,
    passed: BTreeMap<TaskKey, u64>,
}

impl Siblings {
    fn of(own: Polled) -> Self {
        Self { own, known: BTreeMap::new(), passed: BTreeMap::new() }
    }
}

impl Engine {
    /// The siblings of the task that is about to be stepped: a suspended one, or what the thread polls. None where there is
    /// no task, or all threads' breakpoints are to stop.
    pub(super) fn siblings_of(&self, tid: i32, suspended: Option<TaskKey>) -> Option<Siblings> {
        if self.settings.step_mode == StepMode::Thread {
            return None;
        }
        let stop = self.shared.current()?;
        let own = match suspended {
            Some(task) => self.settings.runtimes.task(&stop, task)?,
            None => self.polling(&stop, tid).task()?.clone(),
        };
        Some(Siblings::of(own))
    }

    /// The step goes on outside of its task: what was passed is told, and from now on the siblings are those of the task that
    /// the thread polls, if that is another one.
    pub(super) fn siblings_elsewhere(&mut self, stop: &Stop, tid: i32) {
        let Some(left) = self.siblings.as_ref().map(|siblings| siblings.own.key) else { return };
        self.tell_passed();
        self.siblings = self.polling(stop, tid).task().filter(|task| task.key != left).cloned().map(Siblings::of);
    }

    /// A breakpoint is about to stop the program while a step is under way. Whether a sibling of the task that is stepped has
    /// hit it; then it is counted instead.
    pub(super) fn passes_sibling(&mut self, tid: i32) -> bool {
        if self.plan.is_none() || self.siblings.is_none() {
            return false;
        }
        let Some(stop) = self.one_thread(tid) else { return false };
        let number = self.settings.runtimes.current_task(&stop, tid);
        let known = number.and_then(|number| self.siblings.as_ref()?.known.get(&number).copied());
        let polled = if known.is_none() { self.polling(&stop, tid).task().cloned() } else { None };
        let Some(siblings) = &mut self.siblings else { return false };
        let sibling = known.or_else(|| {
            let polled = polled?;
            let is_sibling = polled.key != siblings.own.key && polled.entry == siblings.own.entry;
            // What a thread says of itself counts only where its stack says the same.
            let agrees = number.filter(|number| polled.runtime_id == Some(*number));
            siblings.known.extend(agrees.filter(|_| is_sibling).map(|number| (number, polled.key)));
            is_sibling.then_some(polled.key)
        });
        let Some(sibling) = sibling else { return false };
        let count = siblings.passed.entry(sibling).or_default();
        *count = count.saturating_add(1);
        true
    }

    /// The step is over in the task: says what was passed for it.
    pub(super) fn tell_passed(&mut self) {
        let Some(Siblings { own, passed, .. }) = self.siblings.take() else { return };
        if passed.is_empty() {
            return;
        }
        let total: u64 = passed.values().fold(0, |total, count| total.saturating_add(*count));
        let mut tasks: Vec<(u64, u64)> =
            passed.iter().map(|(task, count)| (self.settings.task_numbers.of(*task), *count)).collect();
        tasks.sort_unstable();
        let mut named: Vec<String> =
            tasks.iter().take(MOST_NAMED).map(|(number, count)| counted(*number, *count)).collect();
        if let Some(more) = tasks.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            named.push(format!("{more} more"));
        }
        let (hits, were) = if total == 1 { ("hit", "was") } else { ("hits", "were") };
        let tasks = named.join(", ");
        (self.events)(Event::Note(format!(
            "during the step, {total} {hits} of breakpoints in siblings of the stepped task {} {were} passed: {tasks}",
            own.name
        )));
    }
}

fn counted(number: u64, count: u64) -> String {
    if count == 1 { format!("task {number}") } else { format!("task {number} ({count} times)") }
}
