//! Every owner that tasks of Tokio can have, and none that is gone.

use weft_runtimes::Runtimes;
use weft_tasks::{Snapshot, State, Task};

use crate::fixture::{PROFILES, line_in, stopped};

/// A snapshot as text: for each runtime its kind and how many threads are inside, then its tasks: kind, name, state. Tasks
/// of one runtime are sorted.
pub(crate) fn owners(snapshot: &Snapshot, program: &str) -> Vec<String> {
    let row = |task: &Task| {
        let name = task.name.strip_prefix(&format!("{program}::")).unwrap_or(&task.name);
        format!("{} {name} {}", task.kind.as_str(), task.state.as_str())
    };
    let each = snapshot.runtimes.iter().map(|runtime| {
        let mine = snapshot.tasks.iter().filter(|task| task.runtime == runtime.key);
        let mut rows: Vec<String> = mine.map(row).collect();
        rows.sort();
        let live = snapshot.tasks.iter().filter(|task| task.runtime == runtime.key && !task.ended).count();
        assert_eq!(runtime.task_count, live);
        format!("{} {}: {}", runtime.kind.as_str(), runtime.os_threads.len(), rows.join(", "))
    });
    let mut all: Vec<String> = each.collect();
    all.sort();
    all
}

/// What is found of `owners` in each profile.
fn found(way: &str, expected: &[&str]) {
    for profile in PROFILES {
        let program = stopped("owners", profile, &[way]);
        let listing = Runtimes::new().list(&program.stop);
        let snapshot = &listing.snapshot;
        assert_eq!(owners(snapshot, "owners"), expected, "{profile:?} {way}: {:?}", snapshot.notes);
        assert_eq!(snapshot.notes, [""; 0], "{profile:?} {way}");
        let unsound: Vec<_> = snapshot.tasks.iter().filter(|task| task.error.is_some()).collect();
        assert!(unsound.is_empty(), "{profile:?} {way}: {unsound:?}");
        let waits = |task: &&Task| task.state == State::Waiting;
        assert!(snapshot.tasks.iter().filter(waits).all(|task| task.frames > 0), "{profile:?} {way}");
    }
}

#[test]
fn a_runtime_that_nobody_drives() {
    found("idle", &["tokio-current-thread 0: task never_polled created, task receiver waiting, task sleeper waiting"]);
}

#[test]
fn a_set_that_is_driven() {
    found(
        "local",
        &[
            "tokio-current-thread 1: root local {async block} waiting, task sleeper waiting",
            "tokio-local-set 0: local bound waiting, local bound waiting",
        ],
    );
}

#[test]
fn sets_that_are_not_driven() {
    found(
        "undriven",
        &[
            "tokio-local-set 0: local bound waiting",
            "tokio-local-set 0: local never_polled created",
            "tokio-multi-thread 3: root undriven {async block} waiting, task sleeper waiting",
        ],
    );
}

#[test]
fn a_runtime_that_is_bound_to_its_thread() {
    found(
        "bound",
        &["tokio-current-thread 1: root bound_runtime {async block} waiting, task bound waiting, task sleeper waiting"],
    );
}

#[test]
fn jobs_that_wait_for_a_thread() {
    let running = "blocking jobs {closure} running";
    let queued = "blocking jobs {closure} created";
    let expected = format!(
        "tokio-multi-thread 4: {queued}, {queued}, {queued}, {running}, {running}, root jobs {{async block}} waiting"
    );
    found("jobs", &[&expected]);
}

#[test]
fn several_runtimes() {
    found(
        "several",
        &[
            "tokio-current-thread 0: task never_polled created",
            "tokio-current-thread 1: root several {closure} {async block} waiting, task bound waiting",
            "tokio-multi-thread 2: task sleeper waiting, task sleeper waiting",
        ],
    );
}

#[test]
fn runtimes_that_a_thread_has_entered() {
    found(
        "entered",
        &["tokio-current-thread 1: task never_polled created", "tokio-multi-thread 1: task sleeper waiting"],
    );
}

#[test]
fn what_is_gone_is_not_shown() {
    found("dropped", &["tokio-current-thread 0: task sleeper waiting"]);
}

/// A library that was loaded while the program ran, with a Tokio of its own.
#[test]
fn two_copies_of_tokio_in_one_process() {
    for profile in PROFILES {
        let program = stopped("two_copies", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let snapshot = &listing.snapshot;
        let expected = [
            "tokio-multi-thread 1: task of_library waiting, task of_library waiting, task of_library waiting",
            "tokio-multi-thread 1: task of_program waiting, task of_program waiting",
        ];
        assert_eq!(owners(snapshot, "two_copies"), expected, "{profile:?}: {:?}", snapshot.notes);
        assert_eq!(snapshot.notes, [""; 0], "{profile:?}");
        for (name, file) in [("two_copies::of_library", "lib.rs"), ("two_copies::of_program", "main.rs")] {
            let tasks = snapshot.tasks.iter().filter(|task| *task.name == *name);
            for task in tasks {
                let at = task.location.as_ref().expect("a location");
                let marker = name.trim_start_matches("two_copies::");
                assert_eq!(at.line, line_in("two_copies", file, marker), "{profile:?}");
                assert!(at.file.ends_with(file), "{at:?}");
                let wait = task.waiting_on.as_ref().expect("a wait");
                assert_eq!((&*wait.text, &task.error), ("notify", &None), "{profile:?}");
            }
        }
    }
}
