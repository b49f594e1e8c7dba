//! Sessions with Python programs that are only looked at (`asyncOnly`).

use std::process::Command;

use serde_json::{Value, json};
use weft_tests::python::{Interpreter, interpreter, line, source};
use weft_tests::{Adapter, Client, list, process, weft_command};

fn start(python: &Interpreter, script: &str, arguments: &[&str]) -> process::Guarded {
    let file = source(script);
    let arguments: Vec<&str> = [file.to_str().expect("UTF-8")].into_iter().chain(arguments.iter().copied()).collect();
    let mut program = process::Guarded::start(&python.path, &arguments, &[]);
    program.wait_for("ready");
    process::wait_asleep(program.pid());
    program
}

fn attach(pid: i32) -> Client {
    let mut client = Client::weft();
    client.attach_as(json!({"processId": pid, "asyncOnly": true}));
    client
}

fn task<'a>(body: &'a Value, name: &str) -> &'a Value {
    list(&body["tasks"]).find(|task| task["name"] == name).expect("a task of that name")
}

#[test]
fn tasks_and_stacks_of_a_program_that_runs_on() {
    for python in ["3.14", "3.15"].into_iter().filter_map(interpreter) {
        let mut program = start(&python, "chains.py", &[]);
        let mut client = attach(program.pid());
        assert_eq!(process::tracer(program.pid()), Some(0), "nobody holds it");
        let body = client.ask("asyncTasks", json!({}));
        assert_eq!(body["total"], 95);
        let names = |client: &mut Client, body: &Value, name: &str| -> Vec<String> {
            let mut frames = client.ask("asyncStack", json!({"task": task(body, name)["id"]}))["frames"].clone();
            let mut found = Vec::new();
            while let Some(frame) = frames.get(0).cloned() {
                found.push(frame["name"].as_str().expect("a name").to_owned());
                frames = frame["children"].clone();
            }
            found
        };
        assert_eq!(names(&mut client, &body, "grouped 2"), ["loops_over", "numbers", "leaf", "Event.wait"]);
        let stack = client.ask("asyncStack", json!({"task": task(&body, "grouped 2")["id"]}));
        let boundary = &stack["frames"][1];
        assert_eq!((&boundary["kind"], &boundary["children"][0]["name"]), (&json!("boundary"), &json!("groups")));
        let rows = client.stack(task(&body, "grouped 2")["threadId"].as_i64().expect("a number"));
        let rows: Vec<(&str, i64)> = rows.iter().map(|row| (row.name.as_str(), row.line)).collect();
        assert_eq!(rows[1..3], [("leaf", line("chains.py", "leaf")), ("numbers", line("chains.py", "numbers"))]);
        let awaited_by = format!("awaited by task {} ", boundary["task"]);
        assert!(rows[4].0.starts_with(&awaited_by), "{rows:?}");
        assert_eq!(rows.last(), Some(&("groups", line("chains.py", "groups"))));
        // Whoever looks again sees the same tasks, by the same numbers.
        let again = client.ask("asyncTasks", json!({}));
        assert_eq!(again["tasks"], body["tasks"]);
        assert!(again["generation"].as_u64() > body["generation"].as_u64());
        assert_eq!(names(&mut client, &again, "deep").len(), 52);
        client.ask("disconnect", json!({}));
        assert!(process::lives(program.pid()));
        program.close_input();
        assert!(program.ended().success());
    }
}

#[test]
fn whatever_would_move_it_is_refused() {
    let Some(python) = interpreter("3.14") else { return };
    let program = start(&python, "holds.py", &["lock"]);
    let mut client = attach(program.pid());
    let pid = program.pid();
    let body = client.ask("asyncTasks", json!({}));
    assert_eq!(task(&body, "holder")["osThread"], pid);
    let rows: Vec<String> = client.stack(i64::from(pid)).into_iter().map(|row| row.name).collect();
    let label = format!("task {} holder", task(&body, "holder")["id"]);
    assert_eq!(rows[..4], ["keeps_the_lock", "inner", "outer", &label]);
    for (request, arguments) in [
        ("pause", json!({"threadId": pid})),
        ("continue", json!({"threadId": pid})),
        ("next", json!({"threadId": pid})),
        ("stepIn", json!({"threadId": pid})),
        ("stepOut", json!({"threadId": pid})),
        ("evaluate", json!({"expression": "1 + 1"})),
        ("asyncFocusTask", json!({"task": 1})),
    ] {
        let refused = client.refused(request, arguments);
        assert!(refused.message.contains("only looks at this program"), "{request}: {}", refused.message);
        assert!(refused.message.contains("without `asyncOnly`"), "{request}");
    }
    let set = client.set_breakpoints(&source("holds.py"), &[line("holds.py", "in C")]);
    assert!(!set[0].verified && set[0].message.contains("only looks"), "{set:?}");
    assert_eq!(client.threads().into_iter().map(|thread| thread.0).collect::<Vec<_>>(), [i64::from(pid)]);
    drop(program);
    client.event("terminated");
}

#[test]
fn what_cannot_be_looked_at_is_told() {
    let cannot = |arguments: Value, sentence: &str| {
        let mut client = Client::weft();
        client.initialize();
        let failure = client.cannot_start("attach", arguments);
        assert!(failure.message.contains(sentence), "{}", failure.message);
    };
    if let Some(python) = interpreter("3.13") {
        let program = start(&python, "throng.py", &["3"]);
        cannot(json!({"processId": program.pid(), "asyncOnly": true}), "it runs Python 3.13.");
    }
    let mut sleeps = process::Guarded::start("/bin/cat".as_ref(), &[], &[]);
    sleeps.say("x");
    cannot(json!({"processId": sleeps.pid(), "asyncOnly": true}), "is no CPython");
    cannot(json!({"connect": {"host": "127.0.0.1", "port": 1}, "asyncOnly": true}), "give its number as `processId`");
}

/// What is forbidden is told with what helps: to look from the command line, in a session, and to debug.
#[test]
fn what_may_not_be_traced_is_told_with_the_remedy() {
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "cat"];
    let without_rights = ["--bounding-set=-all", "--inh-caps=-all"];
    // Only root can become somebody else.
    let able = Command::new("setpriv").args(&nobody[..5]).arg("true").output();
    if !able.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: setpriv cannot be used here");
    }
    let program = process::Guarded::start("setpriv".as_ref(), &nobody, &[]);
    let pid = program.pid();
    let is_told = |said: &str| {
        assert!(said.contains(&format!("process {pid} may not be traced: ")) && said.contains("SYS_PTRACE"), "{said}");
    };
    let weft = weft_command(&[]).get_program().to_str().expect("UTF-8").to_owned();
    let looked =
        Command::new("setpriv").args(without_rights).args([&weft, "tasks", "--pid", &pid.to_string()]).output();
    let looked = looked.expect("setpriv runs");
    assert_eq!(looked.status.code(), Some(1));
    is_told(&String::from_utf8_lossy(&looked.stderr));
    for only in [true, false] {
        let arguments = without_rights.iter().map(ToString::to_string).chain([weft.clone(), "dap".to_owned()]);
        let mut client = Client::start(&Adapter::Other("setpriv".into(), arguments.collect()), true);
        client.initialize();
        let asked = json!({"runtime": "python", "processId": pid, "asyncOnly": only});
        is_told(&client.cannot_start("attach", asked).message);
    }
}
