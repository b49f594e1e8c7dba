//! Chains, waits and awaiters of each kind, exactly.

use std::collections::BTreeMap;

use weft_python::memory::Listing;
use weft_tasks::{RuntimeKind, State, Task, TaskKind, Via, WaitKind};
use weft_tests::programs::line;

use crate::fixture::{chain, interpreters, list, start};

const PROGRAM: &str = "python/chains.py";

/// The tasks of the loop with most tasks whose thread lives, by the function that each is made of; of several the first.
fn by_function(listing: &Listing) -> BTreeMap<String, &Task> {
    let runtime = listing.snapshot.runtimes.iter().find(|runtime| runtime.os_threads.len() == 1).expect("a loop runs");
    let mut found = BTreeMap::new();
    for task in listing.snapshot.tasks.iter().filter(|task| task.runtime == runtime.key) {
        found.entry(chain(listing, task).remove(0).0).or_insert(task);
    }
    found
}

fn names(listing: &Listing, task: &Task) -> Vec<String> {
    chain(listing, task).into_iter().map(|(name, _, _)| name).collect()
}

#[test]
fn through_everything_that_can_be_awaited() {
    for python in interpreters() {
        let program = start(&python, "chains.py", &[]);
        let listing = list(&program);
        let tasks = by_function(&listing);
        let is = |function: &str, expected: &[&str]| {
            let mut all = names(&listing, tasks[function]);
            assert_eq!(all.pop().as_deref(), Some("Event.wait"));
            assert_eq!(all, expected, "Python {}", python.version);
            let own = tasks[function].location.as_ref().expect("a location");
            assert!(own.file.ends_with(PROGRAM));
            assert_eq!(i64::from(own.line), line(PROGRAM, "leaf"), "the innermost line of the user's own");
        };
        is("top", &["top", "middle", "leaf"]);
        is("loops_over", &["loops_over", "numbers", "leaf"]);
        is("asks_next", &["asks_next", "numbers", "leaf"]);
        is("throws", &["throws", "cleans_up", "leaf"]);
        is("comprehends", &["comprehends", "numbers", "leaf"]);
        is("enters", &["enters", "Entered.__aenter__", "leaf"]);
        is("leaves", &["leaves", "Left.__aexit__", "leaf"]);
        is("awaits_object", &["awaits_object", "Awaitable.__await__", "leaf"]);
        is("awaits_generator", &["awaits_generator", "generator_based", "leaf"]);
        let lines: Vec<i64> = chain(&listing, tasks["loops_over"]).iter().map(|place| i64::from(place.2)).collect();
        let expected = ["loops over", "numbers", "leaf"].map(|marker| line(PROGRAM, marker));
        assert_eq!(lines[..3], expected);
    }
}

#[test]
fn what_each_waits_for_and_who_awaits_it() {
    for python in interpreters() {
        let program = start(&python, "chains.py", &[]);
        let listing = list(&program);
        let tasks = by_function(&listing);
        let waits = |function: &str, kind: WaitKind, text: &str| {
            let wait = tasks[function].waiting_on.as_ref().expect("it waits");
            assert_eq!((wait.kind, &*wait.text), (kind, text), "{function}");
        };
        waits("top", WaitKind::Notify, "Event.wait");
        waits("sleeps", WaitKind::Sleep, "sleep");
        waits("gathers", WaitKind::Group, "gather");
        waits("groups", WaitKind::Group, "TaskGroup");
        waits("waits_for_all", WaitKind::Group, "wait");
        waits("takes_as_they_come", WaitKind::Select, "as_completed");
        waits("shields", WaitKind::Future, "a future");
        let top = tasks["top"].key;
        waits("awaits", WaitKind::Join, &format!("{{task:{:x}:{}}}", top.address, top.id));
        assert_eq!(tasks["awaits"].waiting_on.as_ref().map(|wait| wait.tasks.clone()), Some(vec![top]));
        let all = || listing.snapshot.tasks.iter().filter(|task| task.runtime == tasks["top"].runtime);
        for (awaiter, via, count) in [
            ("gathers", Via::Gather, 2),
            ("groups", Via::TaskGroup, 2),
            ("waits_for_all", Via::Wait, 2),
            ("takes_as_they_come", Via::Wait, 2),
            ("shields", Via::Await, 1),
            ("awaits", Via::Await, 1),
        ] {
            let key = tasks[awaiter].key;
            let edges: Vec<Via> =
                all().flat_map(|task| &task.awaited_by).filter(|edge| edge.task == key).map(|edge| edge.via).collect();
            assert_eq!(edges, vec![via; count], "{awaiter}");
        }
        let locks =
            |number: u32| all().find(|task| *task.name == *format!("locks {number}")).expect("a task of that name");
        let holder = locks(1).key;
        let locks = locks(2).waiting_on.clone().expect("it waits");
        let text = format!("Lock.acquire, held by {{task:{:x}:{}}}", holder.address, holder.id);
        assert_eq!((locks.kind, &*locks.text), (WaitKind::Mutex, &*text));
        assert_eq!(&*locks.resource.expect("the lock").type_name, "Lock");
        assert!(all().all(|task| task.state == State::Waiting && task.kind == TaskKind::Task && !task.ended));
        assert!(all().filter(|task| task.name.starts_with("Task-")).all(|task| {
            task.name.strip_prefix("Task-").and_then(|number| number.parse().ok()) == Some(task.key.id)
        }));
        let loops: Vec<_> =
            listing.snapshot.runtimes.iter().map(|it| (it.kind, it.os_threads.len(), it.task_count)).collect();
        let asyncio = RuntimeKind::Asyncio;
        assert_eq!(loops, [(asyncio, 1, 32), (asyncio, 1, 32), (asyncio, 0, 31)]);
    }
}

#[test]
fn names_that_are_not_ascii() {
    for python in interpreters() {
        let listing = list(&start(&python, "chains.py", &["names"]));
        for name in ["naïve", "Ελλάδα ☕", "𝕏 𝕐"] {
            assert_eq!(listing.snapshot.tasks.iter().filter(|task| &*task.name == name).count(), 3, "{name}");
        }
    }
}

#[test]
fn a_deep_recursion_is_shown_by_its_ends() {
    for python in interpreters() {
        let listing = list(&start(&python, "deep.py", &["5000"]));
        let [task] = listing.snapshot.tasks.as_slice() else { panic!("{} tasks", listing.snapshot.tasks.len()) };
        assert_eq!(task.frames, 5_003, "main, 5,001 of the function, and the event");
        let mut frames = listing.stack(task.key).expect("its stack");
        let (mut shown, mut notes) = (Vec::new(), Vec::new());
        while let Some(frame) = frames.pop() {
            notes.extend(frame.note.map(|note| (shown.len(), note)));
            shown.push(frame.name);
            frames = frame.children;
        }
        assert_eq!((shown.len(), &*shown[0], &*shown[399]), (400, "main", "Event.wait"));
        assert_eq!(notes, [(199, "4603 frames further in are left out".to_owned())]);
    }
}
