//! `weft tasks` on Python programs, into which nothing is put.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use weft_tests::programs::{line, source};
use weft_tests::python::{self, Interpreter};
use weft_tests::{list, process, schema, weft_command};

fn tasks(pid: i32, options: &[&str]) -> Output {
    let pid = pid.to_string();
    let arguments: Vec<&str> = ["tasks", "--pid", &pid].into_iter().chain(options.iter().copied()).collect();
    weft_command(&arguments).output().expect("weft runs")
}

fn body(pid: i32) -> Value {
    let output = tasks(pid, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let body: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(schema::check_tasks(&body), Ok(()));
    assert!(
        list(&body["notes"]).any(|note| note.as_str().is_some_and(|note| note.starts_with("stopped for "))),
        "{body}"
    );
    body
}

fn start(python: &Interpreter, name: &str, arguments: &[&str]) -> process::Guarded {
    let file = source(&format!("python/{name}"));
    let arguments: Vec<&str> = [file.to_str().expect("UTF-8")].into_iter().chain(arguments.iter().copied()).collect();
    let mut program = process::Guarded::start(&python.path, &arguments, &[]);
    program.wait_for("ready");
    program
}

fn interpreters() -> Vec<Interpreter> {
    ["3.14", "3.15"].into_iter().filter_map(python::interpreter).collect()
}

#[test]
fn a_tree_of_tasks() {
    for python in interpreters() {
        let program = start(&python, "holds.py", &["lock"]);
        process::wait_asleep(program.pid());
        let output = tasks(program.pid(), &[]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        let pid = program.pid();
        let expected = [
            "asyncio, 3 tasks, 1 thread".to_owned(),
            format!("   1 Task-1 waiting: TaskGroup at holds.py:{}", line("python/holds.py", "main")),
            format!("     2 sleeper waiting: sleep at holds.py:{}", line("python/holds.py", "sleeps")),
            format!("     3 holder running on thread {pid} at holds.py:{}", line("python/holds.py", "in C")),
        ];
        assert_eq!(lines.get(..4).map(<[&str]>::to_vec), Some(expected.iter().map(String::as_str).collect()), "{text}");
        assert!(lines[4].starts_with("note: stopped for ") && lines.len() == 5, "{text}");
    }
}

#[test]
fn one_that_computes_or_stands() {
    for python in interpreters() {
        let program = start(&python, "holds.py", &["loop"]);
        let pid = program.pid();
        let running = |body: &Value| {
            let holder =
                list(&body["tasks"]).find(|task| task["name"] == "holder").expect("the task that runs").clone();
            assert_eq!((&holder["state"], &holder["osThread"]), (&json!("running"), &json!(pid)));
            assert_eq!(holder["frames"], 3, "two coroutines and a function");
            assert!(holder["location"]["source"]["path"].as_str().is_some_and(|path| path.ends_with("holds.py")));
        };
        running(&body(pid));
        // SAFETY: kill takes two numbers.
        unsafe { libc::kill(pid, libc::SIGSTOP) };
        process::wait_state(pid, 'T');
        running(&body(pid));
        assert_eq!(process::tracer(pid), Some(0));
        // Who lets it go wakes it, and it stands again as soon as it has a processor.
        process::wait_state(pid, 'T');
    }
}

#[test]
fn ten_thousand_tasks_of_python() {
    for python in interpreters() {
        let mut program = start(&python, "throng.py", &["10000"]);
        process::wait_asleep(program.pid());
        let body = body(program.pid());
        assert_eq!(body["total"], 10_001);
        let waiting = |task: &&Value| task["waitingOn"]["text"] == "Event.wait" && task["frames"] == 4;
        assert_eq!(list(&body["tasks"]).filter(waiting).count(), 10_000);
        assert_eq!(process::tracer(program.pid()), Some(0));
        program.say("how many?\n");
        assert_eq!(program.wait_for("tasks"), "tasks 10000\n");
        program.close_input();
        assert_eq!(program.wait_for("sum"), "sum 49995000\n");
        assert!(program.ended().success());
    }
}

#[test]
fn a_python_that_does_not_describe_itself() {
    for version in ["3.10", "3.11", "3.12", "3.13"] {
        let Some(python) = python::interpreter(version) else { continue };
        let program = start(&python, "throng.py", &["3"]);
        let output = tasks(program.pid(), &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let begin = format!("weft: the tasks of process {} cannot be read: it runs Python {version}", program.pid());
        assert!(
            said.starts_with(&begin) && said.contains("Python 3.14 and later") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn a_python_without_asyncio() {
    let Some(python) = python::interpreter("3.14") else { return };
    let code = "import sys; print('ready', flush=True); sys.stdin.read()";
    let mut program = process::Guarded::start(&python.path, &["-c", code], &[]);
    program.wait_for("ready");
    let body = body(program.pid());
    assert_eq!((&body["total"], &body["runtimes"]), (&json!(0), &json!([])));
    assert_eq!(body["notes"][0], "asyncio is not loaded in this process");
}

#[test]
fn watching_until_it_ends() {
    let Some(python) = python::interpreter("3.14") else { return };
    // Looked at without a pause, a process is found at every point of its end.
    for pause in ["0.05", "0.001", "0.001", "0.001", "0.001"] {
        let mut program = start(&python, "throng.py", &["3"]);
        let mut weft = weft_command(&["tasks", "--pid", &program.pid().to_string(), "--watch", pause]);
        let mut watch = weft.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft runs");
        let mut said = BufReader::new(watch.stdout.take().expect("stdout is piped"));
        let mut first = String::new();
        said.read_line(&mut first).expect("text");
        assert_eq!(first, "asyncio, 4 tasks, 1 thread\n");
        program.close_input();
        assert!(program.ended().success());
        std::io::copy(&mut said, &mut std::io::sink()).expect("text");
        let ended = watch.wait_with_output().expect("weft ends");
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    }
}
