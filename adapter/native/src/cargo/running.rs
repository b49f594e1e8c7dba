//! cargo while it runs.

use std::io;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use cargo_metadata::Message;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use weft_session::Waiting;

use super::lines::lines;

/// How often it is looked whether the build was given up, or is over.
const LOOK: Duration = Duration::from_millis(20);

/// How long it is silent before what is left of its output is given up, when cargo is over and what it has started keeps that open
/// (a compilation cache's server does).
const OUTPUT_PATIENCE: Duration = Duration::from_secs(3);

/// How much of what it says may wait to be heard.
const MAX_UNHEARD: usize = 64;

/// Something that cargo says.
pub(super) enum Said {
    /// Of artifacts and diagnostics.
    Message(Box<Message>),
    /// Of its progress, for people.
    Line(String),
}

/// How cargo has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
    GivenUp,
}

/// cargo, and all that it has started: they end when this is left before cargo has come to its own end.
struct Running(Child);

/// Runs cargo to its end; what it says is told as it comes.
pub(super) fn run(mut command: Command, waiting: &Waiting, mut hear: impl FnMut(Said)) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, to be ended with all that it has started.
    command.process_group(0);
    let mut running = Running(command.spawn()?);
    let said = running.listen()?;
    running.follow(&said, waiting, &mut hear)
}

impl Running {
    /// Begins to read what it says.
    fn listen(&mut self) -> io::Result<Receiver<Said>> {
        let (sender, said) = sync_channel(MAX_UNHEARD);
        if let Some(stdout) = self.0.stdout.take() {
            carry(sender.clone(), stdout, message)?;
        }
        if let Some(stderr) = self.0.stderr.take() {
            carry(sender, stderr, Said::Line)?;
        }
        Ok(said)
    }

    fn follow(&mut self, said: &Receiver<Said>, waiting: &Waiting, hear: &mut impl FnMut(Said)) -> io::Result<Ended> {
        let mut over: Option<ExitStatus> = None;
        let mut silent_since = Instant::now();
        loop {
            if waiting.is_cancelled() {
                return Ok(Ended::GivenUp);
            }
            match said.recv_timeout(LOOK) {
                Ok(said) => {
                    hear(said);
                    silent_since = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) if over.is_some() && silent_since.elapsed() > OUTPUT_PATIENCE => break,
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed both streams, and is about to end.
                Err(RecvTimeoutError::Disconnected) if over.is_none() => thread::sleep(LOOK),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if over.is_none() {
                over = self.0.try_wait()?;
                silent_since = Instant::now();
            }
        }
        let succeeded = over.is_some_and(|status| status.success());
        Ok(if succeeded { Ended::Well } else { Ended::Badly })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it has been collected its number may be another's, and what has outlived it is a server.
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ended_already = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _collected = self.0.wait();
    }
}

/// Passes the lines of a stream on, on a thread of its own, until it ends or nobody listens.
fn carry(
    sender: SyncSender<Said>,
    stream: impl Read + Send + 'static,
    read: impl Fn(String) -> Said + Send + 'static,
) -> io::Result<()> {
    let carry = move || {
        let _nobody_listens = lines(stream).map(read).try_for_each(|said| sender.send(said).ok());
    };
    thread::Builder::new().name("cargo".to_owned()).spawn(carry).map(drop)
}

/// A line of cargo's standard output, where what macros and wrappers print comes as well: text, if it is no message or nests
/// deeper than messages do.
fn message(line: String) -> Said {
    Said::Message(Box::new(serde_json::from_str(&line).unwrap_or(Message::TextLine(line))))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn said(script: &str) -> (Ended, Vec<String>) {
        let mut all = Vec::new();
        let ended = run(shell(script), &Waiting::new(String::new()), |said| {
            all.push(match said {
                Said::Line(line) => line,
                Said::Message(message) => match *message {
                    Message::TextLine(line) => format!("text {line}"),
                    Message::BuildFinished(finished) => format!("finished {}", finished.success),
                    other => format!("{other:?}"),
                },
            });
        });
        all.sort();
        (ended.unwrap(), all)
    }

    #[test]
    fn all_that_it_says_is_heard() {
        let (ended, all) = said(r#"echo '{"reason":"build-finished","success":true}'; echo plain; echo Compiling >&2"#);
        assert_eq!(ended, Ended::Well);
        assert_eq!(all, ["Compiling", "finished true", "text plain"]);
        assert_eq!(said("echo 'error: no' >&2; exit 101"), (Ended::Badly, vec!["error: no".to_owned()]));
        let nobody = run(Command::new("/nowhere/cargo"), &Waiting::new(String::new()), |_| ());
        assert_eq!(nobody.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// What outlives cargo with its output open is neither waited for nor ended.
    #[test]
    fn a_server_that_it_starts_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        nix_fifo(&gate);
        let begun = Instant::now();
        let (ended, all) = said(&format!("read line < {0} & echo started >&2", gate.display()));
        assert_eq!((ended, all), (Ended::Well, vec!["started".to_owned()]));
        assert!(begun.elapsed() >= OUTPUT_PATIENCE);
        open(&gate);
    }

    #[test]
    fn a_server_outlives_a_build_that_is_given_up_when_cargo_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        nix_fifo(&gate);
        let waiting = Waiting::new(String::new());
        let mut running = Running(
            shell(&format!("read line < {0} & echo started >&2", gate.display()))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap(),
        );
        let said = running.listen().unwrap();
        assert!(running.0.wait().unwrap().success());
        let ended = running.follow(&said, &waiting, &mut |_| weft_session::debuggee::Work::cancel(&waiting));
        assert_eq!(ended.unwrap(), Ended::GivenUp);
        drop(running);
        open(&gate);
    }

    #[test]
    fn one_who_leaves_in_a_panic_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        nix_fifo(&gate);
        let mut number = None;
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let script = format!("echo $$ >&2; read line < {0}", gate.display());
            run(shell(&script), &Waiting::new(String::new()), |said| {
                if let Said::Line(line) = said {
                    number = line.parse::<i32>().ok();
                }
                std::panic::resume_unwind(Box::new("left"));
            })
        }));
        assert!(left.is_err());
        assert!(!std::path::Path::new(&format!("/proc/{}", number.unwrap())).exists(), "it lives");
    }

    /// Deeper than the stack is for one who reads without a limit.
    #[test]
    fn what_no_message_is_is_text() {
        let deep = "[".repeat(1 << 20);
        let inside = format!("{{\"reason\":\"build-finished\",\"success\":{deep}");
        for line in [deep.as_str(), &inside, "", "{", "3"] {
            let Said::Message(told) = message(line.to_owned()) else { panic!("a line of stderr") };
            assert_eq!(*told, Message::TextLine(line.to_owned()));
        }
    }

    /// Lets the one that reads the gate go on; there is one.
    fn open(gate: &std::path::Path) {
        let mut options = std::fs::OpenOptions::new();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            // Without this it would wait for ever if nobody is there.
            match options.write(true).custom_flags(libc::O_NONBLOCK).open(gate) {
                Ok(mut gate) => return gate.write_all(b"go\n").unwrap(),
                // It may not have come to it.
                Err(_) => assert!(Instant::now() < deadline, "nobody reads"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn nix_fifo(path: &std::path::Path) {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn a_build_that_is_given_up_ends_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        nix_fifo(&gate);
        let waiting = Waiting::new(String::new());
        let script = format!("(read line < {0}; echo {1} >&2) & echo $! >&2; wait", gate.display(), "lives");
        let mut grandchild = None;
        let ended = run(shell(&script), &waiting, |said| {
            if let Said::Line(line) = said {
                grandchild = line.parse::<i32>().ok();
                weft_session::debuggee::Work::cancel(&waiting);
            }
        });
        assert_eq!(ended.unwrap(), Ended::GivenUp);
        let stat = format!("/proc/{}/stat", grandchild.unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        // Gone, or nobody has collected it yet.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "it lives");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
