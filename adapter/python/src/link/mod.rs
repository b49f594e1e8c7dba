//! The connection to pydevd: its only client.
//!
//! For: requests with deadlines, and its events in order. Not for: knowing what an answer means. A thread reads and never
//! waits for anybody; whoever asks waits on a channel of its own. pydevd writes a message in two pieces and waits for the
//! acknowledgement of the first, so acknowledgements are sent at once (`TCP_QUICKACK`, which the kernel switches off again
//! all the time): a request takes 0.3 ms instead of 44.
//!
//! **Invariant:** whatever comes in is a message, or a line in the log; never a panic.
//! **Invariant:** once the connection is over, every request that waits is answered, and so is every later one.

mod shake;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio_util::codec::{Decoder, Encoder};
use weft_protocol::{Codec, Incoming, News, Numbered, Outgoing, ReverseRequest};

pub(crate) use shake::{Greeting, Identity, Listener, Shaken, identify, shake};

/// How long pydevd may take for what it answers by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// How long a write may take: somebody who does not read is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(15);

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// pydevd says why not.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("the program's debugger (debugpy) did not answer `{command}` within {} s", patience.as_secs())]
    Late {
        /// The request.
        command: &'static str,
        /// How long was waited.
        patience: Duration,
    },
    /// The connection is over.
    #[error("the connection to the program is over")]
    Gone,
}

/// What comes without being asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkEvent {
    /// An event.
    News(News),
    /// The connection is over; the last one.
    Gone,
}

type Answer = Result<Value, String>;

/// A connection to pydevd.
pub(crate) struct Link {
    writer: Mutex<Writer>,
    waiting: Mutex<Option<HashMap<i64, Sender<Answer>>>>,
    stream: TcpStream,
}

struct Writer {
    stream: TcpStream,
    seq: i64,
    buffer: BytesMut,
}

/// A request on its way.
pub(crate) struct Pending {
    command: &'static str,
    answer: Receiver<Answer>,
}

impl Link {
    /// Takes a connection over. Events go to `events`, in order.
    pub(crate) fn start(stream: TcpStream, events: Sender<LinkEvent>) -> io::Result<Arc<Self>> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        let reader = stream.try_clone()?;
        let link = Arc::new(Self {
            writer: Mutex::new(Writer::over(&stream)?),
            waiting: Mutex::new(Some(HashMap::new())),
            stream,
        });
        let readers = Arc::clone(&link);
        thread::Builder::new().name("pydevd".to_owned()).spawn(move || {
            readers.read(reader, &events);
            lock(&readers.waiting).take();
            let _nobody = events.send(LinkEvent::Gone);
        })?;
        Ok(link)
    }

    /// Asks and waits.
    pub(crate) fn request(&self, command: &'static str, arguments: &Value, patience: Duration) -> Result<Value, Fault> {
        self.post(command, arguments)?.wait(patience)
    }

    /// Asks; the answer can be waited for later.
    pub(crate) fn post(&self, command: &'static str, arguments: &Value) -> Result<Pending, Fault> {
        let (sender, answer) = channel();
        let mut writer = lock(&self.writer);
        writer.seq = writer.seq.saturating_add(1);
        let seq = writer.seq;
        lock(&self.waiting).as_mut().ok_or(Fault::Gone)?.insert(seq, sender);
        if let Err(error) = writer.send(seq, command, arguments) {
            tracing::debug!(%error, "pydevd cannot be asked");
            self.close();
            return Err(Fault::Gone);
        }
        Ok(Pending { command, answer })
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        let _gone_already = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads until the connection is over.
    fn read(&self, mut stream: TcpStream, events: &Sender<LinkEvent>) {
        let mut codec = Codec::default();
        let mut buffer = BytesMut::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            let _not_tcp = stream.set_quickack(true);
            let count = match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let _not_tcp = stream.set_quickack(true);
            buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
            while let Ok(Some(item)) = codec.decode(&mut buffer) {
                self.take(item, events);
            }
        }
    }

    fn take(&self, item: Incoming, events: &Sender<LinkEvent>) {
        match item {
            Incoming::Response(reply) => {
                tracing::trace!(target: "pydevd", "-> {reply:?}");
                let asker = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&reply.request_seq));
                // Who has waited long enough is gone.
                let _late = asker.map(|asker| asker.send(reply.result));
            }
            Incoming::Event(news) => {
                tracing::trace!(target: "pydevd", "-> {news:?}");
                let _nobody = events.send(LinkEvent::News(news));
            }
            // What a program asks is never done: it may be anybody's.
            Incoming::Request(request) => tracing::debug!("pydevd asks for `{}`, which is ignored", request.command),
            Incoming::Malformed(bad) => tracing::debug!("pydevd said something that is no message: {}", bad.reason),
        }
    }
}

impl Writer {
    fn over(stream: &TcpStream) -> io::Result<Self> {
        Ok(Self { stream: stream.try_clone()?, seq: 0, buffer: BytesMut::new() })
    }

    fn send(&mut self, seq: i64, command: &'static str, arguments: &Value) -> io::Result<()> {
        tracing::trace!(target: "pydevd", "<- {seq} {command} {arguments}");
        let request = ReverseRequest { command, arguments: arguments.to_string() };
        self.buffer.clear();
        Codec::default().encode(Numbered { seq, message: Outgoing::Request(request) }, &mut self.buffer)?;
        self.stream.write_all(&self.buffer)
    }
}

impl Pending {
    /// Waits for the answer.
    pub(crate) fn wait(&self, patience: Duration) -> Result<Value, Fault> {
        match self.answer.recv_timeout(patience) {
            Ok(answer) => answer.map_err(Fault::Refused),
            Err(RecvTimeoutError::Timeout) => Err(Fault::Late { command: self.command, patience }),
            Err(RecvTimeoutError::Disconnected) => Err(Fault::Gone),
        }
    }

    /// Waits for the answer to what lets the program run, or until that has run to its end: it may have had no time left to answer.
    pub(crate) fn wait_or_end(&self, patience: Duration) -> Result<(), Fault> {
        match self.wait(patience) {
            Ok(_) | Err(Fault::Gone) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// A lock that a panic elsewhere does not take away.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No arguments.
pub(crate) fn nothing() -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A link and the other end of it.
    fn linked() -> (Arc<Link>, Receiver<LinkEvent>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let (sender, events) = channel();
        (Link::start(ours, sender).unwrap(), events, theirs)
    }

    fn write(stream: &mut TcpStream, body: &str) {
        stream.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    }

    fn event(events: &Receiver<LinkEvent>) -> LinkEvent {
        events.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn answers_find_who_asked_and_events_keep_their_order() {
        let (link, events, mut pydevd) = linked();
        let first = link.post("threads", &nothing()).unwrap();
        let second = link.post("evaluate", &json!({"expression": "x"})).unwrap();
        write(&mut pydevd, r#"{"type":"event","event":"one","body":{"a":1}}"#);
        write(&mut pydevd, r#"{"type":"response","request_seq":2,"success":false,"message":"no x"}"#);
        write(&mut pydevd, r#"{"type":"response","request_seq":1,"success":true,"body":[7]}"#);
        write(&mut pydevd, r#"{"type":"event","event":"two"}"#);
        assert_eq!(second.wait(PATIENCE), Err(Fault::Refused("no x".to_owned())));
        assert_eq!(first.wait(PATIENCE), Ok(json!([7])));
        let news = |event: &str, body| LinkEvent::News(News { event: event.to_owned(), body });
        assert_eq!(event(&events), news("one", json!({"a": 1})));
        assert_eq!(event(&events), news("two", Value::Null));
    }

    #[test]
    fn what_is_no_message_is_skipped() {
        let (link, events, mut pydevd) = linked();
        pydevd.write_all(b"GET / HTTP/1.1\r\n\r\nContent-Length: 3\r\n\r\n{]}").unwrap();
        write(&mut pydevd, r#"{"type":"request","seq":1,"command":"runInTerminal","arguments":{}}"#);
        write(&mut pydevd, r#"{"type":"response","request_seq":99,"success":true}"#);
        write(&mut pydevd, r#"{"type":"event","event":"alive"}"#);
        assert_eq!(event(&events), LinkEvent::News(News { event: "alive".to_owned(), body: Value::Null }));
        drop(link);
    }

    #[test]
    fn the_end_is_told_to_everybody() {
        let (link, events, pydevd) = linked();
        let waiting = link.post("threads", &nothing()).unwrap();
        drop(pydevd);
        assert_eq!(waiting.wait(PATIENCE), Err(Fault::Gone));
        assert_eq!(event(&events), LinkEvent::Gone);
        assert_eq!(link.request("threads", &nothing(), PATIENCE), Err(Fault::Gone));
    }

    #[test]
    fn a_program_that_goes_on_and_ends_need_not_answer() {
        let (link, events, mut pydevd) = linked();
        let refused = link.post("continue", &nothing()).unwrap();
        write(&mut pydevd, r#"{"type":"response","request_seq":1,"success":false,"message":"no"}"#);
        assert_eq!(refused.wait_or_end(PATIENCE), Err(Fault::Refused("no".to_owned())));
        let ended = link.post("continue", &nothing()).unwrap();
        drop(pydevd);
        assert_eq!(ended.wait_or_end(PATIENCE), Ok(()));
        assert_eq!(event(&events), LinkEvent::Gone);
        assert!(matches!(link.post("continue", &nothing()).map(drop), Err(Fault::Gone)));
    }

    #[test]
    fn who_does_not_answer_is_late() {
        let (link, _events, _pydevd) = linked();
        let late = link.request("threads", &nothing(), Duration::from_millis(1)).unwrap_err();
        assert_eq!(late.to_string(), "the program's debugger (debugpy) did not answer `threads` within 0 s");
    }
}
