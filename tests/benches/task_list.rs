//! The list of all tasks of a program with 1,000 to 100,000 of them, of ten kinds: how long it takes inside a stop and how
//! much memory it costs, and how long `weft tasks --pid` takes and stops the program for. Prints Markdown.
//!
//! `cargo xtask bench task_list [RUNS]`.

use std::time::Instant;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Adapter, Client, process};

const RUNS: usize = 9;
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS).max(1);
    println!("`throng N`: N tasks of ten kinds and a root. Milliseconds; medians of {runs} stops or runs.\n");
    println!("`asyncTasks` inside a stop, as the client sees it:\n");
    println!(
        "| tasks | build | first | warm, no rows | a page of 100 | a filter | all rows | KiB of JSON a task | adapter: KiB a task | at its peak |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for size in SIZES {
        for profile in [Profile::Debug, Profile::Release] {
            in_a_stop(size, profile, runs);
        }
    }
    println!("\n`weft tasks --pid --json`:\n");
    println!("| tasks | build | first run | median | the program stood |");
    println!("|---|---|---|---|---|");
    for size in SIZES {
        for profile in [Profile::Debug, Profile::Release] {
            on_a_live_program(size, profile, runs);
        }
    }
}

fn in_a_stop(size: u64, profile: Profile, runs: usize) {
    let mut client = Client::start(&Adapter::Stdio, false);
    let (throng, file) = (program("throng", profile), source("throng/src/main.rs"));
    let at = line("throng/src/main.rs", "ready");
    let mut stop = client.launch_to(&throng, &[&size.to_string()], file, at);
    let adapter = client.adapter_pid();
    let before = [process::memory(adapter), process::peak_memory(adapter)];
    let (first, body) = timed(&mut client, json!({"count": 0}));
    assert_eq!(body["total"], size + 1, "{body}");
    let after = [process::memory(adapter), process::peak_memory(adapter)];
    let generation = &body["generation"];
    let (page, body) = timed(&mut client, json!({"start": size / 2, "count": 100, "generation": generation}));
    assert_eq!(body["tasks"].as_array().map(Vec::len), Some(100));
    let filter = json!({"text": "receives", "states": ["waiting"]});
    let (filtered, body) = timed(&mut client, json!({"count": 10, "filter": filter, "generation": generation}));
    assert_eq!(body["matched"], size / 10);
    let (all, body) = timed(&mut client, json!({"generation": generation}));
    let json = body.to_string().len() as f64 / 1024.0;
    let mut warm: Vec<f64> = Vec::new();
    for _ in 0..runs {
        client.resume(stop.thread);
        stop = client.pause();
        warm.push(timed(&mut client, json!({"count": 0})).0);
    }
    let tasks = size as f64;
    let added = |index: usize| {
        let kibibytes = |found: [Option<u64>; 2]| found[index].expect("the adapter lives");
        kibibytes(after).saturating_sub(kibibytes(before)) as f64 / tasks
    };
    println!(
        "| {size} | {} | {first:.1} | {:.1} | {page:.1} | {filtered:.1} | {all:.1} | {:.2} | {:.2} | {:.2} |",
        name(profile),
        median(warm),
        json / tasks,
        added(0),
        added(1),
    );
    client.ask("disconnect", json!({"terminateDebuggee": true}));
}

fn on_a_live_program(size: u64, profile: Profile, runs: usize) {
    let mut throng = process::Guarded::start(&program("throng", profile), &[&size.to_string()], &[]);
    throng.wait_for(&format!("ready {size}"));
    let (first, _) = tasks(throng.pid(), size);
    let (times, stood) = (0..runs).map(|_| tasks(throng.pid(), size)).unzip();
    println!("| {size} | {} | {first:.1} | {:.1} | {:.1} |", name(profile), median(times), median(stood));
}

/// Milliseconds that `weft tasks` took, and that the program stood.
fn tasks(pid: i32, size: u64) -> (f64, f64) {
    let started = Instant::now();
    let output = weft_tests::weft_command(&["tasks", "--json", "--pid", &pid.to_string()]).output().expect("weft runs");
    let took = started.elapsed().as_secs_f64() * 1e3;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let body: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(body["total"], size + 1);
    let notes: Vec<&str> = body["notes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let stood = notes.iter().find_map(|note| note.strip_prefix("stopped for ")?.strip_suffix(" ms")?.parse().ok());
    (took, stood.expect("it says for how long the program stood"))
}

/// Milliseconds until the answer is there, and the answer.
fn timed(client: &mut Client, asked: Value) -> (f64, Value) {
    let started = Instant::now();
    let body = client.ask("asyncTasks", asked);
    (started.elapsed().as_secs_f64() * 1e3, body)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const fn name(profile: Profile) -> &'static str {
    match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    }
}
