//! What is wrong is told in one sentence, and the session goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::programs::{self, Profile, line, program, source};
use weft_tests::{Client, Failure};

/// One sentence: something, on one line, naming what it is about.
fn assert_sentence(failure: &Failure, about: &str) {
    assert!(!failure.message.contains('\n') && failure.message.contains(about), "about {about}: {failure:?}");
    assert!(failure.message.len() < 400, "{failure:?}");
}

/// Launches what cannot be launched, then what can, in one session.
fn refused_launch(configuration: Value) -> Failure {
    let mut client = Client::weft();
    client.initialize();
    let failure = client.cannot_start("launch", configuration);
    let seq = client.send("launch", json!({"program": program("ends", Profile::Debug), "args": ["exit", "6"]}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()), "after {failure:?}");
    assert_eq!(client.exited(), 6);
    failure
}

fn executable(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    programs::executable(&path, bytes);
    path
}

/// The header of an ELF file with this class (1: 32 bits, 2: 64) and machine.
fn elf(class: u8, machine: u16) -> Vec<u8> {
    let mut header = vec![0; 4096];
    header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    header[16..18].copy_from_slice(&2_u16.to_le_bytes());
    header[18..20].copy_from_slice(&machine.to_le_bytes());
    header[20..24].copy_from_slice(&1_u32.to_le_bytes());
    header
}

#[test]
fn a_program_that_does_not_exist() {
    let failure = refused_launch(json!({"program": "/no/such/program"}));
    assert_eq!(failure.id, 1203, "{failure:?}");
    assert_sentence(&failure, "/no/such/program");
}

#[test]
fn a_folder() {
    let failure = refused_launch(json!({"program": "/tmp"}));
    assert_sentence(&failure, "/tmp");
}

#[test]
fn a_file_that_is_no_program() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in
        [("text", &b"#!/bin/sh\nexit 0\n"[..]), ("empty", b""), ("short", b"\x7fELF"), ("noise", &[0xa5; 5_000])]
    {
        let path = executable(folder.path(), name, bytes);
        let failure = refused_launch(json!({"program": path}));
        assert_eq!(failure.id, 1204, "{name}: {failure:?}");
        assert_sentence(&failure, name);
    }
}

#[test]
fn a_program_for_another_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, class, machine, word) in [("arm", 2, 183, "aarch64"), ("riscv", 2, 243, "riscv"), ("old", 1, 3, "i386")]
    {
        let path = executable(folder.path(), name, &elf(class, machine));
        let failure = refused_launch(json!({"program": path}));
        assert_eq!(failure.id, 1204, "{name}: {failure:?}");
        assert_sentence(&failure, name);
        assert!(failure.message.to_lowercase().contains(word), "says which machine: {failure:?}");
    }
}

#[test]
fn a_program_without_the_right_to_run_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plain");
    fs::copy(program("ends", Profile::Debug), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("not executable");
    let failure = refused_launch(json!({"program": path}));
    assert_eq!(failure.id, 1204, "{failure:?}");
    assert_sentence(&failure, "chmod +x");
}

/// It can be run, and says why nothing is seen of it.
#[test]
fn a_program_without_debug_information() {
    let folder = tempfile::tempdir().expect("a folder");
    let stripped = folder.path().join("stripped");
    let done = Command::new("strip").arg("-o").arg(&stripped).arg(program("spawner", Profile::Debug)).status();
    assert!(done.expect("strip is there").success());
    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("launch", json!({"program": stripped, "args": ["3"]}));
    client.event("initialized");
    let set = client.set_breakpoints(&source("spawner/src/main.rs"), &[line("spawner/src/main.rs", "ready")]);
    assert!(!set[0].verified && set[0].message.contains("debug info"), "{set:?}");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()));
    client.output_with("stdout", "ready 3");
    let stop = client.pause();
    assert!(!client.stack(stop.thread).is_empty());
    let tasks = client.async_tasks();
    assert_eq!(tasks["tasks"], json!([]));
    let notes: Vec<&str> = weft_tests::list(&tasks["notes"]).filter_map(Value::as_str).collect();
    assert!(notes.iter().any(|note| note.contains("debug info")), "{notes:?}");
    client.disconnect();
}

#[test]
fn attributes_of_the_other_kind_of_program_are_refused_by_name() {
    let program = program("ends", Profile::Debug);
    let failure = refused_launch(json!({"program": program, "args": ["exit", "0"], "justMyCode": true}));
    assert_eq!(failure.id, 1201, "{failure:?}");
    assert_sentence(&failure, "justMyCode");
}

#[test]
fn attributes_of_a_wrong_form_are_named() {
    for (name, value) in [("args", json!("one")), ("env", json!({"A": ["one"]})), ("cwd", json!("/no/such/folder"))] {
        let mut configuration = json!({"program": program("ends", Profile::Debug)});
        configuration[name] = value;
        let failure = refused_launch(configuration);
        assert_sentence(&failure, if name == "cwd" { "/no/such/folder" } else { name });
    }
}

// Malformed protocol.

/// Sends bytes that are not DAP, then a request that must be served.
fn survives(bytes: &[u8]) -> Client {
    let mut client = Client::weft();
    client.send_raw(bytes);
    let capabilities = client.initialize();
    assert_eq!(capabilities["supportsAsyncTasks"], json!(true));
    client
}

fn raw(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn bad_headers_are_told_and_passed_over() {
    for bytes in [
        &b"Content-Length: abc\r\n\r\n"[..],
        b"Content-Length: -5\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Length: 999999999999\r\n\r\n{}",
        b"X-Other: 1\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"hello there\r\n\r\n",
        b"{\"seq\":1,\"type\":\"request\",\"command\":\"threads\"}",
        b"\0\xff\xfe\r\n",
    ] {
        let mut client = survives(bytes);
        assert_ne!(client.output("console") + &client.output("stderr") + &client.output("important"), "", "{bytes:?}");
    }
}

#[test]
fn bad_bodies_are_told_and_passed_over() {
    for body in
        ["{", "[]", "null", "\"text\"", "{\"type\":\"request\"}", "\u{1}", "{\"seq\":\"one\",\"type\":\"request\"}"]
    {
        let mut client = survives(&raw(body));
        assert_ne!(client.output("console") + &client.output("stderr") + &client.output("important"), "", "{body:?}");
    }
}

#[test]
fn a_request_whose_number_can_be_read_is_answered() {
    let mut client = Client::weft();
    client.initialize();
    for (rest, id) in [
        ("\"type\":\"request\",\"command\":\"noSuchCommand\"", 1002),
        ("\"type\":\"request\",\"command\":\"setBreakpoints\",\"arguments\":{\"source\":7}", 1003),
        ("\"type\":\"request\",\"command\":\"stackTrace\",\"arguments\":[]", 1003),
        ("\"type\":\"request\",\"command\":\"stackTrace\",\"arguments\":{\"threadId\":\"one\"}", 1003),
        ("\"type\":\"request\",\"command\":\"asyncStack\",\"arguments\":{}", 1003),
    ] {
        let seq = client.take_seq();
        client.send_raw(&raw(&format!("{{\"seq\":{seq},{rest}}}")));
        let failure = client.answer(seq).expect_err("this is no request");
        assert_eq!(failure.id, id, "{rest}: {failure:?}");
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn absurd_numbers_are_refused() {
    let mut client = Client::weft();
    let file = "sync_zoo/src/steps.rs";
    let stop = client.launch_to(&program("sync_zoo", Profile::Debug), &["steps"], source(file), line(file, "start"));
    for (command, arguments) in [
        ("stackTrace", json!({"threadId": i64::MAX})),
        ("stackTrace", json!({"threadId": -1})),
        ("scopes", json!({"frameId": 1_i64 << 60})),
        ("variables", json!({"variablesReference": -7})),
        ("next", json!({"threadId": 0})),
        ("asyncStack", json!({"task": i64::MIN})),
        ("asyncFocusTask", json!({"task": -1})),
    ] {
        let failure = client.refused(command, arguments);
        assert!(!failure.message.is_empty(), "{command}");
    }
    let body = client.ask("stackTrace", json!({"threadId": stop.thread, "startFrame": 1_000_000, "levels": 5}));
    assert_eq!(body["stackFrames"], json!([]));
    for absurd in [0, -3, i64::from(u32::MAX) + 7] {
        let request = json!({"source": {"path": source(file)}, "breakpoints": [{"line": absurd}]});
        if let Ok(body) = client.request("setBreakpoints", request) {
            assert_eq!(body["breakpoints"][0]["verified"], json!(false), "{absurd}: {body}");
        }
    }
    assert_eq!(client.top(stop.thread).line, line(file, "start"));
    client.disconnect();
}

#[test]
fn requests_out_of_order_are_refused_and_do_no_harm() {
    let mut client = Client::weft();
    let early = client.refused("stackTrace", json!({"threadId": 1}));
    assert!(!early.message.is_empty());
    client.initialize();
    let twice = client.refused("initialize", json!({"adapterID": "weft"}));
    assert_eq!(twice.id, 1005, "{twice:?}");
    for (command, arguments) in [
        ("continue", json!({"threadId": 1})),
        ("stackTrace", json!({"threadId": 1})),
        ("asyncTasks", json!({})),
        ("pause", json!({"threadId": 1})),
    ] {
        let failure = client.refused(command, arguments);
        assert!(!failure.message.is_empty(), "{command}");
    }
    client.launch_again();
    assert_eq!(client.exited(), 8);
}

trait LaunchAgain {
    fn launch_again(&mut self);
}

impl LaunchAgain for Client {
    fn launch_again(&mut self) {
        let seq = self.send("launch", json!({"program": program("ends", Profile::Debug), "args": ["exit", "8"]}));
        self.event("initialized");
        self.ask("configurationDone", json!({}));
        assert_eq!(self.answer(seq).map(|_| ()), Ok(()));
    }
}

#[test]
fn what_needs_a_stop_says_so_while_running() {
    let mut client = Client::weft();
    client.launch(&program("ends", Profile::Debug), &["spin"], &weft_tests::Launch::default());
    client.output_with("stdout", "spinning");
    let thread = i64::from(client.debuggee());
    for (command, arguments) in [("stackTrace", json!({"threadId": thread})), ("next", json!({"threadId": thread}))] {
        let failure = client.refused(command, arguments);
        assert_eq!(failure.id, 1102, "{command}: {failure:?}");
    }
    client.disconnect();
}
