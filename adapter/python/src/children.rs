//! Processes that the program makes. pydevd puts itself into each; it connects to where the program did, and waits there.
//!
//! Each is answered on a thread of its own: by a session that the client starts for it, whose adapter takes the connection
//! over, or by being let run undebugged. The port goes to that adapter as well, so that grandchildren are answered when this
//! session is over.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use weft_process::{Pid, Rendezvous, Sockets, command_line, take_over};
use weft_protocol::launch::{SUB_PROCESS_ID, TAKE_OVER};
use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::config::Address;
use weft_session::debuggee::{Answer, Channel, DebuggeeEvent, Forked};

use crate::attach;
use crate::link::{Fault, Greeting, Identity, Listener, PATIENCE, identify, lock, nothing, shake};

/// How long to wait when nobody can be accepted (no descriptors left, say).
const BREATH: Duration = Duration::from_millis(100);

/// What multiprocessing starts for itself, by what its command line has: one to clean up behind it…
const TRACKER: &str = "multiprocessing.resource_tracker";

/// … and one to fork children from.
const FORK_SERVER: &str = "multiprocessing.forkserver";

/// Answers a program's children until it is told to stop.
pub(crate) struct Children {
    nursery: Arc<Nursery>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

struct Nursery {
    listener: Listener,
    /// The program's own number: who comes with it is what the program has executed in its place.
    program: Option<i64>,
    token: Option<String>,
    /// The user wants them debugged.
    debugged: bool,
    events: EventSender,
    over: AtomicBool,
    /// Nobody new is answered: others may have the port as well.
    closed: AtomicBool,
    /// All who came have been answered, and nobody else will be.
    answered: AtomicBool,
    /// Those that wait for a session.
    waiting: Mutex<BTreeSet<i64>>,
    successor: Mutex<Option<Successor>>,
}

/// What a program has executed in its place, and who debugs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Successor {
    /// It waits for a session.
    Waits,
    /// It has one.
    Debugged,
    /// It runs without.
    Undebugged,
}

/// Tells who comes after a program in its own process.
pub(crate) struct Heirs(Arc<Nursery>);

impl Heirs {
    /// The last one that has connected here.
    pub(crate) fn successor(&self) -> Option<Successor> {
        *lock(&self.0.successor)
    }

    /// The session is over.
    pub(crate) fn are_left(&self) -> bool {
        self.0.is_over()
    }

    /// Answers those who have come, and leaves all others to whoever else has the port.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// Whether nobody here waits for a session any more, and nobody will.
    pub(crate) fn are_settled(&self) -> bool {
        self.0.answered.load(Ordering::Acquire)
    }

    /// Whether a process was started with words that have it connect.
    pub(crate) fn expect(&self, pid: Pid) -> bool {
        was_started_as(i64::from(pid), self.0.token.as_deref().unwrap_or("pydevd"))
    }

    /// Whether a process has connected here, whoever answers it.
    pub(crate) fn is_reached_by(&self, pid: Pid) -> bool {
        let here = format!("127.0.0.1:{}", self.0.listener.port());
        Sockets::new(pid).all().into_values().any(|socket| socket.peer.as_deref() == Some(&here))
    }
}

/// What goes with a connection that is taken over.
#[derive(Serialize, Deserialize)]
struct Words {
    pid: i64,
    token: Option<String>,
}

/// A child that this session has taken over.
pub(crate) struct Taken {
    pub(crate) stream: TcpStream,
    pub(crate) listener: Listener,
    pub(crate) pid: i64,
    pub(crate) token: Option<String>,
}

impl Children {
    /// Answers whoever connects. `program`: its number, where it is a process of this machine; `token`: what it was started with,
    /// and its children tell.
    pub(crate) fn answer(
        listener: Listener,
        program: Option<i64>,
        token: Option<String>,
        debugged: bool,
        events: &EventSender,
    ) -> Answer<Self> {
        let nursery = Arc::new(Nursery {
            listener,
            program,
            token,
            debugged,
            events: events.clone(),
            over: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            waiting: Mutex::default(),
            successor: Mutex::default(),
        });
        let acceptors = Arc::clone(&nursery);
        let acceptor = thread::Builder::new().name("children".to_owned()).spawn(move || accept(&acceptors));
        let acceptor = acceptor.map_err(|error| {
            Error::new(ErrorId::LaunchFailed, format!("no thread for the program's child processes: {error}"))
        })?;
        Ok(Self { nursery, acceptor: Mutex::new(Some(acceptor)) })
    }

    /// Who comes after the program itself.
    pub(crate) fn heirs(&self) -> Heirs {
        Heirs(Arc::clone(&self.nursery))
    }

    /// Lets a child that waits run undebugged. False: none of that number waits here.
    pub(crate) fn let_go(&self, pid: i64) -> bool {
        lock(&self.nursery.waiting).remove(&pid)
    }

    /// Lets all that wait run, and answers nobody any more.
    pub(crate) fn end(&self) {
        self.nursery.over.store(true, Ordering::Release);
        if let Some(acceptor) = lock(&self.acceptor).take() {
            let _panicked = acceptor.join();
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(nursery: &Arc<Nursery>) {
    let mut answering: Vec<JoinHandle<()>> = Vec::new();
    let answer = |stream| {
        let nursery = Arc::clone(nursery);
        let answer = move || nursery.receive(stream);
        match thread::Builder::new().name("child".to_owned()).spawn(answer) {
            Ok(thread) => answering.push(thread),
            // Its connection is gone with the thread that was not made, and it ends.
            Err(error) => tracing::warn!(%error, "a child process is not answered"),
        }
        answering.retain(|thread| !thread.is_finished());
    };
    accept_until(&nursery.listener, || nursery.is_closed(), answer);
    for thread in answering {
        let _panicked = thread.join();
    }
    nursery.answered.store(true, Ordering::Release);
}

/// Gives away who connects until it is closed, with all who have come by then.
fn accept_until(listener: &Listener, is_closed: impl Fn() -> bool, mut answer: impl FnMut(TcpStream)) {
    loop {
        // Asked before it is looked: who came before it was closed is found.
        let closed = is_closed();
        match listener.accept(None, &is_closed) {
            Some(stream) => answer(stream),
            None if closed => break,
            None if is_closed() => {}
            None => thread::sleep(BREATH),
        }
    }
}

impl Nursery {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn is_closed(&self) -> bool {
        self.is_over() || self.closed.load(Ordering::Acquire)
    }

    fn receive(&self, stream: TcpStream) {
        let who = match identify(&stream, self.token.as_deref()) {
            Ok(who) => who,
            Err(fault) => return tracing::debug!(%fault, "somebody connected who is no child of the program"),
        };
        let pid = who.pid;
        if !self.debugged || is_tracker(pid) {
            return run_undebugged(stream, pid, Offspring::Undebugged);
        }
        if is_fork_server(who) {
            return run_undebugged(stream, pid, Offspring::Debugged);
        }
        self.succeeds(pid, Successor::Waits);
        let given = self.hand_over(&stream, pid);
        if let Err(error) = &given {
            let line = format!("weft: process {pid} was started and runs undebugged: {error}");
            self.events.send(DebuggeeEvent::Console(Channel::Important, line));
        }
        if matches!(given, Ok(true)) {
            return self.succeeds(pid, Successor::Debugged);
        }
        run_undebugged(stream, pid, Offspring::Undebugged);
        self.succeeds(pid, Successor::Undebugged);
    }

    /// Notes what has connected, if it is what the program has executed in its place.
    fn succeeds(&self, pid: i64, successor: Successor) {
        if self.program == Some(pid) {
            *lock(&self.successor) = Some(successor);
        }
    }

    /// Waits until the adapter of another session takes a child over. False if none does.
    fn hand_over(&self, stream: &TcpStream, pid: i64) -> std::io::Result<bool> {
        let place = Rendezvous::new()?;
        let descriptors = [OwnedFd::from(stream.try_clone()?), self.listener.descriptor()?];
        let words = serde_json::to_vec(&Words { pid, token: self.token.clone() })?;
        lock(&self.waiting).insert(pid);
        let way = Map::from_iter([(TAKE_OVER.to_owned(), json!(place.socket()))]);
        self.events.send(DebuggeeEvent::Forked(Forked { pid, way }));
        let called_off = || self.is_over() || !lock(&self.waiting).contains(&pid);
        let given = place.give(&descriptors.each_ref(), &words, called_off);
        lock(&self.waiting).remove(&pid);
        given
    }
}

/// Takes over what another session's [`Children`] give away at a socket.
pub(crate) fn take(socket: &Path) -> Answer<Taken> {
    let failed = |why: String| Error::new(ErrorId::AttachFailed, format!("the process does not wait any more: {why}"));
    let (descriptors, words) = take_over(socket).map_err(|error| failed(error.to_string()))?;
    let Ok([stream, listener]) = <[OwnedFd; 2]>::try_from(descriptors) else {
        return Err(failed("it has ended".to_owned()));
    };
    let words: Words = serde_json::from_slice(&words).map_err(|error| failed(error.to_string()))?;
    let listener = Listener::from_descriptor(listener).map_err(|error| failed(error.to_string()))?;
    Ok(Taken { stream: TcpStream::from(stream), listener, pid: words.pid, token: words.token })
}

/// A child of a program whose debugpy has an adapter of its own (`connect`): that one has the connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announced {
    sub_process_id: i64,
    connect: Address,
}

impl Announced {
    pub(crate) fn read(body: &Value) -> Option<Self> {
        Self::deserialize(body).ok()
    }

    pub(crate) fn forked(&self) -> Forked {
        let way =
            [("connect".to_owned(), json!(self.connect)), (SUB_PROCESS_ID.to_owned(), json!(self.sub_process_id))];
        Forked { pid: self.sub_process_id, way: Map::from_iter(way) }
    }

    pub(crate) fn pid(&self) -> i64 {
        self.sub_process_id
    }

    /// Lets it run undebugged, on a thread of its own: its adapter may take its time.
    pub(crate) fn let_go(self) {
        let pid = self.sub_process_id;
        let begin = move || {
            let connected = attach::reach(&self.connect).map_err(|error| error.to_string());
            let begun = connected.and_then(|stream| {
                undebug(stream, pid, Offspring::Undebugged, true).map_err(|fault| fault.to_string())
            });
            if let Err(why) = begun {
                tracing::debug!("process {pid} could not be let run: {why}");
            }
        };
        if let Err(error) = thread::Builder::new().name("child".to_owned()).spawn(begin) {
            tracing::debug!(%error, "process {pid} could not be let run");
        }
    }
}

/// Whether a process is the one that multiprocessing starts to clean up behind it.
pub(crate) fn is_tracker(pid: i64) -> bool {
    was_started_as(pid, TRACKER)
}

/// Whether a process is the one that forks for multiprocessing, or forked by it: they look alike.
pub(crate) fn was_started_as_fork_server(pid: i64) -> bool {
    was_started_as(pid, FORK_SERVER)
}

/// Whether a process is the one that forks for multiprocessing.
fn is_fork_server(who: Identity) -> bool {
    was_started_as_fork_server(who.pid) && who.parent.is_some_and(|parent| !was_started_as_fork_server(parent))
}

fn was_started_as(pid: i64, text: &str) -> bool {
    let words = i32::try_from(pid).ok().and_then(|pid| command_line(pid).ok());
    words.is_some_and(|words| words.iter().any(|word| word.contains(text)))
}

/// What becomes of the children of a process that runs undebugged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offspring {
    /// They connect as it did.
    Debugged,
    /// They run undebugged, too.
    Undebugged,
}

fn run_undebugged(stream: TcpStream, pid: i64, offspring: Offspring) {
    if let Err(fault) = undebug(stream, pid, offspring, false) {
        tracing::debug!(%fault, "process {pid} could not be let run");
    }
}

/// Says to a pydevd that waits what lets its program run, and goes.
fn undebug(stream: TcpStream, pid: i64, offspring: Offspring, through_adapter: bool) -> Result<(), Fault> {
    let arguments = json!({"subProcessId": pid});
    let shaken = shake(stream, &Greeting { request: "attach", arguments: &arguments, token: None, through_adapter })?;
    if offspring == Offspring::Undebugged {
        shaken.link.request("evaluate", &json!({"expression": LEAVE_CHILDREN, "context": "repl"}), PATIENCE)?;
    }
    shaken.link.request("configurationDone", &nothing(), PATIENCE)?;
    shaken.link.request("disconnect", &json!({"terminateDebuggee": false}), PATIENCE)?;
    shaken.link.close();
    Ok(())
}

/// Has pydevd put itself into no further child of the program: there is nobody any more whom it could connect to.
pub(crate) const LEAVE_CHILDREN: &str = "__import__('sys').modules.get('_pydev_bundle.pydev_monkey').__dict__.update(_get_apply_arg_patching=lambda: False)";

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn who_comes_as_it_is_closed_is_answered() {
        let listener = Listener::new().unwrap();
        let (looks, connected, answered) = (Cell::new(0), RefCell::new(Vec::new()), Cell::new(0));
        let is_closed = || {
            looks.set(looks.get() + 1);
            // Behind a look that has found nobody.
            if looks.get() == 2 {
                connected.borrow_mut().push(TcpStream::connect(("127.0.0.1", listener.port())).unwrap());
            }
            looks.get() >= 2
        };
        accept_until(&listener, is_closed, |_| answered.set(answered.get() + 1));
        assert_eq!((answered.get(), connected.borrow().len()), (1, 1));
    }
}
