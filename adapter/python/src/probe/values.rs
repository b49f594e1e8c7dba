//! What is in a suspended frame: asked for when somebody looks.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use weft_protocol::spec::{CompletionItemType, EvaluateContext};
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Completions, Container, Counts, FrameBody, Scope, ScopeKind, Value, Variable};

use super::{Probe, ProbeError, wire};

/// How long a page of variables may take; the program's own `repr`s are given up sooner.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an expression may take; the probe gives it up sooner.
const EVALUATION: Duration = Duration::from_secs(10);
/// Most children of one kind that are shown.
const MOST: usize = 100_000;

/// A frame of a suspended coroutine, which the probe keeps until the program goes on.
#[derive(Clone)]
pub(super) struct SuspendedFrame {
    probe: Probe,
    number: u64,
}

impl SuspendedFrame {
    pub(super) fn new(probe: Probe, number: u64) -> Self {
        Self { probe, number }
    }
}

impl FrameBody for SuspendedFrame {
    fn scopes(&self) -> Answer<Vec<Scope>> {
        let (locals, globals): (u64, u64) =
            self.probe.ask("count", json!({ "of": self.number }), PATIENCE).map_err(|error| refused(&error))?;
        let scope = |kind, which, count| {
            let counts = Counts { named: most(count), indexed: 0 };
            let (probe, number) = (self.probe.clone(), self.number);
            let variables = Children { probe, frame: number, number, named: which, counts, expression: None };
            Scope { kind, variables: Arc::new(variables) }
        };
        let all = [scope(ScopeKind::Locals, "locals", locals), scope(ScopeKind::Statics, "globals", globals)];
        Ok(all.into())
    }

    fn evaluate(&self, expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        value(&self.probe, self.number, "evaluate", json!({ "of": self.number, "expression": expression }))
    }

    fn assign(&self, target: &str, value: &str) -> Answer<Value> {
        let asked = json!({ "of": self.number, "target": target, "value": value });
        self::value(&self.probe, self.number, "assign", asked)
    }

    fn complete(&self, text: &str) -> Answer<Completions> {
        self.probe.complete(json!({ "text": text, "of": self.number }))
    }
}

impl Probe {
    /// What may follow a text.
    pub(crate) fn complete(&self, asked: Json) -> Answer<Completions> {
        let told: wire::Completions = self.ask("complete", asked, PATIENCE).map_err(|error| refused(&error))?;
        let names = told.names.into_iter().map(|(name, kind)| (name, self::kind(&kind))).collect();
        Ok(Completions { begin: told.begin, names })
    }
}

/// What a name is, in DAP's words.
fn kind(told: &str) -> Option<CompletionItemType> {
    match told {
        "class" => Some(CompletionItemType::Class),
        "field" => Some(CompletionItemType::Field),
        "function" => Some(CompletionItemType::Function),
        "keyword" => Some(CompletionItemType::Keyword),
        "method" => Some(CompletionItemType::Method),
        "module" => Some(CompletionItemType::Module),
        "property" => Some(CompletionItemType::Property),
        "variable" => Some(CompletionItemType::Variable),
        _ => None,
    }
}

/// Asks for a value in a frame.
fn value(probe: &Probe, frame: u64, ask: &str, asked: Json) -> Answer<Value> {
    let told: wire::Variable = probe.ask(ask, asked, EVALUATION).map_err(|error| match error {
        ProbeError::Refused(why) => Error::new(ErrorId::Evaluate, why),
        error => refused(&error),
    })?;
    Ok(variable(probe, frame, told, None).value)
}

/// The variables of a scope, or the children of a value.
struct Children {
    probe: Probe,
    /// The frame that it was come by from.
    frame: u64,
    number: u64,
    /// What the probe calls those with a name.
    named: &'static str,
    counts: Counts,
    /// What evaluates to the value.
    expression: Option<String>,
}

impl Children {
    fn list(&self, kind: &str, range: Range<usize>) -> Answer<Vec<Variable>> {
        let count = range.end.min(MOST).saturating_sub(range.start);
        let asked = json!({ "of": self.number, "kind": kind, "start": range.start, "count": count });
        let told: Vec<wire::Variable> =
            self.probe.ask("variables", asked, PATIENCE).map_err(|error| refused(&error))?;
        let parent = self.expression.as_deref();
        Ok(told.into_iter().take(count).map(|told| variable(&self.probe, self.frame, told, parent)).collect())
    }
}

impl Container for Children {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        self.list(self.named, range)
    }

    fn indexed(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        self.list("indexed", range)
    }

    fn assign(&self, name: &str, value: &str) -> Answer<Value> {
        let (of, container, kind) = (self.frame, self.number, self.named);
        let asked = json!({ "of": of, "container": container, "kind": kind, "name": name, "value": value });
        self::value(&self.probe, self.frame, "assign-child", asked)
    }
}

fn variable(probe: &Probe, frame: u64, told: wire::Variable, parent: Option<&str>) -> Variable {
    let expression = told.expression.map(|own| format!("{}{own}", parent.unwrap_or_default()));
    let counts = Counts { named: most(told.named), indexed: most(told.indexed) };
    let children = told.of.filter(|_| counts != Counts::default()).map(|number| {
        let expression = expression.clone();
        Arc::new(Children { probe: probe.clone(), frame, number, named: "named", counts, expression })
            as Arc<dyn Container>
    });
    Variable {
        name: told.name,
        evaluate_name: expression,
        value: Value { text: told.text, type_name: Some(told.type_name), children, address: None, hint: None },
    }
}

fn most(count: u64) -> usize {
    usize::try_from(count).unwrap_or(MOST).min(MOST)
}

/// What the probe does not answer, for the client.
pub(crate) fn refused(error: &ProbeError) -> Error {
    let id = match error {
        ProbeError::Refused(_) => ErrorId::StaleReference,
        ProbeError::Gone => ErrorId::NoDebuggee,
        ProbeError::Busy(_) | ProbeError::Malformed(_) | ProbeError::Connection(_) => ErrorId::Unreadable,
    };
    Error::new(id, error)
}
