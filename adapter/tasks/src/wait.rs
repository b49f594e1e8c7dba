//! What tasks wait for, and what is wrong with that.

use crate::TaskKey;

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
    pub type_name: String,
}

/// What one task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The kind.
    pub kind: WaitKind,
    /// In a user's words: `sleep, 1.2 s left`.
    pub text: String,
    /// The object itself, where there is one.
    pub resource: Option<Resource>,
    /// Milliseconds until a timer fires; zero if it is due.
    pub remaining_ms: Option<u64>,
    /// A socket's or file's descriptor.
    pub fd: Option<i32>,
    /// The other end of a socket.
    pub peer: Option<String>,
    /// Who holds the resource, where that can be known.
    pub holders: Vec<TaskKey>,
    /// The tasks it waits for.
    pub tasks: Vec<TaskKey>,
}

impl Wait {
    /// A wait of which only the kind and a text are known.
    pub fn new(kind: WaitKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            resource: None,
            remaining_ms: None,
            fd: None,
            peer: None,
            holders: Vec::new(),
            tasks: Vec::new(),
        }
    }
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
#[non_exhaustive]
pub enum ProblemKind {
    /// Tasks that wait for each other in a circle.
    Deadlock,
    /// A task whose output is a caught panic.
    PanickedTask,
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
