//! Many equal tasks: exact counts, ids, names, lines and chains.

use std::collections::HashSet;

use weft_runtimes::Runtimes;
use weft_tasks::{FrameKind, RuntimeKind, State, TaskKind, WaitKind};

use crate::fixture::{PROFILES, line, stopped};

#[test]
fn every_task_is_found_with_its_chain() {
    for profile in PROFILES {
        for count in [1_usize, 100, 10_000] {
            let program = stopped("spawner", profile, &[&count.to_string()]);
            let runtimes = Runtimes::new();
            let listing = runtimes.list(&program.stop);
            let snapshot = &listing.snapshot;
            assert_eq!(snapshot.notes, Vec::<String>::new(), "{profile:?} {count}");
            let tasks: Vec<_> = snapshot.tasks.iter().filter(|task| task.kind == TaskKind::Task).collect();
            assert_eq!(tasks.len(), count, "{profile:?} {count}");
            let ids: HashSet<_> = tasks.iter().map(|task| task.runtime_task_id.expect("an id")).collect();
            assert_eq!(ids.len(), count);
            for task in &tasks {
                assert_eq!(task.error, None);
                assert_eq!(&*task.name, "spawner::handle");
                assert_eq!(task.state, State::Waiting);
                assert_eq!(task.frames, 4);
                assert_eq!(task.location.as_ref().expect("a location").line, line("spawner", "in wait"));
                assert_eq!(task.waiting_on.as_ref().expect("a wait").kind, WaitKind::Notify);
            }
            let stack = runtimes.stack(&program.stop, &listing, tasks[count / 2].key).expect("a stack");
            let mut chain = Vec::new();
            let mut frames = &stack.frames;
            while let Some(frame) = frames.first() {
                let at = frame.location.as_ref().map_or(0, |location| location.line);
                chain.push((frame.name.as_str(), at, frame.kind));
                frames = &frame.children;
            }
            assert_eq!(
                chain,
                [
                    ("spawner::handle", line("spawner", "in handle"), FrameKind::Await),
                    ("spawner::stage", line("spawner", "in stage"), FrameKind::Await),
                    ("spawner::wait", line("spawner", "in wait"), FrameKind::Await),
                    ("Notified", 0, FrameKind::Leaf),
                ]
            );
        }
    }
}

#[test]
fn the_root_and_its_runtime_are_known() {
    for profile in PROFILES {
        for (flavor, kind) in [("multi", RuntimeKind::TokioMultiThread), ("current", RuntimeKind::TokioCurrentThread)] {
            let program = stopped("spawner", profile, &["5", flavor]);
            let listing = Runtimes::new().list(&program.stop);
            let [runtime] = listing.snapshot.runtimes.as_slice() else { panic!("{:?}", listing.snapshot.runtimes) };
            assert_eq!(runtime.kind, kind);
            let roots: Vec<_> = listing.snapshot.tasks.iter().filter(|task| task.kind == TaskKind::Root).collect();
            let [root] = roots.as_slice() else { panic!("{profile:?} {flavor} {roots:?}") };
            assert_eq!(&*root.name, "spawner::run");
            assert_eq!(root.state, State::Waiting, "{profile:?} {flavor}");
            assert_eq!(root.location.as_ref().expect("a location").line, line("spawner", "join"));
            let wait = root.waiting_on.as_ref().expect("a wait");
            assert_eq!(wait.kind, WaitKind::Join);
            let joined = listing.task(wait.tasks[0]).expect("the task it waits for");
            assert_eq!(joined.awaited_by[0].task, root.key);
            assert_eq!(listing.snapshot.tasks.len(), 6, "{profile:?} {flavor}");
            assert_eq!(runtime.task_count, 6);
        }
    }
}

#[test]
fn of_a_set_that_is_too_large_it_is_said_that_more_is_in_it() {
    for (count, error) in [(1_000, None), (1_001, Some("more than 1000 futures side by side: the rest is not shown"))] {
        let program = stopped("spawner", PROFILES[0], &[&count.to_string(), "multi", "set"]);
        let listing = Runtimes::new().list(&program.stop);
        let tasks = &listing.snapshot.tasks;
        assert_eq!(tasks.iter().filter(|task| task.kind == TaskKind::Task).count(), count);
        let root = tasks.iter().find(|task| task.kind == TaskKind::Root).expect("a root");
        assert_eq!(root.location.as_ref().map(|at| at.line), Some(line("spawner", "joins set")));
        assert_eq!(root.error.as_deref(), error);
        assert!(root.waiting_on.as_ref().is_some_and(|wait| wait.text.starts_with("JoinSet of 1000: ")), "{root:?}");
    }
}
