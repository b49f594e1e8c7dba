//! The specification's types.
//!
//! Those of the `dap` crate are re-exported where they read and write what the specification (1.71) says. The rest
//! is here; each type says what is wrong with its namesake.

use serde::{Deserialize, Serialize};

mod breakpoints;
mod machine;
mod motion;
mod progress;
mod terminal;

pub use breakpoints::*;
pub use machine::*;
pub use motion::*;
pub use progress::*;
pub use terminal::*;

pub use dap::events::{ExitedEventBody, ThreadEventBody};
pub use dap::requests::{
    CancelArguments, CompletionsArguments, ContinueArguments, DisconnectArguments, ExceptionInfoArguments,
    GotoArguments, InitializeArguments, ModulesArguments, NextArguments, PathFormat, PauseArguments,
    RestartFrameArguments, ScopesArguments, SetExpressionArguments, SetVariableArguments, StackTraceArguments,
    StepInArguments, StepInTargetsArguments, StepOutArguments, TerminateArguments, TerminateThreadsArguments,
    VariablesArguments,
};
pub use dap::responses::{CompletionsResponse, EvaluateResponse, ScopesResponse, ThreadsResponse, VariablesResponse};
pub use dap::types::{
    Capabilities as StandardCapabilities, CompletionItem, CompletionItemType,
    EvaluateArgumentsContext as EvaluateContext, OutputEventCategory as OutputCategory, Scope,
    ScopePresentationhint as ScopeHint, StackFramePresentationhint as FrameHint, SteppingGranularity, Thread,
    ThreadEventReason as ThreadReason, Variable, VariablePresentationHint as VariableHint,
    VariablePresentationHintAttributes as VariableAttribute, VariablePresentationHintKind as VariableKind,
    VariablesArgumentsFilter as VariablesFilter,
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
    /// What the client keeps for us and hands back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter_data: Option<serde_json::Value>,
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
    /// `false`: `restartFrame` cannot be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_restart: Option<bool>,
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

/// Answer to `setVariable` and to `setExpression`. (`dap`'s lack `memoryReference`.)
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedResponse {
    /// What is there now, as a user reads it.
    pub value: String,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_field: Option<String>,
    /// Number for its children; 0 without any.
    pub variables_reference: i64,
    /// How many of them have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_variables: Option<i64>,
    /// How many of them have indices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexed_variables: Option<i64>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reference: Option<String>,
}

/// What the adapter can do: the specification's fields, and ours.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// The specification's.
    #[serde(flatten)]
    pub standard: StandardCapabilities,
    /// What stops the program besides breakpoints. (`dap`'s type writes its fields in snake case.)
    pub exception_breakpoint_filters: Vec<ExceptionFilter>,
    /// How a breakpoint can be limited. (Missing in `dap`.)
    pub breakpoint_modes: Vec<BreakpointMode>,
    /// `dataBreakpointInfo` takes `asAddress` and `bytes`. (Missing in `dap`.)
    pub supports_data_breakpoint_bytes: bool,
    /// The requests of [`crate::async_dap`] are served.
    pub supports_async_tasks: bool,
}

/// Body of `capabilities`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CapabilitiesEventBody {
    /// What it can do now.
    pub capabilities: Capabilities,
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
    /// The file of the code that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The line of the same, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The column of the same, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
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
