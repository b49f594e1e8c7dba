//! Looking after processes without guessing at times.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// Waits until a process has ended (a zombie has). True if it has.
pub fn wait_gone(pid: i32, longest: Duration) -> bool {
    // SAFETY: pidfd_open takes two integers and returns a descriptor or -1.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Ok(raw) = i32::try_from(raw) else { return false };
    if raw < 0 {
        // Nobody has that number: it is gone and reaped.
        return std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    }
    // SAFETY: the descriptor is new and ours.
    let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut poll = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one pollfd, alive for the call.
    unsafe { libc::poll(&raw mut poll, 1, milliseconds) == 1 }
}

/// Ends a process at once.
pub fn kill(pid: i32) {
    signal(pid, libc::SIGKILL);
}

/// Sends a process a signal.
pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a process is there and has not ended.
pub fn lives(pid: i32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The kernel's letter for what a process does: `R`, `S`, `t` (held by a debugger), `Z`, …
pub fn state(pid: i32) -> Option<char> {
    stat_field(pid, 0)?.chars().next()
}

/// Waits until every thread of a process sleeps: whatever it had to do, it has done, and it waits for the outside.
pub fn wait_asleep(pid: i32) {
    let deadline = Instant::now() + DEADLINE;
    let mut before = None;
    // They are looked at one after the other, and one may wake another and sleep itself then. Who has not run between two looks
    // has slept at the same time as the others.
    loop {
        let now = sleeping(pid);
        if now.is_some() && now == before {
            return;
        }
        assert!(Instant::now() < deadline, "process {pid} does not come to rest");
        // The kernel has no event for this; the process gets the processor instead.
        std::thread::yield_now();
        before = now;
    }
}

/// A thread, with how often it has been put to sleep and aside.
#[derive(PartialEq)]
struct Sleeper {
    thread: i32,
    slept: Option<i32>,
    preempted: Option<i32>,
}

/// The threads of a process, if all of them sleep.
fn sleeping(pid: i32) -> Option<Vec<Sleeper>> {
    let one = |thread| {
        let (slept, preempted) =
            (status(thread, "voluntary_ctxt_switches:"), status(thread, "nonvoluntary_ctxt_switches:"));
        (state(thread) == Some('S')).then_some(Sleeper { thread, slept, preempted })
    };
    threads(pid).into_iter().map(one).collect()
}

/// Waits until a process is in a state, by the kernel's letter for it.
pub fn wait_state(pid: i32, wanted: char) {
    let deadline = Instant::now() + DEADLINE;
    while state(pid) != Some(wanted) {
        assert!(Instant::now() < deadline, "process {pid} is in state {:?} and not in {wanted}", state(pid));
        std::thread::yield_now();
    }
}

/// Its threads, those included that are ending.
pub fn threads(pid: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Which process debugs this one; 0 is none.
pub fn tracer(pid: i32) -> Option<i32> {
    // The kernel names the thread that traces; its process is asked for.
    match status(pid, "TracerPid:")? {
        0 => Some(0),
        thread => status(thread, "Tgid:"),
    }
}

fn status(pid: i32, key: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()
}

/// The guardians that would restore a process's code: they have its memory for their standard input.
pub fn guardians(of: i32) -> Vec<i32> {
    let wanted = PathBuf::from(format!("/proc/{of}/mem"));
    let is_one = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "weft-guardian")
            && fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|link| link == wanted)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

/// Waits until a process has a guardian that knows its work: it is forked, and takes its name then.
pub fn wait_guarded(pid: i32) {
    let deadline = Instant::now() + DEADLINE;
    while guardians(pid).is_empty() {
        assert!(Instant::now() < deadline, "nobody guards process {pid}");
        std::thread::yield_now();
    }
}

/// Peak resident memory so far, in KiB.
pub fn peak_memory(pid: i32) -> Option<u64> {
    kibibytes(pid, "VmHWM:")
}

/// Resident memory, in KiB.
pub fn memory(pid: i32) -> Option<u64> {
    kibibytes(pid, "VmRSS:")
}

fn kibibytes(pid: i32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Processes whose parent is this one.
pub fn children(pid: i32) -> Vec<i32> {
    let wanted = pid.to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&candidate| stat_field(candidate, 1).as_ref() == Some(&wanted))
        .collect()
}

/// This process's children, theirs, and so on.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(&one) = found.get(next) {
        found.extend(children(one));
        next += 1;
    }
    found
}

/// A field of /proc/pid/stat, counted from the state, which comes after the name in brackets.
fn stat_field(pid: i32, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index).map(str::to_owned)
}

/// A program started by a test itself, which ends with the test.
pub struct Guarded {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Guarded {
    /// Starts a program, with pipes to its standard input and from its standard output.
    pub fn start(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::run(Command::new(program).args(args).envs(env.iter().copied()))
    }

    /// The same, by a command.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, output }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Reads its output up to a line that contains a text, and gives that line.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("its output is text");
            assert!(length > 0, "the program ended without saying {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads the rest of its output.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("its output is text");
        text
    }

    /// Writes to its standard input.
    pub fn say(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("stdin is piped");
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).expect("the program reads");
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        assert!(wait_gone(self.pid(), DEADLINE), "process {} does not end", self.pid());
        self.child.wait().expect("our own child can be waited for")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
