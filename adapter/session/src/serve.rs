//! One session from its first byte to its last.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::codec::Decoder;
use weft_protocol::{Codec, Incoming, Malformed};

use crate::breakpoints::Book;
use crate::debuggee::Factory;
use crate::dispatch::Dispatch;
use crate::lane::{Input, Lane};
use crate::lifecycle::Phase;
use crate::outbox::{self, Outbox};
use crate::shared::Shared;

/// How long the last messages may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the command line says about sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// The kind of program that will be debugged, if the client said so beforehand.
    pub runtime: Option<Runtime>,
    /// How long the client may take to answer a request of ours.
    pub patience: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        // A terminal opens in a second; an editor that asks its user first takes longer.
        Self { runtime: None, patience: Duration::from_secs(30) }
    }
}

/// A kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Runtime {
    Native,
    Python,
}

/// Says that the client is gone, however the session's future ends.
struct Departure(UnboundedSender<Input>, Arc<Shared>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.1.works.close();
        let _ = self.0.send(Input::Gone);
    }
}

/// Serves one client until it disconnects or its stream ends. When this returns, the debuggee it launched is dead,
/// one it attached to is detached, and everything sent was written. Needs a tokio runtime with several threads or
/// at least its blocking pool; dropped early, the debuggee is ended in the background.
pub async fn serve<R, W>(reader: R, writer: W, factory: Arc<dyn Factory>, options: ServeOptions)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (out, items) = Outbox::new();
    let (sender, inputs) = unbounded_channel();
    let shared = Arc::new(Shared::new(out, options.patience));
    let lane = Lane {
        shared: Arc::clone(&shared),
        factory,
        options,
        sender: sender.clone(),
        loads: 0,
        phase: Phase::New,
        early: Vec::new(),
        launched: false,
        no_debug: false,
        alone: Cell::new(false),
        book: Book::default(),
        origin: None,
        forks: Vec::new(),
        forks_told: false,
        said_before: Vec::new(),
        ending: false,
    };
    let departure = Departure(sender.clone(), Arc::clone(&shared));
    let mut writer = tokio::spawn(outbox::write(items, writer, Arc::clone(&shared)));
    let mut lane = tokio::task::spawn_blocking(move || lane.run(inputs));
    let dispatch = Dispatch::new(Arc::clone(&shared), sender);
    let gone = tokio::select! {
        () = read(reader, &dispatch) => true,
        // Nobody reads any more, or all was said.
        _ = &mut writer => true,
        _ = &mut lane => false,
    };
    if gone {
        shared.budget.close();
        drop(departure);
        let _ = lane.await;
    }
    // A client that does not read its last messages is not waited for.
    if !writer.is_finished() {
        let _ = tokio::time::timeout(LAST_WORDS, writer).await;
    }
}

/// Takes in what the client sends until its stream ends.
async fn read(mut reader: impl AsyncRead + Unpin, dispatch: &Dispatch) {
    let mut codec = Codec::default();
    let mut buffer = BytesMut::new();
    loop {
        while let Ok(Some(item)) = codec.decode(&mut buffer) {
            take(item, dispatch);
        }
        match reader.read_buf(&mut buffer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!("reading from the client: {error}");
                break;
            }
        }
    }
    while let Ok(Some(item)) = codec.decode_eof(&mut buffer) {
        take(item, dispatch);
    }
}

fn take(item: Incoming, dispatch: &Dispatch) {
    match item {
        Incoming::Request(request) => {
            tracing::trace!(target: "dap", "-> {} {} {}", request.seq, request.command, request.arguments);
            dispatch.request(&request);
        }
        Incoming::Response(reply) => {
            tracing::trace!(target: "dap", "-> {reply:?}");
            dispatch.shared.asked.answer(reply);
        }
        Incoming::Event(news) => {
            tracing::trace!(target: "dap", "-> {news:?}");
            let reason = "`type` must be \"request\" or \"response\": a client has no events".to_owned();
            dispatch.shared.out.malformed(&Malformed { seq: None, command: None, reason });
        }
        Incoming::Malformed(bad) => {
            tracing::trace!(target: "dap", "-> malformed: {bad:?}");
            dispatch.shared.out.malformed(&bad);
        }
    }
}
