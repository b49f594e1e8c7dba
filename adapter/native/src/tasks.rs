//! Tasks: listed once per stop, told as data.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use weft_debugger::{Debugger, StepTarget};
use weft_protocol::{Error, ErrorId};
use weft_runtimes::{Body, Listing, Runtimes};
use weft_session::debuggee::{Answer, AsyncStack};
use weft_tasks::{Frame, Snapshot, TaskKey};
use weft_values::Stop;

use crate::changes::Changes;
use crate::frame::body;
use crate::variables::still;
use crate::words::refused;

/// The runtimes of a program, and what was listed at the current stop.
#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) runtimes: Arc<Runtimes>,
    /// How the program is changed.
    pub(crate) changes: Arc<Changes>,
    /// What there is to say of every list.
    remarks: Vec<String>,
    listed: Mutex<(u64, Arc<OnceLock<Arc<Listing>>>)>,
}

impl Tasks {
    /// Of a program of which this is to be said with every list.
    pub(crate) fn with_remarks(remarks: Vec<String>) -> Self {
        Self { remarks, ..Self::default() }
    }

    /// The tasks at a stop. The first caller looks, others wait for what it finds.
    pub(crate) fn listing(&self, stop: &Stop) -> Arc<Listing> {
        let cell = {
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            if listed.0 != stop.generation {
                *listed = (stop.generation, Arc::default());
            }
            listed.1.clone()
        };
        let list = || {
            let mut listing = self.runtimes.list(stop);
            listing.note(self.remarks.iter().cloned());
            Arc::new(listing)
        };
        cell.get_or_init(list).clone()
    }

    /// Every task now, from the current stop or from a glance at the running program.
    pub(crate) fn snapshot(&self, debugger: &Debugger) -> Answer<Arc<Snapshot>> {
        if let Some(stop) = debugger.current() {
            let snapshot = Arc::clone(&self.listing(&stop).snapshot);
            still(&stop)?;
            return Ok(snapshot);
        }
        // Symbols are read before the program has to stand still.
        for module in debugger.modules().iter().filter(|module| !module.image.is_system_runtime()) {
            module.image.index().map_err(|cancelled| Error::new(ErrorId::Cancelled, cancelled))?;
        }
        let runtimes = self.runtimes.clone();
        let (glance, stood) = debugger.glance(move |stop| runtimes.glance(stop)).map_err(refused)?;
        let mut listing = self.runtimes.seen(glance);
        listing.note(pause(stood));
        Ok(listing.snapshot)
    }

    /// One task's logical stack.
    pub(crate) fn stack(&self, stop: &Arc<Stop>, task: TaskKey) -> Answer<AsyncStack> {
        let stack = self.runtimes.stack(stop, &self.listing(stop), task).ok_or_else(Self::unknown)?;
        still(stop)?;
        let bodies = stack.bodies.into_iter().map(|found| body(self, stop, found)).collect();
        Ok(AsyncStack { frames: stack.frames, bodies })
    }

    /// What a step of a task is a step of: the thread that polls it, or its innermost coroutine of the user's.
    pub(crate) fn step_target(&self, stop: &Stop, key: TaskKey) -> Answer<StepTarget> {
        let listing = self.listing(stop);
        let task = listing.task(key).ok_or_else(Self::unknown)?;
        if let Some(thread) = task.os_thread {
            return Ok(StepTarget::Thread(thread));
        }
        let stack = self.runtimes.stack(stop, &listing, key).ok_or_else(Self::unknown)?;
        let body = Frame::innermost(&stack.frames).and_then(|frame| frame.body);
        match body.and_then(|body| stack.bodies.get(usize::try_from(body.0).ok()?)) {
            Some(Body::Suspended(it)) => Ok(StepTarget::Coroutine(Box::new(it.environment.clone()), key)),
            _ => Err(Error::new(ErrorId::NotSupported, "this task has no suspended code of yours to step from")),
        }
    }

    /// No such task at this stop.
    pub(crate) fn unknown() -> Error {
        Error::new(ErrorId::UnknownTask, "there is no such task any more")
    }
}

/// Says for how long the program stood because somebody looked.
fn pause(stood: Duration) -> Option<String> {
    (!stood.is_zero()).then(|| format!("stopped for {} ms", stood.as_millis().max(1)))
}
