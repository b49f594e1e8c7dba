//! Breakpoints, in pydevd's words and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};
use weft_protocol::ErrorId;
use weft_session::config::TaskExceptions;
use weft_session::debuggee::{Answer, Bound, BreakpointSpec, ExceptionFilter, FilterSpec, FunctionSpec};
use weft_tasks::Location;

use crate::face::Face;
use crate::link::PATIENCE;
use crate::stack::read;
use crate::state::fault_as;
use crate::terms;

/// pydevd counts its breakpoints from 0; what it has no number for is counted from here.
const FIRST_OF_OURS: i64 = 1 << 32;

/// Numbers for what pydevd has none for.
pub(crate) struct Minted(AtomicI64);

impl Default for Minted {
    fn default() -> Self {
        Self(AtomicI64::new(FIRST_OF_OURS))
    }
}

impl Minted {
    fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// A breakpoint, as pydevd tells of it.
#[derive(Debug, Deserialize)]
pub(crate) struct PydevdBreakpoint {
    id: i64,
    verified: bool,
    line: Option<u32>,
    message: Option<String>,
    source: Option<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Set {
    breakpoints: Vec<PydevdBreakpoint>,
}

/// The number of a breakpoint, from pydevd's.
pub(crate) fn number(pydevd: i64) -> i64 {
    pydevd.saturating_add(1)
}

impl PydevdBreakpoint {
    /// In the session's words.
    pub(crate) fn bound(self) -> Bound {
        let at = self.source.and_then(|source| source.path).zip(self.line);
        Bound {
            id: number(self.id),
            verified: self.verified,
            at: at.filter(|_| self.verified).map(|(file, line)| Location { file, line, column: 0 }),
            // Only its first line is for users: the rest repeats it in other words.
            message: self.message.map(|text| text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()),
            ..Bound::default()
        }
    }
}

pub(crate) fn lines(face: &Face, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
    let breakpoints: Vec<Value> = wanted
        .iter()
        .map(|spec| {
            let mut asked = terms::asked(face, &spec.terms, &format!("{}:{}", file.display(), spec.line));
            asked["line"] = json!(spec.line);
            asked
        })
        .collect();
    set(face, "setBreakpoints", &json!({"source": {"path": file}, "breakpoints": breakpoints}))
}

pub(crate) fn functions(face: &Face, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
    let breakpoints: Vec<Value> = wanted
        .iter()
        .map(|spec| {
            let mut asked = terms::asked(face, &spec.terms, &spec.name);
            asked["name"] = json!(spec.name);
            asked
        })
        .collect();
    set(face, "setFunctionBreakpoints", &json!({"breakpoints": breakpoints}))
}

fn set(face: &Face, command: &'static str, arguments: &Value) -> Answer<Vec<Bound>> {
    let answer = face.link.request(command, arguments, PATIENCE);
    let answer = answer.map_err(|fault| fault_as(ErrorId::Control, fault))?;
    Ok(read::<Set>(answer)?.breakpoints.into_iter().map(PydevdBreakpoint::bound).collect())
}

pub(crate) fn exceptions(face: &Face, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
    let mut asked: Vec<Result<Filter, String>> = wanted.iter().map(|spec| checked(face, spec)).collect();
    let named = |name: fn(Filter) -> Option<&'static str>| {
        conditions(wanted.iter().zip(&asked).filter_map(|(spec, filter)| Some((name(*filter.as_ref().ok()?)?, spec))))
    };
    let (pydevds, own) = (named(Filter::pydevds), named(Filter::probes));
    // First: nothing is to stop without its condition meanwhile.
    if let Some(why) = face.tasks.as_ref().and_then(|tasks| tasks.set_conditions(&pydevds, &own).err()) {
        for (_, filter) in wanted.iter().zip(&mut asked).filter(|(spec, _)| spec.condition.is_some()) {
            *filter = filter.clone().and(Err(why.clone()));
        }
    }
    let filters: Vec<&str> = asked.iter().flatten().filter_map(|filter| filter.pydevds()).collect();
    let answer = face.link.request("setExceptionBreakpoints", &json!({"filters": filters}), PATIENCE);
    answer.map_err(|fault| fault_as(ErrorId::Control, fault))?;
    let probes: Vec<&str> = asked.iter().flatten().filter_map(|filter| filter.probes()).collect();
    let unseen = match &face.tasks {
        Some(tasks) => tasks.stop_at(&probes).err(),
        None => Some("the program's tasks are not seen: the console says why".to_owned()),
    };
    let bound = |asked: Result<Filter, String>| {
        let asked = asked.and_then(|filter| match (filter, &unseen) {
            (Filter::Probe(_), Some(why)) => Err(why.clone()),
            _ => Ok(()),
        });
        Bound { id: face.minted.next(), verified: asked.is_ok(), message: asked.err(), ..Bound::default() }
    };
    Ok(asked.into_iter().map(bound).collect())
}

/// The conditions of filters by their names: who is asked for more than once stops for each of them, or always.
fn conditions<'a>(wanted: impl Iterator<Item = (&'static str, &'a FilterSpec)>) -> Value {
    let mut found: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (name, spec) in wanted {
        let own = spec.condition.clone();
        let now = match found.remove(name) {
            // Each may end in a comment.
            Some(before) => before.zip(own).map(|(before, own)| format!("({before}\n) or ({own}\n)")),
            None => own,
        };
        found.insert(name, now);
    }
    found.into_iter().filter_map(|(name, condition)| Some((name.to_owned(), Value::from(condition?)))).collect()
}

/// Who sees to a filter, or why it cannot be, also because of its condition.
fn checked(face: &Face, spec: &FilterSpec) -> Result<Filter, String> {
    let found = filter(spec)?;
    if let Some(condition) = &spec.condition {
        let without = "conditions of exceptions need the probe: the console says why it is not there";
        let said = face.tasks.as_ref().ok_or(without)?.check_condition(condition);
        said.map_err(|why| format!("the condition cannot be evaluated: {why}"))?;
    }
    Ok(found)
}

/// Who sees to a filter, by its name there.
#[derive(Clone, Copy)]
enum Filter {
    Pydevd(&'static str),
    Probe(&'static str),
}

impl Filter {
    fn pydevds(self) -> Option<&'static str> {
        if let Self::Pydevd(name) = self { Some(name) } else { None }
    }

    fn probes(self) -> Option<&'static str> {
        if let Self::Probe(name) = self { Some(name) } else { None }
    }
}

/// The probe's names of the filters that hold until a client says which it wants.
pub(crate) fn unasked(wanted: TaskExceptions) -> &'static [&'static str] {
    match wanted {
        TaskExceptions::NeverRetrieved => &["never-retrieved"],
        TaskExceptions::Unhandled => &["task-failed"],
        TaskExceptions::Never => &[],
    }
}

/// Who sees to a filter, or why it cannot be.
fn filter(spec: &FilterSpec) -> Result<Filter, String> {
    match spec.filter {
        ExceptionFilter::Raised => Ok(Filter::Pydevd("raised")),
        ExceptionFilter::Uncaught => Ok(Filter::Pydevd("uncaught")),
        ExceptionFilter::UserUnhandled => Ok(Filter::Pydevd("userUnhandled")),
        ExceptionFilter::TaskFailed => Ok(Filter::Probe("task-failed")),
        ExceptionFilter::NeverRetrieved => Ok(Filter::Probe("never-retrieved")),
        ExceptionFilter::Panic | ExceptionFilter::PanicInTask | ExceptionFilter::LongPoll => {
            Err("a Python program has no panics and no polls".to_owned())
        }
    }
}
