//! The debug console in Python programs: expressions, assignments, and `await` on the program's own loop.

use std::time::Instant;

use serde_json::json;
use weft_tests::python::{Python, line};
use weft_tests::{Client, Frame, list, on_each_python};

/// Launches `console.py`, and gives the top frame of the first stop, at a marker.
fn stopped_at(python: &Python, markers: &[&str]) -> (Client, i64, Frame) {
    let mut client = Client::weft();
    python.launch(&mut client, "console.py", markers);
    let stop = client.stopped();
    let top = client.top(stop.thread);
    assert_eq!(top.line, line("console.py", markers[0]));
    (client, stop.thread, top)
}

/// What is typed into the console: `evaluate` in a frame, and what it answers.
fn typed(client: &mut Client, text: &str, frame: i64) -> String {
    match client.request("evaluate", json!({"expression": text, "frameId": frame, "context": "repl"})) {
        Ok(body) => body["result"].as_str().unwrap_or_default().to_owned(),
        Err(failure) => format!("! {}", failure.message),
    }
}

/// Has the console await what never ends, and waits until it does; the request's number.
fn forever(client: &mut Client, word: &str, stubborn: &str, frame: i64) -> i64 {
    let text = format!("await forever({word:?}, {stubborn})");
    let asked = client.send("evaluate", json!({"expression": text, "frameId": frame, "context": "repl"}));
    client.output_with("stdout", word);
    asked
}

on_each_python! {
    /// Awaits run on the loop that the program is in; the program then goes on as if nothing had been.
    fn the_console_awaits_on_the_programs_own_loop(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["main"]);
        let mut say = |text: &str| typed(&mut client, text, top.id);
        assert_eq!(say("await value(0.01, total + 1) * 10"), "20");
        assert_eq!(say("await asyncio.shield(other)"), "'other'");
        assert_eq!(say("[total, *[await value(0, n) for n in range(3)]]"), "[1, 0, 1, 2]");
        assert_eq!(say("await fails()"), "! LookupError: on purpose");
        assert_eq!(say("await ends()"), "! RuntimeError: SystemExit: 5");
        assert_eq!(say("await asyncio.to_thread(works, 14)"), "42");
        assert_eq!(say("async with lock: total = await value(0, 7)"), "");
        assert_eq!(say("total"), "7");
        assert_eq!(say("'await'"), "'await'");
        assert_eq!(say("asyncio.current_task().get_name()"), "'Task-1'");
        assert_eq!(say("len(done) >= 1"), "True");
        assert_eq!(say("print('typed', flush=True)"), "");
        assert!(say("await 1").starts_with("! TypeError: "));
        let hover = json!({"expression": "await value(0, 1)", "frameId": top.id, "context": "hover"});
        assert_eq!(client.refused("evaluate", hover).message, "`await` lets the program's loop run: type it in the debug console");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "plain\ntyped\ntotal 7\nend 2 20 other\n");
        assert_eq!(client.output("stderr"), "");
    }

    /// A breakpoint in what is awaited is passed over, and is hit when the program comes there by itself.
    fn breakpoints_in_what_is_awaited_are_passed(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["main", "inside"]);
        assert_eq!(typed(&mut client, "await stops()", top.id), "2");
        let stop = client.resume_to_stop(thread);
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("breakpoint", line("console.py", "inside")));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "plain\ntotal 1\nend 2 20 other\n");
    }

    /// What does not end is taken back by `cancel`, also when it does not want to.
    fn an_await_is_cancelled(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["main", "end"]);
        for (word, stubborn) in [("gentle", "False"), ("stubborn", "True")] {
            let asked = forever(&mut client, word, stubborn, top.id);
            client.ask("cancel", json!({"requestId": asked}));
            assert_eq!(client.answer(asked).expect_err("it was cancelled").message, "cancelled");
            assert_eq!(typed(&mut client, "total", top.id), "1");
        }
        let stop = client.resume_to_stop(thread);
        assert_eq!(client.top(stop.thread).line, line("console.py", "end"));
        client.disconnect();
    }

    /// Without a loop that runs a new one does it, as `asyncio.run` would.
    fn without_a_loop_one_is_made(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["plain"]);
        assert_eq!(typed(&mut client, "await __import__('asyncio').sleep(0.01, 'slept')", top.id), "'slept'");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "plain\ntotal 1\nend 2 20 other\n");
    }

    /// The program goes on, or ends, while something is awaited.
    fn an_await_ends_with_what_the_program_does(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["main", "end"]);
        let asked = forever(&mut client, "first", "False", top.id);
        client.resume(thread);
        assert!(client.answer(asked).is_err());
        let stop = client.stopped();
        let top = client.top(stop.thread);
        assert_eq!(top.line, line("console.py", "end"));
        forever(&mut client, "second", "False", top.id);
        let begun = Instant::now();
        client.disconnect();
        assert!(begun.elapsed().as_secs() < 20);
    }

    /// Values, statements and assignments, in frames of the thread and in suspended ones.
    fn frames_are_looked_into_and_changed(python: &Python) {
        let (mut client, thread, top) = stopped_at(python, &["inside"]);
        let frames = client.stack(thread);
        let main = frames.iter().find(|frame| frame.name == "main").expect("the awaiter").id;
        assert_eq!(typed(&mut client, "total = 30", main), "");
        assert_eq!(typed(&mut client, "total + 1", main), "31");
        assert_eq!(typed(&mut client, "import json; text = json.dumps([total])", main), "");
        assert_eq!(typed(&mut client, "text", main), "'[30]'");
        assert_eq!(typed(&mut client, "nothing", top.id), "! NameError: name 'nothing' is not defined");
        assert_eq!(typed(&mut client, "1 +", top.id), "! SyntaxError: invalid syntax");
        // A task that waits.
        let tasks = client.async_tasks();
        let ticks = list(&tasks["tasks"]).find(|task| task["name"] == "ticks").expect("the task")["threadId"].clone();
        let suspended = client.stack(ticks.as_i64().unwrap_or(0));
        let frame = suspended.iter().find(|frame| frame.name == "ticks").expect("its frame").id;
        assert_eq!(typed(&mut client, "turn = 18", frame), "");
        assert_eq!(typed(&mut client, "[turn, len(done)]", frame), "[18, 0]");
        let refusal = "! `await` works in the frames of a thread that has stopped, not in suspended ones";
        assert_eq!(typed(&mut client, "await value(0, 1)", frame), refusal);
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }

    /// A loop of uvloop's does not turn from inside; stacks and the console's other expressions work there.
    fn a_loop_of_uvloops_does_not_await(python: &Python) {
        let Some(python) = python.on_uvloop() else { return };
        let mut client = Client::weft();
        python.launch(&mut client, "on_uvloop.py", &["running"]);
        let stop = client.stopped();
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), ("main", line("on_uvloop.py", "running")));
        let refusal = "! RuntimeError: a loop of uvloop cannot turn while it is stopped: only asyncio's can";
        assert_eq!(typed(&mut client, "await asyncio.sleep(0)", top.id), refusal);
        assert_eq!(typed(&mut client, "len(tasks)", top.id), "6");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }
}
