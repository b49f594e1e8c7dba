//! A terminal that a program draws on, and what it shows.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command};
use std::ptr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use weft_tests::DEADLINE;

const ROWS: NonZero<u16> = NonZero::new(60).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(200).unwrap();

/// "What are you?", and what a plain terminal says.
const ASKED: &[u8] = b"\x1b[c";
const ANSWER: &[u8] = b"\x1b[?1;2c";

/// A program in a terminal of its own, ended with it.
pub(crate) struct Screen {
    child: Child,
    keys: File,
    drawn: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// The last bytes that were drawn: the beginning of a question can be at the end of one read.
    last: Vec<u8>,
}

impl Screen {
    /// Starts a program.
    pub(crate) fn start(command: &Command) -> Self {
        let (ours, theirs) = terminal();
        // The terminal is to be the program's own, or it would take keys from the one that the test runs in.
        let mut own = Command::new("setsid");
        own.arg("--ctty").arg(command.get_program()).args(command.get_args());
        own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        own.stdin(theirs.try_clone().expect("a descriptor")).stdout(theirs.try_clone().expect("a descriptor"));
        let child = own.stderr(theirs).spawn().unwrap_or_else(|error| panic!("{own:?}: {error}"));
        // Its copies of the terminal would keep that open.
        drop(own);
        let mut reading = File::from(ours.try_clone().expect("a descriptor"));
        let (sender, drawn) = channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = reading.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keys: File::from(ours), drawn, parser: vt100::Parser::new(ROWS, COLUMNS, 0), last: Vec::new() }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Presses keys, as the bytes that a terminal makes of them.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the program reads");
    }

    /// The rows without the blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.parser.screen().rows(0, COLUMNS.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until the screen shows something.
    pub(crate) fn until(&mut self, what: &str, shows: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !shows(&self.rows()) {
            match self.drawn.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.draw(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("{what} is not shown:\n{}", self.rows().join("\n")),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {what}:\n{}", self.rows().join("\n")),
            }
        }
    }

    /// Waits until some row contains all of these.
    pub(crate) fn until_row(&mut self, words: &[&str]) {
        self.until(&format!("a row with {words:?}"), |rows| {
            rows.iter().any(|row| words.iter().all(|word| row.contains(word)))
        });
    }

    /// Waits until no row contains this.
    pub(crate) fn until_gone(&mut self, word: &str) {
        self.until(&format!("that {word:?} is gone"), |rows| rows.iter().all(|row| !row.contains(word)));
    }

    /// Waits for the program's end.
    pub(crate) fn ended(mut self) -> Option<i32> {
        // What it draws to the end has to be read.
        while self.drawn.recv_timeout(DEADLINE).is_ok() {}
        assert!(weft_tests::process::wait_gone(self.pid(), DEADLINE), "the editor does not end");
        self.child.wait().expect("our own child").code()
    }

    fn draw(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.last.extend_from_slice(bytes);
        if self.last.windows(ASKED.len()).any(|window| window == ASKED) {
            self.keys.write_all(ANSWER).expect("the program reads");
        }
        // Too short for a question of their own, so that none is answered twice.
        self.last.drain(..self.last.len().saturating_sub(ASKED.len() - 1));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for pid in weft_tests::process::descendants(self.pid()) {
            weft_tests::process::kill(pid);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new terminal: our end and the program's.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: openpty writes two descriptors and reads the size; no name and no settings are passed.
    let opened =
        unsafe { libc::openpty(&raw mut ours, &raw mut theirs, ptr::null_mut(), ptr::null(), &raw const size) };
    assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both descriptors were just made and belong to nobody else.
    let ends = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    for end in [ours, theirs] {
        // SAFETY: sets a flag of a descriptor of ours. Else the program would hold our end open.
        assert_eq!(unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    }
    ends
}
