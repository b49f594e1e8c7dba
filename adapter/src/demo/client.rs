//! The editor's end of a session, as small as it can be.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

use crate::Failure;

/// Longer than anything in the demo takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session in which one thing is asked at a time.
pub(super) struct Client {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    sent: u64,
    events: VecDeque<Value>,
    responses: VecDeque<Value>,
}

impl Client {
    pub(super) fn new(stream: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let (events, responses) = (VecDeque::new(), VecDeque::new());
        Self { reader: BufReader::new(reader), writer, sent: 0, events, responses }
    }

    /// Asks and waits for the answer's body.
    pub(super) async fn request(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        let number = self.start_request(command, arguments).await?;
        self.response(number).await
    }

    /// Asks; [`Client::response`] with the returned number waits for the answer.
    pub(super) async fn start_request(&mut self, command: &str, arguments: Value) -> Result<u64, Failure> {
        self.sent += 1;
        let message = json!({"seq": self.sent, "type": "request", "command": command, "arguments": arguments});
        let text = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        self.writer.write_all(framed.as_bytes()).await.map_err(lost)?;
        Ok(self.sent)
    }

    pub(super) async fn response(&mut self, number: u64) -> Result<Value, Failure> {
        loop {
            if let Some(at) = self.responses.iter().position(|response| response["request_seq"] == number) {
                let response = self.responses.remove(at).unwrap_or_default();
                return if response["success"] == true {
                    Ok(response["body"].clone())
                } else {
                    let format = response["body"]["error"]["format"].as_str();
                    Err(format.or(response["message"].as_str()).unwrap_or("the adapter refused").to_owned())
                };
            }
            self.receive().await?;
        }
    }

    /// Waits for an event's body; what the program writes meanwhile is printed.
    pub(super) async fn event(&mut self, name: &str) -> Result<Value, Failure> {
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["event"] == name {
                    return Ok(event["body"].clone());
                }
                match event["event"].as_str() {
                    Some("output") if event["body"]["category"] != "telemetry" => {
                        anstream::print!("{}", event["body"]["output"].as_str().unwrap_or_default());
                    }
                    Some("terminated" | "exited") => return Err("the demo program ended before it was to".to_owned()),
                    _ => {}
                }
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        let read = tokio::time::timeout(PATIENCE, self.read_message()).await;
        let message = read.map_err(|_| format!("the adapter said nothing for {} s", PATIENCE.as_secs()))??;
        match message["type"].as_str() {
            Some("event") => self.events.push_back(message),
            _ => self.responses.push_back(message),
        }
        Ok(())
    }

    async fn read_message(&mut self) -> Result<Value, Failure> {
        let mut length = 0;
        loop {
            let mut header = String::new();
            if self.reader.read_line(&mut header).await.map_err(lost)? == 0 {
                return Err("the adapter ended the session".to_owned());
            }
            match header.trim().split_once(':') {
                Some(("Content-Length", value)) => length = value.trim().parse().unwrap_or(0),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).await.map_err(lost)?;
        serde_json::from_slice(&body).map_err(|error| format!("the adapter's answer is not JSON: {error}"))
    }
}

fn lost(error: std::io::Error) -> Failure {
    format!("the session broke off: {error}")
}
