//! How long `weft tasks --pid` takes for a thousand tasks. Prints Markdown.
//!
//! `cargo xtask bench task_list [RUNS]`.

use std::time::Instant;

use weft_tests::{process, programs};

const RUNS: usize = 15;

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    println!("`weft tasks --pid` on a live program with 1,001 tasks, {runs} runs after one.\n");
    println!("| | first run | min | median | max | |\n|---|---|---|---|---|---|");
    for (name, profile) in [("debug", programs::Profile::Debug), ("release", programs::Profile::Release)] {
        let mut spawner = process::Guarded::start(&programs::program("spawner", profile), &["1000"], &[]);
        spawner.wait_for("ready 1000");
        let first = tasks(spawner.pid());
        let mut times: Vec<f64> = (0..runs.max(1)).map(|_| tasks(spawner.pid())).collect();
        times.sort_by(f64::total_cmp);
        let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        println!("| {name} build | {first:.1} | {least:.1} | {middle:.1} | {most:.1} | ms |");
    }
}

/// Milliseconds.
fn tasks(pid: i32) -> f64 {
    let started = Instant::now();
    let output = weft_tests::weft_command(&["tasks", "--pid", &pid.to_string()]).output().expect("weft runs");
    let took = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1001 tasks"));
    took.as_secs_f64() * 1e3
}
