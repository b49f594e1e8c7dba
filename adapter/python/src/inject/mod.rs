//! Putting debugpy into a program that runs already: it executes a file that attaches it. CPython 3.14 and later do so when a
//! debugger names one ([`named`]), once their main thread comes to it; where that does not, and in an older one, a thread of the
//! program calls what does it ([`called`]). Whichever comes first begins, and the other finds that it has no right to.

mod called;
mod functions;
mod named;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::NamedTempFile;
use weft_process::{Pid, ProcessError, Tracee, command_line, executable_path, may_attach};
use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::config::PythonSettings;
use weft_session::debuggee::{Answer, Work};

use crate::interpreter::{self, Interpreter, OLDEST};
use crate::link::Listener;
use crate::patience::Waiting;
use crate::{debugpy, factory};
use called::Called;
use named::Named;

/// The first version that executes what a debugger names.
const NAMES: (u32, u32) = (3, 14);

/// How long the program may take to come to it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the main thread may take to come to a file that was named, before another thread is asked: it comes to it at once, unless
/// it waits for a lock or is in a call into C.
const MAIN: Duration = Duration::from_secs(2);

/// How long it may take in all to start debugpy: in a busy program that has a small share of the interpreter.
const LONGEST: Duration = Duration::from_secs(90);

/// How often it is looked after meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked whether a program that has connected is ready.
const SOON: Duration = Duration::from_millis(5);

/// What the file tells when every thread is debugged.
const ATTACHED: &str = "attached";

/// Bytes that are read of what the program tells.
const MOST_TOLD: u64 = 1 << 16;

/// Defines what the file calls.
const ATTACH: &str = include_str!("inject.py");

/// A program that has connected.
pub(crate) struct Injected {
    pub(crate) stream: TcpStream,
    pub(crate) listener: Listener,
    pub(crate) token: String,
    pub(crate) starting: Starting,
}

/// A program in which debugpy is being started.
pub(crate) struct Starting {
    pid: Pid,
    files: Files,
}

/// Has a running process connect to us.
pub(crate) fn inject(pid: Pid, settings: &PythonSettings, events: &EventSender) -> Answer<Injected> {
    // Whatever forbids attaching is said here, with what helps.
    may_attach(pid).map_err(refused)?;
    if let Some(what) = elsewhere(pid) {
        return Err(failed(format!(
            "process {pid} has a {what} of its own, as in a container: start the program there with `python -m debugpy \
             --listen 0.0.0.0:5678 …`, and attach with `connect`"
        )));
    }
    let (interpreter, version) = of_process(pid)?;
    if version >= NAMES {
        wake(pid).map_err(refused)?;
    }
    let debugpy = debugpy::find(&interpreter, events)?;
    let listener =
        Listener::new().map_err(|error| failed(format!("no port for the program to connect to: {error}")))?;
    let token = factory::token()?;
    let files = Files::new(pid, &debugpy, listener.port(), &token, settings)
        .map_err(|error| failed(format!("the file that process {pid} is to execute cannot be written: {error}")))?;
    let waiting = Arc::new(Waiting::new(format!("Attaching to process {pid}")));
    events.work(Arc::clone(&waiting) as Arc<dyn Work>);
    let way = if version >= NAMES {
        Named::new(pid, &interpreter, files.script.path()).map(Way::Named)
    } else {
        Called::new(pid, files.script.path(), &waiting).map(Way::Called)
    };
    let stream = way.and_then(|way| connection(pid, &listener, way, &files, &waiting));
    waiting.end();
    Ok(Injected { stream: stream?, listener, token, starting: Starting { pid, files } })
}

/// How the program is had to execute the file.
enum Way<'a> {
    Named(Named<'a>),
    Called(Called<'a>),
}

impl<'a> Way<'a> {
    /// Looks after it while nothing has begun. To be called now and then.
    fn look(&mut self, begun: Instant, files: &'a Files, waiting: &Waiting) -> Answer<()> {
        match self {
            Self::Called(called) => called.look(waiting),
            Self::Named(named) if begun.elapsed() < MAIN || named.is_only_way => wake(named.pid).map_err(refused),
            Self::Named(named) => {
                match Called::new(named.pid, files.script.path(), waiting) {
                    Ok(called) => {
                        named.take_back();
                        *self = Self::Called(called);
                    }
                    Err(error) => {
                        tracing::debug!(named.pid, error = error.message, "only the main thread can attach");
                        named.is_only_way = true;
                    }
                }
                Ok(())
            }
        }
    }

    /// Gives up on what has not begun. What comes to it meanwhile finds that it may not begin any more.
    fn give_up(&self, files: &Files) {
        if !files.revoke() {
            return;
        }
        match self {
            Self::Named(named) => named.take_back(),
            // It does so by itself.
            Self::Called(_) => {}
        }
    }

    /// Why the program has not connected.
    fn lateness(&self) -> &'static str {
        match self {
            Self::Named(_) => named::LATENESS,
            Self::Called(called) => called.lateness(),
        }
    }
}

fn failed(sentence: String) -> Error {
    Error::new(ErrorId::AttachFailed, sentence)
}

fn refused(error: ProcessError) -> Error {
    failed(error.to_string())
}

/// Interrupts what all threads wait for, and lets them go on.
fn wake(pid: Pid) -> Result<(), ProcessError> {
    Tracee::attach(pid)?.detach()
}

/// What of the places that it must share with us a process does not.
fn elsewhere(pid: Pid) -> Option<&'static str> {
    let space = |process: &str, name: &str| fs::metadata(format!("/proc/{process}/ns/{name}")).ok().map(|at| at.ino());
    let differs = |name| space(&pid.to_string(), name).is_some_and(|theirs| Some(theirs) != space("self", name));
    if differs("mnt") {
        return Some("file system");
    }
    differs("net").then_some("network")
}

/// The interpreter that a process runs.
fn of_process(pid: Pid) -> Answer<(Interpreter, (u32, u32))> {
    let file = executable_path(pid).map_err(refused)?;
    // As it was called: in a virtual environment that is a link, and what is installed there depends on it.
    let called = command_line(pid).ok().and_then(|words| words.into_iter().next()).map(PathBuf::from);
    let called = called.filter(|path| path.is_absolute() && fs::canonicalize(path).is_ok_and(|real| real == file));
    let python = called.unwrap_or(file);
    let no_python = || {
        failed(format!(
            "process {pid} runs {}, which is no Python interpreter: attach to it as a native program (`pid`), or let the \
             program that has Python in it call `debugpy.listen` and use `connect`",
            python.display()
        ))
    };
    let looks = python.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("python"));
    // Nothing that is not Python is ever run here.
    if !looks {
        return Err(no_python());
    }
    let (interpreter, version) = interpreter::at(&python, &search_path(pid))?;
    if version < OLDEST {
        return Err(failed(format!(
            "process {pid} runs Python {}, and weft debugs {}.{} and later",
            interpreter.version, OLDEST.0, OLDEST.1
        )));
    }
    Ok((interpreter, version))
}

/// The variables of a process that say where its modules are.
fn search_path(pid: Pid) -> Vec<(OsString, Option<OsString>)> {
    let all = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let value = |name: &str| {
        let values =
            all.split(|byte| *byte == 0).filter_map(|set| set.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        values.map(|value| OsStr::from_bytes(value).to_owned()).next()
    };
    ["PYTHONPATH", "PYTHONHOME"].into_iter().map(|name| (name.into(), value(name))).collect()
}

/// What the process is to execute, and where it tells that it has begun and what went wrong; for it and nobody else to read.
struct Files {
    script: NamedTempFile,
    told: NamedTempFile,
    /// Whoever removes it begins.
    right: NamedTempFile,
}

impl Files {
    fn new(pid: Pid, debugpy: &Path, port: u16, token: &str, settings: &PythonSettings) -> io::Result<Self> {
        let folder = debugpy.parent().unwrap_or(debugpy).to_string_lossy();
        let told = theirs(pid, ".txt")?;
        let right = theirs(pid, ".right")?;
        let mut script = theirs(pid, ".py")?;
        let follow = if settings.sub_process { "True" } else { "False" };
        // Strings of JSON's are Python's as well.
        let place = |file: &NamedTempFile| json!(file.path().to_string_lossy());
        let (right_place, told_place, folder, token) = (place(&right), place(&told), json!(folder), json!(token));
        writeln!(script, "{ATTACH}begin({right_place}, {told_place}, {folder}, {port}, {token}, {follow})")?;
        script.flush()?;
        Ok(Self { script, told, right })
    }

    /// Takes the right to begin away; whether nobody has taken it before.
    fn revoke(&self) -> bool {
        fs::remove_file(self.right.path()).is_ok()
    }

    /// How far the program has come.
    fn progress(&self) -> Progress {
        let mut told = Vec::new();
        let read = File::open(self.told.path()).and_then(|file| file.take(MOST_TOLD).read_to_end(&mut told));
        if read.is_err() || told.is_empty() {
            return Progress::Nothing;
        }
        let told = String::from_utf8_lossy(&told);
        // The last line of a traceback says what it is about.
        match told.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
            None => Progress::Begun,
            Some(ATTACHED) => Progress::Attached,
            Some(line) => Progress::Failed(line.chars().take(400).collect()),
        }
    }
}

/// How far a program has come.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Nothing,
    Begun,
    /// Every thread of it is debugged.
    Attached,
    /// What went wrong.
    Failed(String),
}

/// A file that belongs to a process's owner.
fn theirs(pid: Pid, suffix: &str) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix("weft-attach-").suffix(suffix).tempfile()?;
    let owner = fs::metadata(format!("/proc/{pid}"))?;
    let own = file.as_file().metadata()?;
    if own.uid() != owner.uid() {
        fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Waits until the program has connected. If it does not, it will not do so later.
fn connection<'a>(
    pid: Pid,
    listener: &Listener,
    mut way: Way<'a>,
    files: &'a Files,
    waiting: &Waiting,
) -> Answer<TcpStream> {
    let stream = look_after(pid, listener, &mut way, files, waiting);
    if stream.is_err() {
        way.give_up(files);
    }
    stream
}

/// Waits until the program has connected, and looks after it now and then.
fn look_after<'a>(
    pid: Pid,
    listener: &Listener,
    way: &mut Way<'a>,
    files: &'a Files,
    waiting: &Waiting,
) -> Answer<TcpStream> {
    let begun = Instant::now();
    let mut patience = PATIENCE;
    while !waiting.is_cancelled() && begun.elapsed() < patience {
        match files.progress() {
            Progress::Nothing => way.look(begun, files, waiting)?,
            Progress::Begun | Progress::Attached => patience = LONGEST,
            Progress::Failed(why) => {
                return Err(failed(format!("debugpy could not be started in process {pid}: {why}")));
            }
        }
        if let Some(stream) = listener.accept(Some(Instant::now() + LOOK), || waiting.is_cancelled()) {
            return Ok(stream);
        }
    }
    if waiting.is_cancelled() {
        return Err(Error::new(ErrorId::Cancelled, "attaching was called off"));
    }
    let why = way.lateness();
    Err(failed(format!("process {pid} did not come to its debugger within {} s: {why}", patience.as_secs())))
}

impl Starting {
    /// Waits until every thread of the program is debugged, which is so some time after it has been told to begin: what one of
    /// them did before would be missed.
    pub(crate) fn settle(&self) -> Answer<()> {
        let begun = Instant::now();
        loop {
            match self.files.progress() {
                Progress::Attached => return Ok(()),
                Progress::Failed(why) => {
                    return Err(failed(format!("debugpy could not be started in process {}: {why}", self.pid)));
                }
                Progress::Nothing | Progress::Begun if begun.elapsed() > PATIENCE => {
                    tracing::debug!(self.pid, "some threads may not be debugged yet");
                    return Ok(());
                }
                Progress::Nothing | Progress::Begun => thread::sleep(SOON),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(told: &str) -> Files {
        let file = |text: &str| {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        Files { script: file(""), told: file(told), right: file("") }
    }

    #[test]
    fn the_right_to_begin_is_had_once() {
        let (taken, left) = (files(""), files(""));
        fs::remove_file(taken.right.path()).unwrap();
        assert!(!taken.revoke());
        assert!(left.revoke() && !left.right.path().exists() && !left.revoke());
    }

    #[test]
    fn what_a_program_tells() {
        let progress = |text| files(text).progress();
        assert_eq!(progress(""), Progress::Nothing);
        assert_eq!(progress("\n"), Progress::Begun);
        assert_eq!(progress("attached\n"), Progress::Attached);
        let trace = "Traceback (most recent call last):\n  File \"x\", line 1\nImportError: no such thing\n\n";
        assert_eq!(progress(trace), Progress::Failed("ImportError: no such thing".to_owned()));
    }
}
