//! A running program that is only looked at, from outside: nothing is run in it, and it stops only to be read.

use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use weft_process::{Pid, ProcessError, executable_path, mappings, process_state, thread_name, threads};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, DebuggeeEvent, End, FilterSpec, Frame, FunctionSpec, ProcessInfo,
    Resume, Row, Stack, Target, ThreadInfo, Value,
};
use weft_session::{Debuggee, EventSender};
use weft_tasks::{FrameKind, Snapshot, State, TaskKey};

use crate::memory::{Interpreter, Listing};

/// How often it is seen whether the program still runs.
const WATCH: Duration = Duration::from_millis(300);
/// What is said to whoever asks for more than a look.
const ONLY_LOOKS: &str = "weft only looks at this program from outside (`asyncOnly`), and it runs on: it cannot be stopped, stepped or \
     asked; attach without `asyncOnly` to debug it";

/// A look at a process.
pub(crate) struct Look {
    pub(crate) listing: Listing,
    /// How long it stood.
    pub(crate) stood: Duration,
}

/// Stops a process, reads its tasks and lets it go on.
pub(crate) fn look(pid: Pid) -> Answer<Look> {
    let failed = |error: ProcessError| Error::new(ErrorId::AttachFailed, error.to_string());
    let mapped = mappings(pid).map_err(failed)?;
    let python = Interpreter::of_process(pid, &mapped).ok_or_else(|| {
        let sentence = format!("process {pid} is no CPython: `asyncOnly` looks at programs of CPython 3.14 or later");
        Error::new(ErrorId::AttachFailed, sentence)
    })?;
    let (listing, stood) = python.look(pid).map_err(failed)?;
    let listing = listing.map_err(|reason| {
        let sentence = format!("the tasks of process {pid} cannot be read: {reason}");
        Error::new(ErrorId::AttachFailed, sentence)
    })?;
    Ok(Look { listing, stood })
}

/// Attaches to a process to look at it; fails if there is nothing that could be seen.
pub(crate) fn open(pid: Pid, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
    let first = look(pid)?;
    let (ended, end) = channel();
    Ok(Arc::new(Outside { pid, events, last: Mutex::new(Arc::new(first.listing)), ended, end: Mutex::new(Some(end)) }))
}

/// A process that is looked at.
struct Outside {
    pid: Pid,
    events: EventSender,
    /// What was seen last. One look at a time: two could not both stop it.
    last: Mutex<Arc<Listing>>,
    ended: Sender<()>,
    /// Heard by who watches whether it runs; taken at the start.
    end: Mutex<Option<Receiver<()>>>,
}

/// Tells when a process has ended, until told to end itself.
fn watch(pid: Pid, events: &EventSender, end: &Receiver<()>) {
    while end.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
        if process_state(pid).map_or(true, |state| matches!(state.letter, 'Z' | 'X')) {
            events.send(DebuggeeEvent::Lost(format!("process {pid} has ended")));
            return;
        }
    }
}

fn refused() -> Error {
    Error::new(ErrorId::NotSupported, ONLY_LOOKS)
}

/// Breakpoints are kept by the client, and say why they never stop.
fn unbound<T>(wanted: &[T]) -> Answer<Vec<Bound>> {
    let bound = |id| Bound { id, message: Some(ONLY_LOOKS.to_owned()), ..Bound::default() };
    Ok((1..).zip(wanted).map(|(id, _)| bound(id)).collect())
}

impl Outside {
    fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A task's rows, innermost first, and those of its first awaiters.
    fn rows(listing: &Listing, task: TaskKey) -> Answer<Vec<Row>> {
        let unknown = || Error::new(ErrorId::UnknownTask, "this task was not there at the last look: look again");
        let mut rows = Vec::new();
        let mut level = listing.tree(task).ok_or_else(unknown)?;
        loop {
            let awaiter =
                level.iter().position(|frame| frame.kind == FrameKind::Boundary).map(|at| level.swap_remove(at));
            let mut own = Vec::new();
            let mut next = level.into_iter().find(|frame| frame.kind != FrameKind::Boundary);
            while let Some(mut frame) = next {
                next = frame.children.pop();
                own.push(Row::Frame(Frame {
                    name: frame.name,
                    location: frame.location,
                    subtle: !frame.user_code,
                    own: frame.user_code,
                    instruction: None,
                    restartable: false,
                    body: None,
                }));
            }
            rows.extend(own.into_iter().rev());
            let Some(awaiter) = awaiter else { return Ok(rows) };
            rows.extend(awaiter.task.map(|key| Row::AwaitedBy(key, awaiter.name.as_str().into())));
            level = awaiter.children;
        }
    }
}

impl Debuggee for Outside {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: executable_path(self.pid).unwrap_or_default(), pid: Some(i64::from(self.pid)) }
    }

    fn only_looked_at(&self) -> Option<&'static str> {
        Some(ONLY_LOOKS)
    }

    fn start(&self) -> Answer<()> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(end) = end {
            let (pid, events) = (self.pid, self.events.clone());
            thread::spawn(move || watch(pid, &events, &end));
        }
        Ok(())
    }

    fn set_breakpoints(&self, _file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        unbound(wanted)
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        unbound(wanted)
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        unbound(wanted)
    }

    fn resume(&self, _how: Resume, _alone: Option<Target>) -> Answer<()> {
        Err(refused())
    }

    fn pause(&self, _at: Option<Target>) -> Answer<()> {
        Err(refused())
    }

    fn terminate(&self) -> Answer<()> {
        Err(refused())
    }

    /// It runs on in any case.
    fn end(&self, _how: End) -> Answer<()> {
        let _ = self.ended.send(());
        Ok(())
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        let info = |tid| {
            let name = thread_name(self.pid, tid).unwrap_or_else(|| format!("thread {tid}"));
            ThreadInfo { id: i64::from(tid), name }
        };
        Ok(threads(self.pid).into_iter().map(info).collect())
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        let listing = self.listing();
        let runs = |thread: i64| {
            let all = listing.snapshot.tasks.iter();
            all.filter(|task| task.state == State::Running).find(|task| task.os_thread.map(i64::from) == Some(thread))
        };
        let all = match of {
            Target::Task(task) => Self::rows(&listing, task)?,
            Target::Thread(thread) => match runs(thread) {
                Some(task) => {
                    let mut rows = Self::rows(&listing, task.key)?;
                    let own = rows.iter().position(|row| matches!(row, Row::AwaitedBy(..))).unwrap_or(rows.len());
                    rows.insert(own, Row::Task(task.key, Arc::clone(&task.name)));
                    rows
                }
                None => vec![Row::Cut("it ran no task when it was looked at".to_owned())],
            },
        };
        let total = Some(all.len());
        Ok(Stack { rows: all.into_iter().skip(rows.start).take(rows.len()).collect(), total })
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Look { mut listing, stood } = look(self.pid)?;
        listing.snapshot.notes.push(format!("stopped for {} ms", stood.as_millis().max(1)));
        let snapshot = Arc::new(listing.snapshot.clone());
        *last = Arc::new(listing);
        Ok(snapshot)
    }

    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack> {
        let unknown = || Error::new(ErrorId::UnknownTask, "this task was not there at the last look: look again");
        Ok(AsyncStack { frames: self.listing().tree(task).ok_or_else(unknown)?, bodies: Vec::new() })
    }

    fn evaluate(&self, _expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        Err(refused())
    }
}
