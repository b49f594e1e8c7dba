//! Putting debugpy into a program that runs already: CPython 3.14 and later execute a file that a debugger names
//! (`sys.remote_exec`, PEP 768), in the main thread, as soon as that comes to it. A loop that is idle does not: its wait is
//! interrupted, as by any debugger that attaches.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use weft_process::{Pid, ProcessError, Tracee, command_line, executable_path};
use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::config::PythonSettings;
use weft_session::debuggee::{Answer, Work};

use crate::interpreter::{self, Interpreter};
use crate::link::Listener;
use crate::patience::{Waiting, output_within};
use crate::{debugpy, factory};

/// The first version that executes what a debugger names.
const FIRST: (u32, u32) = (3, 14);

/// How long the main thread may take to come to it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often an idle program is woken meanwhile.
const WAKE: Duration = Duration::from_secs(1);

/// How long the helper may take that names the file.
const HELPER_PATIENCE: Duration = Duration::from_secs(20);

/// Defines what the file calls.
const ATTACH: &str = include_str!("inject.py");

/// The helper: the same interpreter, since both must agree on how the file is named.
const HELPER: &str = "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])";

/// A program that has connected.
pub(crate) struct Injected {
    pub(crate) stream: TcpStream,
    pub(crate) listener: Listener,
    pub(crate) token: String,
}

/// Has a running process connect to us.
pub(crate) fn inject(pid: Pid, settings: &PythonSettings, events: &EventSender) -> Answer<Injected> {
    // Whatever forbids attaching is said here, with what helps.
    wake(pid).map_err(refused)?;
    if let Some(what) = elsewhere(pid) {
        return Err(failed(format!(
            "process {pid} has a {what} of its own, as in a container: start the program there with `python -m debugpy \
             --listen 0.0.0.0:5678 …`, and attach with `connect`"
        )));
    }
    let interpreter = of_process(pid)?;
    let debugpy = debugpy::find(&interpreter, events)?;
    let listener =
        Listener::new().map_err(|error| failed(format!("no port for the program to connect to: {error}")))?;
    let token = factory::token()?;
    let file = script(pid, &debugpy, listener.port(), &token, settings)
        .map_err(|error| failed(format!("the file that process {pid} is to execute cannot be written: {error}")))?;
    let waiting = Arc::new(Waiting::new(format!("Attaching to process {pid}")));
    events.work(Arc::clone(&waiting) as Arc<dyn Work>);
    let stream = name(pid, &interpreter, file.path()).and_then(|()| connection(pid, &listener, &waiting));
    waiting.end();
    Ok(Injected { stream: stream?, listener, token })
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
fn of_process(pid: Pid) -> Answer<Interpreter> {
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
    if version < FIRST {
        return Err(failed(format!(
            "process {pid} runs Python {}, and a debugger can be put into a running program from Python 3.14 on \
             (`sys.remote_exec`): start the program with `python -m debugpy --listen 5678 …` and attach with `connect`, launch \
             it with weft, or use Python 3.14",
            interpreter.version
        )));
    }
    Ok(interpreter)
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

/// Writes what the process is to execute, for it and nobody else to read.
fn script(
    pid: Pid,
    debugpy: &Path,
    port: u16,
    token: &str,
    settings: &PythonSettings,
) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = debugpy.parent().unwrap_or(debugpy).to_string_lossy();
    let mut file = tempfile::Builder::new().prefix("weft-attach-").suffix(".py").tempfile()?;
    let follow = if settings.sub_process { "True" } else { "False" };
    // Strings of JSON's are Python's as well.
    writeln!(file, "{ATTACH}attach({}, {port}, {}, {follow})", json!(folder), json!(token))?;
    file.flush()?;
    let owner = fs::metadata(format!("/proc/{pid}"))?;
    let own = file.as_file().metadata()?;
    if own.uid() != owner.uid() {
        fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Names the file to the process.
fn name(pid: Pid, interpreter: &Interpreter, file: &Path) -> Answer<()> {
    let mut helper = Command::new(&interpreter.path);
    helper.args(["-I", "-S", "-c", HELPER]).arg(pid.to_string()).arg(file).current_dir("/");
    let output = output_within(helper, HELPER_PATIENCE, || false)
        .map_err(|why| failed(format!("{} does not work: {why}", interpreter.path.display())))?;
    if output.success {
        return Ok(());
    }
    let advice = if output.stderr.contains("Remote debugging is not enabled") || output.stderr.contains("not enabled") {
        " (it was started with PYTHON_DISABLE_REMOTE_DEBUG or `-X disable-remote-debug`: start it without)"
    } else {
        ""
    };
    Err(failed(format!("nothing can be put into process {pid}: {}{advice}", output.complaint())))
}

/// Waits until the program has connected, and wakes it now and then.
fn connection(pid: Pid, listener: &Listener, waiting: &Waiting) -> Answer<TcpStream> {
    let until = Instant::now() + PATIENCE;
    while !waiting.is_cancelled() && Instant::now() < until {
        wake(pid).map_err(refused)?;
        if let Some(stream) = listener.accept(Some(Instant::now() + WAKE), || waiting.is_cancelled()) {
            return Ok(stream);
        }
    }
    if waiting.is_cancelled() {
        return Err(Error::new(ErrorId::Cancelled, "attaching was called off"));
    }
    Err(failed(format!(
        "process {pid} did not come to its debugger within {} s: its main thread is in a call that does not return to Python \
         (`asyncOnly` shows its tasks from outside), or its standard error says why",
        PATIENCE.as_secs()
    )))
}
