//! The words of the handle: what it is asked, what it answers, what it reports.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weft_memory::MemAddr;
use weft_runtimes::Runtimes;
use weft_symbols::{SourceLine, Type, Work};
use weft_tasks::TaskKey;
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
    /// What it writes to. (A program that starts in somebody else's terminal writes there.)
    pub console: Console,
    /// How it is treated.
    pub settings: Settings,
}

/// What a program's output goes through on its way to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Pipes: the program knows that no user watches.
    #[default]
    Pipes,
    /// A pseudo-terminal each for standard output and error.
    Terminals,
}

/// A process to attach to.
#[derive(Clone, Debug, Default)]
pub struct AttachSpec {
    /// The process.
    pub pid: i32,
    /// Its executable when `/proc` is not to be asked; absolute.
    pub program: Option<PathBuf>,
    /// It stands in a job-control stop (`SIGSTOP`) only for us to attach to it: it goes on when we say so. Otherwise
    /// such a stop lasts until somebody sends `SIGCONT`.
    pub resume_stopped: bool,
    /// How it is treated.
    pub settings: Settings,
}

/// How a debuggee is treated, however it came to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What becomes of a signal, by its number; for one that is not named, the engine's own rules hold.
    pub signals: BTreeMap<i32, SignalPolicy>,
    /// Forked processes are handed to the client as sessions of their own, instead of being let go.
    pub follow_forks: bool,
    /// Steps may end in the standard library and in runtimes.
    pub step_into_runtime: bool,
    /// A thread that hits breakpoints in quick succession may be moved to the engine's core while it does.
    pub pin_threads: bool,
    /// Folders with separate debug files, looked into before the usual ones; absolute.
    pub debug_directories: Vec<PathBuf>,
    /// Where tasks are spawned is recorded, for those who read their lists here.
    pub record_spawns: Option<Arc<Runtimes>>,
    /// What is known of the program's tasks, for all who ask.
    pub runtimes: Arc<Runtimes>,
    /// The numbers by which the user knows tasks.
    pub task_numbers: TaskNumbers,
    /// Whose breakpoints a step heeds.
    pub step_mode: StepMode,
    /// A poll that takes longer than this is shown; none: nobody looks.
    pub long_poll: Option<Duration>,
}

/// Whose breakpoints stop while a step is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepMode {
    /// Those that siblings hit (other tasks made of the same function) do not; they are counted and told at the step's end.
    #[default]
    Task,
    /// Everybody's.
    Thread,
}

/// The numbers by which the user knows tasks: given at first sight.
#[derive(Clone)]
pub struct TaskNumbers(pub Arc<dyn Fn(TaskKey) -> u64 + Send + Sync>);

impl TaskNumbers {
    /// A task's number.
    pub fn of(&self, task: TaskKey) -> u64 {
        (self.0)(task)
    }
}

impl Default for TaskNumbers {
    /// Where nobody numbers tasks, the runtime's own numbers serve.
    fn default() -> Self {
        Self(Arc::new(|task| task.id))
    }
}

impl fmt::Debug for TaskNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskNumbers")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            signals: BTreeMap::new(),
            follow_forks: false,
            step_into_runtime: false,
            pin_threads: true,
            debug_directories: Vec::new(),
            record_spawns: None,
            runtimes: Arc::default(),
            task_numbers: TaskNumbers::default(),
            step_mode: StepMode::default(),
            long_poll: None,
        }
    }
}

/// What becomes of a signal that is about to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalPolicy {
    /// It is delivered, and nobody is told.
    Pass,
    /// The program stops; the signal is delivered when it goes on.
    Stop,
    /// It is swallowed.
    Ignore,
}

/// When a breakpoint that was reached counts and stops, and what it does instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// A Rust expression: only when it is true the breakpoint is hit.
    pub condition: Option<String>,
    /// Which hits stop: `5` (the fifth only), `>=5`, `%3`.
    pub hits: Option<String>,
    /// Text with `{expressions}` that is told instead of stopping.
    pub log: Option<String>,
    /// Only the task that the user looks at hits it.
    pub in_focus: bool,
}

/// A line breakpoint asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSpec {
    /// From 1.
    pub line: u32,
    /// From 1; none: where the line begins.
    pub column: Option<u32>,
    /// When it stops.
    pub terms: Terms,
}

/// A function breakpoint asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionSpec {
    /// A name, the end of a path (`Handler::run`), or `/a regular expression/` that is searched for in full paths.
    pub name: String,
    /// When it stops.
    pub terms: Terms,
}

/// A breakpoint on one instruction asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionSpec {
    /// Where.
    pub address: MemAddr,
    /// When it stops.
    pub terms: Terms,
}

/// A breakpoint on data asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSpec {
    /// The first byte that is watched.
    pub address: MemAddr,
    /// How many bytes: 1 to 8.
    pub size: u64,
    /// By what it is hit.
    pub access: Access,
    /// What a user calls it (`self.count`).
    pub name: String,
    /// It ends with this frame, whose local it is.
    pub frame: Option<FrameIdentity>,
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

/// One call of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameIdentity {
    /// The thread.
    pub tid: i32,
    /// Its canonical frame address.
    pub cfa: MemAddr,
}

/// What stops the program besides breakpoints: which panics, and long polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PanicFilter {
    /// Every one, where it begins.
    Any,
    /// Those that a runtime catches at the edge of a task, where they begin.
    InTask,
    /// No panics: polls that take longer than [`Settings::long_poll`], which are only told of without this.
    LongPoll,
}

/// A breakpoint as it was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Its number: positive, unique among this debuggee's breakpoints, kept while the same is asked for again.
    pub id: i64,
    /// Whether it can stop the program.
    pub verified: bool,
    /// The line that is really used (file as the debug information names it); none while it is bound nowhere, or to
    /// something that has no line.
    pub at: Option<SourceLine>,
    /// The instruction, of a breakpoint on one.
    pub address: Option<MemAddr>,
    /// How many addresses it stops at.
    pub locations: usize,
    /// Why it is bound nowhere, or what is odd about it.
    pub message: Option<String>,
    /// Bound nowhere: a source file of the program that may be the one asked for, under another path.
    pub similar: Option<Arc<Path>>,
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
    /// A suspended coroutine, by its environment, and the task that it is part of: the step begins where it awaits.
    Coroutine(Box<Place>, TaskKey),
}

/// How far a step by source goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grain {
    /// To another line.
    #[default]
    Line,
    /// To another statement, be it on the same line.
    Statement,
}

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeKind {
    /// Until something stops it.
    Continue,
    /// The same, but only this thread runs.
    ContinueAlone(i32),
    /// One step by source.
    Step(StepKind, StepTarget, Grain),
    /// Until one task comes to a line, or to its end.
    RunTo {
        /// The task.
        task: TaskKey,
        /// The file, as [`crate::Debugger::set_breakpoints`] takes it.
        file: PathBuf,
        /// From 1; one without code stands for the next that has some.
        line: u32,
    },
    /// One machine instruction of a thread; over a call, all of it.
    StepInstruction(StepKind, i32),
    /// Into one target of the current line.
    StepInto {
        /// The thread.
        tid: i32,
        /// The target, as [`crate::step_in_targets`] names it.
        target: TargetId,
    },
}

/// What a task can be watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskEvent {
    /// It is about to be polled, each time.
    Polled,
    /// It has ended with a value.
    Completed,
    /// It was aborted, or its runtime has ended.
    Cancelled,
    /// It has ended in a panic.
    Panicked,
}

/// What names a target of a line, as long as its thread stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetId {
    /// The call instruction; for what other lines call, an address in its code.
    pub place: MemAddr,
    /// Which branch of a macro's future it is, from 0, if it is one: several may be polled by the same code.
    pub branch: Option<usize>,
}

/// What a step can go into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTarget {
    /// What names it.
    pub id: TargetId,
    /// The function that is called or polled, and how if that has to be told.
    pub name: String,
    /// Where the call stands.
    pub at: Option<SourceLine>,
    /// What a step into it looks for.
    pub(crate) goal: Goal,
}

/// What a step into a target looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// What the call calls.
    Call,
    /// A coroutine that the line polls.
    Coroutine {
        /// Where its kind is polled.
        polls: BTreeSet<MemAddr>,
        /// The call that makes it, if that is ahead.
        made_by: Option<MemAddr>,
        /// Which branch of a macro's future it is.
        branch: Option<Branch>,
    },
    /// A task that the call spawns for a coroutine of this type.
    Task(Type),
}

/// A branch of a `select!` or `join!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// From 0.
    pub(crate) index: usize,
    /// Others are coroutines of the same kind.
    pub(crate) has_twins: bool,
    /// The line where the macro is called, on which its future is polled.
    pub(crate) line: u32,
}

/// What becomes of the debuggee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// Killed.
    Kill,
    /// It runs on as if there had been no debugger.
    Detach,
}

/// What kind of breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words say it")]
pub enum BreakpointKind {
    Line,
    Function,
    Instruction,
    Data,
}

/// Why a program stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// On the first line of its own `main`, as asked; or right after attaching.
    Entry,
    /// At user breakpoints.
    Breakpoint {
        /// All that were hit, by id.
        ids: Vec<i64>,
        /// Of what kind the first one is.
        kind: BreakpointKind,
        /// What is worth saying: what was written where, or why a condition could not be evaluated.
        text: Option<String>,
    },
    /// A panic begins.
    Panic {
        /// Its message; none where it cannot be read.
        message: Option<String>,
        /// A runtime will catch it at the edge of a task.
        in_task: bool,
    },
    /// The thread was moved to another line, or to the begin of a frame, as asked.
    Moved,
    /// A step has ended; what is worth saying about how (`the task has ended`), if anything.
    Step(Option<String>),
    /// What a task was watched for has happened.
    Task {
        /// The task.
        task: TaskKey,
        /// A sentence: `task 7 server::handle has completed`.
        what: String,
        /// A panic's message.
        text: Option<String>,
    },
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
    /// A sentence if this interrupted something, a step.
    pub interrupted: Option<String>,
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
    /// Work on a file's symbols begins that may take long. (Sent from any thread.)
    Working(Arc<Work>),
    /// It stands.
    Stopped(Stopped),
    /// A thread began.
    ThreadStarted(i32),
    /// A thread ended.
    ThreadExited(i32),
    /// A breakpoint was bound, moved or lost, because a library came or went.
    BreakpointChanged(Bound),
    /// A breakpoint is gone for good, by its id: what it watched has ended.
    BreakpointRemoved(i64, String),
    /// A log message: the text, and where it was told.
    Log(String, Option<SourceLine>),
    /// A forked process, which stands in a job-control stop for somebody else to attach to.
    Forked(i32),
    /// Files came or went.
    ModulesChanged,
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

/// What came of an attempt to change the memory of a stopped program.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The stop that is current then; the one before is over.
    pub stop: Arc<Stop>,
    /// Why it was not changed, if it was not.
    pub failure: Option<Refused>,
}

/// Why a command was not carried out; each message is a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The client gave up what it would have had to wait for.
    #[error("{0}")]
    Cancelled(String),
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
