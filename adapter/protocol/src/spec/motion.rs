//! Going somewhere else than on: into one call of several, to another line, from the start.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;

/// Answer to `stepInTargets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepInTargetsResponse {
    /// In the order they are called.
    pub targets: Vec<StepInTarget>,
}

/// A call that a step can go into. (`dap`'s writes `null` for what is absent.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepInTarget {
    /// Its number for `stepIn`.
    pub id: i64,
    /// The function.
    pub label: String,
    /// Where the call stands, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// Column of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
}

/// `gotoTargets` asks this. (`dap`'s contains its own `Source`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GotoTargetsArguments {
    /// The file.
    pub source: Source,
    /// The line, in the client's counting.
    pub line: i64,
    /// The column, in the client's counting.
    pub column: Option<i64>,
}

/// Answer to `gotoTargets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GotoTargetsResponse {
    /// By address.
    pub targets: Vec<GotoTarget>,
}

/// A place to go to. (`dap`'s writes `null` for what is absent.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GotoTarget {
    /// Its number for `goto`.
    pub id: i64,
    /// What a user reads.
    pub label: String,
    /// The line, in the client's counting.
    pub line: i64,
    /// The column, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
    /// The instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_pointer_reference: Option<String>,
}

/// `restart` asks this. (`dap`'s wants the arguments in a form that nobody sends.)
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RestartArguments {
    /// The configuration to start with, when it is not the last one.
    pub arguments: Option<Value>,
}
