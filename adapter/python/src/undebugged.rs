//! A program that runs without being debugged (`noDebug`): its output, its end, nothing else.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use weft_process::{Child, Helper};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, DebuggeeEvent, End, ProcessInfo, Resume, Stack, Target, ThreadInfo,
    Value,
};
use weft_session::{Debuggee, EventSender, PythonLaunch};
use weft_tasks::{Snapshot, TaskKey};

use crate::link::lock;
use crate::start::{Program, last_signal, undebugged};

/// How long a killed program may take to be gone.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// A program that is only run.
pub(crate) struct Undebugged {
    pub(crate) config: PythonLaunch,
    pub(crate) interpreter: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) events: EventSender,
    /// Who will start it in a terminal.
    pub(crate) helper: Mutex<Option<Helper>>,
    pub(crate) child: Mutex<Option<Child>>,
}

fn not_debugged<T>() -> Answer<T> {
    Err(Error::new(ErrorId::NotSupported, "the program runs without debugging (`noDebug`)"))
}

impl Debuggee for Undebugged {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: self.path.clone(), pid: None }
    }

    fn start(&self) -> Answer<()> {
        let helper = lock(&self.helper).take();
        let program = match helper {
            Some(helper) => Program::in_terminal(helper)?,
            None => Program::start(&self.config, &self.interpreter, undebugged(&self.config), &self.events)?,
        };
        let child = program.child();
        *lock(&self.child) = Some(child.clone());
        let events = self.events.clone();
        let wait = move || {
            while child.wait(Duration::from_secs(3600)).is_none() {}
            let gone = || DebuggeeEvent::Lost("nobody can tell how the program ended".to_owned());
            events.send(program.ended().map_or_else(gone, DebuggeeEvent::Exited));
        };
        let waiting = thread::Builder::new().name("python-end".to_owned()).spawn(wait);
        waiting
            .map(|_| ())
            .map_err(|error| Error::new(ErrorId::LaunchFailed, format!("no thread to wait with: {error}")))
    }

    fn set_breakpoints(&self, _file: &Path, _wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        not_debugged()
    }

    fn resume(&self, _how: Resume, _alone: Option<Target>) -> Answer<()> {
        not_debugged()
    }

    fn pause(&self, _at: Option<Target>) -> Answer<()> {
        not_debugged()
    }

    fn terminate(&self) -> Answer<()> {
        if let Some(child) = &*lock(&self.child) {
            child.signal(last_signal(child));
        }
        Ok(())
    }

    fn end(&self, _how: End) -> Answer<()> {
        if let Some(child) = lock(&self.child).take() {
            child.kill();
            child.wait(END_PATIENCE);
        }
        Ok(())
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        Ok(Vec::new())
    }

    fn stack(&self, _of: Target, _rows: Range<usize>) -> Answer<Stack> {
        not_debugged()
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        not_debugged()
    }

    fn async_stack(&self, _task: TaskKey) -> Answer<AsyncStack> {
        not_debugged()
    }

    fn evaluate(&self, _expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        not_debugged()
    }
}

impl Drop for Undebugged {
    fn drop(&mut self) {
        let _ended = self.end(End::Kill);
    }
}
