//! Processes that Python programs make: each is a session of its own, or runs on.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, DEADLINE, Launch, Port, list, on_each_python, process};

/// A client that can start sessions, and whatever its adapter asks for.
fn able() -> (Client, Receiver<Value>) {
    let mut client = Client::weft();
    let (sender, asked) = channel();
    client.abilities = json!({"supportsStartDebuggingRequest": true});
    client.answer_requests("startDebugging", move |arguments| {
        sender.send(arguments.clone()).expect("the test listens");
        Ok(json!({}))
    });
    (client, asked)
}

/// A program that is launched in such a client.
fn parent(python: &Python, how: &str, more: &Value) -> (Client, Receiver<Value>) {
    let (mut client, asked) = able();
    let launch = Launch { breakpoints: Vec::new(), more: python.with(more) };
    client.launch(&source("brood.py"), &[how], &launch);
    (client, asked)
}

/// A session for a child, as an editor starts it: with another adapter.
fn child(asked: &Value) -> Client {
    assert_eq!(asked["request"], "attach");
    assert_eq!(asked["configuration"]["type"], "weft");
    let mut client = Client::weft();
    client.abilities = json!({"supportsStartDebuggingRequest": true});
    client.initialize();
    let seq = client.send("attach", asked["configuration"].clone());
    client.event("initialized");
    let set = client.set_breakpoints(&source("brood.py"), &[line("brood.py", "works")]);
    client.ask("configurationDone", json!({}));
    client.answer(seq).expect("the child is attached to");
    assert!(set[0].verified);
    client
}

/// The child of a program stops in its coroutine, in a session of its own that shows its tasks; both run to their ends.
fn debugs_the_child(python: &Python, how: &str, status: i64) {
    let (mut parent, asked) = parent(python, how, &json!({}));
    stops_in_the_child(&parent.asked(&asked));
    assert_eq!(parent.exited(), 0);
    assert_eq!(parent.output("stdout"), format!("child 42\nparent {status}\n"));
    assert_eq!(asked.try_iter().count(), 0, "what multiprocessing starts for itself is nobody's session");
}

fn stops_in_the_child(asked: &Value) {
    let mut child = child(asked);
    let stop = child.stopped();
    let rows: Vec<String> = child.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
    assert_eq!(rows[0], "job");
    assert!(rows[1].starts_with("task ") && rows[1].ends_with(" worker"), "{rows:?}");
    assert!(rows[2].starts_with("awaited by task ") && rows[3..].contains(&"jobs".to_owned()), "{rows:?}");
    let tasks = child.async_tasks();
    assert_eq!(list(&tasks["tasks"]).count(), 2);
    let top = child.top(stop.thread);
    assert_eq!(child.evaluate("doubled", top.id).value, "42");
    child.resume(stop.thread);
    child.event("terminated");
    child.ask("disconnect", json!({}));
}

/// Goes through the rest of an attach without breakpoints.
fn configured(client: &mut Client, attach: i64) {
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    client.answer(attach).expect("it is attached to");
}

/// A program that was started with debugpy; killed when dropped.
struct Debugged {
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Debugged {
    fn start(command: &mut Command) -> Self {
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Python runs");
        let lines = BufReader::new(program.stdout.take().expect("stdout is piped")).lines();
        Self { program, lines }
    }

    /// Starts one whose debugpy listens, and that makes a child, and attaches to it.
    fn attached(python: &Python, client: &mut Client, how: &str, more: &Value) -> Self {
        let mut command = python.command();
        let mut program = Self::start(command.arg(source("listens.py")).arg(source("brood.py")).arg(how));
        let port: u16 = program.line().parse().expect("a port");
        let mut configuration = json!({"runtime": "python", "connect": {"host": "127.0.0.1", "port": port}});
        for (name, value) in more.as_object().into_iter().flatten() {
            configuration[name] = value.clone();
        }
        client.initialize();
        let attach = client.send("attach", configuration);
        configured(client, attach);
        program
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the program runs").expect("it prints text")
    }

    /// The program runs to its end, with its child, and its session is over as well.
    fn ends(mut self, client: &mut Client, status: i64) {
        assert_eq!([self.line(), self.line()], ["child 42".to_owned(), format!("parent {status}")]);
        client.event("terminated");
        client.ask("disconnect", json!({}));
        assert!(self.program.wait().expect("it ends").success());
    }
}

impl Drop for Debugged {
    fn drop(&mut self) {
        let _ended = self.program.kill();
        let _gone = self.program.wait();
    }
}

/// The same in a program that is attached to by `connect`, whose debugpy has an adapter of its own.
fn debugs_the_child_of_one_that_listens(python: &Python, how: &str, status: i64) {
    let (mut parent, asked) = able();
    let program = Debugged::attached(python, &mut parent, how, &json!({}));
    stops_in_the_child(&parent.asked(&asked));
    program.ends(&mut parent, status);
    assert_eq!(asked.try_iter().count(), 0, "what multiprocessing starts for itself is nobody's session");
}

on_each_python! {
    fn a_spawned_child_is_a_session_of_its_own(python: &Python) {
        debugs_the_child(python, "spawn", 0);
    }

    fn a_forked_child_is_a_session_of_its_own(python: &Python) {
        debugs_the_child(python, "fork", 0);
    }

    fn a_child_of_the_forkserver_is_a_session_of_its_own(python: &Python) {
        debugs_the_child(python, "forkserver", 0);
    }

    fn a_bare_fork_is_a_session_of_its_own(python: &Python) {
        debugs_the_child(python, "os.fork", 5);
    }

    fn a_python_that_is_run_is_a_session_of_its_own(python: &Python) {
        debugs_the_child(python, "command", 7);
    }

    /// A client that cannot start sessions hears of it once, and nothing waits.
    fn without_sessions_children_run_undebugged(python: &Python) {
        for (how, status) in [("spawn", 0), ("fork", 0), ("command", 7)] {
            let mut client = Client::weft();
            let breakpoints = vec![(source("brood.py"), line("brood.py", "works"))];
            let launch = Launch { breakpoints, more: python.configuration() };
            client.launch(&source("brood.py"), &[how], &launch);
            assert_eq!(client.exited(), 0);
            assert_eq!(client.output("stdout"), format!("child 42\nparent {status}\n"));
            let console = client.output("console");
            let told: Vec<&str> = console.lines().filter(|line| line.contains("runs undebugged")).collect();
            assert_eq!(told.len(), 1, "{console}");
            assert!(told[0].contains("this editor cannot start a session for it (`startDebugging`)"), "{told:?}");
            assert!(told[0].contains("set `subProcess` to false"), "{told:?}");
        }
    }

    /// A session that the client refuses, and one that it promises and never starts.
    fn a_child_that_nobody_takes_runs_on(python: &Python) {
        let mut client = Client::weft();
        client.abilities = json!({"supportsStartDebuggingRequest": true});
        client.answer_requests("startDebugging", |_| Err("one session is enough".to_owned()));
        client.launch(&source("brood.py"), &["spawn"], &Launch { breakpoints: Vec::new(), more: python.configuration() });
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "child 42\nparent 0\n");
        assert!(client.output("important").contains("runs undebugged: `startDebugging`: the editor refused: one session"));
    }

    fn children_are_left_alone_on_demand(python: &Python) {
        for how in ["spawn", "command"] {
            let (mut parent, asked) = parent(python, how, &json!({"subProcess": false}));
            assert_eq!(parent.exited(), 0);
            assert_eq!(asked.try_iter().count(), 0);
            assert!(!parent.output("console").contains("undebugged"));
        }
    }

    fn spawned_by_one_that_listens(python: &Python) {
        debugs_the_child_of_one_that_listens(python, "spawn", 0);
    }

    fn forked_by_one_that_listens(python: &Python) {
        debugs_the_child_of_one_that_listens(python, "os.fork", 5);
    }

    fn run_by_one_that_listens(python: &Python) {
        debugs_the_child_of_one_that_listens(python, "command", 7);
    }

    /// Its adapter knows only the children of processes that have sessions, and a fork server has none.
    fn children_of_a_forkserver_of_one_that_listens_run_undebugged(python: &Python) {
        let (mut parent, asked) = able();
        let program = Debugged::attached(python, &mut parent, "forkserver", &json!({}));
        program.ends(&mut parent, 0);
        assert_eq!(asked.try_iter().count(), 0);
        assert!(parent.output("console").contains("what it forks runs undebugged"), "{}", parent.output("console"));
    }

    fn no_child_of_one_that_listens_waits_for_nobody(python: &Python) {
        for how in ["spawn", "os.fork", "command"] {
            let status = [("os.fork", 5), ("command", 7)].iter().find(|known| known.0 == how).map_or(0, |known| known.1);
            let mut client = Client::weft();
            Debugged::attached(python, &mut client, how, &json!({})).ends(&mut client, status);
            assert!(client.output("console").contains("this editor cannot start a session for it"));
            let (mut client, asked) = able();
            Debugged::attached(python, &mut client, how, &json!({"subProcess": false})).ends(&mut client, status);
            assert_eq!(asked.try_iter().count(), 0);
        }
    }

    /// Attached to by `listen`: children connect to where their parent did.
    fn spawned_by_one_that_connects(python: &Python) {
        let (mut parent, asked) = able();
        let claim = Port::claim();
        let port = claim.number();
        parent.initialize();
        let listen = json!({"runtime": "python", "listen": {"host": "127.0.0.1", "port": port}});
        let attach = parent.send("attach", listen);
        wait_for_listener(port);
        let mut command = python.command();
        command.args(["-m", "debugpy", "--connect", &format!("127.0.0.1:{port}"), "--wait-for-client"]);
        let program = Debugged::start(command.arg(source("brood.py")).arg("spawn"));
        configured(&mut parent, attach);
        stops_in_the_child(&parent.asked(&asked));
        program.ends(&mut parent, 0);
    }
}

/// Waits until somebody listens, without being taken for the one that is waited for.
fn wait_for_listener(port: u16) {
    let listens = format!(" 0100007F:{port:04X} 00000000:0000 0A ");
    let until = Instant::now() + DEADLINE;
    while !fs::read_to_string("/proc/net/tcp").expect("the kernel's sockets").contains(&listens) {
        assert!(Instant::now() < until, "nobody listens on port {port}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Attached to by `processId`, which has pydevd look after the children of a program that knew nothing of it.
#[test]
fn children_of_a_running_program_are_sessions_of_their_own() {
    let Some(python) = Python::find("3.14") else { return };
    let file = source("brood.py");
    let file = file.to_str().expect("UTF-8");
    let debugpy = python.debugpy.as_ref().map(|folder| ("PYTHONPATH", folder.to_str().expect("UTF-8")));
    let variables: Vec<(&str, &str)> = debugpy.into_iter().collect();
    for (how, status) in [("spawn", 0), ("command", 7)] {
        let arguments = [file, how, "later"];
        let mut program = process::Guarded::start(&python.interpreter.path, &arguments, &variables);
        program.wait_for("ready");
        process::wait_asleep(program.pid());
        let (mut parent, asked) = able();
        parent.initialize();
        let attach = parent.send("attach", json!({"runtime": "python", "processId": program.pid()}));
        configured(&mut parent, attach);
        program.say("go\n");
        stops_in_the_child(&parent.asked(&asked));
        program.wait_for(&format!("parent {status}"));
        program.close_input();
        assert!(program.ended().success());
        parent.event("terminated");
    }
}
