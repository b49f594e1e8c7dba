//! The program that steps go through, and a debugger on it whose events are waited for, never slept for.

#![allow(dead_code, reason = "no test uses all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use weft_debugger::{
    AttachSpec, Debugger, Event, Grain, LaunchSpec, LineSpec, Reason, ResumeKind, Settings, StepKind, StepTarget,
    Stopped,
};

/// Nothing here takes that long; a test that waits longer has found something.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn source() -> PathBuf {
    file("main.rs")
}

/// One of the debuggee's source files.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/debuggees/step_zoo/src").join(name).canonicalize().unwrap()
}

/// The debuggee, compiled anew when its source has changed.
pub(crate) fn program(optimised: bool) -> PathBuf {
    static BUILT: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    BUILT[usize::from(optimised)].get_or_init(|| build(optimised)).clone()
}

fn build(optimised: bool) -> PathBuf {
    let name = if optimised { "step_zoo_optimised" } else { "step_zoo" };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join(name);
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    if modified(&program).is_ok_and(|built| FILES.iter().all(|name| built > modified(&file(name)).unwrap())) {
        return program;
    }
    let unfinished = directory.join(format!("{name}.{}", std::process::id()));
    let level = if optimised { "opt-level=3" } else { "opt-level=0" };
    let status = Command::new("rustc")
        .args(["-g", "--edition=2024", "--crate-name=step_zoo", "-C", level, "-o"])
        .arg(&unfinished)
        .arg(source())
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::rename(unfinished, &program).unwrap();
    program
}

/// The debuggee's source files; no two have the same marker.
const FILES: [&str; 2] = ["main.rs", "tasks.rs"];

fn texts() -> &'static [String; 2] {
    static TEXTS: OnceLock<[String; 2]> = OnceLock::new();
    TEXTS.get_or_init(|| FILES.map(|name| std::fs::read_to_string(file(name)).unwrap()))
}

/// The file and the line that a marker names.
fn spot(marker: &str) -> (usize, u32) {
    let ending = format!("// BP: {marker}");
    let found = texts().iter().enumerate().find_map(|(of, text)| {
        let at = text.lines().position(|line| line.ends_with(&ending))?;
        Some((of, u32::try_from(at).unwrap() + 1))
    });
    found.unwrap_or_else(|| panic!("no marker {marker}"))
}

/// The line that a marker names.
pub(crate) fn line(marker: &str) -> u32 {
    spot(marker).1
}

/// Where the thread that a stop names stands: the marker of the innermost line, or the line.
pub(crate) fn place(stopped: &Stopped) -> String {
    let walk = weft_values::frames(&stopped.stop, stopped.tid, 64);
    match walk.frames.first().and_then(|frame| frame.source.clone()) {
        Some(at) => {
            let text = FILES.iter().zip(texts()).find(|(name, _)| at.file.ends_with(format!("step_zoo/src/{name}")));
            let line = text.and_then(|(_, text)| text.lines().nth(at.line as usize - 1)?.split_once("// BP: "));
            match (line, text) {
                (Some((_, marker)), _) => marker.to_owned(),
                (None, Some(_)) => at.line.to_string(),
                (None, None) => format!("{}:{}", at.file.display(), at.line),
            }
        }
        None => walk.frames.first().map_or("nowhere".to_owned(), |frame| frame.name.clone()),
    }
}

/// The value of a variable of the innermost frame, as a user reads it.
pub(crate) fn value(stopped: &Stopped, name: &str) -> String {
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 1).frames;
    let variables = weft_values::variables(&stopped.stop, &frames[0]);
    let found = variables.iter().find(|variable| variable.name == name).unwrap_or_else(|| panic!("no variable {name}"));
    let place = found.place.as_ref().unwrap();
    weft_values::view(&stopped.stop, place, 2).value
}

/// The debuggee under control.
pub(crate) struct Session {
    pub(crate) debugger: Debugger,
    events: Receiver<Event>,
    output: Arc<Mutex<Vec<u8>>>,
    pub(crate) notes: Vec<String>,
    pub(crate) forked: Vec<i32>,
    pub(crate) ended: Vec<i32>,
}

impl Session {
    pub(crate) fn launch(program: PathBuf, role: &str, settings: Settings) -> Self {
        let (send, events) = channel();
        let output = Arc::new(Mutex::new(Vec::new()));
        let written = output.clone();
        let spec = LaunchSpec {
            program,
            args: vec![role.into()],
            cwd: std::env::temp_dir(),
            settings,
            ..LaunchSpec::default()
        };
        let debugger = Debugger::launch(
            spec,
            move |event| send.send(event).unwrap_or_default(),
            move |_, bytes| {
                written.lock().unwrap().extend_from_slice(bytes);
                true
            },
        )
        .unwrap();
        Self { debugger, events, output, notes: Vec::new(), forked: Vec::new(), ended: Vec::new() }
    }

    /// A process that runs or stands already.
    pub(crate) fn attach(spec: AttachSpec) -> Self {
        let (send, events) = channel();
        let debugger = Debugger::attach(spec, move |event| send.send(event).unwrap_or_default()).unwrap();
        let (notes, forked, ended) = Default::default();
        Self { debugger, events, output: Arc::default(), notes, forked, ended }
    }

    /// The next forked process that is told of.
    pub(crate) fn next_fork(&mut self) -> i32 {
        loop {
            match self.any() {
                Event::Forked(child) => return child,
                Event::Stopped(stopped) => panic!("stopped by {:?}", stopped.reason),
                Event::Exited(status) => panic!("it exited with {status}"),
                _ => {}
            }
        }
    }

    /// Launched in a role, and stopped at a marker; the breakpoint is gone again.
    pub(crate) fn at(role: &str, marker: &str) -> (Self, Stopped) {
        let mut session = Self::launch(program(false), role, Settings::default());
        let stopped = session.start_to(marker);
        (session, stopped)
    }

    pub(crate) fn start_to(&mut self, marker: &str) -> Stopped {
        self.break_at(&[marker]);
        self.debugger.start(false).unwrap();
        let stopped = self.stopped();
        assert_eq!(place(&stopped), marker);
        self.break_at(&[]);
        stopped
    }

    pub(crate) fn break_at(&self, markers: &[&str]) {
        for (of, name) in FILES.iter().enumerate() {
            let here = markers.iter().map(|marker| spot(marker)).filter(|(file, _)| *file == of);
            let wanted: Vec<LineSpec> = here.map(|(_, line)| LineSpec { line, ..LineSpec::default() }).collect();
            let bound = self.debugger.set_breakpoints(&file(name), &wanted).unwrap();
            assert!(bound.iter().all(|bound| bound.verified), "{bound:?}");
        }
    }

    pub(crate) fn resume(&mut self, how: ResumeKind) -> Stopped {
        self.debugger.resume(how, false).unwrap();
        self.stopped()
    }

    pub(crate) fn go(&mut self) -> Stopped {
        self.resume(ResumeKind::Continue)
    }

    pub(crate) fn step(&mut self, kind: StepKind, tid: i32) -> Stopped {
        self.resume(ResumeKind::Step(kind, StepTarget::Thread(tid), Grain::Line))
    }

    /// Steps from a stop, comparing where each one ends; the last stop.
    pub(crate) fn walk(&mut self, from: Stopped, steps: &[(StepKind, &str)]) -> Stopped {
        let mut stopped = from;
        let mut seen = Vec::new();
        for (number, (kind, _)) in steps.iter().enumerate() {
            stopped = self.step(*kind, stopped.tid);
            assert!(matches!(stopped.reason, Reason::Step(_)), "{:?}", stopped.reason);
            seen.push((*kind, place(&stopped)));
            let expected: Vec<_> = steps[..=number].iter().map(|(kind, to)| (*kind, (*to).to_owned())).collect();
            assert_eq!(seen, expected);
        }
        stopped
    }

    /// The next stop or the end.
    pub(crate) fn next(&mut self) -> Event {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("something happens") {
                Event::Note(text) => self.notes.push(text),
                Event::Forked(child) => self.forked.push(child),
                Event::ThreadExited(tid) => self.ended.push(tid),
                event @ (Event::Stopped(_) | Event::Exited(_) | Event::Killed(_) | Event::Lost(_)) => return event,
                _ => {}
            }
        }
    }

    /// Whatever happens next.
    pub(crate) fn any(&mut self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("something happens")
    }

    pub(crate) fn stopped(&mut self) -> Stopped {
        match self.next() {
            Event::Stopped(stopped) => stopped,
            Event::Exited(status) => panic!("it exited with {status} instead of stopping: {:?}", self.notes),
            Event::Killed(signal) => panic!("signal {signal} killed it instead of a stop"),
            _ => panic!("lost"),
        }
    }

    /// Goes on to the end.
    pub(crate) fn run_out(&mut self) -> i32 {
        self.debugger.resume(ResumeKind::Continue, false).unwrap();
        self.exited()
    }

    pub(crate) fn exited(&mut self) -> i32 {
        match self.next() {
            Event::Exited(status) => status,
            Event::Stopped(stopped) => panic!("stopped by {:?} at {}", stopped.reason, place(&stopped)),
            Event::Killed(signal) => panic!("killed by {signal}"),
            _ => panic!("lost"),
        }
    }

    /// What it has written. Complete once the end was reported.
    pub(crate) fn written(&self) -> String {
        String::from_utf8(self.output.lock().unwrap().clone()).unwrap()
    }
}
