//! Tasks that block the thread on which others of their runtime would go on.

use super::stuck::is_lock;
use super::wording;
use crate::{Problem, ProblemKind, RuntimeKey, RuntimeKind, Severity, Snapshot, State, Task, TaskKind, Wait, Want};

pub(super) fn check(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    for task in &snapshot.tasks {
        let Some(wait) = blocks(snapshot, task) else { continue };
        let kept: Vec<&Task> = kept_waiting(snapshot, task.runtime).collect();
        if kept.is_empty() {
            continue;
        }
        let are = if kept.len() == 1 { "is" } else { "are" };
        problems.push(Problem {
            kind: ProblemKind::BlockingInAsync,
            severity: Severity::Warning,
            text: format!(
                "{} blocks its thread{} ({}) while {} of its runtime {are} ready: {}",
                wording::task(task),
                wording::at(task.location.as_deref()),
                wait.text,
                wording::count(kept.len(), "task"),
                wording::list(kept.into_iter().map(wording::task)),
            ),
            tasks: vec![task.key],
            resources: wait.resource.iter().map(|resource| resource.id).collect(),
        });
    }
    problems
}

/// What a task blocks a thread in that its runtime needs, and for long.
fn blocks<'a>(snapshot: &Snapshot, task: &'a Task) -> Option<&'a Wait> {
    let runtime = snapshot.runtimes.iter().find(|runtime| runtime.key == task.runtime)?;
    let needed = match task.kind {
        TaskKind::Task | TaskKind::Local => true,
        // The thread in `block_on` is no worker unless it is the only one.
        TaskKind::Root => runtime.kind == RuntimeKind::TokioCurrentThread,
        TaskKind::Blocking => false,
    };
    let wait = task.waiting_on.as_ref().filter(|_| task.state == State::Running && needed)?;
    is_long(snapshot, wait, 0).then_some(wait)
}

/// Whether a thread is not merely unlucky to be seen in this call: a lock is usually given back at once, unless its
/// holder is suspended or blocks its own thread.
fn is_long(snapshot: &Snapshot, wait: &Wait, depth: usize) -> bool {
    const DEEPEST: usize = 8;
    if !matches!(wait.want, Want::Alone | Want::Shared) {
        return true;
    }
    let Some(resource) = wait.resource.as_ref().filter(|_| depth < DEEPEST) else { return false };
    let holds = |task: &&Task| task.holds.iter().any(|held| held.resource.id == resource.id && is_lock(held.how));
    snapshot.tasks.iter().filter(holds).any(|holder| match (holder.state, &holder.waiting_on) {
        (State::Running, None) => false,
        (State::Running, Some(wait)) => is_long(snapshot, wait, depth.saturating_add(1)),
        (state, _) => state == State::Waiting,
    })
}

/// The tasks of a runtime that would be polled if a thread were free: woken, new, or with a timer that is due.
fn kept_waiting(snapshot: &Snapshot, runtime: RuntimeKey) -> impl Iterator<Item = &Task> {
    snapshot.tasks.iter().filter(move |task| {
        let polled_there = task.runtime == runtime && matches!(task.kind, TaskKind::Task | TaskKind::Local);
        let due = || task.waiting_on.as_ref().is_some_and(|wait| wait.remaining_ms == Some(0));
        let ready = match task.state {
            State::Ready | State::Created => true,
            State::Waiting => due(),
            State::Running | State::Done | State::Failed | State::Cancelled => false,
        };
        polled_there && ready && !task.ended
    })
}
