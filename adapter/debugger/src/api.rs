//! The words of the handle: what it is asked, what it answers, what it reports.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use weft_symbols::SourceLine;
use weft_values::{Place, Stop};

/// A program to start.
#[derive(Clone, Debug, Default)]
pub struct LaunchSpec {
    /// The executable; absolute.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// Its working directory; absolute.
    pub cwd: PathBuf,
    /// Changes to our own environment, in order; `None` removes.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// A file to read as standard input, which is empty without.
    pub stdin: Option<PathBuf>,
}

/// A line breakpoint asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSpec {
    /// From 1.
    pub line: u32,
}

/// A line breakpoint as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its number: positive, unique among this debuggee's breakpoints, kept while the same line of the same file is
    /// asked for again.
    pub id: i64,
    /// The line that is really used (file as the debug information names it); none while it is bound nowhere.
    pub at: Option<SourceLine>,
    /// How many addresses it stops at.
    pub locations: usize,
    /// Why it is bound nowhere, or what is odd about it.
    pub message: Option<String>,
}

/// Which way to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum StepKind {
    Over,
    In,
    Out,
}

/// Whose step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepTarget {
    /// The innermost frame of a thread.
    Thread(i32),
    /// A suspended coroutine, by its environment: the step begins where it awaits.
    Coroutine(Box<Place>),
}

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeKind {
    /// Until something stops it.
    Continue,
    /// One step by lines.
    Step(StepKind, StepTarget),
    /// One machine instruction of a thread.
    StepInstruction(i32),
}

/// What becomes of the debuggee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// Killed.
    Kill,
    /// It runs on as if there had been no debugger.
    Detach,
}

/// Why a program stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// On the first line of its own `main`, as asked; or right after attaching.
    Entry,
    /// At user breakpoints: all whose trap was hit, by id.
    Breakpoint(Vec<i64>),
    /// A step has ended; what is worth saying about how (`the task has ended`), if anything.
    Step(Option<String>),
    /// Because it was asked to.
    Pause,
    /// A signal that is about to be delivered and that would end the program (`SIGSEGV: invalid memory reference`).
    Signal {
        /// `SIGSEGV`.
        name: String,
        /// What it means.
        text: String,
    },
}

/// A stop.
#[derive(Clone)]
pub struct Stopped {
    /// Everything that can be read now.
    pub stop: Arc<Stop>,
    /// Why.
    pub reason: Reason,
    /// The thread it is about.
    pub tid: i32,
}

/// Where output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What a debuggee reports. Sent from the engine thread, in order; the receiver must not block. (Output is read on threads
/// of its own, which may block.)
#[derive(Clone)]
pub enum Event {
    /// It stands.
    Stopped(Stopped),
    /// A thread began.
    ThreadStarted(i32),
    /// A thread ended.
    ThreadExited(i32),
    /// A breakpoint was bound, moved or lost, because a library came or went.
    BreakpointChanged(Bound),
    /// Something worth telling the user, a sentence.
    Note(String),
    /// It ended with this status. The last event.
    Exited(i32),
    /// It was ended by this signal. The last event.
    Killed(i32),
    /// There is no hold on it any more; a sentence says why. The last event.
    Lost(String),
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadName {
    /// The operating system's id.
    pub tid: i32,
    /// `comm`.
    pub name: String,
}

/// Why a command was not carried out; each message is a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It needs a stopped program.
    #[error("the program is running; pause it first")]
    Running,
    /// It needs a running program.
    #[error("the program is stopped already")]
    Stopped,
    /// The program is gone.
    #[error("the program has ended")]
    Ended,
    /// There is no such thread.
    #[error("there is no thread {0} any more")]
    NoThread(i32),
    /// The program or process does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The file is no program for this machine.
    #[error("{0}")]
    NotAProgram(String),
    /// The operating system does not allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// The program could not be started or attached to for another reason.
    #[error("{0}")]
    Start(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}
