//! Stacks, frames and their scopes.

use std::iter;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Completions, Frame, FrameBody, Row, Scope, ScopeKind, Stack, Value};
use weft_tasks::Location;

use crate::console;
use crate::face::Face;
use crate::probe::PAUSE;
use crate::state::Epoch;
use crate::variables::{Children, assign, complete, evaluate};

/// Rows of a thread's stack; `thread` is pydevd's number.
pub(crate) fn rows(face: &Arc<Face>, thread: i64, rows: Range<usize>) -> Answer<Stack> {
    // From the top, where the one may be that is not shown. No levels are all levels, for pydevd.
    let levels = rows.end.saturating_add(1).max(1);
    let (frames, total) = shown(face, face.standing.current()?, thread, levels)?;
    Ok(Stack { rows: frames.take(rows.end).skip(rows.start).map(Row::Frame).collect(), total })
}

/// All frames of a thread's own stack, top first.
pub(crate) fn frames(face: &Arc<Face>, epoch: Epoch, thread: i64) -> Answer<Vec<Frame>> {
    Ok(shown(face, epoch, thread, 0)?.0.collect())
}

/// Frames of a thread's own stack, without the one that a pause made a loop call, and how many there are.
fn shown(
    face: &Arc<Face>,
    epoch: Epoch,
    thread: i64,
    levels: usize,
) -> Answer<(impl Iterator<Item = Frame>, Option<usize>)> {
    let arguments = json!({"threadId": thread, "startFrame": 0, "levels": levels});
    let told: StackTrace = read(face.standing.ask(epoch, &face.link, "stackTrace", &arguments)?)?;
    let ours = usize::from(told.stack_frames.first().is_some_and(|top| top.name == PAUSE));
    let total = told.total_frames.map(|total| total.saturating_sub(ours));
    let frames: Vec<StackFrame> = told.stack_frames.into_iter().skip(ours).collect();
    let ids: Vec<i64> = frames.iter().map(|frame| frame.id).collect();
    let names = face.tasks.as_ref().map(|tasks| tasks.frame_names(&ids)).unwrap_or_default();
    let names = names.into_iter().map(Some).chain(iter::repeat(None));
    let face = Arc::clone(face);
    Ok((frames.into_iter().zip(names).map(move |(frame, name)| frame.named(name).shown(&face, epoch)), total))
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
    /// By the name that the function has in suspended frames, unless pydevd has a name of its own for it.
    fn named(self, name: Option<(String, String)>) -> Self {
        match name {
            Some((pydevds, ours)) if pydevds == self.name => Self { name: ours, ..self },
            _ => self,
        }
    }

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
                variables: Children::of(face, self.epoch, Some(self.id), scope.variables_reference),
            })
            .collect())
    }

    fn evaluate(&self, expression: &str, context: Option<&EvaluateContext>) -> Answer<Value> {
        self.evaluate_unless(expression, context, &|| false)
    }

    fn assign(&self, target: &str, value: &str) -> Answer<Value> {
        assign(&self.face, self.epoch, Some(self.id), target, value)
    }

    fn complete(&self, text: &str) -> Answer<Completions> {
        complete(&self.face, self.epoch, text, Some(self.id))
    }

    fn evaluate_unless(
        &self,
        expression: &str,
        context: Option<&EvaluateContext>,
        called_off: &dyn Fn() -> bool,
    ) -> Answer<Value> {
        let (face, tasks) = (&self.face, self.face.tasks.as_ref());
        match tasks.filter(|tasks| tasks.awaits(expression)) {
            Some(tasks) => console::awaited(face, tasks, self.epoch, self.id, expression, context, called_off),
            None => evaluate(face, self.epoch, Some(self.id), expression, context),
        }
    }
}
