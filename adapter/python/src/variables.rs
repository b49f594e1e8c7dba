//! Variables and what expressions come to, in pydevd's words.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use weft_protocol::ErrorId;
use weft_protocol::spec::{EvaluateContext, VariableHint};
use weft_session::debuggee::{Answer, Container, Counts, Value, Variable};

use crate::face::Face;
use crate::link::{Fault, Pending};
use crate::stack::read;
use crate::state::{Epoch, fault_as};

/// How long an expression may take: it is the user's code.
pub(crate) const EVALUATE_PATIENCE: Duration = Duration::from_secs(60);

/// The children of a scope or a value. They are read once, all together: pydevd has no pages, and puts what is too long
/// into groups itself.
pub(crate) struct Children {
    face: Arc<Face>,
    epoch: Epoch,
    reference: i64,
    read: OnceLock<Answer<Vec<Variable>>>,
}

impl Children {
    pub(crate) fn of(face: &Arc<Face>, epoch: Epoch, reference: i64) -> Arc<dyn Container> {
        Arc::new(Self { face: Arc::clone(face), epoch, reference, read: OnceLock::new() })
    }

    fn all(&self) -> Answer<&[Variable]> {
        let read = self.read.get_or_init(|| self.ask());
        self.face.standing.check(self.epoch)?;
        read.as_deref().map_err(Clone::clone)
    }

    fn ask(&self) -> Answer<Vec<Variable>> {
        let face = &self.face;
        let arguments = json!({"variablesReference": self.reference});
        let answer = face.standing.ask(self.epoch, &face.link, "variables", &arguments)?;
        let variables = read::<Variables>(answer)?.variables.into_iter();
        Ok(variables.map(|variable| variable.shown(face, self.epoch)).collect())
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
    fn shown(self, face: &Arc<Face>, epoch: Epoch) -> Variable {
        let value = Evaluated {
            result: self.value,
            type_name: self.type_name,
            variables_reference: self.variables_reference,
            presentation_hint: self.presentation_hint,
        };
        Variable { name: self.name, evaluate_name: self.evaluate_name, value: value.shown(face, epoch) }
    }
}

impl Evaluated {
    fn shown(self, face: &Arc<Face>, epoch: Epoch) -> Value {
        let children = (self.variables_reference > 0).then(|| Children::of(face, epoch, self.variables_reference));
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
    value(face, epoch, answer)
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
pub(crate) fn value(face: &Arc<Face>, epoch: Epoch, answer: Result<Json, Fault>) -> Answer<Value> {
    face.standing.check(epoch)?;
    let answer = answer.map_err(|fault| fault_as(ErrorId::Evaluate, only_the_last_line(fault)))?;
    Ok(read::<Evaluated>(answer)?.shown(face, epoch))
}

/// Of a traceback, what it comes to: the frames are pydevd's own.
fn only_the_last_line(fault: Fault) -> Fault {
    match fault {
        Fault::Refused(text) if text.starts_with("Traceback ") => {
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(&text);
            Fault::Refused(last.trim().to_owned())
        }
        other => other,
    }
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
