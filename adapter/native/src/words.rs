//! Small translations between the rooms' words.

use weft_debugger::Refused;
use weft_protocol::{Error, ErrorId};
use weft_symbols::SourceLine;
use weft_tasks::Location;

/// Why the engine did not do it, as an error of the protocol.
pub(crate) fn refused(refused: Refused) -> Error {
    let id = match &refused {
        Refused::Running => return Error::running(),
        Refused::Cancelled(_) => ErrorId::Cancelled,
        Refused::Stopped => ErrorId::Stopped,
        Refused::Ended => ErrorId::NoDebuggee,
        Refused::NoThread(_) => ErrorId::UnknownThread,
        Refused::NotFound(_) => ErrorId::NotFound,
        Refused::NotAProgram(_) => ErrorId::NotAProgram,
        Refused::NotAllowed(_) => ErrorId::PermissionDenied,
        Refused::Start(_) => ErrorId::LaunchFailed,
        Refused::Failed(_) => ErrorId::Control,
    };
    Error::new(id, refused)
}

/// A source line of the debug information. Line 0 is code that the compiler made: no location.
pub(crate) fn location(source: &SourceLine) -> Option<Location> {
    (source.line > 0).then(|| Location { file: source.file.to_path_buf(), line: source.line, column: source.column })
}
