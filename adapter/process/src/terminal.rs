//! A program that starts in somebody else's terminal: the helper that runs there, and our meeting with it.
//!
//! An editor opens a terminal and runs in it what we tell it to: the helper (`weft launch-in-terminal`), in a place and
//! with descriptors that only the terminal can give. It connects to a socket of ours, which tells us its number (the
//! kernel does, not the helper), lets us trace it, waits for one byte, and becomes the program. So the program is the
//! terminal's own job and weft has it from its first instruction.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Pid, ProcessError, Tracee, check_executable, ptrace,
    rendezvous::{Met, Rendezvous},
    tracee::Origin,
    wait::Waiter,
};

/// How long the helper waits for us, once it runs, and we for its words, once it has connected.
const PATIENCE: Duration = Duration::from_secs(30);
/// A helper's last words are cut here, in bytes.
const LONGEST_SENTENCE: u64 = 4096;

/// Where a helper is awaited.
#[derive(Debug)]
pub struct Meeting {
    place: Rendezvous,
}

impl Meeting {
    /// A new place.
    pub fn new() -> Result<Self, ProcessError> {
        let place = Rendezvous::new();
        let failed = ProcessError::system("no socket can be made for the program's terminal");
        place.map(|place| Self { place }).map_err(failed)
    }

    /// What to run in the terminal. `helper` is how weft's helper is started (`["/usr/bin/weft", "launch-in-terminal"]`);
    /// the program's environment and directory are those that the terminal is given.
    pub fn command(
        &self,
        helper: &[OsString],
        program: &Path,
        args: &[OsString],
        stdin: Option<&Path>,
    ) -> Vec<OsString> {
        let mut words = helper.to_vec();
        words.extend(["--socket".into(), self.place.socket().into_os_string()]);
        if let Some(file) = stdin {
            words.extend(["--stdin".into(), file.as_os_str().to_owned()]);
        }
        words.extend(["--".into(), program.as_os_str().to_owned()]);
        words.extend(args.iter().cloned());
        words
    }

    /// Waits until the helper has come. `called_off` is asked now and then; a sentence ends the wait.
    pub fn wait(self, patience: Duration, called_off: impl FnMut() -> Option<String>) -> Result<Helper, ProcessError> {
        let lost = ProcessError::system("the program's terminal is lost");
        match self.place.meet(patience, called_off).map_err(lost)? {
            Met::Somebody(stream) => Helper::new(stream),
            Met::CalledOff(sentence) => Err(ProcessError::Terminal(sentence)),
            Met::Nobody => {
                let sentence = "the program did not start in the terminal; look there for a message, or use \
                                `\"console\": \"internalConsole\"`";
                Err(ProcessError::Terminal(sentence.to_owned()))
            }
        }
    }
}

/// A helper that has come and waits to be taken on.
#[derive(Debug)]
pub struct Helper {
    stream: UnixStream,
    pid: Pid,
}

impl Helper {
    fn new(stream: UnixStream) -> Result<Self, ProcessError> {
        let failed = |reason| ProcessError::System { what: "the program's terminal does not answer", reason };
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
        // SAFETY: the kernel writes one ucred, whose size it is told.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                std::ptr::from_mut(&mut peer).cast(),
                &mut length,
            )
        };
        if result != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        if peer.pid <= 0 {
            let sentence = "the terminal belongs to another container, whose processes cannot be debugged from here";
            return Err(ProcessError::Terminal(sentence.to_owned()));
        }
        // The helper says that it may be traced now.
        let mut ready = [0];
        (&stream).read_exact(&mut ready).map_err(failed)?;
        Ok(Self { stream, pid: peer.pid })
    }

    /// The process's number: it stays the same when it becomes the program.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it do what it came for.
    pub(crate) fn go(&self) -> Result<(), ProcessError> {
        let failed = |reason| ProcessError::System { what: "the program in the terminal cannot be started", reason };
        (&self.stream).write_all(&[1]).map_err(failed)
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// What the helper said before it ended, if anything; `first` was read already.
    pub(crate) fn last_words(self, first: &[u8]) -> String {
        let mut words = first.to_vec();
        words.retain(|byte| *byte != 0);
        let _cut = (&self.stream).take(LONGEST_SENTENCE).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        if words.is_empty() { "the program ended before it began".to_owned() } else { words }
    }
}

impl Tracee {
    /// Takes on a program that a helper is about to become, and stops it right after its exec, as a launch does. The
    /// calling thread traces it from now on; it dies with us.
    pub fn adopt(helper: Helper) -> Result<Self, ProcessError> {
        let waiter = Waiter::new()?;
        let pid = helper.pid;
        if let Err(reason) = ptrace::seize(pid, ptrace::OPTIONS | libc::PTRACE_O_EXITKILL) {
            return Err(crate::attach::refusal(pid, reason));
        }
        helper.go()?;
        match Self::after_exec(waiter, pid, Origin::Launched)? {
            Some(tracee) => Ok(tracee),
            None => Err(ProcessError::Terminal(helper.last_words(&[]))),
        }
    }
}

/// The helper's whole life: it comes back only if the program could not be started, with a sentence, which has been sent to
/// the debugger too.
pub fn become_program(socket: &Path, stdin: Option<&Path>, program: &Path, args: &[OsString]) -> String {
    let mut stream = match come(socket) {
        Ok(stream) => stream,
        Err(sentence) => return sentence,
    };
    let sentence = match start(&mut stream, stdin, program, args) {
        Ok(never) => match never {},
        Err(sentence) => sentence,
    };
    let _gone = stream.write_all(sentence.as_bytes());
    sentence
}

/// Connects to the debugger that has the helper run.
pub(crate) fn come(socket: &Path) -> Result<UnixStream, String> {
    UnixStream::connect(socket).map_err(lost)
}

fn lost(error: io::Error) -> String {
    format!("the debugger that wanted to start a program here is gone: {error}")
}

/// Says that the helper is there, and waits for the debugger's word.
pub(crate) fn wait_for_go(stream: &mut UnixStream) -> Result<(), String> {
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    stream.write_all(b"r").map_err(lost)?;
    stream.read_exact(&mut [0]).map_err(lost)
}

fn start(
    stream: &mut UnixStream,
    stdin: Option<&Path>,
    program: &Path,
    args: &[OsString],
) -> Result<std::convert::Infallible, String> {
    // SAFETY: a request about ourselves, with a number; without yama it fails, and is not needed.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
    wait_for_go(stream)?;
    // SAFETY: as above; the program is traced by now and gives nobody else the right.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, 0) };
    let program = std::path::absolute(program).map_err(|error| format!("{}: {error}", program.display()))?;
    check_executable(&program).map_err(|error| error.to_string())?;
    let mut command = Command::new(&program);
    command.args(args);
    if let Some(file) = stdin {
        let opened = fs::File::open(file);
        let opened =
            opened.map_err(|error| format!("the standard input {} cannot be used: {error}", file.display()))?;
        command.stdin(Stdio::from(opened));
    }
    // It closes the socket, and makes the signals that Rust ignores deadly again.
    let error = command.exec();
    Err(format!("{} could not be started: {error}", program.display()))
}
