//! What a debuggee reports.

use std::time::Duration;

use serde_json::{Map, Value};
use weft_tasks::Location;

use super::{Bound, Channel, Target};

/// Work that may take long. (Told of with [`crate::EventSender::work`].)
pub trait Work: Send + Sync {
    /// What is done, for a user: "Reading the names in server".
    fn title(&self) -> String;

    /// How much of it, if anybody can tell.
    fn percentage(&self) -> Option<u64>;

    /// Waits until it is over, for so long at most; says whether it is.
    fn wait(&self, at_most: Duration) -> bool;

    /// Gives it up. Requests that wait for it answer [`weft_protocol::ErrorId::Cancelled`]; if others cannot do without
    /// it, it goes on for them.
    fn cancel(&self);
}

/// What a debuggee reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebuggeeEvent {
    /// It stands.
    Stopped(Stopped),
    /// It goes on although the session did not ask.
    Continued,
    /// It stands where it stood, but something ran in it: tasks and variables may not be what they were.
    Changed,
    /// A thread began.
    ThreadStarted(i64),
    /// A thread ended.
    ThreadExited(i64),
    /// A breakpoint was bound, moved or lost; by its id.
    BreakpointChanged(Bound),
    /// A breakpoint is gone for good, by its id; a sentence says why.
    BreakpointRemoved(i64, String),
    /// A breakpoint's log message and the line that it was told at. (Sent with [`crate::EventSender::log`].)
    Log(String, Option<Location>),
    /// Files came or went.
    ModulesChanged,
    /// A process that it made waits for a debugger of its own, or for [`super::Debuggee::let_go`].
    Forked(Forked),
    /// Text for the user. (What the program writes goes through [`crate::EventSender::output`].)
    Console(Channel, String),
    /// The program ended: its exit status, or 128 + the signal that killed it. The last event, after all output.
    Exited(i32),
    /// There is nothing more to debug although the program may live (it was lost or detached). The last event.
    Lost(String),
}

/// A process that waits for a debugger of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forked {
    /// The process.
    pub pid: i64,
    /// How an `attach` finds it, in the words of a configuration, where its number does not do.
    pub way: Map<String, Value>,
}

impl Forked {
    /// A process whose number says enough.
    pub fn by_number(pid: i64) -> Self {
        Self { pid, way: Map::new() }
    }
}

/// Why and where a program stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub reason: StopReason,
    /// Who the client should look at.
    pub at: Option<Target>,
    /// What a user reads instead of the reason.
    pub description: Option<String>,
    /// More, such as a panic's message.
    pub text: Option<String>,
    /// Every breakpoint that was hit.
    pub breakpoints: Vec<i64>,
    /// Of [`StopReason::Exception`]: what it was.
    pub exception: Option<Exception>,
}

impl Stopped {
    /// A stop about which there is nothing more to say.
    pub fn new(reason: StopReason, at: Option<Target>) -> Self {
        Self { reason, at, description: None, text: None, breakpoints: Vec::new(), exception: None }
    }
}

/// A panic or a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// `panic`, `SIGSEGV`.
    pub id: String,
    /// A sentence.
    pub description: String,
    /// What it says itself.
    pub message: Option<String>,
    /// `panic`, `signal`.
    pub type_name: String,
    /// It would end the program, or the task.
    pub fatal: bool,
}

/// Why a program stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum StopReason {
    Entry,
    Breakpoint,
    FunctionBreakpoint,
    DataBreakpoint,
    InstructionBreakpoint,
    Step,
    Pause,
    /// It was moved to another line.
    Goto,
    /// What a task was watched for has happened.
    Task,
    /// A function was taken back to its begin.
    Restarted,
    /// A panic or a signal.
    Exception,
}
