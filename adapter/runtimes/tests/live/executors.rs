//! Executors beside Tokio.

use std::sync::Arc;

use weft_runtimes::{Listing, Runtimes};
use weft_tasks::{RuntimeKind, State, Task, TaskKind, WaitKind};

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

#[test]
fn waits_of_smol_name_what_they_wait_for() {
    for profile in PROFILES {
        let program = stopped("smol_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let wait = |name: &str| named(&listing, &format!("smol_zoo::{name}")).waiting_on.clone().expect("a wait");
        for (name, kind, text, resource) in [
            ("wait_mutex", WaitKind::Mutex, "lock Mutex<u32>", Some("Mutex<u32>")),
            ("wait_rwlock", WaitKind::RwLock, "write RwLock<String>", Some("RwLock<String>")),
            ("wait_semaphore", WaitKind::Semaphore, "permit of Semaphore", Some("Semaphore")),
            ("wait_barrier", WaitKind::Barrier, "barrier", Some("Barrier")),
            ("wait_event", WaitKind::Notify, "event", Some("Event")),
            ("wait_receive", WaitKind::Channel, "receive from channel", Some("channel")),
            ("wait_send", WaitKind::Channel, "room in channel", Some("channel")),
            ("wait_join", WaitKind::Join, "join smol_zoo::hold_mutex", None),
        ] {
            let wait = wait(name);
            assert_eq!((wait.kind, &*wait.text), (kind, text), "{profile:?} {name}");
            let object = wait.resource.as_ref().map(|object| &*object.type_name);
            assert_eq!(object, resource, "{profile:?} {name}");
        }
        for name in ["hold_mutex", "wait_timer", "wait_boxed", "big_future", "detached", "on_thread"] {
            let wait = wait(name);
            assert_eq!(wait.kind, WaitKind::Sleep, "{profile:?} {name}");
            assert!(
                wait.remaining_ms.is_some_and(|left| (3_500_000..=3_600_000).contains(&left)),
                "{profile:?} {name}"
            );
        }
        assert_eq!(wait("wait_either").kind, WaitKind::Select, "{profile:?}");
        let accept = wait("wait_accept");
        assert_eq!(accept.kind, WaitKind::Io, "{profile:?}");
        assert!(accept.fd.is_some_and(|fd| fd > 2) && accept.text.starts_with("TcpListener::accept"), "{accept:?}");
        let held = named(&listing, "smol_zoo::hold_mutex");
        assert_eq!(wait("wait_join").tasks, [held.key], "{profile:?}");
        assert_eq!(held.awaited_by[0].task, named(&listing, "smol_zoo::wait_join").key, "{profile:?}");
        let job = named(&listing, "blocking::unblock {async block}");
        assert_eq!(job.awaited_by[0].task, named(&listing, "smol_zoo::root").key, "{profile:?}");
    }
}

/// A task's name, kind, state and line.
fn row(task: &Task) -> (&str, TaskKind, State, u32) {
    (&task.name, task.kind, task.state, task.location.as_ref().map_or(0, |at| at.line))
}

/// The rows of a program's tasks, sorted.
fn all(listing: &Listing) -> Vec<(&str, TaskKind, State, u32)> {
    let mut tasks: Vec<_> = listing.snapshot.tasks.iter().map(row).collect();
    tasks.sort_by_key(|(name, ..)| *name);
    tasks
}

#[test]
fn an_executor_that_nobody_knows_has_a_list_too() {
    for profile in PROFILES {
        let program = stopped("own_executor", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let step = line("own_executor", "step");
        let waits = ("own_executor::waits", TaskKind::Task, State::Waiting, step);
        let nested = ("own_executor::nested", TaskKind::Task, State::Waiting, step);
        let root = ("own_executor::drives", TaskKind::Root, State::Waiting, step);
        assert_eq!(all(&listing), [root, nested, waits, waits, waits], "{profile:?}");
        let [note] = listing.snapshot.notes.as_slice() else { panic!("{:?}", listing.snapshot.notes) };
        assert!(note.starts_with("best effort: "), "{note}");
        let kinds: Vec<_> =
            listing.snapshot.runtimes.iter().map(|runtime| (runtime.kind, runtime.task_count)).collect();
        assert_eq!(kinds, [(RuntimeKind::Unknown, 4), (RuntimeKind::BlockOn, 1)], "{profile:?}");
        // The boxed future that another awaits is part of it.
        let nested = named(&listing, "own_executor::nested");
        let chain = rows(&runtimes.task_stack(&program.stop, &listing, nested.key).expect("a stack"));
        let own = format!("own_executor::nested:{}", line("own_executor", "nested"));
        assert_eq!(chain, [format!("own_executor::step:{step}"), own], "{profile:?}");
    }
}

#[test]
fn what_an_unknown_executor_polls_is_on_its_stack() {
    for profile in PROFILES {
        let program = stopped("own_executor", profile, &["spin"]);
        let listing = Runtimes::new().list(&program.stop);
        let task = named(&listing, "own_executor::spins");
        assert_eq!((task.state, &task.error), (State::Running, &None), "{profile:?}");
        let thread = program.stop.threads.iter().find(|thread| thread.name == "executor").expect("a thread");
        assert_eq!((task.os_thread, listing.running_on(thread.tid)), (Some(thread.tid), Some(task.key)), "{profile:?}");
        assert_eq!(listing.snapshot.tasks.len(), 6, "{profile:?}");
    }
}

#[test]
fn futures_pools_are_told_apart() {
    for profile in PROFILES {
        let program = stopped("pools_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        assert_eq!(listing.snapshot.notes, [] as [String; 0], "{profile:?}");
        let task = |name: &str, kind, state| (format!("pools_zoo::{name}"), kind, state);
        let waits = |name: &str| task(name, TaskKind::Task, State::Waiting);
        let of = |name: &str| tasks_of(&listing, runtime_with(&listing, &format!("pools_zoo::{name}")));
        let pool = ["handled", "pool_lock", "pool_oneshot", "pool_receive", "pool_send"].map(waits);
        assert_eq!(of("pool_lock"), pool, "{profile:?}");
        let created = task("local_new", TaskKind::Task, State::Created);
        assert_eq!(of("local_new"), [created, waits("local_wait"), waits("local_wait")], "{profile:?}");
        assert_eq!(of("until"), [waits("local_other"), task("until", TaskKind::Root, State::Waiting)], "{profile:?}");
        assert_eq!(of("drives"), [task("drives", TaskKind::Root, State::Waiting)], "{profile:?}");

        let threads = |name: &str| {
            let thread = program.stop.threads.iter().find(|thread| thread.name == name);
            thread.unwrap_or_else(|| panic!("no thread {name}")).tid
        };
        let mut runtimes: Vec<_> = listing.snapshot.runtimes.iter().collect();
        runtimes.sort_by_key(|runtime| (runtime.kind.as_str(), runtime.task_count));
        let runtimes: Vec<_> = runtimes.iter().map(|it| (it.kind, it.task_count, it.os_threads.clone())).collect();
        let of_pool = [threads("pool-0"), threads("pool-1")].to_vec();
        let expected = [
            (RuntimeKind::BlockOn, 1, vec![threads("driver")]),
            (RuntimeKind::FuturesLocalPool, 2, vec![threads("local")]),
            (RuntimeKind::FuturesLocalPool, 3, vec![]),
            (RuntimeKind::FuturesThreadPool, 5, of_pool),
        ];
        assert_eq!(runtimes, expected, "{profile:?}");

        let wait = |name: &str| named(&listing, &format!("pools_zoo::{name}")).waiting_on.clone().expect("a wait");
        assert_eq!(&*wait("pool_lock").text, "lock Mutex<u8>", "{profile:?}");
        assert_eq!(&*wait("pool_oneshot").text, "receive from oneshot channel", "{profile:?}");
        assert_eq!(&*wait("pool_receive").text, "receive from channel", "{profile:?}");
        assert_eq!(&*wait("pool_send").text, "room in channel", "{profile:?}");
        let root = named(&listing, "pools_zoo::drives");
        assert_eq!(row(root).3, line("pools_zoo", "drives"), "{profile:?}");
        assert_eq!(row(named(&listing, "pools_zoo::handled")).3, line("pools_zoo", "handled"), "{profile:?}");
    }
}

#[test]
fn what_a_pool_of_futures_polls_is_running() {
    for profile in PROFILES {
        let program = stopped("pools_zoo", profile, &["spin"]);
        let listing = Runtimes::new().list(&program.stop);
        let task = named(&listing, "pools_zoo::spins");
        assert_eq!((task.state, &task.error), (State::Running, &None), "{profile:?}");
        let kinds = |task: &Task| listing.snapshot.runtimes.iter().find(|it| it.key == task.runtime).map(|it| it.kind);
        assert_eq!(kinds(task), Some(RuntimeKind::FuturesThreadPool), "{profile:?}");
        let thread = task.os_thread.and_then(|tid| program.stop.threads.iter().find(|thread| thread.tid == tid));
        assert!(thread.is_some_and(|thread| thread.name.starts_with("pool-")), "{profile:?}");
    }
}

#[test]
fn tasks_of_async_std_have_the_names_of_their_functions() {
    for profile in PROFILES {
        let program = stopped("asyncstd_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        for (name, kind) in [
            ("bound", TaskKind::Task),
            ("joins", TaskKind::Task),
            ("receives", TaskKind::Task),
            ("root", TaskKind::Root),
            ("sleeps", TaskKind::Task),
        ] {
            let full = format!("asyncstd_zoo::{name}");
            let expected = (&*full, kind, State::Waiting, line("asyncstd_zoo", name));
            assert_eq!(row(named(&listing, &full)), expected, "{profile:?}");
        }
        let sleeps = named(&listing, "asyncstd_zoo::sleeps");
        assert_eq!(sleeps.awaited_by[0].task, named(&listing, "asyncstd_zoo::joins").key, "{profile:?}");
    }
}

#[test]
fn servers_of_actix_and_axum_are_tokios() {
    for profile in PROFILES {
        let program = stopped("actix_server", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let at = |marker: &str| {
            let wanted = line("actix_server", marker);
            let is_there = |task: &&Task| {
                let at = task.location.as_ref();
                at.is_some_and(|at| at.line == wanted && at.file.ends_with("actix_server/src/main.rs"))
            };
            listing.snapshot.tasks.iter().filter(is_there).map(|task| (task.kind, task.state)).collect::<Vec<_>>()
        };
        assert_eq!(at("slow"), [(TaskKind::Local, State::Waiting)], "{profile:?}");
        assert_eq!(at("counts"), [(TaskKind::Local, State::Waiting)], "{profile:?}");

        let program = stopped("axum_server", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let serves = named(&listing, "axum_server::serve");
        let wait = serves.waiting_on.as_ref().expect("a wait");
        assert_eq!((serves.state, wait.kind), (State::Waiting, WaitKind::Io), "{profile:?}");
        assert_eq!(
            named(&listing, "axum::serve::handle_connection {async block}").state,
            State::Waiting,
            "{profile:?}"
        );
    }
}
