//! A breakpoint on the line of an `.await` stops once for each evaluation, however often the task is polled there.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch};

const CHAINS: &str = "walks/src/chains.rs";
const MAIN: &str = "walks/src/main.rs";

/// Four tasks await three times each, and are polled three times at each await.
fn run(profile: Profile, chains: &[Value], leaf: &[Value]) -> (Client, Vec<(i64, String)>) {
    let mut client = Client::weft();
    client.launch_configured(&program("walks", profile), &["four"], &Launch::default(), |client| {
        for (file, wanted) in [(CHAINS, chains), (MAIN, leaf)] {
            let set = client.set_source_breakpoints(&source(file), wanted);
            assert!(set.iter().all(|set| set.verified), "{set:?}");
        }
    });
    let mut stops = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        let top = client.top(stop.thread);
        stops.push((top.line, client.evaluate("id", top.id).value));
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "four 90\n");
    stops.sort();
    (client, stops)
}

fn at(file: &str, marker: &str, more: Value) -> Value {
    let mut wanted = json!({"line": line(file, marker)});
    for (name, value) in more.as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    wanted
}

fn once_for_each_task(profile: Profile) {
    let awaits = ["chain 2", "chain 3", "chain 4"];
    let chains = awaits.map(|marker| at(CHAINS, marker, Value::Null));
    let (_, stops) = run(profile, &chains, &[]);
    let ids = ["1", "2", "3", "4"];
    let expected: Vec<(i64, String)> =
        awaits.iter().flat_map(|marker| ids.map(|id| (line(CHAINS, marker), id.to_owned()))).collect();
    assert_eq!(stops, expected);
}

fn counted_and_logged(profile: Profile) {
    let chains = [
        at(CHAINS, "chain 2", json!({"logMessage": "two by {id}"})),
        at(CHAINS, "chain 3", json!({"hitCondition": "4"})),
        at(CHAINS, "chain 4", json!({"condition": "id > 2"})),
        at(CHAINS, "chain 5", json!({"hitCondition": "5"})),
    ];
    let leaf = ["leaf 1", "leaf 2"].map(|marker| at(MAIN, marker, json!({"logMessage": marker})));
    let (mut client, stops) = run(profile, &chains, &leaf);
    let lines: Vec<i64> = stops.iter().map(|(line, _)| *line).collect();
    let [third, fourth] = ["chain 3", "chain 4"].map(|marker| line(CHAINS, marker));
    assert_eq!(lines, [third, fourth, fourth], "{stops:?}");
    assert_eq!([&stops[1].1, &stops[2].1], ["3", "4"]);
    let log = client.output("console");
    let logged = |text: &str| log.lines().filter(|line| *line == text).count();
    assert_eq!(["1", "2", "3", "4"].map(|id| logged(&format!("two by {id}"))), [1, 1, 1, 1], "{log}");
    assert_eq!(["leaf 1", "leaf 2"].map(logged), [12, 12], "{log}");
}

#[test]
fn stop_once_for_each_task() {
    once_for_each_task(Profile::Debug);
}

#[test]
fn stop_once_for_each_task_when_optimised() {
    once_for_each_task(Profile::Release);
}

#[test]
fn are_counted_and_logged_once() {
    counted_and_logged(Profile::Debug);
}

#[test]
fn are_counted_and_logged_once_when_optimised() {
    counted_and_logged(Profile::Release);
}
