//! Programs that do not run any more: core files say the same as the program did.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program};
use weft_tests::{Client, process, weft_command};

/// A program that stands (by SIGSTOP), and a picture of it by `gcore`.
struct Pictured {
    running: process::Guarded,
    folder: tempfile::TempDir,
}

impl Pictured {
    fn new(name: &str, args: &[&str]) -> Self {
        let mut running = process::Guarded::start(&program(name, Profile::Debug), args, &[]);
        running.wait_for("ready");
        process::wait_asleep(running.pid());
        let pid = running.pid();
        // SAFETY: takes numbers; the process is a child of ours.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGSTOP) }, 0);
        while process::state(pid) != Some('T') {
            std::thread::yield_now();
        }
        let folder = tempfile::tempdir().expect("a folder");
        let prefix = folder.path().join("core");
        let written =
            Command::new("gcore").arg("-o").arg(prefix).arg(pid.to_string()).output().expect("gdb is installed");
        assert!(written.status.success(), "{written:?}");
        Self { running, folder }
    }

    fn core(&self) -> PathBuf {
        self.folder.path().join(format!("core.{}", self.running.pid()))
    }
}

fn tasks(args: &[&str]) -> Value {
    let output = weft_command(&["tasks"]).args(args).arg("--json").output().expect("weft runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut body: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    body["notes"] = json!([]);
    body
}

/// A frame: its name, its line, its variables with their values.
type Shown = (String, i64, Vec<(String, String)>);

/// Names, lines and locals of every frame of a stack that has a line.
fn picture(client: &mut Client, thread: i64) -> Vec<Shown> {
    let frames = client.stack(thread);
    let mut all = Vec::new();
    for frame in frames {
        let mut locals = Vec::new();
        if frame.name.starts_with("spawner::") {
            let scopes = client.ask("scopes", json!({"frameId": frame.id}));
            for scope in scopes["scopes"].as_array().into_iter().flatten().filter(|scope| scope["name"] != "Registers")
            {
                let body = client.ask("variables", json!({"variablesReference": scope["variablesReference"]}));
                let list = body["variables"].as_array().into_iter().flatten();
                locals.extend(list.map(|one| {
                    let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
                    (word("name"), word("value"))
                }));
            }
        }
        all.push((frame.name.clone(), frame.line, locals));
    }
    all
}

#[test]
fn a_core_file_says_what_the_program_did() {
    let pictured = Pictured::new("spawner", &["3"]);
    let (pid, core) = (pictured.running.pid(), pictured.core());
    let core = core.to_str().expect("a plain path");
    let live = tasks(&["--pid", &pid.to_string()]);
    assert_eq!(live["total"], json!(4));
    assert_eq!(tasks(&["--core", core]), live);

    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("attach", json!({"coreFile": core}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()));
    let stop = client.stopped();
    assert_eq!(stop.reason, "exception");
    let listed = client.ask("asyncTasks", json!({}));
    let suspended = listed["tasks"].as_array().expect("tasks")[1]["threadId"].as_i64().expect("a number");
    let dead: Vec<_> = [i64::from(pid), suspended].into_iter().map(|thread| picture(&mut client, thread)).collect();
    for (command, arguments) in [
        ("continue", json!({"threadId": pid})),
        ("next", json!({"threadId": pid})),
        ("stepIn", json!({"threadId": pid})),
    ] {
        let failure = client.refused(command, arguments);
        assert!(failure.message.contains("core file"), "{failure:?}");
    }
    // A picture is taken of a program that lives; that, too, is an answer.
    let info = client.ask("exceptionInfo", json!({"threadId": pid}));
    assert!(info["description"].as_str().is_some_and(|text| text.contains("core file was written")), "{info}");
    client.ask("terminate", json!({}));
    client.event("terminated");
    client.ask("disconnect", json!({}));

    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("attach", json!({"pid": pid, "stopOnEntry": true}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()));
    client.stopped();
    let listed = client.ask("asyncTasks", json!({}));
    let suspended = listed["tasks"].as_array().expect("tasks")[1]["threadId"].as_i64().expect("a number");
    let live: Vec<_> = [i64::from(pid), suspended].into_iter().map(|thread| picture(&mut client, thread)).collect();
    client.ask("disconnect", json!({}));
    assert_eq!(dead, live);
    let waits = line("spawner/src/main.rs", "in wait");
    assert!(dead[1].iter().any(|(_, line, locals)| *line == waits && !locals.is_empty()), "{:?}", dead[1]);
}

/// What a core file cannot know is left out: the time, and with it what is left of it, and the other ends of sockets.
fn without_the_moment(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("remainingMs");
            fields.remove("peer");
            fields.values_mut().for_each(without_the_moment);
        }
        Value::Array(items) => items.iter_mut().for_each(without_the_moment),
        Value::String(text) => {
            let parts = text.split(", ").map(|part| part.split("; timeout in ").next().unwrap_or(part));
            let is_known =
                |part: &&str| !part.ends_with(" left") && !part.starts_with("peer ") && !part.starts_with("on ");
            let kept: Vec<&str> = parts.filter(is_known).collect();
            *text = kept.join(", ");
        }
        _ => {}
    }
}

#[test]
fn a_core_file_has_every_kind_of_task() {
    for (name, args, count) in [("tasks_zoo", &[][..], 26), ("waits_zoo", &[], 84), ("throng", &["200"], 201)] {
        let pictured = Pictured::new(name, args);
        let (pid, core) = (pictured.running.pid().to_string(), pictured.core());
        let (mut live, mut dead) = (tasks(&["--pid", &pid]), tasks(&["--core", core.to_str().expect("a plain path")]));
        without_the_moment(&mut live);
        without_the_moment(&mut dead);
        assert_eq!(live["tasks"].as_array().map(Vec::len), Some(count), "{name}");
        assert_eq!(dead, live, "{name}");
    }
}

#[test]
fn what_is_no_core_file_is_told_in_one_sentence() {
    for (file, expected) in [("/no/such/core", "cannot be read"), ("/etc/passwd", "not a core file")] {
        let output = weft_command(&["tasks", "--core", file]).output().expect("weft runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
        assert!(told.contains(expected) && told.contains(file), "{told}");
    }
    let pictured = Pictured::new("spawner", &["3"]);
    let (core, other) = (pictured.core(), program("ends", Profile::Debug));
    let output = weft_command(&["tasks", "--core"]).arg(core).arg("--exe").arg(&other).output();
    let told = String::from_utf8_lossy(&output.expect("weft runs").stderr).into_owned();
    assert!(told.contains("build-ids differ") && told.contains(other.to_str().expect("plain")), "{told}");
}
