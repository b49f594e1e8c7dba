//! A call of C's that keeps the interpreter's lock: what is asked meanwhile is answered from outside or with a sentence, and
//! afterwards everything is as before.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Fifo, Launch, list, on_each_python, process};

const BUSY: &str = "the program has not answered for 3s: a call that is not Python's holds the interpreter's lock, or the process was \
                    stopped; ask again when it goes on";

const LATE: &str = "the program has not stopped yet: a call that is not Python's holds the interpreter's lock, and it stops when that \
                    returns";

/// The numbers and names of all tasks, in the order of their numbers.
fn numbered(body: &Value) -> Vec<(i64, &str)> {
    let mut all: Vec<(i64, &str)> = list(&body["tasks"])
        .map(|task| (task["id"].as_i64().unwrap_or(0), task["name"].as_str().unwrap_or_default()))
        .collect();
    all.sort_unstable();
    all
}

/// What is asked of a program before, during and after the call; `output` waits for what it prints.
fn is_asked(
    python: &Python,
    client: &mut Client,
    (go, end): (&Fifo, &Fifo),
    output: &mut dyn FnMut(&mut Client, &str),
) -> i64 {
    output(client, "ready");
    let before = client.async_tasks();
    assert_eq!(numbered(&before), [(1, "Task-1"), (2, "first"), (3, "second")]);
    go.write();
    output(client, "held");
    let begun = Instant::now();
    if python.interpreter.minor() >= 14 {
        let held = client.async_tasks();
        assert_eq!(numbered(&held), [(1, "Task-1"), (2, "first"), (3, "second"), (4, "third")]);
        let task = |name: &str| list(&held["tasks"]).find(|task| task["name"] == name).expect("the task");
        assert_eq!(
            (&task("Task-1")["state"], &task("Task-1")["location"]["line"]),
            (&json!("running"), &json!(line("held.py", "held")))
        );
        assert_eq!(
            (&task("third")["waitingOn"]["text"], &task("third")["location"]["line"]),
            (&json!("Event.wait"), &json!(line("held.py", "waits")))
        );
        let notes: Vec<&str> = list(&held["notes"]).filter_map(Value::as_str).collect();
        let [note] = notes[..] else { panic!("{notes:?}") };
        assert!(
            note.starts_with("the program does not answer (a call that is not Python's holds the interpreter's lock"),
            "{note}"
        );
        assert!(note.contains("stopped for "), "{note}");
        // By the same numbers again, also the one that the program has never told of.
        assert_eq!(numbered(&client.async_tasks()), numbered(&held));
    } else {
        assert_eq!(client.refused("asyncTasks", json!({})).message, BUSY);
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(client.refused("asyncStack", json!({"task": 2})).message.contains("pause first"));
    client.ask("pause", json!({"threadId": 1}));
    client.output_with("important", LATE);
    assert!(client.pending_events().iter().all(|event| event != "stopped"));
    end.write();
    let stop = client.stopped();
    assert_eq!(stop.reason, "pause");
    let after = client.async_tasks();
    assert_eq!(numbered(&after), [(1, "Task-1"), (2, "first"), (3, "second"), (4, "third")]);
    assert_eq!(after["notes"], json!([]));
    let third = list(&after["tasks"]).find(|task| task["name"] == "third").expect("the task");
    assert_eq!(third["spawnedBy"], 1, "who has made it is known by the same number");
    assert_eq!(client.async_stack(4)[0]["name"], "waits");
    stop.thread
}

on_each_python! {
    fn what_weft_has_launched(python: &Python) {
        let version = python.interpreter.version;
        let (go, end) = (Fifo::new(&format!("go-{version}")), Fifo::new(&format!("end-{version}")));
        let mut client = Client::weft();
        let more = python.configuration();
        client.launch(&source("held.py"), &[go.path(), end.path()], &Launch { breakpoints: Vec::new(), more });
        let stopped = is_asked(python, &mut client, (&go, &end), &mut |client, text| {
            client.output_with("stdout", text);
        });
        // Breakpoints stop as ever.
        let set = client.set_breakpoints(&source("held.py"), &[line("held.py", "over")]);
        assert_eq!(client.resume_to_stop(stopped).hit, [set[0].id]);
        client.disconnect();
    }

    fn what_is_attached_to(python: &Python) {
        let version = python.interpreter.version;
        let (go, end) = (Fifo::new(&format!("goes-{version}")), Fifo::new(&format!("ends-{version}")));
        let files = [source("listens.py"), source("held.py")];
        let arguments = [files[0].to_str().expect("UTF-8"), files[1].to_str().expect("UTF-8"), go.path(), end.path()];
        let debugpy = python.debugpy.as_ref().map(|folder| ("PYTHONPATH", folder.to_str().expect("UTF-8")));
        let variables: Vec<(&str, &str)> = debugpy.into_iter().collect();
        let mut program = process::Guarded::start(&python.interpreter.path, &arguments, &variables);
        let port: u16 = program.wait_for("\n").trim().parse().expect("a port");
        let mut client = Client::weft();
        client.attach_as(json!({"runtime": "python", "connect": {"host": "127.0.0.1", "port": port}}));
        is_asked(python, &mut client, (&go, &end), &mut |_, text| {
            program.wait_for(text);
        });
        client.ask("disconnect", json!({"terminateDebuggee": false}));
        assert!(process::lives(program.pid()));
    }
}
