//! Requests to the client, and whoever waits for their answers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use weft_protocol::{Error, ErrorId, Reply, ReverseRequest};

use crate::debuggee::Answer;
use crate::outbox::Outbox;
use crate::shared::lock;

/// Where an answer goes.
pub(crate) type Asker = Sender<Result<Value, String>>;

/// What the client was asked and has not answered yet.
pub(crate) struct Questions {
    patience: Duration,
    open: Mutex<Option<HashMap<i64, Asker>>>,
}

impl Questions {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, open: Mutex::new(Some(HashMap::new())) }
    }

    /// The writer has given a question its number.
    pub(crate) fn asked(&self, seq: i64, asker: Asker) {
        // Dropped after the end, the asker learns that nobody answers.
        if let Some(open) = lock(&self.open).as_mut() {
            open.insert(seq, asker);
        }
    }

    /// The client answers. What it was not asked, or too late, goes nowhere.
    pub(crate) fn answer(&self, reply: Reply) {
        let asker = lock(&self.open).as_mut().and_then(|open| open.remove(&reply.request_seq));
        if let Some(asker) = asker {
            let _ = asker.send(reply.result);
        }
    }

    /// The client is gone: nobody will answer.
    pub(crate) fn close(&self) {
        lock(&self.open).take();
    }
}

/// A question on its way.
pub(crate) struct Question {
    command: &'static str,
    answer: Receiver<Result<Value, String>>,
    patience: Duration,
}

impl Question {
    /// Asks the client something; returns at once.
    pub(crate) fn ask(out: &Outbox, questions: &Questions, command: &'static str, arguments: &impl Serialize) -> Self {
        let (asker, answer) = channel();
        // Our own plain types cannot fail to serialise; if one ever does, the client says what it misses.
        let arguments = serde_json::to_string(arguments).unwrap_or_else(|_| "{}".to_owned());
        out.ask(ReverseRequest { command, arguments }, asker);
        Self { command, answer, patience: questions.patience }
    }

    /// Waits for the answer: its body, or a sentence why there is none.
    pub(crate) fn wait(self) -> Answer<Value> {
        let command = self.command;
        let failed = |why: String| Err(Error::new(ErrorId::Client, format!("`{command}`: {why}")));
        match self.answer.recv_timeout(self.patience) {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(why)) => failed(format!("the editor refused: {why}")),
            Err(RecvTimeoutError::Timeout) => {
                failed(format!("the editor did not answer within {} s", self.patience.as_secs_f32()))
            }
            Err(RecvTimeoutError::Disconnected) => failed("the editor has gone".to_owned()),
        }
    }
}
