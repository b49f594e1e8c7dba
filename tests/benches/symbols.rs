//! weft beside lldb-dap, gdb and BugStalker, on a program of 49 MB and on one of more than 500 MB: the time to a first
//! stop, showing it, and peak memory. Prints Markdown.
//!
//! `cargo xtask bench symbols [ROUNDS] [mini-redis|nu]`. A debugger that is not installed is left out. The large program is
//! downloaded and built when it is not there: an hour of a small machine, and 10 GB of disk meanwhile.

mod looks;
mod page_cache;
mod peers;

use weft_tests::{Adapter, Installed, Port, mini_redis};

use looks::{Debugger, Looks, Shown, Target};
use peers::median;

const ROUNDS: usize = 7;

/// A shell, with everything that it has by default.
const NU: Installed = Installed { package: "nu", version: "0.115.1", binary: "nu", locked: true, large: true };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let wanted = |name: &str| {
        let mut named =
            arguments.iter().filter(|argument| ["mini-redis", "nu"].contains(&argument.as_str())).peekable();
        named.peek().is_none() || named.any(|argument| argument == name)
    };
    let debuggers = debuggers();
    if wanted("mini-redis") {
        compare("mini-redis-server", &small(), &debuggers, rounds, &SMALL);
    }
    if wanted("nu") {
        compare("nu", &large(), &debuggers, rounds, &LARGE);
    }
}

fn debuggers() -> Vec<Debugger> {
    let mut found = vec![Debugger::Weft];
    found.extend(peers::lldb().map(|program| Debugger::Dap("lldb-dap", Adapter::Other(program, Vec::new()))));
    found.extend(peers::gdb().map(Debugger::Gdb));
    let arguments = vec!["--dap-local".to_owned()];
    found.extend(peers::bugstalker().map(|program| Debugger::Dap("BugStalker", Adapter::Other(program, arguments))));
    found
}

fn small() -> Target {
    let line = mini_redis::line("src/server.rs", "limit_connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),");
    Target {
        program: mini_redis::server(),
        arguments: vec!["--port".to_owned(), Port::claim().number().to_string()],
        file: mini_redis::source("src/server.rs"),
        line,
        deep: true,
        steps: 2,
    }
}

fn large() -> Target {
    Target {
        program: NU.program(),
        arguments: ["--no-config-file", "--commands", "1"].map(str::to_owned).into(),
        file: NU.source("src/main.rs"),
        // Once it has that state, BugStalker overflows its stack when it is asked for the variables.
        line: NU.line("src/main.rs", "let engine_state = EngineState::new();"),
        deep: false,
        steps: 0,
    }
}

/// What weft must reach.
#[derive(Clone, Copy)]
enum Aim {
    /// This part of what the best of the others takes.
    Part(f64),
    /// So many milliseconds.
    Milliseconds(f64),
    /// Nothing was promised.
    None,
}

struct Aims {
    warm: Aim,
    cold: Aim,
    memory: Aim,
    shown: Aim,
}

const SMALL: Aims =
    Aims { warm: Aim::Part(0.06), cold: Aim::Part(0.15), memory: Aim::Part(0.15), shown: Aim::Milliseconds(2.0) };
const LARGE: Aims = Aims { warm: Aim::Part(0.04), cold: Aim::None, memory: Aim::Part(0.1), shown: Aim::None };

/// The sessions of one debugger: with the program's file in the page cache, and without.
#[derive(Default)]
struct Sessions {
    warm: Vec<Looks>,
    cold: Vec<Looks>,
}

fn compare(name: &str, target: &Target, debuggers: &[Debugger], rounds: usize, aims: &Aims) {
    let size = std::fs::metadata(&target.program).expect("the program is there").len();
    let file = target.file.file_name().unwrap_or_default().display();
    println!("### {name}, {} MB, to {file}:{}\n", size / 1_000_000, target.line);
    let mut sessions: Vec<Sessions> = debuggers.iter().map(|_| Sessions::default()).collect();
    // Interleaved, so that what else the machine does falls on all alike.
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (debugger, sessions) in debuggers.iter().zip(&mut sessions) {
            page_cache::fill(&target.program);
            sessions.warm.push(debugger.session(target));
            page_cache::evict(&target.program);
            sessions.cold.push(debugger.session(target));
        }
    }
    let names: Vec<&str> = debuggers.iter().map(Debugger::name).collect();
    println!("| | {} | weft / best other | target | |", names.join(" | "));
    println!("|---|{}---|---|---|", "---|".repeat(names.len()));
    let medians = |of: &dyn Fn(&Sessions) -> Vec<f64>| sessions.iter().map(|all| median(of(all))).collect::<Vec<_>>();
    let warm = |of: fn(&Looks) -> f64| medians(&|all| all.warm.iter().map(of).collect());
    let later =
        |of: fn(&Shown) -> f64| medians(&|all| all.warm.iter().flat_map(|looks| looks.later.iter().map(of)).collect());
    row("first stop, page cache warm, ms", &warm(|looks| looks.first_stop), aims.warm);
    row("first stop, the program's file evicted, ms", &medians(&|all| times(&all.cold)), aims.cold);
    row("peak memory, all shown, index complete, MiB", &warm(|looks| looks.memory), aims.memory);
    row("the same, evicted, MiB", &medians(&|all| all.cold.iter().map(|looks| looks.memory).collect()), aims.memory);
    row("stack at the first stop, ms", &warm(|looks| looks.first.stack), aims.shown);
    row("its scopes and variables, ms", &warm(|looks| looks.first.variables), aims.shown);
    if target.steps > 0 {
        row("stack after a step, ms", &later(|shown| shown.stack), aims.shown);
        row("scopes and variables after a step, ms", &later(|shown| shown.variables), aims.shown);
    }
    println!("\nMedians of {rounds} interleaved rounds.\n");
}

fn times(sessions: &[Looks]) -> Vec<f64> {
    sessions.iter().map(|looks| looks.first_stop).collect()
}

/// The first value is weft's.
fn row(name: &str, values: &[f64], aim: Aim) {
    let (ours, others) = values.split_first().expect("weft is measured");
    let ratio = ours / others.iter().copied().fold(f64::NAN, f64::min);
    let holds = |holds: bool| if holds { "holds" } else { "**missed**" };
    let (target, verdict) = match aim {
        Aim::Part(part) if ratio.is_nan() => (format!("≤ {part}"), ""),
        Aim::Part(part) => (format!("≤ {part}"), holds(ratio <= part)),
        Aim::Milliseconds(most) => (format!("≤ {most} ms"), holds(*ours <= most)),
        Aim::None => ("–".to_owned(), ""),
    };
    let shown: Vec<String> = values.iter().map(|value| number(*value)).collect();
    println!("| {name} | {} | {ratio:.3} | {target} | {verdict} |", shown.join(" | "));
}

fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
