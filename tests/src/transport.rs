//! DAP's framing, read strictly: an adapter may write nothing else.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::Sender;

use serde_json::Value;

/// What arrives from an adapter.
pub(crate) enum Received {
    /// A message, with its length on the wire.
    Message(Value),
    /// Something that is not DAP; nothing follows.
    Garbage(String),
    /// The adapter closed its end.
    End,
}

/// Reads until the end and hands everything on.
pub(crate) fn read_all(reader: impl Read, to: &Sender<Received>) {
    let mut reader = BufReader::new(reader);
    loop {
        let received = read_one(&mut reader).unwrap_or_else(Received::Garbage);
        let last = !matches!(received, Received::Message(_));
        if to.send(received).is_err() || last {
            return;
        }
    }
}

fn read_one(reader: &mut impl BufRead) -> Result<Received, String> {
    let mut header = String::new();
    reader.read_line(&mut header).map_err(|error| format!("reading a header: {error}"))?;
    if header.is_empty() {
        return Ok(Received::End);
    }
    let length: usize = header
        .strip_prefix("Content-Length: ")
        .and_then(|rest| rest.strip_suffix("\r\n"))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("not a DAP header: {header:?}"))?;
    let mut blank = String::new();
    reader.read_line(&mut blank).map_err(|error| format!("reading a header: {error}"))?;
    if blank != "\r\n" {
        return Err(format!("not the end of a DAP header: {blank:?}"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|error| format!("reading a body of {length} bytes: {error}"))?;
    let message = serde_json::from_slice(&body)
        .map_err(|error| format!("not JSON ({error}): {}", String::from_utf8_lossy(&body)))?;
    Ok(Received::Message(message))
}

/// A message with its header.
pub(crate) fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
