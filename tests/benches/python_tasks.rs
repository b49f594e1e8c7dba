//! The tasks of a Python program from outside, with 1,000 to 100,000 of them: `weft tasks --pid` beside `python -m asyncio ps`,
//! which comes with Python. Prints Markdown.
//!
//! `cargo xtask bench python_tasks [RUNS]`; needs `cargo xtask python 3.14`.

use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;
use weft_tests::programs::source;
use weft_tests::python::{Interpreter, interpreter};
use weft_tests::{process, weft_command};

const RUNS: usize = 9;
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS).max(1);
    let Some(python) = interpreter("3.14") else { return };
    println!("`throng.py N`: N tasks, each a chain of four coroutines. Milliseconds; medians of {runs} runs.\n");
    println!("| tasks | `python -m asyncio ps` | `weft tasks` | the program stood | `weft tasks --json` |");
    println!("|---|---|---|---|---|");
    for size in SIZES {
        compare(&python, size, runs);
    }
}

fn compare(python: &Interpreter, size: u64, runs: usize) {
    let file = source("python/throng.py");
    let file = file.to_str().expect("a path in UTF-8");
    let mut program = process::Guarded::start(&python.path, &[file, &size.to_string()], &[]);
    program.wait_for("ready");
    process::wait_asleep(program.pid());
    let pid = program.pid().to_string();
    let (mut theirs, mut ours, mut stood, mut json) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // In turns, so that what else the machine does is shared by all.
    for _ in 0..runs {
        let (took, output) = timed(Command::new(&python.path).args(["-m", "asyncio", "ps", &pid]));
        // That of 3.14 gives up at 65,536 tasks.
        theirs.extend((lines(&output) > size as usize).then_some(took));
        let (took, output) = timed(&mut weft_command(&["tasks", "--pid", &pid]));
        assert!(lines(&output) > size as usize, "{}", String::from_utf8_lossy(&output.stderr));
        ours.push(took);
        let (took, output) = timed(&mut weft_command(&["tasks", "--json", "--pid", &pid]));
        let body: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(body["total"], size + 1);
        let notes: Vec<&str> = body["notes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        stood.extend(
            notes.iter().find_map(|note| note.strip_prefix("stopped for ")?.strip_suffix(" ms")?.parse::<f64>().ok()),
        );
        json.push(took);
    }
    let theirs = median(theirs).map_or_else(|| "gives up".to_owned(), |took| format!("{took:.0}"));
    let [ours, stood, json] = [ours, stood, json].map(|values| median(values).expect("it was measured"));
    println!("| {size} | {theirs} | {ours:.0} | {stood:.0} | {json:.0} |");
}

fn timed(command: &mut Command) -> (f64, Output) {
    let started = Instant::now();
    let output = command.output().expect("it runs");
    (started.elapsed().as_secs_f64() * 1e3, output)
}

fn lines(output: &Output) -> usize {
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
