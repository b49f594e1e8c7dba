//! Starting a program under the debugger.

use std::{
    collections::BTreeMap,
    env,
    ffi::{CString, OsString},
    fs::{File, OpenOptions},
    io,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    OutputEnd, ProcessError, Tracee, check_executable, ptrace, pty,
    spawn::{self, Image, Step, c_string, pipe},
    tracee::Origin,
    wait::Waiter,
};

/// What to start and how.
#[derive(Debug, Clone, Default)]
pub struct LaunchSpec {
    /// The program's file. A relative path is taken from the debugger's own directory.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Its working directory; the debugger's own if `None`.
    pub cwd: Option<PathBuf>,
    /// Changes to the debugger's environment: a value to set, `None` to remove.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where it writes.
    pub output: Output,
}

/// What a launched program's standard input is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stdin {
    /// Empty (`/dev/null`).
    #[default]
    Null,
    /// A file's contents.
    File(PathBuf),
    /// A pipe, whose writing end is [`Launched::stdin`].
    Pipe,
    /// The debugger's own.
    Inherit,
}

/// Where a launched program's standard output and error go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// Into two pipes, whose reading ends are [`Launched::stdout`] and [`Launched::stderr`].
    #[default]
    Pipes,
    /// Into two pseudo-terminals of 80 columns and 24 lines, which change nothing of what is written: the program
    /// believes that a user watches, and writes lines when they are finished. Our ends are [`Launched::stdout`] and
    /// [`Launched::stderr`]. Where the environment has no `TERM`, the program gets `TERM=dumb`.
    Terminals,
    /// Where the debugger's own go.
    Inherit,
}

/// A program that was started and stands before its first instruction.
#[derive(Debug)]
pub struct Launched {
    /// The debuggee; its one thread is stopped. It is killed when this is dropped or its thread ends.
    pub tracee: Tracee,
    /// Writing end of its standard input, if piped.
    pub stdin: Option<OwnedFd>,
    /// Reading end of its standard output, if it is not our own. Must be read, or the program will wait.
    pub stdout: Option<OutputEnd>,
    /// Reading end of its standard error, if it is not our own. Must be read, or the program will wait.
    pub stderr: Option<OutputEnd>,
}

/// Our and the child's end of each standard stream.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) ours: [Option<OwnedFd>; 3],
    pub(crate) childs: [Option<OwnedFd>; 3],
}

impl Streams {
    pub(crate) fn new(spec: &LaunchSpec) -> Result<Self, ProcessError> {
        let (input, our_input) = match &spec.stdin {
            Stdin::Null => {
                let null = File::open("/dev/null").map_err(ProcessError::system("cannot open /dev/null"))?;
                (Some(OwnedFd::from(null)), None)
            }
            Stdin::File(path) => {
                let unusable = |reason| ProcessError::StandardInput { path: path.clone(), reason };
                // Without waiting for the other end, should it be a named pipe.
                let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unusable)?;
                if !file.metadata().map_err(unusable)?.is_file() {
                    return Err(unusable(io::Error::other("it is not a plain file")));
                }
                (Some(OwnedFd::from(file)), None)
            }
            Stdin::Pipe => pipe().map(|(read, write)| (Some(read), Some(write)))?,
            Stdin::Inherit => (None, None),
        };
        let output = || match spec.output {
            Output::Pipes => pipe().map(|(read, write)| (Some(read), Some(write))),
            Output::Terminals => pty::open().map(|(ours, programs)| (Some(ours), Some(programs))),
            Output::Inherit => Ok((None, None)),
        };
        let ((our_output, output_end), (our_error, error_end)) = (output()?, output()?);
        Ok(Self { ours: [our_input, our_output, our_error], childs: [input, output_end, error_end] })
    }
}

/// The child's environment: ours with the changes of `spec`.
fn environment(spec: &LaunchSpec) -> Result<Vec<CString>, ProcessError> {
    let mut variables: BTreeMap<OsString, OsString> = env::vars_os().collect();
    for (name, value) in &spec.env {
        match value {
            Some(value) => variables.insert(name.clone(), value.clone()),
            None => variables.remove(name),
        };
    }
    if spec.output == Output::Terminals {
        variables.entry("TERM".into()).or_insert_with(|| "dumb".into());
    }
    let join = |(mut name, value): (OsString, OsString)| {
        let what = format!("the environment variable {}", name.to_string_lossy());
        name.push("=");
        name.push(value);
        c_string(name, &what)
    };
    variables.into_iter().map(join).collect()
}

/// The program's path made absolute, so that it means the same after the child has changed its directory.
fn absolute(program: &Path) -> Result<PathBuf, ProcessError> {
    std::path::absolute(program).map_err(|_| ProcessError::NoProgram(program.to_owned()))
}

/// What the child is made of, once everything that can be is checked.
pub(crate) fn image(spec: &LaunchSpec, stdio: [Option<OwnedFd>; 3]) -> Result<Image, ProcessError> {
    let program = absolute(&spec.program)?;
    if !program.exists() {
        return Err(ProcessError::NoProgram(program));
    }
    if let Some(cwd) = &spec.cwd {
        let unusable = |reason| ProcessError::WorkingDirectory { path: cwd.clone(), reason };
        if !cwd.metadata().map_err(unusable)?.is_dir() {
            return Err(unusable(io::Error::from_raw_os_error(libc::ENOTDIR)));
        }
    }
    let path = c_string(program.into_os_string(), "the program's path")?;
    Ok(Image {
        arguments: [Ok(path.clone())]
            .into_iter()
            .chain(spec.args.iter().map(|argument| c_string(argument.clone(), "an argument")))
            .collect::<Result<_, _>>()?,
        path,
        environment: environment(spec)?,
        directory: match &spec.cwd {
            Some(cwd) => Some(c_string(cwd.as_os_str().to_owned(), "the working directory")?),
            None => None,
        },
        stdio,
        dies_with_parent: false,
    })
}

impl LaunchSpec {
    /// Why the child did not become the program, by its own words.
    pub(crate) fn refused(&self, failure: Option<(Step, io::Error)>) -> ProcessError {
        let path = || absolute(&self.program).unwrap_or_else(|_| self.program.clone());
        match failure {
            Some((Step::Directory, reason)) => {
                ProcessError::WorkingDirectory { path: self.cwd.clone().unwrap_or_default(), reason }
            }
            Some((Step::Exec, reason)) => ProcessError::Exec { path: path(), reason },
            None => ProcessError::Exec { path: path(), reason: io::Error::other("it died before it began") },
        }
    }
}

impl Tracee {
    /// Starts a program and stops it right after its exec. The calling thread traces it from now on.
    pub fn launch(spec: &LaunchSpec) -> Result<Launched, ProcessError> {
        check_executable(&absolute(&spec.program)?)?;
        let Streams { ours, childs } = Streams::new(spec)?;
        let tracee = start(&image(spec, childs)?, spec)?;
        let [stdin, stdout, stderr] = ours;
        let (stdout, stderr) = (stdout.map(OutputEnd::new), stderr.map(OutputEnd::new));
        Ok(Launched { tracee, stdin, stdout, stderr })
    }
}

/// Forks, seizes the child and lets it exec.
fn start(image: &Image, spec: &LaunchSpec) -> Result<Tracee, ProcessError> {
    let waiter = Waiter::new()?;
    let mut child = spawn::fork(image)?;
    let seized = ptrace::seize(child.pid, ptrace::OPTIONS | libc::PTRACE_O_EXITKILL);
    if let Err(reason) = seized {
        abandon(child.pid);
        return Err(match reason.raw_os_error() {
            Some(libc::EPERM) => ProcessError::NotPermitted {
                pid: child.pid,
                hint: "the system forbids ptrace even for one's own children; in a container allow it with \
                       --cap-add=SYS_PTRACE"
                    .to_owned(),
            },
            _ => ProcessError::System { what: "the program cannot be traced", reason },
        });
    }
    if let Err(reason) = child.release() {
        abandon(child.pid);
        return Err(ProcessError::System { what: "the program cannot be started", reason });
    }
    match Tracee::after_exec(waiter, child.pid, Origin::Launched) {
        Ok(Some(tracee)) => Ok(tracee),
        Ok(None) => Err(spec.refused(child.failure())),
        Err(error) => {
            abandon(child.pid);
            Err(error)
        }
    }
}

/// Kills a child of ours that did not become a debuggee, and collects it.
fn abandon(pid: crate::Pid) {
    // SAFETY: kill and waitpid take numbers; the child is ours and not yet collected, so the number is its own.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_changed_not_replaced() {
        let spec = LaunchSpec {
            env: vec![("WEFT_A".into(), Some("1".into())), ("PATH".into(), None)],
            ..LaunchSpec::default()
        };
        let variables = environment(&spec).unwrap();
        assert!(variables.iter().any(|variable| variable.as_bytes() == b"WEFT_A=1"));
        assert!(!variables.iter().any(|variable| variable.as_bytes().starts_with(b"PATH=")));
        let zero = LaunchSpec { env: vec![("A".into(), Some("b\0c".into()))], ..LaunchSpec::default() };
        let text = environment(&zero).unwrap_err().to_string();
        assert_eq!(text, "the environment variable A contains a zero byte and cannot be passed to a program");
    }
}
