//! Making a child that waits to be traced and then becomes the program.
//!
//! The standard library's `Command` cannot be used: it returns only after `execve`, and a child that asked to be traced
//! itself (`PTRACE_TRACEME`) can never be interrupted or left in a job-control stop as a seized one can.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt,
    },
    ptr,
};

use crate::{Pid, ProcessError};

/// Everything the child needs, made before the fork: after it the child may not allocate.
pub(crate) struct Image {
    pub(crate) path: CString,
    pub(crate) arguments: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    pub(crate) directory: Option<CString>,
    /// What becomes descriptors 0, 1 and 2; `None` leaves the debugger's own.
    pub(crate) stdio: [Option<OwnedFd>; 3],
    /// The child is killed when the thread that makes it ends. (A tracer's child dies with its tracer anyway.)
    pub(crate) dies_with_parent: bool,
}

/// Which of the child's steps failed (first byte of its message to us).
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Directory,
    Exec,
}

/// A child between fork and exec.
pub(crate) struct Child {
    pub(crate) pid: Pid,
    gate: File,
    failure: File,
}

impl Child {
    /// Lets the child go on to become the program.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        self.gate.write_all(&[1])
    }

    /// What the child says went wrong, once it has ended.
    pub(crate) fn failure(&mut self) -> Option<(Step, io::Error)> {
        let mut message = [0; 5];
        self.failure.read_exact(&mut message).ok()?;
        let [step, code @ ..] = message;
        let step = if step == Step::Directory as u8 { Step::Directory } else { Step::Exec };
        Some((step, io::Error::from_raw_os_error(i32::from_le_bytes(code))))
    }
}

/// A string for the kernel.
pub(crate) fn c_string(text: OsString, what: &str) -> Result<CString, ProcessError> {
    CString::new(text.into_vec()).map_err(|_| ProcessError::ZeroByte { what: what.to_owned() })
}

/// A pipe, its reading end first; neither end is inherited across an exec.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), ProcessError> {
    let mut ends: [RawFd; 2] = [0; 2];
    // SAFETY: pipe2 writes two descriptors into the array.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(ProcessError::last("cannot make a pipe"));
    }
    let [read, write] = ends;
    // SAFETY: both descriptors were just made and belong to nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(read), OwnedFd::from_raw_fd(write)) })
}

/// Null-terminated pointers to strings that outlive them.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Forks. The child waits for [`Child::release`] and ends if the parent goes away.
pub(crate) fn fork(image: &Image) -> Result<Child, ProcessError> {
    let (gate_read, gate_write) = pipe()?;
    let (failure_read, failure_write) = pipe()?;
    let arguments = pointers(&image.arguments);
    let environment = pointers(&image.environment);
    let stdio: [Option<RawFd>; 3] = image.stdio.each_ref().map(|fd| fd.as_ref().map(AsRawFd::as_raw_fd));
    // SAFETY: in the child of a program with threads only async-signal-safe functions may run; `become_program` calls
    // no others and never returns.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(ProcessError::last("cannot make a process")),
        0 => {
            let (gate, parents_gate) = (gate_read.as_raw_fd(), gate_write.as_raw_fd());
            // SAFETY: we are the child right after fork, and all pointers lead to memory that was made before it.
            unsafe {
                libc::close(parents_gate);
                become_program(image, &arguments, &environment, stdio, gate, failure_write.as_raw_fd())
            }
        }
        pid => Ok(Child { pid, gate: gate_write.into(), failure: failure_read.into() }),
    }
}

/// The child's whole life in our code.
///
/// # Safety
/// To be called once, in the child of a fork; `arguments` and `environment` are null-terminated arrays of C strings.
unsafe fn become_program(
    image: &Image,
    arguments: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    stdio: [Option<RawFd>; 3],
    gate: RawFd,
    failure: RawFd,
) -> ! {
    // SAFETY: system calls on our own descriptors and on memory that outlives them; nothing here allocates or locks.
    unsafe {
        if image.dies_with_parent {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        }
        // Ctrl-C in the debugger's terminal is for the debugger.
        libc::setpgid(0, 0);
        for (target, source) in (0..).zip(stdio) {
            if let Some(source) = source {
                libc::dup2(source, target);
                if source == target {
                    libc::fcntl(target, libc::F_SETFD, 0);
                }
            }
        }
        if let Some(directory) = &image.directory
            && libc::chdir(directory.as_ptr()) != 0
        {
            fail(failure, Step::Directory);
        }
        // As a shell would start it: no signal blocked, SIGPIPE (which Rust ignores) deadly, and so are the keys' signals, which
        // whoever started the debugger in the background has ignored.
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        for signal in [libc::SIGPIPE, libc::SIGINT, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut byte = 0u8;
        while libc::read(gate, ptr::from_mut(&mut byte).cast(), 1) != 1 {
            if *libc::__errno_location() != libc::EINTR {
                libc::_exit(127);
            }
        }
        libc::execve(image.path.as_ptr(), arguments.as_ptr(), environment.as_ptr());
        fail(failure, Step::Exec)
    }
}

/// Tells the parent what went wrong and ends.
///
/// # Safety
/// As [`become_program`].
unsafe fn fail(failure: RawFd, step: Step) -> ! {
    // SAFETY: errno is the thread's own; write reads five bytes of ours.
    unsafe {
        let code = *libc::__errno_location();
        let [a, b, c, d] = code.to_le_bytes();
        let message = [step as u8, a, b, c, d];
        libc::write(failure, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}
