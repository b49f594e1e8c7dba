//! How a connection to pydevd begins.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::TcpStreamExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use tokio_util::codec::Decoder;
use weft_protocol::{Codec, Incoming, News};

use super::{Fault, Link, LinkEvent, PATIENCE, Writer, nothing};

/// How often a wait for a connection looks whether it was called off, in milliseconds.
const LOOK: u8 = 50;

/// Where programs connect to: a port that only this machine reaches.
pub(crate) struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// Listens on a free port of the loopback address.
    pub(crate) fn new() -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, 0))
    }

    /// Listens there.
    pub(crate) fn at(address: impl std::net::ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for a connection, for a short time.
    fn wait_a_little(&self) {
        let mut fds = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, LOOK).is_err() {
            thread::yield_now();
        }
    }

    /// The listening socket, for somebody else who is to accept as well.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone().map(OwnedFd::from)
    }

    /// A socket that somebody else listened with.
    pub(crate) fn from_descriptor(socket: OwnedFd) -> io::Result<Self> {
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The next connection, if there is one by then. `called_off` is asked now and then, and ends the wait.
    pub(crate) fn accept(&self, until: Option<Instant>, mut called_off: impl FnMut() -> bool) -> Option<TcpStream> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return stream.set_nonblocking(false).is_ok().then_some(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    return None;
                }
            }
            if called_off() || until.is_some_and(|until| Instant::now() >= until) {
                return None;
            }
            self.wait_a_little();
        }
    }
}

/// Asks a pydevd that has just connected who it is. Nothing is read beyond the answers, so that somebody
/// else can go on with the connection.
pub(crate) fn identify(stream: &TcpStream, token: Option<&str>) -> Result<Identity, Fault> {
    let gone = |_: io::Error| Fault::Gone;
    stream.set_read_timeout(Some(PATIENCE)).map_err(gone)?;
    let mut asker = Asker { stream, seq: 0 };
    let authorized = asker.ask("pydevdAuthorize", &json!({"debugServerAccessToken": null}))?;
    if token.is_some() && authorized.get("clientAccessToken").and_then(Value::as_str) != token {
        return Err(stranger());
    }
    let info = asker.ask("pydevdSystemInfo", &nothing())?;
    let number = |which| info.pointer(which).and_then(Value::as_i64);
    let pid = number("/process/pid").ok_or_else(|| Fault::Refused("the program does not say who it is".to_owned()))?;
    Ok(Identity { pid, parent: number("/process/ppid") })
}

/// Who has connected.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) pid: i64,
    pub(crate) parent: Option<i64>,
}

fn stranger() -> Fault {
    Fault::Refused("somebody connected who is not the program".to_owned())
}

/// Asks one thing after the other and reads no byte too many.
struct Asker<'a> {
    stream: &'a TcpStream,
    seq: i64,
}

impl Asker<'_> {
    fn ask(&mut self, command: &'static str, arguments: &Value) -> Result<Value, Fault> {
        self.seq = self.seq.saturating_add(1);
        Writer::over(self.stream)
            .and_then(|mut writer| writer.send(self.seq, command, arguments))
            .map_err(|_| Fault::Gone)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Incoming::Response(reply) = self.read().map_err(|_| Fault::Gone)?
                && reply.request_seq == self.seq
            {
                return reply.result.map_err(Fault::Refused);
            }
        }
        Err(Fault::Late { command, patience: PATIENCE })
    }

    fn read(&mut self) -> io::Result<Incoming> {
        let mut codec = Codec::default();
        let mut buffer = BytesMut::new();
        loop {
            let mut byte = [0];
            let _not_tcp = self.stream.set_quickack(true);
            self.stream.read_exact(&mut byte)?;
            buffer.extend_from_slice(&byte);
            if let Some(item) = codec.decode(&mut buffer)? {
                return Ok(item);
            }
        }
    }
}

/// What pydevd is told at the beginning.
pub(crate) struct Greeting<'a> {
    /// `launch` or `attach`.
    pub(crate) request: &'static str,
    /// The request's arguments.
    pub(crate) arguments: &'a Value,
    /// The token that the program was started with: who does not know it is not our program.
    pub(crate) token: Option<&'a str>,
    /// At the other end may be a debug adapter (`debugpy.listen`) instead of pydevd itself.
    pub(crate) through_adapter: bool,
}

/// A connection that is ready for breakpoints; the program waits for `configurationDone`.
pub(crate) struct Shaken {
    pub(crate) link: Arc<Link>,
    /// What came meanwhile.
    pub(crate) early: Vec<LinkEvent>,
    pub(crate) events: Receiver<LinkEvent>,
    /// The program's number on its own machine, as it says.
    pub(crate) pid: Option<i64>,
    /// What it is called, as it says.
    pub(crate) name: Option<String>,
}

/// Introduces us. The requests are sent in one go, since none depends on another's answer.
pub(crate) fn shake(stream: TcpStream, greeting: &Greeting<'_>) -> Result<Shaken, Fault> {
    let (sender, events) = channel();
    let link = Link::start(stream, sender).map_err(|_| Fault::Gone)?;
    let shaken = introduce(&link, &events, greeting);
    if shaken.is_err() {
        link.close();
    }
    let (pid, early) = shaken?;
    let (said, name) = early.iter().find_map(process).unwrap_or_default();
    Ok(Shaken { link, early, events, pid: pid.or(said), name })
}

fn introduce(
    link: &Link,
    events: &Receiver<LinkEvent>,
    greeting: &Greeting<'_>,
) -> Result<(Option<i64>, Vec<LinkEvent>), Fault> {
    let whom = match greeting.through_adapter {
        true => None,
        false => Some((
            link.post("pydevdAuthorize", &json!({"debugServerAccessToken": null}))?,
            link.post("pydevdSystemInfo", &nothing())?,
        )),
    };
    let initialize = json!({
        "adapterID": "weft",
        "clientID": "weft",
        "linesStartAt1": true,
        "columnsStartAt1": true,
        "pathFormat": "path",
        "supportsVariableType": true,
        "supportsVariablePaging": true,
    });
    let initialized = link.post("initialize", &initialize)?;
    let pid = match whom {
        Some((authorized, info)) => {
            let said = authorized.wait(PATIENCE)?;
            if greeting.token.is_some() && said.get("clientAccessToken").and_then(Value::as_str) != greeting.token {
                return Err(stranger());
            }
            info.wait(PATIENCE)?.pointer("/process/pid").and_then(Value::as_i64)
        }
        None => None,
    };
    initialized.wait(PATIENCE)?;
    let started = link.post(greeting.request, greeting.arguments)?;
    let mut early = Vec::new();
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(LinkEvent::News(News { event, .. })) if event == "initialized" => break,
            Ok(LinkEvent::Gone) => return Err(Fault::Gone),
            Ok(other) => early.push(other),
            // It may have said why.
            Err(_) => return Err(started.wait(Duration::ZERO).err().unwrap_or(Fault::Gone)),
        }
    }
    Ok((pid, early))
}

/// Number and name in a `process` event.
fn process(event: &LinkEvent) -> Option<(Option<i64>, Option<String>)> {
    match event {
        LinkEvent::News(News { event, body }) if event == "process" => Some((
            body.get("systemProcessId").and_then(Value::as_i64),
            body.get("name").and_then(Value::as_str).map(str::to_owned),
        )),
        _ => None,
    }
}
