//! Steps that follow a task, while its siblings run the same code on other threads.

use serde_json::Value;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Stop};

const FILE: &str = "siblings/src/main.rs";

struct Walker {
    client: Client,
    stop: Stop,
    id: String,
}

/// Stops in the first task that comes along, and forgets the breakpoint.
fn start(marker: &str) -> Walker {
    let mut client = Client::weft();
    let stop = client.launch_to(&program("siblings", Profile::Debug), &[], source(FILE), line(FILE, marker));
    client.set_breakpoints(&source(FILE), &[]);
    let top = client.top(stop.thread).id;
    let id = client.evaluate("id", top).value;
    Walker { client, stop, id }
}

impl Walker {
    /// Takes a step and compares where it ended, and in whose task.
    fn step(&mut self, how: &str, function: &str, marker: &str) {
        self.stop = self.client.step(how, self.stop.thread);
        let top = self.client.top(self.stop.thread);
        assert_eq!(
            (self.stop.reason.as_str(), top.name.as_str(), top.line),
            ("step", function, line(FILE, marker)),
            "{how} in task {}, to {marker}",
            self.id
        );
        let frames = self.client.stack(self.stop.thread);
        let work = frames.iter().find(|frame| frame.name == "siblings::work").expect("work is on the stack");
        assert_eq!(self.client.evaluate("id", work.id).value, self.id, "{how} to {marker} changed the task");
    }

    fn value(&mut self, expression: &str) -> u64 {
        let top = self.client.top(self.stop.thread).id;
        self.client.evaluate(expression, top).value.parse().expect("a number")
    }

    /// Lets the program run to its end: the steps have changed nothing.
    fn finish(mut self) {
        self.client.resume(self.stop.thread);
        assert_eq!(self.client.exited(), 0);
        assert_eq!(self.client.output("stdout"), "total 152\n");
        assert_eq!(self.client.take_events("stopped"), Vec::<Value>::new());
    }
}

#[test]
fn over_awaits() {
    let mut walker = start("work first");
    let id: u64 = walker.id.parse().expect("a number");
    for marker in ["first await", "between", "second await", "third await", "work last"] {
        walker.step("next", "siblings::work", marker);
    }
    assert_eq!(walker.value("sum"), 4 * id);
    walker.finish();
}

#[test]
fn into_an_async_function_and_back() {
    let mut walker = start("second await");
    walker.step("next", "siblings::work", "third await");
    walker.step("stepIn", "siblings::inner", "inner first");
    walker.step("next", "siblings::inner", "inner await");
    walker.step("next", "siblings::inner", "inner last");
    walker.finish();
}

#[test]
fn out_of_an_async_function() {
    let mut walker = start("inner first");
    // Whoever awaits goes on with the rest of its line, which is over when the step ends.
    walker.step("stepOut", "siblings::work", "work last");
    walker.finish();
}

/// Each of the eight is stopped in once, and stepped in once, although all run.
#[test]
fn a_step_in_each_of_eight_tasks() {
    let mut client = Client::weft();
    let mut stop = client.launch_to(&program("siblings", Profile::Debug), &[], source(FILE), line(FILE, "work last"));
    let mut seen = Vec::new();
    loop {
        let top = client.top(stop.thread);
        assert_eq!(top.line, line(FILE, "work last"));
        seen.push(client.evaluate("id", top.id).value);
        client.resume(stop.thread);
        match client.stop_or_exit() {
            Some(next) => stop = next,
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert_eq!(client.exited(), 0);
}

/// A step given on a task, not on a thread, ends naming that task.
#[test]
fn a_task_is_stepped_by_its_own_thread_id() {
    let mut walker = start("work first");
    let tasks = walker.client.async_tasks();
    let task = weft_tests::list(&tasks["tasks"])
        .find(|task| task["osThread"] == walker.stop.thread && task["kind"] == "task")
        .expect("the stopped thread runs a task");
    let (id, thread) = (task["id"].as_i64().expect("an id"), task["threadId"].as_i64().expect("a thread id"));
    walker.stop.thread = thread;
    for marker in ["first await", "between", "second await", "third await"] {
        walker.step("next", "siblings::work", marker);
        assert_eq!(walker.stop.thread, thread, "at {marker}");
    }
    let tasks = walker.client.async_tasks();
    let task = weft_tests::list(&tasks["tasks"]).find(|task| task["id"] == id).expect("it is still there");
    assert_eq!((task["threadId"].as_i64(), &task["state"]), (Some(thread), &serde_json::json!("running")));
    walker.finish();
}

/// A task that waits can be stepped as well: the step ends when it has been woken and is on its next line.
#[test]
fn a_suspended_task_can_be_stepped() {
    let chain = "await_chain/src/main.rs";
    let mut client = Client::weft();
    let stop = client.launch_to(&program("await_chain", Profile::Debug), &[], source(chain), line(chain, "resumed"));
    client.set_breakpoints(&source(chain), &[]);
    let tasks = client.async_tasks();
    let parent = weft_tests::list(&tasks["tasks"]).find(|task| task["name"] == "await_chain::parent");
    let thread = parent.and_then(|task| task["threadId"].as_i64()).expect("the parent is a task");
    assert_eq!(client.top(thread).line, line(chain, "parent awaits"));
    let next = client.step("next", thread);
    assert_eq!((next.reason.as_str(), next.thread), ("step", thread));
    let top = client.top(thread);
    assert_eq!((top.name.as_str(), top.line), ("await_chain::parent", line(chain, "parent awaits") + 1));
    // total 11, 3 entries before, 1 more: 15.
    assert_eq!(client.evaluate("answer", top.id).value, "15");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

/// The runtime catches it, and nobody awaits the task: its handle is kept until the program's end.
#[test]
fn over_a_panic_that_ends_the_task() {
    const STATES: &str = "states/src/main.rs";
    let mut client = Client::weft();
    let at = line(STATES, "in formatted");
    let stop = client.launch_to(&program("states", Profile::Debug), &[], source(STATES), at);
    let stop = client.step("next", stop.thread);
    let said = "a panic ended the task, and its handle is dropped: nobody awaited it";
    assert_eq!((stop.reason.as_str(), stop.body["description"].as_str()), ("step", Some(said)));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

/// The call only makes the coroutine; what is meant is its body, which the line polls.
#[test]
fn into_an_async_call_of_choice() {
    let mut walker = start("third await");
    let top = walker.client.top(walker.stop.thread).id;
    let targets = walker.client.step_in_targets(top);
    let labels: Vec<&str> = targets.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["siblings::inner"]);
    let id: u64 = walker.id.parse().expect("a number");
    let more = serde_json::json!({"targetId": targets[0].0});
    walker.stop = walker.client.step_with("stepIn", walker.stop.thread, &more);
    let top = walker.client.top(walker.stop.thread);
    assert_eq!((top.name.as_str(), top.line), ("siblings::inner", line(FILE, "inner first")));
    walker.step("next", "siblings::inner", "inner await");
    assert_eq!(walker.value("twice"), id * 2);
    walker.finish();
}
