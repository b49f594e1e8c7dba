//! Starting and attaching.

use std::sync::Arc;

use weft_debugger::{AttachSpec, Console, Debugger, LaunchSpec, Settings};
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::Answer;
use weft_session::{AttachConfig, Debuggee, EventSender, Factory, LaunchConfig};

use crate::control::{Native, Reporter, SteppedTask};
use crate::output::Pump;
use crate::words::refused;

/// Makes native debuggees.
#[derive(Debug, Default)]
pub struct NativeFactory {}

impl NativeFactory {
    /// A factory.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Factory for NativeFactory {
    fn launch(&self, config: LaunchConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let spec = LaunchSpec {
            program: config.program,
            args: config.args,
            cwd: config.cwd,
            env: config.env,
            stdin: config.stdin,
            console: Console::Terminals,
            settings: Settings::default(),
        };
        let pump = Pump::new(events.clone());
        let stepped = SteppedTask::default();
        let reporter = Reporter::new(events, stepped.clone());
        let debugger =
            Debugger::launch(spec, move |event| reporter.report(event), move |stream, bytes| pump.write(stream, bytes))
                .map_err(refused)?;
        Ok(Arc::new(Native::new(debugger, config.stop_on_entry, stepped)))
    }

    fn attach(&self, config: AttachConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let stepped = SteppedTask::default();
        let reporter = Reporter::new(events, stepped.clone());
        let spec = AttachSpec {
            pid: config.pid,
            program: config.program,
            resume_stopped: false,
            settings: Settings::default(),
        };
        let debugger =
            Debugger::attach(spec, move |event| reporter.report(event)).map_err(|error| match refused(error) {
                Error { id: ErrorId::LaunchFailed, message } => Error { id: ErrorId::AttachFailed, message },
                other => other,
            })?;
        Ok(Arc::new(Native::new(debugger, config.stop_on_entry, stepped)))
    }
}
