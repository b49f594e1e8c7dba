//! Ends sessions in good order when the adapter is told to end: what it attached to is freed of breakpoints first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Says when this process was asked to end.
#[derive(Clone)]
pub(crate) struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Takes the signals by which processes are ended. Must be called in a tokio runtime.
    pub(crate) fn watch() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
            let (mut signals, sender) = (signal(kind)?, sender.clone());
            tokio::spawn(async move {
                signals.recv().await;
                sender.send_replace(true);
            });
        }
        Ok(Self(receiver))
    }

    /// Comes back when it was.
    pub(crate) async fn come(&mut self) {
        if self.0.wait_for(|ending| *ending).await.is_err() {
            std::future::pending().await
        }
    }

    /// A client's stream, which ends then at the latest.
    pub(crate) fn cut<R: AsyncRead>(&self, stream: R) -> Cut<R> {
        let mut ending = self.clone();
        Cut { stream, ending: Box::pin(async move { ending.come().await }) }
    }
}

/// See [`Ending::cut`].
pub(crate) struct Cut<R> {
    stream: R,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Cut<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ending.as_mut().poll(context).is_ready() {
            // Nothing was read: the end of the stream. It is not polled again.
            self.ending = Box::pin(std::future::ready(()));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}
