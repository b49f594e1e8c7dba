//! Framing: `Content-Length: N`, an empty line, N bytes of JSON.
//!
//! A decoder's `Err` ends a stream in tokio-util, so nothing a client can send is one. What is not a message becomes
//! [`Incoming::Malformed`], and reading goes on at the next `Content-Length`. A header inside a body that is no JSON
//! ends that body: raw line ends cannot occur inside a JSON string, so a length that was too large does not swallow
//! the messages behind it.

use std::io;

use bytes::{Buf, BytesMut};
use serde_json::{Map, Value};
use tokio_util::codec::{Decoder, Encoder};

use crate::message::{Incoming, Malformed, News, Numbered, Reply, Request};

/// Bytes a message may have.
pub const MAX_MESSAGE: usize = 64 << 20;

/// Bytes a header may have.
const MAX_HEADER: usize = 4096;

/// Bytes of a `Content-Length` line that are looked at when it is searched for inside a body.
const MAX_LINE: usize = 64;

/// Characters of why a request was not served that are kept.
const MOST_REASON: usize = 1 << 16;

const NAME: &[u8] = b"content-length";

/// DAP's framing in both directions.
#[derive(Debug, Default)]
pub struct Codec {
    /// The body that is awaited, if a header was read.
    body: Option<Body>,
    /// Something malformed was reported and no message came since: what is skipped now was said already.
    resynchronising: bool,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    length: usize,
    /// Bytes of it that were searched for a header.
    searched: usize,
}

/// What stands at the start of the buffer, where a header should.
enum Header {
    /// Not enough bytes to tell; that many of them are certainly nothing.
    Incomplete { garbage: usize },
    /// A header of that many bytes, the garbage before it included.
    Complete { garbage: usize, end: usize, length: usize },
    /// Header fields and an empty line, but no length; reading goes on behind that many bytes.
    Missing { end: usize },
    /// No header; reading goes on behind that many bytes.
    Bad { end: usize, reason: String },
}

impl Decoder for Codec {
    type Item = Incoming;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Incoming>, io::Error> {
        loop {
            let found = match self.body {
                Some(body) => return Ok(self.read_body(body, buffer)),
                None => read_header(buffer),
            };
            match found {
                Header::Incomplete { garbage } => {
                    buffer.advance(garbage);
                    return Ok(if garbage > 0 { self.skipped(garbage) } else { None });
                }
                Header::Missing { end } => {
                    buffer.advance(end);
                    if !self.resynchronising {
                        let reason = "a header has no Content-Length".into();
                        return Ok(Some(self.malformed(Malformed { seq: None, command: None, reason })));
                    }
                }
                Header::Bad { end, reason } => {
                    buffer.advance(end);
                    return Ok(Some(self.malformed(Malformed { seq: None, command: None, reason })));
                }
                Header::Complete { garbage, end, length } => {
                    buffer.advance(end);
                    self.body = Some(Body { length, searched: 0 });
                    if garbage > 0
                        && let Some(item) = self.skipped(garbage)
                    {
                        return Ok(Some(item));
                    }
                }
            }
        }
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Incoming>, io::Error> {
        if let Some(item) = self.decode(buffer)? {
            return Ok(Some(item));
        }
        let inside = self.body.take().is_some() || !buffer.is_empty();
        buffer.clear();
        let reason = || "the stream ended inside a message".to_owned();
        Ok(inside.then(|| Incoming::Malformed(Malformed { seq: None, command: None, reason: reason() })))
    }
}

impl Encoder<Numbered> for Codec {
    type Error = io::Error;

    fn encode(&mut self, message: Numbered, buffer: &mut BytesMut) -> Result<(), io::Error> {
        let json = message.to_json();
        buffer.extend_from_slice(format!("Content-Length: {}\r\n\r\n", json.len()).as_bytes());
        buffer.extend_from_slice(json.as_bytes());
        Ok(())
    }
}

impl Codec {
    fn read_body(&mut self, mut body: Body, buffer: &mut BytesMut) -> Option<Incoming> {
        if buffer.len() < body.length {
            let Some(end) = find_header(buffer, body.searched, buffer.len(), false) else {
                body.searched = buffer.len().saturating_sub(MAX_LINE);
                self.body = Some(body);
                buffer.reserve(body.length.saturating_sub(buffer.len()));
                return None;
            };
            self.body = None;
            return Some(self.unreadable(&buffer.split_to(end), "another message begins inside it"));
        }
        self.body = None;
        let complete = buffer.get(..body.length).unwrap_or_default();
        let error = match serde_json::from_slice(complete) {
            Ok(value) => {
                buffer.advance(body.length);
                return Some(self.classify(value));
            }
            Err(error) => error.to_string(),
        };
        let end = find_header(buffer, 0, body.length, true).unwrap_or(body.length);
        Some(self.unreadable(&buffer.split_to(end), &error))
    }

    /// A message that is JSON: is it DAP?
    fn classify(&mut self, value: Value) -> Incoming {
        let Value::Object(mut message) = value else {
            let reason = "a message must be a JSON object".into();
            return self.malformed(Malformed { seq: None, command: None, reason });
        };
        let seq = message.get("seq").and_then(Value::as_i64).filter(|seq| *seq >= 0);
        let command = message.get("command").and_then(Value::as_str).map(str::to_owned);
        match message.get("type").and_then(Value::as_str) {
            Some("response") => match message.get("request_seq").and_then(Value::as_i64) {
                Some(request_seq) => {
                    self.resynchronising = false;
                    Incoming::Response(Reply { request_seq, result: reply(&mut message) })
                }
                None => {
                    let reason = "a response must have `request_seq`, an integer".into();
                    self.malformed(Malformed { seq: None, command: None, reason })
                }
            },
            Some("request") => match (seq, command) {
                (Some(seq), Some(command)) => {
                    self.resynchronising = false;
                    let arguments = message.remove("arguments").unwrap_or_default();
                    Incoming::Request(Request { seq, command, arguments })
                }
                (seq, command) => {
                    let lacks = if seq.is_none() { "`seq`, a positive integer" } else { "`command`, a string" };
                    self.malformed(Malformed { seq, command, reason: format!("a request must have {lacks}") })
                }
            },
            Some("event") => match message.get("event").and_then(Value::as_str).map(str::to_owned) {
                Some(event) => {
                    self.resynchronising = false;
                    Incoming::Event(News { event, body: message.remove("body").unwrap_or_default() })
                }
                None => {
                    let reason = "an event must have `event`, a string".into();
                    self.malformed(Malformed { seq: None, command: None, reason })
                }
            },
            _ => {
                let reason = "`type` must be \"request\", \"response\" or \"event\"".into();
                self.malformed(Malformed { seq, command, reason })
            }
        }
    }

    fn unreadable(&mut self, body: &[u8], reason: &str) -> Incoming {
        let (seq, command) = salvage(body);
        self.malformed(Malformed { seq, command, reason: format!("a message is not JSON: {reason}") })
    }

    fn malformed(&mut self, malformed: Malformed) -> Incoming {
        self.resynchronising = true;
        Incoming::Malformed(malformed)
    }

    fn skipped(&mut self, bytes: usize) -> Option<Incoming> {
        let reason = format!("{bytes} bytes between messages were skipped");
        (!self.resynchronising).then(|| self.malformed(Malformed { seq: None, command: None, reason }))
    }
}

/// What a response says: its body, or why there is none, in the client's words.
fn reply(message: &mut Map<String, Value>) -> Result<Value, String> {
    if message.get("success").and_then(Value::as_bool) == Some(true) {
        return Ok(message.remove("body").unwrap_or_default());
    }
    let detailed = message.get("body").and_then(|body| body.get("error")?.get("format")?.as_str());
    let short = message.get("message").and_then(Value::as_str);
    Err(detailed.or(short).unwrap_or("the client gives no reason").chars().take(MOST_REASON).collect())
}

/// Where `Content-Length` stands, its colon included or (at the buffer's end) still missing.
fn find_name(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|&at| {
        let rest = bytes.get(at..).unwrap_or_default();
        let shared = rest.len().min(NAME.len());
        let matches = rest.iter().zip(NAME).take(shared).all(|(byte, wanted)| byte.eq_ignore_ascii_case(wanted));
        matches && skip_blanks(rest, shared).is_none_or(|byte| byte == b':')
    })
}

fn skip_blanks(bytes: &[u8], from: usize) -> Option<u8> {
    bytes.iter().skip(from).copied().find(|byte| !matches!(byte, b' ' | b'\t'))
}

/// Where a whole `Content-Length: digits` line begins, at or behind `from` and before `to`; `partial`: one that the
/// buffer's end cuts off counts, too.
fn find_header(bytes: &[u8], from: usize, to: usize, partial: bool) -> Option<usize> {
    let mut from = from;
    while let Some(at) = find_name(bytes, from).filter(|at| *at < to) {
        let rest = bytes.get(at..).unwrap_or_default();
        let line = rest.get(..rest.len().min(MAX_LINE)).unwrap_or_default();
        let cut_off = line.len() == rest.len();
        let mut value = line.iter().skip(NAME.len()).skip_while(|byte| matches!(byte, b' ' | b'\t' | b':')).peekable();
        let mut digits = 0usize;
        while value.next_if(|byte| byte.is_ascii_digit()).is_some() {
            digits = digits.saturating_add(1);
        }
        match value.next() {
            Some(b'\r' | b'\n') if digits > 0 => return Some(at),
            None if cut_off && partial => return Some(at),
            _ => from = at.saturating_add(1),
        }
    }
    None
}

/// One line from `from`, without its end, and where the next begins.
fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), from.saturating_add(end).saturating_add(1)))
}

/// `Name: value`?
fn is_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    name > 0 && line.get(name) == Some(&b':')
}

fn read_header(bytes: &[u8]) -> Header {
    let Some(start) = find_name(bytes, 0) else {
        let empty_line = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        return match empty_line {
            Some(at) => Header::Missing { end: at.saturating_add(4) },
            None if bytes.len() > MAX_HEADER => Header::Incomplete { garbage: bytes.len() },
            None => Header::Incomplete { garbage: 0 },
        };
    };
    let mut garbage = start;
    // Other fields may stand before it.
    let mut at = 0;
    while let Some((field, next)) =
        line(bytes.get(..start).unwrap_or_default(), at).filter(|(field, _)| is_field(field))
    {
        let _ = field;
        at = next;
    }
    if at == start {
        garbage = 0;
    }
    let Some((first, mut at)) = line(bytes, start) else {
        return incomplete(bytes, start, garbage);
    };
    let mut length = match read_length(first, start) {
        Ok(length) => length,
        Err(bad) => return bad,
    };
    loop {
        match line(bytes, at) {
            Some((b"", end)) => break Header::Complete { garbage, end, length },
            Some((field, next)) if is_field(field) => {
                // A second length: the message of the first was cut off before its empty line.
                if find_name(field, 0) == Some(0) {
                    length = match read_length(field, at) {
                        Ok(length) => length,
                        Err(bad) => return bad,
                    };
                }
                at = next;
            }
            None if bytes.get(at).is_none_or(|byte| byte.is_ascii_alphanumeric() || *byte == b'\r') => {
                return incomplete(bytes, start, garbage);
            }
            _ => return Header::Bad { end: at, reason: "a header does not end with an empty line".into() },
        }
    }
}

fn incomplete(bytes: &[u8], start: usize, garbage: usize) -> Header {
    if bytes.len().saturating_sub(start) > MAX_HEADER {
        return Header::Bad { end: start.saturating_add(NAME.len()), reason: "a header is too long".into() };
    }
    Header::Incomplete { garbage }
}

/// The number of a `Content-Length` line that begins at `start`.
fn read_length(field: &[u8], start: usize) -> Result<usize, Header> {
    let value = field.iter().position(|byte| *byte == b':').and_then(|colon| field.get(colon.saturating_add(1)..));
    let value = value.unwrap_or_default().trim_ascii();
    let bad = |reason: String| {
        // Behind the line; but not behind another header that a cut-off line runs into.
        let end = find_name(field, NAME.len()).unwrap_or(field.len());
        Header::Bad { end: start.saturating_add(end), reason }
    };
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        let shown = String::from_utf8_lossy(value.get(..value.len().min(40)).unwrap_or_default()).into_owned();
        return Err(bad(format!("Content-Length is {shown:?}, not a number")));
    }
    let number = std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<usize>().ok());
    number
        .filter(|length| *length <= MAX_MESSAGE)
        .ok_or_else(|| bad(format!("Content-Length is larger than {MAX_MESSAGE}, the most that is accepted")))
}

/// `seq` and `command` of a request that is not JSON, so that it can be answered. Only what stands before the
/// arguments counts: those may contain the same words.
fn salvage(body: &[u8]) -> (Option<i64>, Option<String>) {
    let text = String::from_utf8_lossy(body);
    let head = text.split("\"arguments\"").next().unwrap_or_default();
    let after = |key: &str| head.split_once(key).and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    let digits = after("\"seq\"").map(|rest| rest.trim_start().chars().take_while(char::is_ascii_digit).collect());
    let seq = digits.and_then(|digits: String| digits.parse().ok());
    let word = after("\"command\"").and_then(|rest| rest.trim_start().strip_prefix('"')).map(|rest| {
        rest.chars().take_while(|character| character.is_ascii_alphanumeric()).take(80).collect::<String>()
    });
    (seq, word.filter(|word| !word.is_empty()))
}

#[cfg(test)]
mod tests;
