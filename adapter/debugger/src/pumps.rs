//! What a launched program writes, read by a thread per stream.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use weft_process::OutputEnd;

use crate::Stream;

/// Where output goes; says whether anybody still listens.
pub(crate) type OutputSink = Arc<dyn Fn(Stream, &[u8]) -> bool + Send + Sync>;

/// How long after the program's end its output is waited for. A process it left behind may hold the pipes for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// The reading threads of one program.
pub(crate) struct Pumps {
    done: Receiver<()>,
    running: usize,
}

impl Pumps {
    /// Starts reading.
    pub(crate) fn start(streams: [(Stream, Option<OutputEnd>); 2], sink: &OutputSink) -> Self {
        let (finished, done) = channel();
        let mut running = 0;
        for (stream, pipe) in streams {
            let (sink, finished) = (sink.clone(), finished.clone());
            let Some(pipe) = pipe else { continue };
            let name = format!("{stream:?}").to_lowercase();
            let thread = std::thread::Builder::new().name(name);
            if thread.spawn(move || pump(stream, pipe, &sink, &finished)).is_ok() {
                running += 1;
            }
        }
        Self { done, running }
    }

    /// Waits until everything that the program wrote has been passed on, within bounds.
    pub(crate) fn drain(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.done.recv_timeout(left).is_err() {
                tracing::debug!("output is still open after the program's end");
                return;
            }
            self.running -= 1;
        }
    }
}

fn pump(stream: Stream, mut pipe: OutputEnd, sink: &OutputSink, finished: &Sender<()>) {
    let mut buffer = [0; 1 << 13];
    loop {
        match pipe.read(&mut buffer) {
            Ok(count) if count > 0 => {
                // Without a listener reading goes on all the same: the program must not block on a full pipe.
                let _ = sink(stream, buffer.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    let _ = finished.send(());
}
