//! Locks that block their waiters' threads, held over an await: who waits for one of them blocks a thread that may be the
//! one which the holder needs.

use super::wording;
use crate::{Held, Hold, Polled, Problem, ProblemKind, Severity, Snapshot, State, Task};

pub(super) fn check(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    let suspended =
        |task: &&Task| matches!(task.state, State::Waiting | State::Ready | State::Cancelled) && !task.ended;
    for task in snapshot.tasks.iter().filter(suspended) {
        for held in task.holds.iter().filter(|held| matches!(held.how, Hold::BlockingLock | Hold::BlockingRead)) {
            problems.push(Problem {
                kind: ProblemKind::GuardAcrossAwait,
                severity: Severity::Warning,
                text: text(task, held),
                tasks: vec![task.key],
                resources: vec![held.resource.id],
            });
        }
    }
    problems
}

fn text(task: &Task, held: &Held) -> String {
    let over = match held.polled {
        Polled::Active => "over the await",
        Polled::Left | Polled::Never => "in a future that is not polled at the moment",
    };
    format!(
        "{} holds {} {over}{} in {}: whoever locks it meanwhile blocks a thread, not just a task",
        wording::task(task),
        held.resource.type_name,
        wording::at(held.location.as_deref()),
        held.frame,
    )
}
