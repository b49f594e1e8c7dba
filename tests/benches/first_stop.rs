//! weft beside lldb-dap on mini-redis-server: time from `launch` to the first stop at a breakpoint, and the adapter's
//! peak memory by then. And how long `weft tasks --pid` takes for a thousand tasks. Prints Markdown.
//!
//! `cargo xtask bench [RUNS]`. lldb-dap is taken from `LLDB_DAP`, else from the usual names on PATH; it comes with
//! Debian's package lldb-19 (`apt-get install lldb-19`).

mod peers;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use weft_tests::{Adapter, Client, mini_redis, process, programs};

use peers::median;

const RUNS: usize = 15;

/// One launch.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    /// Peak memory, in MiB, when the stop was told.
    at_stop: f64,
    /// Peak memory, in MiB, after threads, stack, scopes and variables, as an editor asks for them.
    shown: f64,
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let weft = Adapter::Stdio;
    let lldb = peers::lldb().map(|program| Adapter::Other(program, Vec::new()));
    first_stops(&weft, lldb.as_ref(), runs);
    task_lists(runs);
}

fn first_stops(weft: &Adapter, lldb: Option<&Adapter>, runs: usize) {
    let program = mini_redis::server();
    let line = mini_redis::line("src/server.rs", "limit_connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),");
    // The first run of each fills the page cache and weft's index on disk; it is shown apart.
    let cold: Vec<Option<Sample>> =
        [Some(weft), lldb].map(|adapter| adapter.map(|adapter| launch(adapter, &program, line))).into();
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    // Interleaved, so that what else the machine does falls on both alike.
    for _ in 0..runs {
        ours.push(launch(weft, &program, line));
        theirs.extend(lldb.map(|adapter| launch(adapter, &program, line)));
    }
    println!("Launch of mini-redis-server to a stop at server.rs:{line}, {runs} interleaved runs after one of each.\n");
    println!("| | first run | min | median | max | |\n|---|---|---|---|---|---|");
    for (what, unit, value) in [
        ("time", "ms", (|sample: &Sample| sample.seconds * 1e3) as fn(&Sample) -> f64),
        ("peak memory at the stop", "MiB", |sample: &Sample| sample.at_stop),
        ("peak memory with variables shown", "MiB", |sample: &Sample| sample.shown),
    ] {
        row(&format!("weft, {what}"), unit, cold[0].as_ref().map(value), ours.iter().map(value).collect());
        if !theirs.is_empty() {
            row(&format!("lldb-dap, {what}"), unit, cold[1].as_ref().map(value), theirs.iter().map(value).collect());
            let ratio = median(ours.iter().map(value).collect()) / median(theirs.iter().map(value).collect());
            println!("| **weft / lldb-dap, {what}** | | | **{ratio:.3}** | | |");
        }
    }
    println!();
}

/// From sending `initialize` to having read `stopped`.
fn launch(adapter: &Adapter, program: &Path, line: i64) -> Sample {
    let mut client = Client::start(adapter, false);
    let port = mini_redis::free_port().to_string();
    let started = Instant::now();
    client.initialize();
    let launch = client.send("launch", json!({"program": program, "args": ["--port", port]}));
    client.event("initialized");
    let set = client.set_breakpoints(&mini_redis::source("src/server.rs"), &[line]);
    client.ask("configurationDone", json!({}));
    client.answer(launch).unwrap_or_else(|failure| panic!("{failure:?}"));
    let stop = client.stopped();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(stop.hit, [set[0].id], "stopped where it was asked to");
    let at_stop = peak_memory(client.adapter_pid());
    client.threads();
    let top = client.stack(stop.thread).remove(0);
    assert_eq!(top.line, line, "stopped at the right line");
    for scope in client.scopes(top.id).iter().filter(|scope| matches!(scope.name.as_str(), "Arguments" | "Locals")) {
        client.variables(scope.reference);
    }
    let shown = peak_memory(client.adapter_pid());
    client.ask("disconnect", json!({"terminateDebuggee": true}));
    Sample { seconds, at_stop, shown }
}

/// The adapter's and its helpers' (lldb-server), without the debuggee.
fn peak_memory(adapter: i32) -> f64 {
    let helpers = process::descendants(adapter).into_iter().filter(|&pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("lldb-server"))
    });
    let kibibytes: u64 = std::iter::once(adapter).chain(helpers).filter_map(process::peak_memory).sum();
    kibibytes as f64 / 1024.0
}

fn task_lists(runs: usize) {
    println!("`weft tasks --pid` on a live program with 1,001 tasks, {runs} runs after one.\n");
    println!("| | first run | min | median | max | |\n|---|---|---|---|---|---|");
    for (name, profile) in [("debug", programs::Profile::Debug), ("release", programs::Profile::Release)] {
        let mut spawner = process::Guarded::start(&programs::program("spawner", profile), &["1000"], &[]);
        spawner.wait_for("ready 1000");
        let cold = tasks(spawner.pid());
        let times = (0..runs).map(|_| tasks(spawner.pid()).as_secs_f64() * 1e3).collect();
        row(&format!("{name} build"), "ms", Some(cold.as_secs_f64() * 1e3), times);
    }
}

fn tasks(pid: i32) -> Duration {
    let started = Instant::now();
    let output =
        Command::new(weft_tests::weft()).args(["tasks", "--pid", &pid.to_string()]).output().expect("weft runs");
    let took = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1001 tasks"));
    took
}

fn row(name: &str, unit: &str, first: Option<f64>, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let first = first.map_or_else(String::new, |value| format!("{value:.1}"));
    let (least, most) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    println!("| {name} | {first} | {least:.1} | {:.1} | {most:.1} | {unit} |", median(values));
}
