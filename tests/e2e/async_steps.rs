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
