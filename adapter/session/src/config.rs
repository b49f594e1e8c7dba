//! What to debug, with every path and variable worked out: a launch configuration after the session has read it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use weft_protocol::launch::{
    Address, AsyncioArguments, CargoFilter, Console, LogLevel, PythonCode, PythonSettings, SignalAction, StepMode,
    TaskExceptions,
};

/// A program to start.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchConfig {
    /// An executable.
    Native(NativeLaunch),
    /// Something for a Python interpreter.
    Python(PythonLaunch),
}

/// A native program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeLaunch {
    /// The executable.
    pub program: NativeProgram,
    /// A file to read as standard input, which is empty without; absolute.
    pub stdin: Option<PathBuf>,
    /// How it is started.
    pub start: Start,
    /// How it is treated.
    pub settings: Settings,
}

/// Where a native program comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NativeProgram {
    /// A file; absolute.
    File(PathBuf),
    /// cargo builds it.
    Cargo(CargoBuild),
}

impl Default for NativeProgram {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

/// A program that cargo builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoBuild {
    /// cargo's arguments.
    pub args: Vec<String>,
    /// Which of the programs that it builds is meant.
    pub filter: CargoFilter,
    /// The folder that cargo runs in; absolute.
    pub cwd: PathBuf,
    /// Changes to cargo's environment; `None` removes.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// What is started instead of the built program: text in which [`BUILT_PROGRAM`] stands for that.
    pub starts: Option<String>,
}

/// Stands for the path of the program that cargo has built.
pub const BUILT_PROGRAM: &str = "${cargo:program}";

/// A Python program to start.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonLaunch {
    /// What runs; a script's path is absolute.
    pub code: PythonCode,
    /// The interpreter, if the user chose one: a path, or a name to look for.
    pub python: Option<OsString>,
    /// The interpreter's arguments.
    pub python_args: Vec<OsString>,
    /// How it is started.
    pub start: Start,
    /// How it is treated.
    pub settings: PythonSettings,
    /// Whose breakpoints stop while a step is under way.
    pub step_mode: StepMode,
}

/// How a program is started, whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// Its working directory; absolute.
    pub cwd: PathBuf,
    /// Changes to the adapter's own environment, in order; `None` removes.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Stop on the first line of the program's own `main`, or of the script.
    pub stop_on_entry: bool,
    /// Run without breakpoints.
    pub no_debug: bool,
    /// Where its input and output are.
    pub console: Console,
}

impl LaunchConfig {
    /// How it is started.
    pub fn start(&self) -> &Start {
        match self {
            Self::Native(native) => &native.start,
            Self::Python(python) => &python.start,
        }
    }

    /// How it is started, to be changed.
    pub fn start_mut(&mut self) -> &mut Start {
        match self {
            Self::Native(native) => &mut native.start,
            Self::Python(python) => &mut python.start,
        }
    }
}

/// How a native program is treated, however it came to be.
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
#[derive(Clone, Debug, PartialEq)]
pub enum AttachConfig {
    /// A native process or its core file.
    Native(NativeAttach),
    /// A Python process.
    Python(PythonAttach),
}

/// A native process to attach to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeAttach {
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

/// A Python process to attach to.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonAttach {
    /// How to reach it.
    pub way: PythonWay,
    /// How it is treated.
    pub settings: PythonSettings,
    /// Whose breakpoints stop while a step is under way.
    pub step_mode: StepMode,
}

/// How to reach a Python process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonWay {
    /// A debugpy listens there; of the processes that it speaks for, the one with this number.
    Connect(Address, Option<i64>),
    /// A debugpy will connect there.
    Listen(Address),
    /// By its number.
    Process(i32),
    /// It waits at this socket, for whoever comes first.
    TakeOver(PathBuf),
    /// By its number, to read its memory and nothing else.
    Outside(i32),
}
