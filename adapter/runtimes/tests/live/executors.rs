//! Executors beside Tokio.

use std::sync::Arc;

use weft_runtimes::{Listing, Runtimes};
use weft_tasks::{RuntimeKind, State, Task, TaskKind};

use crate::fixture::{PROFILES, line, stopped};
use crate::zoo::rows;

/// Names of a runtime's tasks with their states, sorted.
fn tasks_of(listing: &Listing, runtime: usize) -> Vec<(String, TaskKind, State)> {
    let snapshot = &listing.snapshot;
    let key = snapshot.runtimes[runtime].key;
    let mine = snapshot.tasks.iter().filter(|task| task.runtime == key);
    let mut tasks: Vec<_> = mine.map(|task| (task.name.to_string(), task.kind, task.state)).collect();
    tasks.sort_by(|a, b| a.0.cmp(&b.0));
    tasks
}

/// The runtime that has a task of that name.
fn runtime_with(listing: &Listing, name: &str) -> usize {
    let task = named(listing, name);
    listing.snapshot.runtimes.iter().position(|runtime| runtime.key == task.runtime).expect("its runtime")
}

fn named<'a>(listing: &'a Listing, name: &str) -> &'a Task {
    let mut found = listing.snapshot.tasks.iter().filter(|task| *task.name == *name);
    let task = found.next().unwrap_or_else(|| panic!("{name}: {:?}", listing.snapshot.tasks));
    assert!(found.next().is_none(), "{name} is there twice");
    task
}

#[test]
fn each_of_smols_executors_lists_its_own_tasks() {
    for profile in PROFILES {
        let program = stopped("smol_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        assert_eq!(listing.snapshot.notes, Vec::<String>::new(), "{profile:?}");
        let runtimes = &listing.snapshot.runtimes;
        assert_eq!(runtimes.len(), 5, "{profile:?} {runtimes:?}");
        assert!(runtimes.iter().all(|runtime| runtime.kind == RuntimeKind::Smol), "{profile:?} {runtimes:?}");
        let waits = |name: &str| (format!("smol_zoo::{name}"), TaskKind::Task, State::Waiting);
        let mut global = vec![("async_process::driver {async block}".to_owned(), TaskKind::Task, State::Waiting)];
        global.extend(
            [
                "big_future",
                "detached",
                "hold_mutex",
                "wait_accept",
                "wait_barrier",
                "wait_boxed",
                "wait_either",
                "wait_event",
                "wait_join",
                "wait_mutex",
                "wait_receive",
                "wait_rwlock",
                "wait_semaphore",
                "wait_send",
                "wait_timer",
            ]
            .map(waits),
        );
        let of = |name: &str| tasks_of(&listing, runtime_with(&listing, name));
        assert_eq!(of("smol_zoo::wait_timer"), global, "{profile:?}");
        assert_eq!(
            of("smol_zoo::never_polled"),
            [
                ("smol_zoo::is_cancelled".to_owned(), TaskKind::Task, State::Cancelled),
                ("smol_zoo::never_polled".to_owned(), TaskKind::Task, State::Created),
                ("smol_zoo::waits_ready".to_owned(), TaskKind::Task, State::Ready),
            ],
            "{profile:?}"
        );
        let root = ("smol_zoo::root".to_owned(), TaskKind::Root, State::Waiting);
        assert_eq!(of("smol_zoo::on_thread"), [waits("on_thread"), root], "{profile:?}");
        let job = ("blocking::unblock {async block}".to_owned(), TaskKind::Blocking, State::Running);
        assert_eq!(of(&job.0), std::slice::from_ref(&job), "{profile:?}");
        let on_static = listing.snapshot.tasks.iter().filter(|task| &*task.name == "smol_zoo::on_static");
        assert_eq!(on_static.count(), 2, "{profile:?}");
        assert_eq!(listing.snapshot.tasks.len(), 16 + 3 + 2 + 1 + 2, "{profile:?}");
    }
}

#[test]
fn threads_belong_to_the_executors_that_they_drive() {
    for profile in PROFILES {
        let program = stopped("smol_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let thread = |name: &str| program.stop.threads.iter().find(|thread| thread.name == name).expect("a thread").tid;
        let threads = |name: &str| listing.snapshot.runtimes[runtime_with(&listing, name)].os_threads.clone();
        assert_eq!(threads("smol_zoo::wait_timer"), [thread("smol-1")], "{profile:?}");
        assert_eq!(threads("smol_zoo::on_thread"), [program.stop.pid], "{profile:?}");
        assert_eq!(threads("smol_zoo::never_polled"), Vec::<i32>::new(), "{profile:?}");
        let job = named(&listing, "blocking::unblock {async block}");
        assert_eq!(job.os_thread, Some(thread("blocking-1")), "{profile:?}");
        assert_eq!(job.location.as_ref().map(|at| at.line), Some(line("smol_zoo", "job")), "{profile:?}");
        let workers = listing.snapshot.tasks.iter().find(|task| &*task.name == "smol_zoo::on_static").expect("a task");
        let runtime = listing.snapshot.runtimes.iter().find(|runtime| runtime.key == workers.runtime);
        assert_eq!(runtime.expect("its runtime").os_threads, [thread("worker")], "{profile:?}");
    }
}

#[test]
fn tasks_of_smol_are_where_they_await() {
    for profile in PROFILES {
        let program = stopped("smol_zoo", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        for (name, marker) in [
            ("hold_mutex", "hold_mutex"),
            ("wait_mutex", "wait_mutex"),
            ("wait_join", "wait_join"),
            ("wait_rwlock", "wait_rwlock"),
            ("wait_semaphore", "wait_semaphore"),
            ("wait_barrier", "wait_barrier"),
            ("wait_event", "wait_event"),
            ("wait_receive", "wait_receive"),
            ("wait_send", "wait_send"),
            ("wait_accept", "wait_accept"),
            ("wait_timer", "leaf"),
            ("wait_boxed", "leaf"),
            ("wait_either", "leaf"),
            ("big_future", "leaf"),
            ("detached", "leaf"),
            ("on_thread", "leaf"),
            ("waits_ready", "waits_ready"),
            ("root", "root"),
        ] {
            let task = named(&listing, &format!("smol_zoo::{name}"));
            assert_eq!(task.error, None, "{profile:?} {name}");
            let at = task.location.as_ref().map(|at| at.line);
            assert_eq!(at, Some(line("smol_zoo", marker)), "{profile:?} {name}");
        }
        let chain = |name: &str| {
            let key = named(&listing, &format!("smol_zoo::{name}")).key;
            rows(&runtimes.task_stack(&program.stop, &listing, key).expect("a stack"))
        };
        let row = |name: &str, marker: &str| format!("smol_zoo::{name}:{}", line("smol_zoo", marker));
        assert_eq!(chain("wait_timer"), [row("leaf", "leaf"), row("wait_timer", "wait_timer")], "{profile:?}");
        assert_eq!(chain("wait_boxed"), [row("leaf", "leaf"), row("wait_boxed", "wait_boxed")], "{profile:?}");
        assert_eq!(chain("big_future"), [row("leaf", "leaf"), row("big_future", "big_future")], "{profile:?}");
        assert_eq!(chain("root")[0], row("root", "root"), "{profile:?}");
    }
}

#[test]
fn a_running_task_of_smol_is_read_from_its_thread() {
    for profile in PROFILES {
        let program = stopped("smol_zoo", profile, &["spin"]);
        let runtimes = Runtimes::new();
        let listing = Arc::new(runtimes.list(&program.stop));
        let task = named(&listing, "smol_zoo::spin_outer");
        assert_eq!((task.state, &task.error), (State::Running, &None), "{profile:?}");
        let worker = program.stop.threads.iter().find(|thread| thread.name == "worker").expect("a thread");
        assert_eq!(task.os_thread, Some(worker.tid), "{profile:?}");
        let spin = line("smol_zoo", "spin_inner");
        let at = task.location.as_ref().expect("a location").line;
        assert!((spin - 2..=spin).contains(&at), "{profile:?} {at}");
        let text = rows(&runtimes.thread_stack(&program.stop, worker.tid, usize::MAX, &|| listing.clone()));
        let label = text.iter().position(|row| row == "task smol_zoo::spin_outer").expect("a label");
        let outer = format!("smol_zoo::spin_outer:{}", line("smol_zoo", "spin_outer"));
        assert_eq!(text[label - 1], outer, "{profile:?} {text:?}");
    }
}
