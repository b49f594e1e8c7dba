//! What a user may have to wait for: helpers that run for a moment.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use weft_session::Waiting;

/// Bytes of one stream that are kept.
const MOST_TEXT: u64 = 1 << 20;

/// How often it is looked whether a helper was called off.
const LOOK: Duration = Duration::from_millis(50);

/// What a helper wrote, and whether it succeeded.
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) success: bool,
}

impl Output {
    /// What it says of its failure: the last line that is not empty.
    pub(crate) fn complaint(&self) -> String {
        let said = [&self.stderr, &self.stdout];
        let line = said.into_iter().find_map(|text| text.lines().rev().find(|line| !line.trim().is_empty()));
        line.map_or_else(|| "it says nothing".to_owned(), |line| line.trim().chars().take(400).collect())
    }
}

/// Runs a command to its end, for so long at most; it is killed then, and when it is called off.
pub(crate) fn output_within(
    mut command: Command,
    at_most: Duration,
    mut called_off: impl FnMut() -> bool,
) -> Result<Output, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (sender, texts) = channel();
    let streams = [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    for (number, stream) in streams.into_iter().enumerate() {
        let sender = sender.clone();
        let read = move || {
            let mut bytes = Vec::new();
            let _cut = stream.map(|stream| stream.take(MOST_TEXT).read_to_end(&mut bytes));
            let _nobody = sender.send((number, String::from_utf8_lossy(&bytes).into_owned()));
        };
        if let Err(error) = thread::Builder::new().name("helper".to_owned()).spawn(read) {
            end(&mut child);
            return Err(error.to_string());
        }
    }
    drop(sender);
    let until = Instant::now() + at_most;
    let mut said = [String::new(), String::new()];
    loop {
        match texts.recv_timeout(LOOK) {
            Ok((number, text)) => {
                if let Some(slot) = said.get_mut(number) {
                    *slot = text;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if called_off() => {
                end(&mut child);
                return Err("it was called off".to_owned());
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= until => {
                end(&mut child);
                return Err(format!("it did not come to an end within {} s", at_most.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let [stdout, stderr] = said;
    Ok(Output { stdout, stderr, success: status.success() })
}

fn end(child: &mut Child) {
    let _ended_already = child.kill();
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

    #[test]
    fn a_helper_is_heard_and_its_failure_told() {
        let output = output_within(shell("echo a; echo b >&2; exit 3"), Duration::from_secs(30), || false).unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.success), ("a\n", "b\n", false));
        assert_eq!(output.complaint(), "b");
    }

    #[test]
    fn a_helper_that_hangs_is_ended() {
        let begun = Instant::now();
        let late = output_within(shell("exec sleep 100"), Duration::from_millis(1), || false).err().unwrap();
        assert_eq!(late, "it did not come to an end within 0 s");
        assert_eq!(
            output_within(shell("exec sleep 100"), Duration::MAX / 4, || true).err().unwrap(),
            "it was called off"
        );
        assert!(begun.elapsed() < Duration::from_secs(50));
    }
}
