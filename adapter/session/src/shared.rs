//! What the lane and the workers share. Locks are held for moments, never across a call of the debuggee; only the
//! look at a stop's tasks is waited for by those who want the same.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use weft_protocol::spec::{OutputCategory, OutputEventBody};
use weft_protocol::{Error, ErrorId};
use weft_tasks::Location;

use crate::async_tasks::TaskBook;
use crate::debuggee::{Answer, Channel, Debuggee, Stopped, Target};
use crate::events::{LogBudget, OutputBudget};
use crate::handles::{Epoch, Handles};
use crate::modules::ModuleBook;
use crate::numbering::FIRST_TASK_THREAD;
use crate::outbox::{Outbox, Waiting};
use crate::peculiar::Unbearable;
use crate::places::{Places, Style};
use crate::progress::Works;
use crate::questions::Questions;
use crate::threads::Listing;

/// What the debuggee does.
#[derive(Clone)]
pub(crate) enum Position {
    /// There is none, or it is not started yet.
    Nowhere,
    Running,
    Stopped(Epoch, Arc<Stopped>),
}

/// What the client said about itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Client {
    pub(crate) style: Style,
    pub(crate) shows_types: bool,
    pub(crate) pages_variables: bool,
    pub(crate) reads_memory: bool,
    pub(crate) runs_terminals: bool,
    pub(crate) starts_debugging: bool,
    pub(crate) hears_invalidated: bool,
    pub(crate) hears_memory: bool,
    pub(crate) shows_progress: bool,
    pub(crate) unbearable: Unbearable,
}

/// The session's state outside the lane.
pub(crate) struct Shared {
    pub(crate) out: Outbox,
    pub(crate) budget: OutputBudget,
    pub(crate) logs: LogBudget,
    /// What the client was asked.
    pub(crate) asked: Questions,
    pub(crate) modules: Mutex<ModuleBook>,
    client: RwLock<Client>,
    places: RwLock<Arc<Places>>,
    debuggee: RwLock<Option<Arc<dyn Debuggee>>>,
    position: RwLock<Position>,
    handles: Mutex<Handles>,
    pub(crate) tasks: TaskBook,
    listing: Mutex<Listing>,
    /// Reads that are not answered yet, for `cancel`.
    pub(crate) reads: Mutex<HashMap<i64, Arc<Waiting>>>,
    pub(crate) works: Works,
    /// The number of the control request that the lane is at; 0 if none.
    pub(crate) at_request: AtomicI64,
}

/// A poisoned lock guards data that is still whole: every change under these locks is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set<T>(lock: &RwLock<T>, value: T) {
    // The old value is dropped after the lock: a debuggee takes its time.
    let old = std::mem::replace(&mut *lock.write().unwrap_or_else(PoisonError::into_inner), value);
    drop(old);
}

impl Shared {
    pub(crate) fn new(out: Outbox, patience: Duration) -> Self {
        Self {
            out,
            budget: OutputBudget::default(),
            logs: LogBudget::default(),
            asked: Questions::new(patience),
            modules: Mutex::default(),
            client: RwLock::default(),
            places: RwLock::default(),
            debuggee: RwLock::new(None),
            position: RwLock::new(Position::Nowhere),
            handles: Mutex::default(),
            tasks: TaskBook::default(),
            listing: Mutex::default(),
            reads: Mutex::default(),
            works: Works::default(),
            at_request: AtomicI64::new(0),
        }
    }

    pub(crate) fn client(&self) -> Client {
        get(&self.client)
    }

    pub(crate) fn set_client(&self, client: Client) {
        set(&self.client, client);
    }

    pub(crate) fn places(&self) -> Arc<Places> {
        get(&self.places)
    }

    pub(crate) fn set_places(&self, places: Places) {
        set(&self.places, Arc::new(places));
    }

    pub(crate) fn debuggee(&self) -> Option<Arc<dyn Debuggee>> {
        get(&self.debuggee)
    }

    /// The debuggee, or why there is none.
    pub(crate) fn need_debuggee(&self) -> Answer<Arc<dyn Debuggee>> {
        self.debuggee().ok_or_else(|| Error::new(ErrorId::NoDebuggee, "no program is being debugged"))
    }

    pub(crate) fn set_debuggee(&self, debuggee: Option<Arc<dyn Debuggee>>) {
        set(&self.debuggee, debuggee);
    }

    pub(crate) fn position(&self) -> Position {
        get(&self.position)
    }

    /// The current stop, or why there is none.
    pub(crate) fn need_stop(&self) -> Answer<(Epoch, Arc<Stopped>)> {
        match self.position() {
            Position::Stopped(epoch, stopped) => Ok((epoch, stopped)),
            Position::Running => Err(self.running(Error::running())),
            Position::Nowhere => Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged")),
        }
    }

    /// When what is read now holds: the current stop, or the last look at a program that is only looked at.
    pub(crate) fn need_look(&self) -> Answer<Epoch> {
        match self.position() {
            Position::Running if self.only_looked_at().is_some() => Ok(lock(&self.handles).epoch()),
            _ => self.need_stop().map(|(epoch, _)| epoch),
        }
    }

    /// A new look at a program that is only looked at: the numbers of the last one end.
    pub(crate) fn looked(&self) {
        if self.only_looked_at().is_some() {
            lock(&self.handles).turn();
        }
    }

    fn only_looked_at(&self) -> Option<&'static str> {
        self.debuggee().and_then(|debuggee| debuggee.only_looked_at())
    }

    /// Why a running program does not do something: the general reason, or that this one never will.
    pub(crate) fn running(&self, usual: Error) -> Error {
        self.only_looked_at().map_or(usual, |sentence| Error::new(ErrorId::NotSupported, sentence))
    }

    /// The program stands: the numbers of the last stop end, a generation of tasks begins.
    pub(crate) fn stop(&self, stopped: Stopped) -> u64 {
        let epoch = lock(&self.handles).turn();
        let generation = self.tasks.begin();
        set(&self.position, Position::Stopped(epoch, Arc::new(stopped)));
        generation
    }

    /// The program moves, or is gone.
    pub(crate) fn leave(&self, position: Position) {
        set(&self.position, position);
        self.tasks.leave();
        lock(&self.handles).turn();
    }

    /// Says how many log messages did not get through since this was said the last time.
    pub(crate) fn tell_dropped_logs(&self) {
        let dropped = self.logs.take_dropped();
        if dropped > 0 {
            self.out.say(Channel::Console, &format!("weft: {dropped} log messages were dropped: they came too fast"));
        }
    }

    /// Tells a log message; what was dropped before it is told first.
    pub(crate) fn log(&self, text: String, at: Option<&Location>) {
        self.tell_dropped_logs();
        let places = self.places();
        let mut output = text;
        if !output.ends_with('\n') {
            output.push('\n');
        }
        self.out.log(&OutputEventBody {
            category: OutputCategory::Console,
            output,
            source: at.map(|at| places.source(&at.file)),
            line: at.map(|at| places.line(at.line)),
            column: at.filter(|at| at.column > 0).map(|at| places.column(at.column)),
        });
    }

    pub(crate) fn handles(&self) -> MutexGuard<'_, Handles> {
        lock(&self.handles)
    }

    pub(crate) fn listing(&self) -> MutexGuard<'_, Listing> {
        lock(&self.listing)
    }

    /// Who a `threadId` is.
    pub(crate) fn target(&self, thread: i64) -> Answer<Target> {
        if thread < FIRST_TASK_THREAD {
            return Ok(Target::Thread(thread));
        }
        let number = thread.saturating_sub(FIRST_TASK_THREAD);
        self.tasks.find(number).map(Target::Task).map_err(|_| {
            Error::new(ErrorId::UnknownThread, format!("there is no thread or task with the number {thread}"))
        })
    }

    /// The `threadId` of somebody.
    pub(crate) fn thread_id(&self, target: Target) -> i64 {
        match target {
            Target::Thread(id) => id,
            Target::Task(key) => self.tasks.numbering().task_thread(key),
        }
    }
}
