//! One message, in and out.

use serde::Serialize;
use serde_json::Value;

use crate::{Error, ErrorId};

/// What the decoder makes of the client's bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A request that is well-formed as a message; its arguments are not looked at yet.
    Request(Request),
    /// A response to a request of ours.
    Response(Reply),
    /// News.
    Event(News),
    /// Something else.
    Malformed(Malformed),
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The client's number for it.
    pub seq: i64,
    /// Its name.
    pub command: String,
    /// Its arguments; `Null` when there are none.
    pub arguments: Value,
}

/// The client's answer to a request of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Our number for the request.
    pub request_seq: i64,
    /// The body; or what the client says instead, in its words.
    pub result: Result<Value, String>,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Its name.
    pub event: String,
    /// Its body; `Null` when there is none.
    pub body: Value,
}

/// Bytes that are no message, and what could be read of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The request's number, when it could be made out.
    pub seq: Option<i64>,
    /// The request's name, when it could be made out.
    pub command: Option<String>,
    /// What is wrong, as a sentence without its full stop.
    pub reason: String,
}

/// A message to the client, before it has its number.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// An answer.
    Response(Response),
    /// News.
    Event(Event),
    /// A question to the client.
    Request(ReverseRequest),
}

/// A request of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct ReverseRequest {
    /// Its name.
    pub command: &'static str,
    /// Its arguments as JSON text.
    pub arguments: String,
}

/// An answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The request's `seq`.
    pub request_seq: i64,
    /// The request's `command`.
    pub command: String,
    /// The body as JSON text (none: no body), or why not.
    pub result: Result<Option<String>, Failure>,
}

/// Why a request has no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client took it back.
    Cancelled,
    /// It could not be served.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.id == ErrorId::Cancelled { Self::Cancelled } else { Self::Error(error) }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub event: &'static str,
    /// Its body as JSON text.
    pub body: Option<String>,
}

impl Event {
    /// An event with a body.
    pub fn new(event: &'static str, body: &impl Serialize) -> Self {
        // Serialising our own plain types cannot fail; if it ever does, the event goes without its body.
        Self { event, body: serde_json::to_string(body).ok() }
    }

    /// An event without one.
    pub const fn bare(event: &'static str) -> Self {
        Self { event, body: None }
    }
}

/// A message to the client with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// `seq`, counted from 1 by whoever owns the stream.
    pub seq: i64,
    /// The message.
    pub message: Outgoing,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorMessage<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorMessage<'a> {
    id: i32,
    format: &'a str,
    show_user: bool,
}

impl Numbered {
    /// The message as JSON text. Bodies are JSON already, so the envelope is written around them: a snapshot of
    /// ten thousand tasks is serialised once.
    pub fn to_json(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let body = |body: &Option<String>| body.as_ref().map(|body| format!(r#","body":{body}"#)).unwrap_or_default();
        let seq = self.seq;
        match &self.message {
            Outgoing::Event(Event { event, body: inner }) => {
                format!(r#"{{"seq":{seq},"type":"event","event":"{event}"{}}}"#, body(inner))
            }
            Outgoing::Request(ReverseRequest { command, arguments }) => {
                format!(r#"{{"seq":{seq},"type":"request","command":"{command}","arguments":{arguments}}}"#)
            }
            Outgoing::Response(Response { request_seq, command, result }) => {
                let head = format!(
                    r#"{{"seq":{seq},"type":"response","request_seq":{request_seq},"command":{}"#,
                    text(command)
                );
                match result {
                    Ok(inner) => format!(r#"{head},"success":true{}}}"#, body(inner)),
                    Err(Failure::Cancelled) => format!(r#"{head},"success":false,"message":"cancelled","body":{{}}}}"#),
                    Err(Failure::Error(error)) => {
                        let message = ErrorMessage {
                            id: error.id.number(),
                            format: &error.message,
                            show_user: error.id.show_user(),
                        };
                        let inner = serde_json::to_string(&ErrorBody { error: message }).ok();
                        format!(r#"{head},"success":false,"message":{}{}}}"#, text(&error.message), body(&inner))
                    }
                }
            }
        }
    }
}
