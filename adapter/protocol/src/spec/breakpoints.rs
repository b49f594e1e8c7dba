//! Breakpoints of every kind, as asked for and as set.

use serde::{Deserialize, Serialize};

use super::Source;

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

/// A way in which breakpoints can be limited, as `initialize` offers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakpointMode {
    /// What a breakpoint's `mode` says.
    pub mode: &'static str,
    /// What a user reads.
    pub label: &'static str,
    /// More of it.
    pub description: &'static str,
    /// `source`, `instruction`, …
    pub applies_to: Vec<&'static str>,
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
    /// The instruction, of a breakpoint on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_reference: Option<String>,
    /// `pending` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// Answer to `setBreakpoints` and its relatives.
#[derive(Clone, Debug, Serialize)]
pub struct SetBreakpointsResponse {
    /// In the order asked.
    pub breakpoints: Vec<Breakpoint>,
}

/// Body of `breakpoint`.
#[derive(Clone, Debug, Serialize)]
pub struct BreakpointEventBody {
    /// `changed`, `new` or `removed`.
    pub reason: &'static str,
    /// The breakpoint, by its id.
    pub breakpoint: Breakpoint,
}

/// `setFunctionBreakpoints` asks this. (`dap`'s refuses arguments without a list.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetFunctionBreakpointsArguments {
    /// All of them.
    pub breakpoints: Vec<FunctionBreakpoint>,
}

/// A function breakpoint. (`dap`'s lacks `logMessage` and `mode`, which are ours: the specification has both for lines only.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FunctionBreakpoint {
    /// A name, the end of a path, or `/regex/`.
    pub name: String,
    /// Stops only when this is true.
    pub condition: Option<String>,
    /// Stops only at these hits.
    pub hit_condition: Option<String>,
    /// Writes this and does not stop.
    pub log_message: Option<String>,
    /// One of the modes that `initialize` offered.
    pub mode: Option<String>,
}

/// `setInstructionBreakpoints` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetInstructionBreakpointsArguments {
    /// All of them.
    pub breakpoints: Vec<InstructionBreakpoint>,
}

/// A breakpoint on an instruction. (`dap`'s spells every name of two words in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstructionBreakpoint {
    /// An address, in hexadecimal with `0x` or in decimal.
    pub instruction_reference: String,
    /// Bytes to add.
    pub offset: Option<i64>,
    /// Stops only when this is true.
    pub condition: Option<String>,
    /// Stops only at these hits.
    pub hit_condition: Option<String>,
    /// One of the modes that `initialize` offered.
    pub mode: Option<String>,
}

/// `dataBreakpointInfo` asks this. (`dap`'s lacks `asAddress` and `bytes`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataBreakpointInfoArguments {
    /// The scope or value whose child is meant.
    pub variables_reference: Option<i64>,
    /// The child; or an expression; or an address.
    pub name: String,
    /// The frame an expression is meant in.
    pub frame_id: Option<i64>,
    /// How many bytes; the size of the value when left out.
    pub bytes: Option<i64>,
    /// `name` is an address.
    pub as_address: Option<bool>,
}

/// Answer to `dataBreakpointInfo`. (`dap`'s leaves out `dataId` where the specification wants `null`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataBreakpointInfoResponse {
    /// What `setDataBreakpoints` takes; none: it cannot be watched.
    pub data_id: Option<String>,
    /// What a user reads: what will be watched, or why nothing can.
    pub description: String,
    /// What can hit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_types: Option<Vec<DataAccess>>,
    /// Whether the id outlives the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_persist: Option<bool>,
}

/// What hits a breakpoint on data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum DataAccess {
    Read,
    Write,
    ReadWrite,
}

/// `setDataBreakpoints` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetDataBreakpointsArguments {
    /// All of them.
    pub breakpoints: Vec<DataBreakpoint>,
}

/// A breakpoint on data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataBreakpoint {
    /// From [`DataBreakpointInfoResponse::data_id`].
    pub data_id: String,
    /// What hits it; writing when left out.
    pub access_type: Option<DataAccess>,
    /// Stops only when this is true.
    pub condition: Option<String>,
    /// Stops only at these hits.
    pub hit_condition: Option<String>,
}

/// `setExceptionBreakpoints` asks this. (`dap`'s refuses `exceptionOptions` of another form, which nobody offers.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetExceptionBreakpointsArguments {
    /// Filters without a condition.
    pub filters: Vec<String>,
    /// More of them, with one.
    pub filter_options: Option<Vec<ExceptionFilterOptions>>,
}

/// A filter with its condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExceptionFilterOptions {
    /// Which filter.
    pub filter_id: String,
    /// Stops only when this is true.
    pub condition: Option<String>,
}

/// A filter as `initialize` offers it. (`dap`'s spells two of its names in snake case.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionFilter {
    /// Its name in requests.
    pub filter: &'static str,
    /// What a user reads.
    pub label: &'static str,
    /// More of it.
    pub description: &'static str,
    /// Whether a client switches it on unasked.
    pub default: bool,
    /// Whether it takes a condition.
    pub supports_condition: bool,
}

/// Answer to `exceptionInfo`. (`dap`'s writes `null` for what is absent.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionInfoResponse {
    /// `panic`, `SIGSEGV`.
    pub exception_id: String,
    /// What a user reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `always`: every one of its kind stops; `unhandled`: because nothing would have caught it.
    pub break_mode: &'static str,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<ExceptionDetails>,
}

/// More about an exception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionDetails {
    /// What it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What kind of thing it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// The stack where it happened, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
}

/// `breakpointLocations` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakpointLocationsArguments {
    /// The file.
    pub source: Source,
    /// The first line, in the client's counting.
    pub line: i64,
    /// The first column of that line.
    pub column: Option<i64>,
    /// The last line; that one when left out.
    pub end_line: Option<i64>,
    /// The last column of the last line.
    pub end_column: Option<i64>,
}

/// Answer to `breakpointLocations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BreakpointLocationsResponse {
    /// By line and column.
    pub breakpoints: Vec<BreakpointLocation>,
}

/// Where a breakpoint can be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BreakpointLocation {
    /// The line, in the client's counting.
    pub line: i64,
    /// The column, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
}
