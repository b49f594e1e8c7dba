//! A program that is started and waited for, not traced.

use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Ended, Helper, LaunchSpec, OutputEnd, Pid, ProcessError, keeper,
    launch::{Streams, image},
    spawn,
};

/// A program of ours that nobody traces. It dies with us, however we die; dropping this leaves it alone.
#[derive(Clone, Debug)]
pub struct Child {
    pid: Pid,
    life: Arc<Life>,
    /// Who has started it in a terminal, and waits for it there.
    helper: Option<Arc<Helper>>,
}

/// A program that was started.
#[derive(Debug)]
pub struct StartedChild {
    /// The program.
    pub child: Child,
    /// Reading end of its standard output, if it is not our own. Must be read, or the program will wait.
    pub stdout: Option<OutputEnd>,
    /// Reading end of its standard error, if it is not our own. Must be read, or the program will wait.
    pub stderr: Option<OutputEnd>,
}

#[derive(Debug, Default)]
pub(crate) struct Life {
    ended: Mutex<Option<Ended>>,
    changed: Condvar,
}

impl Child {
    /// Starts a program (a script with `#!` is one, too) in a process group of its own. Comes back when it has begun.
    pub fn start(spec: &LaunchSpec) -> Result<StartedChild, ProcessError> {
        let Streams { ours: [_, stdout, stderr], childs } = Streams::new(spec)?;
        let mut image = image(spec, childs)?;
        image.dies_with_parent = true;
        let life = Arc::new(Life::default());
        let (tell, told) = mpsc::channel();
        let (keepers, spec) = (Arc::clone(&life), spec.clone());
        // The kernel ties the child's life to the thread that made it, so that one stays until the child has ended.
        let keeper = move || match begin(&image, &spec) {
            Ok(pid) => {
                drop(image);
                let _asker = tell.send(Ok(pid));
                keepers.collect(pid);
            }
            Err(error) => {
                let _asker = tell.send(Err(error));
            }
        };
        let failed = ProcessError::system("the program cannot be started");
        thread::Builder::new().name("child".to_owned()).stack_size(1 << 17).spawn(keeper).map_err(failed)?;
        let lost = || ProcessError::last("the program cannot be started");
        let pid = told.recv().map_err(|_| lost())??;
        let output = |end: Option<_>| end.map(OutputEnd::new);
        Ok(StartedChild { child: Self { pid, life, helper: None }, stdout: output(stdout), stderr: output(stderr) })
    }

    /// One that a helper waits for.
    pub(crate) fn kept(pid: Pid, life: Arc<Life>, helper: Helper) -> Self {
        Self { pid, life, helper: Some(Arc::new(helper)) }
    }

    /// Has it live when we do not any more, as far as that is up to others. False: it must say `prctl(PR_SET_PDEATHSIG, 0)` itself.
    pub fn leave(&self) -> bool {
        if let Some(helper) = &self.helper {
            keeper::leave(helper);
        }
        self.helper.is_some()
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, if it does so within that time.
    pub fn wait(&self, at_most: Duration) -> Option<Ended> {
        let until = Instant::now().checked_add(at_most)?;
        let mut ended = self.life.ended();
        while ended.is_none() {
            let left = until.checked_duration_since(Instant::now())?;
            ended = match self.life.changed.wait_timeout(ended, left) {
                Ok((ended, _)) => ended,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *ended
    }

    /// Sends it a signal; harmless when it has ended.
    pub fn signal(&self, signal: i32) {
        let ended = self.life.ended();
        if ended.is_none() {
            // SAFETY: kill takes numbers. The child is not collected yet, which happens under this lock, so the number
            // is its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// Kills it.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }
}

impl Life {
    fn ended(&self) -> MutexGuard<'_, Option<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the child has ended.
    pub(crate) fn note(&self, end: Ended) {
        *self.ended() = Some(end);
        self.changed.notify_all();
    }

    /// Waits for the child's end and notes it.
    fn collect(&self, pid: Pid) {
        await_end(pid);
        let mut ended = self.ended();
        let mut status = 0;
        // SAFETY: waitpid writes a number of ours.
        let collected = unsafe { libc::waitpid(pid, &mut status, libc::__WALL) } == pid;
        *ended = Some(match collected {
            true if libc::WIFSIGNALED(status) => Ended::Signal(libc::WTERMSIG(status)),
            true => Ended::Code(libc::WEXITSTATUS(status)),
            // Somebody else has collected it.
            false => Ended::Unknown,
        });
        self.changed.notify_all();
    }
}

/// How often a child is looked at where the kernel does not tell of its end.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until a child of ours has ended, and leaves it to be collected. `waitid` would not do: while another thread of ours traces the
/// child, it tells of the child's stops, whatever it is asked for.
pub(crate) fn await_end(pid: Pid) {
    // SAFETY: pidfd_open takes two numbers and gives a descriptor of our own, or a negative number.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0);
    // SAFETY: it is open, and nobody else's.
    let descriptor = descriptor.map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) });
    while let Some(descriptor) = &descriptor {
        let mut asked = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd of ours.
        if unsafe { libc::poll(&raw mut asked, 1, -1) } == 1 {
            return;
        }
    }
    // It blocks while there is nothing to tell of.
    while peek(pid).map_or_else(is_interrupted, |info| !has_ended(&info)) {
        thread::sleep(LOOK);
    }
}

fn is_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// Whether what is told of a child is its end.
fn has_ended(info: &libc::siginfo_t) -> bool {
    matches!(info.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED)
}

/// How a child of ours that was not collected yet has ended.
pub(crate) fn ended(pid: Pid) -> Ended {
    match peek(pid) {
        // SAFETY: of a child that has ended, the kernel has filled these in.
        Some(info) if info.si_code == libc::CLD_EXITED => Ended::Code(unsafe { info.si_status() }),
        Some(info) => Ended::Signal(unsafe { info.si_status() }),
        None => Ended::Unknown,
    }
}

fn peek(pid: Pid) -> Option<libc::siginfo_t> {
    let id = libc::id_t::try_from(pid).ok()?;
    // SAFETY: waitid writes into a siginfo of ours, and leaves the child to be collected.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        (libc::waitid(libc::P_PID, id, &mut info, libc::WEXITED | libc::WNOWAIT) == 0).then_some(info)
    }
}

/// Forks and lets the child become the program.
fn begin(image: &spawn::Image, spec: &LaunchSpec) -> Result<Pid, ProcessError> {
    let mut child = spawn::fork(image)?;
    let begun = child.release();
    let failure = child.failure();
    let error = match (begun, failure) {
        (Ok(()), None) => return Ok(child.pid),
        (_, Some(failure)) => spec.refused(Some(failure)),
        (Err(reason), None) => ProcessError::System { what: "the program cannot be started", reason },
    };
    // SAFETY: waitpid of a child of ours, which is about to end.
    unsafe { libc::waitpid(child.pid, std::ptr::null_mut(), libc::__WALL) };
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::Output;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> LaunchSpec {
        LaunchSpec { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..LaunchSpec::default() }
    }

    #[test]
    fn what_it_writes_and_how_it_ends_is_known() {
        let started = Child::start(&LaunchSpec { output: Output::Terminals, ..shell("echo one; exit 7") }).unwrap();
        let mut text = String::new();
        started.stdout.unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), started.child.wait(PATIENCE)), ("one\n", Some(Ended::Code(7))));
        let started = Child::start(&shell("kill -TERM $$")).unwrap();
        assert_eq!(started.child.wait(PATIENCE), Some(Ended::Signal(libc::SIGTERM)));
        started.child.kill();
    }

    #[test]
    fn it_is_killed_on_demand() {
        let child = Child::start(&shell("exec sleep 1000")).unwrap().child;
        assert_eq!(child.wait(Duration::ZERO), None);
        child.kill();
        assert_eq!(child.wait(PATIENCE), Some(Ended::Signal(libc::SIGKILL)));
    }

    #[test]
    fn what_cannot_be_started_is_said() {
        let error = |spec: LaunchSpec| Child::start(&spec).unwrap_err().to_string();
        let nowhere = LaunchSpec { program: "/nowhere/python".into(), ..LaunchSpec::default() };
        assert_eq!(error(nowhere), "the program /nowhere/python does not exist");
        let text = error(LaunchSpec { program: "/etc/passwd".into(), ..LaunchSpec::default() });
        assert!(text.starts_with("/etc/passwd could not be started: "), "{text}");
        let text = error(LaunchSpec { cwd: Some("/nowhere".into()), ..shell("true") });
        assert!(text.starts_with("the working directory /nowhere cannot be used"), "{text}");
    }
}
