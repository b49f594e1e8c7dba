//! Waits for permits of semaphores, which all of Tokio's locks are made of.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_tasks::{Wait, WaitKind, Want};

use super::{Paths, resource};
use crate::chain::{Walk, at};
use crate::leaves::Acquire;
use crate::queues::ordinal;

/// What has one of those inside.
const CELLS: Paths = &["tokio::sync::once_cell::OnceCell"];

/// What waits through a semaphore's queue.
const PRIMITIVES: Paths = &[
    "tokio::sync::mutex::Mutex",
    "tokio::sync::rwlock::RwLock",
    "tokio::sync::semaphore::Semaphore",
    "tokio_util::sync::poll_semaphore::PollSemaphore",
];

impl Walk<'_> {
    pub(super) fn acquire(&self, acquire: &Acquire, address: MemAddr) -> Wait {
        let kind = self.kind_around().unwrap_or(WaitKind::Semaphore);
        let semaphore = acquire.semaphore.and_then(|offset| self.pointer(at(address, offset)));
        let permits = acquire.permits.and_then(|(offset, size)| self.read(at(address, offset), size));
        let permits = permits.and_then(|count| u64::try_from(count).ok());
        let queued = self.queued(acquire, address, semaphore);
        if kind == WaitKind::Channel {
            return self.room(&queued);
        }
        let object = self.object_around(CELLS).or_else(|| self.object_around(PRIMITIVES));
        let name = object.map_or_else(|| "Semaphore".into(), |(_, way)| Arc::clone(&way.name));
        let (text, want) = match (kind, permits) {
            (WaitKind::Mutex, _) => (["lock ", &name].concat(), Want::Alone),
            // Tokio's writers take all permits there can be, its readers one.
            (WaitKind::RwLock, Some(1)) => (format!("read {name}"), Want::Shared),
            (WaitKind::RwLock, _) => (format!("write {name}"), Want::Alone),
            _ if name.starts_with("OnceCell") => (format!("{name} to be set"), Want::Permits(1)),
            (_, Some(1)) => (format!("permit of {name}"), Want::Permits(1)),
            (_, Some(count)) => (format!("{count} permits of {name}"), Want::Permits(count)),
            (_, None) => (format!("permits of {name}"), Want::Unknown),
        };
        let mut wait = Wait::new(kind, text + &queued);
        wait.want = want;
        wait.resource = semaphore.map(|address| resource(address, name));
        wait
    }

    /// A waiter's place in the queue: `, 2nd of 3 in the queue`.
    fn queued(&self, acquire: &Acquire, address: MemAddr, semaphore: Option<MemAddr>) -> String {
        let place = || {
            let waiter = at(address, acquire.waiter?);
            self.known.queues.of(self.stop, acquire.queue.as_ref()?, semaphore?).place(waiter)
        };
        match place() {
            Some((place, of)) => format!(", {} of {of} in the queue", ordinal(place)),
            None if acquire.is_granted(self.stop, address) => ", its turn has come".to_owned(),
            None => String::new(),
        }
    }
}
