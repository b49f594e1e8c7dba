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
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::{Pid, ProcessError, Tracee, check_executable, ptrace, tracee::Origin, wait::Waiter};

/// How long the helper waits for us, once it runs, and we for its words, once it has connected.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a meeting looks whether it was called off.
const LOOK: Duration = Duration::from_millis(50);
/// A helper's last words are cut here, in bytes.
const LONGEST_SENTENCE: u64 = 4096;

/// Where a helper is awaited: a socket in a directory that only this user can enter. Gone when dropped.
#[derive(Debug)]
pub struct Meeting {
    directory: PathBuf,
    listener: UnixListener,
}

impl Meeting {
    /// A new place.
    pub fn new() -> Result<Self, ProcessError> {
        let failed = ProcessError::system("no socket can be made for the program's terminal");
        Self::make().map_err(failed)
    }

    fn make() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = std::process::id();
        loop {
            let name = format!("weft-{own}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let directory = std::env::temp_dir().join(name);
            let mut builder = fs::DirBuilder::new();
            match std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700).create(&directory) {
                // Left by an adapter of this number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            let listener = UnixListener::bind(directory.join("socket")).and_then(|listener| {
                fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            return match listener {
                Ok(listener) => Ok(Self { directory, listener }),
                Err(error) => {
                    let _left = fs::remove_dir_all(&directory);
                    Err(error)
                }
            };
        }
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
        words.extend(["--socket".into(), self.directory.join("socket").into_os_string()]);
        if let Some(file) = stdin {
            words.extend(["--stdin".into(), file.as_os_str().to_owned()]);
        }
        words.extend(["--".into(), program.as_os_str().to_owned()]);
        words.extend(args.iter().cloned());
        words
    }

    /// Waits until the helper has come. `called_off` is asked now and then; a sentence ends the wait.
    pub fn wait(
        self,
        patience: Duration,
        mut called_off: impl FnMut() -> Option<String>,
    ) -> Result<Helper, ProcessError> {
        let begun = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Helper::new(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(reason) => return Err(ProcessError::System { what: "the program's terminal is lost", reason }),
            }
            if let Some(sentence) = called_off() {
                return Err(ProcessError::Terminal(sentence));
            }
            if begun.elapsed() > patience {
                let sentence = "the program did not start in the terminal; look there for a message, or use \
                                `\"console\": \"internalConsole\"`";
                return Err(ProcessError::Terminal(sentence.to_owned()));
            }
            wait_readable(self.listener.as_raw_fd(), LOOK);
        }
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::debug!(%error, "a socket's directory stays behind");
        }
    }
}

/// Comes back when there is something to read or the time is up.
fn wait_readable(fd: i32, time: Duration) {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let millis = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: poll reads and writes one pollfd of ours.
    let _count = unsafe { libc::poll(&mut asked, 1, millis) };
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
        stream.set_nonblocking(false).map_err(failed)?;
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

    /// What the helper said before it ended, if anything.
    fn last_words(self) -> String {
        let mut words = Vec::new();
        let _cut = (&self.stream).take(LONGEST_SENTENCE).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        if words.is_empty() { "the program ended before it began".to_owned() } else { words }
    }
}

impl Tracee {
    /// Takes on a program that a helper is about to become, and stops it right after its exec, as a launch does. The
    /// calling thread traces it from now on; it dies with us.
    pub fn adopt(mut helper: Helper) -> Result<Self, ProcessError> {
        let waiter = Waiter::new()?;
        let pid = helper.pid;
        if let Err(reason) = ptrace::seize(pid, ptrace::OPTIONS | libc::PTRACE_O_EXITKILL) {
            return Err(crate::attach::refusal(pid, reason));
        }
        if let Err(reason) = helper.stream.write_all(&[1]) {
            return Err(ProcessError::System { what: "the program in the terminal cannot be started", reason });
        }
        match Self::after_exec(waiter, pid, Origin::Launched)? {
            Some(tracee) => Ok(tracee),
            None => Err(ProcessError::Terminal(helper.last_words())),
        }
    }
}

/// The helper's whole life: it comes back only if the program could not be started, with a sentence, which has been sent to
/// the debugger too.
pub fn become_program(socket: &Path, stdin: Option<&Path>, program: &Path, args: &[OsString]) -> String {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) => return format!("the debugger that wanted to start a program here is gone: {error}"),
    };
    let sentence = match start(&mut stream, stdin, program, args) {
        Ok(never) => match never {},
        Err(sentence) => sentence,
    };
    let _gone = stream.write_all(sentence.as_bytes());
    sentence
}

fn start(
    stream: &mut UnixStream,
    stdin: Option<&Path>,
    program: &Path,
    args: &[OsString],
) -> Result<std::convert::Infallible, String> {
    let lost = |error: io::Error| format!("the debugger that wanted to start a program here is gone: {error}");
    // SAFETY: a request about ourselves, with a number; without yama it fails, and is not needed.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    stream.write_all(b"r").map_err(lost)?;
    let mut go = [0];
    stream.read_exact(&mut go).map_err(lost)?;
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
