//! Variables and what expressions come to, in pydevd's words.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use weft_protocol::spec::{EvaluateContext, VariableHint};
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Completions, Container, Counts, Value, Variable};

use crate::face::Face;
use crate::link::{Fault, Pending, lock};
use crate::probe::{changes, in_container, in_frame};
use crate::stack::read;
use crate::state::{Epoch, fault_as};

/// How long an expression may take: it is the user's code.
pub(crate) const EVALUATE_PATIENCE: Duration = Duration::from_secs(60);

/// The children of a scope or a value. They are read once between two changes, all together: pydevd has no pages, and puts
/// what is too long into groups itself.
pub(crate) struct Children {
    face: Arc<Face>,
    epoch: Epoch,
    /// The frame that it was come by from, by pydevd's number.
    frame: Option<i64>,
    reference: i64,
    /// As they were after so many changes.
    read: Mutex<Option<(u64, Known)>>,
}

type Known = Answer<Arc<[Variable]>>;

impl Children {
    pub(crate) fn of(face: &Arc<Face>, epoch: Epoch, frame: Option<i64>, reference: i64) -> Arc<dyn Container> {
        Arc::new(Self { face: Arc::clone(face), epoch, frame, reference, read: Mutex::default() })
    }

    fn all(&self) -> Known {
        let changes = self.face.standing.changes();
        let mut read = lock(&self.read);
        let known = match read.take().filter(|(at, _)| *at == changes) {
            Some((_, known)) => known,
            None => self.ask().map(Arc::from),
        };
        *read = Some((changes, known.clone()));
        self.face.standing.check(self.epoch)?;
        known
    }

    fn ask(&self) -> Answer<Vec<Variable>> {
        let face = &self.face;
        let arguments = json!({"variablesReference": self.reference});
        let answer = face.standing.ask(self.epoch, &face.link, "variables", &arguments)?;
        let variables = read::<Variables>(answer)?.variables.into_iter();
        Ok(variables.map(|variable| variable.shown(face, self.epoch, self.frame)).collect())
    }
}

impl Container for Children {
    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn counted(&self) -> Answer<Counts> {
        Ok(Counts { named: self.all()?.len(), indexed: 0 })
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(self.all()?.iter().take(range.end).skip(range.start).cloned().collect())
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn assign(&self, name: &str, value: &str) -> Answer<Value> {
        let call = in_container(self.frame, self.reference, name, value);
        let assigned = change(&self.face, self.epoch, self.frame, &call)?;
        // As it is shown from now on; the change is made, also if that is not to be had.
        let all = self.all();
        let now = all.iter().flat_map(|all| all.iter()).find(|variable| variable.name == name);
        Ok(now.map_or(assigned, |variable| variable.value.clone()))
    }
}

#[derive(Deserialize)]
struct Variables {
    variables: Vec<PydevdVariable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PydevdVariable {
    name: String,
    #[serde(default)]
    value: String,
    #[serde(rename = "type")]
    type_name: Option<String>,
    evaluate_name: Option<String>,
    #[serde(default)]
    variables_reference: i64,
    presentation_hint: Option<VariableHint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Evaluated {
    #[serde(default)]
    result: String,
    #[serde(rename = "type")]
    type_name: Option<String>,
    #[serde(default)]
    variables_reference: i64,
    presentation_hint: Option<VariableHint>,
}

impl PydevdVariable {
    fn shown(self, face: &Arc<Face>, epoch: Epoch, frame: Option<i64>) -> Variable {
        let value = Evaluated {
            result: self.value,
            type_name: self.type_name,
            variables_reference: self.variables_reference,
            presentation_hint: self.presentation_hint,
        };
        // What is behind a change would make it again.
        let evaluate_name = self.evaluate_name.filter(|name| !changes(name));
        Variable { name: self.name, evaluate_name, value: value.shown(face, epoch, frame) }
    }
}

impl Evaluated {
    fn shown(self, face: &Arc<Face>, epoch: Epoch, frame: Option<i64>) -> Value {
        let children =
            (self.variables_reference > 0).then(|| Children::of(face, epoch, frame, self.variables_reference));
        Value {
            text: self.result,
            type_name: self.type_name.filter(|name| !name.is_empty()),
            children,
            address: None,
            hint: self.presentation_hint,
        }
    }
}

/// The value of an expression in the program's main module. (pydevd itself has a namespace of nobody's there.)
pub(crate) fn evaluate_in_main(
    face: &Arc<Face>,
    epoch: Epoch,
    expression: &str,
    context: Option<&EvaluateContext>,
) -> Answer<Value> {
    // JSON's strings are Python's. A clipboard gets a string's own text.
    let shown = if matches!(context, Some(EvaluateContext::Clipboard)) { "" } else { "repr" };
    let expression = format!("{shown}(eval({}, __import__('__main__').__dict__))", json!(expression));
    evaluate(face, epoch, None, &expression, context)
}

/// The value of an expression in a frame, or where pydevd sees fit.
pub(crate) fn evaluate(
    face: &Arc<Face>,
    epoch: Epoch,
    frame: Option<i64>,
    expression: &str,
    context: Option<&EvaluateContext>,
) -> Answer<Value> {
    face.standing.check(epoch)?;
    let answer = post(face, frame, expression, context).and_then(|asked| asked.wait(EVALUATE_PATIENCE));
    if matches!(context, Some(EvaluateContext::Repl)) {
        // It may have been a statement.
        face.standing.change();
    }
    value(face, epoch, frame, answer)
}

/// Gives what one expression stands for the value of another, in a frame or in the main module. What is there then.
pub(crate) fn assign(face: &Arc<Face>, epoch: Epoch, frame: Option<i64>, target: &str, value: &str) -> Answer<Value> {
    change(face, epoch, frame, &in_frame(frame, target, value))
}

/// What may follow a text in a frame, or in the main module.
pub(crate) fn complete(face: &Arc<Face>, epoch: Epoch, text: &str, frame: Option<i64>) -> Answer<Completions> {
    face.standing.check(epoch)?;
    let lacking = || Error::new(ErrorId::NotSupported, "nothing is completed without the probe: the console says why");
    let found = face.tasks.as_ref().ok_or_else(lacking)?.complete(text, frame)?;
    face.standing.check(epoch)?;
    Ok(found)
}

/// Has the probe change something, on the thread of a frame. What is there then.
fn change(face: &Arc<Face>, epoch: Epoch, frame: Option<i64>, call: &str) -> Answer<Value> {
    if face.tasks.is_none() {
        let sentence = "nothing can be assigned without the probe: the console says why it is not there";
        return Err(Error::new(ErrorId::NotSupported, sentence));
    }
    let changed = evaluate(face, epoch, frame, call, Some(&EvaluateContext::Watch));
    // A failed one may have run code of the program's.
    face.standing.change();
    changed
}

/// Asks for the value of an expression.
pub(crate) fn post(
    face: &Face,
    frame: Option<i64>,
    expression: &str,
    context: Option<&EvaluateContext>,
) -> Result<Pending, Fault> {
    let mut arguments = json!({"expression": expression, "context": context.map_or("watch", word)});
    if let (Some(frame), Some(arguments)) = (frame, arguments.as_object_mut()) {
        arguments.insert("frameId".to_owned(), json!(frame));
    }
    face.link.post("evaluate", &arguments)
}

/// What an expression came to.
pub(crate) fn value(face: &Arc<Face>, epoch: Epoch, frame: Option<i64>, answer: Result<Json, Fault>) -> Answer<Value> {
    face.standing.check(epoch)?;
    let answer = answer.map_err(|fault| fault_as(ErrorId::Evaluate, only_the_last_line(fault)))?;
    Ok(read::<Evaluated>(answer)?.shown(face, epoch, frame))
}

/// Of a traceback, what it comes to: the frames are pydevd's own. Of a sentence of the probe's, only that.
fn only_the_last_line(fault: Fault) -> Fault {
    let Fault::Refused(text) = fault else { return fault };
    let last = match text.starts_with("Traceback ") {
        true => text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(&text).trim(),
        false => &text,
    };
    let last = ["_weft.link.Refused: ", "Refused: "].iter().find_map(|ours| last.strip_prefix(ours)).unwrap_or(last);
    Fault::Refused(last.to_owned())
}

fn word(context: &EvaluateContext) -> &'static str {
    match context {
        EvaluateContext::Repl => "repl",
        EvaluateContext::Hover => "hover",
        EvaluateContext::Clipboard => "clipboard",
        EvaluateContext::Variables => "variables",
        _ => "watch",
    }
}
