//! The way to the client: messages get their number in the order they leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use weft_protocol::spec::{OutputCategory, OutputEventBody};
use weft_protocol::{Error, ErrorId, Event, Failure, Malformed, Numbered, Outgoing, Request, Response, ReverseRequest};

use crate::debuggee::Channel;
use crate::questions::Asker;
use crate::shared::Shared;

/// What the writer is handed.
pub(crate) enum Item {
    Message(Outgoing),
    /// A message that holds that many bytes of the program's output back.
    Output(Outgoing, usize),
    /// A log message, of which only so many may wait.
    Log(Outgoing),
    /// A question, and who waits for its answer.
    Question(ReverseRequest, Asker),
    /// Nothing follows.
    End,
}

/// Sends to the client; cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox {
    items: UnboundedSender<Item>,
    /// Events that the client must not be sent.
    unbearable: Arc<OnceLock<&'static [&'static str]>>,
}

impl Outbox {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Item>) {
        let (items, receiver) = unbounded_channel();
        (Self { items, unbearable: Arc::default() }, receiver)
    }

    /// Names the events that the client must not be sent, once for the session.
    pub(crate) fn never_send(&self, events: &'static [&'static str]) {
        let _ = self.unbearable.set(events);
    }

    /// Sends an event, if the client can bear it. After the end of the session it goes nowhere.
    pub(crate) fn event(&self, name: &'static str, body: &impl Serialize) {
        if self.unbearable.get().is_some_and(|events| events.contains(&name)) {
            return;
        }
        let _ = self.items.send(Item::Message(Outgoing::Event(Event::new(name, body))));
    }

    /// Sends an event that has no body.
    pub(crate) fn bare_event(&self, name: &'static str) {
        let _ = self.items.send(Item::Message(Outgoing::Event(Event::bare(name))));
    }

    /// Sends what the program wrote.
    pub(crate) fn output(&self, channel: Channel, output: String) {
        let size = output.len();
        let body = text(channel, output);
        let _ = self.items.send(Item::Output(Outgoing::Event(Event::new("output", &body)), size));
    }

    /// Says one line in the client's console.
    pub(crate) fn say(&self, channel: Channel, line: &str) {
        let mut output = line.to_owned();
        if !output.ends_with('\n') {
            output.push('\n');
        }
        self.event("output", &text(channel, output));
    }

    /// Sends a log message.
    pub(crate) fn log(&self, body: &OutputEventBody) {
        let _ = self.items.send(Item::Log(Outgoing::Event(Event::new("output", body))));
    }

    /// Sends a question.
    pub(crate) fn ask(&self, request: ReverseRequest, asker: Asker) {
        let _ = self.items.send(Item::Question(request, asker));
    }

    /// Answers what was no message, as far as that is possible.
    pub(crate) fn malformed(&self, bad: &Malformed) {
        match bad.seq {
            Some(seq) => {
                let command = bad.command.clone().unwrap_or_default();
                let error = Error::new(ErrorId::Malformed, &bad.reason);
                self.respond(Response { request_seq: seq, command, result: Err(error.into()) });
            }
            None => self.say(Channel::Console, &format!("weft: {}", bad.reason)),
        }
    }

    /// Tells the writer that nothing follows.
    pub(crate) fn end(&self) {
        let _ = self.items.send(Item::End);
    }

    fn respond(&self, response: Response) {
        let _ = self.items.send(Item::Message(Outgoing::Response(response)));
    }
}

fn text(channel: Channel, output: String) -> OutputEventBody {
    OutputEventBody { category: category(channel), output, source: None, line: None, column: None }
}

fn category(channel: Channel) -> OutputCategory {
    match channel {
        Channel::Stdout => OutputCategory::Stdout,
        Channel::Stderr => OutputCategory::Stderr,
        Channel::Console => OutputCategory::Console,
        Channel::Important => OutputCategory::Important,
    }
}

/// The duty to answer one request, exactly once. Dropped unanswered (by a panic), it answers with our apology.
pub(crate) struct Ticket {
    request: Arc<Waiting>,
    out: Outbox,
}

/// What is left of a request while it waits for its answer.
pub(crate) struct Waiting {
    pub(crate) seq: i64,
    command: String,
    answered: AtomicBool,
}

impl Ticket {
    pub(crate) fn new(request: &Request, out: Outbox) -> Self {
        let waiting = Waiting { seq: request.seq, command: request.command.clone(), answered: AtomicBool::new(false) };
        Self { request: Arc::new(waiting), out }
    }

    pub(crate) fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.request)
    }

    /// Answers with a body.
    pub(crate) fn ok(self, body: &impl Serialize) {
        let result = serde_json::to_string(body)
            .map(Some)
            .map_err(|error| Failure::from(Error::new(ErrorId::Internal, format!("the answer is no JSON: {error}"))));
        self.request.answer(&self.out, result);
    }

    /// Answers that it is done.
    pub(crate) fn done(self) {
        self.request.answer(&self.out, Ok(None));
    }

    /// Answers why not.
    pub(crate) fn fail(self, error: Error) {
        self.request.answer(&self.out, Err(error.into()));
    }

    /// Answers with what came of it.
    pub(crate) fn settle(self, result: Result<impl Serialize, Error>) {
        match result {
            Ok(body) => self.ok(&body),
            Err(error) => self.fail(error),
        }
    }

    /// Answers that it is done, or why not.
    pub(crate) fn settle_bare(self, result: Result<(), Error>) {
        match result {
            Ok(()) => self.done(),
            Err(error) => self.fail(error),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let command = &self.request.command;
        let error = Error::new(ErrorId::Internal, format!("weft failed to serve `{command}`; its log says more"));
        self.request.answer(&self.out, Err(error.into()));
    }
}

impl Waiting {
    /// Whether nobody waits any more.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Answers that the client took the request back, unless it is answered already.
    pub(crate) fn cancel(&self, out: &Outbox) {
        self.answer(out, Err(Failure::Cancelled));
    }

    fn answer(&self, out: &Outbox, result: Result<Option<String>, Failure>) {
        if !self.answered.swap(true, Ordering::AcqRel) {
            out.respond(Response { request_seq: self.seq, command: self.command.clone(), result });
        }
    }
}

/// Writes messages until the end is said or the client is gone.
pub(crate) async fn write(
    mut items: UnboundedReceiver<Item>,
    mut writer: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
) {
    let mut seq = 0i64;
    while let Some(item) = items.recv().await {
        seq = seq.saturating_add(1);
        let (message, size) = match item {
            Item::Message(message) => (message, 0),
            Item::Output(message, size) => (message, size),
            Item::Log(message) => {
                shared.logs.give_back();
                (message, 0)
            }
            Item::Question(request, asker) => {
                // Before it is sent: the answer may be quick.
                shared.asked.asked(seq, asker);
                (Outgoing::Request(request), 0)
            }
            Item::End => break,
        };
        let json = Numbered { seq, message }.to_json();
        tracing::trace!(target: "dap", "<- {json}");
        let frame = format!("Content-Length: {}\r\n\r\n{json}", json.len());
        if writer.write_all(frame.as_bytes()).await.is_err() || (items.is_empty() && writer.flush().await.is_err()) {
            break;
        }
        shared.budget.give_back(size);
    }
    shared.budget.close();
    shared.asked.close();
    let _ = writer.flush().await;
    let _ = writer.shutdown().await;
}
