//! How a debuggee goes on, or elsewhere.

use weft_tasks::Location;

use super::Target;

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something stops it.
    Continue,
    /// One step.
    Step {
        /// Which way.
        kind: StepKind,
        /// Of whom. A step given on a task ends naming that task.
        of: Target,
        /// How far.
        granularity: Granularity,
    },
    /// One step into the function that one call of the current line calls.
    StepInto {
        /// Of whom.
        of: Target,
        /// The target, from [`StepInTarget::id`].
        target: TargetId,
    },
}

/// Which way to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum StepKind {
    Over,
    In,
    Out,
}

/// How far a step goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// To another line.
    #[default]
    Line,
    /// To another statement, be it on the same line.
    Statement,
    /// One instruction.
    Instruction,
}

/// What names a target to the debuggee, for as long as the stop lasts. The session keeps it and gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetId {
    /// Where it is called or polled, or the debuggee's own number for it.
    pub place: u64,
    /// Which of those that are polled by the same code, if that needs to be told.
    pub branch: Option<usize>,
}

/// What a step can go into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInTarget {
    /// What names it.
    pub id: TargetId,
    /// The function that is called.
    pub name: String,
    /// Where the call stands.
    pub at: Option<Location>,
}

/// A place to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GotoTarget {
    /// The instruction.
    pub address: u64,
    /// Its line.
    pub at: Location,
}
