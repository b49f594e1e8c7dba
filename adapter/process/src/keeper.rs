//! A helper that stays in a terminal with a program it has started there, and tells how it ended.
//!
//! A program that is not traced can only be waited for by who started it. So the helper (`weft launch-in-terminal --stay`) runs the
//! program in its own place, in the terminal's foreground, and passes on its number and its end over the socket by which it
//! came. The program dies with the helper, and the helper ends it when the socket ends, unless it was told not to.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::Command,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crate::{
    Child, Ended, Helper, Pid, ProcessError, check_executable,
    child::{Life, await_end, ended},
    terminal,
};

/// The helper says: this is the program's number.
const BEGUN: u8 = 1;
/// The helper says: it has ended with this status.
const EXITED: u8 = 2;
/// The helper says: this signal has ended it.
const KILLED: u8 = 3;
/// We say: the program is not ours any more.
const LEAVE: u8 = 4;

impl Child {
    /// Has a helper that stays start its program.
    pub fn in_terminal(helper: Helper) -> Result<Self, ProcessError> {
        helper.go()?;
        let mut word = [0];
        let begun = helper.stream().read_exact(&mut word).is_ok() && word == [BEGUN];
        let Some(pid) = begun.then(|| number(helper.stream())).flatten() else {
            return Err(ProcessError::Terminal(helper.last_words(&word)));
        };
        let lost = |reason| ProcessError::System { what: "the program's terminal is lost", reason };
        let stream = helper.stream().try_clone().map_err(lost)?;
        stream.set_read_timeout(None).map_err(lost)?;
        let life = Arc::new(Life::default());
        let keepers = Arc::clone(&life);
        let wait = move || {
            let ended = end_of(&stream);
            keepers.note(ended);
            // The helper collects the program now.
            let _gone = stream.shutdown(Shutdown::Both);
        };
        thread::Builder::new().name("terminal".to_owned()).stack_size(1 << 17).spawn(wait).map_err(lost)?;
        Ok(Self::kept(pid, life, helper))
    }
}

/// What becomes of a program when this end of the connection is gone: it lives.
pub(crate) fn leave(helper: &Helper) {
    let _gone = helper.stream().write_all(&[LEAVE]);
}

fn end_of(mut stream: &UnixStream) -> Ended {
    let mut word = [0];
    match stream.read_exact(&mut word).ok().and_then(|()| number(stream)) {
        Some(code) if word == [EXITED] => Ended::Code(code),
        Some(signal) if word == [KILLED] => Ended::Signal(signal),
        _ => Ended::Unknown,
    }
}

fn number(mut stream: &UnixStream) -> Option<i32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).ok()?;
    Some(i32::from_ne_bytes(bytes))
}

/// The helper's whole life: the program's exit status (128 + the signal that ended it), or a sentence why it could not be started, which
/// has been sent to the debugger too.
pub fn keep_program(socket: &Path, program: &Path, args: &[OsString]) -> Result<i32, String> {
    let mut stream = terminal::come(socket)?;
    keep(&mut stream, program, args).inspect_err(|sentence| {
        let _gone = stream.write_all(sentence.as_bytes());
    })
}

fn keep(stream: &mut UnixStream, program: &Path, args: &[OsString]) -> Result<i32, String> {
    terminal::wait_for_go(stream)?;
    check_executable(program).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(args);
    // SAFETY: between fork and exec there are only system calls with numbers, about the new process itself.
    unsafe {
        command.pre_exec(|| {
            // As in a terminal, even where whatever stands for one has ignored its keys' signals.
            for signal in [libc::SIGINT, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_DFL);
            }
            match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let mut child = command.spawn().map_err(|error| format!("{} could not be started: {error}", program.display()))?;
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // What the terminal's keys say is for the program.
        // SAFETY: no handler runs.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let pid = Pid::try_from(child.id()).unwrap_or(0);
    let _gone = say(stream, BEGUN, pid);
    let hearing = stream.try_clone().and_then(|stream| hear(stream, pid));
    await_end(pid);
    let (word, number) = match ended(pid) {
        Ended::Signal(signal) => (KILLED, signal),
        Ended::Code(code) => (EXITED, code),
        Ended::Unknown => (EXITED, 1),
    };
    let _gone = say(stream, word, number);
    // Until the debugger has heard of it and is gone, the number is the program's.
    if let Ok(hearing) = hearing {
        let _panicked = hearing.join();
    }
    let _collected = child.wait();
    Ok(if word == KILLED { number.saturating_add(128) } else { number })
}

fn say(stream: &mut UnixStream, word: u8, number: i32) -> io::Result<()> {
    let [a, b, c, d] = number.to_ne_bytes();
    stream.write_all(&[word, a, b, c, d])
}

/// Hears what the debugger says, on a thread of its own, and ends the program when the debugger is gone.
fn hear(mut stream: UnixStream, pid: Pid) -> io::Result<JoinHandle<()>> {
    stream.set_read_timeout(None)?;
    let hear = move || {
        let mut is_left = false;
        let mut word = [0];
        while stream.read_exact(&mut word).is_ok() {
            is_left = word == [LEAVE];
        }
        if !is_left {
            // SAFETY: kill takes numbers. The program is collected only when this thread has ended.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    };
    thread::Builder::new().name("debugger".to_owned()).spawn(hear)
}
