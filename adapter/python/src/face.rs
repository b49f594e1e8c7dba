//! The debuggee as the session sees it: requests go to pydevd, its events come back.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weft_process::Child;
use weft_protocol::async_dap::TaskStop;
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, Completions, End, FilterSpec, FunctionSpec, Granularity, ProcessInfo,
    Resume, Stack, StepInTarget, StepKind, Target, ThreadInfo, Value,
};
use weft_session::{Debuggee, EventSender};
use weft_tasks::{Snapshot, TaskKey};

use crate::breakpoints::{self, Minted};
use crate::children::{Announced, Children, LEAVE_CHILDREN};
use crate::inject::Starting;
use crate::link::{Link, PATIENCE, lock, nothing};
use crate::start::last_signal;
use crate::state::{Standing, fault_as};
use crate::tasks::Tasks;
use crate::threads::Threads;
use crate::{pause, stack, stepping, variables};

/// How long a killed program may take to be gone.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// How long a program whose connection is over may take to end by itself before it is taken for another one that lives on.
const ENDING: Duration = Duration::from_secs(1);

/// What everything that was handed out leads back to.
pub(crate) struct Face {
    pub(crate) link: Arc<Link>,
    pub(crate) standing: Standing,
    pub(crate) threads: Threads,
    pub(crate) events: EventSender,
    pub(crate) minted: Minted,
    /// The program's own code has begun to run.
    pub(crate) begun: AtomicBool,
    /// Who the user looked at when a pause was asked for.
    pub(crate) paused_at: Mutex<Option<Target>>,
    /// None where the probe could not be put into the program.
    pub(crate) tasks: Option<Tasks>,
    /// The user wants children debugged.
    pub(crate) follows_children: bool,
    /// Children that wait at the program's own adapter.
    pub(crate) announced: Mutex<Vec<Announced>>,
}

/// A Python program under the debugger.
pub(crate) struct Python {
    face: Arc<Face>,
    known: Known,
    /// Reports until the connection is over.
    reporter: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of a program from the start.
pub(crate) struct Known {
    pub(crate) origin: Origin,
    /// What a user knows it by.
    pub(crate) path: PathBuf,
    /// Its number on its own machine.
    pub(crate) pid: Option<i64>,
    /// Who answers its children; none where its own adapter does.
    pub(crate) children: Option<Children>,
    /// The debugger is being started in it.
    pub(crate) starting: Option<Starting>,
}

/// How the program came to be debugged.
pub(crate) enum Origin {
    /// Weft has started it.
    Launched(Child),
    /// It was there.
    Attached,
    /// A process of this machine, of this number, which connected because we asked it to, or because its parent is debugged.
    Taken(i64),
}

impl Python {
    pub(crate) fn new(face: Arc<Face>, known: Known, reporter: JoinHandle<()>) -> Self {
        Self { face, known, reporter: Mutex::new(Some(reporter)) }
    }

    /// Asks something of pydevd that does not depend on a stop.
    fn ask(&self, command: &'static str, arguments: &Json) -> Answer<Json> {
        self.face.link.request(command, arguments, PATIENCE).map_err(|fault| fault_as(ErrorId::Control, fault))
    }

    /// An error once the connection is over, even if the program lives.
    fn linked(&self) -> Answer<()> {
        let sentence = "the program has ended, or is not debugged in this session any more: the console says why";
        let is_over = self.face.standing.is_over();
        if is_over { Err(Error::new(ErrorId::NoDebuggee, sentence)) } else { Ok(()) }
    }

    /// Asks for what lets the program run, to its end perhaps, before which it may have no time to answer.
    fn set_going(&self, command: &'static str, arguments: &Json) -> Answer<()> {
        let asked = self.face.link.post(command, arguments).and_then(|asked| asked.wait_or_end(PATIENCE));
        asked.map_err(|fault| fault_as(ErrorId::Control, fault))
    }

    /// pydevd's number of a thread, or of the thread that runs a task.
    fn thread(&self, of: Target) -> Answer<i64> {
        self.face.threads.pydevd(&self.face.link, self.native(of)?)
    }

    /// The system's number of a thread, or of the thread that runs a task.
    fn native(&self, of: Target) -> Answer<i64> {
        match of {
            Target::Thread(native) => Ok(native),
            Target::Task(key) => Python::tasks(self)?.thread_of(&self.face, key)?.ok_or_else(|| {
                Error::new(ErrorId::NotSupported, "no thread runs this task, so nothing is called on its line")
            }),
        }
    }

    /// A thread that runs a task, if the task's frames can be seen.
    fn in_sight(&self, native: i64, task: TaskKey) -> Answer<i64> {
        let epoch = self.face.standing.current()?;
        if Python::tasks(self)?.is_anothers(epoch, native, task) {
            let sentence = "the program stands at another task's exception, in the midst of this one: its frames are seen at its \
                next stop";
            return Err(Error::new(ErrorId::Unreadable, sentence));
        }
        Ok(native)
    }

    fn tasks(&self) -> Answer<&Tasks> {
        let sentence = "the program's tasks cannot be shown: the console says why";
        self.face.tasks.as_ref().ok_or_else(|| Error::new(ErrorId::NotSupported, sentence))
    }

    /// Sends the program on its way by a request.
    fn go(&self, command: &'static str, arguments: &Json, step: Option<Target>) -> Answer<()> {
        let standing = &self.face.standing;
        standing.current()?;
        if let Some(tasks) = &self.face.tasks {
            tasks.leave();
            tasks.begin(step);
        }
        // Before it is asked: the next stop may come before the answer.
        let (last, before) = (standing.last(), standing.leave());
        self.set_going(command, arguments).inspect_err(|error| {
            if error.id == ErrorId::Control {
                standing.stay(before);
            }
        })?;
        if step.is_some() {
            stepping::watch(&self.face, last);
        }
        Ok(())
    }

    /// Has breakpoints hold for calls that have begun.
    fn retrace(&self) {
        if let Some(tasks) = self.face.tasks.as_ref().filter(|_| self.face.begun.load(Ordering::Acquire)) {
            tasks.retrace(&self.face.events);
        }
    }

    /// Kills the program, and waits until it is gone.
    fn kill(&self) {
        match &self.known.origin {
            Origin::Launched(child) => {
                child.kill();
                child.wait(END_PATIENCE);
            }
            Origin::Attached | Origin::Taken(_) => {
                let _gone = self.ask("disconnect", &json!({"terminateDebuggee": true}));
            }
        }
    }

    /// Takes pydevd's hands off the program.
    fn let_go(&self) -> Answer<()> {
        if let Origin::Launched(child) = &self.known.origin {
            let lives = child.leave();
            if !lives && self.face.standing.is_over() {
                if child.wait(ENDING).is_some() {
                    return Ok(());
                }
                let sentence =
                    "the program has no debugger any more that could have it outlive this session: it ends with it";
                // We may live longer than the session.
                child.kill();
                return Err(Error::new(ErrorId::NotSupported, sentence));
            }
            // The kernel would kill it when we end.
            let stay = r#"__import__("ctypes").CDLL(None).prctl(1, 0, 0, 0, 0)"#;
            let _lives = self.ask("evaluate", &json!({"expression": stay, "context": "clipboard"}));
        }
        if self.known.children.is_some() {
            let _deaf = self.ask("evaluate", &json!({"expression": LEAVE_CHILDREN, "context": "repl"}));
        }
        if let Some(tasks) = &self.face.tasks {
            // A step that began later would end with nobody there.
            tasks.settle();
            // Whatever is under way for the user would hold it up.
            tasks.leave();
        }
        let _gone = self.ask("disconnect", &json!({"terminateDebuggee": false}));
        Ok(())
    }
}

impl Debuggee for Python {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: self.known.path.clone(), pid: self.known.pid }
    }

    fn start(&self) -> Answer<()> {
        self.set_going("configurationDone", &nothing())?;
        if let Some(starting) = &self.known.starting {
            starting.settle()?;
        }
        self.face.begun.store(true, Ordering::Release);
        if !matches!(self.known.origin, Origin::Launched(_)) {
            // It has been running.
            self.retrace();
        }
        Ok(())
    }

    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        let bound = breakpoints::lines(&self.face, file, wanted)?;
        self.retrace();
        Ok(bound)
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        let bound = breakpoints::functions(&self.face, wanted)?;
        self.retrace();
        Ok(bound)
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        breakpoints::exceptions(&self.face, wanted)
    }

    fn resume(&self, how: Resume, alone: Option<Target>) -> Answer<()> {
        if alone.is_some() {
            return Err(Error::new(ErrorId::NotSupported, "threads of Python programs run together or not at all"));
        }
        match how {
            Resume::Continue => self.go("continue", &json!({"threadId": "*"}), None),
            Resume::Step { granularity: Granularity::Instruction, .. } => {
                Err(Error::new(ErrorId::NotSupported, "Python programs are stepped by lines"))
            }
            Resume::Step { kind, of, .. } => {
                if let Target::Task(key) = of
                    && Python::tasks(self)?.thread_of(&self.face, key)?.is_none()
                {
                    Python::tasks(self)?.prepare(key, kind)?;
                    return self.go("continue", &json!({"threadId": "*"}), Some(of));
                }
                let command = match kind {
                    StepKind::Over => "next",
                    StepKind::In => "stepIn",
                    StepKind::Out => "stepOut",
                };
                self.go(command, &json!({"threadId": self.thread(of)?}), Some(of))
            }
            Resume::StepInto { of, target } => {
                let thread = self.thread(of)?;
                Python::tasks(self)?.go_into(self.native(of)?, target)?;
                self.go("next", &json!({"threadId": thread}), Some(of))
            }
        }
    }

    fn let_go(&self, pid: i64) {
        if self.known.children.as_ref().is_some_and(|children| children.let_go(pid)) {
            return;
        }
        let mut announced = lock(&self.face.announced);
        if let Some(at) = announced.iter().position(|child| child.pid() == pid) {
            announced.swap_remove(at).let_go();
        }
    }

    fn pause(&self, at: Option<Target>) -> Answer<()> {
        self.linked()?;
        pause::pause(&self.face, at)
    }

    fn run_to(&self, task: TaskKey, file: &Path, line: u32) -> Answer<()> {
        let tasks = Python::tasks(self)?;
        tasks.run_to(&self.face, task, file, line)?;
        let goes = self.go("continue", &json!({"threadId": "*"}), Some(Target::Task(task)));
        goes.inspect_err(|_| tasks.give_up_run())
    }

    fn set_task_stops(&self, task: TaskKey, on: &[TaskStop]) -> Answer<()> {
        Python::tasks(self)?.watch(task, on)
    }

    fn focus(&self, task: TaskKey) -> Answer<()> {
        self.face.tasks.as_ref().map_or(Ok(()), |tasks| tasks.focus(task))
    }

    fn terminate(&self) -> Answer<()> {
        match &self.known.origin {
            Origin::Launched(child) => {
                let (signal, stands) = (last_signal(child), self.face.standing.current().is_ok());
                let interrupt = || self.face.tasks.as_ref().is_some_and(Tasks::interrupt);
                if stands || signal != libc::SIGINT || !interrupt() {
                    child.signal(signal);
                }
                if stands {
                    // It may have a handler, which runs as the program does. One that has none is gone already.
                    let _gone = self.go("continue", &json!({"threadId": "*"}), None);
                }
                Ok(())
            }
            Origin::Attached | Origin::Taken(_) => self.set_going("terminate", &nothing()),
        }
    }

    fn end(&self, how: End) -> Answer<()> {
        let left = match how {
            End::Kill => {
                self.kill();
                Ok(())
            }
            End::Detach => self.let_go(),
        };
        if let Some(children) = &self.known.children {
            children.end();
        }
        self.face.link.close();
        let reporter = lock(&self.reporter).take();
        if let Some(reporter) = reporter {
            let _panicked = reporter.join();
        }
        left
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        self.face.threads.list(&self.face.link).map_err(|fault| fault_as(ErrorId::Control, fault))
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        let face = &self.face;
        face.standing.current()?;
        let native = match of {
            Target::Thread(native) => native,
            Target::Task(key) => match Python::tasks(self)?.thread_of(face, key)? {
                Some(native) => self.in_sight(native, key)?,
                None => return Python::tasks(self)?.task_rows(face, key, rows),
            },
        };
        let pydevd = face.threads.pydevd(&face.link, native)?;
        match &face.tasks {
            Some(tasks) => tasks.thread_rows(face, native, pydevd, rows),
            None => stack::rows(face, pydevd, rows),
        }
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        self.linked()?;
        Python::tasks(self)?.snapshot(&self.face)
    }

    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack> {
        let (face, tasks) = (&self.face, Python::tasks(self)?);
        let running = match tasks.thread_of(face, task)? {
            Some(native) => {
                self.in_sight(native, task)?;
                let pydevd = face.threads.pydevd(&face.link, native)?;
                stack::frames(face, face.standing.current()?, pydevd)?
            }
            None => Vec::new(),
        };
        tasks.tree(face, task, running)
    }

    fn step_in_targets(&self, of: Target) -> Answer<Vec<StepInTarget>> {
        self.face.standing.current()?;
        match &self.face.tasks {
            Some(tasks) => tasks.targets(self.native(of)?),
            None => Ok(Vec::new()),
        }
    }

    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value> {
        let epoch = self.face.standing.current()?;
        variables::evaluate_in_main(&self.face, epoch, expression, context)
    }

    fn assign(&self, target: &str, value: &str) -> Answer<Value> {
        variables::assign(&self.face, self.face.standing.current()?, None, target, value)
    }

    fn complete(&self, text: &str) -> Answer<Completions> {
        variables::complete(&self.face, self.face.standing.current()?, text, None)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let how = if matches!(self.known.origin, Origin::Launched(_)) { End::Kill } else { End::Detach };
        if lock(&self.reporter).is_some() {
            let _ended = self.end(how);
        }
    }
}
