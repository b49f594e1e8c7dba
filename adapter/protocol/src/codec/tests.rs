use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Error, ErrorId, Event, Failure, Outgoing, Response};

fn frame(seq: i64) -> Vec<u8> {
    let body = json!({"seq": seq, "type": "request", "command": "threads", "arguments": {"é": "x"}}).to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Feeds pieces one after the other, as a socket would deliver them.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Incoming> {
    let mut codec = Codec::default();
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(item) = codec.decode(&mut buffer).unwrap() {
            items.push(item);
        }
    }
    while let Some(item) = codec.decode_eof(&mut buffer).unwrap() {
        items.push(item);
    }
    items
}

/// Numbers of the requests, and `None` for each malformed item.
fn seqs(items: &[Incoming]) -> Vec<Option<i64>> {
    items
        .iter()
        .map(|item| match item {
            Incoming::Request(request) => Some(request.seq),
            Incoming::Response(_) | Incoming::Event(_) => panic!("no responses and no events here"),
            Incoming::Malformed(_) => None,
        })
        .collect()
}

fn malformed(items: &[Incoming]) -> &Malformed {
    items.iter().find_map(|item| if let Incoming::Malformed(bad) = item { Some(bad) } else { None }).unwrap()
}

fn between(bad: &[u8]) -> Vec<Incoming> {
    decode([frame(1).as_slice(), bad, frame(2).as_slice()])
}

#[test]
fn bad_headers_cost_nothing_but_themselves() {
    for (bad, reason) in [
        (&b"Content-Length: abc\r\n\r\n{}"[..], "\"abc\", not a number"),
        (b"Content-Length: -5\r\n\r\n{}", "\"-5\", not a number"),
        (b"Content-Length: \r\n\r\n{}", "\"\", not a number"),
        (b"Content-Length: 5 5\r\n\r\n{}", "\"5 5\", not a number"),
        (b"Content-Length: 99999999999999999999999999\r\n\r\n{}", "larger than"),
        (b"Content-Length: 67108865\r\n\r\n{}", "larger than"),
        (b"Content-Type: x\r\n\r\n{}", "no Content-Length"),
        (b"\r\n\r\n", "no Content-Length"),
        (b"Content-Length: 2\r\n{}", "does not end with an empty line"),
        (b"complete nonsense", "were skipped"),
        (b"\xff\xfe\x00", "were skipped"),
        (b"Content-Length: ", "not a number"),
        (b"Content-Length: 2", "not a number"),
    ] {
        let items = between(bad);
        assert_eq!(seqs(&items), [Some(1), None, Some(2)], "{}: {items:?}", String::from_utf8_lossy(bad));
        assert!(malformed(&items).reason.contains(reason), "{:?}", malformed(&items));
    }
}

#[test]
fn bad_bodies_cost_nothing_but_themselves() {
    for (body, reason) in [
        (&b"{\"seq\":9,"[..], "not JSON"),
        (b"", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{\"seq\":1e99,\"type\":\"request\",\"command\":\"x\"}", "must have `seq`"),
        (b"{\"seq\":-1,\"type\":\"request\",\"command\":\"x\"}", "must have `seq`"),
        (b"{\"seq\":\"1\",\"type\":\"request\",\"command\":\"x\"}", "must have `seq`"),
        (b"{\"seq\":9,\"type\":\"request\",\"command\":5}", "must have `command`"),
        (b"{\"seq\":9,\"type\":\"thing\"}", "`type` must be"),
        (b"\"\xff\xff\"", "not JSON"),
    ] {
        let mut bad = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bad.extend_from_slice(body);
        let items = between(&bad);
        assert_eq!(seqs(&items), [Some(1), None, Some(2)], "{}: {items:?}", String::from_utf8_lossy(body));
        assert!(malformed(&items).reason.contains(reason), "{:?}", malformed(&items));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(seqs(&between(format!("Content-Length: 100000\r\n\r\n{deep}").as_bytes())), [Some(1), None, Some(2)]);
}

#[test]
fn wrong_lengths_do_not_swallow_the_next_message() {
    for length in [0, 1, 5, 39, 41, 60, 90, 120, 1000, 60_000_000] {
        let bad = format!("Content-Length: {length}\r\n\r\n{{\"seq\":7,\"type\":\"request\",\"command\":\"x\"}}");
        let seqs = seqs(&between(bad.as_bytes()));
        assert_eq!((seqs.first(), seqs.last()), (Some(&Some(1)), Some(&Some(2))), "{length}: {seqs:?}");
        assert!(seqs.contains(&None), "{length}");
    }
}

#[test]
fn what_a_broken_request_was_is_made_out() {
    let body = r#"{"seq": 12, "type": "request", "command": "evaluate", "arguments": {"seq": 99, "#;
    let items = between(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    assert_eq!(malformed(&items).seq, Some(12));
    assert_eq!(malformed(&items).command.as_deref(), Some("evaluate"));
}

#[test]
fn other_fields_and_bare_line_ends_are_accepted() {
    let body = r#"{"seq":3,"type":"request","command":"threads"}"#;
    let size = body.len();
    for header in [
        format!("Content-Type: a\r\ncontent-length:{size}\r\n\r\n"),
        format!("Content-Length: {size}\r\nContent-Type: a\r\n\r\n"),
        format!("Content-Length: {size}\n\n"),
    ] {
        assert_eq!(seqs(&decode([header.as_bytes(), body.as_bytes()])), [Some(3)], "{header:?}");
    }
}

#[test]
fn an_absurd_length_reserves_nothing() {
    let mut codec = Codec::default();
    let mut buffer = BytesMut::from(&b"Content-Length: 68719476736\r\n\r\n"[..]);
    assert!(matches!(codec.decode(&mut buffer).unwrap(), Some(Incoming::Malformed(_))));
    assert!(buffer.capacity() < 4096);
}

#[test]
fn messages_are_written_with_their_length() {
    let error = Error::new(ErrorId::Evaluate, "no `x` in \"this\" frame");
    let response = Response { request_seq: 4, command: "evaluate".into(), result: Err(Failure::Error(error)) };
    let mut buffer = BytesMut::new();
    Codec::default().encode(Numbered { seq: 1, message: Outgoing::Response(response) }, &mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer).unwrap();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(header, format!("Content-Length: {}", body.len()));
    let value: Value = serde_json::from_str(body).unwrap();
    assert_eq!(value["body"]["error"]["id"], 1401);
    assert_eq!(value["message"], "no `x` in \"this\" frame");
    let event = Outgoing::Event(Event::new("output", &json!({"output": "a\u{2028}\0"})));
    assert!(serde_json::from_str::<Value>(&Numbered { seq: 2, message: event }.to_json()).is_ok());
}

/// Bytes that contain no header of their own: what they look like otherwise does not matter.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let text = "[ \\r\\n:{}\"a-zA-Z0-9]{0,60}".prop_map(String::into_bytes);
    let cut = (0usize..90).prop_map(|end| frame(77).into_iter().take(end).collect::<Vec<u8>>());
    prop_oneof![bytes, text, cut].prop_filter("a whole frame", |bytes| {
        !decode([bytes.as_slice()]).iter().any(|item| matches!(item, Incoming::Request(_)))
    })
}

proptest! {
    #[test]
    fn every_message_survives_any_split(count in 1i64..5, at in proptest::collection::vec(0usize..1000, 0..20)) {
        let stream: Vec<u8> = (1..=count).flat_map(frame).collect();
        let mut cuts: Vec<usize> = at.into_iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(seqs(&decode(pieces)), (1..=count).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn every_message_survives_garbage(parts in proptest::collection::vec(garbage(), 1..6), step in 1usize..64) {
        let mut stream = Vec::new();
        for (seq, garbage) in (1..).zip(&parts) {
            stream.extend_from_slice(garbage);
            stream.extend(frame(seq));
        }
        let got: Vec<i64> = seqs(&decode(stream.chunks(step))).into_iter().flatten().collect();
        prop_assert_eq!(got, (1..=parts.len() as i64).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_panics_and_all_is_consumed(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = decode([bytes.as_slice()]);
    }
}
