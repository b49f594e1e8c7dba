//! Exceptions that end tasks: the filters `task-failed` and `never-retrieved`.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch, Stop, list, on_each_python};

const SCRIPT: &str = "failures.py";

/// Launches one way of the script with these filters.
fn launch(python: &Python, way: &str, filters: &[&str]) -> Client {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
    client.launch_configured(&source(SCRIPT), &[way], &launch, |client| {
        let set = client.set_exceptions(filters, &[]);
        assert!(set.iter().all(|filter| filter.verified), "{set:?}");
    });
    client
}

/// Checks a stop of one of the failures: what is said, where it is, and the variables there. Gives the task's name.
fn stands(client: &mut Client, stop: &Stop, became: &str, number: u32) -> String {
    assert_eq!(stop.reason, "exception", "{stop:?}");
    let told = stop.body["description"].as_str().expect("a description");
    let (name, said) =
        told.splitn(3, ' ').last().and_then(|said| said.split_once(' ')).expect("a task and what became of it");
    assert_eq!(said, format!("{became}; raised at failures.py:{}", line(SCRIPT, "inner")));
    let frames = client.stack(stop.thread);
    let at: Vec<_> = frames.iter().map(|frame| (frame.name.as_str(), frame.line)).collect();
    let through = [("inner", line(SCRIPT, "inner")), ("fails", line(SCRIPT, "fails"))];
    // From which call the loop ran then Python keeps in some versions.
    assert!(at == through || at == [&through[..], &[("<module>", line(SCRIPT, "run"))]].concat(), "{at:?}");
    for frame in &frames[..2] {
        assert_eq!(client.evaluate("number", frame.id).value, number.to_string(), "{frame:?}");
    }
    let locals = client.locals(frames[0].id);
    let shown: Vec<_> = locals.iter().map(|variable| (variable.name.as_str(), variable.value.as_str())).collect();
    assert_eq!(shown, [("number", number.to_string().as_str())]);
    name.to_owned()
}

on_each_python! {
    /// Each failure once, where it was raised; nothing for what is caught within a task, goes on through another, is in a group
    /// of what was told, or is cancelled.
    fn failed_tasks_stop_once_where_they_fail(python: &Python) {
        let mut client = launch(python, "failed", &["task-failed"]);
        let mut told = Vec::new();
        for number in 1..=4 {
            let stop = client.stopped();
            told.push(stands(&mut client, &stop, &format!("failed with ValueError: failure {number}"), number));
            let info = client.exception_info(stop.thread);
            assert_eq!((&info["exceptionId"], &info["breakMode"]), (&json!("ValueError"), &json!("unhandled")));
            assert_eq!(info["details"]["message"], json!(format!("failure {number}")));
            let stack = info["details"]["stackTrace"].as_str().expect("a stack");
            assert!(stack.starts_with(&format!("inner at {}:{}", source(SCRIPT).display(), line(SCRIPT, "inner"))), "{stack}");
            client.resume(stop.thread);
        }
        assert_eq!(told[2..], ["child", "member"]);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "[ValueError('failure 1'), ValueError('failure 2'), 'caught']\n1 failure 3\n");
    }

    /// What nobody looks at stops when asyncio says so: in the loop, or in the midst of another task.
    fn what_is_never_retrieved_stops(python: &Python) {
        let mut client = launch(python, "unseen", &["never-retrieved"]);
        for (name, number) in [("forgotten", 6), ("kept", 7)] {
            let stop = client.stopped();
            let became = format!("ended with ValueError: failure {number}, and nobody looked");
            assert_eq!(stands(&mut client, &stop, &became, number), name);
            let info = client.exception_info(stop.thread);
            let described = info["description"].as_str().expect("a description");
            let created = format!("; created at {}:{}", source(SCRIPT).display(), line(SCRIPT, name));
            assert!(described.ends_with(&created), "{described}");
            let tasks = client.async_tasks();
            let mut states = list(&tasks["tasks"]).map(|task| (task["state"].as_str(), task["threadId"].clone()));
            let main = states.find(|(state, _)| *state == Some("running")).map(|(_, thread)| thread);
            // When the other is deleted is Python's business; this one is in the midst of the main task, whose frames are not these.
            assert!(main.is_some() || name == "forgotten", "{tasks}");
            if let Some(thread) = main {
                let refused = client.refused("stackTrace", json!({"threadId": thread}));
                assert!(refused.message.contains("the program stands at another task's exception"), "{refused:?}");
            }
            client.resume(stop.thread);
        }
        assert_eq!((client.exited(), client.output("stdout").as_str()), (0, "unharmed\n"));
        let printed = client.output("stderr");
        assert_eq!(printed.matches("Task exception was never retrieved").count(), 2, "{printed}");
    }

    /// Nothing of it happens to who does not want it.
    fn nothing_stops_without_the_filters(python: &Python) {
        for way in ["failed", "unseen"] {
            let mut client = launch(python, way, &[]);
            assert_eq!(client.exited(), 0);
            assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
        }
    }

    /// A group of what was told is not told again, also when it ends the program.
    fn a_group_is_not_told_again(python: &Python) {
        let mut client = launch(python, "grouped", &["task-failed"]);
        let stop = client.stopped();
        assert_eq!(stands(&mut client, &stop, "failed with ValueError: failure 5", 5), "member");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 1);
    }

    /// A task that begins to run as it is made may have failed before anybody has it.
    fn an_eager_task_stops_where_it_fails(python: &Python) {
        let mut client = launch(python, "eager", &["task-failed"]);
        let stop = client.stopped();
        let at = line(SCRIPT, "at_once");
        let said = format!("eager failed with ValueError: failure 8; raised at failures.py:{at}");
        assert!(stop.body["description"].as_str().is_some_and(|told| told.ends_with(&said)), "{stop:?}");
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line, client.evaluate("number", top.id).value.as_str()), ("at_once", at, "8"));
        client.resume(stop.thread);
        assert_eq!((client.exited(), client.output("stdout").as_str()), (0, "failure 8\n"));
    }

    /// Loops of other threads are watched as well, and what goes on to the main thread's is told once.
    fn a_task_of_another_threads_loop_stops_there(python: &Python) {
        let mut client = launch(python, "elsewhere", &["task-failed"]);
        let stop = client.stopped();
        assert_ne!(stop.thread, i64::from(client.debuggee()));
        stands(&mut client, &stop, "failed with ValueError: failure 9", 9);
        client.resume(stop.thread);
        assert_eq!((client.exited(), client.output("stdout").as_str()), (0, "failure 9\n"));
    }

    /// There is nothing to step where all has ended: the program runs on, and the console says why. A session can end there.
    fn a_step_from_a_failure_runs_on(python: &Python) {
        let mut client = launch(python, "failed", &["task-failed"]);
        let stop = client.stopped();
        client.ask("next", json!({"threadId": stop.thread}));
        let stop = client.stopped();
        assert_eq!(stop.reason, "exception");
        client.output_with("console", "what raised the exception has ended; the program runs on");
        client.disconnect();
    }

    /// Clients that never say which exceptions stop get what the configuration says.
    fn a_client_that_never_asks_has_the_configurations(python: &Python) {
        for (wanted, expected) in [(None, Some("and nobody looked")), (Some("unhandled"), Some("failed with")), (Some("never"), None)] {
            let mut client = Client::weft();
            client.initialize();
            let mut more = python.with(&json!({"program": source(SCRIPT), "args": ["unseen"]}));
            if let Some(wanted) = wanted {
                more["asyncio"] = json!({"taskExceptions": wanted});
            }
            let seq = client.send("launch", more);
            client.event("initialized");
            client.ask("configurationDone", json!({}));
            client.answer(seq).expect("it is launched");
            for _ in 0..2 {
                let Some(expected) = expected else { continue };
                let stop = client.stopped();
                assert!(stop.body["description"].as_str().is_some_and(|said| said.contains(expected)), "{stop:?}");
                client.resume(stop.thread);
            }
            assert_eq!(client.exited(), 0);
        }
    }
}
