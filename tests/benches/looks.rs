//! One session of a debugger as an editor leads it: to a breakpoint, the stack, the variables; and what that took.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use weft_tests::{Adapter, Client, list, process};

use crate::peers::Gdb;

/// Rows of the stack that are asked for.
const FRAMES: usize = 20;

/// What is debugged.
pub(crate) struct Target {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: i64,
    /// Whether there are 20 frames at the breakpoint.
    pub(crate) deep: bool,
    /// How often one can step from there, until the program waits for somebody; an editor asks again after each.
    pub(crate) steps: usize,
}

/// A debugger.
#[derive(Clone, Debug)]
pub(crate) enum Debugger {
    /// Every session of weft begins without an index on disk.
    Weft,
    /// Its name, and how its adapter is started.
    Dap(&'static str, Adapter),
    Gdb(PathBuf),
}

impl Debugger {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Weft => "weft",
            Self::Dap(name, _) => name,
            Self::Gdb(_) => "gdb",
        }
    }

    pub(crate) fn session(&self, target: &Target) -> Looks {
        match self {
            Self::Weft => {
                let cache = tempfile::tempdir().expect("a folder");
                over_dap(&Adapter::Apart(cache.path().to_owned()), target, true)
            }
            Self::Dap(_, adapter) => over_dap(adapter, target, false),
            Self::Gdb(gdb) => under_gdb(gdb, target),
        }
    }
}

/// What a session took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    /// Milliseconds from starting the adapter to its telling the stop.
    pub(crate) first_stop: f64,
    /// Milliseconds for 20 frames, and for the scopes and variables of the innermost, right after the first stop.
    pub(crate) first: Shown,
    /// The same at stops after it, each.
    pub(crate) later: Vec<Shown>,
    /// Peak memory after all that, in MiB: of the adapter and its helpers, not of the program. weft's background index
    /// is complete by then.
    pub(crate) memory: f64,
}

/// Milliseconds for showing where a thread stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) stack: f64,
    pub(crate) variables: f64,
}

fn milliseconds<T>(what: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let value = what();
    (begun.elapsed().as_secs_f64() * 1e3, value)
}

fn over_dap(adapter: &Adapter, target: &Target, is_weft: bool) -> Looks {
    let (first_stop, (mut client, thread)) = milliseconds(|| {
        let mut client = Client::start(adapter, false);
        client.initialize();
        let launch = client.send("launch", json!({"program": target.program, "args": target.arguments}));
        client.event("initialized");
        client.set_breakpoints(&target.file, &[target.line]);
        client.ask("configurationDone", json!({}));
        client.answer(launch).unwrap_or_else(|failure| panic!("{failure:?}"));
        let stop = client.any_stop();
        assert_eq!(stop.reason, "breakpoint", "{:?}", stop.body);
        (client, stop.thread)
    });
    let (first, frame) = shown_over_dap(&mut client, thread, target);
    let later = (0..target.steps).map(|_| {
        client.ask("next", json!({"threadId": thread}));
        client.any_stop();
        shown_over_dap(&mut client, thread, target).0
    });
    let later = later.collect();
    if is_weft {
        // Whether there is a static of that name is known when all names are.
        let nothing = json!({"expression": "no::such::NAME", "frameId": frame, "context": "watch"});
        client.refused("evaluate", nothing);
    }
    let memory = peak_memory(client.adapter_pid());
    if is_weft {
        client.ask("disconnect", json!({"terminateDebuggee": true}));
    } else {
        // Not all of them take what they launched along.
        process::descendants(client.adapter_pid()).into_iter().for_each(process::kill);
    }
    Looks { first_stop, first, later, memory }
}

/// Gives the innermost frame too.
fn shown_over_dap(client: &mut Client, thread: i64, target: &Target) -> (Shown, i64) {
    let (stack, frames) =
        milliseconds(|| client.ask("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": FRAMES})));
    let frames: Vec<_> = list(&frames["stackFrames"]).collect();
    assert!(!frames.is_empty() && (!target.deep || frames.len() >= FRAMES), "{} frames", frames.len());
    let top = frames[0]["id"].as_i64().expect("a number");
    let (variables, count) = milliseconds(|| {
        let scopes = client.scopes(top);
        let wanted = scopes.iter().filter(|scope| matches!(scope.name.as_str(), "Arguments" | "Locals"));
        wanted.map(|scope| client.variables(scope.reference).len()).sum::<usize>()
    });
    assert!(count > 0, "there are variables");
    (Shown { stack, variables }, top)
}

fn under_gdb(gdb: &Path, target: &Target) -> Looks {
    let (first_stop, mut gdb) = milliseconds(|| {
        let mut gdb = Gdb::start(gdb);
        gdb.tell(&format!("-file-exec-and-symbols {}", target.program.display()));
        gdb.tell(&format!("-exec-arguments {}", target.arguments.join(" ")));
        gdb.tell(&format!("-break-insert --source {} --line {}", target.file.display(), target.line));
        gdb.tell("-exec-run");
        assert!(gdb.until(&["*stopped"]).contains("breakpoint-hit"));
        gdb
    });
    let first = shown_under_gdb(&mut gdb);
    let later = (0..target.steps).map(|_| {
        gdb.send("-exec-next");
        gdb.until(&["*stopped"]);
        shown_under_gdb(&mut gdb)
    });
    let later = later.collect();
    let memory = peak_memory(gdb.pid());
    gdb.tell("-interpreter-exec console kill");
    Looks { first_stop, first, later, memory }
}

fn shown_under_gdb(gdb: &mut Gdb) -> Shown {
    let (stack, ()) = milliseconds(|| gdb.tell(&format!("-stack-list-frames 0 {}", FRAMES - 1)));
    // What a front end asks for first: values of simple types, names and types of the others.
    let (variables, ()) = milliseconds(|| gdb.tell("-stack-list-variables --simple-values"));
    Shown { stack, variables }
}

/// The debugger's and that of the servers it starts, without the program's, in MiB.
fn peak_memory(debugger: i32) -> f64 {
    let is_server = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("lldb-server"))
    };
    let servers = process::descendants(debugger).into_iter().filter(is_server);
    let kibibytes: u64 = std::iter::once(debugger).chain(servers).filter_map(process::peak_memory).sum();
    kibibytes as f64 / 1024.0
}
