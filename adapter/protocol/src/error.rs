//! Errors as a client sees them: a stable number and a sentence.

use std::fmt;

/// Which error. The number is part of the interface (`body.error.id`) and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorId {
    /// A message that is not DAP.
    Malformed = 1001,
    /// A command that this version does not know.
    UnknownCommand = 1002,
    /// Arguments that do not have the command's form.
    InvalidArguments = 1003,
    /// A feature that this version does not have.
    NotSupported = 1004,
    /// A request that makes no sense now (`setBreakpoints` before `launch`, a second `initialize`).
    WrongState = 1005,
    /// Our fault.
    Internal = 1006,
    /// The client took back what the request waited for. It is answered with `cancelled` and no number.
    Cancelled = 1007,
    /// There is no debuggee, or no longer.
    NoDebuggee = 1101,
    /// Only possible while the debuggee is stopped.
    Running = 1102,
    /// The debuggee went on while the request was served.
    Resumed = 1103,
    /// Only possible while the debuggee runs.
    Stopped = 1104,
    /// A launch attribute that this version does not support.
    UnsupportedAttribute = 1201,
    /// A launch configuration that cannot be understood.
    InvalidConfiguration = 1202,
    /// The program or process is not there.
    NotFound = 1203,
    /// The file is no program for this machine.
    NotAProgram = 1204,
    /// The operating system did not allow it.
    PermissionDenied = 1205,
    /// The program could not be started.
    LaunchFailed = 1206,
    /// The process could not be attached to.
    AttachFailed = 1207,
    /// A frame or variables reference of an earlier stop.
    StaleReference = 1301,
    /// A frame or variables reference that was never given.
    UnknownReference = 1302,
    /// No such thread.
    UnknownThread = 1303,
    /// No such task, or it ended.
    UnknownTask = 1304,
    /// An expression that cannot be evaluated.
    Evaluate = 1401,
    /// Something in the debuggee could not be read.
    Unreadable = 1402,
    /// The process could not be controlled.
    Control = 1403,
    /// The text of a source file is not there.
    SourceMissing = 1404,
    /// The client did not do what it was asked.
    Client = 1208,
    /// The snapshot of tasks to page from is no longer kept.
    GenerationGone = 1501,
}

impl ErrorId {
    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// Whether a client should put it before the user; reads fail in place, where their answer would have stood.
    pub const fn show_user(self) -> bool {
        !matches!(
            self,
            Self::Running
                | Self::Resumed
                | Self::StaleReference
                | Self::UnknownReference
                | Self::Evaluate
                | Self::Unreadable
                | Self::SourceMissing
                | Self::GenerationGone
        )
    }
}

/// Why a request was not served: a number for machines and a sentence, with what to do, for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Which error.
    pub id: ErrorId,
    /// The sentence.
    pub message: String,
}

impl Error {
    /// An error with its sentence.
    pub fn new(id: ErrorId, message: impl fmt::Display) -> Self {
        Self { id, message: message.to_string() }
    }

    /// Reads while the debuggee runs.
    pub fn running() -> Self {
        Self::new(ErrorId::Running, "the program is running: pause first")
    }

    /// The debuggee went on while a read was under way.
    pub fn resumed() -> Self {
        Self::new(ErrorId::Resumed, "the program went on meanwhile")
    }
}
