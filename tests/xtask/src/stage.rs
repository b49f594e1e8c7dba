//! Running things one after the other, with a line and a time for each.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::said::{Said, repeated};

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("xtask lies two folders deep")
}

/// Whether this is the build machine, where nothing may be left out.
pub(crate) fn ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// How long we listen to a command that has ended.
const LINGERS: Duration = Duration::from_secs(10);

/// A program to run, in the workspace unless told otherwise.
pub(crate) struct Command(Process);

impl Command {
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        let mut process = Process::new(program);
        process.args(arguments).current_dir(workspace());
        // The tests' binaries must lie where the packaging script and the tests look for them.
        process.env("CARGO_TARGET_DIR", target()).env("NO_COLOR", "1");
        Self(process)
    }

    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        Self::new(env!("CARGO"), arguments)
    }

    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.0.current_dir(workspace().join(folder));
        self
    }

    pub(crate) fn args(mut self, arguments: &[String]) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &Path) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it with our own output; whether it succeeded. What it said is repeated at the end if it did not.
    pub(crate) fn runs(self) -> bool {
        let name = format!("{:?}", self.0);
        match self.run() {
            Ok((true, _)) => true,
            Ok((false, said)) => {
                said.repeat(&name);
                false
            }
            Err(error) => {
                println!("{name} cannot be run: {error}");
                false
            }
        }
    }

    fn run(mut self) -> std::io::Result<(bool, Said)> {
        let (reader, writer) = std::io::pipe()?;
        let mut child = self.0.stderr(writer.try_clone()?).stdout(writer).spawn()?;
        // Our own ends of the pipe would keep it open.
        drop(self);
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || sender.send(Said::tee(reader, std::io::stdout())));
        let succeeded = child.wait()?.success();
        // What it left running may keep the pipe open for ever.
        Ok((succeeded, heard.recv_timeout(LINGERS).unwrap_or_default()))
    }

    /// Whether the program is there at all, by running it quietly.
    pub(crate) fn exists(mut self) -> bool {
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// What became of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped(String),
}

/// Stages that were run, with their times.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// Runs a stage and remembers what became of it.
    pub(crate) fn stage(&mut self, name: &str, run: impl FnOnce() -> Outcome) {
        println!("== {name}");
        let started = Instant::now();
        let outcome = run();
        let took = started.elapsed();
        println!("== {name}: {} in {:.1} s", word(&outcome), took.as_secs_f64());
        self.lines.push((name.to_owned(), outcome, took));
    }

    /// Prints a line for each stage; whether none failed.
    pub(crate) fn close(self) -> bool {
        for line in repeated() {
            println!("{line}");
        }
        println!("\n== all stages");
        for (name, outcome, took) in &self.lines {
            println!("{name:<24} {:>7.1} s  {}", took.as_secs_f64(), word(outcome));
        }
        let failed = self.lines.iter().filter(|(_, outcome, _)| *outcome == Outcome::Failed).count();
        let total: Duration = self.lines.iter().map(|(_, _, took)| *took).sum();
        println!("{} of {} stages failed, {:.0} s", failed, self.lines.len(), total.as_secs_f64());
        failed == 0
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "ok".to_owned(),
        Outcome::Failed => "FAILED".to_owned(),
        Outcome::Skipped(why) => format!("skipped: {why}"),
    }
}
