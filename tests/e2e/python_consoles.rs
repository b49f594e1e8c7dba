//! Where a Python program reads and writes, and how it is ended.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Launch, on_each_python, process};

/// A terminal that the adapter asks for: what it was asked, and the process in it.
struct Terminal {
    asked: Value,
    process: Child,
}

impl Terminal {
    fn types(&mut self, text: &str) {
        self.process.stdin.as_mut().expect("stdin is piped").write_all(text.as_bytes()).expect("it reads");
    }

    /// Everything that was written in it, and how the command ended.
    fn ended(mut self) -> (String, Option<i32>) {
        let mut text = String::new();
        self.process.stdout.take().expect("stdout is piped").read_to_string(&mut text).expect("it is text");
        (text, self.process.wait().expect("it ends").code())
    }
}

/// Has a client open terminals.
fn opens_terminals(client: &mut Client) -> Receiver<Terminal> {
    let (sender, opened) = channel();
    client.abilities = json!({"supportsRunInTerminalRequest": true});
    client.answer_requests("runInTerminal", move |asked| {
        let words: Vec<&str> = weft_tests::list(&asked["args"]).filter_map(Value::as_str).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(asked["cwd"].as_str().unwrap_or("/"));
        for (name, value) in asked["env"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let process = command.spawn().map_err(|error| error.to_string())?;
        sender.send(Terminal { asked: asked.clone(), process }).map_err(|error| error.to_string())?;
        Ok(json!({}))
    });
    opened
}

/// A program that stands at its greeting, in a terminal of that kind.
fn greeted(python: &Python, console: &str, args: &[&str]) -> (Client, Terminal, i64) {
    let mut client = Client::weft();
    let opened = opens_terminals(&mut client);
    let more = python.with(&json!({"console": console}));
    let breakpoints = vec![(source("asks.py"), line("asks.py", "greets"))];
    let set = client.launch(&source("asks.py"), args, &Launch { breakpoints, more });
    let mut terminal = opened.try_recv().expect("a terminal was asked for");
    terminal.types("Ada\n");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let top = client.top(stop.thread);
    assert_eq!(client.evaluate("name", top.id).value, "'Ada'");
    (client, terminal, stop.thread)
}

on_each_python! {
    /// The program reads and writes there, stops as anywhere, and its exit status is told here and there.
    fn a_terminal_is_the_programs(python: &Python) {
        for (console, kind) in [("integratedTerminal", "integrated"), ("externalTerminal", "external")] {
            let (mut client, terminal, thread) = greeted(python, console, &[]);
            assert_eq!((&terminal.asked["kind"], &terminal.asked["title"]), (&json!(kind), &json!("asks.py")));
            client.resume(thread);
            assert_eq!(client.exited(), 4);
            assert_eq!(terminal.ended(), ("name? hello Ada\ncleaned up\ndone\n".to_owned(), Some(4)));
            assert_eq!(client.output("stdout"), "");
        }
    }

    /// Told to end, the program unwinds as by Ctrl+C; its coroutines clean up.
    fn a_program_that_is_told_to_end_cleans_up(python: &Python) {
        let (mut client, terminal, thread) = greeted(python, "integratedTerminal", &["forever"]);
        client.set_breakpoints(&source("asks.py"), &[]);
        client.resume(thread);
        client.ask("terminate", json!({}));
        assert_eq!(client.exited(), 128 + 2);
        assert_eq!(terminal.ended(), ("name? hello Ada\ncleaned up\n".to_owned(), Some(130)));
    }

    fn a_disconnect_kills_or_leaves(python: &Python) {
        let (mut client, terminal, _) = greeted(python, "integratedTerminal", &["forever"]);
        let pid = client.debuggee();
        client.ask("disconnect", json!({}));
        assert_eq!(terminal.ended(), ("name? ".to_owned(), Some(128 + 9)));
        assert!(!process::lives(pid));

        let (mut client, terminal, _) = greeted(python, "integratedTerminal", &[]);
        client.ask("disconnect", json!({"terminateDebuggee": false}));
        client.hang_up();
        client.wait_end();
        assert_eq!(terminal.ended(), ("name? hello Ada\ncleaned up\ndone\n".to_owned(), Some(4)));
    }

    /// In a terminal it is told only if the program does it itself.
    fn output_of_a_terminal_is_told_on_demand(python: &Python) {
        let mut client = Client::weft();
        let opened = opens_terminals(&mut client);
        let more = python.with(&json!({"console": "integratedTerminal", "redirectOutput": true}));
        client.launch(&source("chain.py"), &[], &Launch { breakpoints: Vec::new(), more });
        assert_eq!(client.exited(), 3);
        assert_eq!(client.output("stdout"), "hello 43\n");
        assert_eq!(opened.try_recv().expect("a terminal was asked for").ended().0, "hello 43\n");
    }

    fn a_program_without_debugging_has_a_terminal_too(python: &Python) {
        let mut client = Client::weft();
        let opened = opens_terminals(&mut client);
        let more = python.with(&json!({"console": "integratedTerminal", "noDebug": true}));
        client.launch(&source("asks.py"), &[], &Launch { breakpoints: Vec::new(), more });
        let mut terminal = opened.try_recv().expect("a terminal was asked for");
        terminal.types("Bob\n");
        assert_eq!(client.exited(), 4);
        assert_eq!(terminal.ended().0, "name? hello Bob\ncleaned up\ndone\n");
    }

    /// The adapter is killed: the program does not stay behind.
    fn a_program_dies_with_the_adapter(python: &Python) {
        let (client, terminal, _) = greeted(python, "integratedTerminal", &["forever"]);
        process::kill(client.adapter_pid());
        assert_eq!(terminal.ended().1, Some(128 + 9));
    }
}

#[test]
fn a_terminal_that_cannot_be_had() {
    let Some(python) = Python::find("3.13") else { return };
    let mut client = Client::weft();
    let more = python.with(&json!({"console": "integratedTerminal"}));
    client.launch(&source("chain.py"), &[], &Launch { breakpoints: Vec::new(), more: more.clone() });
    assert_eq!(client.exited(), 3);
    assert_eq!(client.output("stdout"), "hello 43\n");
    assert!(client.output("console").contains("this editor cannot open a terminal"), "{}", client.output("console"));

    let mut client = Client::weft();
    client.abilities = json!({"supportsRunInTerminalRequest": true});
    client.answer_requests("runInTerminal", |_| Err("no terminals today".to_owned()));
    client.initialize();
    let mut configuration = more;
    configuration["program"] = json!(source("chain.py"));
    let failure = client.cannot_start("launch", configuration);
    assert!(failure.message.contains("no terminals today"), "{failure:?}");
}
