//! Every kind of wait, once each: `zoo.py`.

use weft_tasks::{Hold, ProblemKind, State, Task, Want};
use weft_tests::python::Interpreter;

use super::program::{Program, in_each, line, named, place};
use crate::probe::{Listing, Options};

/// Name, kind and text of the wait, marker of the place, frames. Of texts that end in `*` the begin.
const WAITS: &[(&str, &str, &str, &str, usize)] = &[
    ("has", "notify", "Event.wait", "forever", 3),
    ("lock", "mutex", "Lock.acquire", "lock", 3),
    ("lock-managed", "mutex", "Lock.acquire", "lock", 3),
    ("lock-stacked", "mutex", "Lock.acquire", "lock", 3),
    ("sleep", "sleep", "sleep, 16 min *", "sleep", 2),
    ("semaphore", "semaphore", "Semaphore.acquire, 0 free", "acquire", 2),
    ("event", "notify", "Event.wait", "event", 2),
    ("condition", "notify", "Condition.wait", "condition", 2),
    ("get", "channel", "Queue.get, 0 in it", "get", 2),
    ("put", "channel", "Queue.put, 1 of 1", "put", 2),
    ("join", "channel", "Queue.join, 1 unfinished", "join", 3),
    ("task", "join", "a task", "task", 1),
    ("gather", "group", "gather of 2, 2 left", "gather", 1),
    ("wait-all", "group", "wait for all of 2, 2 left", "wait", 3),
    ("wait-first", "select", "wait for the first of 2, 2 left", "wait", 3),
    ("as-completed", "select", "as_completed*", "as_completed", 3),
    ("shield", "join", "shield", "shield", 1),
    ("future", "future", "a future", "future", 1),
    ("to-thread", "blocking-job", "to_thread(blocks), running", "to_thread", 2),
    ("executor", "blocking-job", "a job of an executor, running", "executor", 1),
    ("sock-recv", "io", "recv 127.0.0.1:*", "sock_recv", 2),
    ("sock-accept", "io", "accept", "sock_accept", 2),
    ("readline", "io", "readuntil from 127.0.0.1:*", "readline", 4),
    ("process", "process", "process *", "process", 3),
    ("generations", "sleep", "sleep, 16 min *", "old", 3),
    ("loops", "notify", "Event.wait", "forever", 4),
    ("anext", "notify", "Event.wait", "forever", 4),
    ("enters", "notify", "Event.wait", "forever", 5),
    ("awaitable", "notify", "Event.wait", "forever", 3),
];

#[test]
fn every_wait_is_recognised() {
    in_each(|python| {
        let program = Program::start(python, "zoo.py", &Options::default());
        let listing = program.listing();
        for (name, kind, text, marker, frames) in WAITS {
            let task = named(&listing, name);
            let wait = task.waiting_on.as_ref().unwrap_or_else(|| panic!("{name} waits for nothing"));
            let is_said = |said: &str| match text.strip_suffix('*') {
                Some(begin) => said.starts_with(begin),
                None => said == *text,
            };
            assert!(is_said(&wait.text), "{}: {name} waits for `{}`", python.version, wait.text);
            let found = (wait.kind.as_str(), task.state, place(task.location.as_ref()), task.frames);
            let wanted = (*kind, State::Waiting, format!("zoo.py:{}", line("zoo.py", marker)), *frames);
            assert_eq!(found, wanted, "{}: {name}", python.version);
        }
        the_edges_are_there(&listing);
        the_holders_are_found(&listing);
        what_is_shared_is_the_same(&listing);
        the_ends_are_told(&listing, python);
        what_some_versions_have(&listing, python);
    });
}

fn the_edges_are_there(listing: &Listing) {
    let awaiters = |name: &str| -> Vec<(String, &str)> {
        let edges = named(listing, name).awaited_by.iter();
        edges.map(|edge| (listing.task(edge.task).unwrap().name.to_string(), edge.via.as_str())).collect()
    };
    assert_eq!(awaiters("idle"), [("task".to_owned(), "await")]);
    assert_eq!(awaiters("gathered-1"), [("gather".to_owned(), "gather")]);
    assert_eq!(awaiters("gathered-2"), [("gather".to_owned(), "gather")]);
    assert_eq!(awaiters("shielded"), [("shield".to_owned(), "shield")]);
    let waited = awaiters("waited-1");
    assert!(waited.contains(&("wait-all".to_owned(), "wait")) && waited.contains(&("wait-first".to_owned(), "wait")));
    assert_eq!(awaiters("gather"), []);
}

fn the_holders_are_found(listing: &Listing) {
    for (waiter, holder) in [("lock", "has"), ("lock-managed", "managed"), ("lock-stacked", "stacked")] {
        let wait = named(listing, waiter).waiting_on.as_ref().unwrap();
        assert_eq!(wait.holders, [named(listing, holder).key], "{waiter}");
        assert_eq!(wait.want, Want::Alone);
        let held: Vec<(Hold, u64)> =
            named(listing, holder).holds.iter().map(|held| (held.how, held.resource.id)).collect();
        assert_eq!(held, [(Hold::Lock, wait.resource.as_ref().unwrap().id)]);
        assert_eq!(named(listing, waiter).holds, [], "what is being acquired is not held");
    }
    assert_eq!(named(listing, "condition").holds, [], "a condition gives its lock back while it waits");
    let blocking: Vec<ProblemKind> = listing.snapshot.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(blocking, [ProblemKind::PanickedTask, ProblemKind::GuardAcrossAwait]);
}

/// Of tasks in the same place only those share a wait that wait for the same object.
fn what_is_shared_is_the_same(listing: &Listing) {
    let object = |name: &str| {
        let wait = named(listing, name).waiting_on.as_ref().unwrap();
        (wait.text.to_string(), wait.resource.as_ref().unwrap().id)
    };
    let [alone, first, second] = ["event", "event-shared-1", "event-shared-2"].map(object);
    assert_eq!(first, second);
    assert_eq!((alone.0, first.0), ("Event.wait".to_owned(), "Event.wait".to_owned()));
    assert_ne!(alone.1, first.1);
}

fn the_ends_are_told(listing: &Listing, python: &Interpreter) {
    let state = |name: &str| (named(listing, name).state, named(listing, name).ended);
    assert_eq!(state("Task-1"), (State::Running, false));
    assert_eq!(place(named(listing, "Task-1").location.as_ref()), format!("zoo.py:{}", line("zoo.py", "running")));
    assert_eq!(state("created"), (State::Created, false));
    let stubborn = if python.minor() > 10 { State::Cancelled } else { State::Waiting };
    assert_eq!(state("stubborn"), (stubborn, false), "3.10 does not remember that it was asked to end");
    assert_eq!((state("done"), state("cancelled")), ((State::Done, true), (State::Cancelled, true)));
    let failed: &Task = named(listing, "failed");
    assert_eq!((failed.state, failed.error.as_deref()), (State::Failed, Some("ended with ValueError: on purpose")));
    assert_eq!(place(failed.location.as_ref()), format!("zoo.py:{}", line("zoo.py", "fails")));
}

fn what_some_versions_have(listing: &Listing, python: &Interpreter) {
    let limited = named(listing, "wait-for").waiting_on.as_ref().unwrap();
    assert!(limited.timed && limited.remaining_ms.is_some_and(|left| left > 900_000), "{limited:?}");
    let text = if python.minor() >= 12 { "Event.wait; timeout in 16 min" } else { "wait_for; timeout in 16 min" };
    assert!(limited.text.starts_with(text), "{}: {}", python.version, limited.text);
    if python.minor() >= 11 {
        assert_eq!(&*named(listing, "group").waiting_on.as_ref().unwrap().text, "TaskGroup, 1 left");
        assert_eq!(&*named(listing, "barrier").waiting_on.as_ref().unwrap().text, "Barrier.wait, 1 of 3");
        let group = named(listing, "group").key;
        assert!(named(listing, "member").awaited_by.iter().any(|edge| edge.task == group));
    }
}
