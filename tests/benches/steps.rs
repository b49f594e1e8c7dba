//! What steps over awaits cost: the time of one over an await that is ready, and what is left of a program's throughput while a
//! step waits in one of a thousand tasks that run the same function.
//!
//! `cargo xtask bench steps [ROUNDS]`. `walks` says itself how far its tasks come.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, Stop};

const FILE: &str = "walks/src/herd.rs";
const STEPS: usize = 300;

/// How long throughput is taken.
const WHILE: Duration = Duration::from_secs(3);

fn main() {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3);
    println!("{rounds} rounds, medians.\n\n| | debug | release | target |\n|---|---|---|---|");
    let both = |measure: &dyn Fn(Profile) -> f64| {
        [Profile::Debug, Profile::Release].map(|profile| median((0..rounds).map(|_| measure(profile)).collect()))
    };
    let [debug, release] = both(&|profile| over_ready(profile) * 1e3);
    println!("| step over an await that is ready, ms | {debug:.2} | {release:.2} | ≤ 2 |");
    for (name, taken) in [("a debug register free", false), ("none free", true)] {
        let [debug, release] = both(&|profile| throughput(profile, taken) * 100.0);
        println!("| 1,000 siblings while a step waits, {name}, % of their turns | {debug:.0} | {release:.0} | ≥ 50 |");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Launches to a line, and takes the breakpoint away.
fn at(profile: Profile, walk: &str, marker: &str) -> (Client, Stop) {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(FILE), line(FILE, marker))], more: Value::Null };
    client.launch(&program("walks", profile), &[walk], &launch);
    let stop = client.stopped();
    client.set_breakpoints(&source(FILE), &[]);
    (client, stop)
}

/// Seconds, from the request to the stop: the median of many.
fn over_ready(profile: Profile) -> f64 {
    let (mut client, mut stop) = at(profile, "laps", "laps 1");
    let awaits = line(FILE, "laps 1");
    let mut times = Vec::new();
    while times.len() < STEPS {
        let is_await = client.top(stop.thread).line == awaits;
        let begun = Instant::now();
        stop = client.step("next", stop.thread);
        assert_eq!(stop.reason, "step");
        if is_await {
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    client.disconnect();
    median(times)
}

/// What is left of a thousand tasks' throughput while a step waits in one of them: 1 is all of it.
fn throughput(profile: Profile, taken: bool) -> f64 {
    let (mut client, stop) = at(profile, "herd", "turn 1");
    if taken {
        let quiet = ["QUIET_A", "QUIET_B", "QUIET_C", "QUIET_D"];
        let ids = quiet.map(|name| {
            let frame = client.top(stop.thread).id;
            let info = client.data_info(frame, &format!("walks::herd::{name}"));
            info.id.unwrap_or_else(|| panic!("{name} cannot be watched: {}", info.description))
        });
        let wanted: Vec<Value> = ids.iter().map(|id| json!({"dataId": id, "accessType": "write"})).collect();
        let set = client.set_data(&wanted);
        assert!(set.iter().all(|set| set.verified), "{set:?}");
    }
    client.resume(stop.thread);
    let without = turns(&mut client);
    let tasks = client.pause();
    let listed = client.async_tasks();
    let waits = line(FILE, "turn 1");
    let waiting = weft_tests::list(&listed["tasks"]).find(|task| task["location"]["line"] == waits);
    let thread = waiting.and_then(|task| task["threadId"].as_i64()).unwrap_or(tasks.thread);
    client.ask("next", json!({"threadId": thread}));
    let with = turns(&mut client);
    assert_eq!(client.take_events("stopped").len(), 0, "nothing wakes the task up");
    client.disconnect();
    with / without
}

/// Turns a second, by the program's clock, from now on.
fn turns(client: &mut Client) -> f64 {
    let before = client.output("stdout").len();
    assert!(!client.comes_within("stopped", WHILE), "nothing stops");
    let said = client.output("stdout");
    let rows: Vec<[f64; 2]> = said[before..].lines().filter_map(row).collect();
    let [first, last] = [rows[1], rows[rows.len() - 1]];
    (last[1] - first[1]) / (last[0] - first[0]) * 1e6
}

/// Microseconds and turns; none if it is cut.
fn row(line: &str) -> Option<[f64; 2]> {
    let mut numbers = line.split(' ').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}
