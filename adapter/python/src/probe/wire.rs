//! What is said between weft and its probe, as it is written.
//!
//! One line of JSON each. Weft asks `{"id", "ask", …}` and is answered `{"id", "answer"}` or `{"id", "error"}`; a line with
//! `event` comes by itself. What many tasks share is said once: strings, places and chains are named by their number in a
//! list.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How the probe is to behave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Options {
    /// Notes where each task is created: 1 to 2 µs for each.
    pub(crate) creation_sites: bool,
    /// From how many seconds on a callback is slow: 0.2 µs for each callback; zero: not looked at.
    pub(crate) slow_callback: f64,
    /// From which level on what asyncio logs is told: `WARNING`.
    pub(crate) log_level: String,
    /// Whose breakpoints stop while a step is under way: `task`, or `thread`.
    pub(crate) step_mode: &'static str,
    /// At which exceptions of tasks the program stops until something else is asked for: `task-failed`, `never-retrieved`.
    pub(crate) stop_at: &'static [&'static str],
}

impl Default for Options {
    fn default() -> Self {
        Self { creation_sites: true, slow_callback: 0.1, log_level: "WARNING".into(), step_mode: "task", stop_at: &[] }
    }
}

/// The first line of a connection, by what put the probe there.
#[derive(Debug, Deserialize)]
pub(super) struct Knock {
    pub(super) token: String,
}

/// What the probe is made of, and how it is to behave.
#[derive(Serialize)]
pub(super) struct Parts<'a> {
    pub(super) modules: &'a [(&'a str, &'a str)],
    /// Where their code may be kept: the beginning of a file's name.
    pub(super) compiled: Option<String>,
    pub(super) options: &'a Options,
}

/// The probe's first line.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hello {
    /// The process.
    pub(crate) pid: i64,
    /// Where the process has that number.
    pub(crate) machine: String,
    /// The interpreter's version.
    pub(crate) python: [u32; 3],
    /// Which interpreter: `cpython`.
    pub(crate) implementation: String,
    /// The folders of the standard library.
    pub(crate) standard: Vec<String>,
    /// The folders of installed packages.
    pub(crate) packages: Vec<String>,
    /// What the probe could not do, in plain words.
    pub(crate) notes: Vec<String>,
    /// Why there is no probe.
    pub(super) failed: Option<String>,
}

/// A line of the probe's, before it is known what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) id: Option<u64>,
    #[serde(borrow)]
    pub(super) answer: Option<&'a RawValue>,
    pub(super) error: Option<String>,
    pub(super) trace: Option<String>,
}

/// A question of the probe's: by which number the user knows a task.
#[derive(Debug, Deserialize)]
pub(super) struct NumberAsked<'a> {
    pub(super) event: &'a str,
    /// Its address, and the probe's number.
    pub(super) task: (u64, u64),
}

/// The answer to `tasks`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tasks {
    pub(super) strings: Vec<String>,
    /// Name, file, first line of the function, line.
    pub(super) frames: Vec<(u32, u32, u32, u32)>,
    /// Places, outermost first.
    pub(super) chains: Vec<Vec<u32>>,
    /// Address, kind, name of the thread, the thread's id (zero: none).
    pub(super) loops: Vec<(u64, String, String, i32)>,
    /// What tasks wait for; those that wait for one object may share one.
    pub(super) waits: Vec<Wait>,
    pub(super) tasks: Vec<Row>,
    pub(super) notes: Vec<String>,
}

/// A task: a list of these, in this order.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) address: u64,
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) state: u8,
    pub(super) of_loop: Option<u32>,
    pub(super) chain: Option<u32>,
    /// Where its coroutine function begins.
    pub(super) entry: Option<u32>,
    /// Where it was created.
    pub(super) site: Option<u32>,
    /// The number of the task that created it.
    pub(super) by: Option<u64>,
    pub(super) wait: Option<u32>,
    pub(super) more: More,
}

/// What not every task has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct More {
    /// The thread that runs it (zero: unknown).
    pub(super) thread: Option<i32>,
    /// Resource, its type, how, and the place of the coroutine that has it.
    pub(super) holds: Vec<(u64, String, String, Option<u32>)>,
    /// The address of the task in whose task group it is.
    pub(super) group: Option<u64>,
    pub(super) ended: bool,
    pub(super) error: Option<String>,
    /// Whether somebody has seen the exception it ended with.
    pub(super) retrieved: Option<bool>,
    /// Where it was raised.
    pub(super) failed: Option<u32>,
    /// Its chain is longer than what was followed.
    pub(super) cut: bool,
    /// How many frames are left out in the middle of its chain.
    pub(super) left_out: usize,
    /// It was made of something that is no coroutine of Python's: of which class.
    pub(super) opaque: Option<String>,
}

/// A wait.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wait {
    pub(super) kind: String,
    pub(super) text: u32,
    pub(super) object: Option<u64>,
    #[serde(rename = "type")]
    pub(super) type_name: Option<u32>,
    /// Milliseconds that are left.
    pub(super) until: Option<u64>,
    pub(super) timed: bool,
    pub(super) fd: Option<i32>,
    pub(super) peer: Option<String>,
    /// How many permits a semaphore has in all, if none is free and it knows.
    pub(super) free: Option<u64>,
    /// The addresses of the tasks that it waits for.
    pub(super) on: Vec<u64>,
    /// It waits for nothing but these.
    pub(super) whole: bool,
    pub(super) via: String,
    /// When its time is over, it cancels what it waits for.
    pub(super) cancels: bool,
}

/// The answer to `stack`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stack {
    pub(super) strings: Vec<String>,
    pub(super) frames: Vec<(u32, u32, u32, u32)>,
    /// Of each task its frames, outermost first: the place, and a number by which the probe knows the frame. Then, how many are left out
    /// in their middle.
    pub(super) tasks: Vec<(Vec<(u32, u64)>, usize)>,
}

/// A variable, or a child of a value.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) text: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    /// How it is written: by itself, or behind its parent's expression.
    pub(super) expression: Option<String>,
    /// The number by which the probe knows it, if it has children.
    pub(super) of: Option<u64>,
    pub(super) named: u64,
    pub(super) indexed: u64,
}

/// The answer to `complete`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Completions {
    /// What all of the names begin with: the end of the text.
    pub(super) begin: String,
    /// And what they are, in DAP's words.
    pub(super) names: Vec<(String, String)>,
}
