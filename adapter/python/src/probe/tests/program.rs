//! A Python program with the probe in it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use weft_tasks::{Location, Task};
use weft_tests::python::Interpreter;

use crate::probe::{Listener, Listing, Notice, Options, Probe, UserCode};

/// For what takes milliseconds on an idle machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A program of `tests/debuggees/python` that runs; killed when dropped.
pub(super) struct Program {
    pub(super) probe: Probe,
    pub(super) user_code: UserCode,
    pub(super) notices: Receiver<Notice>,
    pub(super) output: BufReader<ChildStdout>,
    child: Child,
}

impl Program {
    /// Starts a program with the probe in it, and waits until it prints `ready`.
    pub(super) fn start(python: &Interpreter, name: &str, options: &Options) -> Self {
        let mut program = Self::load(python, name, options);
        program.expect("ready");
        program
    }

    /// Starts a program with the probe in it.
    pub(super) fn load(python: &Interpreter, name: &str, options: &Options) -> Self {
        let listener = Listener::new().unwrap();
        let run = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')";
        let code = format!("{}\n{run}", listener.statement().unwrap());
        let mut command = Command::new(&python.path);
        command
            .arg("-c")
            .arg(code)
            .arg(weft_tests::programs::source(&format!("python/{name}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, notices) = channel();
        let on_notice = move |notice| {
            let _ = sender.send(notice);
        };
        let probe = listener.accept(options, PATIENCE, on_notice).unwrap();
        let user_code = UserCode::new(probe.hello(), true);
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { probe, user_code, notices, output, child }
    }

    /// Waits until the program prints a line.
    pub(super) fn expect(&mut self, wanted: &str) {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.trim_end() == wanted {
                return;
            }
            line.clear();
        }
        panic!("the program ended before it printed `{wanted}`");
    }

    /// Where the program reads from.
    pub(super) fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    pub(super) fn listing(&self) -> Listing {
        Listing::take(&self.probe, &self.user_code, PATIENCE).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of `# BP: marker`.
pub(super) fn line(name: &str, marker: &str) -> i64 {
    weft_tests::programs::line(&format!("python/{name}"), marker)
}

/// A place as `zoo.py:12`.
pub(super) fn place(location: Option<&std::sync::Arc<Location>>) -> String {
    let Some(location) = location else { return "-".into() };
    format!("{}:{}", location.file.file_name().unwrap_or_default().to_string_lossy(), location.line)
}

/// The one task of a name.
pub(super) fn named<'a>(listing: &'a Listing, name: &str) -> &'a Task {
    let found: Vec<&Task> = listing.snapshot.tasks.iter().filter(|task| &*task.name == name).collect();
    match found.as_slice() {
        [task] => task,
        _ => panic!("{} tasks are named {name}", found.len()),
    }
}

/// Runs a test in every interpreter at once.
pub(super) fn in_each(test: impl Fn(&Interpreter) + Sync) {
    let interpreters = weft_tests::python::interpreters();
    thread::scope(|scope| {
        for python in &interpreters {
            scope.spawn(|| test(python));
        }
    });
}
