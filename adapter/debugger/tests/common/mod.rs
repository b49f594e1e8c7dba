//! A debuggee compiled on the spot, and a debugger on it whose events are waited for, never slept for.

#![allow(dead_code, reason = "each test file uses its share")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use weft_debugger::{
    AttachSpec, Bound, BreakpointKind, Debugger, Event, Grain, LaunchSpec, LineSpec, Reason, ResumeKind, Settings,
    StepKind, StepTarget, Stopped,
};

/// Nothing here takes that long; a test that waits longer has found something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A stop at line breakpoints.
pub(crate) fn at_lines(ids: &[i64]) -> Reason {
    Reason::Breakpoint { ids: ids.to_vec(), kind: BreakpointKind::Line, text: None }
}

pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/debuggees/program.rs")
}

/// The debuggee, compiled anew when its source has changed.
pub(crate) fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(&source(), "program", "bin")).clone()
}

/// The library that the debuggee loads, and its source.
pub(crate) fn library() -> (PathBuf, PathBuf) {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let source = source().with_file_name("library.rs");
    (BUILT.get_or_init(|| build(&source, "liblibrary.so", "cdylib")).clone(), source)
}

fn build(source: &Path, name: &str, kind: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join(name);
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    if modified(&program).is_ok_and(|built| built > modified(source).unwrap()) {
        return program;
    }
    let unfinished = directory.join(format!("{name}.{}", std::process::id()));
    let status = Command::new("rustc")
        .args(["-g", "--edition=2024", "--crate-type", kind, "--crate-name=program", "-o"])
        .arg(&unfinished)
        .arg(source)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::rename(unfinished, &program).unwrap();
    program
}

/// The line that a marker names.
pub(crate) fn line(marker: &str) -> u32 {
    let text = std::fs::read_to_string(source()).unwrap();
    let at = text.lines().position(|line| line.ends_with(&format!("// M: {marker}")));
    u32::try_from(at.unwrap_or_else(|| panic!("no marker {marker}"))).unwrap() + 1
}

/// The marker of a line, or the line's number.
pub(crate) fn marker(line: u32) -> String {
    let text = std::fs::read_to_string(source()).unwrap();
    let of_line = text.lines().nth(line as usize - 1).and_then(|line| line.split_once("// M: "));
    of_line.map_or_else(|| line.to_string(), |(_, marker)| marker.to_owned())
}

/// A debuggee under control.
pub(crate) struct Session {
    pub(crate) debugger: Debugger,
    pub(crate) events: Receiver<Event>,
    output: Arc<Mutex<Vec<u8>>>,
    /// Breakpoints that changed by themselves.
    pub(crate) changed: Vec<Bound>,
    pub(crate) born: BTreeSet<i32>,
    pub(crate) dead: BTreeSet<i32>,
}

impl Session {
    /// The debuggee in a role, held.
    pub(crate) fn launch(role: &[&str]) -> Self {
        Self::launch_with(role, Settings::default())
    }

    /// The debuggee in a role, held, and treated in a certain way.
    pub(crate) fn launch_with(role: &[&str], settings: Settings) -> Self {
        let (send, events) = channel();
        let output = Arc::new(Mutex::new(Vec::new()));
        let written = output.clone();
        let debugger = Debugger::launch(
            LaunchSpec {
                program: program(),
                args: role.iter().map(Into::into).collect(),
                cwd: std::env::temp_dir(),
                settings,
                ..LaunchSpec::default()
            },
            move |event| send.send(event).unwrap_or_default(),
            move |_, bytes| {
                written.lock().unwrap().extend_from_slice(bytes);
                true
            },
        )
        .unwrap();
        Self { debugger, events, output, changed: Vec::new(), born: BTreeSet::new(), dead: BTreeSet::new() }
    }

    pub(crate) fn attach(pid: i32) -> Self {
        let (send, events) = channel();
        let debugger = Debugger::attach(AttachSpec { pid, ..AttachSpec::default() }, move |event| {
            send.send(event).unwrap_or_default()
        })
        .unwrap();
        Self {
            debugger,
            events,
            output: Arc::default(),
            changed: Vec::new(),
            born: BTreeSet::new(),
            dead: BTreeSet::new(),
        }
    }

    /// Breakpoints at these markers and nowhere else.
    pub(crate) fn break_at(&self, markers: &[&str]) -> Vec<Bound> {
        let wanted: Vec<LineSpec> =
            markers.iter().map(|marker| LineSpec { line: line(marker), ..LineSpec::default() }).collect();
        self.debugger.set_breakpoints(&source(), &wanted).unwrap()
    }

    pub(crate) fn go(&self) {
        self.debugger.resume(ResumeKind::Continue, false).unwrap();
    }

    pub(crate) fn step(&mut self, kind: StepKind, tid: i32) -> Stopped {
        self.debugger.resume(ResumeKind::Step(kind, StepTarget::Thread(tid), Grain::Line), false).unwrap();
        self.stopped()
    }

    /// The next stop or the end.
    pub(crate) fn next(&mut self) -> Event {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("something happens") {
                Event::ThreadStarted(tid) => {
                    // Only an exec brings a thread back.
                    self.dead.remove(&tid);
                    assert!(self.born.insert(tid));
                }
                Event::ThreadExited(tid) => assert!(self.dead.insert(tid)),
                Event::Note(text) => eprintln!("note: {text}"),
                Event::BreakpointChanged(bound) => self.changed.push(bound),
                Event::ModulesChanged | Event::Working(_) => {}
                event => return event,
            }
        }
    }

    pub(crate) fn stopped(&mut self) -> Stopped {
        match self.next() {
            Event::Stopped(stopped) => stopped,
            Event::Exited(status) => panic!("it exited with {status} instead of stopping"),
            Event::Killed(signal) => panic!("signal {signal} killed it instead of a stop"),
            _ => unreachable!("next returns stops and ends"),
        }
    }

    /// Goes on until the program has ended; how often each breakpoint was hit, by every thread that did, and the status.
    pub(crate) fn run_out(&mut self) -> (Vec<(i64, i32)>, i32) {
        let mut hits = Vec::new();
        loop {
            match self.next() {
                Event::Stopped(Stopped { reason: Reason::Breakpoint { ids, .. }, tid, .. }) => {
                    hits.extend(ids.into_iter().map(|id| (id, tid)));
                    self.go();
                }
                Event::Stopped(stopped) => panic!("stopped by {:?}", stopped.reason),
                Event::Exited(status) => return (hits, status),
                Event::Killed(signal) => panic!("killed by {signal}"),
                _ => unreachable!("next returns stops and ends"),
            }
        }
    }

    /// What it has written. Complete once the end was reported.
    pub(crate) fn written(&self) -> String {
        String::from_utf8(self.output.lock().unwrap().clone()).unwrap()
    }
}

/// Where the thread that a stop names stands: the marker of the innermost line.
pub(crate) fn place(stopped: &Stopped) -> String {
    let walk = weft_values::frames(&stopped.stop, stopped.tid, 64);
    let source = walk.frames.first().and_then(|frame| frame.source.clone());
    match source {
        Some(source) if source.file.ends_with("program.rs") => marker(source.line),
        Some(source) => format!("{}:{}", source.file.display(), source.line),
        None => walk.frames.first().map_or("nowhere".to_owned(), |frame| frame.name.clone()),
    }
}
