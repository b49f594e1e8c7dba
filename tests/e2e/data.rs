//! Breakpoints on data: what hits them, what is said about it, and when they end.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, Stop};

const FILE: &str = "watched/src/main.rs";

fn launched(markers: &[&str]) -> (Client, Stop) {
    launched_as(Profile::Debug, markers)
}

fn launched_as(profile: Profile, markers: &[&str]) -> (Client, Stop) {
    let mut client = Client::weft();
    let breakpoints = markers.iter().map(|marker| (source(FILE), line(FILE, marker))).collect();
    let set = client.launch(&program("watched", profile), &[], &Launch { breakpoints, more: Value::Null });
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    let stop = client.stopped();
    (client, stop)
}

/// The id of what an expression names in the top frame.
fn data(client: &mut Client, stop: &Stop, name: &str) -> String {
    let frame = client.top(stop.thread).id;
    let info = client.data_info(frame, name);
    info.id.unwrap_or_else(|| panic!("`{name}` cannot be watched: {}", info.description))
}

fn text(stop: &Stop) -> &str {
    stop.body["text"].as_str().unwrap_or_default()
}

/// The texts of all stops at data until another kind of stop, or the end.
fn changes(client: &mut Client, mut thread: i64) -> (Vec<String>, Option<Stop>) {
    let mut texts = Vec::new();
    loop {
        client.resume(thread);
        match client.stop_or_exit() {
            Some(stop) if stop.reason == "data breakpoint" => {
                texts.push(text(&stop).to_owned());
                thread = stop.thread;
            }
            other => return (texts, other),
        }
    }
}

#[test]
fn a_local_is_watched_until_its_call_returns() {
    let (mut client, stop) = launched(&["sum begins"]);
    let stop = client.step("next", stop.thread);
    let total = data(&mut client, &stop, "total");
    let set = client.set_data_breakpoints(&[(&total, "write")]);
    assert!(set[0].verified, "{set:?}");
    client.set_breakpoints(&source(FILE), &[]);
    client.resume(stop.thread);
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), stop.hit.as_slice()), ("data breakpoint", &[set[0].id][..]), "{stop:?}");
    // Behind the instruction that did it, which is the last one of its line.
    let adds = line(FILE, "adds");
    assert!([adds, adds - 1].contains(&client.top(stop.thread).line), "{stop:?}");
    assert_eq!(text(&stop), "`total` changed from 0 to 1");
    let (texts, end) = changes(&mut client, stop.thread);
    assert_eq!(end, None);
    // Four turns of the first call; the second call has another `total` at the same place.
    assert_eq!(
        texts,
        [
            "`total` changed from 1 to 3",
            "`total` changed from 3 to 6",
            "`total` changed from 6 to 10",
            "`total` is not watched any more: the call that it belonged to has returned",
        ]
    );
    let removed = client.take_events("breakpoint");
    assert!(removed.iter().any(|event| event["reason"] == "removed" && event["breakpoint"]["id"] == set[0].id));
    assert_eq!(client.exited(), 0);
}

#[test]
fn conditions_and_hit_conditions_hold_for_data() {
    let (mut client, stop) = launched(&["sum begins"]);
    let stop = client.step("next", stop.thread);
    let total = data(&mut client, &stop, "total");
    client.set_breakpoints(&source(FILE), &[]);
    client.set_data(&[json!({"dataId": total, "accessType": "write", "condition": "total > 2", "hitCondition": "2"})]);
    let (texts, _) = changes(&mut client, stop.thread);
    assert_eq!(texts[0], "`total` changed from 3 to 6", "the second of those above 2: {texts:?}");
    assert_eq!(texts.len(), 2, "and the end: {texts:?}");
    assert_eq!(client.exited(), 0);
}

#[test]
fn four_are_watched_and_the_fifth_is_refused() {
    let (mut client, stop) = launched(&["many", "many end"]);
    let ids = ["a", "b", "c", "d", "e"].map(|name| data(&mut client, &stop, name));
    let wanted: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "write")).collect();
    let set = client.set_data_breakpoints(&wanted);
    assert_eq!(set.iter().map(|set| set.verified).collect::<Vec<_>>(), [true, true, true, true, false], "{set:?}");
    assert!(set[4].message.contains("clear another data breakpoint"), "{set:?}");
    // With room, the fifth is set, and the first keeps its number.
    let again = client.set_data_breakpoints(&[wanted[0], wanted[4]]);
    assert!(again.iter().all(|set| set.verified) && again[0].id == set[0].id, "{again:?}");
    let (texts, end) = changes(&mut client, stop.thread);
    assert_eq!(texts, ["`a` changed from 1 to 2", "`e` changed from 5 to 18446744073709551615 (0xffffffffffffffff)"]);
    let end = end.expect("the line behind");
    assert_eq!(client.top(end.thread).line, line(FILE, "many end"));
    client.disconnect();
}

#[test]
fn reads_hit_a_watch_for_reading() {
    let (mut client, stop) = launched(&["change a", "many end"]);
    let a = data(&mut client, &stop, "a");
    let set = client.set_data_breakpoints(&[(&a, "readWrite")]);
    assert!(set[0].verified, "{set:?}");
    let (texts, end) = changes(&mut client, stop.thread);
    assert_eq!(texts.last().map(String::as_str), Some("`a` changed from 1 to 2"), "{texts:?}");
    assert!(texts.iter().rev().skip(1).all(|text| text == "`a` was read or written: 1"), "{texts:?}");
    let (texts, _) = changes(&mut client, end.expect("the line behind").thread);
    assert_eq!(texts[0], "`a` was read or written: 2", "{texts:?}");
    client.disconnect();
}

#[test]
fn a_step_that_changes_watched_data_is_interrupted() {
    let (mut client, stop) = launched(&["count"]);
    let count = data(&mut client, &stop, "COUNT");
    client.set_data_breakpoints(&[(&count, "write")]);
    client.set_breakpoints(&source(FILE), &[]);
    // The line has another thread do it.
    let stop = client.step("next", stop.thread);
    assert_eq!((stop.reason.as_str(), text(&stop)), ("data breakpoint", "`COUNT` changed from 0 to 5"), "{stop:?}");
    let description = stop.body["description"].as_str().unwrap_or_default();
    assert!(description.contains("was interrupted"), "{stop:?}");
    client.disconnect();
}

#[test]
fn single_instructions_hit_watched_data_too() {
    let (mut client, stop) = launched(&["change a"]);
    let a = data(&mut client, &stop, "a");
    client.set_data_breakpoints(&[(&a, "write")]);
    let mut stop = stop;
    for _ in 0..20 {
        stop = client.step_with("next", stop.thread, &json!({"granularity": "instruction"}));
        if stop.reason == "data breakpoint" {
            break;
        }
    }
    assert_eq!(text(&stop), "`a` changed from 1 to 2", "{stop:?}");
    client.disconnect();
}

#[test]
fn a_watch_ends_when_its_call_is_left_by_a_panic() {
    let (mut client, stop) = launched(&["fails", "after fails"]);
    let local = data(&mut client, &stop, "local");
    let set = client.set_data_breakpoints(&[(&local, "write")]);
    let (texts, end) = changes(&mut client, stop.thread);
    assert_eq!(texts.first().map(String::as_str), Some("`local` changed from 1 to 2"));
    // Where the place is used again before the next stop, that is where the end shows; else at the next stop.
    for text in texts.iter().skip(1) {
        assert!(text.starts_with("`local` is not watched any more: the call "), "{texts:?}");
    }
    let end = end.expect("the line behind");
    assert_eq!(client.top(end.thread).line, line(FILE, "after fails"));
    let removed = client.take_events("breakpoint");
    assert!(removed.iter().any(|event| event["reason"] == "removed" && event["breakpoint"]["id"] == set[0].id));
    let (texts, end) = changes(&mut client, end.thread);
    assert_eq!((texts, end), (Vec::new(), None));
    assert_eq!(client.exited(), 0);
}

#[test]
fn threads_that_begin_later_are_watched_and_forked_processes_are_not() {
    for profile in [Profile::Debug, Profile::Release] {
        let (mut client, stop) = launched_as(profile, &["begin"]);
        let count = data(&mut client, &stop, "COUNT");
        let set = client.set_data_breakpoints(&[(&count, "write")]);
        assert!(set[0].verified, "{set:?}");
        client.set_breakpoints(&source(FILE), &[]);
        let (texts, end) = changes(&mut client, stop.thread);
        assert_eq!(texts, ["`COUNT` changed from 0 to 5", "`COUNT` changed from 5 to 10"], "{profile:?}");
        assert_eq!((end, client.exited()), (None, 0));
    }
}
