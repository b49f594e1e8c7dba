//! Breakpoints as a session asks for them and as a debuggee sets them.

use std::path::PathBuf;

use weft_tasks::Location;

/// When a breakpoint that was reached counts and stops, and what it does instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Only when this is true it is hit.
    pub condition: Option<String>,
    /// Which hits stop: `5`, `>=5`, `%3`.
    pub hits: Option<String>,
    /// Text with `{expressions}` that is told instead of stopping.
    pub log: Option<String>,
    /// Only the task that the user looks at hits it.
    pub in_focus: bool,
}

/// A line breakpoint asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakpointSpec {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: Option<u32>,
    /// When it stops.
    pub terms: Terms,
}

/// A function breakpoint asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionSpec {
    /// A name, the end of a path, or `/regex/`.
    pub name: String,
    /// When it stops.
    pub terms: Terms,
}

/// A breakpoint on an instruction asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstructionSpec {
    /// Its address.
    pub address: u64,
    /// When it stops.
    pub terms: Terms,
}

/// A breakpoint on data asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSpec {
    /// What is watched.
    pub data: WatchedData,
    /// What hits it.
    pub access: Access,
    /// When it stops.
    pub terms: Terms,
}

/// What hits a breakpoint on data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// Bytes that can be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedData {
    /// The first one.
    pub address: u64,
    /// How many.
    pub size: u64,
    /// What a user calls them.
    pub name: String,
    /// The watch ends with this call, whose local it is.
    pub call: Option<Call>,
}

/// One call of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The thread, by the operating system's id.
    pub thread: i64,
    /// Its canonical frame address.
    pub frame_address: u64,
}

/// Whether something can be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watchable {
    /// It can, by these accesses; and a sentence about it.
    Yes(WatchedData, Vec<Access>, String),
    /// A sentence why not.
    No(String),
}

/// What stops the program besides breakpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionFilter {
    /// Every panic.
    Panic,
    /// Panics that a runtime catches at the edge of a task.
    PanicInTask,
    /// Polls that take longer than the limit; they are only told of without it.
    LongPoll,
    /// Every exception of a Python program, wherever it is raised.
    Raised,
    /// Exceptions that end a Python program or one of its threads.
    Uncaught,
    /// Exceptions that leave the user's code for a library's.
    UserUnhandled,
    /// Exceptions that end a task of a Python program.
    TaskFailed,
    /// Exceptions of tasks and futures that nobody has looked at.
    NeverRetrieved,
}

/// An exception filter asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterSpec {
    /// Which.
    pub filter: ExceptionFilter,
    /// Only when this is true it stops.
    pub condition: Option<String>,
}

/// A breakpoint as it was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Its number, positive, never used for another breakpoint of this debuggee.
    pub id: i64,
    /// Whether it can stop the program.
    pub verified: bool,
    /// The line where it stops; none when it does not (yet), or at something that has no line.
    pub at: Option<Location>,
    /// The instruction, of a breakpoint on one.
    pub address: Option<u64>,
    /// Why not, or what is odd about it.
    pub message: Option<String>,
    /// Set nowhere: a source file of the program that may be the one asked for, under another path.
    pub similar: Option<PathBuf>,
}
