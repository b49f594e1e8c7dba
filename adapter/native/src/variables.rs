//! Places as variables with children.

use std::ops::Range;
use std::sync::Arc;

use weft_memory::{MemAddr, MemoryError};
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Container, Counts, Value, Variable, Watchable};
use weft_values::{Child, Filter, FrameVariable, Place, Stop, ValueError, as_operand, children, place_target, view};

use crate::breakpoints::watchable;
use crate::frame::Home;

/// How deep a one-line summary looks into a value.
const SUMMARY_DEPTH: usize = 3;

/// Children that are looked through for one of a name.
const MOST_SEARCHED: u64 = 10_000;

/// Fails once the program has run on: what was read since then is of no moment.
pub(crate) fn still(stop: &Stop) -> Answer<()> {
    match stop.memory.read(MemAddr::new(0), &mut [0]) {
        Err(MemoryError::Resumed) => Err(Error::resumed()),
        _ => Ok(()),
    }
}

/// What stands at a place; `expression` evaluates to it in its frame, if there is such an expression.
pub(crate) fn value(home: &Arc<Home>, place: Place, expression: Option<String>) -> Value {
    part_value(home, place, expression, None)
}

/// See [`value`]; `fixed`: why nothing of it is changed, if so.
fn part_value(home: &Arc<Home>, place: Place, expression: Option<String>, fixed: Option<&'static str>) -> Value {
    let view = view(&home.stop(), &place, SUMMARY_DEPTH);
    let counts = Counts {
        named: view.children.named,
        indexed: view.children.indexed.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX)),
    };
    let container = (counts != Counts::default())
        .then(|| Arc::new(Inside { home: Arc::clone(home), place, expression, counts, fixed }) as Arc<dyn Container>);
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
    home: Arc<Home>,
    place: Place,
    expression: Option<String>,
    counts: Counts,
    /// Why nothing of it is changed: it is part of what goes by its value.
    fixed: Option<&'static str>,
}

impl Inside {
    fn list(&self, filter: Filter, range: Range<usize>) -> Answer<Vec<Variable>> {
        let (start, count) = (range.start as u64, range.len() as u64);
        let stop = self.home.stop();
        let found = children(&stop, &self.place, filter, start, count);
        let list = found.into_iter().map(|child| self.variable(child)).collect();
        still(&stop)?;
        Ok(list)
    }

    /// The only child of that name, or a sentence: why it cannot be said which one that is.
    fn child(&self, stop: &Stop, name: &str) -> Answer<Result<Child, String>> {
        let index = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|at| at.parse().ok());
        let by_index = index.filter(|_| self.counts.indexed > 0);
        let mut found = by_index.map(|at| children(stop, &self.place, Filter::Indexed, at, 1)).unwrap_or_default();
        let mut is_all = true;
        // The key of a map's entry may look like an index.
        if found.first().is_none_or(|child| child.name != name) {
            found = children(stop, &self.place, Filter::All, 0, MOST_SEARCHED);
            is_all = self.counts.indexed as u64 <= MOST_SEARCHED;
        }
        still(stop)?;
        Ok(only(found.into_iter().filter(|child| child.name == name), name, is_all))
    }

    /// The expression of a part.
    fn part(&self, access: Option<&str>) -> Option<String> {
        let (own, access) = self.expression.as_deref().zip(access)?;
        Some(format!("{}{access}", as_operand(own)))
    }

    fn variable(&self, child: Child) -> Variable {
        let expression = self.part(child.access.as_deref());
        let shown = match child.place {
            Ok(place) => part_value(&self.home, place, expression.clone(), self.fixed.or(child.fixed)),
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
        let stop = self.home.stop();
        let child = match self.child(&stop, name)? {
            Ok(child) => child,
            Err(why) => return Ok(Watchable::No(why)),
        };
        let full = self.part(child.access.as_deref()).unwrap_or_else(|| name.to_owned());
        Ok(match child.place {
            Ok(place) => watch_place(&stop, &place, &full, self.home.thread()),
            Err(error) => Watchable::No(error.to_string()),
        })
    }

    fn assign(&self, name: &str, value: &str) -> Answer<Value> {
        let child = self.child(&self.home.stop(), name)?.map_err(not_set)?;
        if let Some(why) = self.fixed.or(child.fixed) {
            return Err(not_set(why.to_owned()));
        }
        let expression = self.part(child.access.as_deref());
        self.home.set(child.place.map_err(unreadable)?, value, expression)
    }
}

/// The only one of those that have a name, or a sentence. `is_all`: all that there are were looked at.
fn only<T>(mut named: impl Iterator<Item = T>, name: &str, is_all: bool) -> Result<T, String> {
    // Of two long keys, what was cut away may be the difference.
    let may_recur = !is_all && name.contains('…');
    match (named.next(), named.next()) {
        (Some(found), None) if !may_recur => Ok(found),
        (None, _) if is_all => Err(format!("there is no `{name}` here")),
        (None, _) => Err(format!(
            "`{name}` is not among the first 10,000 here, and no more are looked through for a name; what has an \
             expression is reached by that"
        )),
        (Some(_), _) => Err(format!(
            "more than one may be called `{name}` here, so that it is not known which is meant; what has an expression is \
             reached by that"
        )),
    }
}

fn not_set(why: String) -> Error {
    Error::new(ErrorId::Evaluate, why)
}

fn unreadable(error: ValueError) -> Error {
    Error::new(ErrorId::Evaluate, error)
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
    pub(crate) home: Arc<Home>,
    pub(crate) list: Vec<FrameVariable>,
}

impl ScopeVariables {
    fn of_name(&self, name: &str) -> Result<&FrameVariable, String> {
        only(self.list.iter().filter(|variable| variable.label() == name), name, true)
    }
}

impl Container for ScopeVariables {
    fn counts(&self) -> Counts {
        Counts { named: self.list.len(), indexed: 0 }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        let shown = self.list.iter().skip(range.start).take(range.len());
        let list = shown.map(|variable| frame_variable(&self.home, variable)).collect();
        still(&self.home.stop())?;
        Ok(list)
    }

    fn indexed(&self, _range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn watch(&self, name: &str) -> Answer<Watchable> {
        let variable = match self.of_name(name) {
            Ok(variable) => variable,
            Err(why) => return Ok(Watchable::No(why)),
        };
        let stop = self.home.stop();
        let found = match &variable.place {
            Ok(place) => watch_place(&stop, place, &variable.name, self.home.thread()),
            Err(error) => Watchable::No(error.to_string()),
        };
        still(&stop)?;
        Ok(found)
    }

    fn assign(&self, name: &str, value: &str) -> Answer<Value> {
        let variable = self.of_name(name).map_err(not_set)?;
        self.home.set(variable.place.clone().map_err(unreadable)?, value, expression_of(variable))
    }
}

/// The expression that a variable is reached by: one that is shadowed has none.
fn expression_of(variable: &FrameVariable) -> Option<String> {
    (!variable.shadowed).then(|| weft_values::typed_name(&variable.name))
}

fn frame_variable(home: &Arc<Home>, variable: &FrameVariable) -> Variable {
    let expression = expression_of(variable);
    let type_name = variable.ty.as_ref().map(weft_values::type_name);
    let mut shown = match &variable.place {
        Ok(place) => value(home, place.clone(), expression.clone()),
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

/// The registers of a frame; they are not set. Those that a callee did not save are left out.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_or_none() {
        let told = |found: &[u8], name, is_all| only(found.iter().copied(), name, is_all);
        assert_eq!(told(&[1], "x", true), Ok(1));
        assert_eq!(told(&[1], "[\"long…\"]", true), Ok(1));
        assert_eq!(told(&[1], "[7]", false), Ok(1));
        let refused = |found, name, is_all| told(found, name, is_all).expect_err("it is not known");
        assert_eq!(refused(&[], "x", true), "there is no `x` here");
        assert!(refused(&[], "[7]", false).starts_with("`[7]` is not among the first 10,000 here"));
        assert!(refused(&[1, 2], "x (shadowed)", true).starts_with("more than one may be called `x (shadowed)` here"));
        assert!(refused(&[1], "[\"long…\"]", false).starts_with("more than one may be called"));
    }
}
