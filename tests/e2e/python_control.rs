//! Python programs under control: breakpoints with terms, exceptions, pauses, tasks, ends; and programs that run already.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::python::{line, source};
use weft_tests::{Client, DEADLINE, Launch, list, on_each_python};

/// Where a debugpy's own adapter listens for clients, as it writes into a file as soon as it does.
fn port_of(endpoints: &Path, program: &mut Child) -> u16 {
    let until = Instant::now() + DEADLINE;
    loop {
        let text = fs::read_to_string(endpoints).unwrap_or_default();
        // It may be half written.
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(port) = told["client"]["port"].as_u64() {
            return u16::try_from(port).expect("a port");
        }
        assert!(program.try_wait().expect("a child").is_none(), "the program has ended");
        assert!(Instant::now() < until, "no debugpy listens");
        thread::sleep(Duration::from_millis(10));
    }
}

on_each_python! {
    /// A child of a `gather` stops: its stack goes on with its parent; the other child is seen waiting, with its own stack.
    fn tasks_are_shown_with_who_awaits_them(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "family.py", &["writes"]);
        let stop = client.stopped();
        let tasks = client.async_tasks();
        let told = |task: &Value| {
            let waiting = task["waitingOn"]["kind"].as_str().unwrap_or("-").to_owned();
            (task["name"].as_str().unwrap_or("").to_owned(), task["state"].as_str().unwrap_or("").to_owned(), waiting)
        };
        let mut seen: Vec<_> = list(&tasks["tasks"]).map(told).collect();
        seen.sort();
        let row = |name: &str, state: &str, waiting: &str| (name.to_owned(), state.to_owned(), waiting.to_owned());
        let expected =
            [row("Task-1", "waiting", "group"), row("reader", "waiting", "notify"), row("writer", "running", "-")];
        assert_eq!(seen, expected);
        let number = |name: &str| {
            let task = list(&tasks["tasks"]).find(|task| task["name"] == name).expect("a task of that name");
            (task["id"].as_i64().unwrap_or(0), task["threadId"].as_i64().unwrap_or(0))
        };
        let names = |client: &mut Client, thread| -> Vec<(String, i64)> {
            client.stack(thread).into_iter().map(|frame| (frame.name, frame.line)).take(4).collect()
        };
        let at = |marker| line("family.py", marker);
        let ((writer, _), (reader, reading), (parent, _)) = (number("writer"), number("reader"), number("Task-1"));
        let label = |text: String| (text, 0);
        let mine = names(&mut client, stop.thread);
        let expected = [
            ("writer".to_owned(), at("writes")),
            label(format!("task {writer} writer")),
            label(format!("awaited by task {parent} Task-1")),
            ("parent".to_owned(), at("gathers")),
        ];
        assert_eq!(mine, expected);
        let theirs = client.stack(reading);
        let position = |name: &str| theirs.iter().position(|frame| frame.name == name);
        let (own, label) = (position("reader"), position(&format!("awaited by task {parent} Task-1")));
        assert!(own.is_some() && own < label, "task {reader}: {theirs:?}");
        assert_eq!(theirs[own.unwrap_or(0)].line, at("waits"));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "['read', 7]\n");
    }

    fn breakpoints_have_conditions_hits_and_logs(python: &Python) {
        let mut client = Client::weft();
        let file = source("ticks.py");
        let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
        let mut set = Value::Null;
        client.launch_configured(&file, &[], &launch, |client| {
            let breakpoints = json!([
                {"line": line("ticks.py", "tick"), "condition": "count == 20"},
                {"line": line("ticks.py", "counted"), "hitCondition": "30", "logMessage": null},
            ]);
            set = client.ask("setBreakpoints", json!({"source": {"path": file}, "breakpoints": breakpoints}));
        });
        let stop = client.stopped();
        assert_eq!(stop.hit, [set["breakpoints"][0]["id"].as_i64().unwrap_or(0)]);
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("count", top.id).value, "20");
        let stop = client.resume_to_stop(stop.thread);
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), client.evaluate("count", top.id).value.as_str()), ("main", "30"));
        client.disconnect();
    }

    fn an_uncaught_exception_stops_where_it_was_raised(python: &Python) {
        let mut client = Client::weft();
        let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
        client.launch_configured(&source("ticks.py"), &["fail"], &launch, |client| {
            client.ask("setExceptionBreakpoints", json!({"filters": ["uncaught"]}));
        });
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), stop.body["text"].as_str()), ("exception", Some("division by zero")));
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), ("divide", line("ticks.py", "divide")));
        let info = client.ask("exceptionInfo", json!({"threadId": stop.thread}));
        assert_eq!((&info["exceptionId"], &info["breakMode"]), (&json!("ZeroDivisionError"), &json!("unhandled")));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 1);
    }

    fn a_program_is_paused_and_told_to_end(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "ticks.py", &[]);
        client.output_with("stdout", "ready");
        let stop = client.pause();
        assert!(client.threads().iter().any(|(id, _)| *id == stop.thread));
        let frames = client.stack(stop.thread);
        assert!(frames.iter().any(|frame| frame.name == "<module>"), "{frames:?}");
        client.ask("terminate", Value::Null);
        assert_eq!(client.exited(), 128 + 2, "as by Ctrl+C: it has no handler for SIGTERM");
    }

    fn entry_stops_on_the_first_line(python: &Python) {
        let mut client = Client::weft();
        let more = python.with(&json!({"stopOnEntry": true}));
        client.launch(&source("ticks.py"), &[], &Launch { breakpoints: Vec::new(), more });
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("entry", 1));
        client.disconnect();
    }

    fn without_debugging_a_program_just_runs(python: &Python) {
        let mut client = Client::weft();
        let more = python.with(&json!({"noDebug": true}));
        client.launch(&source("chain.py"), &[], &Launch { breakpoints: Vec::new(), more });
        assert_eq!(client.exited(), 3);
        assert_eq!(client.output("stdout"), "hello 43\n");
    }

    /// A program that listens is attached to, stops, and runs on when the session is over.
    fn a_program_that_listens_is_attached_to(python: &Python) {
        let folder = tempfile::tempdir().expect("a folder");
        let endpoints = folder.path().join("endpoints.json");
        let mut command = python.command();
        command.env("DEBUGPY_ADAPTER_ENDPOINTS", &endpoints);
        command.args(["-m", "debugpy", "--listen", "127.0.0.1:0", "--wait-for-client"]);
        command.arg(source("ticks.py")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = command.spawn().expect("Python runs");
        let mut lines = BufReader::new(program.stdout.take().expect("stdout is piped")).lines();
        let mut client = Client::weft();
        client.initialize();
        let port = port_of(&endpoints, &mut program);
        let configuration = json!({"runtime": "python", "connect": {"host": "127.0.0.1", "port": port}});
        let attach = client.send("attach", configuration);
        client.event("initialized");
        let set = client.set_breakpoints(&source("ticks.py"), &[line("ticks.py", "counted")]);
        client.ask("configurationDone", json!({}));
        client.answer(attach).expect("it is attached to");
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0].id]);
        assert_eq!(client.top(stop.thread).name, "main");
        client.ask("disconnect", json!({}));
        let last = lines.by_ref().map_while(Result::ok).last();
        assert_eq!(last.as_deref(), Some("counted 5000"));
        assert!(program.wait().expect("it ends").success());
    }
}
