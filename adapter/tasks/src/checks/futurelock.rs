//! A future that holds what its own task waits for, and is not polled while the task waits: it can never give it back.

use super::deadlock::Circle;
use super::wording;
use crate::{Held, Hold, Polled, Problem, ProblemKind, Severity, Wait};

/// The circle of one task that is one because of a future which the task does not poll.
pub(super) fn of(circle: &Circle<'_, '_>) -> Option<Problem> {
    let mut tasks = circle.tasks();
    let (Some((_, task)), None) = (tasks.next(), tasks.next()) else { return None };
    let waits = circle.waits(task);
    let (wait, held) = waits.iter().find_map(|wait| {
        let mut holders = circle.holders(wait);
        let first = holders.next().map(|(_, held)| held)?;
        let unpolled = first.polled != Polled::Active && holders.all(|(_, held)| held.polled != Polled::Active);
        unpolled.then_some((*wait, first))
    })?;
    let kind = match held.polled {
        Polled::Never => ProblemKind::NeverPolled,
        Polled::Left | Polled::Active => ProblemKind::Futurelock,
    };
    Some(Problem {
        kind,
        severity: Severity::Error,
        text: format!(
            "{} waits{} for {}, {}{}",
            wording::task(task),
            wording::at(task.location.as_deref()),
            wanted(wait),
            why(held),
            circle.others()
        ),
        tasks: vec![task.key],
        resources: circle.resources(),
    })
}

fn wanted(wait: &Wait) -> String {
    wait.resource.as_ref().map_or_else(|| wait.text.to_string(), |resource| resource.type_name.to_string())
}

fn why(held: &Held) -> String {
    let has = match held.how {
        Hold::Lock | Hold::Read | Hold::Permits(_) | Hold::BlockingLock | Hold::BlockingRead => "that holds it",
        Hold::Sender => "that has its sender",
        Hold::Receiver => "that has its receiver",
    };
    let place =
        held.location.as_deref().map(|location| format!(", at {}", wording::place(location))).unwrap_or_default();
    match held.polled {
        Polled::Never => format!(
            "but the future of its own {has} ({}{place}) was never polled: a future does nothing before it is awaited or spawned",
            held.frame
        ),
        Polled::Left | Polled::Active => format!(
            "but the future of its own {has} ({}{place}) is not polled meanwhile: it was left behind unfinished and is kept, \
             so it can never give that back",
            held.frame
        ),
    }
}
