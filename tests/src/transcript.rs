//! What was said, for whoever has to find out why a test failed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Characters of one message that are kept.
const LONGEST: usize = 1_500;

/// Messages that are shown of a session that failed.
const LAST: usize = 500;

/// A session's messages with their times; clones share it.
#[derive(Clone)]
pub(crate) struct Transcript {
    started: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), lines: Arc::default() }
    }

    pub(crate) fn note(&self, direction: &str, text: &str) {
        let mut shown: String = text.chars().take(LONGEST).collect();
        if shown.len() < text.len() {
            shown.push_str(&format!("… ({} bytes)", text.len()));
        }
        let line = format!("{:9.3} {direction} {shown}", self.started.elapsed().as_secs_f64());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The end of it, which is where something went wrong.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = lines.len().saturating_sub(LAST);
        let start = if left_out > 0 { format!("({left_out} messages before)\n") } else { String::new() };
        start + &lines[left_out..].join("\n")
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}
