//! A task that runs: its truth is its thread's stack.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weft_runtimes::{Body, LogicalFrame, Runtimes, StackFrame};
use weft_symbols::Watcher;
use weft_tasks::{FrameKind, State};
use weft_values::variables;

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
fn what_a_macro_made_is_no_variable_of_a_running_function() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &["spin", "joined"]);
        let runtimes = Runtimes::new();
        let listing = Arc::new(runtimes.list(&program.stop));
        let task = named(&listing.snapshot, "spin_joined");
        let stack =
            runtimes.thread_stack(&program.stop, task.os_thread.expect("a thread"), usize::MAX, &|| listing.clone());
        let names = stack.frames.iter().find_map(|row| match row {
            LogicalFrame::Frame(StackFrame { name, location, body: Body::Physical(frame), .. })
                if name == "tasks_zoo::spin_joined" =>
            {
                assert_eq!(location.as_ref().map(|at| at.line), Some(line("tasks_zoo", "spin_joined")), "{profile:?}");
                let mut names: Vec<_> = variables(&program.stop, frame).into_iter().map(|it| it.name).collect();
                // Optimised code does not always tell an argument from the binding made of it.
                names.dedup();
                Some(names)
            }
            _ => None,
        });
        assert_eq!(names.expect("its frame"), ["number", "start"], "{profile:?}");
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

/// The first stack is asked for at a first stop, when no name has been read yet.
#[test]
fn the_stack_of_a_running_root_needs_neither_the_tasks_nor_the_names() {
    for profile in PROFILES {
        let program = stopped("spawner", profile, &["1", "multi", "spin"]);
        let stop = program.afresh();
        let image = &stop.modules.iter().next().expect("the program").image;
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = begun.clone();
        image.watch(Watcher::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let runtimes = Runtimes::new();
        let unasked = || -> Arc<weft_runtimes::Listing> { panic!("nobody can await the future of a `block_on`") };
        let packed = || stop.modules.iter().filter(|module| module.image.to_inflate() > 0).count();
        let before = packed();
        let first = runtimes.thread_stack(&stop, stop.pid, 8, &unasked);
        assert_eq!(packed(), before, "{profile:?}: the C library's debug information is not unpacked for this");
        let whole = runtimes.thread_stack(&stop, stop.pid, usize::MAX, &unasked);
        assert_eq!(first.goes_on, before > 0, "{profile:?}");
        assert_eq!(first.frames.len() < whole.frames.len(), first.goes_on, "{profile:?}");
        assert!(!whole.goes_on && rows(&whole).starts_with(&rows(&first)), "{profile:?} {:?}", rows(&first));
        assert_eq!(begun.load(Ordering::Relaxed), 0, "{profile:?}");

        let listing = Arc::new(runtimes.list(&stop));
        assert_eq!(begun.load(Ordering::Relaxed), 1, "{profile:?}: who lists needs the names");
        let root = listing.running_on(stop.pid).and_then(|key| listing.task(key)).expect("a root");
        let text = rows(&whole);
        let label = whole.frames.iter().position(|row| matches!(row, LogicalFrame::Task(..))).expect("a label");
        assert_eq!(text[label], format!("task {}", root.name), "{profile:?} {text:?}");
        assert!(matches!(&whole.frames[label], LogicalFrame::Task(key, _) if *key == root.key), "{profile:?}");
        let outer = format!("spawner::run:{}", line("spawner", "root spins"));
        assert_eq!(text[label - 1], outer, "{profile:?} {text:?}");
        assert!(matches!(&whole.frames[label + 1], LogicalFrame::Frame(frame) if frame.subtle), "{profile:?} {text:?}");
    }
}
