//! Work on a file that may take long, for those who want to tell of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The making of one index, from its begin until it is there or was given up.
#[derive(Debug)]
pub struct Work {
    file: String,
    /// Bytes of debug information that will be read; 0 until that is known.
    total: AtomicU64,
    done: AtomicU64,
    cancelled: AtomicBool,
    over: Mutex<bool>,
    ended: Condvar,
}

impl Work {
    pub(super) fn new(file: String) -> Arc<Self> {
        Arc::new(Self {
            file,
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            over: Mutex::new(false),
            ended: Condvar::new(),
        })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How much is done, in percent; none if nobody can tell yet.
    pub fn percentage(&self) -> Option<u64> {
        let total = self.total.load(Ordering::Relaxed);
        self.done.load(Ordering::Relaxed).saturating_mul(100).checked_div(total).map(|part| part.min(100))
    }

    /// Waits until it is over, for so long at most; says whether it is.
    pub fn wait(&self, at_most: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(over, at_most, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Gives it up, unless somebody cannot do without it.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.notify_all();
    }
}

/// Whoever is told when work begins. Called on the thread that does it, which must not be held up.
#[derive(Clone)]
pub struct Watcher(Arc<Told>);

type Told = dyn Fn(&Arc<Work>) + Send + Sync;

impl Watcher {
    /// Has `told` called for each piece of work.
    pub fn new(told: impl Fn(&Arc<Work>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(super) fn tell(&self, work: &Arc<Work>) {
        (self.0)(work);
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

/// The names of a file were wanted, and while they were read somebody gave it up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the names of {file} was cancelled")]
pub struct Cancelled {
    /// The file's name.
    pub file: String,
}
