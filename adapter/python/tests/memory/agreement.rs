//! What CPython's own look from outside (`python -m asyncio ps` and `pstree`) says, and what ours says.

use std::process::Command;

use serde_json::Value;
use weft_memory::MemAddr;
use weft_python::memory::Listing;
use weft_tasks::Task;
use weft_tests::process::Guarded;
use weft_tests::python;

use crate::fixture::{by_address, chain, interpreters, list, start};

/// Prints what `ps` and `pstree` print, as JSON: thread, task, name, chain and awaiters with their chains, innermost first.
const THEIRS: &str = r#"
import json, sys
from asyncio.tools import get_all_awaited_by
def line(frame): return frame.lineno if hasattr(frame, "lineno") else frame.location.lineno
def frames(coros): return [[f.funcname, f.filename, line(f)] for coro in coros for f in coro.call_stack]
print(json.dumps([[info.thread_id, task.task_id, task.task_name, frames(task.coroutine_stack),
    sorted([awaiter.task_name, frames([awaiter])] for awaiter in task.awaited_by)]
    for info in get_all_awaited_by(int(sys.argv[1])) for task in info.awaited_by]))
"#;

/// Functions whose chains CPython's reader ends with them: it goes from a coroutine to coroutines only. What they await is
/// `chains.rs`'s matter.
const CUT: [&str; 3] = ["asks_next", "awaits_object", "awaits_generator"];

/// A frame as it is compared.
type Place = (String, String, u32);

fn theirs(python: &python::Interpreter, pid: i32) -> Vec<Value> {
    let output = Command::new(&python.path).args(["-c", THEIRS, &pid.to_string()]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn places(value: &Value) -> Vec<Place> {
    let frames = value.as_array().expect("frames").iter();
    let frame = |frame: &Value| {
        let text = |at: usize| frame[at].as_str().expect("a text").to_owned();
        (text(0), text(1), u32::try_from(frame[2].as_u64().expect("a line")).expect("a line"))
    };
    frames.map(frame).rev().collect()
}

fn compare(python: &python::Interpreter, program: &Guarded) {
    let listing = list(program);
    let theirs = theirs(python, program.pid());
    let ours = by_address(&listing);
    assert_eq!((ours.len(), listing.snapshot.notes.as_slice()), (95, &[][..]));
    // That of 3.14 sees the main thread's tasks, and those whose threads have ended.
    assert_eq!(theirs.len(), if python.version == "3.14" { 63 } else { 95 });
    let mut edges = 0;
    for task in &theirs {
        let address = |value: &Value| MemAddr::new(value.as_u64().expect("an address"));
        let own = ours[&address(&task[1])];
        assert_eq!(*own.name, *task[2].as_str().expect("a name"));
        let runtime = listing.snapshot.runtimes.iter().find(|runtime| runtime.key == own.runtime).expect("its loop");
        assert_eq!(runtime.os_threads.first().map_or(0, |thread| i64::from(*thread)), task[0], "thread of {own:?}");
        let mut own_chain = chain(&listing, own);
        if CUT.contains(&own_chain[0].0.as_str()) {
            assert!(own_chain.len() > 1);
            own_chain.truncate(1);
        }
        assert_eq!(own_chain, places(&task[3]), "chain of {own:?}");
        let mut awaiters: Vec<(MemAddr, Vec<Place>)> = Vec::new();
        for awaiter in &own.awaited_by {
            let address = MemAddr::new(awaiter.task.address);
            awaiters.push((address, chain(&listing, ours[&address])));
        }
        awaiters.sort();
        let expected = task[4].as_array().expect("awaiters").iter();
        let expected: Vec<_> = expected.map(|awaiter| (address(&awaiter[0]), places(&awaiter[1]))).collect();
        assert_eq!(awaiters, expected, "awaiters of {own:?}");
        edges += expected.len();
    }
    assert_eq!(edges, theirs.len() / 31 * 12);
    assert!(of_thread(&listing, 0) == of_thread(&listing, 1), "two threads do the same");
}

/// A loop's tasks without what differs from one loop to the next, as the order in which `as_completed` starts tasks does.
fn of_thread(listing: &Listing, number: usize) -> Vec<(Vec<Place>, &'static str, Vec<&'static str>)> {
    let key = listing.snapshot.runtimes[number].key;
    let own = listing.snapshot.tasks.iter().filter(|task| task.runtime == key);
    let shown = |task: &Task| {
        (chain(listing, task), task.state.as_str(), task.awaited_by.iter().map(|it| it.via.as_str()).collect())
    };
    let mut all: Vec<_> = own.map(shown).collect();
    all.sort();
    all
}

#[test]
fn with_asyncios_own_loops() {
    for python in interpreters() {
        compare(&python, &start(&python, "chains.py", &[]));
    }
}

#[test]
fn with_uvloop() {
    for python in interpreters() {
        if !python.has("uvloop") {
            eprintln!("skipped: there is no uvloop (`cargo xtask python {} uvloop` gets it)", python.version);
            continue;
        }
        compare(&python, &start(&python, "chains.py", &["uvloop"]));
    }
}
