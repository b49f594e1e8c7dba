//! How a program meets its surroundings, and how it ends.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Adapter, Client, DEADLINE, Launch, process};

const FILE: &str = "ends/src/main.rs";

fn run(args: &[&str], more: Value) -> Client {
    let mut client = Client::weft();
    client.launch(&program("ends", Profile::Debug), args, &Launch { breakpoints: Vec::new(), more });
    client
}

#[test]
fn output_and_exit_status_are_reported() {
    let mut client = run(&["exit", "7"], Value::Null);
    assert_eq!(client.exited(), 7);
    assert_eq!(client.output("stdout"), "to stdout\n");
    assert_eq!(client.output("stderr"), "to stderr\n");
    // All output came before the end was told.
    let said = client.transcript();
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(at("to stdout") < at("\"event\":\"exited\""));
    assert!(at("\"event\":\"exited\"") < at("\"event\":\"terminated\""));
    // The session lives on, as far as there is something to ask.
    assert_eq!(client.threads(), []);
    client.ask("disconnect", json!({}));
    client.wait_end();
    assert_eq!(client.adapter_ended(), Some(0));
}

#[test]
fn a_signal_is_an_exit_status() {
    let mut client = run(&["signal", "15"], Value::Null);
    assert_eq!(client.exited(), 128 + 15);
}

#[test]
fn a_panic_is_an_exit_status_and_a_message() {
    let mut client = run(&["panic"], Value::Null);
    assert_eq!(client.exited(), 101);
    assert!(client.output("stderr").contains("on purpose"));
}

#[test]
fn a_program_without_input_reads_its_end() {
    let mut client = run(&["echo"], Value::Null);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "reading\nend of input\n");
}

#[test]
fn arguments_environment_and_folder_reach_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("it exists");
    let mut client =
        run(&["show", "SET", "HOME", "with space"], json!({"cwd": folder, "env": {"SET": "a \"b\"", "HOME": null}}));
    assert_eq!(client.exited(), 0);
    assert_eq!(
        client.output("stdout"),
        format!(
            "cwd {}\nargs [\"show\", \"SET\", \"HOME\", \"with space\"]\nSET Some(\"a \\\"b\\\"\")\nHOME None\nwith space None\n",
            folder.display()
        )
    );
}

#[test]
fn an_environment_file_is_read_and_overridden() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("env");
    std::fs::write(&file, "# a comment\nFIRST=one\nSECOND=\"two words\"\n").expect("written");
    let mut client = run(&["show", "FIRST", "SECOND"], json!({"envFile": file, "env": {"FIRST": "1"}}));
    assert_eq!(client.exited(), 0);
    assert!(client.output("stdout").ends_with("FIRST Some(\"1\")\nSECOND Some(\"two words\")\n"));
}

#[test]
fn stop_on_entry_stops_in_the_programs_own_main() {
    let mut client = run(&["exit", "0"], json!({"stopOnEntry": true}));
    let stop = client.stopped();
    assert_eq!(stop.reason, "entry");
    let top = client.top(stop.thread);
    assert_eq!((top.name.as_str(), top.line), ("ends::main", line(FILE, "main")));
    assert_eq!(client.output("stdout"), "");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn an_async_main_is_entered_where_it_was_written() {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: Vec::new(), more: json!({"stopOnEntry": true}) };
    client.launch(&program("await_chain", Profile::Debug), &[], &launch);
    let stop = client.stopped();
    assert_eq!(stop.reason, "entry");
    assert_eq!(client.top(stop.thread).name, "await_chain::main");
    client.disconnect();
}

#[test]
fn without_debugging_nothing_stops() {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(FILE), line(FILE, "exit"))], more: json!({"noDebug": true}) };
    client.launch(&program("ends", Profile::Debug), &["exit", "3"], &launch);
    assert_eq!(client.exited(), 3);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn terminate_asks_the_program_to_end() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    client.ask("terminate", json!({}));
    assert_eq!(client.exited(), 128 + 15);
}

#[test]
fn a_stopped_program_can_be_terminated() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    client.pause();
    client.ask("terminate", json!({}));
    assert_eq!(client.exited(), 128 + 15);
}

#[test]
fn disconnect_ends_what_was_launched_unless_told_otherwise() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    let pid = client.debuggee();
    client.ask("disconnect", json!({}));
    assert!(process::wait_gone(pid, DEADLINE));
    client.wait_end();
    assert_eq!(client.adapter_ended(), Some(0));
}

#[test]
fn an_editor_that_goes_away_takes_the_program_along() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    let pid = client.debuggee();
    client.hang_up();
    assert!(process::wait_gone(pid, DEADLINE));
    client.wait_end();
    assert_eq!(client.adapter_ended(), Some(0));
}

#[test]
fn an_adapter_that_is_killed_takes_the_program_along() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    let pid = client.debuggee();
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(client.adapter_pid(), libc::SIGKILL) };
    assert!(process::wait_gone(pid, DEADLINE));
}

#[test]
fn pause_answers_while_the_program_runs() {
    let mut client = run(&["spin"], Value::Null);
    client.output_with("stdout", "spinning");
    for _ in 0..5 {
        let stop = client.pause();
        assert_eq!(process::state(client.debuggee()), Some('t'));
        let failure = client.request("pause", json!({"threadId": stop.thread}));
        assert!(failure.is_ok(), "a pause of what stands is harmless: {failure:?}");
        client.resume(stop.thread);
    }
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
    client.disconnect();
}

#[test]
fn a_session_over_tcp_is_the_same() {
    let mut client = Client::start(&Adapter::Tcp, true);
    client.launch(
        &program("ends", Profile::Debug),
        &["exit", "4"],
        &Launch { breakpoints: vec![(source(FILE), line(FILE, "exit"))], more: Value::Null },
    );
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, line(FILE, "exit"));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 4);
    client.ask("disconnect", json!({}));
    client.wait_end();
    assert!(process::lives(client.adapter_pid()), "a listening adapter waits for the next session");
}
