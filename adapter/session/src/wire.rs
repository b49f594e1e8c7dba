//! A snapshot in the protocol's words. Pure: `weft tasks --json` uses it without a session.

use weft_protocol::async_dap::{
    AsyncTasksArguments, AsyncTasksResponse, AwaitedBy, Problem, Resource, Runtime, Task, TaskFilter, TaskState, Wait,
};
use weft_tasks::{Severity, Snapshot, State, WaitKind};

use crate::numbering::{FIRST_TASK_THREAD, Numbering};
use crate::places::Places;

/// The body of `asyncTasks`: the page of the snapshot that `asked` wants. Every task of the snapshot has its number
/// afterwards, in the snapshot's order, whatever was asked.
pub fn tasks_body(
    snapshot: &Snapshot,
    generation: u64,
    asked: &AsyncTasksArguments,
    numbering: &mut Numbering,
    places: &Places,
) -> AsyncTasksResponse {
    let runtimes = snapshot.runtimes.iter().map(|runtime| runtime_body(runtime, numbering)).collect();
    for task in &snapshot.tasks {
        numbering.task(task.key);
    }
    let filter = asked.filter.clone().unwrap_or_default();
    let matching: Vec<&weft_tasks::Task> =
        snapshot.tasks.iter().filter(|task| lets_through(&filter, task, numbering)).collect();
    let skip = usize::try_from(asked.start.unwrap_or(0)).unwrap_or(usize::MAX);
    let take = asked.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let tasks = matching.iter().skip(skip).take(take).map(|task| task_body(task, numbering, places)).collect();
    let problems = snapshot.problems.iter().map(|problem| problem_body(problem, numbering)).collect();
    AsyncTasksResponse {
        generation,
        total: count(snapshot.tasks.iter().filter(|task| !task.ended).count()),
        matched: count(matching.len()),
        runtimes,
        tasks,
        problems,
        notes: snapshot.notes.iter().map(|note| numbering.fill(note)).collect(),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn lets_through(filter: &TaskFilter, task: &weft_tasks::Task, numbering: &mut Numbering) -> bool {
    let state = filter.states.as_ref().is_none_or(|states| states.is_empty() || states.contains(&state(task.state)));
    let runtime = filter.runtime.is_none_or(|wanted| numbering.runtime(task.runtime) == wanted);
    let text = filter.text.as_ref().is_none_or(|wanted| {
        let wanted = wanted.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let at = |place: Option<&weft_tasks::Location>| {
            place.is_some_and(|place| has(&format!("{}:{}", place.file.display(), place.line)))
        };
        has(&task.name)
            || has(task.state.as_str())
            || at(task.location.as_deref())
            || at(task.entry.as_deref())
            || task.waiting_on.as_ref().is_some_and(|wait| has(&numbering.fill(&wait.text)))
    });
    state && runtime && text
}

fn runtime_body(runtime: &weft_tasks::Runtime, numbering: &mut Numbering) -> Runtime {
    Runtime {
        id: numbering.runtime(runtime.key),
        kind: runtime.kind.as_str().into(),
        name: runtime.name.clone(),
        os_threads: runtime.os_threads.iter().copied().map(i64::from).collect(),
        task_count: count(runtime.task_count),
    }
}

fn task_body(task: &weft_tasks::Task, numbering: &mut Numbering, places: &Places) -> Task {
    let id = numbering.task(task.key);
    Task {
        id,
        thread_id: id.saturating_add(FIRST_TASK_THREAD),
        runtime_task_id: task.runtime_task_id,
        name: task.name.to_string(),
        kind: task.kind.as_str().into(),
        runtime: numbering.runtime(task.runtime),
        state: state(task.state),
        location: task.location.as_ref().map(|location| places.location(location)),
        entry: task.entry.as_ref().map(|location| places.location(location)),
        spawned_at: task.spawned_at.as_ref().map(|location| places.location(location)),
        spawned_by: task.spawned_by.map(|key| numbering.task(key)),
        os_thread: task.os_thread.map(i64::from),
        waiting_on: task.waiting_on.as_ref().map(|wait| wait_body(wait, numbering)),
        awaited_by: task
            .awaited_by
            .iter()
            .map(|awaiter| AwaitedBy { task: numbering.task(awaiter.task), via: awaiter.via.as_str().into() })
            .collect(),
        subtasks: None,
        frames: count(task.frames),
        error: task.error.clone(),
    }
}

fn wait_body(wait: &weft_tasks::Wait, numbering: &mut Numbering) -> Wait {
    let mut numbers = |keys: &[weft_tasks::TaskKey]| {
        (!keys.is_empty()).then(|| keys.iter().map(|key| numbering.task(*key)).collect::<Vec<_>>())
    };
    let holders = numbers(&wait.holders);
    let tasks = numbers(&wait.tasks);
    Wait {
        kind: wait_kind(wait.kind).into(),
        text: numbering.fill(&wait.text),
        resource: wait
            .resource
            .as_ref()
            .map(|resource| Resource { id: resource.id, type_name: resource.type_name.to_string() }),
        remaining_ms: wait.remaining_ms,
        fd: wait.fd,
        peer: wait.peer.as_deref().map(str::to_owned),
        holders,
        tasks,
    }
}

fn problem_body(problem: &weft_tasks::Problem, numbering: &mut Numbering) -> Problem {
    let severity = match problem.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    Problem {
        kind: problem.kind.as_str().into(),
        severity: severity.into(),
        text: numbering.fill(&problem.text),
        tasks: problem.tasks.iter().map(|key| numbering.task(*key)).collect(),
        resources: problem.resources.clone(),
    }
}

fn state(state: State) -> TaskState {
    match state {
        State::Created => TaskState::Created,
        State::Ready => TaskState::Ready,
        State::Running => TaskState::Running,
        State::Waiting => TaskState::Waiting,
        State::Done => TaskState::Done,
        State::Failed => TaskState::Failed,
        State::Cancelled => TaskState::Cancelled,
    }
}

fn wait_kind(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Sleep => "sleep",
        WaitKind::Join => "join",
        WaitKind::Mutex => "mutex",
        WaitKind::RwLock => "rwlock",
        WaitKind::Semaphore => "semaphore",
        WaitKind::Notify => "notify",
        WaitKind::Channel => "channel",
        WaitKind::Io => "io",
        WaitKind::Group => "group",
        WaitKind::Select => "select",
        WaitKind::Barrier => "barrier",
        WaitKind::Process => "process",
        WaitKind::BlockingJob => "blocking-job",
        WaitKind::Future => "future",
        WaitKind::Unknown => "unknown",
    }
}
