//! One conversation with an adapter: requests, answers, events, in order and checked.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::transcript::Transcript;
use crate::transport::{Received, frame, read_all};
use crate::{Adapter, DEADLINE, process, schema};

/// What a request came to: the body, or what was said instead.
pub type Reply = Result<Value, Failure>;

/// A request that was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `body.error.id`.
    pub id: i64,
    /// The sentence for the user, with its variables put in.
    pub message: String,
}

/// A client with its adapter.
pub struct Client {
    adapter: Child,
    writer: Option<Box<dyn Write + Send>>,
    incoming: Receiver<Received>,
    ended: bool,
    validate: bool,
    next_seq: i64,
    seen_seqs: HashSet<i64>,
    answers: HashMap<i64, Value>,
    events: VecDeque<Value>,
    output: HashMap<String, String>,
    /// Bodies of those output events that name a place.
    placed: Vec<Value>,
    launched: Vec<i32>,
    transcript: Transcript,
    /// What `initialize` says besides the usual (`{"supportsRunInTerminalRequest": true}`).
    pub abilities: Value,
    /// Who answers what the adapter asks.
    pub(crate) reverse: HashMap<String, Answerer>,
}

/// Answers requests of the adapter: their arguments → a body, or why not.
pub(crate) type Answerer = Box<dyn FnMut(&Value) -> Result<Value, String> + Send>;

impl Client {
    /// Starts an adapter. `validate` is off only for adapters that are not ours.
    pub fn start(adapter: &Adapter, validate: bool) -> Self {
        let transcript = Transcript::new();
        let mut command = adapter.command();
        let tcp = matches!(adapter, Adapter::Tcp);
        command.stdin(if tcp { Stdio::null() } else { Stdio::piped() });
        command.stdout(if tcp { Stdio::null() } else { Stdio::piped() }).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut errors = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (sender, incoming) = channel();
        let writer: Box<dyn Write + Send> = if tcp {
            let stream = connect(&mut errors);
            let reading = stream.try_clone().expect("a second handle");
            thread::spawn(move || read_all(reading, &sender));
            Box::new(Connection(stream))
        } else {
            let stdout = child.stdout.take().expect("stdout is piped");
            thread::spawn(move || read_all(stdout, &sender));
            Box::new(child.stdin.take().expect("stdin is piped"))
        };
        let log = transcript.clone();
        thread::spawn(move || errors.lines().map_while(Result::ok).for_each(|line| log.note("!!", &line)));
        Self {
            adapter: child,
            writer: Some(writer),
            incoming,
            ended: false,
            validate,
            next_seq: 1,
            seen_seqs: HashSet::new(),
            answers: HashMap::new(),
            events: VecDeque::new(),
            output: HashMap::new(),
            placed: Vec::new(),
            launched: Vec::new(),
            transcript,
            abilities: Value::Null,
            reverse: HashMap::new(),
        }
    }

    /// `weft dap` on standard input and output.
    pub fn weft() -> Self {
        Self::start(&Adapter::Stdio, true)
    }

    /// The adapter's process.
    pub fn adapter_pid(&self) -> i32 {
        i32::try_from(self.adapter.id()).expect("a process id")
    }

    /// The process that `launch` started, once the `process` event told.
    pub fn debuggee(&self) -> i32 {
        *self.launched.last().expect("a process event came")
    }

    // Requests.

    /// Sends a request and gives its number.
    pub fn send(&mut self, command: &str, arguments: Value) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        let mut message = json!({"seq": seq, "type": "request", "command": command});
        if !arguments.is_null() {
            message["arguments"] = arguments;
        }
        self.send_raw(&frame(&message));
        seq
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.transcript
            .note("->", &String::from_utf8_lossy(bytes.split(|byte| *byte == b'\n').next_back().unwrap_or(b"")));
        let writer = self.writer.as_mut().expect("the conversation is open");
        // An adapter that went away is found out by whoever waits for its answer.
        let _ = writer.write_all(bytes).and_then(|()| writer.flush());
    }

    /// Takes the number for a message that the test writes itself.
    pub fn take_seq(&mut self) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// Waits for the answer to a request sent earlier.
    pub fn answer(&mut self, seq: i64) -> Reply {
        let answer = self.until(&format!("the answer to request {seq}"), |client| client.answers.remove(&seq));
        if answer["success"] == json!(true) {
            return Ok(answer["body"].clone());
        }
        let error = &answer["body"]["error"];
        let mut message =
            error["format"].as_str().or_else(|| answer["message"].as_str()).unwrap_or_default().to_owned();
        for (name, value) in error["variables"].as_object().into_iter().flatten() {
            message = message.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default());
        }
        Err(Failure { id: error["id"].as_i64().unwrap_or(0), message })
    }

    /// A request and its answer.
    pub fn request(&mut self, command: &str, arguments: Value) -> Reply {
        let seq = self.send(command, arguments);
        self.answer(seq)
    }

    /// A request that must be served.
    pub fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let shown = arguments.to_string();
        self.request(command, arguments).unwrap_or_else(|failure| panic!("{command} {shown} failed: {failure:?}"))
    }

    /// A request that must be refused.
    pub fn refused(&mut self, command: &str, arguments: Value) -> Failure {
        let shown = arguments.to_string();
        match self.request(command, arguments) {
            Err(failure) => failure,
            Ok(body) => panic!("{command} {shown} was served: {body}"),
        }
    }

    // Events.

    /// Waits for the first event of this name that was not taken yet and that fits, and gives its body.
    pub fn event_where(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = self.until(&format!("the event {name}"), |client| {
            let at = client.events.iter().position(|event| event["event"] == name && fits(&event["body"]))?;
            client.events.remove(at)
        });
        found["body"].clone()
    }

    /// Waits for the first event of this name that was not taken yet, and gives its body.
    pub fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true)
    }

    /// Waits until an event of one of these names has come, and leaves it to be taken.
    pub fn peek_event(&mut self, names: &[&str]) {
        self.until(&format!("one of the events {names:?}"), |client| {
            client.events.iter().any(|event| names.iter().any(|name| event["event"] == *name)).then_some(())
        });
    }

    /// Waits for what an answerer of the adapter's requests sends.
    pub fn asked<T>(&mut self, sent: &Receiver<T>) -> T {
        self.until("a request of the adapter's", |_| sent.try_recv().ok())
    }

    /// Waits for an event of this name or the answer to a request, whichever comes first, and leaves it to be taken; whether it is the
    /// event.
    pub fn event_before_answer(&mut self, name: &str, seq: i64) -> bool {
        self.until(&format!("the event {name} or the answer to request {seq}"), |client| {
            let came = client.events.iter().any(|event| event["event"] == name);
            (came || client.answers.contains_key(&seq)).then_some(came)
        })
    }

    /// Waits for an event of this name, and leaves it to be taken; whether it came in time.
    pub fn comes_within(&mut self, name: &str, longest: Duration) -> bool {
        let deadline = Instant::now() + longest;
        loop {
            self.catch_up();
            if self.events.iter().any(|event| event["event"] == name) {
                return true;
            }
            assert!(!self.ended, "the adapter ended the conversation before the event {name}");
            match self.incoming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(received) => self.take(received),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }

    /// The events of this name that came and were not taken, in order; taken now.
    pub fn take_events(&mut self, name: &str) -> Vec<Value> {
        self.catch_up();
        let (taken, left) = self.events.drain(..).partition(|event| event["event"] == name);
        self.events = left;
        taken.into_iter().map(|event: Value| event["body"].clone()).collect()
    }

    /// The names of all events that came and were not taken, in order.
    pub fn pending_events(&mut self) -> Vec<String> {
        self.catch_up();
        self.events.iter().map(|event| event["event"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Everything written to `stdout`, `stderr`, `console`, … so far.
    pub fn output(&mut self, category: &str) -> String {
        self.catch_up();
        self.output.get(category).cloned().unwrap_or_default()
    }

    /// The output that names a place, so far: text, file name and line.
    pub fn placed_output(&mut self) -> Vec<(String, String, i64)> {
        self.catch_up();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row =
            |body: &Value| (word(&body["output"]), word(&body["source"]["name"]), body["line"].as_i64().unwrap_or(0));
        self.placed.iter().map(row).collect()
    }

    /// Waits until the output of a category contains a text, and gives that output.
    pub fn output_with(&mut self, category: &str, text: &str) -> String {
        self.until(&format!("{text:?} on {category}"), |client| {
            client.output.get(category).filter(|written| written.contains(text)).cloned()
        })
    }

    /// Closes the client's end of the conversation.
    pub fn hang_up(&mut self) {
        self.writer = None;
    }

    /// Waits until the adapter closed its end.
    pub fn wait_end(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.ended {
            self.pump(deadline, "the end of the conversation");
        }
    }

    /// Waits until the adapter has ended by itself, and gives its exit status.
    pub fn adapter_ended(&mut self) -> Option<i32> {
        assert!(process::wait_gone(self.adapter_pid(), DEADLINE), "the adapter does not end");
        self.adapter.wait().expect("our own child").code()
    }

    /// What was said so far.
    pub fn transcript(&self) -> String {
        self.transcript.text()
    }

    /// Puts a remark into the transcript.
    pub fn remark(&self, text: &str) {
        self.transcript.note("##", text);
    }

    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.catch_up();
            if let Some(found) = look(self) {
                return found;
            }
            assert!(!self.ended, "the adapter ended the conversation before {what}");
            self.pump(deadline, what);
        }
    }

    fn catch_up(&mut self) {
        while let Ok(received) = self.incoming.try_recv() {
            self.take(received);
        }
    }

    fn pump(&mut self, deadline: Instant, what: &str) {
        let longest = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match self.incoming.recv_timeout(longest) {
            Ok(received) => self.take(received),
            Err(RecvTimeoutError::Timeout) => panic!("waited {DEADLINE:?} in vain for {what}"),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
    }

    fn take(&mut self, received: Received) {
        let message = match received {
            Received::Message(message) => message,
            Received::Garbage(text) => panic!("the adapter sent something that is not DAP: {text}"),
            Received::End => {
                self.ended = true;
                return;
            }
        };
        self.transcript.note("<-", &message.to_string());
        if self.validate {
            if let Err(violation) = schema::check(&message) {
                panic!("{violation}\nin {message}");
            }
            let seq = message["seq"].as_i64().unwrap_or_default();
            assert!(seq > 0 && self.seen_seqs.insert(seq), "the number {seq} is used twice or not positive: {message}");
        }
        match message["type"].as_str() {
            Some("response") => {
                let request = message["request_seq"].as_i64().unwrap_or_default();
                let before = self.answers.insert(request, message);
                assert!(before.is_none(), "request {request} was answered twice");
            }
            Some("event") => self.take_event(message),
            Some("request") => self.serve(&message),
            _ => panic!("the adapter says what is no message: {message}"),
        }
    }

    /// Answers what the adapter asks.
    fn serve(&mut self, request: &Value) {
        let command = request["command"].as_str().unwrap_or_default();
        let answerer = self.reverse.get_mut(command);
        let answerer =
            answerer.unwrap_or_else(|| panic!("this client does not offer what the adapter asks: {request}"));
        let answer = answerer(&request["arguments"]);
        let mut response = json!({"seq": self.take_seq(), "type": "response", "request_seq": request["seq"],
            "command": command, "success": answer.is_ok()});
        match answer {
            Ok(body) => response["body"] = body,
            Err(message) => response["message"] = json!(message),
        }
        self.send_raw(&frame(&response));
    }

    fn take_event(&mut self, event: Value) {
        let body = &event["body"];
        match event["event"].as_str() {
            Some("output") => {
                let category = body["category"].as_str().unwrap_or("console").to_owned();
                if body["source"].is_object() {
                    self.placed.push(body.clone());
                }
                self.output.entry(category).or_default().push_str(body["output"].as_str().unwrap_or_default());
            }
            Some("process") => {
                if let (Some(pid), "launch") =
                    (body["systemProcessId"].as_i64(), body["startMethod"].as_str().unwrap_or(""))
                {
                    self.launched.push(i32::try_from(pid).expect("a process id"));
                }
                self.events.push_back(event);
            }
            _ => self.events.push_back(event),
        }
    }
}

/// A TCP connection whose other direction ends with this one.
struct Connection(TcpStream);

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

/// Connects to the address that the adapter prints.
fn connect(errors: &mut impl BufRead) -> TcpStream {
    let mut line = String::new();
    errors.read_line(&mut line).expect("the adapter prints its address");
    let address = line.split_whitespace().next_back().unwrap_or_default();
    TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect as told by {line:?}: {error}"))
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut left = process::descendants(self.adapter_pid());
        left.extend(&self.launched);
        let _ = self.adapter.kill();
        let _ = self.adapter.wait();
        // The kernel ends what a dead debugger held; a program that stays was let go of by mistake.
        let survivors: Vec<i32> = left.into_iter().filter(|&pid| !process::wait_gone(pid, DEADLINE)).collect();
        for &pid in &survivors {
            // SAFETY: a signal to a process that this client caused.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        if thread::panicking() {
            eprintln!("{}", self.transcript.report());
        } else {
            assert!(survivors.is_empty(), "outlived their adapter: {survivors:?}\n{}", self.transcript.report());
        }
    }
}
