//! Stacks, frames and their scopes.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Frame, FrameBody, Row, Scope, ScopeKind, Stack, Value};
use weft_tasks::Location;

use crate::face::Face;
use crate::state::Epoch;
use crate::variables::{Children, evaluate};

/// Rows of a thread's stack; `thread` is pydevd's number.
pub(crate) fn rows(face: &Arc<Face>, thread: i64, rows: Range<usize>) -> Answer<Stack> {
    let epoch = face.standing.current()?;
    let levels = rows.end.saturating_sub(rows.start);
    // No levels are all levels, for pydevd.
    let arguments = json!({"threadId": thread, "startFrame": rows.start, "levels": levels.max(1)});
    let answer = face.standing.ask(epoch, &face.link, "stackTrace", &arguments)?;
    let read: StackTrace = read(answer)?;
    let frames = read.stack_frames.into_iter().take(levels);
    Ok(Stack { rows: frames.map(|frame| Row::Frame(frame.shown(face, epoch))).collect(), total: read.total_frames })
}

/// pydevd's words for something, or an error that says whose they are.
pub(crate) fn read<T: serde::de::DeserializeOwned>(answer: Json) -> Answer<T> {
    serde_json::from_value(answer)
        .map_err(|error| Error::new(ErrorId::Unreadable, format!("debugpy's answer cannot be read: {error}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StackTrace {
    stack_frames: Vec<StackFrame>,
    total_frames: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StackFrame {
    id: i64,
    name: String,
    line: u32,
    source: Option<Source>,
    presentation_hint: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    path: Option<PathBuf>,
}

impl StackFrame {
    fn shown(self, face: &Arc<Face>, epoch: Epoch) -> Frame {
        let file = self.source.and_then(|source| source.path);
        // pydevd calls subtle what `justMyCode` would leave out.
        let subtle = self.presentation_hint.as_deref() == Some("subtle");
        Frame {
            name: self.name,
            location: file
                .filter(|_| self.line > 0)
                .map(|file| Arc::new(Location { file, line: self.line, column: 1 })),
            subtle,
            own: !subtle,
            instruction: None,
            restartable: false,
            body: Some(Arc::new(PythonFrame { face: Arc::clone(face), epoch, id: self.id })),
        }
    }
}

/// A frame on a thread's stack.
struct PythonFrame {
    face: Arc<Face>,
    epoch: Epoch,
    /// pydevd's number.
    id: i64,
}

#[derive(Deserialize)]
struct Scopes {
    scopes: Vec<PydevdScope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PydevdScope {
    name: String,
    variables_reference: i64,
}

impl FrameBody for PythonFrame {
    fn scopes(&self) -> Answer<Vec<Scope>> {
        let face = &self.face;
        let answer = face.standing.ask(self.epoch, &face.link, "scopes", &json!({"frameId": self.id}))?;
        let scopes = read::<Scopes>(answer)?.scopes.into_iter();
        Ok(scopes
            .map(|scope| Scope {
                kind: if scope.name == "Globals" { ScopeKind::Globals } else { ScopeKind::Locals },
                variables: Children::of(face, self.epoch, scope.variables_reference),
            })
            .collect())
    }

    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value> {
        evaluate(&self.face, self.epoch, Some(self.id), expression, context)
    }
}
