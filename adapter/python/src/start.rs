//! Starting a Python program with pydevd in it, and its end.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use weft_process::{
    Child, Ended, Helper, LaunchSpec, Meeting, Output, OutputEnd, ProcessError, StartedChild, Stdin, process_state,
};
use weft_protocol::{Error, ErrorId};
use weft_session::config::{PythonCode, PythonLaunch};
use weft_session::debuggee::{Answer, Channel};
use weft_session::{EventSender, Pump, Terminal, TerminalCommand, terminal_helper};

use crate::cache;
use crate::factory::name;
use crate::interpreter::Interpreter;
use crate::link::{Link, Listener};

/// How long a program may take to connect: Python itself, and what runs before debugpy (`sitecustomize`).
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// How long a program that is over may leave its output open to others.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(1);

/// A process that weft has started.
pub(crate) struct Program {
    child: Child,
    pumps: Vec<JoinHandle<()>>,
}

/// What starts a program under debugpy, and what it is called: what debugpy neither traces nor shows goes by this name.
const LAUNCHER: (&str, &str) = ("debugpy_launcher.py", include_str!("launcher.py"));

/// The words that start a program under pydevd, without the interpreter's own name.
pub(crate) fn debugged(config: &PythonLaunch, debugpy: &Path, port: u16, token: &str) -> Vec<OsString> {
    let mut words = interpreter_words(config);
    let (name, text) = LAUNCHER;
    // Where nothing can be kept debugpy starts it by itself, and takes longer.
    words.extend(cache::script(name, text).map(OsString::from));
    words.push(debugpy.into());
    let subprocess = if config.settings.sub_process { "true" } else { "false" };
    let address = format!("127.0.0.1:{port}");
    let switches = [
        "--connect",
        &address,
        "--adapter-access-token",
        token,
        "--wait-for-client",
        "--configure-subProcess",
        subprocess,
    ];
    words.extend(switches.map(OsString::from));
    words.extend(program_words(config));
    words
}

/// The words that start it without.
pub(crate) fn undebugged(config: &PythonLaunch) -> Vec<OsString> {
    let mut words = interpreter_words(config);
    words.extend(program_words(config));
    words
}

fn interpreter_words(config: &PythonLaunch) -> Vec<OsString> {
    let mut words = Vec::new();
    if config.settings.asyncio.dev_mode {
        words.extend(["-X".into(), "dev".into()]);
    }
    words.extend(config.python_args.iter().cloned());
    words
}

fn program_words(config: &PythonLaunch) -> Vec<OsString> {
    let mut words: Vec<OsString> = match &config.code {
        PythonCode::Script(script) => vec![script.into()],
        PythonCode::Module(module) => vec!["-m".into(), module.into()],
        PythonCode::Text(text) => vec!["-c".into(), text.into()],
    };
    words.extend(config.start.args.iter().cloned());
    words
}

/// What the program's environment has besides.
pub(crate) fn environment(config: &PythonLaunch) -> Vec<(OsString, Option<OsString>)> {
    let mut env = config.start.env.clone();
    let mut set = |name: &str, value: &str| env.push((name.into(), Some(value.into())));
    // pydevd warns of frozen modules on stderr, which a user can do nothing about.
    set("PYDEVD_DISABLE_FILE_VALIDATION", "1");
    if config.settings.asyncio.debug {
        set("PYTHONASYNCIODEBUG", "1");
    }
    if config.settings.gevent {
        set("GEVENT_SUPPORT", "True");
    }
    env
}

/// Has the client run a helper in a terminal, which will start the program there. Blocks until the client has answered.
pub(crate) fn meet_in_terminal(
    terminal: Terminal,
    config: &PythonLaunch,
    interpreter: &Path,
    words: &[OsString],
    events: &EventSender,
) -> Answer<Helper> {
    let meeting = Meeting::new().map_err(failed)?;
    let mut helper = terminal_helper()?;
    helper.push("--stay".into());
    let words = meeting.command(&helper, interpreter, words, None);
    let title = name(&config.code).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let command = TerminalCommand::new(terminal, title, config.start.cwd.clone(), &words, &environment(config))?;
    events.run_in_terminal(&command)?;
    meeting.wait(CONNECT_PATIENCE, || None).map_err(failed)
}

/// Which signal asks a program to end by itself. One that has no handler for SIGTERM would end without cleaning up, so it gets what
/// Ctrl+C sends: Python raises `KeyboardInterrupt`, and asyncio cancels the main task.
pub(crate) fn last_signal(child: &Child) -> i32 {
    let is_handled = |signal| process_state(child.pid()).is_ok_and(|state| state.catches(signal));
    if !is_handled(libc::SIGTERM) && is_handled(libc::SIGINT) { libc::SIGINT } else { libc::SIGTERM }
}

impl Program {
    /// Starts the program that a helper waits to start, in its terminal; what it writes is seen there.
    pub(crate) fn in_terminal(helper: Helper) -> Answer<Self> {
        Ok(Self { child: Child::in_terminal(helper).map_err(failed)?, pumps: Vec::new() })
    }

    /// Starts a program whose output is told in events.
    pub(crate) fn start(
        config: &PythonLaunch,
        interpreter: &Path,
        words: Vec<OsString>,
        events: &EventSender,
    ) -> Answer<Self> {
        let spec = LaunchSpec {
            program: interpreter.to_owned(),
            args: words,
            cwd: Some(config.start.cwd.clone()),
            env: environment(config),
            stdin: Stdin::Null,
            output: Output::Terminals,
        };
        let StartedChild { child, stdout, stderr } = Child::start(&spec).map_err(failed)?;
        let pump = Arc::new(Pump::new(events.clone()));
        let streams = [(Channel::Stdout, stdout), (Channel::Stderr, stderr)];
        let pumps = streams.into_iter().filter_map(|(channel, end)| carry(&pump, channel, end?));
        Ok(Self { pumps: pumps.collect(), child })
    }

    /// Whether what it writes is told in events.
    pub(crate) fn is_read(&self) -> bool {
        !self.pumps.is_empty()
    }

    pub(crate) fn pid(&self) -> i64 {
        i64::from(self.child.pid())
    }

    /// Waits until the program connects; what kept it from that is told.
    pub(crate) fn connection(&self, listener: &Listener, interpreter: &Interpreter) -> Answer<std::net::TcpStream> {
        let until = Instant::now() + CONNECT_PATIENCE;
        let stream = listener.accept(Some(until), || self.child.wait(Duration::ZERO).is_some());
        stream.ok_or_else(|| {
            let python = interpreter.path.display();
            let sentence = match self.child.wait(Duration::ZERO) {
                Some(_) => format!("{python} ended before the program began: its output says why"),
                None => format!(
                    "{python} did not come to the program within {} s: does something wait in its `sitecustomize`?",
                    CONNECT_PATIENCE.as_secs()
                ),
            };
            Error::new(ErrorId::LaunchFailed, sentence)
        })
    }

    /// Has a connection end with the program: a process that it forked may keep its end open.
    pub(crate) fn ends(&self, link: &Arc<Link>) {
        let (child, link) = (self.child.clone(), Arc::clone(link));
        let wait = move || {
            while child.wait(Duration::from_secs(3600)).is_none() {}
            link.close();
        };
        if let Err(error) = thread::Builder::new().name("python-end".to_owned()).spawn(wait) {
            tracing::debug!(%error, "nobody waits for the program's end");
        }
    }

    /// Whether it has ended, or does so within that time.
    pub(crate) fn ends_within(&self, at_most: Duration) -> bool {
        self.child.wait(at_most).is_some()
    }

    /// How it has ended, with all its output told; none if nobody can tell.
    pub(crate) fn ended(self) -> Option<i32> {
        let status = match self.child.wait(Duration::ZERO)? {
            Ended::Code(code) => code,
            Ended::Signal(signal) => signal.saturating_add(128),
            Ended::Unknown => return None,
        };
        let until = Instant::now() + OUTPUT_PATIENCE;
        // A child of its own may have its output still open.
        while self.pumps.iter().any(|pump| !pump.is_finished()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        Some(status)
    }

    /// A handle to end it with.
    pub(crate) fn child(&self) -> Child {
        self.child.clone()
    }
}

/// Passes one stream on, on a thread of its own.
fn carry(pump: &Arc<Pump>, channel: Channel, mut end: OutputEnd) -> Option<JoinHandle<()>> {
    let pump = Arc::clone(pump);
    let carry = move || {
        let mut piece = vec![0; 1 << 14];
        while let Ok(count @ 1..) = end.read(&mut piece) {
            if !pump.write(channel, piece.get(..count).unwrap_or_default()) {
                // The program must not wait for somebody who is gone.
                let _read = std::io::copy(&mut end, &mut std::io::sink());
                break;
            }
        }
    };
    thread::Builder::new().name("output".to_owned()).spawn(carry).ok()
}

/// Why a program could not be started, as an error of the protocol.
fn failed(error: ProcessError) -> Error {
    let id = match &error {
        ProcessError::NoProgram(_) | ProcessError::WorkingDirectory { .. } => ErrorId::NotFound,
        _ => ErrorId::LaunchFailed,
    };
    Error::new(id, error)
}
