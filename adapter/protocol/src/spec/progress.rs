//! Work that takes long.

use serde::Serialize;

/// The body of `progressStart`.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProgressStartEventBody {
    /// Names it in the events that follow, and in `cancel`.
    pub progress_id: String,
    /// What is done.
    pub title: String,
    /// Whether it can be cancelled.
    pub cancellable: bool,
    /// How much of it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage: Option<u64>,
}

/// The body of `progressUpdate`.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProgressUpdateEventBody {
    /// Of which work.
    pub progress_id: String,
    /// How much of it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage: Option<u64>,
}

/// The body of `progressEnd`.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ProgressEndEventBody {
    /// Of which work.
    pub progress_id: String,
}
