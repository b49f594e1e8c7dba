//! Tasks, as the probe in the program tells of them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use weft_protocol::async_dap::TaskStop;
use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::config::{LogLevel, PythonSettings, StepMode};
use weft_session::debuggee::{
    Answer, AsyncStack, Channel, Completions, DebuggeeEvent, Frame, Stack, StepInTarget, StepKind, Target, TargetId,
};
use weft_tasks::{Location, Snapshot, State, TaskKey};

use crate::breakpoints::unasked;
use crate::face::Face;
use crate::link::{Link, PATIENCE, lock};
use crate::probe::{Listener, Listing, Notice, Options, Probe, ProbeError, Stacks, UserCode, refused};
use crate::stack::frames;
use crate::state::Epoch;
use crate::stepping::StepOver;
use crate::unanswered::Unanswered;

/// How long the probe may take to be there.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long a list may take: all tasks of a large program, on a busy machine.
const LIST_PATIENCE: Duration = Duration::from_secs(10);

/// How long a program may take to answer anything.
const LIFE_PATIENCE: Duration = Duration::from_secs(3);

/// The probe, and what it said at the current stop.
pub(crate) struct Tasks {
    probe: Probe,
    user_code: UserCode,
    /// Who looks where the probe does not answer; none where nobody can.
    unanswered: Option<Unanswered>,
    seen: Mutex<Option<(Epoch, Arc<Listing>)>>,
    /// A step is under way.
    stepping: Mutex<Option<Target>>,
    /// A thread that stands where nothing runs any more.
    aside: Mutex<Option<Aside>>,
    /// Some task was watched.
    watches: AtomicBool,
}

/// A thread that stands at an exception of a task's, or at a task's end.
#[derive(Clone, Copy)]
struct Aside {
    epoch: Epoch,
    native: i64,
    /// The task that has ended, where the stop is said to be that one's.
    of: Option<TaskKey>,
}

impl Tasks {
    /// Puts the probe into a program that pydevd has under control. Where that fails there are no tasks, and the console says
    /// why; everything else works.
    pub(crate) fn start(link: &Link, settings: &PythonSettings, steps: StepMode, events: &EventSender) -> Option<Self> {
        match put(link, settings, steps, events) {
            Ok(probe) => {
                let user_code = UserCode::new(probe.hello(), settings.just_my_code);
                for note in &probe.hello().notes {
                    events.send(DebuggeeEvent::Console(Channel::Console, format!("weft: {note}")));
                }
                Some(Self {
                    unanswered: Unanswered::of(probe.hello()),
                    probe,
                    user_code,
                    seen: Mutex::default(),
                    stepping: Mutex::default(),
                    aside: Mutex::default(),
                    watches: AtomicBool::default(),
                })
            }
            Err(why) => {
                let line = format!("weft: the program's tasks cannot be shown: {why}");
                events.send(DebuggeeEvent::Console(Channel::Important, line));
                None
            }
        }
    }

    /// The program is about to go on.
    pub(crate) fn leave(&self) {
        *lock(&self.seen) = None;
        if let Err(error) = self.probe.going() {
            tracing::debug!(%error, "the probe was not told that the program goes on");
        }
    }

    /// Breakpoints were set: calls that have begun are to have them, too.
    pub(crate) fn retrace(&self, events: &EventSender) {
        if let Err(error) = self.probe.retrace() {
            let line = format!("weft: breakpoints may not be hit in coroutines that have begun already: {error}");
            events.send(DebuggeeEvent::Console(Channel::Important, line));
        }
    }

    /// Waits until threads that were told to go on have begun to.
    pub(crate) fn settle(&self) {
        if let Err(error) = self.probe.settle() {
            tracing::debug!(%error, "whether threads have gone on is not known");
        }
    }

    /// A pause was asked for: loops that wait are to notice it.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.probe.wake() {
            tracing::debug!(%error, "the program's loops were not woken");
        }
    }

    /// Sends the running program's main thread what Ctrl+C sends. Whether that was done.
    pub(crate) fn interrupt(&self) -> bool {
        self.probe.interrupt().inspect_err(|error| tracing::debug!(%error, "the program is not interrupted")).is_ok()
    }

    /// The tasks are not what they were at the begin of this stop.
    pub(crate) fn look_again(&self) {
        *lock(&self.seen) = None;
    }

    /// Whether something to evaluate awaits anything itself.
    pub(crate) fn awaits(&self, source: &str) -> bool {
        let may = source.contains("await") || source.contains("async");
        may && self.probe.awaits(source).unwrap_or(false)
    }

    /// What may follow a text in a frame of pydevd's number, or in the main module.
    pub(crate) fn complete(&self, text: &str, frame: Option<i64>) -> Answer<Completions> {
        self.probe.complete(json!({ "text": text, "frame": frame }))
    }

    /// Gives up what is awaited under a number.
    pub(crate) fn give_up(&self, number: u64) {
        if let Err(error) = self.probe.cancel_await(number) {
            tracing::debug!(%error, "what is awaited could not be given up");
        }
    }

    /// A thread of the program's and where the user's code is in it, as function and place; the main thread as a rule. An
    /// error: it cannot say.
    pub(crate) fn held(&self) -> Result<Option<(String, String, String)>, ()> {
        let threads = self.probe.held().map_err(|error| tracing::debug!(%error, "the probe is held up"))?;
        Ok(threads.into_iter().find_map(|(thread, frames)| {
            let own = frames.into_iter().find(|(_, file, _)| self.user_code.is_user(file))?;
            Some((thread, own.0, format!("{}:{}", own.1, own.2)))
        }))
    }

    /// At which exceptions of tasks the program stops, by the probe's names; an error is a sentence.
    pub(crate) fn stop_at(&self, filters: &[&str]) -> Result<(), String> {
        self.probe.stop_at(filters).map_err(|error| error.to_string())
    }

    /// The conditions of filters, by name: of pydevd's, and of the probe's; an error is a sentence.
    pub(crate) fn set_conditions(&self, pydevds: &Value, own: &Value) -> Result<(), String> {
        self.probe.set_conditions(pydevds, own).map_err(|error| error.to_string())
    }

    /// Whether something can be a condition; an error is a sentence.
    pub(crate) fn check_condition(&self, source: &str) -> Result<(), String> {
        self.probe.check_condition(source).map_err(|error| error.to_string())
    }

    /// The exception of a task's at which the program has stopped, if it is one, on this thread.
    pub(crate) fn stopped_at(&self, face: &Face, native: i64) -> Option<Notice> {
        let told = self.probe.stopped_at(native);
        let told =
            told.inspect_err(|error| tracing::debug!(%error, "the probe says nothing of the exception")).ok()??;
        *lock(&self.aside) = face.standing.current().ok().map(|epoch| Aside { epoch, native, of: None });
        Some(told)
    }

    /// The task for which the program has stopped on this thread, because it is watched, and what is said of it.
    pub(crate) fn watched_at(&self, face: &Face, native: i64) -> Option<(TaskKey, Notice)> {
        if !self.watches.load(Ordering::Acquire) {
            return None;
        }
        let told = self.probe.watched_at(native);
        let told = told.inspect_err(|error| tracing::debug!(%error, "the probe says nothing of the task")).ok()??;
        let of = told.task?;
        if told.aside {
            *lock(&self.aside) = face.standing.current().ok().map(|epoch| Aside { epoch, native, of: Some(of) });
        }
        Some((of, told))
    }

    /// Has the program run until a task comes to a line when it goes on.
    pub(crate) fn run_to(&self, face: &Face, task: TaskKey, file: &Path, line: u32) -> Answer<()> {
        self.watches.store(true, Ordering::Release);
        let said = self.probe.run_to(task, file, line).map_err(|error| match error {
            ProbeError::Refused(why) => Error::new(ErrorId::NotSupported, why),
            error => refused(&error),
        })?;
        if let Some(line) = said {
            face.events.send(DebuggeeEvent::Console(Channel::Console, format!("weft: {line}")));
        }
        Ok(())
    }

    /// There is to be no run, after all.
    pub(crate) fn give_up_run(&self) {
        if let Err(error) = self.probe.give_up_run() {
            tracing::debug!(%error, "the probe gives no run up");
        }
    }

    /// What the functions of frames are called, as [`Probe::frame_names`] says; nothing where it cannot be said.
    pub(crate) fn frame_names(&self, frames: &[i64]) -> Vec<(String, String)> {
        let told = self.probe.frame_names(frames);
        told.inspect_err(|error| tracing::debug!(%error, "frames keep pydevd's names")).unwrap_or_default()
    }

    /// What a task stops for from now on.
    pub(crate) fn watch(&self, task: TaskKey, on: &[TaskStop]) -> Answer<()> {
        let word = |stop: &TaskStop| match stop {
            TaskStop::Polled => "polled",
            TaskStop::Completed => "completed",
            TaskStop::Cancelled => "cancelled",
            TaskStop::Panicked => "panicked",
        };
        self.watches.store(true, Ordering::Release);
        let words: Vec<&str> = on.iter().map(word).collect();
        self.probe.watch_task(task, &words).map_err(|error| match error {
            ProbeError::Refused(why) => Error::new(ErrorId::NotSupported, why),
            error => refused(&error),
        })
    }

    /// Whether a thread stands at an exception of a task's: its stack is what the exception came through, and nothing of what
    /// runs on it.
    pub(crate) fn is_aside(&self, epoch: Epoch, native: i64) -> bool {
        lock(&self.aside).is_some_and(|aside| (aside.epoch, aside.native) == (epoch, native))
    }

    /// The thread that stands where this task has ended.
    fn stands_at(&self, epoch: Epoch, task: TaskKey) -> Option<i64> {
        lock(&self.aside).filter(|aside| aside.epoch == epoch && aside.of == Some(task)).map(|aside| aside.native)
    }

    /// Whether a thread stands where some other task than this one has ended.
    pub(crate) fn is_anothers(&self, epoch: Epoch, native: i64, task: TaskKey) -> bool {
        self.is_aside(epoch, native) && self.stands_at(epoch, task) != Some(native)
    }

    /// The user looks at a task.
    pub(crate) fn focus(&self, key: TaskKey) -> Answer<()> {
        self.probe.focus(key).map_err(|error| refused(&error))
    }

    /// What goes on is a step of this thread or task, or no step.
    pub(crate) fn begin(&self, step: Option<Target>) {
        *lock(&self.stepping) = step;
    }

    /// What a step of a thread can go into.
    pub(crate) fn targets(&self, native: i64) -> Answer<Vec<StepInTarget>> {
        let told = self.probe.step_targets(native).map_err(|error| refused(&error))?;
        let target = |(place, (name, file, line)): (u64, (String, PathBuf, u32))| StepInTarget {
            id: TargetId { place, branch: None },
            name,
            at: (line > 0).then_some(Location { file, line, column: 0 }),
        };
        Ok((0..).zip(told).map(target).collect())
    }

    /// Has the next step over a line of a thread go into one of them.
    pub(crate) fn go_into(&self, native: i64, target: TargetId) -> Answer<()> {
        self.probe.step_into(native, target.place).map_err(|error| refused(&error))
    }

    /// Has the program step a task that waits when it goes on.
    pub(crate) fn prepare(&self, key: TaskKey, kind: StepKind) -> Answer<()> {
        let kind = if kind == StepKind::Out { "out" } else { "over" };
        self.probe.prepare_step(key, kind).map_err(|error| refused(&error))
    }

    /// What the step that is under way waits for, if that may never come; empty of any other, none without a step.
    pub(crate) fn step_waits(&self) -> Option<String> {
        let waits = self.probe.step_waits();
        let waits = waits.inspect_err(|error| tracing::debug!(%error, "what the step waits for is not known"));
        match waits {
            // It can be asked again.
            Err(ProbeError::Busy(_)) => Some(String::new()),
            waits => waits.ok()?,
        }
    }

    /// What there is to say of the step that the current stop has ended, if there was one.
    /// And the task that it was given on, if it has ended in that.
    pub(crate) fn step_over(&self) -> Option<(StepOver, Option<Target>)> {
        let given = lock(&self.stepping).take()?;
        let over = self.probe.step_over();
        let over = over.inspect_err(|error| tracing::debug!(%error, "the probe says nothing of the step")).ok()??;
        let in_it = matches!(given, Target::Task(key) if over.is_in(key));
        Some((over, in_it.then_some(given)))
    }

    /// Every task, at the current stop or of the running program.
    pub(crate) fn snapshot(&self, face: &Face) -> Answer<Arc<Snapshot>> {
        let told = match face.standing.current() {
            Ok(epoch) => self.listing(epoch).map(|listing| Arc::clone(&listing.snapshot)),
            Err(_) => self.take().map(|listing| listing.snapshot),
        };
        match (told, &self.unanswered) {
            (Err(busy @ ProbeError::Busy(_)), Some(unanswered)) => unanswered.look(&busy).map(Arc::new),
            (told, _) => told.map_err(|error| refused(&error)),
        }
    }

    fn take(&self) -> Result<Listing, ProbeError> {
        // Who cannot say that it is there is not waited for as long as who has much to say.
        self.probe.is_alive(LIFE_PATIENCE)?;
        if let Some(unanswered) = &self.unanswered {
            unanswered.introduce(|tasks| self.probe.has_met(tasks))?;
        }
        let listing = Listing::take(&self.probe, &self.user_code, LIST_PATIENCE)?;
        if let Some(unanswered) = &self.unanswered {
            unanswered.told(&listing.snapshot);
        }
        Ok(listing)
    }

    /// The list at a stop, asked for once.
    fn listing(&self, epoch: Epoch) -> Result<Arc<Listing>, ProbeError> {
        let mut seen = lock(&self.seen);
        if let Some((of, listing)) = &*seen
            && *of == epoch
        {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(self.take()?);
        *seen = Some((epoch, Arc::clone(&listing)));
        Ok(listing)
    }

    /// The thread that runs a task, by the system's number; none if it waits.
    pub(crate) fn thread_of(&self, face: &Face, key: TaskKey) -> Answer<Option<i64>> {
        let epoch = face.standing.current()?;
        if let Some(native) = self.stands_at(epoch, key) {
            return Ok(Some(native));
        }
        let listing = self.listing(epoch).map_err(|error| refused(&error))?;
        let task = listing.task(key).ok_or_else(|| Error::new(ErrorId::UnknownTask, "this task has ended"))?;
        Ok(task.os_thread.filter(|_| task.state == State::Running).map(i64::from))
    }

    /// Whether a task is alive at the current stop.
    pub(crate) fn is_alive(&self, face: &Face, key: TaskKey) -> bool {
        self.thread_of(face, key).is_ok()
    }

    /// Rows of a thread's logical stack; `pydevd` is pydevd's number of it.
    pub(crate) fn thread_rows(&self, face: &Arc<Face>, native: i64, pydevd: i64, rows: Range<usize>) -> Answer<Stack> {
        let epoch = face.standing.current()?;
        let listing = self.listing(epoch).map_err(|error| refused(&error))?;
        if self.is_aside(epoch, native) || listing.running_on(native).next().is_none() {
            return crate::stack::rows(face, pydevd, rows);
        }
        let physical = frames(face, epoch, pydevd)?;
        let all = self.stacks(&listing).thread_rows(physical, native).map_err(|error| refused(&error))?;
        face.standing.check(epoch)?;
        Ok(page(all, rows))
    }

    /// Rows of the stack of a task that no thread runs.
    pub(crate) fn task_rows(&self, face: &Face, key: TaskKey, rows: Range<usize>) -> Answer<Stack> {
        let epoch = face.standing.current()?;
        let listing = self.listing(epoch).map_err(|error| refused(&error))?;
        let all = self.stacks(&listing).task_rows(key).map_err(|error| refused(&error))?;
        face.standing.check(epoch)?;
        Ok(page(all, rows))
    }

    /// A task's tree; `running`: its thread's frames, if one runs it.
    pub(crate) fn tree(&self, face: &Face, key: TaskKey, running: Vec<Frame>) -> Answer<AsyncStack> {
        let epoch = face.standing.current()?;
        let listing = self.listing(epoch).map_err(|error| refused(&error))?;
        let tree = self.stacks(&listing).tree(key, running).map_err(|error| refused(&error))?;
        face.standing.check(epoch)?;
        Ok(tree)
    }

    fn stacks<'a>(&'a self, listing: &'a Listing) -> Stacks<'a> {
        Stacks { probe: &self.probe, listing, user_code: &self.user_code }
    }
}

fn page(all: Vec<weft_session::debuggee::Row>, rows: Range<usize>) -> Stack {
    let total = Some(all.len());
    Stack { rows: all.into_iter().take(rows.end).skip(rows.start).collect(), total }
}

fn put(link: &Link, settings: &PythonSettings, steps: StepMode, events: &EventSender) -> Result<Probe, String> {
    let said = |error: std::io::Error| error.to_string();
    let numbers = events.clone();
    let listener = Listener::new().map_err(said)?.numbering(move |task| numbers.task_number(task));
    let statement = listener.statement().map_err(said)?;
    let asyncio = &settings.asyncio;
    let level = match asyncio.log_level {
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
        LogLevel::Critical => "CRITICAL",
    };
    let options = Options {
        creation_sites: asyncio.task_creation_sites,
        slow_callback: asyncio.slow_callback_duration,
        log_level: level.to_owned(),
        stop_at: unasked(asyncio.task_exceptions),
        step_mode: match steps {
            StepMode::Task => "task",
            StepMode::Thread => "thread",
        },
    };
    let told = events.clone();
    let accept = move || {
        let notice = move |notice: Notice| told.log(notice.text(|key| told.task_number(key)), notice.at);
        listener.accept(&options, START_PATIENCE, notice)
    };
    // The statement comes back once the probe has been accepted.
    let accepting = thread::Builder::new().name("weft-probe-accept".to_owned()).spawn(accept).map_err(said)?;
    let put = link.request("evaluate", &json!({"expression": statement, "context": "repl"}), PATIENCE);
    put.map_err(|fault| fault.to_string())?;
    let accepted = accepting.join().map_err(|_| "weft failed to accept it; its log says more".to_owned())?;
    accepted.map_err(|error| error.to_string())
}
