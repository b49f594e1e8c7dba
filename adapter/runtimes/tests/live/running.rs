//! A task that runs: its truth is its thread's stack.

use std::sync::Arc;

use weft_runtimes::{LogicalFrame, Runtimes};
use weft_tasks::{FrameKind, State};

use crate::fixture::{PROFILES, line, stopped};
use crate::zoo::{named, rows};

#[test]
fn a_running_task_is_read_from_its_stack() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &["spin"]);
        let runtimes = Runtimes::new();
        let listing = Arc::new(runtimes.list(&program.stop));
        let spinning = named(&listing.snapshot, "spin_outer");
        let waiting = named(&listing.snapshot, "wait_spin");
        assert_eq!((spinning.state, &spinning.error), (State::Running, &None), "{profile:?}");
        let spin = line("tasks_zoo", "spin_inner");
        let at = spinning.location.as_ref().expect("a location").line;
        assert!((spin - 2..=spin).contains(&at), "{profile:?} {at}");
        let tid = spinning.os_thread.expect("a thread");
        assert_eq!(listing.running_on(tid), Some(spinning.key));
        assert_eq!(spinning.awaited_by[0].task, waiting.key);
        assert_eq!(waiting.waiting_on.as_ref().expect("a wait").tasks, [spinning.key]);

        let stack = runtimes.thread_stack(&program.stop, tid, usize::MAX, &|| listing.clone());
        let text = rows(&stack);
        let label = text.iter().position(|row| row == "task tasks_zoo::spin_outer").expect("a label");
        let inner = text.iter().position(|row| row.starts_with("tasks_zoo::spin_inner:")).expect("its innermost frame");
        let outer = format!("tasks_zoo::spin_outer:{}", line("tasks_zoo", "spin_outer"));
        assert_eq!(text[label - 1], outer, "{profile:?} {text:?}");
        assert!(inner < label - 1);
        assert_eq!(text[label + 1], "awaited by tasks_zoo::wait_spin");
        assert_eq!(text[label + 2], format!("tasks_zoo::wait_spin:{}", line("tasks_zoo", "wait_spin")));
        let rest = &stack.frames[label + 3..];
        assert!(rest.len() > 5, "{profile:?} {text:?}");
        assert!(rest.iter().all(|row| matches!(row, LogicalFrame::Frame(frame) if frame.subtle)), "{text:?}");

        let tree = runtimes.stack(&program.stop, &listing, spinning.key).expect("a stack");
        assert_eq!(tree.frames[0].name, "tasks_zoo::spin_outer");
        assert_eq!(tree.frames[0].kind, FrameKind::Physical);
        let boundary = &tree.frames[1];
        assert_eq!((boundary.kind, boundary.task), (FrameKind::Boundary, Some(waiting.key)));
        assert_eq!(boundary.children[0].name, "tasks_zoo::wait_spin");
    }
}

#[test]
fn a_thread_without_a_task_has_its_plain_stack() {
    let program = stopped("spawner", PROFILES[0], &["1"]);
    let runtimes = Runtimes::new();
    let unasked = || -> Arc<weft_runtimes::Listing> { panic!("no task runs, so nobody asks for the list") };
    for thread in &program.stop.threads {
        let stack = runtimes.thread_stack(&program.stop, thread.tid, usize::MAX, &unasked);
        assert!(stack.frames.len() > 3, "{} {:?}", thread.name, rows(&stack));
    }
}
