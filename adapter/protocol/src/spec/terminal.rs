//! What the adapter asks of the client.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `runInTerminal` asks the client this. (`dap`'s writes `null` for what is absent.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInTerminalArguments {
    /// `integrated` or `external`.
    pub kind: &'static str,
    /// What the terminal is called.
    pub title: String,
    /// Where the command runs.
    pub cwd: String,
    /// The command and its arguments.
    pub args: Vec<String>,
    /// Changes to the terminal's environment; `None` removes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Option<String>>,
}

/// The client's answer to `runInTerminal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunInTerminalResponse {
    /// The process that was started.
    pub process_id: Option<i64>,
    /// The terminal's shell.
    pub shell_process_id: Option<i64>,
}

/// `startDebugging` asks the client this.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StartDebuggingArguments {
    /// The new session's configuration.
    pub configuration: Value,
    /// `launch` or `attach`.
    pub request: &'static str,
}
