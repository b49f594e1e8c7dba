//! Panics: which stop, what they say, where they are shown.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program};
use weft_tests::{Client, Launch, Stop};

const FILE: &str = "panics/src/main.rs";

/// A panic as it was shown: the line of the first frame that is not subtle, and the message, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    line: i64,
    message: Option<String>,
    description: String,
}

fn launched(role: &str, profile: Profile, filters: &[&str]) -> Client {
    let mut client = Client::weft();
    client.launch_configured(&program("panics", profile), &[role], &Launch::default(), |client| {
        let set = client.set_exceptions(filters, &[]);
        assert!(set.iter().all(|filter| filter.verified), "{set:?}");
    });
    client
}

fn shown(client: &mut Client, stop: &Stop) -> Shown {
    assert_eq!(stop.reason, "exception", "{stop:?}");
    let info = client.exception_info(stop.thread);
    assert_eq!(info["details"]["message"], stop.body["text"], "{info}");
    let first = client.stack(stop.thread).into_iter().find(|frame| frame.hint != "subtle" && frame.path.is_some());
    Shown {
        line: first.map_or(0, |frame| frame.line),
        message: stop.body["text"].as_str().map(str::to_owned),
        description: stop.body["description"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Every panic until the program has ended, or until a signal is about to end it.
fn all_shown(client: &mut Client) -> Vec<Shown> {
    let mut all = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        if stop.body["description"].as_str().is_some_and(|text| text.starts_with("signal")) {
            break;
        }
        let one = shown(client, &stop);
        all.push(one);
        client.resume(stop.thread);
    }
    all
}

/// What the program's own hook has written: line and text of each panic.
fn written(client: &mut Client) -> Vec<(i64, String)> {
    let output = client.output("stdout");
    let parse = |row: &str| {
        let (line, text) = row.split_once(' ').expect("a line and a text");
        (line.parse().expect("a number"), serde_json::from_str::<String>(&unescaped(text)).expect("a quoted text"))
    };
    output.lines().map(parse).collect()
}

/// Rust's way of quoting as JSON has it.
fn unescaped(text: &str) -> String {
    text.replace("\\'", "'")
}

fn table(profile: Profile) -> Vec<Shown> {
    let mut client = launched("table", profile, &["panic"]);
    let all = all_shown(&mut client);
    assert_eq!(client.exited(), 0);
    let told = written(&mut client);
    assert_eq!(all.len(), told.len(), "{all:#?}");
    for (shown, (line, text)) in all.iter().zip(&told) {
        let message = shown.message.as_deref().expect("a message");
        if text == "no text" {
            assert_eq!(message, "a value of type panics::Broken");
        } else if text.len() > 64 * 1024 {
            let kept = message.strip_suffix("… (100000 bytes)").expect("it says how long it is");
            assert_eq!((kept.len(), text.starts_with(kept)), (64 * 1024, true));
        } else {
            assert_eq!(message, text, "{shown:?}");
        }
        assert_eq!(shown.description, "panic");
        if profile == Profile::Debug {
            assert_eq!(shown.line, *line, "{shown:?}");
        }
    }
    all
}

fn messages(all: &[Shown]) -> Vec<&str> {
    all.iter().filter_map(|shown| shown.message.as_deref()).collect()
}

/// Some of the messages, so that a hook that is never run cannot pass for agreement.
const SOME: [&str; 12] = [
    "plain words",
    "formatted 4 and [4, 4]",
    "index out of bounds: the len is 2 but the index is 4",
    "called `Option::unwrap()` on a `None` value",
    "called `Result::unwrap()` on an `Err` value: Broken(4)",
    "it holds: Broken(4)",
    "assertion `left == right` failed: four is not five\n  left: 4\n right: 5",
    "attempt to divide by zero",
    "Grüße an 4 Krebse 🦀",
    "owned 4",
    "in a drop: 4",
    "in a thread",
];

#[test]
fn every_panic_is_shown_with_its_exact_message_on_its_line() {
    let all = table(Profile::Debug);
    assert_eq!(all.len(), 26, "{all:#?}");
    let messages = messages(&all);
    for expected in SOME.iter().chain(&["attempt to add with overflow"]) {
        assert_eq!(messages.iter().filter(|message| message == &expected).count(), 1, "{expected}");
    }
    let at = |marker: &str| all.iter().filter(|shown| shown.line == line(FILE, marker)).count();
    assert_eq!(["formatted", "index", "unwrap", "any", "overflow"].map(at), [1; 5]);
}

#[test]
fn optimised_code_panics_with_exact_messages() {
    let all = table(Profile::Release);
    assert_eq!(all.len(), 25, "{all:#?}");
    let messages = messages(&all);
    for expected in SOME {
        assert_eq!(messages.iter().filter(|message| **message == expected).count(), 1, "{expected}");
    }
}

#[test]
fn a_panic_is_shown_before_anything_is_printed_or_unwound() {
    let mut client = launched("table", Profile::Debug, &["panic"]);
    let stop = client.stopped();
    assert_eq!(client.output("stdout"), "");
    let frames = client.stack(stop.thread);
    assert!(frames.iter().any(|frame| frame.name == "panics::main"), "{frames:?}");
    // Without filters nothing stops any more.
    client.set_exceptions(&[], &[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn panics_while_a_panic_unwinds_are_shown_until_the_program_aborts() {
    for profile in [Profile::Debug, Profile::Release] {
        let mut client = launched("double", profile, &["panic"]);
        let all = all_shown(&mut client);
        assert_eq!(messages(&all), ["first 1", "second 2", "panic in a destructor during cleanup"], "{profile:?}");
        client.disconnect();
    }
}

#[test]
fn a_panic_of_the_hook_is_shown_without_a_text_that_nobody_makes() {
    let mut client = launched("hook", Profile::Debug, &["panic"]);
    let all = all_shown(&mut client);
    let messages: Vec<_> = all.iter().map(|shown| shown.message.as_deref()).collect();
    assert_eq!(messages, [Some("first 1"), None]);
    client.disconnect();
}

#[test]
fn a_runtime_catches_the_panics_of_tasks() {
    for profile in [Profile::Debug, Profile::Release] {
        let any = all_shown(&mut launched("tasks", profile, &["panic"]));
        let told: Vec<_> = any.iter().map(|shown| (shown.description.as_str(), shown.message.as_deref())).collect();
        let expected = [
            ("panic", Some("in block_on 1")),
            ("panic in a task", Some("in a task 2")),
            ("panic", Some("caught in a task 3")),
        ];
        assert_eq!(told, expected, "{profile:?}");
        if profile == Profile::Debug {
            let lines = ["in block_on", "in a task", "caught in a task"].map(|marker| line(FILE, marker));
            assert_eq!(any.iter().map(|shown| shown.line).collect::<Vec<_>>(), lines);
        }
        // One stop where both filters are meant.
        assert_eq!(all_shown(&mut launched("tasks", profile, &["panic", "panic-in-task"])), any);
        let in_task = all_shown(&mut launched("tasks", profile, &["panic-in-task"]));
        assert_eq!(in_task, any.get(1..2).expect("the second"), "{profile:?}");
    }
}

#[test]
fn a_filter_takes_no_condition_and_says_so() {
    let mut client = Client::weft();
    client.launch_configured(&program("panics", Profile::Debug), &["table"], &Launch::default(), |client| {
        let set = client.set_exceptions(&[], &[("panic", "n == 2")]);
        assert!(!set[0].verified && set[0].message.contains("takes no condition"), "{set:?}");
    });
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_panic_interrupts_a_step_and_says_so() {
    let mut client = Client::weft();
    let file = weft_tests::programs::source(FILE);
    let at = line(FILE, "in block_on");
    let launch = Launch { breakpoints: vec![(file, at - 1)], more: Value::Null };
    client.launch_configured(&program("panics", Profile::Debug), &["tasks"], &launch, |client| {
        client.set_exceptions(&["panic"], &[]);
    });
    let mut stop = client.stopped();
    while stop.reason != "exception" {
        stop = client.step_with("next", stop.thread, &json!({}));
    }
    let description = stop.body["description"].as_str().unwrap_or_default();
    assert!(description.starts_with("panic; the step ") && description.ends_with("was interrupted"), "{stop:?}");
    assert_eq!(stop.body["text"], "in block_on 1");
    client.disconnect();
}
