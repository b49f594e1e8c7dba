//! The specification's types.
//!
//! Those of the `dap` crate are re-exported where they read and write what the specification (1.71) says. The rest
//! is here; each type says what is wrong with its namesake.

use serde::{Deserialize, Serialize};

pub use dap::events::{ExitedEventBody, ThreadEventBody};
pub use dap::requests::{
    CancelArguments, ContinueArguments, DisconnectArguments, ExceptionInfoArguments, InitializeArguments,
    ModulesArguments, NextArguments, PathFormat, PauseArguments, ScopesArguments, SetExceptionBreakpointsArguments,
    SetFunctionBreakpointsArguments, StackTraceArguments, StepInArguments, StepOutArguments, TerminateArguments,
    VariablesArguments,
};
pub use dap::responses::{EvaluateResponse, ScopesResponse, ThreadsResponse, VariablesResponse};
pub use dap::types::{
    Capabilities as StandardCapabilities, EvaluateArgumentsContext as EvaluateContext, FunctionBreakpoint,
    OutputEventCategory as OutputCategory, Scope, ScopePresentationhint as ScopeHint,
    StackFramePresentationhint as FrameHint, SteppingGranularity, Thread, ThreadEventReason as ThreadReason, Variable,
    VariablePresentationHint as VariableHint, VariablePresentationHintAttributes as VariableAttribute,
    VariablePresentationHintKind as VariableKind, VariablesArgumentsFilter as VariablesFilter,
};

/// A source file. (`dap`'s spells `sourceReference` and `adapterData` in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What a user reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it lies on the client's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Number for `source`, when there is no file; 0 or nothing when there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_reference: Option<i64>,
    /// `normal`, `emphasize` or `deemphasize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation_hint: Option<String>,
    /// Where it came from, in a user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What `setBreakpoints` asks of one file. (`dap`'s uses its own source and breakpoint types.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetBreakpointsArguments {
    /// The file.
    pub source: Source,
    /// Its breakpoints, all of them.
    pub breakpoints: Option<Vec<SourceBreakpoint>>,
    /// The same in the deprecated form, used by a client that sends no `breakpoints`.
    pub lines: Option<Vec<i64>>,
}

/// A breakpoint as a client asks for it. (`dap`'s spells `hitCondition` and `logMessage` in snake case, so that
/// they are dropped silently, and lacks `mode`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceBreakpoint {
    /// The line, in the client's counting.
    pub line: i64,
    /// The column, in the client's counting.
    pub column: Option<i64>,
    /// Stops only when this is true.
    pub condition: Option<String>,
    /// Stops only at these hits.
    pub hit_condition: Option<String>,
    /// Writes this and does not stop.
    pub log_message: Option<String>,
    /// One of the modes that `initialize` offered.
    pub mode: Option<String>,
}

/// A breakpoint as it was set. (`dap`'s spells `endLine` and others in snake case, and lacks `reason`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breakpoint {
    /// Its number in events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Whether it will stop somewhere.
    pub verified: bool,
    /// Why it is not verified, or what is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The line actually used, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The column actually used, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
    /// `pending` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// A row of `stackTrace`. (`dap`'s contains its own `Source`.)
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFrame {
    /// Number for `scopes` and `evaluate`.
    pub id: i64,
    /// What a user reads.
    pub name: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The line in the client's counting, 0 without a source.
    pub line: i64,
    /// The column in the client's counting, 0 without a source.
    pub column: i64,
    /// Address of the next instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_pointer_reference: Option<String>,
    /// `label` and `subtle` are the ones used; nothing means normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation_hint: Option<FrameHint>,
}

/// Answer to `stackTrace`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackTraceResponse {
    /// The rows asked for.
    pub stack_frames: Vec<StackFrame>,
    /// How many there are in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_frames: Option<i64>,
}

/// Answer to `continue`. (`dap`'s spells its only field in snake case.)
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinueResponse {
    /// Whether every thread runs.
    pub all_threads_continued: bool,
}

/// Answer to `setBreakpoints` and its relatives.
#[derive(Clone, Debug, Serialize)]
pub struct SetBreakpointsResponse {
    /// In the order asked.
    pub breakpoints: Vec<Breakpoint>,
}

/// `evaluate` asks this. (`dap`'s drops `line`, `column` and `source`.)
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluateArguments {
    /// The expression.
    pub expression: String,
    /// The frame to evaluate it in.
    pub frame_id: Option<i64>,
    /// Where the answer will be shown.
    pub context: Option<EvaluateContext>,
    /// A place in the source, for a value that depends on it.
    pub line: Option<i64>,
    /// Column of the same.
    pub column: Option<i64>,
    /// File of the same.
    pub source: Option<Source>,
}

/// What the adapter can do: the specification's fields, and ours.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// The specification's.
    #[serde(flatten)]
    pub standard: StandardCapabilities,
    /// The requests of [`crate::async_dap`] are served.
    pub supports_async_tasks: bool,
}

// Event bodies: `dap` writes `null` for what is absent, which the specification does not allow.

/// Body of `stopped`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoppedEventBody {
    /// `step`, `breakpoint`, `exception`, `pause`, `entry`…
    pub reason: String,
    /// What a user reads instead of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<i64>,
    /// Whether the client should leave its focus where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preserve_focus_hint: Option<bool>,
    /// More, such as a panic's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether every thread stands.
    pub all_threads_stopped: bool,
    /// The breakpoints that were hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_breakpoint_ids: Option<Vec<i64>>,
}

/// Body of `continued`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinuedEventBody {
    /// Which thread.
    pub thread_id: i64,
    /// Whether every thread runs.
    pub all_threads_continued: bool,
}

/// Body of `output`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputEventBody {
    /// Where it came from.
    pub category: OutputCategory,
    /// The text, with its line ends.
    pub output: String,
}

/// Body of `breakpoint`.
#[derive(Clone, Debug, Serialize)]
pub struct BreakpointEventBody {
    /// `changed`, `new` or `removed`.
    pub reason: &'static str,
    /// The breakpoint, by its id.
    pub breakpoint: Breakpoint,
}

/// Body of `process`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessEventBody {
    /// The executable's path.
    pub name: String,
    /// Its pid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_process_id: Option<i64>,
    /// Whether it is on this machine.
    pub is_local_process: bool,
    /// `launch` or `attach`.
    pub start_method: &'static str,
    /// Bits of an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer_size: Option<i64>,
}

/// Body of `invalidated`.
#[derive(Clone, Debug, Serialize)]
pub struct InvalidatedEventBody {
    /// `all`, `stacks`, `threads` or `variables`.
    pub areas: Vec<&'static str>,
}
