//! Places as variables with children.

use std::ops::Range;
use std::sync::Arc;

use weft_memory::{MemAddr, MemoryError};
use weft_protocol::Error;
use weft_session::debuggee::{Answer, Container, Counts, Value, Variable, Watchable};
use weft_values::{Child, Filter, FrameVariable, Place, Stop, ValueError, as_operand, children, place_target, view};

use crate::breakpoints::watchable;

/// How deep a one-line summary looks into a value.
const SUMMARY_DEPTH: usize = 3;

/// Named children that are looked through for one to watch.
const MOST_SEARCHED: u64 = 10_000;

/// Fails once the program has run on: what was read since then is of no moment.
pub(crate) fn still(stop: &Stop) -> Answer<()> {
    match stop.memory.read(MemAddr::new(0), &mut [0]) {
        Err(MemoryError::Resumed) => Err(Error::resumed()),
        _ => Ok(()),
    }
}

/// What stands at a place; `expression` evaluates to it in its frame, if there is such an expression.
/// `thread`: in whose frame it was found, if in one.
pub(crate) fn value(stop: &Arc<Stop>, place: Place, expression: Option<String>, thread: Option<i32>) -> Value {
    let view = view(stop, &place, SUMMARY_DEPTH);
    let counts = Counts {
        named: view.children.named,
        indexed: view.children.indexed.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX)),
    };
    let container = (counts != Counts::default())
        .then(|| Arc::new(Inside { stop: stop.clone(), place, expression, thread, counts }) as Arc<dyn Container>);
    Value {
        text: view.value,
        type_name: Some(view.type_name),
        children: container,
        address: view.address.map(MemAddr::raw),
        hint: None,
    }
}

/// What cannot be shown, with the reason where its value would have stood.
fn trouble(error: &ValueError, type_name: Option<String>) -> Value {
    Value { text: error.to_string(), type_name, ..Value::default() }
}

/// The inside of a value.
struct Inside {
    stop: Arc<Stop>,
    place: Place,
    expression: Option<String>,
    thread: Option<i32>,
    counts: Counts,
}

impl Inside {
    fn list(&self, filter: Filter, range: Range<usize>) -> Answer<Vec<Variable>> {
        let (start, count) = (range.start as u64, range.len() as u64);
        let found = children(&self.stop, &self.place, filter, start, count);
        let list = found.into_iter().map(|child| self.variable(child)).collect();
        still(&self.stop)?;
        Ok(list)
    }

    /// The expression of a part.
    fn part(&self, access: Option<&str>) -> Option<String> {
        let (own, access) = self.expression.as_deref().zip(access)?;
        Some(format!("{}{access}", as_operand(own)))
    }

    fn variable(&self, child: Child) -> Variable {
        let expression = self.part(child.access.as_deref());
        let shown = match child.place {
            Ok(place) => value(&self.stop, place, expression.clone(), self.thread),
            Err(error) => trouble(&error, None),
        };
        Variable { name: child.name, evaluate_name: expression, value: shown }
    }
}

impl Container for Inside {
    fn counts(&self) -> Counts {
        self.counts
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        self.list(Filter::Named, range)
    }

    fn indexed(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        self.list(Filter::Indexed, range)
    }

    fn watch(&self, name: &str) -> Answer<Watchable> {
        let index = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|at| at.parse().ok());
        let found = match index.filter(|_| self.counts.indexed > 0) {
            Some(at) => children(&self.stop, &self.place, Filter::Indexed, at, 1),
            None => children(&self.stop, &self.place, Filter::Named, 0, MOST_SEARCHED),
        };
        still(&self.stop)?;
        let Some(child) = found.into_iter().find(|child| child.name == name) else {
            return Ok(Watchable::No(format!("there is no `{name}` here")));
        };
        let full = self.part(child.access.as_deref()).unwrap_or_else(|| name.to_owned());
        Ok(match child.place {
            Ok(place) => watch_place(&self.stop, &place, &full, self.thread),
            Err(error) => Watchable::No(error.to_string()),
        })
    }
}

/// A place as something to watch.
pub(crate) fn watch_place(stop: &Stop, place: &Place, name: &str, thread: Option<i32>) -> Watchable {
    match place_target(stop, thread, place, name) {
        Ok(target) => watchable(target),
        Err(error) => Watchable::No(error.to_string()),
    }
}

/// The variables of one scope of a frame.
pub(crate) struct ScopeVariables {
    pub(crate) stop: Arc<Stop>,
    pub(crate) list: Vec<FrameVariable>,
    /// On whose stack the frame is, if on one.
    pub(crate) thread: Option<i32>,
}

impl Container for ScopeVariables {
    fn counts(&self) -> Counts {
        Counts { named: self.list.len(), indexed: 0 }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        let shown = self.list.iter().skip(range.start).take(range.len());
        let list = shown.map(|variable| frame_variable(&self.stop, variable, self.thread)).collect();
        still(&self.stop)?;
        Ok(list)
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn watch(&self, name: &str) -> Answer<Watchable> {
        let Some(variable) = self.list.iter().find(|variable| variable.label() == name) else {
            return Ok(Watchable::No(format!("there is no `{name}` here")));
        };
        let found = match &variable.place {
            Ok(place) => watch_place(&self.stop, place, &variable.name, self.thread),
            Err(error) => Watchable::No(error.to_string()),
        };
        still(&self.stop)?;
        Ok(found)
    }
}

fn frame_variable(stop: &Arc<Stop>, variable: &FrameVariable, thread: Option<i32>) -> Variable {
    let expression = (!variable.shadowed).then(|| weft_values::typed_name(&variable.name));
    let type_name = variable.ty.as_ref().map(weft_values::type_name);
    let mut shown = match &variable.place {
        Ok(place) => value(stop, place.clone(), expression.clone(), thread),
        Err(error) => trouble(error, type_name),
    };
    if let Some(note) = &variable.note {
        shown.text = format!("{} ({note})", shown.text);
    }
    Variable { name: variable.label(), evaluate_name: expression, value: shown }
}

/// Stands where variables would be, with the reason why there are none.
pub(crate) struct NoVariables(pub(crate) String);

impl Container for NoVariables {
    fn counts(&self) -> Counts {
        Counts { named: 1, indexed: 0 }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        let row = Variable {
            name: "(no variables)".to_owned(),
            evaluate_name: None,
            value: Value { text: self.0.clone(), ..Value::default() },
        };
        Ok(std::iter::once(row).skip(range.start).take(range.len()).collect())
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }
}

/// The registers of a frame; those that a callee did not save are left out.
pub(crate) struct RegisterList(pub(crate) Vec<(&'static str, u64)>);

impl Container for RegisterList {
    fn counts(&self) -> Counts {
        Counts { named: self.0.len(), indexed: 0 }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        let shown = self.0.iter().skip(range.start).take(range.len());
        Ok(shown
            .map(|(name, contents)| Variable {
                name: (*name).to_owned(),
                evaluate_name: None,
                value: Value { text: format!("{contents:#x}"), type_name: Some("u64".to_owned()), ..Value::default() },
            })
            .collect())
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }
}
