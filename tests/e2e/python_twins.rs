//! Two loops on two threads: one of them is run to a line.

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Fifo, Launch, Stop, list, on_each_python};

const SCRIPT: &str = "twins.py";

/// A task: its number and its thread's.
#[derive(Clone, Copy)]
struct Twin {
    id: i64,
    thread: i64,
}

/// Launches the script, and stops it when both tasks are made: the thread, and the tasks.
fn made(python: &Python, words: &[&str]) -> (Client, i64, [Twin; 2]) {
    let mut client = Client::weft();
    let breakpoints = vec![(source(SCRIPT), line(SCRIPT, "made"))];
    client.launch(&source(SCRIPT), words, &Launch { breakpoints, more: python.configuration() });
    let stop = client.stopped();
    client.set_breakpoints(&source(SCRIPT), &[]);
    let tasks = client.async_tasks();
    let twin = |name: &str| {
        let found = list(&tasks["tasks"]).find(|task| task["name"] == name).expect("the task");
        Twin { id: found["id"].as_i64().expect("an id"), thread: found["threadId"].as_i64().expect("a thread") }
    };
    (client, stop.thread, [twin("left"), twin("right")])
}

fn watch(client: &mut Client, task: Twin, on: &[&str]) {
    client.ask("asyncTaskStops", json!({"task": task.id, "on": on}));
}

/// Sends a task on its way to a marker.
fn send_to(client: &mut Client, task: Twin, marker: &str) {
    let place = json!({"task": task.id, "source": {"path": source(SCRIPT)}, "line": line(SCRIPT, marker)});
    client.ask("asyncRunTo", place);
}

fn description(stop: &Stop) -> &str {
    stop.body["description"].as_str().unwrap_or_default()
}

on_each_python! {
    /// The task of one loop runs to a line by which the other's comes as well.
    fn one_is_run_to_a_line(python: &Python) {
        for at in 0..2 {
            let (mut client, _, twins) = made(python, &[]);
            send_to(&mut client, twins[at], "returns");
            let stop = client.stopped();
            assert_eq!((stop.thread, stop.reason.as_str()), (twins[at].thread, "step"), "{stop:?}");
            let top = client.top(stop.thread);
            let name = ["'left'", "'right'"][at];
            assert_eq!((top.line, client.evaluate("name", top.id).value.as_str()), (line(SCRIPT, "returns"), name));
            client.resume(stop.thread);
            assert_eq!(client.exited(), 0);
            assert!(client.take_events("stopped").is_empty());
        }
    }

    /// Breakpoints that are set while a task is on its way do not end that.
    fn breakpoints_are_set_during_a_run(python: &Python) {
        let gate = Fifo::new(&format!("set-{}", python.interpreter.version));
        let (mut client, _, [left, _]) = made(python, &[gate.path()]);
        send_to(&mut client, left, "returns");
        client.output_with("stdout", "left 2");
        client.set_breakpoints(&source(SCRIPT), &[line(SCRIPT, "begins"), line(SCRIPT, "made")]);
        gate.write();
        let stop = client.stopped();
        assert_eq!((stop.thread, stop.reason.as_str()), (left.thread, "step"), "{stop:?}");
        assert_eq!(client.top(stop.thread).line, line(SCRIPT, "returns"));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// A pause ends the way to a line, says so, and leaves nothing of it.
    fn a_pause_ends_a_run(python: &Python) {
        let gate = Fifo::new(&format!("pause-{}", python.interpreter.version));
        let (mut client, _, [left, _]) = made(python, &[gate.path()]);
        send_to(&mut client, left, "returns");
        client.output_with("stdout", "left 2");
        let stop = client.pause();
        assert!(description(&stop).ends_with(&format!("; the run to line {} was interrupted", line(SCRIPT, "returns"))), "{stop:?}");
        client.resume(stop.thread);
        gate.write();
        assert_eq!(client.exited(), 0);
        assert!(client.take_events("stopped").is_empty());
    }

    /// What cannot be run to a line says why, and the program stands where it stood.
    fn a_run_that_does_not_begin_says_why(python: &Python) {
        let (mut client, main, [left, _]) = made(python, &[]);
        watch(&mut client, left, &["completed"]);
        let stop = client.resume_to_stop(main);
        let place = |task: i64| json!({"task": task, "source": {"path": source(SCRIPT)}, "line": line(SCRIPT, "returns")});
        assert_eq!(client.refused("asyncRunTo", place(left.id)).message, "this task has ended");
        assert_eq!(client.refused("asyncRunTo", place(99_999)).id, 1304);
        assert_eq!(client.top(stop.thread).line, line(SCRIPT, "returns"));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert!(client.take_events("stopped").is_empty());
    }
}
