//! Steps by lines in synchronous code, as tables of markers.

use std::collections::HashSet;

use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Stop};

const STEPS: &str = "sync_zoo/src/steps.rs";
const THREADS: &str = "sync_zoo/src/threads.rs";

/// Stops at the first marker, then takes each step and compares the line that it ends on.
fn walk(exhibit: &str, file: &str, start: &str, table: &[(&str, &str)]) -> (Client, Stop) {
    let mut client = Client::weft();
    let program = program("sync_zoo", Profile::Debug);
    let mut stop = client.launch_to(&program, &[exhibit], source(file), line(file, start));
    // The breakpoint has done its duty; steps are to be seen alone.
    client.set_breakpoints(&source(file), &[]);
    let thread = stop.thread;
    for (number, (how, marker)) in table.iter().enumerate() {
        stop = client.step(how, thread);
        let top = client.top(thread);
        assert_eq!(
            (stop.reason.as_str(), stop.thread, top.file(), top.line),
            (
                "step",
                thread,
                source(file).file_name().and_then(|name| name.to_str()).unwrap_or_default(),
                line(file, marker)
            ),
            "step {number}, {how}, from {start}: not at {marker:?} but in {}",
            top.name
        );
    }
    (client, stop)
}

#[test]
fn over_calls() {
    let (mut client, _) = walk(
        "steps",
        STEPS,
        "start",
        &[("next", "second"), ("next", "third"), ("next", "fourth"), ("next", "fifth"), ("next", "end of all")],
    );
    client.disconnect();
}

#[test]
fn into_a_function_and_along_its_end() {
    let (mut client, _) = walk(
        "steps",
        STEPS,
        "start",
        &[
            ("stepIn", "plain first"),
            ("next", "plain second"),
            ("next", "plain last"),
            ("next", "plain end"),
            ("next", "start"),
            ("next", "second"),
        ],
    );
    client.disconnect();
}

#[test]
fn out_of_a_function() {
    let (mut client, stop) =
        walk("steps", STEPS, "plain first", &[("stepOut", "start"), ("next", "second"), ("stepIn", "branches first")]);
    assert_eq!(client.top(stop.thread).name, "sync_zoo::steps::branches");
    client.disconnect();
}

#[test]
fn along_branches_and_loops() {
    let (mut client, _) = walk(
        "steps",
        STEPS,
        "branches first",
        &[
            ("next", "branches test"),
            ("next", "branches if"),
            ("next", "branches taken"),
            // rustc gives the value of an `if` its line; other debuggers stop there as well.
            ("next", "branches if"),
            ("next", "branches before loop"),
            ("next", "branches while"),
            ("next", "branches body"),
            ("next", "branches count"),
            ("next", "branches while"),
            ("next", "branches body"),
            ("next", "branches count"),
            ("next", "branches while"),
            ("next", "branches last"),
            ("next", "branches end"),
        ],
    );
    client.disconnect();
}

/// Stepping over a recursive call ends in the activation that it began in.
#[test]
fn over_recursion() {
    let (mut client, stop) = walk(
        "steps",
        STEPS,
        "factorial first",
        &[("next", "factorial if"), ("next", "factorial call"), ("next", "factorial last"), ("next", "factorial end")],
    );
    let depth = client.stack(stop.thread).iter().filter(|frame| frame.name == "sync_zoo::steps::factorial").count();
    assert_eq!(depth, 1);
    let top = client.top(stop.thread).id;
    assert_eq!(client.evaluate("number", top).value, "4");
    client.disconnect();
}

#[test]
fn into_recursion_and_out_of_it() {
    let (mut client, stop) = walk(
        "steps",
        STEPS,
        "factorial first",
        &[
            ("next", "factorial if"),
            ("next", "factorial call"),
            ("stepIn", "factorial first"),
            ("next", "factorial if"),
            ("next", "factorial call"),
            ("stepIn", "factorial first"),
        ],
    );
    let numbers = |client: &mut Client| {
        let frames = client.stack(stop.thread);
        let calls: Vec<i64> =
            frames.iter().filter(|frame| frame.name == "sync_zoo::steps::factorial").map(|frame| frame.id).collect();
        calls.into_iter().map(|frame| client.evaluate("number", frame).value).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut client), ["2", "3", "4"]);
    client.step("stepOut", stop.thread);
    assert_eq!(numbers(&mut client), ["3", "4"]);
    assert_eq!(client.top(stop.thread).line, line(STEPS, "factorial call"));
    client.disconnect();
}

/// `map(..).sum()` goes through the standard library: a step into it ends in the closure, which is the user's.
#[test]
fn a_closure_is_reached_through_the_standard_library() {
    let mut client = Client::weft();
    let program = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&program, &["steps"], source(STEPS), line(STEPS, "in closure"));
    let frames = client.stack(stop.thread);
    assert_eq!(frames[0].line, line(STEPS, "in closure"));
    assert!(frames[0].name.starts_with("sync_zoo::steps::mapped"), "{}", frames[0].name);
    let caller = frames.iter().find(|frame| frame.name == "sync_zoo::steps::mapped").expect("the function is below");
    assert_eq!(caller.line, line(STEPS, "mapped last"));
    assert_eq!(client.evaluate("number", frames[0].id).value, "1");
    client.disconnect();
}

#[test]
fn over_lines_that_start_and_end_threads() {
    let (mut client, stop) = walk(
        "threads",
        THREADS,
        "churn first",
        &[("next", "churn second"), ("next", "churn third"), ("next", "churn last")],
    );
    let events: Vec<serde_json::Value> = client.take_events("thread");
    let ids = |reason: &str| -> HashSet<i64> {
        events.iter().filter(|event| event["reason"] == reason).filter_map(|event| event["threadId"].as_i64()).collect()
    };
    // Three workers of the exhibit and three short ones, besides main.
    assert!(ids("started").len() >= 6, "{events:?}");
    assert!(ids("exited").len() >= 6, "{events:?}");
    assert_eq!(client.threads().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [stop.thread]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert!(client.output("stdout").contains("churned 60\n"));
}

#[test]
fn a_breakpoint_on_the_way_ends_a_step() {
    let mut client = Client::weft();
    let program = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&program, &["steps"], source(STEPS), line(STEPS, "third"));
    let set = client.set_breakpoints(&source(STEPS), &[line(STEPS, "factorial base")]);
    let stop = client.step("next", stop.thread);
    assert_eq!((stop.reason.as_str(), stop.hit.as_slice()), ("breakpoint", &[set[0].id][..]));
    let depth = client.stack(stop.thread).iter().filter(|frame| frame.name == "sync_zoo::steps::factorial").count();
    assert_eq!(depth, 4);
    client.disconnect();
}
