//! A client at the other end of an in-memory stream. Every message it receives is checked against the
//! specification's schema.

pub(crate) mod fake;
mod said;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use weft_session::{Runtime, ServeOptions, serve};

use fake::{Fake, FakeFactory};

pub(crate) struct Client {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
    buffer: BytesMut,
    seq: i64,
    expected_seq: i64,
    /// Messages received and not yet asked for.
    pub(crate) unread: Vec<Value>,
    pub(crate) factory: Arc<FakeFactory>,
    pub(crate) session: JoinHandle<()>,
}

impl Client {
    pub(crate) fn connect() -> Self {
        Self::with(FakeFactory::default(), native())
    }

    pub(crate) fn with(factory: FakeFactory, options: ServeOptions) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (their_reader, their_writer) = tokio::io::split(theirs);
        let factory = Arc::new(factory);
        let session = tokio::spawn(serve(their_reader, their_writer, factory.clone(), options));
        let (reader, writer) = tokio::io::split(ours);
        let (buffer, unread) = (BytesMut::new(), Vec::new());
        Self { reader, writer, buffer, seq: 0, expected_seq: 1, unread, factory, session }
    }

    /// A session whose program runs.
    pub(crate) async fn launched() -> Self {
        Self::launched_with(json!({"program": "/bin/true"})).await
    }

    pub(crate) async fn launched_with(configuration: Value) -> Self {
        let mut client = Self::connect();
        client.ask("initialize", initialize()).await;
        let launch = client.send("launch", configuration).await;
        client.until_event("initialized").await;
        client.ask("configurationDone", json!({})).await;
        let response = client.response(launch).await;
        assert_eq!(response["success"], true, "{response}");
        client.unread.clear();
        client
    }

    /// A session whose program has stopped at a breakpoint.
    pub(crate) async fn stopped() -> Self {
        let mut client = Self::launched().await;
        client.fake().stop_at_breakpoint();
        client.until_event("asyncTasksChanged").await;
        client.unread.clear();
        client
    }

    pub(crate) fn fake(&self) -> Arc<Fake> {
        self.factory.made()
    }

    pub(crate) async fn send(&mut self, command: &str, arguments: Value) -> i64 {
        self.seq += 1;
        let body = json!({"seq": self.seq, "type": "request", "command": command, "arguments": arguments});
        self.raw(&frame(&body.to_string())).await;
        self.seq
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    /// Ends the client's half of the stream.
    pub(crate) async fn hang_up(&mut self) {
        self.writer.shutdown().await.unwrap();
    }

    /// The next message from the wire; `None` when the adapter closed it.
    pub(crate) async fn receive(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.take_frame() {
                check(&message);
                assert_eq!(message["seq"], self.expected_seq, "numbers are gapless");
                self.expected_seq += 1;
                return Some(message);
            }
            if self.reader.read_buf(&mut self.buffer).await.unwrap() == 0 {
                assert!(self.buffer.is_empty());
                return None;
            }
        }
    }

    fn take_frame(&mut self) -> Option<Value> {
        let text = std::str::from_utf8(&self.buffer).unwrap();
        let (header, rest) = text.split_once("\r\n\r\n")?;
        let length: usize = header.strip_prefix("Content-Length: ").unwrap().parse().unwrap();
        let message = serde_json::from_str(rest.get(..length)?).unwrap();
        let _ = self.buffer.split_to(header.len() + 4 + length);
        Some(message)
    }

    /// The response to a request; what comes before it is kept in `unread`.
    pub(crate) async fn response(&mut self, seq: i64) -> Value {
        let is_it = |message: &Value| message["type"] == "response" && message["request_seq"] == seq;
        if let Some(at) = self.unread.iter().position(is_it) {
            return self.unread.remove(at);
        }
        loop {
            let message = self.receive().await.expect("the stream ended before the response");
            if is_it(&message) {
                return message;
            }
            self.unread.push(message);
        }
    }

    /// Sends a request and returns its response.
    pub(crate) async fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let seq = self.send(command, arguments).await;
        self.response(seq).await
    }

    /// Sends a request that must succeed and returns its body.
    pub(crate) async fn body(&mut self, command: &str, arguments: Value) -> Value {
        let response = self.ask(command, arguments).await;
        assert_eq!(response["success"], true, "{response}");
        response["body"].clone()
    }

    /// Sends a request that must fail and returns the error's number and sentence.
    pub(crate) async fn error(&mut self, command: &str, arguments: Value) -> (i64, String) {
        let response = self.ask(command, arguments).await;
        assert_eq!(response["success"], false, "{response}");
        let error = &response["body"]["error"];
        (error["id"].as_i64().unwrap(), error["format"].as_str().unwrap().to_owned())
    }

    /// Reads until an event of that name and returns it; what comes before it is kept in `unread`.
    pub(crate) async fn until_event(&mut self, name: &str) -> Value {
        if let Some(at) = self.unread.iter().position(|message| message["event"] == name) {
            return self.unread.remove(at);
        }
        loop {
            let message = self.receive().await.expect("the stream ended before the event");
            if message["event"] == name {
                return message;
            }
            self.unread.push(message);
        }
    }

    /// Reads until the adapter asks for something of that name.
    pub(crate) async fn until_request(&mut self, command: &str) -> Value {
        loop {
            let is_it = |message: &Value| message["type"] == "request" && message["command"] == command;
            if let Some(at) = self.unread.iter().position(is_it) {
                return self.unread.remove(at);
            }
            let message = self.receive().await.expect("the stream ended before the request");
            self.unread.push(message);
        }
    }

    /// Answers what the adapter asked.
    pub(crate) async fn reply(&mut self, request: &Value, answer: Result<Value, &str>) {
        self.seq += 1;
        let mut response = json!({"seq": self.seq, "type": "response", "request_seq": request["seq"],
            "command": request["command"], "success": answer.is_ok()});
        match answer {
            Ok(body) => response["body"] = body,
            Err(message) => response["message"] = json!(message),
        }
        self.raw(&frame(&response.to_string())).await;
    }

    /// Reads until there are `count` messages, and tells each by a word: an event's name (with `stopped`'s reason),
    /// or a command's with `!` for a refusal.
    pub(crate) async fn order(&mut self, count: usize) -> Vec<String> {
        while self.unread.len() < count {
            let message = self.receive().await.expect("the stream ended too early");
            self.unread.push(message);
        }
        self.unread.drain(..count).map(|message| word(&message)).collect()
    }

    /// Everything up to the end of the stream, as words.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        while let Some(message) = self.receive().await {
            self.unread.push(message);
        }
        self.unread.drain(..).map(|message| word(&message)).collect()
    }
}

/// The session's options when the client said that it debugs native programs.
pub(crate) fn native() -> ServeOptions {
    ServeOptions { runtime: Some(Runtime::Native), ..ServeOptions::default() }
}

pub(crate) fn initialize() -> Value {
    json!({"adapterID": "weft", "linesStartAt1": true, "columnsStartAt1": true, "supportsVariableType": true,
        "supportsVariablePaging": true})
}

pub(crate) fn frame(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn word(message: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match message["event"].as_str() {
        Some("stopped") => format!("[stopped {}]", text(&message["body"]["reason"])),
        Some("thread") => format!("[thread {}]", text(&message["body"]["reason"])),
        Some(event) => format!("[{event}]"),
        None if message["success"] == true => text(&message["command"]),
        None => format!("{}!", text(&message["command"])),
    }
}

/// Panics unless a message is what the specification says, and weft's own schema for what weft adds.
pub(crate) fn check(message: &Value) {
    let upper = |name: &str| name[..1].to_uppercase() + &name[1..];
    let kind = match message["type"].as_str() {
        Some("event") => upper(message["event"].as_str().unwrap()) + "Event",
        Some("request") => upper(message["command"].as_str().unwrap()) + "Request",
        _ if message["success"] == true => upper(message["command"].as_str().unwrap()) + "Response",
        _ if message["message"] == "cancelled" => "Response".into(),
        _ => "ErrorResponse".into(),
    };
    static SPECIFICATION: OnceLock<Value> = OnceLock::new();
    static OURS: OnceLock<Value> = OnceLock::new();
    let specification = SPECIFICATION.get_or_init(|| read_schema("tests/schema/debugAdapterProtocol.json"));
    let ours = OURS.get_or_init(|| {
        let mut schema = read_schema("docs/async-dap.schema.json");
        // A field that the schema does not name is a mistake here, whatever a client may tolerate.
        for (name, definition) in schema["definitions"].as_object_mut().unwrap() {
            if name != "Source" && definition.get("properties").is_some() {
                definition["additionalProperties"] = json!(false);
            }
        }
        schema
    });
    if specification["definitions"].get(&kind).is_some() {
        return validate(specification, &kind, message);
    }
    // To the specification, what weft adds is an ordinary event or response.
    validate(specification, if message["type"] == "event" { "Event" } else { "Response" }, message);
    let body = format!("{kind}Body");
    match message.get("body") {
        Some(value) => validate(ours, &body, value),
        None => assert!(ours["definitions"].get(&body).is_none(), "{kind} lacks its body"),
    }
}

fn read_schema(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn validate(schema: &Value, definition: &str, value: &Value) {
    static VALIDATORS: Mutex<Option<HashMap<String, Arc<jsonschema::Validator>>>> = Mutex::new(None);
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.get_or_insert_default().entry(definition.to_owned()).or_insert_with(|| {
        let root = json!({
            "$schema": schema["$schema"],
            "definitions": schema["definitions"],
            "allOf": [{"$ref": format!("#/definitions/{definition}")}],
        });
        Arc::new(jsonschema::validator_for(&root).unwrap())
    });
    let validator = Arc::clone(validator);
    drop(validators);
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{definition}: {errors:?}\n{value}");
}
