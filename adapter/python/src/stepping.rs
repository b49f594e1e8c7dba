//! What there is to say of a step when it is over.
//!
//! Where a step ends is decided in the program, on the thread that is stepped (`probe/follower.py`): pydevd's steps are by frames, and
//! the probe follows them by tasks. Here it is told in the user's words.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use weft_session::debuggee::{Channel, DebuggeeEvent};
use weft_tasks::TaskKey;

use crate::face::Face;
use crate::state::{Awaited, Epoch};
use crate::tasks::Tasks;

/// How long a step may wait before it is said what for, and how often that is looked for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tasks that are named in the line that says whose hits were passed.
const MOST_NAMED: usize = 8;

/// Says of a step that has begun what it waits for, once, if that may never come; `last`: the stop before it.
pub(crate) fn watch(face: &Arc<Face>, last: Epoch) {
    let face = Arc::clone(face);
    let watch = move || {
        let runs = || face.standing.wait(last, PATIENCE) == Awaited::Runs;
        if let Some(waits) = first_said(runs, || face.tasks.as_ref().and_then(Tasks::step_waits)) {
            let line = format!("{waits}; pause to end the step");
            face.events.send(DebuggeeEvent::Console(Channel::Console, line));
        }
    };
    if let Err(error) = thread::Builder::new().name("step".to_owned()).spawn(watch) {
        tracing::debug!(%error, "no thread to watch a step");
    }
}

/// The first of the answers that says something, if one does before none comes or the program stops.
fn first_said(mut runs: impl FnMut() -> bool, mut ask: impl FnMut() -> Option<String>) -> Option<String> {
    while runs() {
        let said = ask()?;
        if !said.is_empty() {
            return Some(said);
        }
    }
    None
}

/// A step that is over, as the probe tells of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct StepOver {
    /// `the step over line 12`.
    name: String,
    /// The name of the task.
    of: String,
    /// The task that it has ended in: address and number.
    task: (u64, u64),
    /// What became of the task that it began in.
    said: Option<String>,
    /// Something else has stopped the program, and not where the step would have ended.
    interrupted: bool,
    /// Address, number, and how often that sibling hit breakpoints.
    passed: Vec<(u64, u64, u64)>,
}

impl StepOver {
    /// What a user reads instead of the stop's reason, if there is something to say.
    pub(crate) fn description(&self, reason: &str) -> Option<String> {
        if self.interrupted { Some(format!("{reason}; {} was interrupted", self.name)) } else { self.said.clone() }
    }

    /// Whether it has ended in this task.
    pub(crate) fn is_in(&self, task: TaskKey) -> bool {
        self.task == (task.address, task.id)
    }

    /// Whose hits of breakpoints were passed; `number` is how the client knows a task.
    pub(crate) fn passed(&self, number: impl Fn(TaskKey) -> u64) -> Option<String> {
        let mut tasks: Vec<(u64, u64)> = self
            .passed
            .iter()
            .map(|(address, id, hits)| (number(TaskKey { address: *address, id: *id }), *hits))
            .collect();
        tasks.sort_unstable();
        let total = tasks.iter().fold(0_u64, |total, (_, hits)| total.saturating_add(*hits));
        let mut named: Vec<String> = tasks.iter().take(MOST_NAMED).map(|(task, hits)| counted(*task, *hits)).collect();
        if let Some(more) = tasks.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            named.push(format!("{more} more"));
        }
        let (hits, were) = if total == 1 { ("hit", "was") } else { ("hits", "were") };
        (total > 0).then(|| {
            let (of, named) = (&self.of, named.join(", "));
            format!("during the step, {total} {hits} of breakpoints in siblings of the stepped task {of} {were} passed: {named}")
        })
    }
}

fn counted(task: u64, hits: u64) -> String {
    if hits == 1 { format!("task {task}") } else { format!("task {task} ({hits} times)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_until_something_is_said() {
        /// What is said to these answers of a program that stops after so many looks, and how many were asked for.
        fn said(answers: &[Option<&str>], looks: usize) -> (Option<String>, usize) {
            let (mut left, mut asked) = (looks, 0);
            let runs = || left.checked_sub(1).inspect(|now| left = *now).is_some();
            let ask = || {
                asked += 1;
                answers.get(asked - 1).copied().flatten().map(str::to_owned)
            };
            (first_said(runs, ask), asked)
        }

        assert_eq!(said(&[Some(""), Some(""), Some("it waits"), Some("again")], 9), (Some("it waits".to_owned()), 3));
        assert_eq!(said(&[Some(""), None, Some("of the next step")], 9), (None, 2));
        assert_eq!(said(&[Some(""), Some(""), Some("too late")], 2), (None, 2));
        assert_eq!(said(&[Some("too late")], 0), (None, 0));
    }

    #[test]
    fn whose_hits_were_passed() {
        let passed: Vec<(u64, u64, u64)> = (0..10).map(|id| (16, 9 - id, 1 + id % 2)).collect();
        let over = StepOver { of: "serve".to_owned(), passed, ..StepOver::default() };
        let told = over.passed(|key| key.id + 1).unwrap();
        let expected = "during the step, 15 hits of breakpoints in siblings of the stepped task serve were passed: \
            task 1 (2 times), task 2, task 3 (2 times), task 4, task 5 (2 times), task 6, task 7 (2 times), task 8, 2 more";
        assert_eq!(told, expected);
        assert_eq!(StepOver::default().passed(|key| key.id), None);
    }
}
