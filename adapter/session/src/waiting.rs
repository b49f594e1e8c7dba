//! A wait that a user sees, and can give up.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::debuggee::Work;
use crate::shared::lock;

/// A wait for something that cannot tell how far it is.
pub struct Waiting {
    title: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    over: bool,
    cancelled: bool,
}

impl Waiting {
    /// Begins; the title is for a user: "Fetching debugpy".
    pub fn new(title: String) -> Self {
        Self { title, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Whether the user has given it up.
    pub fn is_cancelled(&self) -> bool {
        lock(&self.state).cancelled
    }

    /// It is over.
    pub fn end(&self) {
        lock(&self.state).over = true;
        self.changed.notify_all();
    }
}

impl Work for Waiting {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn percentage(&self) -> Option<u64> {
        None
    }

    fn wait(&self, at_most: Duration) -> bool {
        match self.changed.wait_timeout_while(lock(&self.state), at_most, |state| !state.over) {
            Ok((state, _)) => state.over,
            Err(poisoned) => poisoned.into_inner().0.over,
        }
    }

    fn cancel(&self) {
        lock(&self.state).cancelled = true;
    }
}
