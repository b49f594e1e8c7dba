//! One task in each state, beside a root that runs.

use std::sync::Arc;

use weft_runtimes::Runtimes;
use weft_tasks::{FrameKind, State, TaskKind};

use crate::fixture::{PROFILES, line, stopped};
use crate::zoo::rows;

#[test]
fn states_are_told_apart() {
    for profile in PROFILES {
        let program = stopped("states", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = Arc::new(runtimes.list(&program.stop));
        let found: Vec<_> = listing
            .snapshot
            .tasks
            .iter()
            .map(|task| {
                let at = task.location.as_ref().map_or(0, |location| location.line);
                (&*task.name, task.kind, task.state, at)
            })
            .collect();
        let at = |marker| line("states", marker);
        assert_eq!(
            found,
            [
                ("states::main", TaskKind::Root, State::Running, at("hold")),
                ("states::waiting", TaskKind::Task, State::Waiting, at("waiting")),
                ("states::ready", TaskKind::Task, State::Ready, at("ready")),
                ("states::cancelled", TaskKind::Task, State::Cancelled, at("cancelled")),
                ("states::aborted", TaskKind::Task, State::Cancelled, 0),
                ("states::fine", TaskKind::Task, State::Done, 0),
                ("states::formatted", TaskKind::Task, State::Failed, 0),
                ("states::plain", TaskKind::Task, State::Failed, 0),
                ("states::odd", TaskKind::Task, State::Failed, 0),
                ("states::results", TaskKind::Task, State::Waiting, at("results")),
                ("states::created", TaskKind::Task, State::Created, at("in created") - 1),
            ],
            "{profile:?}"
        );
        let root = &listing.snapshot.tasks[0];
        assert_eq!(root.os_thread, Some(program.stop.pid));
        // Its type is part of what it is: the next root may lie at the same address.
        assert_ne!(root.key.id, 0);
        assert_eq!(root.runtime_task_id, None);
        let stack = runtimes.thread_stack(&program.stop, program.stop.pid, usize::MAX, &|| listing.clone());
        let text = rows(&stack);
        let label = text.iter().position(|row| row == "task states::main").expect("a label");
        assert_eq!(text[label - 1], format!("states::main:{}", at("root")), "{profile:?} {text:?}");
        assert_eq!(text[label - 2], format!("states::hold:{}", at("hold")), "{profile:?}");
        let created = runtimes.stack(&program.stop, &listing, listing.snapshot.tasks[10].key).expect("a stack");
        assert_eq!((created.frames.len(), created.frames[0].kind), (1, FrameKind::Await));
    }
}

#[test]
fn results_tell_how_tasks_ended() {
    for profile in PROFILES {
        let program = stopped("states", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let task = |name: &str| {
            let name = format!("states::{name}");
            let found = listing.snapshot.tasks.iter().find(|task| *task.name == *name);
            found.map(|task| (task.state, task.ended, task.error.as_deref()))
        };
        assert_eq!(task("aborted"), Some((State::Cancelled, true, None)), "{profile:?}");
        assert_eq!(task("fine"), Some((State::Done, true, None)), "{profile:?}");
        assert_eq!(task("formatted"), Some((State::Failed, true, Some("panicked: number 7"))), "{profile:?}");
        assert_eq!(task("plain"), Some((State::Failed, true, Some("panicked: plain"))), "{profile:?}");
        assert_eq!(task("odd"), Some((State::Failed, true, None)), "{profile:?}");
        assert_eq!(task("cancelled"), Some((State::Cancelled, false, None)), "{profile:?}");
        assert_eq!(listing.snapshot.runtimes[0].task_count, 6, "{profile:?}");
    }
}
