//! What becomes of a program whose connection has ended: it ends as well, as a rule. One that executes another program in its place
//! lives on as that; if it is Python, it connects anew, as a child does, and has a session of its own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use weft_process::{Pid, process_state, stack_start};
use weft_session::debuggee::{Channel, DebuggeeEvent};

use crate::children::{Heirs, Successor};
use crate::face::Face;
use crate::start::Program;

/// How long a program may live after its connection has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same of one that nobody here has started. Its end is not waited for, so its session is not either.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// How long what it has executed in its place may take to connect, if it is to.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked after.
const LOOK: Duration = Duration::from_millis(50);

/// The same where its end is about to come.
const SOON: Duration = Duration::from_millis(5);

/// Of a program that lives when the session is over.
const NOBODY_WAITS: &str = "nobody waits for the program any more";

/// Who can tell how the program ends.
pub(crate) enum Ending {
    /// We: it is a child of ours.
    Ours(Program, Life),
    /// It is a process of this machine: only whether it lives.
    Here(Life),
    /// Nobody.
    Unknown,
}

/// A process of this machine, beyond what it executes.
pub(crate) struct Life {
    pid: Pid,
    /// Of what it executed when it connected: where its stack begins, and its file.
    stack: Option<u64>,
    file: Option<(u64, u64)>,
    heirs: Option<Heirs>,
}

/// What is known of a process that lives without its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    /// Another program, with a session of its own.
    Debugged,
    /// Another program, which nobody debugs.
    Undebugged,
    /// What it was, without a debugger.
    Lost,
}

impl Life {
    pub(crate) fn of(pid: Pid, heirs: Option<Heirs>) -> Self {
        Self { pid, stack: stack_start(pid), file: executed_file(pid), heirs }
    }

    fn has_executed(&self) -> bool {
        // A stack may begin where the one before did; a file may be executed again.
        differ(self.stack, stack_start(self.pid)) || differ(self.file, executed_file(self.pid))
    }

    /// Whether what it has executed still has the time to do what its words say: to connect.
    fn is_to_connect(&self, since: Instant) -> bool {
        since.elapsed() < CONNECT_PATIENCE && self.heirs.as_ref().is_some_and(|heirs| heirs.expect(self.pid))
    }

    fn lives(&self) -> bool {
        process_state(self.pid).is_ok_and(|state| !matches!(state.letter, 'Z' | 'X'))
    }

    /// The session is over.
    fn is_left(&self) -> bool {
        self.heirs.as_ref().is_some_and(Heirs::are_left)
    }

    /// What became of a child of ours; none while it may still be about to end, or to connect anew.
    fn became(&self, since: Instant) -> Option<Became> {
        match self.heirs.as_ref().and_then(Heirs::successor) {
            Some(Successor::Waits) => None,
            Some(Successor::Debugged) => Some(Became::Debugged),
            Some(Successor::Undebugged) => Some(Became::Undebugged),
            None if self.has_executed() => (!self.is_to_connect(since)).then_some(Became::Undebugged),
            None => (since.elapsed() >= PATIENCE).then_some(Became::Lost),
        }
    }

    /// Whether a process that is not ours lives without its connection, and is not about to connect anew.
    fn has_gone_on(&self, since: Instant) -> bool {
        let has_connected = || self.heirs.as_ref().is_some_and(|heirs| heirs.is_reached_by(self.pid));
        match self.has_executed() {
            true => !self.is_to_connect(since) || has_connected(),
            false => since.elapsed() >= SHORT_PATIENCE,
        }
    }

    /// Whoever has come here is answered before this session ends; others that have the port answer the rest.
    fn handed_on(&self) -> &'static str {
        if let Some(heirs) = &self.heirs {
            heirs.close();
            while !heirs.are_settled() && !heirs.are_left() {
                thread::sleep(SOON);
            }
        }
        match self.heirs.as_ref().and_then(Heirs::successor) {
            Some(Successor::Undebugged) => Became::Undebugged.sentence(),
            Some(_) => Became::Debugged.sentence(),
            None if self.has_executed() => "the program has executed another one in its place",
            None => Became::Lost.sentence(),
        }
    }
}

/// Whether two things are known not to be the same.
fn differ<T: PartialEq>(before: Option<T>, now: Option<T>) -> bool {
    before.zip(now).is_some_and(|(before, now)| before != now)
}

/// The identity of the file that a process executes: it keeps it also when the file is replaced.
fn executed_file(pid: Pid) -> Option<(u64, u64)> {
    fs::metadata(format!("/proc/{pid}/exe")).ok().map(|file| (file.dev(), file.ino()))
}

impl Became {
    fn sentence(self) -> &'static str {
        match self {
            Self::Debugged => "the program has executed another one in its place, which has a session of its own",
            Self::Undebugged => "the program has executed another one in its place, which runs undebugged",
            Self::Lost => "the program runs on, but its debugger is gone from it",
        }
    }
}

/// Waits until nothing more is to be told of a program.
pub(crate) fn last_word(face: &Face, ending: Ending) -> DebuggeeEvent {
    match ending {
        Ending::Ours(program, life) => ours(face, program, &life),
        Ending::Here(life) => DebuggeeEvent::Lost(here(&life)),
        Ending::Unknown => DebuggeeEvent::Lost("the connection to the program has ended".to_owned()),
    }
}

/// The process is ours until it ends, whatever it executes.
fn ours(face: &Face, program: Program, life: &Life) -> DebuggeeEvent {
    let since = Instant::now();
    let mut told = None;
    while !program.ends_within(LOOK) {
        if life.is_left() {
            return DebuggeeEvent::Lost(NOBODY_WAITS.to_owned());
        }
        let became = life.became(since);
        if let Some(became) = became.filter(|_| told != became) {
            told = Some(became);
            for thread in face.threads.leave() {
                face.events.send(DebuggeeEvent::ThreadExited(thread));
            }
            let line = format!("weft: {}; this session lasts until it ends", became.sentence());
            face.events.send(DebuggeeEvent::Console(Channel::Important, line));
        }
    }
    match program.ended() {
        Some(status) => DebuggeeEvent::Exited(status),
        None => DebuggeeEvent::Lost("nobody can tell how the program ended".to_owned()),
    }
}

/// What it executes next is somebody else's, once that one has it.
fn here(life: &Life) -> String {
    let since = Instant::now();
    // Its connection ends before it does.
    while life.lives() && !life.is_left() {
        if life.has_gone_on(since) {
            return life.handed_on().to_owned();
        }
        thread::sleep(LOOK);
    }
    if life.lives() {
        return NOBODY_WAITS.to_owned();
    }
    format!("process {} has ended", life.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has the same stack all the same, as without the randomisation of addresses.
    #[test]
    fn another_file_is_another_program() {
        let mut life = Life::of(Pid::try_from(std::process::id()).unwrap(), None);
        assert!(life.file.is_some() && !life.has_executed());
        life.file = Some((0, 0));
        assert!(life.has_executed());
        life.file = None;
        assert!(!life.has_executed());
    }
}
