//! Programs on uvloop, whose loop is compiled: what works there as on asyncio's own loops, and what is refused with a reason.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch, Stop, list, on_each_python};

const SCRIPT: &str = "watched.py";

/// Launches the script, and gives the stop at a marker; nothing else stops it.
fn stopped_at(python: &Python, marker: &str) -> (Client, Stop) {
    let mut client = Client::weft();
    python.launch(&mut client, SCRIPT, &[marker]);
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, line(SCRIPT, marker));
    client.set_breakpoints(&source(SCRIPT), &[]);
    (client, stop)
}

fn task(client: &mut Client, name: &str) -> Value {
    let tasks = client.async_tasks();
    let found = list(&tasks["tasks"]).find(|task| task["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {name} in {tasks}")).clone()
}

/// Runs a task to a marker, and gives the stop that ends that.
fn run_to(client: &mut Client, task: &Value, marker: &str) -> Stop {
    let place = json!({"task": task, "source": {"path": source(SCRIPT)}, "line": line(SCRIPT, marker)});
    client.ask("asyncRunTo", place);
    client.stopped()
}

on_each_python! {
    fn tasks_wait_for_what_they_wait_for(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let mut client = Client::weft();
        python.launch(&mut client, "on_uvloop.py", &["running"]);
        let stop = client.stopped();
        let body = client.async_tasks();
        let [runtime] = &list(&body["runtimes"]).collect::<Vec<_>>()[..] else { panic!("{body}") };
        assert_eq!((&runtime["kind"], &runtime["taskCount"]), (&json!("uvloop"), &json!(4)));
        let named = |name: &str| list(&body["tasks"]).find(|task| task["name"] == name).expect("the task");
        let wait = |name: &str| {
            let wait = &named(name)["waitingOn"];
            (wait["kind"].as_str().unwrap_or_default(), wait["text"].as_str().unwrap_or_default())
        };
        assert_eq!((&named("Task-1")["state"], wait("sleep").0, wait("gather").0), (&json!("running"), "sleep", "group"));
        assert!(wait("sleep").1.starts_with("sleep, 16 min "), "{body}");
        assert!(wait("readline").0 == "io" && wait("readline").1.starts_with("readuntil from 127.0.0.1:"), "{body}");
        assert_eq!(named("sleep")["awaitedBy"][0]["task"], named("gather")["id"]);
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// A loop that waits in C is woken for a pause, and shows where each task waits.
    fn a_loop_that_waits_is_paused(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let mut client = Client::weft();
        client.launch(&source("idle.py"), &["loop"], &Launch { breakpoints: Vec::new(), more: python.configuration() });
        client.output_with("stdout", "ready");
        for _ in 0..2 {
            let stop = client.pause();
            let last = client.stack(stop.thread).pop().expect("a frame");
            assert_eq!((last.name.as_str(), last.line), ("<module>", line("idle.py", "loop")));
            let waiting = task(&mut client, "waiting")["threadId"].as_i64().expect("a thread");
            let rows: Vec<(String, i64)> = client.stack(waiting).into_iter().take(2).map(|row| (row.name, row.line)).collect();
            assert_eq!((rows[0].0.as_str(), rows[1].1), ("Event.wait", line("idle.py", "waits")));
            client.resume(stop.thread);
        }
        client.disconnect();
    }

    fn an_exception_that_ends_a_task_stops(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let mut client = Client::weft();
        let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
        client.launch_configured(&source(SCRIPT), &[], &launch, |client| {
            client.ask("setExceptionBreakpoints", json!({"filters": ["task-failed"]}));
        });
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("exception", line(SCRIPT, "fails")));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// Of two tasks that come to a line the one that is meant stops there.
    fn a_task_is_run_to_a_line(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let (mut client, _) = stopped_at(&python, "made");
        let looping = task(&mut client, "loops 2");
        for wanted in ["(2, 0)", "(2, 1)"] {
            let stop = run_to(&mut client, &looping["id"], "behind");
            assert_eq!((stop.thread, stop.reason.as_str()), (looping["threadId"].as_i64().unwrap_or(0), "step"), "{stop:?}");
            let top = client.top(stop.thread);
            let found = client.evaluate("(number, turn)", top.id).value;
            assert_eq!((top.line, found.as_str()), (line(SCRIPT, "behind"), wanted));
        }
        let unseen = "the end of a task of this loop cannot be seen: if it does not come to the line, pause the program";
        client.output_with("console", unseen);
        client.ask("continue", json!({"threadId": looping["threadId"]}));
        assert_eq!(client.exited(), 0);
    }

    /// The loop does not tell when it begins a step of a task.
    fn a_task_cannot_be_watched(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let (mut client, stop) = stopped_at(&python, "made");
        let looping = task(&mut client, "loops 2");
        let refused = client.refused("asyncTaskStops", json!({"task": looping["id"], "on": ["polled"]}));
        assert_eq!(refused.message, "this task's loop is not asyncio's own, and does not tell of its tasks' steps");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }
}
