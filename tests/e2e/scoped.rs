//! Control by task: whose breakpoints a step heeds, conditions on tasks, the task in focus.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Fifo, Launch, Stop, list};

const FILE: &str = "scoped/src/main.rs";

fn at(marker: &str) -> i64 {
    line(FILE, marker)
}

/// Stops where main has spawned everything, in front of all tasks.
fn spawned(more: Value) -> (Client, Stop) {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(FILE), at("spawned"))], more };
    client.launch(&program("scoped", Profile::Debug), &["siblings"], &launch);
    let stop = client.stopped();
    (client, stop)
}

fn set(client: &mut Client, markers: &[&str]) {
    let lines: Vec<i64> = markers.iter().map(|marker| at(marker)).collect();
    client.set_breakpoints(&source(FILE), &lines);
}

/// The siblings, in the order they were spawned.
fn works(client: &mut Client) -> Vec<Value> {
    let tasks = client.async_tasks();
    let mut works: Vec<Value> = list(&tasks["tasks"]).filter(|task| task["name"] == "scoped::work").cloned().collect();
    works.sort_by_key(|task| number(&task["runtimeTaskId"]));
    assert_eq!(works.len(), 4);
    works
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn place(client: &mut Client, thread: i64) -> (String, i64) {
    let top = client.top(thread);
    (top.name, top.line)
}

fn value(client: &mut Client, thread: i64, expression: &str) -> String {
    let top = client.top(thread).id;
    client.evaluate(expression, top).value
}

fn description(stop: &Stop) -> &str {
    stop.body["description"].as_str().unwrap_or_default()
}

fn ends(mut client: Client, thread: i64) {
    client.set_breakpoints(&source(FILE), &[]);
    client.resume(thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 54\n");
}

#[test]
fn siblings_do_not_disturb_a_step() {
    let (mut client, stop) = spawned(Value::Null);
    set(&mut client, &["work first"]);
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(value(&mut client, stop.thread, "id"), "1");
    let siblings: Vec<i64> = works(&mut client)[1..].iter().map(|task| number(&task["id"])).collect();
    let mut thread = stop.thread;
    for marker in ["work waits", "work goes on", "work asks"] {
        let stop = client.step("next", thread);
        let expected = ("step", ("scoped::work".to_owned(), at(marker)));
        assert_eq!((stop.reason.as_str(), place(&mut client, stop.thread)), expected);
        assert_eq!(value(&mut client, stop.thread, "id"), "1");
        thread = stop.thread;
    }
    let siblings: Vec<String> = siblings.iter().map(|id| format!("task {id}")).collect();
    let line = format!(
        "during the step, 3 hits of breakpoints in siblings of the stepped task scoped::work were passed: {}\n",
        siblings.join(", ")
    );
    let said = client.output("console");
    assert_eq!(said.matches("during the step").count(), 1, "{said}");
    assert!(said.contains(&line), "{said}");
    ends(client, thread);
}

#[test]
fn another_task_ends_a_step_which_is_taken_up_again() {
    let (mut client, stop) = spawned(Value::Null);
    set(&mut client, &["work first", "stranger first"]);
    let stop = client.resume_to_stop(stop.thread);
    let thread = number(&works(&mut client)[0]["threadId"]);
    let stop = client.step("next", stop.thread);
    assert_eq!(place(&mut client, stop.thread).1, at("work waits"));
    let stop = client.step("next", stop.thread);
    assert_eq!((stop.reason.as_str(), place(&mut client, stop.thread).1), ("breakpoint", at("stranger first")));
    let waits = at("work waits");
    assert_eq!(description(&stop), format!("breakpoint; the step over line {waits} was interrupted"));
    assert!(client.output("console").contains("during the step, 3 hits of breakpoints"));
    // The task is where it was, and its next step ends where the interrupted one would have.
    let stack = client.stack(thread);
    let own: Vec<(&str, i64)> = stack.iter().skip(1).take(2).map(|frame| (frame.name.as_str(), frame.line)).collect();
    assert_eq!(own, [("scoped::pause", at("yields")), ("scoped::work", waits)]);
    let stop = client.step("stepOut", thread);
    assert_eq!((stop.reason.as_str(), stop.thread), ("step", thread));
    assert_eq!(place(&mut client, thread), ("scoped::work".into(), at("work goes on")));
    assert_eq!(value(&mut client, thread, "id"), "1");
    ends(client, thread);
}

#[test]
fn a_breakpoint_in_the_own_task_stops() {
    let (mut client, stop) = spawned(Value::Null);
    set(&mut client, &["work asks"]);
    let stop = client.resume_to_stop(stop.thread);
    let id = value(&mut client, stop.thread, "id");
    set(&mut client, &["work asks", "helper first"]);
    let stop = client.step("next", stop.thread);
    assert_eq!((stop.reason.as_str(), place(&mut client, stop.thread).1), ("breakpoint", at("helper first")));
    assert_eq!(value(&mut client, stop.thread, "id"), id);
    ends(client, stop.thread);
}

/// Once a step has gone on in the awaiter of its task, the awaiter's hits are its own, whatever function it was made of.
#[test]
fn a_breakpoint_in_the_awaiter_stops() {
    let mut client = Client::weft();
    let stop = client.launch_to(&program("scoped", Profile::Debug), &["links"], source(FILE), at("link first"));
    assert_eq!(value(&mut client, stop.thread, "before"), "None");
    set(&mut client, &["link first", "taken"]);
    let stop = client.step("stepOut", stop.thread);
    let told = (stop.reason.as_str(), description(&stop), place(&mut client, stop.thread).1);
    assert_eq!(told, ("breakpoint", "breakpoint; the step out of scoped::link was interrupted", at("taken")));
    // Until then the awaiter was a sibling.
    let said = client.output("console");
    let line = "during the step, 1 hit of breakpoints in siblings of the stepped task scoped::link was passed: task ";
    assert_eq!((said.matches("during the step").count(), said.matches(line).count()), (1, 1), "{said}");
    client.set_breakpoints(&source(FILE), &[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "linked 11\n");
}

/// A step whose task ends long before somebody awaits it says what it waits for, once.
#[test]
fn a_step_that_waits_says_so() {
    let fifo = Fifo::new("kept");
    let (program, args) = (program("scoped", Profile::Debug), ["kept", fifo.path()]);
    let mut client = Client::weft();
    let stop = client.launch_to(&program, &args, source(FILE), at("kept last"));
    set(&mut client, &[]);
    client.begin_step("stepOut", stop.thread, &json!({}));
    let waits =
        "the task has ended, and the step goes on where it is awaited: nobody has done that yet; pause to end the step";
    client.output_with("console", waits);
    fifo.write();
    let stop = client.stopped();
    let told = (stop.reason.as_str(), description(&stop), place(&mut client, stop.thread).1);
    assert_eq!(told, ("step", "the task has ended; its awaiter goes on here", at("kept next")));
    assert_eq!(client.output("console").matches(waits).count(), 1);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "kept 6 2\n");
}

#[test]
fn by_threads_everybody_stops() {
    let (mut client, stop) = spawned(json!({"async": {"stepMode": "thread"}}));
    set(&mut client, &["work first"]);
    let stop = client.resume_to_stop(stop.thread);
    let stop = client.step("next", stop.thread);
    let stop = client.step("next", stop.thread);
    assert_eq!((stop.reason.as_str(), value(&mut client, stop.thread, "id").as_str()), ("breakpoint", "2"));
    assert!(description(&stop).ends_with("was interrupted"), "{:?}", stop.body);
    assert!(!client.output("console").contains("during the step"));
    ends(client, stop.thread);
}

#[test]
fn conditions_ask_for_the_task() {
    let (mut client, stop) = spawned(Value::Null);
    let ids: Vec<i64> = works(&mut client).iter().map(|task| number(&task["id"])).collect();
    let all = [
        json!({"line": at("work last"), "condition": format!("task.id == {}", ids[2])}),
        json!({"line": at("finish"), "condition": "task.name == \"scoped::stranger\""}),
        json!({"line": at("work first"), "logMessage": "{id} is {task.name} {task.id}"}),
    ];
    let set = client.set_source_breakpoints(&source(FILE), &all);
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(place(&mut client, stop.thread), ("scoped::finish".into(), at("finish")));
    assert_eq!(value(&mut client, stop.thread, "sum"), "8");
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(place(&mut client, stop.thread), ("scoped::work".into(), at("work last")));
    assert_eq!(value(&mut client, stop.thread, "id"), "3");
    let told: String = (1..).zip(&ids).map(|(nth, id)| format!("{nth} is scoped::work {id}\n")).collect();
    let said = client.output("console");
    assert!(said.contains(&told), "{said}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn without_a_task_a_condition_on_it_is_false() {
    let mut client = Client::weft();
    client.launch_configured(&program("scoped", Profile::Debug), &["nothing"], &Launch::default(), |client| {
        let condition = json!({"line": at("main"), "condition": "task.id == 0 || true"});
        assert!(client.set_source_breakpoints(&source(FILE), &[condition])[0].verified);
    });
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn the_task_in_focus_alone_hits_its_breakpoints() {
    let (mut client, stop) = spawned(Value::Null);
    let task = works(&mut client).swap_remove(2);
    let modes = [json!({"line": at("work last"), "mode": "focused-task"}), json!({"line": 1, "mode": "no-task"})];
    let set = client.set_source_breakpoints(&source(FILE), &modes);
    assert_eq!((set[0].verified, set[0].message.as_str()), (true, ""));
    assert_eq!(set[1].message, "there is no breakpoint mode `no-task`: use `any-task` or `focused-task`");
    client.ask("asyncFocusTask", json!({"task": task["id"]}));
    assert_eq!(client.stopped().thread, number(&task["threadId"]));
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(value(&mut client, stop.thread, "id"), "3");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 54\n");
}

#[test]
fn a_stop_brings_its_task_into_focus() {
    let mut client = Client::weft();
    let mut said = String::new();
    client.launch_configured(&program("scoped", Profile::Debug), &["siblings"], &Launch::default(), |client| {
        let conditional = json!({"line": at("work first"), "condition": "id == 2"});
        let focused = json!({"line": at("work last"), "mode": "focused-task"});
        said = client.set_source_breakpoints(&source(FILE), &[conditional, focused])[1].message.clone();
    });
    assert!(said.starts_with("no task is in focus yet"), "{said}");
    let stop = client.stopped();
    assert_eq!(value(&mut client, stop.thread, "id"), "2");
    let stop = client.resume_to_stop(stop.thread);
    let found = (place(&mut client, stop.thread).1, value(&mut client, stop.thread, "id"));
    assert_eq!(found, (at("work last"), "2".into()));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}
