//! uvicorn's autoreloader: each of its workers is a session of its own, with the source as it is by then.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::python::source;
use weft_tests::{Client, DEADLINE, Launch, list, on_each_python, packages};

use crate::python_servers::PACKAGES;

/// The application, which answers with a word; `above` comes before it.
fn application(above: &str, word: &str) -> String {
    format!(
        r#"{above}
async def app(scope, receive, send):
    word = b"{word}"
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": word}})
"#
    )
}

/// The line on which the word is known.
fn answers(text: &str) -> i64 {
    let at = text.lines().position(|line| line.contains("response.start")).expect("it answers");
    i64::try_from(at).expect("a small number") + 1
}

/// A client that may start sessions, and what it was asked to.
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

/// The session of a worker, with a breakpoint where it answers.
fn worker(configuration: &Value, file: &Path, line: i64) -> (Client, i64) {
    let mut client = Client::weft();
    client.initialize();
    let attach = client.send("attach", configuration.clone());
    client.event("initialized");
    let set = client.set_breakpoints(file, &[line]);
    client.ask("configurationDone", json!({}));
    client.answer(attach).expect("the worker is attached to");
    (client, set[0].id)
}

/// Asks the server on a thread of its own, and gives its answer's last line. It may not listen yet.
fn get(port: u16) -> JoinHandle<String> {
    thread::spawn(move || {
        let until = Instant::now() + DEADLINE;
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "nobody listens: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        stream.write_all(b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n").expect("it is asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the whole answer");
        answer.lines().last().unwrap_or_default().to_owned()
    })
}

/// A request stops in this worker, where the word is the source's, and is answered.
fn stops(client: &mut Client, (port, breakpoint, line): (u16, i64, i64), word: &str) {
    let answer = get(port);
    let stop = client.stopped();
    assert_eq!(stop.hit, [breakpoint]);
    let top = client.top(stop.thread);
    assert_eq!((top.name.as_str(), top.line), ("app", line));
    assert_eq!(client.evaluate("word", top.id).value, format!("b'{word}'"));
    let tasks = client.async_tasks();
    assert_eq!(list(&tasks["tasks"]).filter(|task| task["state"] == "running").count(), 1, "{tasks}");
    client.resume(stop.thread);
    assert_eq!(answer.join().expect("an answer"), word);
}

on_each_python! {
    fn a_reloaded_worker_stops_in_the_edited_source(python: &Python) {
        let Some(servers) = packages::folder("servers", PACKAGES) else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.py");
        let [one, two] = [application("", "one"), application("# Edited.\n\n", "two")];
        fs::write(&file, &one).expect("a file");
        let path = std::env::join_paths(python.debugpy.iter().chain([&servers])).expect("folders without colons");
        let more = json!({"env": {"PYTHONPATH": path.to_str()}});
        let (mut reloader, asked) = able();
        let words = [folder.path().to_str().expect("UTF-8")];
        reloader.launch(&source("reloads.py"), &words, &Launch { breakpoints: Vec::new(), more: python.with(&more) });
        let configuration = reloader.asked(&asked)["configuration"].clone();
        let said = reloader.output_with("stderr", " (Press CTRL+C to quit)");
        let port = said.split("http://127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{said}"));
        let (mut first, breakpoint) = worker(&configuration, &file, answers(&one));
        stops(&mut first, (port, breakpoint, answers(&one)), "one");
        // What it has not seen yet it would not see change.
        reloader.output_with("stdout", "looked");
        fs::write(&file, &two).expect("a file");
        let configuration = reloader.asked(&asked)["configuration"].clone();
        first.event("terminated");
        first.ask("disconnect", json!({}));
        let (mut second, breakpoint) = worker(&configuration, &file, answers(&two));
        assert_ne!(answers(&one), answers(&two));
        stops(&mut second, (port, breakpoint, answers(&two)), "two");
        reloader.ask("terminate", Value::Null);
        reloader.event("terminated");
        second.event("terminated");
        second.ask("disconnect", json!({}));
    }
}
