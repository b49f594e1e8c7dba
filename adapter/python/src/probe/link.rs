//! The connection: one thread reads what the probe writes; whoever asks waits for its answer, with a deadline.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::notice::Notice;
use super::sources::{BOOT, MODULES};
use super::wire::{Hello, Knock, Line, Options, Parts};

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
    #[error("the program does not answer: it has been busy for {0:?} (a call that holds the interpreter's lock?)")]
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
}

impl Listener {
    /// On a free port of the loopback interface, with a token of its own.
    pub(crate) fn new() -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let mut random = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        Ok(Self { socket, token: random.iter().map(|byte| format!("{byte:02x}")).collect() })
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
            let parts = Parts { modules: MODULES, options };
            send(&stream, &parts)?;
            let hello = read_line(&mut lines, LONGEST_LINE)?.ok_or(ProbeError::Gone)?;
            let hello: Hello =
                serde_json::from_slice(&hello).map_err(|error| ProbeError::Malformed(error.to_string()))?;
            if let Some(why) = hello.failed {
                return Err(ProbeError::Refused(format!("the probe could not be put into the program: {why}")));
            }
            stream.set_read_timeout(None)?;
            return Probe::start(stream, lines, hello, on_notice);
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
                if let Some(notice) = shared.deliver(line).and_then(|line| Notice::parse(&line)) {
                    on_notice(notice);
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

    /// To be called before the program goes on, whatever makes it do so: what was handed out for this stop is over, and the time
    /// until now is nobody's.
    ///
    /// # Errors
    /// [`ProbeError::Gone`].
    pub(crate) fn going(&self) -> Result<(), ProbeError> {
        self.ask("going", json!({}), Duration::from_secs(2))
    }

    /// Tells the probe something that needs no answer.
    pub(crate) fn tell(&self, ask: &str, arguments: Value) -> Result<(), ProbeError> {
        self.shared.say(0, ask, arguments)
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
