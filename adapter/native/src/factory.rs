//! Starting and attaching.

use std::ffi::OsString;
use std::sync::Arc;

use weft_debugger::{AttachSpec, Console, Debugger, LaunchSpec, Stream};
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Channel};
use weft_session::{
    Debuggee, EventSender, NativeAttach, NativeLaunch, Pump, Terminal, TerminalCommand, terminal_helper,
};

use crate::control::{Native, SteppedTask};
use crate::report::Reporter;
use crate::settings::settings;
use crate::tasks::Tasks;
use crate::words::refused;
use crate::{cargo, post_mortem};

/// Makes native debuggees.
#[derive(Debug, Default)]
pub struct NativeFactory {}

impl NativeFactory {
    /// A factory.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Factory::launch`](weft_session::Factory::launch).
    pub fn launch(&self, mut config: NativeLaunch, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let program = cargo::program(&mut config, &events)?;
        let tasks = Tasks::default();
        let start = config.start;
        let spec = LaunchSpec {
            program,
            args: start.args,
            cwd: start.cwd,
            env: start.env,
            stdin: config.stdin,
            console: Console::Terminals,
            settings: settings(&config.settings, &tasks.runtimes, &events)?,
        };
        let (stepped, restarting) = (SteppedTask::default(), Arc::default());
        let reporter =
            Reporter::new(events.clone(), stepped.clone(), Arc::clone(&restarting), Arc::clone(&tasks.runtimes));
        let report = move |event| reporter.report(event);
        let debugger = match Terminal::of(start.console) {
            Some(terminal) => in_terminal(spec, terminal, events, report)?,
            None => {
                let pump = Pump::new(events);
                Debugger::launch(spec, report, move |stream, bytes| pump.write(channel(stream), bytes))
                    .map_err(refused)?
            }
        };
        Ok(Arc::new(Native::new(debugger, tasks, start.stop_on_entry, stepped, restarting)))
    }

    /// As [`Factory::attach`](weft_session::Factory::attach).
    pub fn attach(&self, config: NativeAttach, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        if let Some(core) = &config.core {
            return post_mortem::open(core, config.program.as_deref(), &config.settings, events);
        }
        let tasks = Tasks::default();
        let (stepped, restarting) = (SteppedTask::default(), Arc::default());
        let reporter =
            Reporter::new(events.clone(), stepped.clone(), Arc::clone(&restarting), Arc::clone(&tasks.runtimes));
        let spec = AttachSpec {
            pid: config.pid,
            program: config.program,
            resume_stopped: config.resume_stopped,
            settings: settings(&config.settings, &tasks.runtimes, &events)?,
        };
        let debugger =
            Debugger::attach(spec, move |event| reporter.report(event)).map_err(|error| match refused(error) {
                Error { id: ErrorId::LaunchFailed, message } => Error { id: ErrorId::AttachFailed, message },
                other => other,
            })?;
        Ok(Arc::new(Native::new(debugger, tasks, config.stop_on_entry, stepped, restarting)))
    }
}

fn channel(stream: Stream) -> Channel {
    match stream {
        Stream::Stdout => Channel::Stdout,
        Stream::Stderr => Channel::Stderr,
    }
}

/// Starts the program in a terminal of the client's: a helper that the client runs there becomes the program.
fn in_terminal(
    spec: LaunchSpec,
    terminal: Terminal,
    events: EventSender,
    report: impl Fn(weft_debugger::Event) + Send + Sync + 'static,
) -> Answer<Debugger> {
    let helper = terminal_helper()?;
    let title = spec.program.file_name().unwrap_or(spec.program.as_os_str()).to_string_lossy().into_owned();
    let (cwd, env) = (spec.cwd.clone(), spec.env.clone());
    let run = move |words: Vec<OsString>| {
        // Which process the client says it started is of no use: the helper tells itself.
        let command = TerminalCommand::new(terminal, title, cwd, &words, &env);
        command.and_then(|command| events.run_in_terminal(&command)).map(|_| ()).map_err(|error| error.message)
    };
    Debugger::launch_in_terminal(spec, &helper, run, report).map_err(refused)
}
