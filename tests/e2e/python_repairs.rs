//! What pydevd alone gets wrong: breakpoints in calls that have begun, and pauses of loops that wait.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Fifo, Launch, Stop, list, on_each_python};

/// Launches a script that says when it is ready.
fn ready(python: &Python, script: &str, args: &[&str], more: &Value) -> Client {
    let mut client = Client::weft();
    client.launch(&source(script), args, &Launch { breakpoints: Vec::new(), more: python.with(more) });
    client.output_with("stdout", "ready");
    client
}

/// Sets the only breakpoint, and gives the stop there.
fn hit(client: &mut Client, file: &Path, line: i64) -> Stop {
    let set = client.set_breakpoints(file, &[line]);
    let stop = client.stopped();
    assert_eq!((set[0].verified, stop.reason.as_str(), &stop.hit[..]), (true, "breakpoint", &[set[0].id][..]));
    assert_eq!(client.top(stop.thread).line, line);
    stop
}

/// Where `await getter` in `Queue.get` goes on, in this Python's own library.
fn in_the_library(python: &Python) -> (PathBuf, i64) {
    let code = "import asyncio.queues as q, inspect; lines, first = inspect.getsourcelines(q.Queue.get); \
                print(q.__file__, first + max(n for n, line in enumerate(lines) if 'return self.get_nowait()' in line))";
    let said = python.command().args(["-c", code]).output().expect("Python runs").stdout;
    let said = String::from_utf8(said).expect("text");
    let (file, line) = said.trim().rsplit_once(' ').expect("a file and a line");
    (PathBuf::from(file), line.parse().expect("a line"))
}

on_each_python! {
    /// Coroutines that wait, an async generator that nobody is in at the moment, a context manager in its block, a thread, and
    /// a library's coroutine: a breakpoint that is set in them now is hit.
    fn breakpoints_hold_for_calls_that_have_begun(python: &Python) {
        let mut client = ready(python, "late.py", &[], &json!({"justMyCode": false}));
        let file = source("late.py");
        for (marker, function) in [("leaf", "leaf"), ("generator", "numbers"), ("thread", "thread")] {
            let stop = hit(&mut client, &file, line("late.py", marker));
            assert_eq!(client.top(stop.thread).name, function);
            client.set_breakpoints(&file, &[]);
            client.resume(stop.thread);
        }
        let (library, get) = in_the_library(python);
        let stop = hit(&mut client, &library, get);
        client.set_breakpoints(&library, &[]);
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("type(self).__name__", top.id).value, "'Queue'");
        let set = client.set_breakpoints(&file, &[line("late.py", "scope")]);
        client.evaluate("__import__('__main__').released.set()", top.id);
        let stop = client.resume_to_stop(stop.thread);
        assert_eq!((&stop.hit[..], client.top(stop.thread).name.as_str()), (&[set[0].id][..], "scope"));
        client.disconnect();
    }

    /// A loop in which every task waits stops at once, and where: in the call that runs it. The tasks are there to be looked at.
    fn a_loop_that_waits_is_paused(python: &Python) {
        let mut client = ready(python, "idle.py", &["loop"], &json!({}));
        let stop = client.pause();
        let rows: Vec<(String, i64)> = client.stack(stop.thread).into_iter().map(|row| (row.name, row.line)).collect();
        assert_eq!(rows, [("<module>".to_owned(), line("idle.py", "loop"))]);
        let module = client.top(stop.thread);
        assert_eq!(client.evaluate("sys.argv[1]", module.id).value, "'loop'");
        let tasks = client.async_tasks();
        let waiting = list(&tasks["tasks"]).find(|task| task["name"] == "waiting").expect("the task").clone();
        let thread = waiting["threadId"].as_i64().expect("a number");
        assert_eq!(client.stack(thread)[0].name, "Event.wait");
        client.resume(stop.thread);
        // Whom the user looks at is who stops.
        client.ask("pause", json!({"threadId": thread}));
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), stop.thread), ("pause", thread));
        assert_eq!(client.stack(thread)[1].line, line("idle.py", "waits"));
        client.disconnect();
    }

    /// Each of several loops stops.
    fn all_loops_are_paused(python: &Python) {
        let mut client = ready(python, "idle.py", &["loops"], &json!({}));
        let stop = client.pause();
        let threads = client.threads();
        assert_eq!(threads.len(), 2, "{threads:?}");
        for (thread, _) in &threads {
            let rows = client.stack(*thread);
            assert!(rows.iter().all(|row| !row.name.contains("_weft")), "{rows:?}");
        }
        client.resume(stop.thread);
        assert_eq!(client.pause().reason, "pause");
        client.disconnect();
    }

    /// What cannot be stopped yet is told of with its place, and stops when it can.
    fn a_call_that_is_not_pythons_is_told_of(python: &Python) {
        let gate = Fifo::new(&format!("naps-{}", python.interpreter.version));
        let mut client = ready(python, "idle.py", &["naps", gate.path()], &json!({}));
        let threads = client.threads();
        client.ask("pause", json!({"threadId": threads[0].0}));
        let told = client.output_with("important", "returns");
        let (file, at) = (source("idle.py"), line("idle.py", "naps"));
        let wanted = format!(
            "weft: the program has not stopped yet: MainThread is in a call that is not Python's, at {}:{at} (naps), and \
             stops when that returns\n",
            file.display()
        );
        assert_eq!(told, wanted);
        gate.write();
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).name.as_str()), ("pause", "naps"));
        client.disconnect();
    }

    /// As long as somebody holds the interpreter's lock nothing can be asked.
    fn who_holds_the_interpreters_lock_is_waited_for(python: &Python) {
        let gate = Fifo::new(&format!("holds-{}", python.interpreter.version));
        let mut client = ready(python, "idle.py", &["holds", gate.path()], &json!({}));
        client.send("pause", json!({"threadId": 1}));
        let told = client.output_with("important", "returns");
        let wanted = "weft: the program has not stopped yet: a call that is not Python's holds the interpreter's lock, and it \
                      stops when that returns\n";
        assert_eq!(told, wanted);
        gate.write();
        assert_eq!(client.stopped().reason, "pause");
        client.disconnect();
    }

    /// While a pause waits for a call to return, the session ends at once.
    fn a_session_ends_while_a_pause_waits(python: &Python) {
        let gate = Fifo::new(&format!("ends-{}", python.interpreter.version));
        let mut client = ready(python, "idle.py", &["naps", gate.path()], &json!({}));
        client.ask("pause", json!({"threadId": 1}));
        let begun = std::time::Instant::now();
        client.disconnect();
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
