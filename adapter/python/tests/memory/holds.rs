//! Who holds what is waited for.

use weft_tasks::{ProblemKind, Snapshot, Task};
use weft_tests::programs::line;

use crate::fixture::{interpreters, list, start};

fn named<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Task {
    snapshot.tasks.iter().find(|task| &*task.name == name).expect("a task of that name")
}

#[test]
fn locks_taken_in_opposite_order() {
    for python in interpreters() {
        let snapshot = list(&start(&python, "crossed.py", &[])).snapshot;
        let (left, right) = (named(&snapshot, "left"), named(&snapshot, "right"));
        for (waiter, holder) in [(left, right), (right, left)] {
            let wait = waiter.waiting_on.as_ref().expect("it waits");
            assert_eq!(wait.holders, [holder.key]);
            assert_eq!(
                *wait.text,
                format!("Lock.acquire, held by {{task:{:x}:{}}}", holder.key.address, holder.key.id)
            );
            let held: Vec<_> = holder.holds.iter().map(|held| (Some(&held.resource), &*held.frame)).collect();
            assert_eq!(held, [(wait.resource.as_ref(), "takes")], "what it only waits for it does not hold");
            let at = waiter.location.as_ref().expect("a location").line;
            assert_eq!(i64::from(at), line("python/crossed.py", "second"));
        }
        let [problem] = snapshot.problems.as_slice() else { panic!("{:?}", snapshot.problems) };
        assert_eq!((problem.kind, problem.tasks.as_slice()), (ProblemKind::Deadlock, &[left.key, right.key][..]));
    }
}

#[test]
fn a_time_limit_ends_it() {
    for python in interpreters() {
        for how in ["timeout", "outer"] {
            let snapshot = list(&start(&python, "crossed.py", &[how])).snapshot;
            let wait = named(&snapshot, "left").waiting_on.as_ref().expect("it waits");
            assert!(wait.timed && wait.holders == [named(&snapshot, "right").key], "{how}");
            assert_eq!(snapshot.problems, [], "{how}");
        }
    }
}
