//! What to debug, with every path and variable worked out: a launch configuration after the session has read it.

use std::ffi::OsString;
use std::path::PathBuf;

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
}
