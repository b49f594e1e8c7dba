//! The connection: one thread reads what the probe writes; whoever asks waits for its answer, with a deadline.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use weft_tasks::TaskKey;

use super::notice::Notice;
use super::sources::{BOOT, MODULES};
use super::wire::{Hello, Knock, Line, NumberAsked, Options, Parts};
use crate::cache;
use crate::stepping::StepOver;

/// Bytes of one line: a list of 200,000 tasks is a fraction of it.
const LONGEST_LINE: u64 = 256 << 20;
/// Bytes of a line from somebody who has not shown the token.
const LONGEST_KNOCK: u64 = 4 << 10;
/// How long somebody who connects may take to show the token.
const MANNERS: Duration = Duration::from_secs(10);

/// Why the probe does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The program has ended, or closed the connection.
    #[error("the program's probe is gone")]
    Gone,
    /// It has not answered in time.
    #[error(
        "the program has not answered for {0:?}: a call that is not Python's holds the interpreter's lock, or the process was \
         stopped; ask again when it goes on"
    )]
    Busy(Duration),
    /// It cannot do what it was asked; the text is for the user.
    #[error("{0}")]
    Refused(String),
    /// It answered something that makes no sense.
    #[error("the program's probe answered nonsense: {0}")]
    Malformed(String),
    /// The connection could not be made.
    #[error("the probe could not be put into the program: {0}")]
    Connection(#[from] io::Error),
}

/// Where a program's probe connects to.
pub(crate) struct Listener {
    socket: TcpListener,
    token: String,
    numbering: Numbering,
}

/// By which number the user knows a task.
type Numbering = Box<dyn Fn(TaskKey) -> u64 + Send>;

impl Listener {
    /// On a free port of the loopback interface, with a token of its own.
    pub(crate) fn new() -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let mut random = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let token = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { socket, token, numbering: Box::new(|task| task.id) })
    }

    /// Says by which numbers the user knows tasks; without it they are the probe's.
    pub(crate) fn numbering(self, number: impl Fn(TaskKey) -> u64 + Send + 'static) -> Self {
        Self { numbering: Box::new(number), ..self }
    }

    /// The statement that puts the probe into the program that executes it. It returns once the probe answers; it waits for
    /// [`accept`](Self::accept).
    pub(crate) fn statement(&self) -> io::Result<String> {
        let address = self.socket.local_addr()?;
        let weft = json!([address.ip().to_string(), address.port(), self.token]);
        // A string of JSON's is one of Python's as well; the files have nothing but ASCII in code that this could change.
        let (code, weft) = (Value::from(BOOT).to_string(), weft.to_string());
        Ok(format!("exec(compile({code}, '<frozen _weft.boot>', 'exec'), {{'weft': tuple({weft})}})"))
    }

    /// Waits for the probe, which is told how to behave. `on_notice` is given what it says unasked, on a thread of its own, in order.
    pub(crate) fn accept(
        self,
        options: &Options,
        patience: Duration,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Probe, ProbeError> {
        let deadline = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, timeout).map_err(io::Error::from)? == 0 {
                return Err(ProbeError::Busy(patience));
            }
            let Ok((stream, _)) = self.socket.accept() else { continue };
            // Whoever else connects here is sent away, and the wait goes on.
            let Ok(mut lines) = self.welcome(&stream) else { continue };
            stream.set_read_timeout(Some(patience))?;
            let parts = Parts { modules: MODULES, compiled: cache::compiled(MODULES), options };
            send(&stream, &parts)?;
            let hello = read_line(&mut lines, LONGEST_LINE)?.ok_or(ProbeError::Gone)?;
            let hello: Hello =
                serde_json::from_slice(&hello).map_err(|error| ProbeError::Malformed(error.to_string()))?;
            if let Some(why) = hello.failed {
                return Err(ProbeError::Refused(format!("the probe could not be put into the program: {why}")));
            }
            stream.set_read_timeout(None)?;
            return Probe::start(stream, lines, hello, self.numbering, on_notice);
        }
    }

    /// Checks the token.
    fn welcome(&self, stream: &TcpStream) -> io::Result<BufReader<TcpStream>> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(MANNERS))?;
        let mut lines = BufReader::new(stream.try_clone()?);
        let line = read_line(&mut lines, LONGEST_KNOCK)?.unwrap_or_default();
        let knock: Option<Knock> = serde_json::from_slice(&line).ok();
        let same = |token: &str| token.len() == self.token.len() && differing(token, &self.token) == 0;
        match knock.is_some_and(|knock| same(&knock.token)) {
            true => Ok(lines),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

/// The function that loops run for a pause to be noticed; not to be shown.
pub(crate) const PAUSE: &str = "_weft_pause";

/// What evaluates, in a stopped frame, to the value of an expression with `await` in it: the frame's own loop turns until it is
/// there, or for so long. The program's other tasks go on meanwhile. `number`: for [`Probe::cancel_await`].
pub(crate) fn awaiting(expression: &str, patience: Duration, number: u64) -> String {
    let (source, seconds) = (Value::from(expression), patience.as_secs());
    // What pydevd has as local variables there are all that the frame sees, and it gives the frame those that change.
    format!("__import__('sys').modules['_weft'].awaits.evaluate({source}, locals(), {seconds}, {number})")
}

/// What gives what one expression stands for in a frame of pydevd's (in the main module, without) the value of another.
pub(crate) fn in_frame(frame: Option<i64>, target: &str, value: &str) -> String {
    let (frame, target, value) = (python(frame), Value::from(target), Value::from(value));
    format!("{CHANGES}in_frame({frame},{target},{value})")
}

/// What gives what a container of pydevd's shows by a name the value of an expression, which is evaluated in a frame.
pub(crate) fn in_container(frame: Option<i64>, container: i64, name: &str, value: &str) -> String {
    let (frame, name, value) = (python(frame), Value::from(name), Value::from(value));
    format!("{CHANGES}in_container({frame},{container},{name},{value})")
}

/// Whether an expression is, or begins with, what makes a change.
pub(crate) fn changes(expression: &str) -> bool {
    expression.contains(CHANGES)
}

const CHANGES: &str = "__import__('sys').modules['_weft'].changes.";

fn python(number: Option<i64>) -> String {
    number.map_or_else(|| "None".to_owned(), |number| number.to_string())
}

/// A place in a program: function, file, line.
pub(crate) type Place = (String, String, u32);

/// What evaluates to whether a breakpoint's terms hold; for those that pydevd has no words for. `place` counts the hits.
pub(crate) fn holds(condition: &str, hits: &str, in_focus: bool, place: &str) -> String {
    let (condition, hits, place) = (Value::from(condition), Value::from(hits), Value::from(place));
    let in_focus = if in_focus { "True" } else { "False" };
    format!("__import__('_weft').terms.holds({condition},{hits},{in_focus},{place},globals(),locals())")
}

/// What evaluates to a field of the task that runs, in a log message.
pub(crate) fn in_message(field: &str) -> String {
    format!("__import__('_weft').terms.in_message('{field}',globals(),locals())")
}

/// How many bytes differ; takes the same time wherever they do.
fn differing(one: &str, other: &str) -> u32 {
    one.bytes().zip(other.bytes()).map(|(a, b)| u32::from(a != b)).sum()
}

/// The probe of one program.
#[derive(Clone)]
pub(crate) struct Probe {
    shared: Arc<Shared>,
}

struct Shared {
    hello: Hello,
    stream: Mutex<TcpStream>,
    asked: Mutex<Asked>,
    next: AtomicU64,
}

/// Who waits for which answer.
#[derive(Default)]
struct Asked {
    waiting: HashMap<u64, SyncSender<Vec<u8>>>,
    gone: bool,
}

impl Probe {
    fn start(
        stream: TcpStream,
        lines: BufReader<TcpStream>,
        hello: Hello,
        numbering: Numbering,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, ProbeError> {
        let (stream, asked) = (Mutex::new(stream), Mutex::default());
        let shared = Arc::new(Shared { hello, stream, asked, next: AtomicU64::new(1) });
        let reader = Arc::downgrade(&shared);
        let read = move || {
            let mut on_notice = on_notice;
            let mut lines = lines;
            while let Ok(Some(line)) = read_line(&mut lines, LONGEST_LINE) {
                let Some(shared) = reader.upgrade() else { return };
                let Some(line) = shared.deliver(line) else { continue };
                match serde_json::from_slice::<NumberAsked<'_>>(&line).ok().filter(|asked| asked.event == "number") {
                    Some(NumberAsked { task: (address, id), .. }) => {
                        let told = json!({"task": id, "number": numbering(TaskKey { address, id })});
                        // Nobody waits for the answer to an answer.
                        let _gone = shared.say(0, "numbered", told);
                    }
                    None => Notice::parse(&line).into_iter().for_each(&mut on_notice),
                }
            }
            if let Some(shared) = reader.upgrade() {
                let mut asked = lock(&shared.asked);
                asked.gone = true;
                asked.waiting.clear();
            }
        };
        thread::Builder::new().name("weft-probe".into()).spawn(read)?;
        Ok(Self { shared })
    }

    /// What the probe said first.
    pub(crate) fn hello(&self) -> &Hello {
        &self.shared.hello
    }

    /// Asks `ask` with these arguments, and waits so long for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        ask: &str,
        arguments: Value,
        patience: Duration,
    ) -> Result<T, ProbeError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = sync_channel(1);
        {
            let mut asked = lock(&self.shared.asked);
            if asked.gone {
                return Err(ProbeError::Gone);
            }
            asked.waiting.insert(id, sender);
        }
        let answer = self.shared.say(id, ask, arguments).and_then(|()| {
            answer.recv_timeout(patience).map_err(|error| match error {
                RecvTimeoutError::Timeout => ProbeError::Busy(patience),
                RecvTimeoutError::Disconnected => ProbeError::Gone,
            })
        });
        lock(&self.shared.asked).waiting.remove(&id);
        read_answer(&answer?)
    }

    /// Whether anything is answered at all.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn is_alive(&self, patience: Duration) -> Result<(), ProbeError> {
        self.ask("alive", json!({}), patience)
    }

    /// Has tasks that were first seen from outside keep the numbers that they were given there: address, name and number of each.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn has_met(&self, tasks: &[(u64, String, u64)]) -> Result<(), ProbeError> {
        self.ask("met", json!({ "tasks": tasks }), Duration::from_secs(5))
    }

    /// To be called before the program goes on, whatever makes it do so: what was handed out for this stop is over, and the time
    /// until now is nobody's.
    ///
    /// # Errors
    /// [`ProbeError::Gone`].
    pub(crate) fn going(&self) -> Result<(), ProbeError> {
        self.ask("going", json!({}), Duration::from_secs(2))
    }

    /// Has the program step a task that waits when it goes on; `kind`: `over` or `out`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn prepare_step(&self, task: TaskKey, kind: &str) -> Result<(), ProbeError> {
        let arguments = json!({"address": task.address, "number": task.id, "kind": kind});
        self.ask("step-task", arguments, Duration::from_secs(2))
    }

    /// The calls on the line of a thread (the system's number) that a step can go into: text, file, line.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn step_targets(&self, thread: i64) -> Result<Vec<(String, PathBuf, u32)>, ProbeError> {
        self.ask("step-targets", json!({"thread": thread}), Duration::from_secs(5))
    }

    /// Has the next step over a line of a thread go into one of those calls.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn step_into(&self, thread: i64, target: u64) -> Result<(), ProbeError> {
        self.ask("step-into", json!({"thread": thread, "target": target}), Duration::from_secs(5))
    }

    /// What the step that is under way waits for, if that may never come.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn step_waits(&self) -> Result<Option<String>, ProbeError> {
        self.ask("step-waits", json!({}), Duration::from_secs(2))
    }

    /// What there is to say of the step that the current stop has ended.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn step_over(&self) -> Result<Option<StepOver>, ProbeError> {
        self.ask("step-over", json!({}), Duration::from_secs(2))
    }

    /// At which exceptions of tasks the program stops from now on: `task-failed`, `never-retrieved`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn stop_at(&self, filters: &[&str]) -> Result<(), ProbeError> {
        self.ask("stop-at", json!({ "filters": filters }), Duration::from_secs(2))
    }

    /// The conditions of exception filters, by name: of those that pydevd sees to, and of the probe's own.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn set_conditions(&self, pydevds: &Value, own: &Value) -> Result<(), ProbeError> {
        self.ask("filter-conditions", json!({"pydevds": pydevds, "own": own}), Duration::from_secs(2))
    }

    /// Refuses what cannot be a condition.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn check_condition(&self, source: &str) -> Result<(), ProbeError> {
        self.ask("check-condition", json!({ "source": source }), Duration::from_secs(2))
    }

    /// What there is to say of a thread (the system's number) that stands at an exception of a task's.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn stopped_at(&self, thread: i64) -> Result<Option<Notice>, ProbeError> {
        let told: Option<Box<RawValue>> =
            self.ask("stopped-at", json!({ "thread": thread }), Duration::from_secs(2))?;
        Ok(told.and_then(|told| Notice::parse(told.get().as_bytes())))
    }

    /// What the functions of frames are called, by pydevd's numbers: as pydevd says it, and as in suspended frames.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn frame_names(&self, frames: &[i64]) -> Result<Vec<(String, String)>, ProbeError> {
        self.ask("frame-names", json!({ "frames": frames }), Duration::from_secs(2))
    }

    /// Has the program run until a task comes to a line when it goes on; gives back what there is to say of it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn run_to(&self, task: TaskKey, file: &Path, line: u32) -> Result<Option<String>, ProbeError> {
        let asked = json!({"address": task.address, "number": task.id, "file": file, "line": line});
        self.ask("run-to", asked, Duration::from_secs(5))
    }

    /// Leaves nothing of a run that was prepared.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn give_up_run(&self) -> Result<(), ProbeError> {
        self.ask("give-up-run", json!({}), Duration::from_secs(2))
    }

    /// What a task stops for from now on: `polled`, `completed`, `cancelled`, `panicked`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn watch_task(&self, task: TaskKey, on: &[&str]) -> Result<(), ProbeError> {
        self.ask("watch-task", json!({"address": task.address, "number": task.id, "on": on}), Duration::from_secs(2))
    }

    /// What there is to say of a thread (the system's number) that stands for a task that is watched.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn watched_at(&self, thread: i64) -> Result<Option<Notice>, ProbeError> {
        let told: Option<Box<RawValue>> =
            self.ask("watched-at", json!({ "thread": thread }), Duration::from_secs(2))?;
        Ok(told.and_then(|told| Notice::parse(told.get().as_bytes())))
    }

    /// The user looks at a task.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn focus(&self, task: TaskKey) -> Result<(), ProbeError> {
        self.ask("focus", json!({"address": task.address, "number": task.id}), Duration::from_secs(2))
    }

    /// To be called after breakpoints were set: coroutines that had begun before are to have them, too.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn retrace(&self) -> Result<(), ProbeError> {
        self.ask::<u64>("retrace", json!({}), Duration::from_secs(5)).map(drop)
    }

    /// To be called before a pause is asked for: waits until threads that were told to go on have begun to.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn settle(&self) -> Result<(), ProbeError> {
        self.ask::<()>("settle", json!({}), Duration::from_secs(2))
    }

    /// To be called after a pause was asked for: has loops that wait run a function named [`PAUSE`], in which pydevd stops.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn wake(&self) -> Result<(), ProbeError> {
        self.ask::<u64>("wake", json!({}), Duration::from_secs(2)).map(drop)
    }

    /// Sends the program's main thread what Ctrl+C sends, where the program and not pydevd gets it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn interrupt(&self) -> Result<(), ProbeError> {
        self.ask::<()>("interrupt", json!({}), Duration::from_secs(2))
    }

    /// The threads' names, each with its frames, the innermost first: function, file and line.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn held(&self) -> Result<Vec<(String, Vec<Place>)>, ProbeError> {
        self.ask("held", json!({}), Duration::from_secs(2))
    }

    /// Whether something to evaluate awaits anything itself.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn awaits(&self, source: &str) -> Result<bool, ProbeError> {
        self.ask("awaits", json!({ "source": source }), Duration::from_secs(2))
    }

    /// Gives up what [`awaiting`] awaits under a number.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn cancel_await(&self, number: u64) -> Result<(), ProbeError> {
        self.ask("cancel-await", json!({ "number": number }), Duration::from_secs(2))
    }
}

impl Shared {
    fn say(&self, id: u64, ask: &str, mut arguments: Value) -> Result<(), ProbeError> {
        if let Value::Object(arguments) = &mut arguments {
            arguments.insert("id".into(), id.into());
            arguments.insert("ask".into(), ask.into());
        }
        send(&lock(&self.stream), &arguments).map_err(|_| ProbeError::Gone)
    }

    /// Hands an answer to who waits for it; gives back what is no answer.
    fn deliver(&self, line: Vec<u8>) -> Option<Vec<u8>> {
        let Some(id) = serde_json::from_slice::<Line<'_>>(&line).ok().and_then(|line| line.id) else {
            return Some(line);
        };
        if let Some(waiting) = lock(&self.asked).waiting.remove(&id) {
            let _ = waiting.try_send(line);
        }
        None
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = lock(&self.stream).shutdown(Shutdown::Both);
    }
}

fn read_answer<T: DeserializeOwned>(line: &[u8]) -> Result<T, ProbeError> {
    let malformed = |error: serde_json::Error| ProbeError::Malformed(error.to_string());
    let line: Line<'_> = serde_json::from_slice(line).map_err(malformed)?;
    if let Some(trace) = &line.trace {
        tracing::warn!(trace, error = line.error, "the probe failed");
    }
    match (line.answer, line.error) {
        (_, Some(error)) => Err(ProbeError::Refused(error)),
        (Some(answer), None) => serde_json::from_str(answer.get()).map_err(malformed),
        (None, None) => serde_json::from_str("null").map_err(malformed),
    }
}

fn send(mut stream: &TcpStream, said: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// The next line without its end; none at the end of all.
fn read_line(lines: &mut BufReader<TcpStream>, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    lines.by_ref().take(most).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
