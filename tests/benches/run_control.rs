//! weft beside lldb-dap and gdb on one program: false conditions a second, the time of a step, the time to attach to a
//! process with many threads. Prints Markdown.
//!
//! `cargo xtask bench run_control [ROUNDS]`. A debugger that is not installed is left out.

mod floor;
mod peers;

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Adapter, Client, process};

use peers::{Gdb, median};

const ROUNDS: usize = 5;
const FILE: &str = "laps/src/main.rs";
/// False in every turn.
const NEVER: &str = "i == 4000000000";
const STEPS: usize = 300;
const THREADS: usize = 500;

/// Turns on all threads together: a few seconds for each.
const TURNS: [(Peer, u64); 3] = [(Peer::Weft, 600_000), (Peer::Lldb, 2_000), (Peer::Gdb, 4_000)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Weft,
    Lldb,
    Gdb,
}

struct Peers {
    lldb: Option<PathBuf>,
    gdb: Option<PathBuf>,
}

impl Peers {
    fn there(&self) -> Vec<Peer> {
        let there = [(Peer::Weft, true), (Peer::Lldb, self.lldb.is_some()), (Peer::Gdb, self.gdb.is_some())];
        there.into_iter().filter_map(|(peer, is_there)| is_there.then_some(peer)).collect()
    }

    fn gdb(&self) -> Gdb {
        Gdb::start(self.gdb.as_deref().expect("gdb is there"))
    }

    fn client(&self, peer: Peer) -> Client {
        match (peer, &self.lldb) {
            (Peer::Lldb, Some(lldb)) => Client::start(&Adapter::Other(lldb.clone(), Vec::new()), false),
            _ => Client::start(&Adapter::Stdio, false),
        }
    }
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let peers = Peers { lldb: peers::lldb(), gdb: peers::gdb() };
    println!("{rounds} interleaved rounds, medians.\n");
    println!("| | weft | lldb-dap | gdb | weft to lldb-dap | weft to gdb | |\n|---|---|---|---|---|---|---|");
    for threads in [1, 4] {
        let name = format!("false conditions, {threads} thread{}", if threads == 1 { "" } else { "s, together" });
        row(&name, "/s", &measured(&peers, rounds, |peer| false_conditions(&peers, peer, threads)));
    }
    let floor = median((0..rounds).map(|_| floor::stops_per_second()).collect());
    println!("| bare stops (`PTRACE_CONT` and wait, one core) | {} | | | | | /s |", number(floor));
    row("`next`", "ms", &measured(&peers, rounds, |peer| step(&peers, peer) * 1e3));
    row(&format!("attach to {THREADS} threads"), "ms", &measured(&peers, rounds, |peer| attach(&peers, peer) * 1e3));
    println!();
    exact_hits();
}

fn measured(peers: &Peers, rounds: usize, measure: impl Fn(Peer) -> f64) -> Vec<(Peer, f64)> {
    let there = peers.there();
    let mut values: Vec<(Peer, Vec<f64>)> = there.iter().map(|peer| (*peer, Vec::new())).collect();
    // Interleaved, so that what else the machine does falls on all alike.
    for _ in 0..rounds {
        for (peer, values) in &mut values {
            values.push(measure(*peer));
        }
    }
    values.into_iter().map(|(peer, values)| (peer, median(values))).collect()
}

fn row(name: &str, unit: &str, values: &[(Peer, f64)]) {
    let of = |wanted| values.iter().find(|(peer, _)| *peer == wanted).map(|(_, value)| *value);
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let weft = of(Peer::Weft);
    let ratio = |peer| shown(weft.zip(of(peer)).map(|(ours, theirs)| ours / theirs));
    let [ours, lldb, gdb] = [Peer::Weft, Peer::Lldb, Peer::Gdb].map(|peer| shown(of(peer)));
    println!("| {name} | {ours} | {lldb} | {gdb} | {} | {} | {unit} |", ratio(Peer::Lldb), ratio(Peer::Gdb));
}

fn number(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

fn laps() -> PathBuf {
    program("laps", Profile::Debug)
}

fn body() -> i64 {
    line(FILE, "body")
}

/// Where the program says how long it took, and in how many threads it calculated right.
struct Outcome(tempfile::TempDir);

impl Outcome {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("outcome")
    }

    /// Seconds.
    fn read(&self, threads: u64) -> f64 {
        let text = std::fs::read_to_string(self.file()).expect("the program came to its end");
        let mut numbers = text.split_whitespace();
        let mut next = || numbers.next().and_then(|number| number.parse::<f64>().ok()).expect("a number");
        let seconds = next();
        assert_eq!(next(), threads as f64, "threads that calculated right");
        seconds
    }
}

/// False conditions a second, by the program's own clock.
fn false_conditions(peers: &Peers, peer: Peer, threads: u64) -> f64 {
    let total =
        TURNS.into_iter().find_map(|(of, turns)| (of == peer).then_some(turns)).expect("every peer has its turns");
    let turns = total / threads;
    let outcome = Outcome::new();
    let args = ["run".to_owned(), threads.to_string(), turns.to_string(), outcome.file().display().to_string()];
    match peer {
        Peer::Gdb => {
            let mut gdb = peers.gdb();
            gdb.tell(&format!("-file-exec-and-symbols {}", laps().display()));
            gdb.tell(&format!("-exec-arguments {}", args.join(" ")));
            gdb.tell(&format!("-break-insert -c \"{NEVER}\" --source {} --line {}", source(FILE).display(), body()));
            gdb.tell("-exec-run");
            assert!(gdb.until(&["*stopped"]).contains("exited-normally"));
        }
        _ => {
            let mut client = peers.client(peer);
            launch(&mut client, &args, json!({"line": body(), "condition": NEVER}));
            client.event("exited");
            assert_eq!(client.take_events("stopped").len(), 0, "the condition was never true");
        }
    }
    (turns * threads) as f64 / outcome.read(threads)
}

/// Launches with one breakpoint; gives its id.
fn launch(client: &mut Client, args: &[String], breakpoint: serde_json::Value) -> i64 {
    client.initialize();
    let launch = client.send("launch", json!({"program": laps(), "args": args}));
    client.event("initialized");
    let set = client.set_source_breakpoints(&source(FILE), &[breakpoint]);
    client.ask("configurationDone", json!({}));
    client.answer(launch).unwrap_or_else(|failure| panic!("{failure:?}"));
    set[0].id
}

/// Seconds of a `next` in the plain loop, from the request to the stop: the median of many.
fn step(peers: &Peers, peer: Peer) -> f64 {
    let outcome = Outcome::new();
    let args = ["run".to_owned(), "1".to_owned(), u64::MAX.to_string(), outcome.file().display().to_string()];
    let mut times = Vec::new();
    let mut time = |step: &mut dyn FnMut()| {
        let begun = Instant::now();
        step();
        times.push(begun.elapsed().as_secs_f64());
    };
    if peer == Peer::Gdb {
        let mut gdb = peers.gdb();
        gdb.tell(&format!("-file-exec-and-symbols {}", laps().display()));
        gdb.tell(&format!("-exec-arguments {}", args.join(" ")));
        gdb.tell(&format!("-break-insert -t --source {} --line {}", source(FILE).display(), body()));
        gdb.tell("-exec-run");
        gdb.until(&["*stopped"]);
        for _ in 0..STEPS {
            time(&mut || {
                gdb.send("-exec-next");
                assert!(gdb.until(&["*stopped"]).contains("end-stepping-range"));
            });
        }
        gdb.tell("-interpreter-exec console kill");
    } else {
        let mut client = peers.client(peer);
        launch(&mut client, &args, json!({"line": body()}));
        let stop = client.stopped();
        client.set_source_breakpoints(&source(FILE), &[]);
        for _ in 0..STEPS {
            time(&mut || {
                client.ask("next", json!({"threadId": stop.thread}));
                assert_eq!(client.stopped().reason, "step");
            });
        }
        client.ask("disconnect", json!({"terminateDebuggee": true}));
    }
    median(times)
}

/// Seconds from `attach` to a stop that shows all threads of a process that has many.
fn attach(peers: &Peers, peer: Peer) -> f64 {
    let mut busy = process::Guarded::start(&laps(), &["wait", &THREADS.to_string()], &[]);
    busy.wait_for("ready");
    if peer == Peer::Gdb {
        let mut gdb = peers.gdb();
        let begun = Instant::now();
        gdb.send(&format!("-target-attach {}", busy.pid()));
        assert!(gdb.until(&["*stopped", "^error"]).starts_with("*stopped"));
        let seconds = begun.elapsed().as_secs_f64();
        gdb.tell("-target-detach");
        return seconds;
    }
    let mut client = peers.client(peer);
    client.initialize();
    let begun = Instant::now();
    let attach = client.send("attach", json!({"pid": busy.pid(), "program": laps(), "stopOnEntry": true}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    client.answer(attach).unwrap_or_else(|failure| panic!("{failure:?}"));
    client.stopped();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(client.threads().len(), THREADS + 1, "{peer:?} knows every thread");
    client.ask("disconnect", json!({"terminateDebuggee": false}));
    assert!(process::lives(busy.pid()));
    seconds
}

/// Four threads, a million hits of one breakpoint: each is counted, once.
fn exact_hits() {
    let (threads, turns) = (4, 250_000);
    let total = threads * turns;
    let outcome = Outcome::new();
    let args = ["run".to_owned(), threads.to_string(), turns.to_string(), outcome.file().display().to_string()];
    let mut client = Client::weft();
    let begun = Instant::now();
    let condition = format!("i < {turns}");
    let hits = total.to_string();
    let id = launch(&mut client, &args, json!({"line": body(), "condition": condition, "hitCondition": hits}));
    let stop = client.stopped();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(stop.hit, [id]);
    // All others have done all their turns; this one is in its last.
    let top = client.top(stop.thread);
    assert_eq!(client.evaluate("i", top.id).value, (turns - 1).to_string());
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    outcome.read(threads);
    println!("{total} hits by {threads} threads, each counted: the stop came at hit {total}, after {seconds:.1} s.");
}
