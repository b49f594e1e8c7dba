//! A look at a program that goes on running.

use std::sync::atomic::Ordering;

use weft_values::Stop;

use crate::listing::Listing;
use crate::runtimes::Runtimes;

/// What a program can have made for each of its tasks and still be copied faster than its tasks are read.
const BYTES_PER_TASK: u64 = 8 << 10;
/// What is copied in a few milliseconds, however few tasks there are.
const LITTLE: u64 = 16 << 20;

/// What was seen of a program while it stood.
#[derive(Debug)]
pub enum Glance {
    /// A copy of it: what it means can be worked out when it runs again.
    Copied(Box<Stop>),
    /// The tasks themselves, where copying would have taken longer than reading them.
    Listed(Box<Listing>),
}

impl Runtimes {
    /// What has to be done while the program stands, so that it stands as shortly as possible.
    pub fn glance(&self, stop: &Stop) -> Glance {
        let tasks = self.listed.load(Ordering::Relaxed);
        match stop.outliving(tasks.saturating_mul(BYTES_PER_TASK).max(LITTLE)) {
            Some(copy) => Glance::Copied(Box::new(copy)),
            None => Glance::Listed(Box::new(self.list(stop))),
        }
    }

    /// The tasks that a glance saw. Nothing that the program has done since is in it: what was not copied and may have
    /// changed is an error of the task that needs it.
    pub fn seen(&self, glance: Glance) -> Listing {
        match glance {
            Glance::Copied(stop) => self.list_through(*stop),
            Glance::Listed(listing) => *listing,
        }
    }
}
