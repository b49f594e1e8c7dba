//! What can go wrong, in sentences that a user can act on.

use std::{io, path::PathBuf};

use crate::Pid;

/// Why the operating system's side could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program to launch is not there.
    #[error("the program {} does not exist", .0.display())]
    NoProgram(PathBuf),
    /// The path leads to a directory or device.
    #[error("{} is not a file, so it cannot be launched", .0.display())]
    NotAFile(PathBuf),
    /// The file's mode forbids execution.
    #[error("{} is not executable: build it, or set its mode with chmod +x", .0.display())]
    NotExecutable(PathBuf),
    /// The file is a script, a data file or damaged.
    #[error("{} is not an ELF program: {what}", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        what: String,
    },
    /// The program is for another machine.
    #[error("{} is built for {found}; this debugger runs x86-64 programs", path.display())]
    Architecture {
        /// The file.
        path: PathBuf,
        /// The machine it was built for.
        found: String,
    },
    /// The dynamic loader that the program names is not installed.
    #[error("{} needs the loader {}, which is not installed", path.display(), interpreter.display())]
    MissingInterpreter {
        /// The program.
        path: PathBuf,
        /// Its `PT_INTERP`.
        interpreter: PathBuf,
    },
    /// The working directory for the launch cannot be entered.
    #[error("the working directory {} cannot be used: {reason}", path.display())]
    WorkingDirectory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file that the program is to read cannot be opened.
    #[error("the standard input {} cannot be used: {reason}", path.display())]
    StandardInput {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// An argument or environment variable cannot be passed on.
    #[error("{what} contains a zero byte and cannot be passed to a program")]
    ZeroByte {
        /// Which string.
        what: String,
    },
    /// The system's `execve` failed although the file looked right.
    #[error("{} could not be started: {reason}", path.display())]
    Exec {
        /// The program.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// There is no process with that number.
    #[error("there is no process {0}")]
    NoProcess(Pid),
    /// The process has ended and only waits to be collected by its parent.
    #[error("process {0} has already ended (it is a zombie)")]
    Zombie(Pid),
    /// Kernel threads have no program.
    #[error("process {0} is a kernel thread and has no program to debug")]
    KernelThread(Pid),
    /// The number is the debugger's own.
    #[error("process {0} is this debugger itself")]
    Ourselves(Pid),
    /// Another debugger has it.
    #[error("process {pid} is already being traced by process {tracer} ({name}); end that debugger first")]
    AlreadyTraced {
        /// The process.
        pid: Pid,
        /// Who traces it.
        tracer: Pid,
        /// The tracer's name.
        name: String,
    },
    /// The system forbids it; `hint` says what to do.
    #[error("process {pid} may not be traced: {hint}")]
    NotPermitted {
        /// The process.
        pid: Pid,
        /// The probable reason and the remedy.
        hint: String,
    },
    /// A program that was to start in a terminal did not: a sentence.
    #[error("{0}")]
    Terminal(String),
    /// The thread is not there (any more) or is not stopped.
    #[error("thread {0} is gone or running")]
    ThreadGone(Pid),
    /// A thread sleeps in the kernel in a way that nothing interrupts.
    #[error("thread {0} cannot be stopped: it waits in the kernel for a device or a child and takes no notice")]
    Unstoppable(Pid),
    /// The process was stopped by a signal.
    #[error("process {0} is stopped: let it go on with `kill -CONT {0}`, and try again")]
    JobControl(Pid),
    /// The processor lacks what calls in a running program need.
    #[error("this processor, or its kernel, cannot save a thread's registers (XSAVE)")]
    Processor,
    /// The processor has four debug registers.
    #[error("the processor can watch four places at a time")]
    TooManyWatches,
    /// A system call failed for a reason that has no sentence of its own.
    #[error("{what}: {reason}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
}

impl ProcessError {
    /// The calling thread's last system error while doing `what`.
    pub(crate) fn last(what: &'static str) -> Self {
        Self::System { what, reason: io::Error::last_os_error() }
    }

    /// A system error while doing `what`.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self::System { what, reason }
    }
}
