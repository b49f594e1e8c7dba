//! Threads: pydevd's numbers for them stay below, the operating system's go up.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::json;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, ThreadInfo};

use crate::link::{Fault, Link, PATIENCE, lock};
use crate::state::fault_as;

/// Evaluated without a frame: `[[pydevd's number, the system's, name], …]` as JSON. Threads that pydevd has not spoken of yet
/// have no number and are left out, as are its own. The main thread of a process that was forked may still have the number of
/// its parent's, which is no thread here; its own is the process's.
const LIST: &str = include_str!("threads.py");

/// Which of pydevd's threads is which of the system's.
#[derive(Default)]
pub(crate) struct Threads {
    /// pydevd's number → the system's. pydevd never uses a number again.
    known: Mutex<BTreeMap<i64, i64>>,
}

impl Threads {
    /// The threads there are.
    pub(crate) fn list(&self, link: &Link) -> Result<Vec<ThreadInfo>, Fault> {
        // As for a clipboard: the only context whose answer is the bare string, whole.
        let arguments = json!({"expression": LIST.trim(), "context": "clipboard"});
        let answer = link.request("evaluate", &arguments, PATIENCE)?;
        let text = answer.get("result").and_then(|result| result.as_str()).unwrap_or_default();
        let rows: Vec<(i64, Option<i64>, String)> = serde_json::from_str(text)
            .map_err(|_| Fault::Refused("debugpy's list of threads cannot be read".to_owned()))?;
        let mut known = lock(&self.known);
        let mut threads = Vec::with_capacity(rows.len());
        for (pydevd, native, name) in rows {
            // One that has only just begun does not know its number yet.
            let Some(native) = native else { continue };
            known.insert(pydevd, native);
            threads.push(ThreadInfo { id: native, name });
        }
        Ok(threads)
    }

    /// The system's number of one of pydevd's threads.
    pub(crate) fn native(&self, link: &Link, pydevd: i64) -> Option<i64> {
        let known = lock(&self.known).get(&pydevd).copied();
        known.or_else(|| {
            self.list(link).ok()?;
            lock(&self.known).get(&pydevd).copied()
        })
    }

    /// One of pydevd's threads has ended: the system's number that it had.
    pub(crate) fn ended(&self, pydevd: i64) -> Option<i64> {
        lock(&self.known).remove(&pydevd)
    }

    /// None of them is there any more: the system's numbers that they had.
    pub(crate) fn leave(&self) -> Vec<i64> {
        std::mem::take(&mut *lock(&self.known)).into_values().collect()
    }

    /// pydevd's number of a thread.
    pub(crate) fn pydevd(&self, link: &Link, native: i64) -> Answer<i64> {
        let find = || lock(&self.known).iter().find(|(_, known)| **known == native).map(|(pydevd, _)| *pydevd);
        if let Some(found) = find() {
            return Ok(found);
        }
        self.list(link).map_err(|fault| fault_as(ErrorId::Control, fault))?;
        find().ok_or_else(|| Error::new(ErrorId::UnknownThread, format!("there is no Python thread {native}")))
    }
}
