//! Programs that execute another one in their place: what is executed is a session of its own, and the first one lasts until the
//! process ends, with all of its output.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, DEADLINE, Launch, Stop, on_each_python, process};

/// The sessions of one editor.
struct Editor {
    sender: Sender<Value>,
    asked: Receiver<Value>,
}

impl Editor {
    fn new() -> Self {
        let (sender, asked) = channel();
        Self { sender, asked }
    }

    /// A session that may start others.
    fn session(&self) -> Client {
        let mut client = Client::weft();
        let sender = self.sender.clone();
        client.abilities = json!({"supportsStartDebuggingRequest": true});
        client.answer_requests("startDebugging", move |arguments| {
            sender.send(arguments.clone()).expect("the test listens");
            Ok(json!({}))
        });
        client
    }

    /// Launches the program with a breakpoint, at which it stands.
    fn launched(&self, python: &Python, words: &[&str]) -> (Client, Stop) {
        let mut client = self.session();
        client.launch(&source("executes.py"), words, &launch(python));
        let stop = client.stopped();
        (client, stop)
    }

    /// The session of what was executed, which stands at the breakpoint. Any of these sessions may ask for it.
    fn executed(&self, sessions: &mut [&mut Client]) -> (Client, Stop) {
        let until = Instant::now() + DEADLINE;
        let asked = loop {
            if let Ok(asked) = self.asked.try_recv() {
                break asked;
            }
            assert!(Instant::now() < until, "no session is asked for");
            for session in &mut *sessions {
                session.comes_within("none", Duration::from_millis(10));
            }
        };
        let mut client = self.session();
        client.initialize();
        let attach = client.send("attach", asked["configuration"].clone());
        client.event("initialized");
        let set = client.set_breakpoints(&source("executes.py"), &[line("executes.py", "left")]);
        client.ask("configurationDone", json!({}));
        client.answer(attach).expect("it is attached to");
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0].id]);
        (client, stop)
    }
}

fn launch(python: &Python) -> Launch {
    let breakpoints = vec![(source("executes.py"), line("executes.py", "left"))];
    Launch { breakpoints, more: python.configuration() }
}

/// The number of the process that an attached session tells of.
fn number(client: &mut Client) -> i32 {
    let told = client.event("process")["systemProcessId"].as_i64().expect("a number");
    i32::try_from(told).expect("a process's number")
}

fn left(client: &mut Client, stop: &Stop) -> String {
    let top = client.top(stop.thread);
    client.evaluate("left", top.id).value
}

on_each_python! {
    fn each_is_a_session_and_the_first_one_stays(python: &Python) {
        let editor = Editor::new();
        let (mut first, stop) = editor.launched(python, &["2"]);
        let pid = first.debuggee();
        assert_eq!(left(&mut first, &stop), "2");
        first.resume(stop.thread);
        let (mut second, stop) = editor.executed(&mut [&mut first]);
        assert_eq!((number(&mut second), left(&mut second, &stop)), (pid, "1".to_owned()));
        first.output_with("important", "weft: the program has executed another one in its place, which has a session of its own");
        assert_eq!(first.threads(), []);
        for request in ["asyncTasks", "pause"] {
                let asked = first.send(request, json!({"threadId": 1}));
            let failure = first.answer(asked).expect_err("another session has it");
            assert!(failure.message.contains("not debugged in this session any more"), "{}", failure.message);
        }
        let set = first.set_breakpoints(&source("executes.py"), &[line("executes.py", "left")]);
        assert!(!set[0].verified);
        second.resume(stop.thread);
        let (mut third, stop) = editor.executed(&mut [&mut first, &mut second]);
        assert_eq!((number(&mut third), left(&mut third, &stop)), (pid, "0".to_owned()));
        second.event("terminated");
        second.ask("disconnect", json!({}));
        let said = second.output("important");
        assert!(said.contains("the program has executed another one in its place"), "{said}");
        assert!(!first.comes_within("terminated", Duration::ZERO));
        third.resume(stop.thread);
        third.event("terminated");
        third.ask("disconnect", json!({}));
        assert_eq!(first.exited(), 0);
        assert_eq!(first.output("stdout"), "left 2\nleft 1\nleft 0\n");
        assert_eq!(first.output("important").lines().count(), 1, "{}", first.output("important"));
    }

    /// An editor's stop button in the first session.
    fn the_first_session_ends_all(python: &Python) {
        let editor = Editor::new();
        let (mut first, stop) = editor.launched(python, &["1"]);
        first.resume(stop.thread);
        let (mut second, _) = editor.executed(&mut [&mut first]);
        first.disconnect();
        second.event("terminated");
    }

    /// Who leaves what was executed leaves it to the first session.
    fn what_was_executed_is_let_go(python: &Python) {
        let editor = Editor::new();
        let (mut first, stop) = editor.launched(python, &["1"]);
        first.resume(stop.thread);
        let (mut second, _) = editor.executed(&mut [&mut first]);
        second.ask("disconnect", json!({"terminateDebuggee": false}));
        assert_eq!(first.exited(), 0);
        assert_eq!(first.output("stdout"), "left 1\nleft 0\n");
    }

    /// The kernel ends it with who has started it, unless it asks not to.
    fn the_first_session_cannot_leave_it(python: &Python) {
        let editor = Editor::new();
        let (mut first, stop) = editor.launched(python, &["1"]);
        let pid = first.debuggee();
        first.resume(stop.thread);
        let (mut second, _) = editor.executed(&mut [&mut first]);
        let leave = first.send("disconnect", json!({"terminateDebuggee": false}));
        let failure = first.answer(leave).expect_err("it cannot be left");
        assert!(failure.message.contains("it ends with it"), "{}", failure.message);
        assert!(process::wait_gone(pid, DEADLINE));
        second.event("terminated");
    }

    /// A client that cannot start sessions.
    fn without_sessions_it_runs_undebugged(python: &Python) {
        let mut client = Client::weft();
        client.launch(&source("executes.py"), &["1"], &launch(python));
        let stop = client.stopped();
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "left 1\nleft 0\n");
        assert!(client.output("console").contains("this editor cannot start a session for it"));
    }

    /// What is executed is not Python: its output and its end are told all the same.
    fn another_program(python: &Python) {
        let editor = Editor::new();
        let shell = "echo shell; kill -STOP $$; exit 3";
        let (mut client, stop) = editor.launched(python, &["0", "/bin/sh", "-c", shell]);
        let pid = client.debuggee();
        client.resume(stop.thread);
        let undebugged = "weft: the program has executed another one in its place, which runs undebugged; this session lasts until it ends";
        client.output_with("important", undebugged);
        process::wait_state(pid, 'T');
        process::signal(pid, libc::SIGCONT);
        assert_eq!(client.exited(), 3);
        assert_eq!(client.output("stdout"), "left 0\nshell\n");
    }
}
