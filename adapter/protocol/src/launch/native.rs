//! What a configuration says of a native program.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error;
use serde_json::{Map, Value};

use super::environment::changes;
use super::{attribute, process};

/// Attach attribute: the process stands in a job-control stop for this session alone, and goes on with it.
pub const RESUME_STOPPED: &str = "resumeStopped";

/// Attributes that a Python program cannot have.
pub(super) const ATTRIBUTES: &[&str] = &[
    "pid",
    "coreFile",
    RESUME_STOPPED,
    "stdin",
    "cargo",
    "signals",
    "followForks",
    "stepIntoRuntime",
    "pinThreads",
    "debugDirectories",
];

/// A native program to start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeArguments {
    /// The executable; as given.
    pub program: Option<String>,
    /// What builds the executable first.
    pub cargo: Option<CargoArguments>,
    /// A file to read as standard input; as given.
    pub stdin: Option<String>,
    /// How it is treated.
    pub settings: NativeSettings,
}

/// How cargo builds a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CargoArguments {
    /// cargo's arguments: `build`, `--bin`, `server`.
    pub args: Vec<String>,
    /// Which of the programs that it builds is meant.
    pub filter: CargoFilter,
    /// The folder that cargo runs in; as given.
    pub cwd: Option<String>,
    /// Changes to cargo's environment; `None` removes.
    #[serde(deserialize_with = "changes")]
    pub env: BTreeMap<String, Option<String>>,
}

/// Which of several programs that cargo builds is meant; what is left out may be any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CargoFilter {
    /// The target's name.
    pub name: Option<String>,
    /// The target's kind: `bin`, `lib` (its unit tests), `example`, `test`, `bench`.
    pub kind: Option<String>,
}

/// A native process to attach to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeTarget {
    /// The process; none when the configuration does not say.
    pub pid: Option<i64>,
    /// Its executable, when it is not to be taken from the process.
    pub program: Option<String>,
    /// A core file to look into instead of a process; as given.
    pub core_file: Option<String>,
    /// The process stands in a job-control stop only for this session (a forked one that `startDebugging` hands over):
    /// it goes on with it.
    pub resume_stopped: bool,
    /// How it is treated.
    pub settings: NativeSettings,
}

/// How a native program is treated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeSettings {
    /// What becomes of signals, by their names as given (`SIGUSR1`).
    pub signals: BTreeMap<String, SignalAction>,
    /// Forked processes are debugged, too.
    pub follow_forks: bool,
    /// Steps may end in the standard library and in runtimes.
    pub step_into_runtime: bool,
    /// Threads that hit breakpoints in quick succession may be moved to the debugger's core; yes when left out.
    pub pin_threads: Option<bool>,
    /// Folders with separate debug files, looked into before the usual ones; as given.
    pub debug_directories: Vec<String>,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalAction {
    /// Delivered, and nobody is told.
    Pass,
    /// The program stops first.
    Stop,
    /// Swallowed.
    Ignore,
}

pub(super) fn program<E: Error>(given: &Map<String, Value>) -> Result<NativeArguments, E> {
    Ok(NativeArguments {
        program: attribute(given, "program")?,
        cargo: attribute::<Option<CargoArguments>, E>(given, "cargo")?
            .filter(|cargo| *cargo != CargoArguments::default()),
        stdin: attribute(given, "stdin")?,
        settings: settings(given)?,
    })
}

pub(super) fn target<E: Error>(given: &Map<String, Value>) -> Result<NativeTarget, E> {
    Ok(NativeTarget {
        pid: process(given, "pid")?,
        program: attribute(given, "program")?,
        core_file: attribute(given, "coreFile")?,
        resume_stopped: attribute(given, RESUME_STOPPED)?,
        settings: settings(given)?,
    })
}

fn settings<E: Error>(given: &Map<String, Value>) -> Result<NativeSettings, E> {
    Ok(NativeSettings {
        signals: attribute(given, "signals")?,
        follow_forks: attribute(given, "followForks")?,
        step_into_runtime: attribute(given, "stepIntoRuntime")?,
        pin_threads: attribute(given, "pinThreads")?,
        debug_directories: attribute(given, "debugDirectories")?,
    })
}
