//! What tasks wait for, and what is wrong with that.

use std::sync::Arc;

use crate::{Location, TaskKey};

/// What kind of thing a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words say it; their meanings are in docs/async-dap.md")]
pub enum WaitKind {
    Sleep,
    Join,
    Mutex,
    RwLock,
    Semaphore,
    Notify,
    Channel,
    Io,
    Group,
    Select,
    Barrier,
    Process,
    BlockingJob,
    Future,
    Unknown,
}

impl WaitKind {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Join => "join",
            Self::Mutex => "mutex",
            Self::RwLock => "rwlock",
            Self::Semaphore => "semaphore",
            Self::Notify => "notify",
            Self::Channel => "channel",
            Self::Io => "io",
            Self::Group => "group",
            Self::Select => "select",
            Self::Barrier => "barrier",
            Self::Process => "process",
            Self::BlockingJob => "blocking-job",
            Self::Future => "future",
            Self::Unknown => "unknown",
        }
    }
}

/// The thing several tasks may wait for or hold, named by where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its address in the debuggee (or its identity, in Python).
    pub id: u64,
    /// The type's name.
    pub type_name: Arc<str>,
}

/// What of its resource a wait wants: what others have to do before it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Want {
    /// Not known.
    #[default]
    Unknown,
    /// A lock for itself: a mutex, or an rwlock for writing.
    Alone,
    /// An rwlock for reading.
    Shared,
    /// So many permits of a semaphore.
    Permits(u64),
    /// A message, or the end of all senders.
    Message {
        /// How many sending halves the channel itself counts.
        senders: u64,
    },
    /// Room in a bounded channel, or the end of its receiver.
    Room,
}

/// What one task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The kind.
    pub kind: WaitKind,
    /// In a user's words: `sleep, 1.2 s left`.
    pub text: Arc<str>,
    /// The object itself, where there is one.
    pub resource: Option<Resource>,
    /// What of it is wanted.
    pub want: Want,
    /// Milliseconds until a timer fires; zero if it is due.
    pub remaining_ms: Option<u64>,
    /// A timer beside it ends it in any case, also where it is not known when (a core file has no clock).
    pub timed: bool,
    /// A socket's or file's descriptor.
    pub fd: Option<i32>,
    /// The other end of a socket.
    pub peer: Option<Arc<str>>,
    /// Who holds the resource, where that can be known.
    pub holders: Vec<TaskKey>,
    /// The tasks it waits for.
    pub tasks: Vec<TaskKey>,
    /// The waits of its branches: one of them ends a [`WaitKind::Select`], only all of them a [`WaitKind::Group`].
    pub branches: Vec<Wait>,
}

impl Wait {
    /// A wait of which only the kind and a text are known.
    pub fn new(kind: WaitKind, text: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            text: text.into(),
            resource: None,
            want: Want::Unknown,
            remaining_ms: None,
            timed: false,
            fd: None,
            peer: None,
            holders: Vec::new(),
            tasks: Vec::new(),
            branches: Vec::new(),
        }
    }

    /// Every task that it names.
    pub(crate) fn each_task(&mut self, see: &impl Fn(&mut TaskKey)) {
        self.holders.iter_mut().chain(&mut self.tasks).for_each(see);
        self.branches.iter_mut().for_each(|branch| branch.each_task(see));
    }
}

/// How something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// An asynchronous lock, alone: a mutex, or an rwlock for writing.
    Lock,
    /// An asynchronous rwlock, for reading.
    Read,
    /// So many permits of a semaphore.
    Permits(u64),
    /// A lock whose waiters block their thread: `std`'s, `parking_lot`'s.
    BlockingLock,
    /// An rwlock whose waiters block their thread, for reading.
    BlockingRead,
    /// The sending half of a channel.
    Sender,
    /// The receiving half of a channel.
    Receiver,
}

/// Whether the future that has something is polled when its task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Polled {
    /// It is: the task awaits it, or runs it.
    Active,
    /// It is not: it was left behind by a `select!`, or is kept and not awaited at the moment.
    Left,
    /// It is not, and never was.
    Never,
}

/// Something that a task holds: in the environment of a suspended coroutine of its, or on the stack of the thread that
/// polls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is held; its id is the id that a [`Wait`] for it names.
    pub resource: Resource,
    /// How.
    pub how: Hold,
    /// The frame name of the coroutine or function that has it.
    pub frame: Arc<str>,
    /// Where that one awaits or executes.
    pub location: Option<Arc<Location>>,
    /// Whether the future that has it is polled when the task is.
    pub polled: Polled,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// What kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Tasks that wait for each other in a circle.
    Deadlock,
    /// A future holds a lock or a permit and is not polled any more, while its own task waits for it.
    Futurelock,
    /// A worker is inside a blocking call while tasks of its runtime are ready.
    BlockingInAsync,
    /// A lock that blocks its waiters' threads is held over an await.
    GuardAcrossAwait,
    /// A task whose output is a caught panic.
    PanickedTask,
    /// A future that nobody ever polled.
    NeverPolled,
}

impl ProblemKind {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::Futurelock => "futurelock",
            Self::BlockingInAsync => "blocking-in-async",
            Self::GuardAcrossAwait => "guard-across-await",
            Self::PanickedTask => "panicked-task",
            Self::NeverPolled => "never-polled",
        }
    }
}

/// Something that a check concluded from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub kind: ProblemKind,
    /// How bad.
    pub severity: Severity,
    /// In a user's words.
    pub text: String,
    /// The tasks it is about; for a deadlock the circle and nothing else.
    pub tasks: Vec<TaskKey>,
    /// The resources it is about.
    pub resources: Vec<u64>,
}

/// A duration as a user reads it.
pub fn duration(milliseconds: u64) -> String {
    let tenths = milliseconds / 100;
    let seconds = tenths / 10;
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds}.{} s", tenths % 10),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_234), "1.2 s");
        assert_eq!(duration(3_599_000), "59 min 59 s");
    }
}
