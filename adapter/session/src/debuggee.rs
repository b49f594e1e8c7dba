//! What a debuggee is to a session: the boundary that `native` and `python` implement.
//!
//! Methods block and are called from several threads: those under *control* one at a time from the session's lane,
//! those under *reads* from any number of workers, while control calls go on. A read that finds the program moving
//! answers [`Error::resumed`] or [`Error::running`]. Lines and columns count from 1, paths are those of the debug
//! information (the session maps them to the client's). None of the ids of DAP occur here but breakpoint ids, which
//! the debuggee mints because they outlive stops.

mod breakpoints;
mod machine;
mod motion;
mod report;

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_protocol::async_dap::TaskStop;
use weft_protocol::spec::{CompletionItemType, EvaluateContext, VariableHint};
use weft_protocol::{Error, ErrorId};
use weft_tasks::{Location, Snapshot, TaskKey};

use crate::config::{AttachConfig, LaunchConfig};
use crate::events::EventSender;

pub use breakpoints::*;
pub use machine::*;
pub use motion::*;
pub use report::*;

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

    /// Of a program that goes on whatever the session does, because it is only looked at: a sentence that says so, for
    /// whoever asks for more. Stacks of tasks are then those of the last look.
    fn only_looked_at(&self) -> Option<&'static str> {
        None
    }

    // Control.

    /// Lets the held program run, after the client has configured it. With `stop_on_entry` a launched program stops
    /// on the first line of its own `main` (an attached one stays where it is) and says so with
    /// [`StopReason::Entry`].
    fn start(&self) -> Answer<()>;

    /// Replaces every breakpoint of one file: an absolute path, the end of one, or after `./` what the debug information
    /// itself calls a file without a directory. Answers in the order asked, one for one. Works while running.
    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>>;

    /// Replaces every function breakpoint. Answers in the order asked, one for one. Works while running.
    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        none_of(wanted, "function breakpoints")
    }

    /// Replaces every breakpoint on an instruction. Answers in the order asked, one for one. Works while running.
    fn set_instruction_breakpoints(&self, wanted: &[InstructionSpec]) -> Answer<Vec<Bound>> {
        none_of(wanted, "instruction breakpoints")
    }

    /// Replaces every breakpoint on data. Answers in the order asked, one for one. Works while running.
    fn set_data_breakpoints(&self, wanted: &[DataSpec]) -> Answer<Vec<Bound>> {
        none_of(wanted, "data breakpoints")
    }

    /// Says which exceptions stop the program. Answers in the order asked, one for one. Works while running.
    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        none_of(wanted, "exception filters")
    }

    /// Goes on; returns when the program is on its way. The stop that ends it comes as an event. `alone`: only this
    /// thread or task runs, and the others stay where they are. A step that was given on a task ends naming the task
    /// ([`Stopped::at`]), or the thread where it is if that is outside of the task.
    fn resume(&self, how: Resume, alone: Option<Target>) -> Answer<()>;

    /// Moves a stopped thread to another instruction of the function it is in; a stop with [`StopReason::Goto`]
    /// follows.
    fn go_to(&self, _of: Target, _address: u64) -> Answer<()> {
        Err(lacking("`goto`"))
    }

    /// Takes a stopped thread back to the begin of a function on its stack; a stop with [`StopReason::Restarted`]
    /// follows.
    fn restart_frame(&self, _call: Call) -> Answer<()> {
        Err(lacking("`restartFrame`"))
    }

    /// Has threads end where they stand, as the program goes on.
    fn end_threads(&self, _threads: &[Target]) -> Answer<()> {
        Err(lacking("`terminateThreads`"))
    }

    /// Writes into the stopped program's memory and says how many bytes. What was handed out for the current stop is
    /// over by it, and a new one is current when this returns.
    fn write_memory(&self, _address: u64, _bytes: &[u8]) -> Answer<usize> {
        Err(lacking("`writeMemory`"))
    }

    /// Lets a process that was reported by [`DebuggeeEvent::Forked`] run undebugged.
    fn let_go(&self, _pid: i64) {}

    /// Asks for a stop, which comes as an event with [`StopReason::Pause`]. `at` is the thread or task that the
    /// client looks at; the stop should name it if it still exists. Already stopped: `Ok`, and nothing happens.
    fn pause(&self, at: Option<Target>) -> Answer<()>;

    /// Goes on until one task comes to a line of a file, or to its end; the stop that ends it comes as an event with
    /// [`StopReason::Step`].
    fn run_to(&self, _task: TaskKey, _file: &Path, _line: u32) -> Answer<()> {
        Err(lacking("`asyncRunTo`"))
    }

    /// Replaces what a task stops the program for. The set ends with the task. Works while running.
    fn set_task_stops(&self, _task: TaskKey, _on: &[TaskStop]) -> Answer<()> {
        Err(lacking("`asyncTaskStops`"))
    }

    /// The user looks at this task from now on, until a stop shows another one.
    fn focus(&self, _task: TaskKey) -> Answer<()> {
        Ok(())
    }

    /// Asks the program to end by itself (SIGTERM), resuming it if it is stopped.
    fn terminate(&self) -> Answer<()>;

    /// Ends the session's hold. Returns when nothing is left behind: no process, no trap, no thread of ours.
    /// Harmless when the program is gone already or when called twice.
    fn end(&self, how: End) -> Answer<()>;

    // Reads.

    /// The program's threads. Works while running.
    fn threads(&self) -> Answer<Vec<ThreadInfo>>;

    /// Whether there is such a thread, by the operating system's id.
    fn has_thread(&self, id: i64) -> Answer<bool> {
        Ok(self.threads()?.iter().any(|thread| thread.id == id))
    }

    /// Rows of a stack, top first: those of `rows` that exist. For a thread that runs a task, and for a task, it is
    /// the logical stack with its labels.
    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack>;

    /// Every task, from the current stop; or, while running, from a glance that stops the program for as long as it
    /// takes and says so in a note. The session asks once per stop.
    fn tasks(&self) -> Answer<Arc<Snapshot>>;

    /// One task's logical stack, as a tree.
    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack>;

    /// Evaluates where no frame is given: statics and constants.
    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value>;

    /// As [`FrameBody::assign`], where no frame is given.
    fn assign(&self, _target: &str, _value: &str) -> Answer<Value> {
        Err(lacking("`setExpression`"))
    }

    /// As [`FrameBody::complete`], where no frame is given.
    fn complete(&self, _text: &str) -> Answer<Completions> {
        Err(lacking("`completions`"))
    }

    /// Lines and columns of these lines of a file where a breakpoint can be, in order. Works while running.
    fn breakpoint_locations(&self, _file: &Path, _lines: RangeInclusive<u32>) -> Answer<Vec<(u32, u32)>> {
        Err(lacking("`breakpointLocations`"))
    }

    /// The calls on the current line of a thread's or task's innermost frame, in the order they are called.
    fn step_in_targets(&self, _of: Target) -> Answer<Vec<StepInTarget>> {
        Err(lacking("`stepInTargets`"))
    }

    /// Where in the function that a thread is in a line begins.
    fn goto_targets(&self, _of: Target, _file: &Path, _line: u32) -> Answer<Vec<GotoTarget>> {
        Err(lacking("`gotoTargets`"))
    }

    /// What `bytes` bytes at an address are, as something to watch.
    fn watch_address(&self, _address: u64, _bytes: u64) -> Answer<Watchable> {
        Err(lacking("`dataBreakpointInfo`"))
    }

    /// Exactly `count` instructions, of which the first is `skip` instructions after (before, when negative) the one at
    /// `address`. The debugger's own traps are not seen.
    fn disassemble(&self, _address: u64, _skip: i64, _count: usize) -> Answer<Vec<Instruction>> {
        Err(lacking("`disassemble`"))
    }

    /// The bytes of the stopped program from `address` on, up to `count`, as far as they can be read without a gap; the
    /// debugger's own traps are not seen.
    fn read_memory(&self, _address: u64, _count: usize) -> Answer<MemoryRead> {
        Err(lacking("`readMemory`"))
    }

    /// The files it consists of now, the program first. Works while running.
    fn modules(&self) -> Answer<Vec<ModuleInfo>> {
        Err(lacking("`modules`"))
    }

    /// The source files that it was made of, by path. Works while running.
    fn sources(&self) -> Answer<Vec<PathBuf>> {
        Err(lacking("`loadedSources`"))
    }
}

/// The error for what a kind of program does not have.
fn lacking(what: &str) -> Error {
    Error::new(ErrorId::NotSupported, format!("{what} is not supported for this kind of program"))
}

/// What a debuggee without a kind of breakpoint says: clients send empty lists unasked.
fn none_of<T>(wanted: &[T], what: &str) -> Answer<Vec<Bound>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    Err(Error::new(ErrorId::NotSupported, format!("this kind of program has no {what}")))
}

/// A frame that has variables. Belongs to the stop it was made at.
pub trait FrameBody: Send + Sync {
    /// `Arguments`, `Locals`, `Globals`, `Statics`, `Registers`, as far as there are any.
    fn scopes(&self) -> Answer<Vec<Scope>>;

    /// The value of an expression in this frame.
    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value>;

    /// As [`evaluate`](Self::evaluate), for what may take long: `called_off` says whether the client has taken the request
    /// back meanwhile.
    fn evaluate_unless(
        &self,
        expression: &str,
        context: Option<&EvaluateContext>,
        _called_off: &dyn Fn() -> bool,
    ) -> Answer<Value> {
        self.evaluate(expression, context)
    }

    /// Gives what one expression stands for in this frame the value of another. Answers what is there then.
    fn assign(&self, _target: &str, _value: &str) -> Answer<Value> {
        Err(lacking("`setExpression`"))
    }

    /// What may follow a text that is being typed, if it is to be evaluated in this frame.
    fn complete(&self, _text: &str) -> Answer<Completions> {
        Err(lacking("`completions`"))
    }

    /// Which call of a function it is; none for frames that are on no thread's stack.
    fn call(&self) -> Option<Call> {
        None
    }

    /// The value of an expression in this frame as something to watch.
    fn watch(&self, _expression: &str) -> Answer<Watchable> {
        Err(lacking("`dataBreakpointInfo`"))
    }
}

/// Something with children. Belongs to the stop it was made at. Nothing is read before it is asked for.
pub trait Container: Send + Sync {
    /// How many children have names, and how many have indices, as far as that is known without reading them: a client
    /// is told that there are some, and asks.
    fn counts(&self) -> Counts;

    /// How many there are for certain.
    fn counted(&self) -> Answer<Counts> {
        Ok(self.counts())
    }

    /// The named children of that range; what lies beyond the end is left out.
    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>>;

    /// The indexed children of that range; what lies beyond the end is left out.
    fn indexed(&self, range: Range<usize>) -> Answer<Vec<Variable>>;

    /// Gives the child of that name the value of an expression. Answers what is there then.
    fn assign(&self, _name: &str, _value: &str) -> Answer<Value> {
        Err(lacking("`setVariable`"))
    }

    /// The child of that name as something to watch.
    fn watch(&self, _name: &str) -> Answer<Watchable> {
        Ok(Watchable::No("this is not in memory".to_owned()))
    }
}

/// What may follow a text.
#[derive(Clone, Debug, Default)]
pub struct Completions {
    /// The end of the text that is the begin of all of them.
    pub begin: String,
    /// Names in their order, each with what it is.
    pub names: Vec<(String, Option<CompletionItemType>)>,
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
    Globals,
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
    Task(TaskKey, Arc<str>),
    /// Below this row are the frames of the awaiter: `awaited by task 7 serve`.
    AwaitedBy(TaskKey, Arc<str>),
    /// The stack cannot be followed further; a sentence says why.
    Cut(String),
}

/// A frame of a stack.
#[derive(Clone)]
pub struct Frame {
    /// The source's name for it.
    pub name: String,
    /// Where it executes or awaits.
    pub location: Option<Arc<Location>>,
    /// Not the user's code: a client shows it greyed.
    pub subtle: bool,
    /// The user's own code, as far as can be told.
    pub own: bool,
    /// Address of the next instruction, for physical frames.
    pub instruction: Option<u64>,
    /// The function could be run again from its begin.
    pub restartable: bool,
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

/// Where text for the user came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
