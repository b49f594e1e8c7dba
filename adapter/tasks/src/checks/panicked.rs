//! Tasks that ended in a panic which their executor caught, and that somebody can still see.

use super::wording;
use crate::{Problem, ProblemKind, Severity, Snapshot, State};

pub(super) fn check(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    for task in snapshot.tasks.iter().filter(|task| task.state == State::Failed && task.ended) {
        let why = task.error.as_deref().unwrap_or("panicked");
        let awaited = match task.awaited_by.as_slice() {
            [] => "; nobody awaits it at the moment".to_owned(),
            awaiters => {
                format!("; awaited by {}", wording::list(awaiters.iter().map(|awaiter| wording::number(awaiter.task))))
            }
        };
        problems.push(Problem {
            kind: ProblemKind::PanickedTask,
            severity: Severity::Error,
            text: format!("{} {why}{awaited}", wording::task(task)),
            tasks: vec![task.key],
            resources: Vec::new(),
        });
    }
    problems
}
