//! Programs that lie to whoever looks, and programs that are stuck: `hostile.py`, `deadlocks.py`.

use std::io::{BufRead, Write};

use weft_tasks::{ProblemKind, RuntimeKind, State};

use super::program::{Program, in_each, named};
use crate::probe::Options;

#[test]
fn nothing_of_the_programs_is_run_by_looking() {
    in_each(|python| {
        let mut program = Program::start(python, "hostile.py", &Options::default());
        let mut listing = program.listing();
        for _ in 0..20 {
            listing = program.listing();
            assert_eq!(listing.snapshot.notes, Vec::<String>::new(), "{}", python.version);
        }
        let text = |name: &str| named(&listing, name).waiting_on.as_ref().map(|wait| wait.text.to_string());
        let event = Some("Event.wait".to_owned());
        assert_eq!(
            [text("of-an-evil-class"), text("of-python"), text("elsewhere")],
            [event.clone(), event.clone(), event]
        );
        assert_eq!(text("awaits-python's").as_deref(), Some("a task"));
        assert_eq!(named(&listing, "of-python").awaited_by.len(), 1);
        assert_eq!(text("gets").as_deref(), Some("EvilQueue.get, ? in it"));
        assert_eq!(named(&listing, "wants").waiting_on.as_ref().unwrap().holders, [named(&listing, "has").key]);
        let steps = named(&listing, "steps");
        assert_eq!((steps.state, text("steps").as_deref()), (State::Waiting, Some("a future")));
        let failed = named(&listing, "failed");
        assert_eq!((failed.state, failed.error.as_deref()), (State::Failed, Some("ended with EvilError")));
        let deep = named(&listing, "deep");
        assert_eq!((deep.frames, text("deep").as_deref(), deep.error.as_deref()), (503, Some("Event.wait"), None));
        assert!(listing.snapshot.tasks.iter().any(|task| task.name.len() < 300 && task.name.starts_with("giantgiant")));
        named(&listing, "strange name");
        assert_eq!(listing.snapshot.runtimes.len(), 2);
        assert!(listing.snapshot.runtimes.iter().all(|runtime| runtime.kind == RuntimeKind::Asyncio));
        assert!(listing.snapshot.runtimes.iter().all(|runtime| runtime.os_threads.len() == 1));
        program.input().write_all(b"\n").unwrap();
        let mut said = String::new();
        program.output.read_line(&mut said).unwrap();
        assert_eq!(said, "violations: []\n", "{}", python.version);
    });
}

#[test]
fn only_what_is_stuck_is_said_to_be() {
    in_each(|python| {
        let program = Program::start(python, "deadlocks.py", &Options::default());
        let listing = program.listing();
        let mut circles: Vec<Vec<&str>> = listing
            .snapshot
            .problems
            .iter()
            .filter(|problem| problem.kind == ProblemKind::Deadlock)
            .map(|problem| problem.tasks.iter().map(|key| &*listing.task(*key).unwrap().name).collect())
            .collect();
        circles.sort();
        let wanted =
            [vec!["again"], vec!["bounded-1", "bounded-2"], vec!["first", "second"], vec!["round-1", "round-2"]];
        assert_eq!(circles, wanted, "{}", python.version);
        let first =
            listing.snapshot.problems.iter().find(|problem| problem.tasks.contains(&named(&listing, "first").key));
        assert!(first.unwrap().text.contains(" outside waits for that"), "{}", first.unwrap().text);
    });
}
