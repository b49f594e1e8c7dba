//! The debuggee as the session sees it: commands go to the engine, its events come back.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use weft_debugger::{
    Debugger, EndKind, Event, Grain, LineSpec, Reason, ResumeKind, StepKind, StepTarget, Stopped, signal_name,
};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, Channel, DebuggeeEvent, End, Granularity, ProcessInfo, Resume, Stack,
    StopReason, Target, ThreadInfo, Value,
};
use weft_session::{Debuggee, EventSender};
use weft_tasks::{Snapshot, TaskKey};
use weft_values::Stop;

use crate::stack;
use crate::tasks::Tasks;
use crate::words::{location, refused};

/// The task that the step under way was given on, if it was given on a task.
#[derive(Clone, Default)]
pub(crate) struct SteppedTask(Arc<Mutex<Option<TaskKey>>>);

impl SteppedTask {
    fn set(&self, task: Option<TaskKey>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = task;
    }

    fn take(&self) -> Option<TaskKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A native program under the debugger.
pub(crate) struct Native {
    debugger: Debugger,
    tasks: Tasks,
    stop_on_entry: bool,
    stepped: SteppedTask,
}

impl Native {
    pub(crate) fn new(debugger: Debugger, stop_on_entry: bool, stepped: SteppedTask) -> Self {
        Self { debugger, tasks: Tasks::default(), stop_on_entry, stepped }
    }

    fn current(&self) -> Answer<Arc<Stop>> {
        self.debugger.current().ok_or_else(Error::running)
    }

    /// What is to be stepped.
    fn step_target(&self, target: Target) -> Answer<StepTarget> {
        match target {
            Target::Thread(tid) => {
                let thread = i32::try_from(tid).map(StepTarget::Thread);
                thread.map_err(|_| Error::new(ErrorId::UnknownThread, format!("there is no thread {tid}")))
            }
            Target::Task(key) => self.tasks.step_target(self.current()?.as_ref(), key),
        }
    }
}

impl Debuggee for Native {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: self.debugger.program().to_owned(), pid: Some(i64::from(self.debugger.pid())) }
    }

    fn start(&self) -> Answer<()> {
        self.debugger.start(self.stop_on_entry).map_err(refused)
    }

    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        let lines: Vec<LineSpec> =
            wanted.iter().map(|spec| LineSpec { line: spec.line, ..LineSpec::default() }).collect();
        let bound = self.debugger.set_breakpoints(file, &lines).map_err(refused)?;
        Ok(bound.into_iter().map(to_bound).collect())
    }

    fn resume(&self, how: Resume) -> Answer<()> {
        let stepped = match &how {
            Resume::Step { of: Target::Task(key), .. } => Some(*key),
            _ => None,
        };
        let how = match how {
            Resume::Continue => ResumeKind::Continue,
            Resume::Step { of, granularity: Granularity::Instruction, .. } => match self.step_target(of)? {
                StepTarget::Thread(tid) => ResumeKind::StepInstruction(StepKind::In, tid),
                StepTarget::Coroutine(_) => {
                    let sentence = "a task that no thread is polling has no next instruction; step by lines";
                    return Err(Error::new(ErrorId::NotSupported, sentence));
                }
            },
            Resume::Step { kind, of, .. } => {
                let kind = match kind {
                    weft_session::debuggee::StepKind::Over => StepKind::Over,
                    weft_session::debuggee::StepKind::In => StepKind::In,
                    weft_session::debuggee::StepKind::Out => StepKind::Out,
                };
                ResumeKind::Step(kind, self.step_target(of)?, Grain::Line)
            }
        };
        self.stepped.set(stepped);
        self.debugger.resume(how, false).map_err(refused)
    }

    fn pause(&self, at: Option<Target>) -> Answer<()> {
        let at = match at {
            Some(Target::Thread(tid)) => i32::try_from(tid).ok(),
            _ => None,
        };
        self.debugger.pause(at).map_err(refused)
    }

    fn terminate(&self) -> Answer<()> {
        self.debugger.terminate().map_err(refused)
    }

    fn end(&self, how: End) -> Answer<()> {
        let how = match how {
            End::Kill => EndKind::Kill,
            End::Detach => EndKind::Detach,
        };
        self.debugger.end(how).map_err(refused)
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        let threads = self.debugger.threads().map_err(refused)?;
        Ok(threads.into_iter().map(|thread| ThreadInfo { id: i64::from(thread.tid), name: thread.name }).collect())
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        stack::rows(&self.tasks, &self.current()?, of, rows)
    }

    fn tasks(&self) -> Answer<Snapshot> {
        self.tasks.snapshot(&self.debugger)
    }

    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack> {
        self.tasks.stack(&self.current()?, task)
    }

    fn evaluate(&self, _expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        Err(Error::new(ErrorId::Evaluate, "select a frame first: expressions are evaluated in a frame"))
    }
}

/// Tells the session what the engine reports.
pub(crate) struct Reporter {
    events: EventSender,
    stepped: SteppedTask,
}

impl Reporter {
    pub(crate) fn new(events: EventSender, stepped: SteppedTask) -> Self {
        Self { events, stepped }
    }

    pub(crate) fn report(&self, event: Event) {
        let told = match event {
            Event::Stopped(stopped) => DebuggeeEvent::Stopped(to_stopped(&stopped, self.stepped.take())),
            Event::ThreadStarted(tid) => DebuggeeEvent::ThreadStarted(i64::from(tid)),
            Event::ThreadExited(tid) => DebuggeeEvent::ThreadExited(i64::from(tid)),
            Event::BreakpointChanged(bound) => DebuggeeEvent::BreakpointChanged(to_bound(bound)),
            Event::Log(text, _) => DebuggeeEvent::Console(Channel::Console, text),
            Event::BreakpointRemoved(..) | Event::Forked(_) | Event::ModulesChanged => return,
            Event::Note(sentence) => DebuggeeEvent::Console(Channel::Console, format!("{sentence}\n")),
            Event::Exited(status) => DebuggeeEvent::Exited(status),
            Event::Killed(signal) => {
                let sentence = format!("the program was ended by {}\n", signal_name(signal));
                self.events.send(DebuggeeEvent::Console(Channel::Console, sentence));
                DebuggeeEvent::Exited(signal.saturating_add(128))
            }
            Event::Lost(sentence) => DebuggeeEvent::Lost(sentence),
        };
        self.events.send(told);
    }
}

fn to_bound(bound: weft_debugger::Bound) -> Bound {
    Bound { id: bound.id, at: bound.at.as_ref().and_then(location), message: bound.message }
}

fn to_stopped(stopped: &Stopped, stepped: Option<TaskKey>) -> weft_session::debuggee::Stopped {
    let (reason, breakpoints, description, text) = match &stopped.reason {
        Reason::Entry => (StopReason::Entry, Vec::new(), None, None),
        Reason::Breakpoint { ids, text, .. } => (StopReason::Breakpoint, ids.clone(), None, text.clone()),
        Reason::Panic { message, .. } => (StopReason::Exception, Vec::new(), Some("panic".to_owned()), message.clone()),
        Reason::Moved => (StopReason::Entry, Vec::new(), None, None),
        Reason::Step(sentence) => (StopReason::Step, Vec::new(), sentence.clone(), None),
        Reason::Pause => (StopReason::Pause, Vec::new(), None, None),
        Reason::Signal { name, text } => {
            (StopReason::Exception, Vec::new(), Some(format!("signal {name}")), Some(text.clone()))
        }
    };
    // A step given on a task ends naming the task, unless it could not be followed to its end.
    let at = match (&stopped.reason, stepped) {
        (Reason::Step(None), Some(key)) => Target::Task(key),
        _ => Target::Thread(i64::from(stopped.tid)),
    };
    let at = Some(at);
    weft_session::debuggee::Stopped { reason, at, description, text, breakpoints }
}
