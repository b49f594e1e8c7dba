//! Attaching to a Python program by its number.

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, list, process};

fn start(python: &Python, script: &str, variables: &[(&str, &str)]) -> process::Guarded {
    let file = source(script);
    let debugpy = python.debugpy.as_ref().map(|folder| ("PYTHONPATH", folder.to_str().expect("UTF-8")));
    let variables: Vec<(&str, &str)> = debugpy.into_iter().chain(variables.iter().copied()).collect();
    let mut program = process::Guarded::start(&python.interpreter.path, &[file.to_str().expect("UTF-8")], &variables);
    program.wait_for("ready");
    program
}

/// A client that is attached, with a breakpoint at one marker.
fn attach(pid: i32, script: &str, marker: &str) -> (Client, i64) {
    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("attach", json!({"runtime": "python", "processId": pid}));
    client.event("initialized");
    let set = client.set_breakpoints(&source(script), &[line(script, marker)]);
    client.ask("configurationDone", json!({}));
    client.answer(seq).expect("it is attached to");
    (client, set[0].id)
}

/// Why a process cannot be attached to.
fn why(pid: i32) -> String {
    let mut client = Client::weft();
    client.initialize();
    client.cannot_start("attach", json!({"runtime": "python", "processId": pid})).message
}

/// Twice: the second session finds what the first one left.
#[test]
fn a_running_program_is_debugged_and_left_as_it_was() {
    let Some(python) = Python::find("3.14") else { return };
    let mut program = start(&python, "idles.py", &[]);
    for _ in 0..2 {
        process::wait_asleep(program.pid());
        let (mut client, breakpoint) = attach(program.pid(), "idles.py", "echoes");
        assert_eq!(client.event("process")["systemProcessId"], program.pid());
        let tasks = client.async_tasks();
        let mut names: Vec<&str> = list(&tasks["tasks"]).filter_map(|task| task["name"].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Task-1", "echo"]);
        program.say("one\n");
        let stop = client.stopped();
        assert_eq!(stop.hit, [breakpoint]);
        let rows: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
        assert!(rows[0] == "echo" && rows[1].ends_with(" echo"), "{rows:?}");
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("text", top.id).value, "'one\\n'");
        client.ask("disconnect", json!({}));
        program.wait_for("echo one");
        assert_eq!(process::tracer(program.pid()), Some(0));
    }
    program.say("two\n");
    program.wait_for("echo two");
    program.close_input();
    assert!(program.ended().success());
}

#[test]
fn what_cannot_be_attached_to_is_said() {
    if let Some(old) = Python::find("3.13") {
        let mut program = start(&old, "idles.py", &[]);
        let text = why(program.pid());
        let expected =
            format!("process {} runs Python 3.13, and a debugger can be put into a running program", program.pid());
        assert!(text.starts_with(&expected) && text.contains("`python -m debugpy --listen 5678"), "{text}");
        program.close_input();
        assert!(program.ended().success());
    }
    let mut other = process::Guarded::start("/bin/cat".as_ref(), &[], &[]);
    let text = why(other.pid());
    assert!(text.contains("which is no Python interpreter: attach to it as a native program (`pid`)"), "{text}");
    other.close_input();
    assert!(other.ended().success());
    let gone = why(other.pid());
    assert!(gone.contains(&other.pid().to_string()), "{gone}");
    let Some(python) = Python::find("3.14") else { return };
    let mut closed = start(&python, "idles.py", &[("PYTHON_DISABLE_REMOTE_DEBUG", "1")]);
    let text = why(closed.pid());
    assert!(text.contains("PYTHON_DISABLE_REMOTE_DEBUG"), "{text}");
    closed.close_input();
    assert!(closed.ended().success());
}
