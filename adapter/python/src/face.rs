//! The debuggee as the session sees it: requests go to pydevd, its events come back.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weft_process::Child;
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, End, FilterSpec, FunctionSpec, Granularity, ProcessInfo, Resume, Stack,
    StepKind, Target, ThreadInfo, Value,
};
use weft_session::{Debuggee, EventSender};
use weft_tasks::{Snapshot, TaskKey};

use crate::breakpoints::{self, Minted};
use crate::link::{Link, PATIENCE, lock, nothing};
use crate::state::{Standing, fault_as};
use crate::threads::Threads;
use crate::{stack, variables};

/// How long a killed program may take to be gone.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// What everything that was handed out leads back to.
pub(crate) struct Face {
    pub(crate) link: Arc<Link>,
    pub(crate) standing: Standing,
    pub(crate) threads: Threads,
    pub(crate) events: EventSender,
    pub(crate) minted: Minted,
}

/// A Python program under the debugger.
pub(crate) struct Python {
    face: Arc<Face>,
    origin: Origin,
    path: PathBuf,
    pid: Option<i64>,
    /// Reports until the connection is over.
    reporter: Mutex<Option<JoinHandle<()>>>,
}

/// How the program came to be debugged.
pub(crate) enum Origin {
    /// Weft has started it.
    Launched(Child),
    /// It was there.
    Attached,
}

impl Python {
    pub(crate) fn new(
        face: Arc<Face>,
        origin: Origin,
        path: PathBuf,
        pid: Option<i64>,
        reporter: JoinHandle<()>,
    ) -> Self {
        Self { face, origin, path, pid, reporter: Mutex::new(Some(reporter)) }
    }

    /// Asks something of pydevd that does not depend on a stop.
    fn ask(&self, command: &'static str, arguments: &Json) -> Answer<Json> {
        self.face.link.request(command, arguments, PATIENCE).map_err(|fault| fault_as(ErrorId::Control, fault))
    }

    /// pydevd's number of a thread.
    fn thread(&self, of: Target) -> Answer<i64> {
        match of {
            Target::Thread(native) => self.face.threads.pydevd(&self.face.link, native),
            Target::Task(_) => Err(no_tasks()),
        }
    }

    /// Sends the program on its way by a request.
    fn go(&self, command: &'static str, arguments: &Json) -> Answer<()> {
        let standing = &self.face.standing;
        standing.current()?;
        // Before it is asked: the next stop may come before the answer.
        let before = standing.leave();
        self.ask(command, arguments).map(|_| ()).inspect_err(|error| {
            if error.id == ErrorId::Control {
                standing.stay(before);
            }
        })
    }

    /// Kills the program, and waits until it is gone.
    fn kill(&self) {
        match &self.origin {
            Origin::Launched(child) => {
                child.kill();
                child.wait(END_PATIENCE);
            }
            Origin::Attached => {
                let _gone = self.ask("disconnect", &json!({"terminateDebuggee": true}));
            }
        }
    }

    /// Takes pydevd's hands off the program.
    fn let_go(&self) {
        if matches!(self.origin, Origin::Launched(_)) {
            // The kernel would kill it when we end.
            let stay = r#"__import__("ctypes").CDLL(None).prctl(1, 0, 0, 0, 0)"#;
            let _lives = self.ask("evaluate", &json!({"expression": stay, "context": "clipboard"}));
        }
        let _gone = self.ask("disconnect", &json!({"terminateDebuggee": false}));
    }
}

fn no_tasks() -> Error {
    Error::new(ErrorId::NotSupported, "the tasks of Python programs cannot be shown yet")
}

impl Debuggee for Python {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: self.path.clone(), pid: self.pid }
    }

    fn start(&self) -> Answer<()> {
        self.ask("configurationDone", &nothing()).map(|_| ())
    }

    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        breakpoints::lines(&self.face, file, wanted)
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        breakpoints::functions(&self.face, wanted)
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        breakpoints::exceptions(&self.face, wanted)
    }

    fn resume(&self, how: Resume, alone: Option<Target>) -> Answer<()> {
        if alone.is_some() {
            return Err(Error::new(ErrorId::NotSupported, "threads of Python programs run together or not at all"));
        }
        match how {
            Resume::Continue => self.go("continue", &json!({"threadId": "*"})),
            Resume::Step { granularity: Granularity::Instruction, .. } => {
                Err(Error::new(ErrorId::NotSupported, "Python programs are stepped by lines"))
            }
            Resume::Step { kind, of, .. } => {
                let command = match kind {
                    StepKind::Over => "next",
                    StepKind::In => "stepIn",
                    StepKind::Out => "stepOut",
                };
                self.go(command, &json!({"threadId": self.thread(of)?}))
            }
            Resume::StepInto { of, target } => {
                self.go("stepIn", &json!({"threadId": self.thread(of)?, "targetId": target.place}))
            }
        }
    }

    fn pause(&self, _at: Option<Target>) -> Answer<()> {
        if self.face.standing.current().is_ok() {
            return Ok(());
        }
        self.ask("pause", &json!({"threadId": "*"})).map(|_| ())
    }

    fn terminate(&self) -> Answer<()> {
        match &self.origin {
            Origin::Launched(child) => {
                child.signal(libc::SIGTERM);
                if self.face.standing.current().is_ok() {
                    // It may have a handler, which runs as the program does. One that has none is gone already.
                    let _gone = self.go("continue", &json!({"threadId": "*"}));
                }
                Ok(())
            }
            Origin::Attached => self.ask("terminate", &nothing()).map(|_| ()),
        }
    }

    fn end(&self, how: End) -> Answer<()> {
        match how {
            End::Kill => self.kill(),
            End::Detach => self.let_go(),
        }
        self.face.link.close();
        let reporter = lock(&self.reporter).take();
        if let Some(reporter) = reporter {
            let _panicked = reporter.join();
        }
        Ok(())
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        self.face.threads.list(&self.face.link).map_err(|fault| fault_as(ErrorId::Control, fault))
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        self.face.standing.current()?;
        stack::rows(&self.face, self.thread(of)?, rows)
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        Err(no_tasks())
    }

    fn async_stack(&self, _task: TaskKey) -> Answer<AsyncStack> {
        Err(no_tasks())
    }

    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value> {
        let epoch = self.face.standing.current()?;
        variables::evaluate_in_main(&self.face, epoch, expression, context)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let how = if matches!(self.origin, Origin::Launched(_)) { End::Kill } else { End::Detach };
        if lock(&self.reporter).is_some() {
            let _ended = self.end(how);
        }
    }
}
