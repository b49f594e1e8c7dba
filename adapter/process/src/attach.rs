//! Taking hold of a process that is already running.

use std::{collections::HashSet, fs::File, io, path::Path, time::Duration};

use crate::{
    LiveMemory, Pid, ProcessError, Tid, Tracee, executable, executable_path, proc, process_state, ptrace,
    tracee::Origin, wait::Waiter,
};

/// Passes over a process's threads before giving up; a pass that finds no new thread is the last.
const MOST_PASSES: usize = 1000;
/// How long to wait for a thread that is ending and cannot be taken hold of any more.
const LOOK: Duration = Duration::from_micros(200);

impl Tracee {
    /// Stops all threads of a running process. The calling thread traces it from now on; when the tracee is dropped,
    /// or weft dies, the process runs on. One that stands in a job-control stop stays in it whatever we do, until it gets
    /// `SIGCONT` ([`Tracee::end_job_control_stop`]).
    pub fn attach(pid: Pid) -> Result<Self, ProcessError> {
        check(pid)?;
        let mut tracee = Self::new(Waiter::new()?, pid, Origin::Attached)?;
        tracee.seize_all(pid)?;
        if tracee.threads().is_empty() {
            return Err(check(pid).err().unwrap_or(ProcessError::NoProcess(pid)));
        }
        tracee.open_memory().map_err(|error| check(pid).err().unwrap_or(error))?;
        // The kernel decides early in the making of a thread whether its tracer takes hold of it: one that was being made
        // while its parent was seized is nobody's, and may be listed only later. Once all that are ours stand, only such
        // a thread could make another one. The list itself may lack threads (it ends early when one dies while it is read),
        // so the kernel's count has the last word.
        for _ in 0..MOST_PASSES {
            tracee.stop_all()?;
            let any = tracee.seize_all(pid)?;
            if !any && tracee.is_whole() {
                return Ok(tracee);
            }
            if !any {
                std::thread::sleep(LOOK);
            }
        }
        tracing::warn!(pid, "not every thread could be taken hold of");
        Ok(tracee)
    }

    /// Whether the threads that are ours are all there are.
    fn is_whole(&self) -> bool {
        let Ok(state) = process_state(self.pid()) else { return true };
        self.ended().is_some() || state.threads <= self.held()
    }

    /// Takes hold of the threads that are not ours yet, until there are no more of them. Whether there were any.
    fn seize_all(&mut self, pid: Pid) -> Result<bool, ProcessError> {
        let mut seen = HashSet::new();
        let mut any = false;
        for _ in 0..MOST_PASSES {
            let is_new = |tid: &Pid| !self.knows(*tid) && seen.insert(*tid);
            let new: Vec<_> = proc::threads(pid).into_iter().filter(is_new).collect();
            if new.is_empty() {
                break;
            }
            for tid in new {
                if tid == pid && is_dead(tid) {
                    continue;
                }
                match ptrace::seize(tid, ptrace::OPTIONS) {
                    Ok(()) => {
                        self.add_running(tid);
                        any = true;
                    }
                    // Born of a thread that is already ours: the kernel attached it, and its birth will be reported.
                    Err(_) if is_ours(tid) => {}
                    Err(reason) if reason.raw_os_error() == Some(libc::ESRCH) => {}
                    // A thread that is just ending answers EPERM too; only a refusal of the whole process counts.
                    Err(_) if tid != pid && !self.threads().is_empty() => {}
                    Err(reason) => return Err(refusal(pid, reason)),
                }
            }
        }
        Ok(any)
    }
}

/// Whether the calling thread traces `tid`.
fn is_ours(tid: Pid) -> bool {
    // SAFETY: gettid takes nothing and cannot fail.
    let own = unsafe { libc::gettid() };
    process_state(tid).is_ok_and(|state| state.tracer == own)
}

/// Whether a thread has ended and is only not collected yet: a leader may have while its process lives on.
fn is_dead(tid: Pid) -> bool {
    process_state(tid).is_ok_and(|state| matches!(state.letter, 'Z' | 'X'))
}

/// Whether a process may be traced, as far as that can be told without touching any of its threads.
pub fn may_attach(pid: Pid) -> Result<(), ProcessError> {
    check(pid)?;
    let alive = proc::threads(pid).into_iter().find(|tid| !is_dead(*tid)).unwrap_or(pid);
    LiveMemory::open(alive).map(drop).map_err(|error| match error {
        // The kernel asks for the same right as for tracing.
        ProcessError::System { reason, .. } => refusal(pid, reason),
        error => error,
    })
}

/// Why a thread of a process could not be taken hold of: it may be one that is just ending, which answers `EPERM` too.
pub(crate) fn thread_refusal(pid: Pid, tid: Tid, reason: io::Error) -> ProcessError {
    let has_ended = reason.raw_os_error() == Some(libc::ESRCH) || process_state(tid).is_err() || is_dead(tid);
    check(pid).err().unwrap_or_else(|| if has_ended { ProcessError::ThreadGone(tid) } else { refusal(pid, reason) })
}

/// Says before trying what would go wrong in a way that the kernel's answer does not tell.
fn check(pid: Pid) -> Result<(), ProcessError> {
    if pid <= 0 {
        return Err(ProcessError::NoProcess(pid));
    }
    let state = process_state(pid)?;
    if state.group == std::process::id().cast_signed() {
        return Err(ProcessError::Ourselves(pid));
    }
    if state.group != pid {
        // The number of a thread: /proc answers for it although it is not listed.
        return Err(ProcessError::NoProcess(pid));
    }
    let alive = if is_dead(pid) { proc::threads(pid).into_iter().find(|tid| !is_dead(*tid)) } else { Some(pid) };
    let Some(alive) = alive else { return Err(ProcessError::Zombie(pid)) };
    if state.tracer != 0 {
        let name = proc::thread_name(state.tracer, state.tracer).unwrap_or_else(|| "unknown".to_owned());
        return Err(ProcessError::AlreadyTraced { pid, tracer: state.tracer, name });
    }
    match File::open(format!("/proc/{alive}/exe")) {
        Ok(file) => {
            let path = executable_path(alive).unwrap_or_else(|_| Path::new("the program").to_owned());
            match executable::check_header(&path, &file) {
                // It runs, so whatever it needed was there when it started.
                Err(ProcessError::MissingInterpreter { .. }) | Ok(()) => Ok(()),
                Err(error) => Err(error),
            }
        }
        Err(reason)
            if reason.kind() == io::ErrorKind::NotFound && proc::mappings(alive).is_ok_and(|all| all.is_empty()) =>
        {
            Err(ProcessError::KernelThread(pid))
        }
        Err(_) => Ok(()),
    }
}

/// The kernel's refusal as a sentence: what is the likely reason, and what helps.
pub(crate) fn refusal(pid: Pid, reason: io::Error) -> ProcessError {
    if let Err(error) = check(pid) {
        return error;
    }
    match reason.raw_os_error() {
        Some(libc::ESRCH) => ProcessError::NoProcess(pid),
        Some(libc::EPERM | libc::EACCES) => ProcessError::NotPermitted { pid, hint: hint(pid) },
        _ => ProcessError::System { what: "the process cannot be traced", reason },
    }
}

/// Why ptrace may be forbidden.
pub(crate) fn hint(pid: Pid) -> String {
    // SAFETY: geteuid takes nothing and cannot fail.
    let own = unsafe { libc::geteuid() };
    let user = process_state(pid).map_or(own, |state| state.user);
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    advice(own, user, scope.trim())
}

/// What helps user `own` to trace a process of `user`, where yama is set to `scope` (empty: there is no yama;
/// Documentation/admin-guide/LSM/Yama.rst). The order is that of what is certain.
fn advice(own: u32, user: u32, scope: &str) -> String {
    let text = match scope {
        "3" => "this system forbids attaching until it is restarted (kernel.yama.ptrace_scope is 3)",
        _ if own != 0 && user != own => {
            return format!("it belongs to another user (id {user}); run weft as that user or as root");
        }
        "1" if own != 0 => {
            "this system lets a debugger attach only to programs that it started (kernel.yama.ptrace_scope is 1); launch \
             it with weft, or run `sudo sysctl kernel.yama.ptrace_scope=0`"
        }
        "2" if own != 0 => {
            "this system lets only root attach (kernel.yama.ptrace_scope is 2); run weft with sudo, or run `sudo sysctl \
             kernel.yama.ptrace_scope=0`"
        }
        "1" | "2" if own == 0 => {
            "weft runs as root without the right to trace, as in a container (kernel.yama.ptrace_scope is not 0 \
             either): start the container with --cap-add=SYS_PTRACE"
        }
        _ => {
            "the program protects itself from debuggers (PR_SET_DUMPABLE, or more rights than weft has), or the \
             container forbids ptrace: start it with --cap-add=SYS_PTRACE"
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn each_refusal_names_the_setting() {
        let names = |own, user, scope, word: &str| assert!(advice(own, user, scope).contains(word), "{own} {scope}");
        names(1000, 1000, "1", "ptrace_scope is 1");
        names(1000, 1000, "2", "ptrace_scope is 2");
        names(1000, 1000, "3", "ptrace_scope is 3");
        names(0, 0, "3", "ptrace_scope is 3");
        names(0, 1000, "1", "--cap-add=SYS_PTRACE");
        names(0, 0, "0", "--cap-add=SYS_PTRACE");
        names(1000, 1000, "", "PR_SET_DUMPABLE");
        names(1000, 0, "1", "another user (id 0)");
    }

    #[test]
    fn what_may_be_attached_to_is_told_without_a_stop() {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It is past its start: when it sleeps now, it waits for more.
        cat.stdin.as_mut().unwrap().write_all(b"1").unwrap();
        cat.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = cat.id().cast_signed();
        let switches = || process_state(pid).unwrap().switches;
        let sleeps = || process_state(pid).unwrap().letter == 'S';
        while !sleeps() {
            std::thread::yield_now();
        }
        let before = switches();
        may_attach(pid).unwrap();
        assert_eq!(switches(), before);
        cat.kill().unwrap();
        while !is_dead(pid) {
            std::thread::yield_now();
        }
        assert!(matches!(may_attach(pid), Err(ProcessError::Zombie(of)) if of == pid));
        cat.wait().unwrap();
        assert!(matches!(may_attach(pid), Err(ProcessError::NoProcess(of)) if of == pid));
    }

    #[test]
    fn unusable_numbers() {
        let text = |pid| Tracee::attach(pid).unwrap_err().to_string();
        assert_eq!(text(-5), "there is no process -5");
        assert_eq!(text(0), "there is no process 0");
        assert_eq!(text(i32::MAX), "there is no process 2147483647");
        let own = std::process::id().cast_signed();
        assert_eq!(text(own), format!("process {own} is this debugger itself"));
    }
}
