//! Servers that nobody here wrote, under load from clients that notice every wrong answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, DEADLINE, Launch, Stop, list, on_each_python, packages};

pub(crate) const PACKAGES: &[&str] = &[
    "aiosmtpd==1.4.6",
    "anyio==4.16.0",
    "atpublic==9.0.0",
    "attrs==26.1.0",
    "click==8.5.1",
    "h11==0.16.0",
    "idna==3.20",
    "starlette==1.10.0",
    "typing_extensions==4.16.0",
    "uvicorn==0.54.0",
];

/// How many clients ask at the same time.
const CLIENTS: usize = 8;

/// Launches a server that is not stopped anywhere, and gives its port; none where its packages cannot be had.
fn serve(python: &Python, script: &str) -> Option<(Client, u16)> {
    let folders: Vec<PathBuf> =
        python.debugpy.clone().into_iter().chain(packages::folder("servers", PACKAGES)).collect();
    if folders.len() == usize::from(python.debugpy.is_some()) {
        return None;
    }
    let path = std::env::join_paths(folders).expect("folders without colons");
    let more = json!({"env": {"PYTHONPATH": path.to_str()}, "justMyCode": false});
    let mut client = Client::weft();
    client.launch(&source(script), &[], &Launch { breakpoints: Vec::new(), more: python.with(&more) });
    let said = client.output_with("stdout", "\n");
    let port = said.lines().find_map(|line| line.strip_prefix("port ")?.parse().ok());
    Some((client, port.unwrap_or_else(|| panic!("{said}"))))
}

/// Clients that ask on and on, each on a connection of its own.
struct Load {
    over: Arc<AtomicBool>,
    answered: Receiver<usize>,
    clients: Vec<JoinHandle<usize>>,
}

impl Load {
    /// `connect` gives what one client does, again and again: it panics where an answer is wrong.
    fn start<C: FnMut() + Send + 'static>(connect: impl Fn(usize) -> C) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (sender, answered) = channel();
        let start = |number| {
            let (mut ask, over, sender) = (connect(number), Arc::clone(&over), sender.clone());
            thread::spawn(move || {
                let mut answers = 0;
                while !over.load(Ordering::Relaxed) {
                    ask();
                    answers += 1;
                    // Nobody listens any more at the end.
                    let _ = sender.send(number);
                }
                answers
            })
        };
        Self { clients: (0..CLIENTS).map(start).collect(), over: Arc::clone(&over), answered }
    }

    /// Waits until every client has been answered once more.
    fn go_on(&self) {
        while self.answered.try_recv().is_ok() {}
        let mut left: Vec<usize> = (0..CLIENTS).collect();
        while !left.is_empty() {
            let client = self.answered.recv_timeout(DEADLINE).expect("the server answers everybody");
            left.retain(|number| *number != client);
        }
    }

    /// Ends them: how many answers they had. Panics if one was wrong.
    fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("every answer was right")).sum()
    }
}

fn connect(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    BufReader::new(stream)
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) {
    stream.get_mut().write_all(text.as_bytes()).expect("the connection is open");
}

fn hear(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("an answer in time");
    line.trim_end().to_owned()
}

/// A request of the web service: the text of the answer.
fn get(stream: &mut BufReader<TcpStream>, path: &str) -> String {
    say(stream, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(hear(stream), "HTTP/1.1 200 OK", "{path}");
    let mut length = 0;
    loop {
        let header = hear(stream).to_lowercase();
        match header.strip_prefix("content-length: ") {
            Some(said) => length = said.parse().expect("a number"),
            None if header.is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("the whole answer");
    String::from_utf8(body).expect("UTF-8")
}

/// Sets a breakpoint in a server that runs, and gives the stop at it.
fn stop_at(client: &mut Client, script: &str, marker: &str, condition: Option<&str>) -> Stop {
    let breakpoint = json!({"line": line(script, marker), "condition": condition});
    let set = client.ask("setBreakpoints", json!({"source": {"path": source(script)}, "breakpoints": [breakpoint]}));
    let stop = client.stopped();
    assert_eq!(stop.hit, [set["breakpoints"][0]["id"].as_i64().unwrap_or(0)]);
    stop
}

/// Lets a server run without breakpoints, until everybody was answered.
fn run(client: &mut Client, script: &str, stop: &Stop, load: &Load) {
    client.set_breakpoints(&source(script), &[]);
    client.resume(stop.thread);
    load.go_on();
}

fn variable(client: &mut Client, frame: i64, name: &str) -> String {
    let locals = client.locals(frame);
    let found = locals.iter().find(|local| local.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {locals:?}")).value.clone()
}

fn tasks_at<'a>(body: &'a Value, script: &str, marker: &str) -> Vec<&'a Value> {
    let (path, line) = (source(script), line(script, marker));
    let is_there = |task: &&Value| {
        task["location"]["source"]["path"].as_str() == path.to_str() && task["location"]["line"] == line
    };
    list(&body["tasks"]).filter(is_there).collect()
}

/// The task that a stop names in its stack, which is the only one that runs.
fn running<'a>(client: &mut Client, stop: &Stop, body: &'a Value) -> &'a Value {
    let running: Vec<&Value> = list(&body["tasks"]).filter(|task| task["state"] == "running").collect();
    let [task] = running[..] else { panic!("one task runs: {body}") };
    assert_eq!(task["osThread"], stop.thread);
    let label = format!("task {} {}", task["id"], task["name"].as_str().unwrap_or_default());
    let stack = client.stack(stop.thread);
    assert!(stack.iter().any(|frame| frame.name == label), "{label} in {stack:?}");
    task
}

on_each_python! {
    /// Starlette on uvicorn: eight clients ask on and on, four more wait for what comes at the end.
    fn a_web_service(python: &Python) {
        let Some((mut client, port)) = serve(python, "web.py") else { return };
        let held: Vec<JoinHandle<String>> = (0..4)
            .map(|number| thread::spawn(move || get(&mut connect(port), &format!("/hold?name=h{number}"))))
            .collect();
        let load = Load::start(|number| {
            let mut stream = connect(port);
            move || {
                let answer = get(&mut stream, &format!("/shout?name=client-{number}"));
                assert_eq!(answer, format!("CLIENT-{number}"));
            }
        });
        load.go_on();
        let stop = stop_at(&mut client, "web.py", "answer", None);
        let frames = client.stack(stop.thread);
        let inner: Vec<&str> = frames.iter().take(3).map(|frame| frame.name.as_str()).collect();
        assert_eq!((inner[0], frames[0].line), ("shout", line("web.py", "answer")));
        let named = |name: &str| frames.iter().position(|frame| frame.name.ends_with(name));
        let through = ["shout", "app", "__call__", "run_asgi"].map(named);
        assert!(through.is_sorted() && through[0].is_some(), "{frames:?}");
        assert!(frames.iter().any(|frame| frame.file() == "h11_impl.py" || frame.file() == "httptools_impl.py"));
        let (name, loud) = (variable(&mut client, frames[0].id, "name"), variable(&mut client, frames[0].id, "loud"));
        assert_eq!(loud, name.to_uppercase());
        assert_eq!(client.evaluate("request.query_params['name']", frames[0].id).value, name);
        assert_eq!(client.evaluate("request.url.path", frames[0].id).value, "'/shout'");
        let body = client.async_tasks();
        running(&mut client, &stop, &body);
        let asked = tasks_at(&body, "web.py", "hold");
        assert_eq!(asked.len(), 4, "{body}");
        assert!(asked.iter().all(|task| task["waitingOn"]["text"] == "Event.wait" && task["state"] == "waiting"));
        let mut names = Vec::new();
        for task in asked {
            let frames = client.stack(task["threadId"].as_i64().expect("a number"));
            let hold = frames.iter().find(|frame| frame.name == "hold").expect("the handler");
            names.push(client.evaluate("name", hold.id).value);
        }
        names.sort();
        assert_eq!(names, ["'h0'", "'h1'", "'h2'", "'h3'"]);
        run(&mut client, "web.py", &stop, &load);
        // Only that client's request stops.
        let stop = stop_at(&mut client, "web.py", "answer", Some("name == 'client-3'"));
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("loud", top.id).value, "'CLIENT-3'");
        run(&mut client, "web.py", &stop, &load);
        let stop = client.pause();
        assert_eq!(tasks_at(&client.async_tasks(), "web.py", "hold").len(), 4);
        run(&mut client, "web.py", &stop, &load);
        let while_it_runs = client.async_tasks();
        assert_eq!(tasks_at(&while_it_runs, "web.py", "hold").len(), 4);
        assert_eq!(get(&mut connect(port), "/release"), "released");
        let answers: Vec<String> = held.into_iter().map(|one| one.join().expect("an answer")).collect();
        assert_eq!(answers, ["held h0", "held h1", "held h2", "held h3"]);
        assert!(load.stop() >= 4 * CLIENTS);
        client.ask("terminate", Value::Null);
        assert_eq!(client.exited(), 128 + 15, "uvicorn ends itself by the signal that it was told with");
        assert_eq!(client.output("stdout"), format!("port {port}\nclosed\n"));
    }

    /// aiosmtpd: eight clients send mail after mail.
    fn a_mail_server(python: &Python) {
        let Some((mut client, port)) = serve(python, "mail.py") else { return };
        let load = Load::start(|number| {
            let mut stream = connect(port);
            assert!(hear(&mut stream).starts_with("220 mail.example.net"));
            say(&mut stream, "HELO client\r\n");
            assert_eq!(hear(&mut stream), "250 mail.example.net");
            let text = format!("from {number}");
            move || {
                let mut ask = |text: &str, answer: &str| {
                    say(&mut stream, text);
                    assert_eq!(hear(&mut stream), answer);
                };
                ask(&format!("MAIL FROM:<{number}@example.org>\r\n"), "250 OK");
                ask("RCPT TO:<nobody@example.com>\r\n", "550 nobody of that name");
                ask("RCPT TO:<somebody@example.net>\r\n", "250 OK");
                ask("DATA\r\n", "354 End data with <CR><LF>.<CR><LF>");
                ask(&format!("{text}\r\n.\r\n"), &format!("250 kept {}", text.len() + 2));
            }
        });
        load.go_on();
        let stop = stop_at(&mut client, "mail.py", "kept", None);
        let frames = client.stack(stop.thread);
        assert_eq!((frames[0].name.as_str(), frames[0].line), ("Mailbox.handle_DATA", line("mail.py", "kept")));
        let through: Vec<&str> =
            frames.iter().filter(|frame| frame.file() == "smtp.py").map(|frame| frame.name.as_str()).collect();
        assert_eq!(through, ["SMTP._call_handler_hook", "SMTP.smtp_DATA", "SMTP._handle_client"]);
        let text = variable(&mut client, frames[0].id, "text");
        let sender = client.evaluate("envelope.mail_from", frames[0].id).value;
        assert_eq!(text, format!("'from {}\\r\\n'", sender.trim_matches('\'').trim_end_matches("@example.org")));
        let body = client.async_tasks();
        running(&mut client, &stop, &body);
        let serves = |task: &&Value| task["entry"]["source"]["name"] == "smtp.py";
        assert_eq!(list(&body["tasks"]).filter(serves).count(), CLIENTS, "a task for each connection: {body}");
        let [main] = tasks_at(&body, "mail.py", "over")[..] else { panic!("{body}") };
        assert_eq!((&main["name"], &main["waitingOn"]["text"]), (&json!("Task-1"), &json!("Event.wait")));
        run(&mut client, "mail.py", &stop, &load);
        let stop = stop_at(&mut client, "mail.py", "kept", Some("envelope.mail_from.startswith('5')"));
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("text", top.id).value, "'from 5\\r\\n'");
        run(&mut client, "mail.py", &stop, &load);
        let stop = client.pause();
        let paused = client.async_tasks();
        assert_eq!(list(&paused["tasks"]).filter(serves).count(), CLIENTS);
        run(&mut client, "mail.py", &stop, &load);
        let mails = load.stop();
        assert!(mails >= 4 * CLIENTS);
        client.ask("terminate", Value::Null);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), format!("port {port}\nkept {mails}\n"));
    }
}
