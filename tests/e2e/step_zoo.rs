//! Run control over real DAP: steps into calls of choice and by smaller steps, panics, interruptions, moved threads,
//! signals, forked processes.

use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};

use weft_tests::{Client, Launch, Stop};

const ZOO: &str = "step_zoo/src/main.rs";

/// Stops at a marker in a role; the breakpoint is gone again.
fn at(role: &str, marker: &str, more: Value) -> (Client, Stop) {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(ZOO), line(ZOO, marker))], more };
    client.launch(&program("step_zoo", Profile::Debug), &[role], &launch);
    let stop = client.any_stop();
    assert_eq!(client.top(stop.thread).line, line(ZOO, marker));
    client.set_breakpoints(&source(ZOO), &[]);
    (client, stop)
}

fn is_at(client: &mut Client, stop: &Stop, marker: &str) {
    let top = client.top(stop.thread);
    assert_eq!((top.file(), top.line), ("main.rs", line(ZOO, marker)), "not at {marker:?} but in {}", top.name);
}

#[test]
fn into_a_call_of_choice() {
    let (mut client, stop) = at("into", "into nested", json!({}));
    let frame = client.top(stop.thread).id;
    let targets = client.step_in_targets(frame);
    let labels: Vec<&str> = targets.iter().map(|(_, label)| label.as_str()).collect();
    for (label, name) in labels.iter().zip(["step_zoo::double", "step_zoo::triple", "step_zoo::sum"]) {
        assert!(label.contains(name), "{labels:?}");
    }
    assert_eq!(labels.len(), 3, "{labels:?}");
    let stop = client.step_with("stepIn", stop.thread, &json!({"targetId": targets[1].0}));
    is_at(&mut client, &stop, "triple");
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("x", frame).value, "3");
    client.disconnect();
}

#[test]
fn by_statements_and_by_instructions() {
    let (mut client, stop) = at("statements", "statements", json!({}));
    let mut seen = Vec::new();
    for _ in 0..20 {
        let top = client.top(stop.thread);
        if top.line != line(ZOO, "statements") {
            break;
        }
        seen.push(client.instruction(stop.thread));
        client.step_with("next", stop.thread, &json!({"granularity": "statement"}));
    }
    // Three calls or sums, each a stop of its own.
    assert!(seen.len() >= 3 && seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:x?}");
    is_at(&mut client, &stop, "statements end");
    let before = client.instruction(stop.thread);
    client.step_with("next", stop.thread, &json!({"granularity": "instruction"}));
    let after = client.instruction(stop.thread);
    assert!((1..=15).contains(&(after - before)), "{before:#x} to {after:#x}");
    client.disconnect();
}

#[test]
fn a_panic_ends_a_step_where_it_is_caught() {
    let (mut client, stop) = at("panics", "deep panic", json!({}));
    let stop = client.step("next", stop.thread);
    is_at(&mut client, &stop, "panics first");
    assert_eq!(stop.reason, "step");
    assert_eq!(stop.body["description"], json!("a panic has left the function, and was caught here"));
    let stop = client.step("next", stop.thread);
    is_at(&mut client, &stop, "panics second");
    client.disconnect();
}

#[test]
fn an_interrupted_step_says_so() {
    let (mut client, stop) = at("into", "into nested", json!({}));
    client.set_breakpoints(&source(ZOO), &[line(ZOO, "triple")]);
    let stop = client.step("next", stop.thread);
    is_at(&mut client, &stop, "triple");
    assert_eq!(stop.reason, "breakpoint");
    let told = stop.body["description"].as_str().unwrap_or_default().to_owned();
    assert!(told.ends_with(&format!("the step over line {} was interrupted", line(ZOO, "into nested"))), "{told}");
    client.disconnect();
}

#[test]
fn to_another_line_and_back_to_the_begin() {
    let (mut client, stop) = at("moved", "moved end", json!({}));
    let targets = client.goto_targets(&source(ZOO), line(ZOO, "moved start"));
    assert_eq!(targets.len(), 1, "{targets:?}");
    let stop = client.goto(stop.thread, targets[0].0);
    is_at(&mut client, &stop, "moved start");
    client.set_breakpoints(&source(ZOO), &[line(ZOO, "scaled end")]);
    let stop = client.resume_to_stop(stop.thread);
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("more", frame).value, "1");
    let stop = client.restart_frame(frame).expect("it is not optimised");
    is_at(&mut client, &stop, "scaled start");
    client.set_breakpoints(&source(ZOO), &[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "55\n");
}

#[test]
fn a_thread_runs_alone_and_another_is_ended() {
    let (mut client, stop) = at("threads", "work", json!({}));
    client.begin_step("next", stop.thread, &json!({"singleThread": true}));
    let stop = client.stopped_alone();
    is_at(&mut client, &stop, "work more");
    let ended = stop.thread;
    client.ask("terminateThreads", json!({"threadIds": [ended]}));
    client.resume(stop.thread);
    client.event_where("thread", |event| event["reason"] == "exited" && event["threadId"] == ended);
    // Who joins it finds no result of it.
    assert_eq!(client.exited(), 101);
}

#[test]
fn signals_go_where_the_user_says() {
    let mut client = Client::weft();
    let more = json!({"signals": {"SIGUSR1": "stop", "SIGINT": "ignore", "SIGRTMIN+2": "pass"}});
    client.launch(&program("step_zoo", Profile::Debug), &["signals"], &Launch { more, ..Launch::default() });
    let stop = client.any_stop();
    assert_eq!(stop.reason, "exception");
    assert!(stop.body["description"].as_str().is_some_and(|told| told.contains("SIGUSR1")), "{stop:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "4 caught\n");
}

#[test]
fn a_forked_process_becomes_a_session_of_its_own() {
    let (send, asked) = channel();
    let mut client = Client::weft();
    client.abilities = json!({"supportsStartDebuggingRequest": true});
    client.answer_requests("startDebugging", move |arguments| {
        send.send(arguments.clone()).map_err(|error| error.to_string())?;
        Ok(json!({}))
    });
    let more = json!({"followForks": true});
    client.launch(&program("step_zoo", Profile::Debug), &["forks"], &Launch { more, ..Launch::default() });
    // The client reads its messages only when asked for something.
    let arguments = loop {
        client.threads();
        if let Ok(arguments) = asked.recv_timeout(Duration::from_millis(10)) {
            break arguments;
        }
    };
    assert_eq!(arguments["request"], "attach");
    let mut child = Client::weft();
    child.initialize();
    let seq = child.send("attach", arguments["configuration"].clone());
    child.event("initialized");
    child.set_breakpoints(&source(ZOO), &[line(ZOO, "in child")]);
    child.ask("configurationDone", json!({}));
    child.answer(seq).expect("it stands, and is attached to");
    let stop = child.any_stop();
    is_at(&mut child, &stop, "in child");
    let frame = child.top(stop.thread).id;
    assert_eq!(child.evaluate("number", frame).value, "41");
    child.resume(stop.thread);
    assert_eq!(child.exited(), 42);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "child: 2a00\n");
}
