//! What a debuggee is to a session: the boundary that `native` and `python` implement.
//!
//! Methods block and are called from several threads: those under *control* one at a time from the session's lane,
//! those under *reads* from any number of workers, while control calls go on. A read that finds the program moving
//! answers [`Error::resumed`] or [`Error::running`]. Lines and columns count from 1, paths are those of the debug
//! information (the session maps them to the client's). None of the ids of DAP occur here but breakpoint ids, which
//! the debuggee mints because they outlive stops.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_protocol::Error;
use weft_protocol::spec::{EvaluateContext, VariableHint};
use weft_tasks::{Location, Snapshot, TaskKey};

use crate::config::{AttachConfig, LaunchConfig};
use crate::events::EventSender;

/// What a debuggee answers.
pub type Answer<T> = Result<T, Error>;

/// Makes debuggees; the binary introduces the faces to the session through it.
pub trait Factory: Send + Sync {
    /// Loads a program and holds it before its first instruction of user code, with its symbols ready for
    /// breakpoints. It runs at [`Debuggee::start`]. An error leaves nothing behind.
    fn launch(&self, config: LaunchConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>>;

    /// Attaches to a process and holds it. It goes on at [`Debuggee::start`]. An error leaves it as it was.
    fn attach(&self, config: AttachConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>>;
}

/// One program under the debugger. Dropping it ends it as [`End::Kill`] or [`End::Detach`] would, by whether it
/// was launched.
pub trait Debuggee: Send + Sync {
    /// What the `process` event says.
    fn process(&self) -> ProcessInfo;

    // Control.

    /// Lets the held program run, after the client has configured it. With `stop_on_entry` a launched program stops
    /// on the first line of its own `main` (an attached one stays where it is) and says so with
    /// [`StopReason::Entry`].
    fn start(&self) -> Answer<()>;

    /// Replaces every breakpoint of one file. Answers in the order asked, one for one. Works while running.
    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>>;

    /// Goes on; returns when the program is on its way. The stop that ends it comes as an event.
    fn resume(&self, how: Resume) -> Answer<()>;

    /// Asks for a stop, which comes as an event with [`StopReason::Pause`]. `at` is the thread or task that the
    /// client looks at; the stop should name it if it still exists. Already stopped: `Ok`, and nothing happens.
    fn pause(&self, at: Option<Target>) -> Answer<()>;

    /// Asks the program to end by itself (SIGTERM), resuming it if it is stopped.
    fn terminate(&self) -> Answer<()>;

    /// Ends the session's hold. Returns when nothing is left behind: no process, no trap, no thread of ours.
    /// Harmless when the program is gone already or when called twice.
    fn end(&self, how: End) -> Answer<()>;

    // Reads.

    /// The program's threads. Works while running.
    fn threads(&self) -> Answer<Vec<ThreadInfo>>;

    /// Rows of a stack, top first: those of `rows` that exist. For a thread that runs a task, and for a task, it is
    /// the logical stack with its labels.
    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack>;

    /// Every task, from the current stop; or, while running, from a glance that stops the program for as long as it
    /// takes and says so in a note. The session asks once per stop.
    fn tasks(&self) -> Answer<Snapshot>;

    /// One task's logical stack, as a tree.
    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack>;

    /// Evaluates where no frame is given: statics and constants.
    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value>;
}

/// A frame that has variables. Belongs to the stop it was made at.
pub trait FrameBody: Send + Sync {
    /// `Arguments`, `Locals`, `Statics`, `Registers`, as far as there are any.
    fn scopes(&self) -> Answer<Vec<Scope>>;

    /// The value of an expression in this frame.
    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value>;
}

/// Something with children. Belongs to the stop it was made at. Nothing is read before it is asked for.
pub trait Container: Send + Sync {
    /// How many children have names, and how many have indices.
    fn counts(&self) -> Counts;

    /// The named children of that range; what lies beyond the end is left out.
    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>>;

    /// The indexed children of that range; what lies beyond the end is left out.
    fn indexed(&self, range: Range<usize>) -> Answer<Vec<Variable>>;
}

/// How many children there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With a name.
    pub named: usize,
    /// With an index.
    pub indexed: usize,
}

/// A named group of variables.
#[derive(Clone)]
pub struct Scope {
    /// Which.
    pub kind: ScopeKind,
    /// Its variables.
    pub variables: Arc<dyn Container>,
}

/// Which group of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum ScopeKind {
    Arguments,
    Locals,
    Statics,
    Registers,
}

/// A name and what stands behind it.
#[derive(Clone)]
pub struct Variable {
    /// Its name, or its index in brackets.
    pub name: String,
    /// An expression that evaluates to it in the same frame.
    pub evaluate_name: Option<String>,
    /// What it is.
    pub value: Value,
}

/// What an expression or a variable is.
#[derive(Clone, Default)]
pub struct Value {
    /// As a user reads it, on one line.
    pub text: String,
    /// Its type's name.
    pub type_name: Option<String>,
    /// What has children.
    pub children: Option<Arc<dyn Container>>,
    /// Its address in the debuggee.
    pub address: Option<u64>,
    /// How a client may render it.
    pub hint: Option<VariableHint>,
}

/// A thread or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// By the operating system's id; below 2^30.
    Thread(i64),
    /// A task, wherever it runs.
    Task(TaskKey),
}

/// A thread of the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadInfo {
    /// The operating system's id.
    pub id: i64,
    /// What a user reads.
    pub name: String,
}

/// Some rows of a stack.
#[derive(Clone, Default)]
pub struct Stack {
    /// The rows asked for.
    pub rows: Vec<Row>,
    /// How many there are in all, if that is known without walking further.
    pub total: Option<usize>,
}

/// A row of a stack.
#[derive(Clone)]
pub enum Row {
    /// A frame.
    Frame(Frame),
    /// Below this row the stack is this task's: `task 12 handle_conn`.
    Task(TaskKey, String),
    /// Below this row are the frames of the awaiter: `awaited by task 7 serve`.
    AwaitedBy(TaskKey, String),
}

/// A frame of a stack.
#[derive(Clone)]
pub struct Frame {
    /// The source's name for it.
    pub name: String,
    /// Where it executes or awaits.
    pub location: Option<Location>,
    /// Not the user's code: a client shows it greyed.
    pub subtle: bool,
    /// Address of the next instruction, for physical frames.
    pub instruction: Option<u64>,
    /// Its variables.
    pub body: Option<Arc<dyn FrameBody>>,
}

/// One task's logical stack.
#[derive(Clone, Default)]
pub struct AsyncStack {
    /// The tree, as `weft-tasks` describes it.
    pub frames: Vec<weft_tasks::Frame>,
    /// What the tree's [`weft_tasks::FrameBody`] are indices into.
    pub bodies: Vec<Arc<dyn FrameBody>>,
}

/// A breakpoint asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakpointSpec {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: Option<u32>,
}

/// A breakpoint as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its number, positive, never used for another breakpoint of this debuggee.
    pub id: i64,
    /// Where it stops; none when it does not (yet).
    pub at: Option<Location>,
    /// Why not, or what is odd about it.
    pub message: Option<String>,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something stops it.
    Continue,
    /// One step.
    Step {
        /// Which way.
        kind: StepKind,
        /// Of whom. A step given on a task ends naming that task.
        of: Target,
        /// How far.
        granularity: Granularity,
    },
}

/// Which way to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum StepKind {
    Over,
    In,
    Out,
}

/// How far a step goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// To another line.
    #[default]
    Line,
    /// One instruction.
    Instruction,
}

/// Where text for the user came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The program's standard output.
    Stdout,
    /// The program's standard error.
    Stderr,
    /// The debugger: something said in passing.
    Console,
    /// The debugger: something a user should not overlook.
    Important,
}

/// What becomes of the program when the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is killed, with what it started in its process group left to itself.
    Kill,
    /// It goes on as if there had been no debugger.
    Detach,
}

/// What the `process` event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The executable.
    pub path: PathBuf,
    /// The process.
    pub pid: Option<i64>,
}

/// What a debuggee reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebuggeeEvent {
    /// Every thread stands.
    Stopped(Stopped),
    /// It goes on although the session did not ask.
    Continued,
    /// A thread began.
    ThreadStarted(i64),
    /// A thread ended.
    ThreadExited(i64),
    /// A breakpoint was bound, moved or lost; by its id.
    BreakpointChanged(Bound),
    /// Text for the user. (What the program writes goes through [`EventSender::output`].)
    Console(Channel, String),
    /// The program ended: its exit status, or 128 + the signal that killed it. The last event, after all output.
    Exited(i32),
    /// There is nothing more to debug although the program may live (it was lost or detached). The last event.
    Lost(String),
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
}

/// Why a program stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum StopReason {
    Entry,
    Breakpoint,
    Step,
    Pause,
    /// A panic or a signal.
    Exception,
}
