//! Debugging Python programs by weft and by debugpy's own adapter, in turns: the way to a first stop, what is asked at a stop, steps,
//! what debugging costs a busy program; and by weft the tasks of a large one. Prints Markdown.
//!
//! `cargo xtask bench python [RUNS] [sessions] [hot] [tasks]`: all three, unless some are named.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Adapter, Client, Launch, list};

const RUNS: usize = 9;
/// Steps, each with a look at the stop, in one session.
const STEPS: usize = 60;
const VERSIONS: [&str; 3] = ["3.11", "3.13", "3.14"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Weft,
    Stock,
}

/// What prints a table.
type Part = fn(&[Python], usize);

const BOTH: [By; 2] = [By::Weft, By::Stock];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(RUNS).max(1);
    let pythons: Vec<Python> = VERSIONS.into_iter().filter_map(Python::find).collect();
    let parts: [(&str, Part); 3] = [("sessions", print_sessions), ("hot", print_hot), ("tasks", print_tasks)];
    let named = |part: &str| words.iter().any(|word| word == part);
    let all = !parts.iter().any(|(part, _)| named(part));
    for (part, print) in parts {
        if all || named(part) {
            print(&pythons, runs);
        }
    }
}

fn print_sessions(pythons: &[Python], runs: usize) {
    println!("Milliseconds, weft / debugpy's own adapter; medians of {runs} sessions.\n");
    println!("| Python | adapter's start to first stop | launch to first stop | step | stack after it | evaluation |");
    println!("|---|---|---|---|---|---|");
    for python in pythons {
        let sessions: Vec<[Session; 2]> = (0..runs).map(|_| BOTH.map(|by| Session::run(python, by))).collect();
        let both = |of: fn(&Session) -> f64| {
            let [weft, stock] = [0, 1].map(|by| median(sessions.iter().map(|session| of(&session[by])).collect()));
            format!("{weft:.1} / {stock:.1} ({:.2}×)", weft / stock)
        };
        let (whole, launch) = (both(|session| session.whole), both(|session| session.launch));
        let step = both(|session| session.step);
        let (stack, evaluate) = (both(|session| session.stack), both(|session| session.evaluate));
        println!("| {} | {whole} | {launch} | {step} | {stack} | {evaluate} |", python.interpreter.version);
    }
}

fn print_hot(pythons: &[Python], runs: usize) {
    println!("\n`hot.py`, nothing set: times its own time without a debugger; weft / debugpy's own adapter.\n");
    println!("| Python | 300,000 awaits | 20,000 turns of the loop | 30,000 tasks gathered |\n|---|---|---|---|");
    for python in pythons {
        let rounds: Vec<[[f64; 3]; 3]> =
            (0..runs).map(|_| [alone(python), hot(python, By::Weft), hot(python, By::Stock)]).collect();
        let columns = [0, 1, 2].map(|what| {
            let [alone, weft, stock] = [0, 1, 2].map(|by| median(rounds.iter().map(|round| round[by][what]).collect()));
            format!("{:.2} / {:.2}", weft / alone, stock / alone)
        });
        println!("| {} | {} |", python.interpreter.version, columns.join(" | "));
    }
}

fn print_tasks(pythons: &[Python], runs: usize) {
    println!(
        "\nTasks of a stopped program, by weft; milliseconds. All of them are read by a client that is not optimised.\n"
    );
    println!("| Python | tasks | first page of 100 | another page | all |\n|---|---|---|---|---|");
    for python in pythons {
        for size in [1_000, 10_000] {
            let [first, another, all] = tasks(python, size, runs);
            println!("| {} | {size} | {first:.1} | {another:.1} | {all:.1} |", python.interpreter.version);
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// What one session took: its launch, and the medians of what was done in it.
struct Session {
    /// From the start of the adapter's process to the first stop.
    whole: f64,
    /// From the request.
    launch: f64,
    step: f64,
    stack: f64,
    evaluate: f64,
}

impl Session {
    fn run(python: &Python, by: By) -> Self {
        let started = Instant::now();
        let mut client = start(python, by);
        let file = source("laps.py");
        client.initialize();
        let mut arguments = python.with(&json!({"console": "internalConsole", "subProcess": false}));
        arguments["program"] = json!(file);
        let begun = Instant::now();
        let launch = client.send("launch", arguments);
        client.event("initialized");
        client.set_breakpoints(&file, &[line("laps.py", "lap")]);
        client.ask("configurationDone", json!({}));
        let thread = client.stopped().thread;
        let (whole, took) = (since(started), since(begun));
        client.answer(launch).expect("it is launched");
        client.set_breakpoints(&file, &[]);
        let (mut steps, mut stacks, mut evaluations) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STEPS {
            let begun = Instant::now();
            client.step("next", thread);
            steps.push(since(begun));
            let begun = Instant::now();
            let body = client.ask("stackTrace", json!({"threadId": thread}));
            stacks.push(since(begun));
            let frame = body["stackFrames"][0]["id"].clone();
            let begun = Instant::now();
            client.ask("evaluate", json!({"expression": "count + 1", "frameId": frame, "context": "watch"}));
            evaluations.push(since(begun));
        }
        client.ask("disconnect", json!({"terminateDebuggee": true}));
        Self { whole, launch: took, step: median(steps), stack: median(stacks), evaluate: median(evaluations) }
    }
}

fn start(python: &Python, by: By) -> Client {
    match by {
        By::Weft => Client::weft(),
        By::Stock => {
            let adapter = debugpy(python).join("debugpy/adapter").to_str().expect("UTF-8").to_owned();
            Client::start(&Adapter::Other(python.interpreter.path.clone(), vec![adapter]), false)
        }
    }
}

/// The folder that debugpy lies in.
fn debugpy(python: &Python) -> PathBuf {
    let code = "import debugpy, pathlib; print(pathlib.Path(debugpy.__file__).parent.parent)";
    let said = python.command().args(["-c", code]).output().expect("Python runs");
    PathBuf::from(String::from_utf8(said.stdout).expect("UTF-8").trim())
}

/// The seconds of `hot.py`'s three parts.
fn parts(said: &str) -> [f64; 3] {
    let seconds = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or_else(|| panic!("{said}"))
    };
    ["awaits", "turns", "tasks"].map(seconds)
}

fn alone(python: &Python) -> [f64; 3] {
    let said = python.command().arg(source("hot.py")).output().expect("Python runs");
    parts(&String::from_utf8_lossy(&said.stdout))
}

fn hot(python: &Python, by: By) -> [f64; 3] {
    let mut client = start(python, by);
    let more = python.with(&json!({"console": "internalConsole", "subProcess": false}));
    client.launch(&source("hot.py"), &[], &Launch { breakpoints: Vec::new(), more });
    client.event("exited");
    client.event("terminated");
    let said = client.output("stdout");
    client.ask("disconnect", json!({}));
    parts(&said)
}

/// A first page at a stop, a page from the same look, and all of a new one.
fn tasks(python: &Python, size: u64, runs: usize) -> [f64; 3] {
    // To hold thousands of rows against the schema takes longer than to get them.
    let mut client = Client::start(&Adapter::Stdio, false);
    let file = source("crowd.py");
    let breakpoints = vec![(file.clone(), line("crowd.py", "again"))];
    client.launch(&file, &[&size.to_string()], &Launch { breakpoints, more: python.configuration() });
    let mut stop = client.stopped();
    let (mut first, mut another, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let begun = Instant::now();
        let body = client.ask("asyncTasks", json!({"start": 0, "count": 100}));
        first.push(since(begun));
        assert_eq!(body["total"], size + 2);
        let page = json!({"start": 500, "count": 100, "generation": body["generation"]});
        let begun = Instant::now();
        client.ask("asyncTasks", page);
        another.push(since(begun));
        stop = client.resume_to_stop(stop.thread);
        let begun = Instant::now();
        let body = client.ask("asyncTasks", json!({}));
        all.push(since(begun));
        assert_eq!(list(&body["tasks"]).count() as u64, size + 2);
        stop = client.resume_to_stop(stop.thread);
    }
    client.disconnect();
    [first, another, all].map(median)
}
