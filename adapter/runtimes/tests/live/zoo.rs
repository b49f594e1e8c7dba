//! One task for each way of waiting.

use weft_runtimes::{LogicalFrame, LogicalStack, Runtimes};
use weft_tasks::{Hold, Polled, Snapshot, State, Task, TaskKind, WaitKind};

use crate::fixture::{PROFILES, line, stopped};

pub(crate) fn named<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Task {
    let full = format!("tasks_zoo::{name}");
    let found: Vec<_> = snapshot.tasks.iter().filter(|task| *task.name == *full).collect();
    let [task] = found.as_slice() else {
        panic!("{full}: {:?}", snapshot.tasks.iter().map(|task| &task.name).collect::<Vec<_>>())
    };
    task
}

/// A stack as text: `name:line`, labels as a user reads them without numbers.
pub(crate) fn rows(stack: &LogicalStack) -> Vec<String> {
    let text = |row: &LogicalFrame| match row {
        LogicalFrame::Frame(frame) => {
            format!("{}:{}", frame.name, frame.location.as_ref().map_or(0, |location| location.line))
        }
        LogicalFrame::Task(_, name) => format!("task {name}"),
        LogicalFrame::AwaitedBy(_, name) => format!("awaited by {name}"),
        LogicalFrame::Skipped { frames, .. } => format!("{} frames", frames.len()),
        LogicalFrame::Cut(why) => why.clone(),
    };
    stack.frames.iter().map(text).collect()
}

#[test]
fn every_wait_is_recognised() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let snapshot = &listing.snapshot;
        for (name, kind, marker) in [
            ("hold_mutex", WaitKind::Sleep, "hold_mutex"),
            ("wait_mutex", WaitKind::Mutex, "wait_mutex"),
            ("hold_rwlock", WaitKind::Sleep, "hold_rwlock"),
            ("wait_rwlock", WaitKind::RwLock, "wait_rwlock"),
            ("wait_semaphore", WaitKind::Semaphore, "wait_semaphore"),
            ("wait_notify", WaitKind::Notify, "wait_notify"),
            ("wait_oneshot", WaitKind::Channel, "wait_oneshot"),
            ("wait_send", WaitKind::Channel, "wait_send"),
            ("wait_receive", WaitKind::Channel, "wait_receive"),
            ("wait_join", WaitKind::Join, "wait_join"),
            ("wait_join_macro", WaitKind::Group, "leaf_a"),
            ("wait_select", WaitKind::Select, "leaf_a"),
            ("wait_timeout", WaitKind::Sleep, "leaf_a"),
            ("wait_boxed", WaitKind::Sleep, "leaf_b"),
            ("wait_unordered", WaitKind::Group, "leaf_a"),
            ("wait_join_set", WaitKind::Group, "wait_join_set"),
            ("wait_accept", WaitKind::Io, "wait_accept"),
            ("wait_read", WaitKind::Io, "wait_read"),
            ("wait_interval", WaitKind::Sleep, "wait_interval"),
            ("big_future", WaitKind::Sleep, "leaf_a"),
            ("Worker::run", WaitKind::Sleep, "leaf_b"),
            ("main {async block}", WaitKind::Sleep, "block"),
        ] {
            let task = named(snapshot, name);
            assert_eq!(task.error, None, "{profile:?} {name}");
            assert_eq!(task.state, State::Waiting, "{profile:?} {name}");
            let wait = task.waiting_on.as_ref().unwrap_or_else(|| panic!("{profile:?} {name}: {task:?}"));
            assert_eq!(wait.kind, kind, "{profile:?} {name}: {wait:?}");
            let at = task.location.as_ref().map(|location| location.line);
            assert_eq!(at, Some(line("tasks_zoo", marker)), "{profile:?} {name}");
        }
        // Twenty-two, the two of the set, the root and the job that reads standard input.
        assert_eq!(snapshot.tasks.len(), 26, "{profile:?}");
    }
}

#[test]
fn an_await_in_a_macro_is_where_the_macro_is_used() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        for name in ["wait_join_macro", "wait_select"] {
            let task = named(&listing.snapshot, name);
            let stack = runtimes.stack(&program.stop, &listing, task.key).expect("a stack");
            let at = stack.frames[0].location.as_ref().expect("a location");
            assert_eq!(at.line, line("tasks_zoo", name), "{profile:?} {name}");
            assert_eq!(stack.frames[0].children[0].children.len(), 2);
        }
    }
}

#[test]
fn waits_say_what_they_can() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let snapshot = &listing.snapshot;
        let wait = |name: &str| named(snapshot, name).waiting_on.clone().expect("a wait");
        assert!(wait("hold_mutex").remaining_ms.is_some_and(|left| (3_500_000..=3_600_000).contains(&left)));
        let holder = |name: &str| {
            let key = named(snapshot, name).key;
            format!(", held by {{task:{:x}:{}}}", key.address, key.id)
        };
        let queued = ", 1st of 1 in the queue";
        assert_eq!(*wait("wait_mutex").text, *format!("lock Mutex<u32>{queued}{}", holder("hold_mutex")));
        let hold_mutex = named(snapshot, "hold_mutex");
        let held: Vec<_> = hold_mutex.holds.iter().map(|held| (held.how, &*held.frame, held.polled)).collect();
        assert_eq!(held, [(Hold::Lock, "tasks_zoo::hold_mutex", Polled::Active)], "{profile:?}");
        let at = hold_mutex.holds[0].location.as_ref().map(|location| location.line);
        assert_eq!(at, Some(line("tasks_zoo", "hold_mutex")), "{profile:?}");
        assert_eq!(wait("wait_mutex").resource.as_ref(), Some(&hold_mutex.holds[0].resource), "{profile:?}");
        assert_eq!(wait("wait_mutex").holders, [hold_mutex.key], "{profile:?}");
        assert_eq!(wait("wait_rwlock").holders, [named(snapshot, "hold_rwlock").key], "{profile:?}");
        assert_eq!(*wait("wait_rwlock").text, *format!("write RwLock<String>{queued}{}", holder("hold_rwlock")));
        assert_eq!(&*wait("wait_semaphore").text, "2 permits of Semaphore, 1st of 1 in the queue");
        assert!(wait("wait_accept").fd.is_some_and(|fd| fd > 2), "{profile:?} {:?}", wait("wait_accept"));
        assert!(wait("wait_read").fd.is_some_and(|fd| fd > 2), "{profile:?} {:?}", wait("wait_read"));
        assert_eq!(wait("wait_join").tasks, [named(snapshot, "hold_mutex").key]);
        assert_eq!(named(snapshot, "hold_mutex").awaited_by[0].task, named(snapshot, "wait_join").key);
        assert_eq!(wait("wait_join_set").tasks.len(), 2);
        assert_eq!(wait("wait_unordered").text.matches("sleep").count(), 3);
    }
}

#[test]
fn a_suspended_task_has_a_stack_with_its_awaiter() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let held = named(&listing.snapshot, "hold_mutex");
        let stack = runtimes.task_stack(&program.stop, &listing, held.key).expect("a stack");
        let rows = rows(&stack);
        assert_eq!(
            rows,
            [
                format!("tasks_zoo::hold_mutex:{}", line("tasks_zoo", "hold_mutex")),
                "awaited by tasks_zoo::wait_join".to_owned(),
                format!("tasks_zoo::wait_join:{}", line("tasks_zoo", "wait_join")),
            ]
        );
        assert_eq!(listing.snapshot.tasks.iter().filter(|task| task.kind == TaskKind::Root).count(), 1);
    }
}
