//! What is wrong with a program's tasks, concluded from a snapshot.
//!
//! For: a function for each kind of problem, a file each; all of them are given the same plain data and give back problems
//! whose text is their evidence. Not for: finding out what tasks hold and wait for; what is not in the snapshot counts as
//! harmless, so that whatever is named is true.
//!
//! Texts name tasks as `{task:ADDRESS:ID}`, which `session` replaces by the task's number.

mod blocking;
mod deadlock;
mod futurelock;
mod guards;
mod panicked;
mod stuck;
mod wording;

use crate::{Problem, Snapshot};

/// Most problems of one kind that are told.
const MOST: usize = 200;

/// Everything that is wrong, the worst first.
pub fn check(snapshot: &Snapshot) -> Vec<Problem> {
    let checks = [deadlock::check, blocking::check, guards::check, panicked::check];
    let mut problems: Vec<Problem> = checks.into_iter().flat_map(|check| told(check(snapshot).into_iter())).collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

/// The first of many problems; the last one that is told says how many more there are. Those are not made.
fn told(mut all: impl ExactSizeIterator<Item = Problem>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = all.by_ref().take(MOST).collect();
    let more = all.len();
    if let Some(last) = problems.last_mut().filter(|_| more > 0) {
        last.text.push_str(&format!(" (and {more} more like this)"));
    }
    problems
}

#[cfg(test)]
mod example;
