//! Telling of work that takes long, and giving it up.
//!
//! The debuggee tells of every piece of work; most are over before anybody would want to know. Of the others a client that
//! shows progress is told, and can cancel them; one that does not gets a line in its console if it takes very long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weft_protocol::spec::{ProgressEndEventBody, ProgressStartEventBody, ProgressUpdateEventBody};

use crate::debuggee::{Channel, Work};
use crate::shared::{Shared, lock};

/// Work that is done sooner is not told of.
const PATIENCE: Duration = Duration::from_millis(300);
/// Work that is done sooner is not told of in words.
const PATIENCE_WITH_TEXT: Duration = Duration::from_secs(3);
/// How often a client hears how much is done.
const PACE: Duration = Duration::from_millis(250);

/// The work under way.
#[derive(Default)]
pub(crate) struct Works {
    last: AtomicU64,
    open: Mutex<Vec<(String, Arc<dyn Work>)>>,
    /// The session ends, and nobody wants any of it any more.
    over: AtomicBool,
}

impl Works {
    fn begin(&self, work: &Arc<dyn Work>) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let id = format!("work-{number}");
        lock(&self.open).push((id.clone(), Arc::clone(work)));
        if self.over.load(Ordering::Acquire) {
            work.cancel();
        }
        id
    }

    fn end(&self, id: &str) {
        lock(&self.open).retain(|(open, _)| open != id);
    }

    /// Gives up one piece of work, by its `progressId`.
    pub(crate) fn cancel(&self, id: &str) {
        lock(&self.open).iter().filter(|(open, _)| open == id).for_each(|(_, work)| work.cancel());
    }

    /// Gives up all of it, and what still comes: a session that ends waits for none.
    pub(crate) fn close(&self) {
        self.over.store(true, Ordering::Release);
        self.cancel_all();
    }

    /// Gives up all of it.
    pub(crate) fn cancel_all(&self) {
        lock(&self.open).iter().for_each(|(_, work)| work.cancel());
    }
}

/// Watches work until it is over; on a thread of its own, since nobody else has the time.
pub(crate) fn watch(shared: &Arc<Shared>, work: Arc<dyn Work>) {
    let id = shared.works.begin(&work);
    let for_thread = (Arc::clone(shared), id.clone());
    let body = move || {
        let (shared, id) = for_thread;
        if !work.wait(PATIENCE) {
            if shared.client().shows_progress { show(&shared, &id, &*work) } else { say(&shared, &*work) }
        }
        shared.works.end(&id);
    };
    if let Err(error) = std::thread::Builder::new().name("progress".to_owned()).spawn(body) {
        tracing::debug!(%error, "work is not told of");
        shared.works.end(&id);
    }
}

fn show(shared: &Shared, id: &str, work: &dyn Work) {
    let mut told = work.percentage();
    let body =
        ProgressStartEventBody { progress_id: id.to_owned(), title: work.title(), cancellable: true, percentage: told };
    shared.out.event("progressStart", &body);
    while !work.wait(PACE) {
        let now = work.percentage();
        if now != told {
            told = now;
            let body = ProgressUpdateEventBody { progress_id: id.to_owned(), percentage: now };
            shared.out.event("progressUpdate", &body);
        }
    }
    shared.out.event("progressEnd", &ProgressEndEventBody { progress_id: id.to_owned() });
}

fn say(shared: &Shared, work: &dyn Work) {
    if !work.wait(PATIENCE_WITH_TEXT.saturating_sub(PATIENCE)) {
        shared.out.say(Channel::Console, &format!("weft: {}; what needs it waits", lower(&work.title())));
        while !work.wait(PATIENCE_WITH_TEXT) {}
    }
}

/// A title in the middle of a sentence.
fn lower(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
