//! Futures whose type does not say what they are.

use weft_runtimes::{LogicalFrame, Runtimes};
use weft_tasks::{RuntimeKind, Task, TaskKind, WaitKind};

use crate::fixture::{PROFILES, line, stopped};
use crate::zoo::rows;

fn text(task: &Task) -> &str {
    task.waiting_on.as_ref().map_or("", |wait| &wait.text)
}

#[test]
fn trait_objects_are_named_by_what_they_are() {
    for profile in PROFILES {
        let program = stopped("odd_futures", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let named = |name: &str| listing.snapshot.tasks.iter().filter(|task| *task.name == *name).collect::<Vec<_>>();
        let erased = named("odd_futures::erased {async block}");
        assert_eq!(erased.len(), 2, "{profile:?} {:?}", listing.snapshot.tasks);
        for task in &erased {
            assert_eq!(task.error, None, "{profile:?}");
            assert!(task.entry.is_some(), "{profile:?} {task:?}");
            assert_eq!(task.location.as_ref().map(|at| at.line), Some(line("odd_futures", "sizeless")), "{profile:?}");
        }
        let stack = runtimes.task_stack(&program.stop, &listing, erased[0].key).expect("a stack");
        let at = |marker: &str| format!("odd_futures::erased {{async block}}:{}", line("odd_futures", marker));
        let block = rows(&stack).into_iter().filter(|row| row.contains("{async block}")).collect::<Vec<_>>();
        assert_eq!(block, [at("innermost"), at("recursion"), at("recursion")], "{profile:?}");
        // Who joins one names it in the same way.
        let join = named("odd_futures::join")[0];
        assert!(text(join).contains("join odd_futures::erased {async block}"), "{profile:?} {join:?}");
    }
}

#[test]
fn awaiting_a_future_without_a_size_is_a_wait() {
    for profile in PROFILES {
        let program = stopped("odd_futures", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let task = listing.snapshot.tasks.iter().find(|task| *task.name == *"odd_futures::sizeless");
        let wait = task.and_then(|task| task.waiting_on.as_ref());
        assert_eq!(wait.map(|wait| (wait.kind, &*wait.text)), Some((WaitKind::Future, "Pending<()>")));
    }
}

#[test]
fn a_task_of_a_local_set_is_listed_with_its_set() {
    for profile in PROFILES {
        let program = stopped("odd_futures", profile, &[]);
        let listing = Runtimes::new().list(&program.stop);
        let snapshot = &listing.snapshot;
        let bound: Vec<_> = snapshot.tasks.iter().filter(|task| task.kind == TaskKind::Local).collect();
        let [bound] = bound.as_slice() else { panic!("{profile:?} {bound:?}") };
        assert_eq!(&*bound.name, "odd_futures::bound", "{profile:?}");
        let set = snapshot.runtimes.iter().find(|runtime| runtime.key == bound.runtime).expect("its set");
        assert_eq!((set.kind, set.task_count), (RuntimeKind::TokioLocalSet, 1), "{profile:?}");
        assert_eq!(snapshot.notes, [""; 0], "{profile:?}");
    }
}

#[test]
fn a_job_of_the_runtimes_own_has_the_frames_of_its_thread() {
    for profile in PROFILES {
        let program = stopped("odd_futures", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let job =
            listing.snapshot.tasks.iter().find(|task| task.kind == TaskKind::Blocking).expect("the read of stdin");
        let stack = runtimes.task_stack(&program.stop, &listing, job.key).expect("a stack");
        assert!(!stack.frames.is_empty(), "{profile:?}");
        let subtle = |row: &LogicalFrame| matches!(row, LogicalFrame::Frame(frame) if frame.subtle);
        assert!(stack.frames.iter().all(subtle), "{profile:?} {:?}", rows(&stack));
    }
}
