//! What to debug, with every path and variable worked out: a launch configuration after the session has read it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use weft_protocol::launch::{Console, SignalAction, StepMode};

/// A program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchConfig {
    /// The executable; absolute.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// Its working directory; absolute.
    pub cwd: PathBuf,
    /// Changes to the adapter's own environment, in order; `None` removes.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// A file to read as standard input, which is empty without; absolute.
    pub stdin: Option<PathBuf>,
    /// Stop on the first line of `main`.
    pub stop_on_entry: bool,
    /// Run without breakpoints.
    pub no_debug: bool,
    /// Where its input and output are.
    pub console: Console,
    /// How it is treated.
    pub settings: Settings,
}

/// How a program is treated, however it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of signals, by name: `SIGUSR1`.
    pub signals: BTreeMap<String, SignalAction>,
    /// Forked processes are reported with [`crate::debuggee::DebuggeeEvent::Forked`] instead of being let go.
    pub follow_forks: bool,
    /// Steps may end in the standard library and in runtimes.
    pub step_into_runtime: bool,
    /// Threads that hit breakpoints in quick succession may be moved to the debugger's core; yes when it is not said.
    pub pin_threads: Option<bool>,
    /// Folders with separate debug files, looked into before the usual ones; absolute.
    pub debug_directories: Vec<PathBuf>,
    /// Where each task is spawned is recorded.
    pub spawn_sites: bool,
    /// Whose breakpoints stop while a step is under way.
    pub step_mode: StepMode,
    /// A poll that takes longer stops or is told of.
    pub long_poll: Option<Duration>,
}

/// A process to attach to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachConfig {
    /// The process.
    pub pid: i32,
    /// Its executable, when it is not to be taken from `/proc`; absolute.
    pub program: Option<PathBuf>,
    /// Stay stopped after attaching.
    pub stop_on_entry: bool,
    /// A core file to look into; `pid` is 0 then.
    pub core: Option<PathBuf>,
    /// It stands in a job-control stop (`SIGSTOP`) only for this session, and goes on with it.
    pub resume_stopped: bool,
    /// How it is treated.
    pub settings: Settings,
}
