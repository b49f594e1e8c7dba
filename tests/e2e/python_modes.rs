//! Programs that do what a debugger would rather do itself, or that do it in a way of their own.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch, Stop, list, on_each_python, packages};

const PACKAGES: &[&str] = &[
    "anyio==4.16.0",
    "attrs==26.1.0",
    "idna==3.20",
    "nest-asyncio==1.6.0",
    "outcome==1.3.0.post0",
    "sniffio==1.3.1",
    "sortedcontainers==2.4.0",
    "trio==0.32.0",
    "typing_extensions==4.16.0",
];

const ONE_TRACER: &str = "up to Python 3.11 a thread has one tracer, so breakpoints and steps do not work in this thread from here on; \
                          Python 3.12 and later can do both";

/// A configuration with a folder of packages to import from.
fn with_packages(python: &Python, folder: PathBuf, more: Value) -> Value {
    let folders: Vec<PathBuf> = python.debugpy.clone().into_iter().chain([folder]).collect();
    let path = std::env::join_paths(folders).expect("folders without colons");
    let mut all = python.with(&more);
    all["env"]["PYTHONPATH"] = json!(path.to_str());
    all
}

/// Launches a script with breakpoints at its markers.
fn launch(client: &mut Client, script: &str, arguments: &[&str], markers: &[&str], more: Value) {
    let breakpoints = markers.iter().map(|marker| (source(script), line(script, marker))).collect();
    client.launch(&source(script), arguments, &Launch { breakpoints, more });
}

/// The same with packages; none where they cannot be had.
fn launch_with(python: &Python, script: &str, markers: &[&str]) -> Option<Client> {
    let folder = packages::folder("loops", PACKAGES)?;
    let mut client = Client::weft();
    launch(&mut client, script, &[], markers, with_packages(python, folder, json!({})));
    Some(client)
}

/// The next stop is at a marker; its top frame's id.
fn at(client: &mut Client, script: &str, marker: &str) -> (Stop, i64) {
    let stop = client.stopped();
    let top = client.top(stop.thread);
    assert_eq!((top.file(), top.line), (script, line(script, marker)), "{stop:?}");
    (stop, top.id)
}

/// Name, state and what it waits for, of each task.
fn rows(body: &Value) -> Vec<(&str, &str, &str)> {
    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }
    list(&body["tasks"])
        .map(|task| (text(&task["name"]), text(&task["state"]), text(&task["waitingOn"]["text"])))
        .collect()
}

fn has_its_own(python: &Python, arguments: &[&str], counts: &str) {
    let mut client = Client::weft();
    let breakpoints = vec![(source("replaced.py"), line("replaced.py", "ready"))];
    let more = python.configuration();
    let seen = |client: &mut Client| {
        client.set_exceptions(&["never-retrieved"], &[]);
    };
    client.launch_configured(&source("replaced.py"), arguments, &Launch { breakpoints, more }, seen);
    let (stop, _) = at(&mut client, "replaced.py", "fails");
    assert_eq!((stop.reason.as_str(), &stop.body["text"]), ("exception", &json!("on purpose")));
    client.resume(stop.thread);
    let (stop, _) = at(&mut client, "replaced.py", "ready");
    let body = client.async_tasks();
    let mut all = rows(&body);
    all.sort_unstable();
    let waits = |name| (name, "waiting", "Event.wait");
    assert_eq!(all, [("Task-1", "running", ""), waits("waits-0"), waits("waits-1"), waits("waits-2")]);
    let created = list(&body["tasks"]).filter(|task| task["spawnedAt"]["line"] == line("replaced.py", "waiting"));
    assert_eq!(created.count(), 3, "{body}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let told = client.output("console");
    let unseen = format!(
        "unseen ended with ValueError: on purpose, and nobody looked; created at {}:{}",
        source("replaced.py").display(),
        line("replaced.py", "unseen")
    );
    assert_eq!(told.matches(&unseen).count(), 1, "{told}");
    assert_eq!(told.matches("LookupError: in a callback").count(), 1, "{told}");
    assert_eq!(client.output("stdout"), format!("{counts}\n"));
}

/// Steps on from a stop, and gives the lines at which the steps end.
fn steps(client: &mut Client, mut stop: Stop, count: usize) -> (Stop, Vec<i64>) {
    let mut lines = Vec::new();
    for _ in 0..count {
        stop = client.step("next", stop.thread);
        lines.push(client.top(stop.thread).line);
    }
    (stop, lines)
}

/// A program whose lines are counted by somebody else stops where it is to, and what was counted is as without weft.
fn is_counted(python: &Python, how: &str) {
    let mut client = Client::weft();
    launch(&mut client, "traced.py", &[how], &["adds", "over"], python.configuration());
    for _ in 0..2 {
        let (stop, top) = at(&mut client, "traced.py", "adds");
        assert_eq!(client.evaluate("number", top).value, "5");
        let (stop, lines) = steps(&mut client, stop, 1);
        assert_eq!(lines, [line("traced.py", "loop")]);
        client.resume(stop.thread);
    }
    let (stop, _) = at(&mut client, "traced.py", "over");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 6\n1 2 3 4 2 3 4 2 5\n");
}

/// Runs a program by `coverage` with one of its cores; `stop` sees to its stops. The lines that were measured.
fn measured(python: &Python, core: &str, stop: impl FnOnce(&mut Client)) -> Option<String> {
    let folder = packages::compiled(python.interpreter.version, "coverage", &["coverage==7.17.3"])?;
    let data = std::env::temp_dir().join(format!(
        "weft-coverage-{}-{core}-{}",
        python.interpreter.version,
        std::process::id()
    ));
    let file = source("covered.py");
    let data_file = format!("--data-file={}", data.display());
    let mut more = with_packages(python, folder.clone(), json!({"module": "coverage", "program": null}));
    more["env"]["COVERAGE_CORE"] = json!(core);
    let mut client = Client::weft();
    let breakpoints = ["adds", "over"].map(|marker| (file.clone(), line("covered.py", marker))).to_vec();
    let include = format!("--include={}", file.display());
    let arguments = ["run", &data_file, &include, file.to_str().expect("UTF-8")];
    client.launch(&file, &arguments, &Launch { breakpoints, more });
    stop(&mut client);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 6\n");
    let code = "import coverage, sys; data = coverage.CoverageData(sys.argv[1]); data.read(); \
                print([sorted(data.lines(file)) for file in data.measured_files()])";
    let mut command = Command::new(&python.interpreter.path);
    let said = command.args(["-c", code]).arg(&data).env("PYTHONPATH", folder).output().expect("Python runs");
    std::fs::remove_file(&data).expect("what was measured was written");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Some(String::from_utf8(said.stdout).expect("text"))
}

/// What `coverage` measures without weft: every line but the one that is never executed.
fn all_lines() -> String {
    let text = std::fs::read_to_string(source("covered.py")).expect("text");
    let code = |line: &str| !line.trim().is_empty() && !line.starts_with('#') && !line.contains("never\"");
    let lines: Vec<usize> = (1..).zip(text.lines()).filter(|(_, line)| code(line)).map(|(at, _)| at).collect();
    format!("[{lines:?}]\n")
}

on_each_python! {
    /// The program's factory makes the tasks and its handler hears of failures, each as often as without weft.
    fn a_factory_and_a_handler_of_the_programs(python: &Python) {
        has_its_own(python, &[], "factory 4, handler 2");
    }

    /// A policy makes loops of a class that calls nothing of asyncio's: what they are told is told all the same, once.
    fn a_policy_and_loops_of_the_programs(python: &Python) {
        has_its_own(python, &["own"], "call_exception_handler 2, create_task 5, policy 1");
    }

    /// Breakpoints, variables and steps work on trio, whose tasks are not seen, which is said.
    fn trio_runs_the_program(python: &Python) {
        let Some(mut client) = launch_with(python, "on_trio.py", &["adds", "total"]) else { return };
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (stop, top) = at(&mut client, "on_trio.py", "adds");
            let body = client.async_tasks();
            assert_eq!((rows(&body), &body["notes"]), (vec![], &json!(["trio runs in this process: its tasks are not seen, only those of asyncio"])));
            seen.push(client.evaluate("number", top).value);
            let (stop, lines) = steps(&mut client, stop, 1);
            assert_eq!(lines, [line("on_trio.py", "added")]);
            client.resume(stop.thread);
        }
        seen.sort();
        assert_eq!(seen, ["0", "1", "2"]);
        let (stop, top) = at(&mut client, "on_trio.py", "total");
        assert_eq!(client.evaluate("total", top).value, "6");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "total 6\n");
    }

    /// Tasks of anyio's on asyncio are asyncio's, with the names that they were given.
    fn anyio_runs_the_program(python: &Python) {
        let Some(mut client) = launch_with(python, "on_anyio.py", &["ready"]) else { return };
        let (stop, _) = at(&mut client, "on_anyio.py", "ready");
        let body = client.async_tasks();
        let live: Vec<_> = rows(&body).into_iter().filter(|row| row.1 != "done").collect();
        let waits = |name| (name, "waiting", "Event.wait");
        assert_eq!(live, [("__main__.main", "running", ""), waits("waits 0"), waits("waits 1")]);
        let waiting = list(&body["tasks"]).find(|task| task["name"] == "waits 1").expect("the task");
        let frames = client.stack(waiting["threadId"].as_i64().expect("a number"));
        let own = frames.iter().find(|frame| frame.name == "waits").expect("its coroutine");
        assert_eq!((own.file(), own.line), ("on_anyio.py", line("on_anyio.py", "waits")));
        assert_eq!(body["notes"], json!([]));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "yes\n");
    }

    /// A loop within a loop: both tasks run, breakpoints stop in the inner one, and the console awaits in either.
    fn nest_asyncio_runs_the_program(python: &Python) {
        let Some(mut client) = launch_with(python, "on_nest.py", &["value", "outer"]) else { return };
        let (stop, top) = at(&mut client, "on_nest.py", "value");
        let body = client.async_tasks();
        let running: Vec<&str> = rows(&body).into_iter().filter(|row| row.1 == "running").map(|row| row.0).collect();
        assert_eq!((running.len(), running[0], rows(&body).len()), (2, "Task-1", 3), "{body}");
        assert!(rows(&body).contains(&("waiting", "waiting", "Event.wait")));
        let names: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
        let order = ["value", "inner", "main"].map(|name| names.iter().position(|frame| frame == name));
        assert!(order.is_sorted() && order[0].is_some(), "{names:?}");
        client.set_breakpoints(&source("on_nest.py"), &[line("on_nest.py", "outer")]);
        let awaits = |client: &mut Client, frame: i64| {
            let asked = json!({"expression": "await value(4)", "frameId": frame, "context": "repl"});
            client.ask("evaluate", asked)["result"].clone()
        };
        assert_eq!(awaits(&mut client, top), "8");
        client.resume(stop.thread);
        let (stop, top) = at(&mut client, "on_nest.py", "outer");
        assert_eq!(client.evaluate("answer", top).value, "42");
        assert_eq!(awaits(&mut client, top), "8");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "answer 42\n");
    }

    /// A trace function of the program's: from 3.12 on both work; before, it is said that only one can.
    fn the_program_traces_itself(python: &Python) {
        if python.interpreter.minor() >= 12 {
            return is_counted(python, "settrace");
        }
        let mut client = Client::weft();
        launch(&mut client, "traced.py", &["settrace"], &["adds", "over"], python.configuration());
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "total 6\n1 2 3 4 2 3 4 2 5\n");
        let sentence = format!("__main__ traces the thread MainThread; {ONE_TRACER}");
        let told: Vec<_> = client.placed_output().into_iter().filter(|(text, ..)| text.contains("tracer")).collect();
        assert_eq!(told, [(format!("{sentence}\n"), "traced.py".to_owned(), line("traced.py", "settrace"))]);
        assert_eq!(client.output("stderr"), "");
    }

    /// Another tool of `sys.monitoring`.
    fn the_program_monitors_itself(python: &Python) {
        if python.interpreter.minor() >= 12 {
            is_counted(python, "monitor");
        }
    }

    /// `coverage` measures what it would measure, by each of its cores, and breakpoints and steps work where they can.
    fn coverage_measures_the_program(python: &Python) {
        if python.interpreter.minor() < 12 {
            let told = |client: &mut Client| {
                client.output_with("console", &format!("coverage traces the thread MainThread; {ONE_TRACER}"));
            };
            let Some(lines) = measured(python, "ctrace", told) else { return };
            assert_eq!(lines, all_lines());
            return;
        }
        for core in ["ctrace", "sysmon"] {
            let stops = |client: &mut Client| {
                for _ in 0..2 {
                    let (stop, _) = at(client, "covered.py", "adds");
                    let (stop, lines) = steps(client, stop, 1);
                    assert_eq!(lines, [line("covered.py", "adds") - 2]);
                    client.resume(stop.thread);
                }
                let (stop, top) = at(client, "covered.py", "over");
                assert_eq!(client.evaluate("total", top).value, "6");
                client.resume(stop.thread);
            };
            let Some(lines) = measured(python, core, stops) else { return };
            assert_eq!(lines, all_lines(), "{core}");
        }
    }

    /// An interpreter beside the main one, which runs asyncio as well: nothing of it is touched, and that it is not seen is said.
    fn another_interpreter_is_in_the_process(python: &Python) {
        // Those of 3.13 are no public interface, and a debugged program with one may crash.
        if python.interpreter.minor() < 14 {
            return;
        }
        let mut client = Client::weft();
        launch(&mut client, "interpreters.py", &[], &["ready", "over"], python.configuration());
        let (stop, _) = at(&mut client, "interpreters.py", "ready");
        for _ in 0..5 {
            let body = client.async_tasks();
            assert_eq!(rows(&body), [("Task-1", "running", ""), ("waiting", "waiting", "Event.wait")]);
            assert_eq!(body["notes"], json!(["other interpreters run in this process: their tasks are not seen"]));
        }
        let (stop, lines) = steps(&mut client, stop, 1);
        assert_eq!(lines, [line("interpreters.py", "ready") + 1]);
        client.resume(stop.thread);
        let (stop, _) = at(&mut client, "interpreters.py", "over");
        assert_eq!(client.async_tasks()["notes"], json!([]));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "over 1\n");
        assert_eq!(client.output("stderr"), "");
    }

    /// Tasks that wait for themselves, each alone or in a ring, are found as what they are, and their trees have an end.
    fn tasks_that_wait_for_themselves(python: &Python) {
        let mut client = Client::weft();
        launch(&mut client, "circles.py", &[], &["ready"], python.configuration());
        let (stop, _) = at(&mut client, "circles.py", "ready");
        let body = client.async_tasks();
        let id = |name: &str| list(&body["tasks"]).find(|task| task["name"] == name).expect("the task")["id"].as_i64().expect("a number");
        let circle = |problem: &Value| {
            assert_eq!(problem["kind"], "deadlock");
            let mut ids: Vec<i64> = list(&problem["tasks"]).filter_map(Value::as_i64).collect();
            ids.sort_unstable();
            ids
        };
        let found: Vec<Vec<i64>> = list(&body["problems"]).map(circle).collect();
        let ring: Vec<i64> = (0..500).map(|number| id(&format!("ring-{number}"))).collect();
        let mut wanted = vec![vec![id("alone")], vec![id("shielded")], vec![id("a"), id("b"), id("c")], ring];
        let mut sorted = found.clone();
        sorted.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(sorted, wanted);
        for (name, most) in [("alone", 40), ("shielded", 40), ("a", 40), ("outside", 40), ("by hand", 10), ("ring-0", 2000)] {
            let frames = json!(client.async_stack(id(name)));
            assert!((2..most).contains(&count(&frames)), "{name}: {}", count(&frames));
        }
        let shown = client.stack(id("ring-0") + (1 << 30));
        assert_eq!((shown[0].name.as_str(), shown[0].line), ("gathers", line("circles.py", "gathers")));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "ready\n");
    }
}

/// The frames of a tree.
fn count(frames: &Value) -> usize {
    list(frames).map(|frame| 1 + count(&frame["children"])).sum()
}
