//! Conditions and log messages over DAP: what stops, what is told, what is refused when it is set.

use serde_json::json;
use weft_tests::Client;
use weft_tests::programs::{Profile, line, program, source};

const AWAITS: &str = "await_chain/src/main.rs";
const STEPS: &str = "sync_zoo/src/steps.rs";
const VALUES: &str = "sync_zoo/src/values.rs";

/// A session about to run, with one breakpoint on a marked line; the message of the breakpoint if it was refused.
fn start(binary: &str, arguments: &[&str], (file, mark): (&str, &str), more: &[(&str, &str)]) -> (Client, String) {
    let mut client = Client::weft();
    let mut message = String::new();
    let mut wanted = json!({"line": line(file, mark)});
    for (name, value) in more {
        wanted[*name] = json!(value);
    }
    client.launch_configured(&program(binary, Profile::Debug), arguments, &weft_tests::Launch::default(), |client| {
        let set = client.set_source_breakpoints(&source(file), &[wanted]).remove(0);
        message = set.message;
    });
    (client, message)
}

#[test]
fn a_condition_over_an_async_functions_variables_decides() {
    let condition = "*entry == 3 && total == 8 && self.owner == \"ada\" && extra == 5";
    let (mut client, _) = start("await_chain", &[], (AWAITS, "adding"), &[("condition", condition)]);
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), stop.hit.len()), ("breakpoint", 1));
    let frame = client.top(stop.thread).id;
    for (expression, value) in [("entry", "3"), ("total + entry", "11"), ("self.entries[2] == 3", "true")] {
        assert_eq!(client.evaluate(expression, frame).value, value, "{expression}");
    }
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_condition_is_asked_of_every_call() {
    let (mut client, _) = start("sync_zoo", &["steps"], (STEPS, "factorial call"), &[("condition", "number % 2 == 1")]);
    let stop = client.stopped();
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("number", frame).value, "3", "4 is passed by");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn what_is_wrong_with_a_condition_is_said_at_once() {
    let (mut client, _) = start("sync_zoo", &["steps"], (STEPS, "start"), &[]);
    let stop = client.stopped();
    for (condition, sentence) in [
        ("numbr == 2", "no variable `numbr` in this frame; did you mean `number`?"),
        ("number == \"two\"", "cannot compare `u64` with `str`"),
        ("number", "a condition is a `bool`, and this is `u64`; compare it: `!= 0`"),
        ("number == -1", "the number -1 does not fit `u64`"),
        ("last.field", "no field `field` on type `bool`"),
        ("number ==", "this is not a Rust expression"),
        ("number.is_some()", "`.is_some()` of `u64` is a function of the program, and those are not called"),
        ("factorial(number) == 2", "functions and methods of the program are not called"),
    ] {
        let set = client.set_conditional(&source(STEPS), line(STEPS, "factorial call"), condition, "", "");
        assert!(set.message.contains(sentence), "{condition}: {set:?}");
    }
    let set = client.set_conditional(&source(STEPS), line(STEPS, "factorial call"), "", "", "{number");
    assert!(set.message.contains("a `{` is not closed"), "{set:?}");
    let set = client.set_conditional(&source(STEPS), line(STEPS, "factorial call"), "number == 2 && !last", "", "");
    assert!(set.verified && set.message.is_empty(), "{set:?}");
    client.resume(stop.thread);
    let stop = client.stopped();
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("number", frame).value, "2");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_condition_that_fails_at_a_hit_stops_and_says_why() {
    let (mut client, message) = start("sync_zoo", &["values"], (VALUES, "in sum"), &[("condition", "numbers[7] == 1")]);
    assert_eq!(message, "", "only memory tells that there is no seventh");
    let stop = client.stopped();
    let told = stop.body.to_string();
    assert!(told.contains("index 7 is out of range"), "{told}");
    client.set_source_breakpoints(&source(VALUES), &[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn log_messages_are_told_and_nothing_stops() {
    let message = "{self.owner} adds {entry} to {total}: {total + *entry} {{sum}} {self.entries[9]}";
    let (mut client, _) = start("await_chain", &[], (AWAITS, "adding"), &[("logMessage", message)]);
    assert_eq!(client.exited(), 0);
    let told: Vec<String> =
        client.output("console").lines().filter(|line| line.contains(" adds ")).map(str::to_owned).collect();
    let line = |entry: u32, total: u32| {
        let missing = "<index 9 is out of range: the length is 3>";
        format!("ada adds {entry} to {total}: {} {{sum}} {missing}", total + entry)
    };
    assert_eq!(told, [line(1, 5), line(2, 6), line(3, 8)]);
}
