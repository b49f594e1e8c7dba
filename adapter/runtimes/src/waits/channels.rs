//! Waits for messages, and for room for them.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_tasks::{Wait, WaitKind, Want};

use super::{Paths, resource};
use crate::chain::Walk;
use crate::channels::Half;

const SENDERS: Paths = &[
    "tokio::sync::mpsc::bounded::Sender",
    "tokio::sync::mpsc::unbounded::UnboundedSender",
    "tokio::sync::oneshot::Sender",
    "tokio::sync::broadcast::Sender",
];
const WATCHES: Paths = &["tokio::sync::watch::Receiver", "tokio::sync::watch::Sender"];

impl Walk<'_> {
    /// A receiver waits: the receiver's half and where it lies, if that is known.
    pub(super) fn receive(&self, receiver: Option<(&Half, MemAddr)>) -> Wait {
        let shared = receiver.and_then(|(half, address)| Some((half, half.shared(self.stop, address)?)));
        let Some((half, shared)) = shared else {
            return Wait::new(WaitKind::Channel, "receive from channel");
        };
        let channel = &half.channel;
        let details = channel.details(self.stop, shared);
        let mut wait = Wait::new(WaitKind::Channel, format!("receive from {}{details}", channel.name));
        wait.want = channel.senders(self.stop, shared).map_or(Want::Unknown, |senders| Want::Message { senders });
        wait.resource = Some(resource(shared, Arc::clone(&channel.name)));
        wait
    }

    /// A sender of a bounded channel waits for room, at this place in the queue.
    pub(super) fn room(&self, queued: &str) -> Wait {
        let Some((half, shared)) = self.half_around(SENDERS) else {
            return Wait::new(WaitKind::Channel, format!("room in channel{queued}"));
        };
        let channel = &half.channel;
        let capacity = channel.capacity(self.stop, shared);
        let capacity = capacity.map_or_else(String::new, |count| format!(", capacity {count}"));
        let mut wait = Wait::new(WaitKind::Channel, format!("room in {}{capacity}{queued}", channel.name));
        wait.want = Want::Room;
        wait.resource = Some(resource(shared, Arc::clone(&channel.name)));
        wait
    }

    /// A notification that a channel makes: a watched value has changed, the last receiver has gone.
    pub(super) fn change(&self) -> Wait {
        let Some((half, shared)) = self.half_around(WATCHES).filter(|(half, _)| !half.sends) else {
            return self.half_wait(self.called().unwrap_or("channel"));
        };
        let channel = &half.channel;
        let details = channel.details(self.stop, shared);
        let mut wait = Wait::new(WaitKind::Channel, format!("change of {}{details}", channel.name));
        wait.want = channel.senders(self.stop, shared).map_or(Want::Unknown, |senders| Want::Message { senders });
        wait.resource = Some(resource(shared, Arc::clone(&channel.name)));
        wait
    }

    /// A function of a channel's half of which no more is known than its name.
    pub(super) fn half_wait(&self, called: &str) -> Wait {
        let mut wait = Wait::new(WaitKind::Channel, called);
        if let Some((half, shared)) = self.half_around(SENDERS).or_else(|| self.half_around(WATCHES)) {
            wait.text = format!("{called} of {}", half.channel.name).into();
            wait.resource = Some(resource(shared, Arc::clone(&half.channel.name)));
        }
        wait
    }

    /// The half of a channel that a runtime's coroutine around was called on, and where its shared part lies.
    fn half_around(&self, paths: Paths) -> Option<(Arc<Half>, MemAddr)> {
        let (address, way) = self.object_around(paths)?;
        let half = self.known.half(&way.object)?;
        let shared = half.shared(self.stop, address)?;
        Some((half, shared))
    }
}
