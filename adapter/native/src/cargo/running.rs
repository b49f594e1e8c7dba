//! cargo while it runs.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, iter};

use cargo_metadata::Message;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use weft_session::Waiting;

/// How often it is looked whether the build was given up, or is over.
const LOOK: Duration = Duration::from_millis(20);

/// How long what cargo has started may keep its output open when cargo is over (a compilation cache's server does).
const OUTPUT_PATIENCE: Duration = Duration::from_secs(1);

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

/// Runs cargo to its end; what it says is told as it comes.
pub(super) fn run(mut command: Command, waiting: &Waiting, mut hear: impl FnMut(Said)) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, to be ended with all that it has started.
    command.process_group(0);
    let mut child = command.spawn()?;
    let ended = listen(&mut child).and_then(|said| follow(&mut child, &said, waiting, &mut hear));
    if !matches!(ended, Ok(Ended::Well | Ended::Badly)) {
        end(&mut child);
    }
    ended
}

/// Begins to read what it says.
fn listen(child: &mut Child) -> io::Result<Receiver<Said>> {
    let (sender, said) = channel();
    if let Some(stdout) = child.stdout.take() {
        let messages = |stream| {
            Message::parse_stream(BufReader::new(stream)).map_while(Result::ok).map(Box::new).map(Said::Message)
        };
        carry(sender.clone(), stdout, messages)?;
    }
    if let Some(stderr) = child.stderr.take() {
        carry(sender, stderr, |stream| lines(stream).map(Said::Line))?;
    }
    Ok(said)
}

/// Passes what a stream says on, on a thread of its own, until it ends or nobody listens.
fn carry<S: Read + Send + 'static, I: Iterator<Item = Said>>(
    sender: Sender<Said>,
    stream: S,
    read: impl FnOnce(S) -> I + Send + 'static,
) -> io::Result<()> {
    let carry = move || {
        let _nobody_listens = read(stream).try_for_each(|said| sender.send(said).ok());
    };
    thread::Builder::new().name("cargo".to_owned()).spawn(carry).map(drop)
}

fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    let mut stream = BufReader::new(stream);
    iter::from_fn(move || {
        let mut line = Vec::new();
        let count = stream.read_until(b'\n', &mut line).ok()?;
        (count > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    })
}

fn follow(
    child: &mut Child,
    said: &Receiver<Said>,
    waiting: &Waiting,
    hear: &mut impl FnMut(Said),
) -> io::Result<Ended> {
    let mut over = None;
    loop {
        if waiting.is_cancelled() {
            return Ok(Ended::GivenUp);
        }
        match said.recv_timeout(LOOK) {
            Ok(said) => hear(said),
            Err(RecvTimeoutError::Timeout) => {}
            // It has closed both streams, and is about to end.
            Err(RecvTimeoutError::Disconnected) if over.is_none() => thread::sleep(LOOK),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if over.is_none() {
            over = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        if over.is_some_and(|(_, since)| since.elapsed() > OUTPUT_PATIENCE) {
            break;
        }
    }
    let succeeded = over.is_some_and(|(status, _)| status.success());
    Ok(if succeeded { Ended::Well } else { Ended::Badly })
}

/// Ends cargo and the compilers that it has started.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // It has not been waited for, so the number is still this group's.
        let _ended_already = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _collected = child.wait();
}

#[cfg(test)]
mod tests {
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
        let (ended, all) = said(&format!("(read line < {0}) & echo started >&2", gate.display()));
        assert_eq!((ended, all), (Ended::Well, vec!["started".to_owned()]));
        assert!(begun.elapsed() >= OUTPUT_PATIENCE);
        // It still waits for its gate to open: a reader is there.
        std::fs::write(&gate, "go\n").unwrap();
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
            thread::yield_now();
        }
    }
}
