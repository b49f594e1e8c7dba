//! What asyncio warns of: `notices.py`.

use weft_tasks::Location;
use weft_tests::python::Interpreter;

use super::program::{PATIENCE, Program, in_each, line};
use crate::probe::notice::NoticeKind;
use crate::probe::{Notice, Options};

fn at(location: Option<&Location>) -> String {
    location
        .map(|at| format!("{}:{}", at.file.file_name().unwrap_or_default().to_string_lossy(), at.line))
        .unwrap_or_default()
}

fn marked(marker: &str) -> String {
    format!("notices.py:{}", line("notices.py", marker))
}

/// The notices of the program up to its log record, in order.
fn told(python: &Interpreter, options: &Options) -> Vec<Notice> {
    let program = Program::start(python, "notices.py", options);
    let mut notices = Vec::new();
    while notices.last().is_none_or(|last: &Notice| last.kind != NoticeKind::Log) {
        notices.push(program.notices.recv_timeout(PATIENCE).unwrap());
    }
    notices
}

#[test]
fn every_notice_comes_once_with_its_place() {
    in_each(|python| {
        let notices = told(python, &Options::default());
        // What is slow on a loaded machine is not this program's doing.
        let its_own = |notice: &&Notice| {
            notice.kind != NoticeKind::SlowCallback || ["slow", "slow_callback"].contains(&notice.name.as_str())
        };
        let found: Vec<(NoticeKind, &str, String, String)> = notices
            .iter()
            .filter(its_own)
            .map(|notice| (notice.kind, notice.name.as_str(), at(notice.at.as_ref()), at(notice.created.as_ref())))
            .collect();
        let wanted = [
            (NoticeKind::NeverAwaited, "forgotten", marked("forgotten"), String::new()),
            (NoticeKind::SlowCallback, "slow", marked("slow"), found[1].3.clone()),
            (NoticeKind::SlowCallback, "slow_callback", marked("slow_callback"), String::new()),
            (NoticeKind::NeverRetrieved, "unseen", marked("fails"), marked("unseen")),
            (NoticeKind::CallbackError, "", marked("bad_callback"), String::new()),
            (NoticeKind::DestroyedPending, "pending", found[5].2.clone(), marked("pending")),
            (NoticeKind::Log, "", marked("log"), String::new()),
        ];
        assert_eq!(found, wanted, "{}", python.version);
        let unseen = notices.iter().find(|notice| notice.kind == NoticeKind::NeverRetrieved).unwrap();
        assert_eq!(unseen.exception.as_deref(), Some("ValueError: on purpose"));
        assert_eq!(unseen.trace.last().map(|(name, _)| name.as_str()), Some("fails"));
        assert!(unseen.task.is_some());
        assert_eq!(notices.last().unwrap().message, "a word of its own");
    });
}

#[test]
fn what_is_turned_off_is_not_told() {
    in_each(|python| {
        let options =
            Options { creation_sites: false, slow_callback: 0.0, log_level: "ERROR".into(), ..Options::default() };
        let program = Program::start(python, "notices.py", &options);
        let notices: Vec<Notice> = std::iter::from_fn(|| {
            let _: Result<serde_json::Value, _> = program.probe.ask("tasks", serde_json::json!({}), PATIENCE);
            program.notices.try_recv().ok()
        })
        .collect();
        assert!(notices.iter().all(|notice| notice.created.is_none() && notice.kind != NoticeKind::SlowCallback));
        assert!(notices.iter().all(|notice| notice.kind != NoticeKind::Log), "{notices:?}");
    });
}

#[test]
fn calls_from_other_threads_are_told_once_for_each_place() {
    in_each(|python| {
        let options = Options { slow_callback: 0.0, ..Options::default() };
        let program = Program::start(python, "foreign.py", &options);
        let _: serde_json::Value = program.probe.ask("tasks", serde_json::json!({}), PATIENCE).unwrap();
        let notices: Vec<Notice> = program.notices.try_iter().collect();
        assert!(notices.iter().all(|notice| notice.kind == NoticeKind::WrongThread), "{notices:?}");
        let marked = |marker: &str| format!("foreign.py:{}", line("foreign.py", marker));
        let found: Vec<_> = notices
            .iter()
            .map(|notice| {
                (at(notice.at.as_ref()), notice.name.as_str(), at(notice.created.as_ref()), notice.message.as_str())
            })
            .collect();
        let said = |what: &str, instead: &str| {
            format!(
                "{what} in thread wrong, and the loop runs in thread MainThread, where that may go unnoticed or break something: \
                 use `{instead}`"
            )
        };
        let soon = "loop.call_soon_threadsafe(…)";
        let wanted = [
            ("call_soon", "", said("`call_soon` is called", soon)),
            ("call_later", "", said("`call_later` is called", "loop.call_soon_threadsafe(loop.call_later, …)")),
            ("call_at", "", said("`call_at` is called", "loop.call_soon_threadsafe(loop.call_at, …)")),
            ("create_task", "", said("`create_task` is called", "asyncio.run_coroutine_threadsafe(…, loop)")),
            ("set_result", "waits", said("a future is completed", soon)),
            ("set", "listens", said("`set` is called", soon)),
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(marker, name, said)| {
                let created = if name.is_empty() { String::new() } else { marked(name) };
                (marked(marker), *name, created, said.as_str())
            })
            .collect();
        assert_eq!(found, wanted, "{}", python.version);
    });
}
