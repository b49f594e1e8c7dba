//! Walks through coroutines: each step, the line that it ends on, and the locals there. Siblings of the task run the same code
//! all the time.
//!
//! A walk is a table. A row says how to step (`over`, `into`, `out`; `at` begins), the marker it ends on (without the walk's
//! name: `2` in the walk `chain` is `// BP: chain 2`; others in full: `leaf_1`) and all locals. A local with members has no
//! value here, one that is not kept across an `.await` has `-`, and one that has no value yet `?`.

mod branches;
mod chains;
mod ends;
mod optimised;
mod shapes;
mod walk;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program};
use weft_tests::{Client, Launch, Stop, list};

use branches::*;
use chains::*;
use ends::*;
use shapes::*;
use walk::{WALKED, Walk, take, take_prepared};

use crate::tables::task;

#[test]
fn along_chains() {
    take(&[CHAIN, FALLIBLE, MATCHED, TAILED, READY, REPOLLED, LONG]);
}

#[test]
fn among_a_hundred_siblings() {
    take(&[Walk { name: "crowd", ..CHAIN }]);
}

/// Sets a breakpoint in each debug register, on data that nobody touches.
fn take_debug_registers(client: &mut Client, stop: &Stop) {
    let frame = client.top(stop.thread).id;
    let watched = |name| client.data_info(frame, &format!("walks::herd::QUIET_{name}")).id.expect("it can be watched");
    let ids = ["A", "B", "C", "D"].map(watched);
    let wanted: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "write")).collect();
    let set = client.set_data_breakpoints(&wanted);
    assert!(set.iter().all(|set| set.verified), "{set:?}");
}

#[test]
fn without_a_debug_register() {
    take_prepared(
        &[CHAIN, REPOLLED, RECEIVED, GATHERED, JOINED, SELECTED, DYNAMIC, LARGE, ROOMY, LONG],
        take_debug_registers,
    );
    take_prepared(&[LOST, ABORTED, PANICKED, TAILED, IN_LOCAL_SET, BLOCKED_ON], take_debug_registers);
    take_prepared(&[Walk { name: "crowd", ..CHAIN }], take_debug_registers);
    take_prepared(&[Walk { name: "current_thread", ..CHAIN }], take_debug_registers);
}

#[test]
fn where_tasks_live() {
    take(&[Walk { name: "current_thread", ..CHAIN }, IN_LOCAL_SET, BLOCKED_ON]);
    take(&[MAIN]);
}

/// Each await of this walk comes back on another worker.
#[test]
fn from_worker_to_worker() {
    let walk = Walk { file: "chains", marks: "moving", name: "moving", table: "at 1" };
    let mut client = Client::weft();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &[walk.name], &Launch::default(), |client| walk.begin(client));
    let mut stop = client.stopped();
    client.set_breakpoints(&walk.path(), &[]);
    let mut threads = vec![stop.thread];
    for marker in ["2", "3", "4", "5"] {
        stop = client.step("next", stop.thread);
        let top = client.top(stop.thread);
        assert_eq!((walk.marker(&top).as_str(), client.evaluate("id", top.id).value.as_str()), (marker, "2"));
        threads.push(stop.thread);
    }
    assert!(threads[0] == threads[1] && threads[1] != threads[2], "{threads:?}");
    assert!(threads[2] == threads[3] && threads[3] != threads[4], "{threads:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

/// A breakpoint in the task that is waited for stops first; then the step is taken up, as if nothing had happened.
#[test]
fn on_after_another_task_has_interrupted() {
    let walk = Walk { marks: "panicked", table: "at 1", ..PANICKED };
    let mut client = Client::weft();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &[walk.name], &Launch::default(), |client| walk.begin(client));
    let mut stop = client.stopped();
    let task = task(&client.stack(stop.thread));
    let is_walked = |other: &&Value| task.starts_with(&format!("task {} ", other["id"]));
    let tasks = client.async_tasks();
    let thread = list(&tasks["tasks"]).find(is_walked).and_then(|task| task["threadId"].as_i64()).expect("a thread");
    let other = json!({"line": line("walks/src/ends.rs", "failing 1"), "condition": WALKED});
    client.set_source_breakpoints(&walk.path(), &[other]);
    // The other task may run while the walked one still spawns it.
    let (mut seen, mut from) = (Vec::new(), client.top(thread));
    while stop.reason != "breakpoint" || seen.is_empty() {
        from = client.top(thread);
        seen.push(walk.marker(&from));
        stop = client.step("next", thread);
    }
    let said = format!("breakpoint; the step over line {} was interrupted", from.line);
    assert_eq!(stop.body["description"].as_str(), Some(said.as_str()));
    client.set_breakpoints(&walk.path(), &[]);
    while seen.len() < 4 {
        stop = client.step("next", thread);
        let top = client.top(stop.thread);
        assert_eq!((stop.thread, client.evaluate("id", top.id).value.as_str()), (thread, "2"));
        seen.push(walk.marker(&top));
    }
    assert_eq!(seen, ["1", "2", "3", "4"]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn along_loops_that_wait() {
    take(&[RECEIVED, ONE_LINE, GATHERED, STREAMED]);
}

#[test]
fn along_branches() {
    take(&[JOINED, SELECTED, TICKING]);
}

#[test]
fn into_what_is_awaited_and_out_again() {
    take(&[ENTERED, ENTERED_BLOCKS, ENTERED_SHAPES, ENTERED_TRAIT, ENTERED_JOIN, ENTERED_CALLS, ENTERED_KINDS]);
}

#[test]
fn on_when_a_coroutine_is_cancelled() {
    take(&[LOST, ABORTED]);
}

#[test]
fn on_when_a_coroutine_panics() {
    take(&[PANICKED]);
}

#[test]
fn along_what_can_be_awaited() {
    take(&[NESTED, DYNAMIC, KINDS, LARGE, ROOMY, CALLING]);
}
