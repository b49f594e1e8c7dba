//! CPython 3.14 and later: the main thread executes a file that a debugger names (`sys.remote_exec`, PEP 768), as soon as it comes
//! to it. A loop that is idle does not: its wait is interrupted, as by any debugger that attaches.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use weft_process::Pid;
use weft_session::debuggee::Answer;

use super::failed;
use crate::interpreter::Interpreter;
use crate::patience::output_within;

/// How long the helper may take that names the file.
const PATIENCE: Duration = Duration::from_secs(20);

/// The helper: the same interpreter, since both must agree on how the file is named.
const HELPER: &str = "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])";

/// Why the program has not connected.
pub(super) const LATENESS: &str = "its main thread is in a call that does not return to Python (`asyncOnly` shows its tasks from \
                                   outside), or its standard error says why";

/// A file that has nothing in it.
const NOTHING: &str = "/dev/null";

/// A process that is to execute a file.
pub(super) struct Named<'a> {
    pub(super) pid: Pid,
    interpreter: &'a Interpreter,
    /// Whether nobody but the main thread can be had to do it.
    pub(super) is_only_way: bool,
}

impl<'a> Named<'a> {
    /// Names the file to the process.
    pub(super) fn new(pid: Pid, interpreter: &'a Interpreter, file: &Path) -> Answer<Self> {
        name(pid, interpreter, file)?;
        Ok(Self { pid, interpreter, is_only_way: false })
    }

    /// Names one with nothing in it instead: of one that is gone by then the program's standard error would complain.
    pub(super) fn take_back(&self) {
        if let Err(error) = name(self.pid, self.interpreter, Path::new(NOTHING)) {
            tracing::debug!(self.pid, error = error.message, "the name of a file could not be taken back");
        }
    }
}

fn name(pid: Pid, interpreter: &Interpreter, file: &Path) -> Answer<()> {
    let mut helper = Command::new(&interpreter.path);
    helper.args(["-I", "-S", "-c", HELPER]).arg(pid.to_string()).arg(file).current_dir("/");
    let output = output_within(helper, PATIENCE, || false)
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
