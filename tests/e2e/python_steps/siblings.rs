//! Breakpoints while a step is under way, and what tells tasks apart in them.

use std::io::{Read, Seek};

use serde_json::json;
use weft_tests::process::Guarded;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch, Stop, list};

use super::walk::stepped;

const SCRIPT: &str = "walks.py";

fn launch(
    client: &mut Client,
    python: &Python,
    arguments: &[&str],
    breakpoints: &serde_json::Value,
    more: serde_json::Value,
) {
    let launch = Launch { breakpoints: Vec::new(), more: python.with(&more) };
    client.launch_configured(&source(SCRIPT), arguments, &launch, |client| {
        client.ask("setBreakpoints", json!({"source": {"path": source(SCRIPT)}, "breakpoints": breakpoints}));
    });
}

fn at(marker: &str) -> i64 {
    line(SCRIPT, marker)
}

/// The line of a stop and whose it is.
fn place(client: &mut Client, stop: &Stop) -> (i64, String) {
    let top = client.top(stop.thread);
    (top.line, client.evaluate("me", top.id).value)
}

/// Two breakpoints that all tasks of this function come to: every step ends in the one task.
pub(super) fn are_passed(python: &Python) {
    let mut client = Client::weft();
    let breakpoints = json!([{"line": at("chain 3")}, {"line": at("chain 4")}]);
    launch(&mut client, python, &["chain", "3"], &breakpoints, json!({}));
    let mut stop = client.stopped();
    let mut lines = Vec::new();
    for _ in 0..8 {
        stop = stepped(&mut client, stop.thread, "over").expect("it stops");
        let (line, me) = place(&mut client, &stop);
        assert_eq!((me.as_str(), stop.body["description"].as_str()), ("0", None));
        lines.push(line);
        if line == at("chain 5") {
            break;
        }
    }
    let expected = ["chain 4", "chain 2", "chain 3", "chain 4", "chain 2", "chain 5"].map(at);
    assert_eq!(lines, expected);
    client.set_breakpoints(&source(SCRIPT), &[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let passed: Vec<String> = client
        .output("console")
        .lines()
        .filter(|line| line.starts_with("during the step, "))
        .map(str::to_owned)
        .collect();
    let hits = |line: &String| line.split(' ').nth(3).and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
    // Each of the two others comes to each of the two lines twice.
    assert_eq!(passed.iter().map(hits).sum::<u32>(), 8, "{passed:?}");
    let first = "during the step, 2 hits of breakpoints in siblings of the stepped task Task-2 were passed: task ";
    assert!(passed.iter().any(|line| line.starts_with(first)), "{passed:?}");
}

/// With `stepMode` `thread` they stop.
pub(super) fn stop_if_wanted(python: &Python) {
    let mut client = Client::weft();
    let breakpoints = json!([{"line": at("chain 3")}]);
    launch(&mut client, python, &["chain", "3"], &breakpoints, json!({"async": {"stepMode": "thread"}}));
    let mut stop = client.stopped();
    let mut whose = Vec::new();
    for _ in 0..2 {
        stop = stepped(&mut client, stop.thread, "over").expect("it stops");
        assert_eq!(stop.reason, "breakpoint");
        whose.push(place(&mut client, &stop));
    }
    assert_eq!(whose, [(at("chain 3"), "1".to_owned()), (at("chain 3"), "2".to_owned())]);
    let said = format!("breakpoint; the step over line {} was interrupted", at("chain 3"));
    assert_eq!(stop.body["description"].as_str(), Some(said.as_str()));
    client.disconnect();
}

/// A breakpoint in a task that is none ends the step; a step of the first task goes on as if nothing had happened, and names it.
pub(super) fn others_interrupt(python: &Python) {
    let mut client = Client::weft();
    let breakpoints =
        json!([{"line": at("joined 2"), "condition": "me == 2"}, {"line": at("child 1"), "condition": "me == 2"}]);
    launch(&mut client, python, &["joined", "5"], &breakpoints, json!({}));
    let stop = client.stopped();
    assert_eq!(place(&mut client, &stop), (at("joined 2"), "2".to_owned()));
    let tasks = client.async_tasks();
    let running = list(&tasks["tasks"]).find(|task| task["state"] == "running").expect("it runs").clone();
    let thread = running["threadId"].as_i64().expect("it has a number");
    let stop = stepped(&mut client, stop.thread, "over").expect("it stops");
    assert_eq!(place(&mut client, &stop), (at("child 1"), "2".to_owned()));
    let said = format!("breakpoint; the step over line {} was interrupted", at("joined 2"));
    assert_eq!((stop.reason.as_str(), stop.body["description"].as_str()), ("breakpoint", Some(said.as_str())));
    let stop = stepped(&mut client, thread, "over").expect("it stops");
    assert_eq!((stop.thread, place(&mut client, &stop)), (thread, (at("joined 3"), "2".to_owned())));
    // Out of it is where the task is awaited, in another one.
    let stop = stepped(&mut client, thread, "out").expect("it stops");
    assert_eq!((client.top(stop.thread).line, stop.thread == thread), (at("main 1"), false));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "3\n");
}

/// A pause ends a step that waits.
pub(super) fn are_paused(python: &Python) {
    let mut client = Client::weft();
    let breakpoints = json!([{"line": at("endless 1"), "condition": "me == 2"}]);
    launch(&mut client, python, &["endless", "5"], &breakpoints, json!({}));
    let stop = client.stopped();
    client.ask("next", json!({"threadId": stop.thread}));
    let stop = client.pause();
    let said = format!("pause; the step over line {} was interrupted", at("endless 1"));
    assert_eq!((stop.reason.as_str(), stop.body["description"].as_str()), ("pause", Some(said.as_str())));
    client.disconnect();
}

/// What is never awaited, and a task whose awaiter waits for more: told once, with how to end it.
pub(super) fn that_wait_say_what_for(python: &Python) {
    let waits = |walk: &str, marker: &str, how: &str, said: &str| {
        let mut client = Client::weft();
        launch(&mut client, python, &[walk, "1"], &json!([{"line": at(marker)}]), json!({}));
        let stop = client.stopped();
        let top = client.top(stop.thread);
        if how == "stepIn" {
            let targets = client.step_in_targets(top.id);
            let [(target, name)] = targets.as_slice() else { panic!("{targets:?}") };
            assert_eq!(name, "child(me)");
            client.begin_step(how, stop.thread, &json!({"targetId": target}));
        } else {
            client.begin_step(how, stop.thread, &json!({}));
        }
        client.output_with("console", &format!("{said}; pause to end the step\n"));
        let stop = client.pause();
        let step = said.split(" and ").nth(1).and_then(|said| said.split(" goes on").next()).expect("a step");
        assert_eq!(stop.body["description"], format!("pause; {step} was interrupted"));
        assert_eq!(client.output("console").matches("pause to end the step").count(), 1);
        client.disconnect();
    };
    let into = format!(
        "the chosen call of child has not begun yet, and the step into line {} goes on where it does",
        at("kept 1")
    );
    waits("kept", "kept 1", "stepIn", &into);
    let out = "the task has ended, and the step out of child goes on where that is awaited, which has not gone on yet";
    waits("slow", "child 1", "stepOut", out);
}

/// A client that leaves in the midst of a step leaves nothing behind: the program comes to its end.
pub(super) fn may_be_left(python: &Python) {
    let mut command = python.command();
    command.arg(source("listens.py")).arg(source(SCRIPT)).args(["aborted", "5"]);
    let mut errors = tempfile::tempfile().expect("a file");
    let mut program = Guarded::run(command.stderr(errors.try_clone().expect("a second handle")));
    let port: u16 = program.wait_for("").trim().parse().expect("a port");
    let mut client = Client::weft();
    client.initialize();
    let attach = client.send("attach", json!({"runtime": "python", "connect": {"host": "127.0.0.1", "port": port}}));
    client.event("initialized");
    client.set_source_breakpoints(&source(SCRIPT), &[json!({"line": at("endless 1"), "condition": "me == 2"})]);
    client.ask("configurationDone", json!({}));
    client.answer(attach).expect("it is attached to");
    let stop = client.stopped();
    client.ask("next", json!({"threadId": stop.thread}));
    client.ask("disconnect", json!({}));
    let ended = program.ended();
    let said = program.rest();
    let mut complaints = String::new();
    errors.rewind().and_then(|()| errors.read_to_string(&mut complaints)).expect("text");
    assert!(ended.success() && said == "2\n" && !complaints.contains("Traceback"), "{said}{complaints}");
}

/// By the number, the name, and what the user looks at.
pub(super) fn are_told_apart(python: &Python) {
    let mut client = Client::weft();
    let breakpoints = json!([
        {"line": at("chain 3"), "condition": "task.name == 'Task-3' and turn == 1"},
        {"line": at("chain 2"), "logMessage": "{me} is {task.name}", "condition": "task.name == 'Task-4'"},
        {"line": at("chain 4"), "condition": "me > 0", "hitCondition": "3"},
        {"line": at("chain 5"), "mode": "focused-task"},
    ]);
    launch(&mut client, python, &["chain", "3"], &breakpoints, json!({}));
    // Of the four hits that count the third.
    let stop = client.stopped();
    assert_eq!(place(&mut client, &stop), (at("chain 3"), "1".to_owned()));
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(place(&mut client, &stop), (at("chain 4"), "1".to_owned()));
    let tasks = client.async_tasks();
    let number = |name: &str| {
        let task = list(&tasks["tasks"]).find(|task| task["name"] == name).expect("a task of that name");
        task["id"].as_i64().unwrap_or(0)
    };
    // The last stop's task is the one that is looked at.
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(place(&mut client, &stop), (at("chain 5"), "1".to_owned()));
    let wanted = json!([{"line": at("chain 5"), "condition": format!("task.id == {}", number("Task-4"))}]);
    client.ask("setBreakpoints", json!({"source": {"path": source(SCRIPT)}, "breakpoints": wanted}));
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(place(&mut client, &stop), (at("chain 5"), "2".to_owned()));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    // The third time came when that breakpoint was gone.
    let told = client.output("stdout") + &client.output("console");
    assert_eq!(told.matches("2 is Task-4").count(), 2, "{told}");
}
