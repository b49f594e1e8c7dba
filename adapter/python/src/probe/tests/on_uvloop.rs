//! Loops of uvloop's, where it is installed: `on_uvloop.py`.

use weft_tasks::{RuntimeKind, State};

use super::program::{Program, in_each, line, named, place};
use crate::probe::notice::NoticeKind;
use crate::probe::{Notice, Options};

#[test]
fn tasks_on_uvloop_are_listed_as_on_any_other() {
    in_each(|python| {
        if !python.has("uvloop") {
            eprintln!(
                "skipped: Python {} has no uvloop (`cargo xtask python {} uvloop`)",
                python.version, python.version
            );
            return;
        }
        let program = Program::start(python, "on_uvloop.py", &Options::default());
        let listing = program.listing();
        let [runtime] = listing.snapshot.runtimes.as_slice() else { panic!("{:?}", listing.snapshot.runtimes) };
        assert_eq!((runtime.kind, runtime.task_count), (RuntimeKind::Uvloop, 4), "{}", python.version);
        let main = named(&listing, "Task-1");
        assert_eq!((main.state, main.os_thread), (State::Running, runtime.os_threads.first().copied()));
        assert_eq!(i64::from(main.os_thread.unwrap()), program.probe.hello().pid, "the main thread runs it");
        let at = |marker: &str| format!("on_uvloop.py:{}", line("on_uvloop.py", marker));
        let sleep = named(&listing, "sleep");
        let wait = sleep.waiting_on.as_ref().unwrap();
        assert!(wait.text.starts_with("sleep, 16 min "), "{}: {}", python.version, wait.text);
        assert_eq!((place(sleep.location.as_ref()), place(sleep.spawned_at.as_ref())), (at("sleep"), at("spawn")));
        assert_eq!(
            sleep.awaited_by.iter().map(|awaiter| awaiter.task).collect::<Vec<_>>(),
            [named(&listing, "gather").key]
        );
        let read = named(&listing, "readline").waiting_on.as_ref().unwrap();
        assert!(read.text.starts_with("readuntil from 127.0.0.1:") && read.fd.is_some(), "{read:?}");
        let wrong: Vec<Notice> =
            program.notices.try_iter().filter(|notice| notice.kind == NoticeKind::WrongThread).collect();
        let [wrong] = wrong.as_slice() else { panic!("{wrong:?}") };
        let stray = i64::from(wrong.at.as_ref().unwrap().line);
        assert_eq!(stray, line("on_uvloop.py", "stray"));
        let said = "`create_task` is called in thread stray, and the loop runs in thread MainThread";
        assert!(wrong.message.starts_with(said), "{}", wrong.message);
    });
}
