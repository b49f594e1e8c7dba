//! A debuggee's memory is not to be trusted: everything is answered, soon, and nothing breaks.

use std::time::{Duration, Instant};

use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Variable};

const FILE: &str = "sync_zoo/src/hostile.rs";
/// Everything together; a walk that follows what it reads would take for ever.
const SOON: Duration = Duration::from_secs(20);

fn open(client: &mut Client, variable: &Variable, depth: usize, opened: &mut usize) {
    assert!(variable.value.len() < 20_000, "{}: {} bytes", variable.name, variable.value.len());
    if variable.reference == 0 || depth == 0 || *opened > 300 {
        return;
    }
    *opened += 1;
    let page = serde_json::json!({"variablesReference": variable.reference, "start": 0, "count": 20});
    let Ok(body) = client.request("variables", page) else { return };
    let children: Vec<(String, String, i64)> = weft_tests::list(&body["variables"])
        .map(|child| {
            (
                child["name"].as_str().unwrap_or_default().to_owned(),
                child["value"].as_str().unwrap_or_default().to_owned(),
                child["variablesReference"].as_i64().unwrap_or(0),
            )
        })
        .collect();
    for (name, value, reference) in children.into_iter().take(20) {
        let child = Variable { name, value, reference, ..variable.clone() };
        open(client, &child, depth - 1, opened);
    }
}

#[test]
fn values_that_are_none_are_said_to_be_so() {
    let mut client = Client::weft();
    let program = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&program, &["hostile"], source(FILE), line(FILE, "hostile"));
    let started = Instant::now();
    let top = client.top(stop.thread).id;
    let locals = client.locals(top);
    let value = |name: &str| {
        let found = locals.iter().find(|variable| variable.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {locals:?}")).value.clone()
    };
    // The ring is cut, the lengths are not believed, and what has no meaning is not given one.
    assert!(value("ring").contains("number: 1"), "{}", value("ring"));
    for name in ["dangling", "endless", "endless_text"] {
        assert!(value(name).contains('<') || value(name).contains('…'), "{name} shows {}", value(name));
    }
    assert!(!value("tag").contains("One") && !value("tag").contains("Two"), "{}", value("tag"));
    assert!(value("tag").contains("77") || value("tag").contains('<'), "{}", value("tag"));
    assert!(value("letter").contains('<') || value("letter").contains("110001"), "{}", value("letter"));
    assert!(value("truth").contains('5') || value("truth").contains('<'), "{}", value("truth"));
    assert!(value("bytes").contains("xff") || value("bytes").contains('\u{fffd}'), "{}", value("bytes"));
    let mut opened = 0;
    for variable in &locals {
        open(&mut client, variable, 6, &mut opened);
    }
    assert!(started.elapsed() < SOON, "{opened} variables opened in {:?}", started.elapsed());
    for expression in [
        "wild.number",
        "(*wild).next",
        "dangling[0]",
        "endless[18446744073709551615]",
        "ring.next",
        "wild.number + 1 == 2",
        "endless_text == \"text\"",
        "endless_text < \"text\"",
        "endless[1..] == b\"\"",
        "tag == One",
        "letter == 'a'",
        "truth && ring.number == 1",
    ] {
        // Whatever it is, it is an answer.
        let _ = client.request("evaluate", serde_json::json!({"expression": expression, "frameId": top}));
    }
    assert_eq!(client.evaluate("ring.number", top).value, "1");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}
