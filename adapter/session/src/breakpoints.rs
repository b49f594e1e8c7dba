//! Breakpoints of every kind: what the client asks for, in the debuggee's words and back.

mod book;
mod data;
mod filters;

use std::path::Path;

use weft_protocol::spec::{
    Breakpoint, BreakpointEventBody, SetBreakpointsArguments, SetBreakpointsResponse, SetDataBreakpointsArguments,
    SetExceptionBreakpointsArguments, SetFunctionBreakpointsArguments, SetInstructionBreakpointsArguments,
    SourceBreakpoint,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{
    Access, Answer, Bound, BreakpointSpec, Channel, DataSpec, Debuggee, FilterSpec, FunctionSpec, InstructionSpec,
    Terms,
};
use crate::lane::Lane;
use crate::lifecycle::Phase;
use crate::places::{Places, address_text, parse_address};

pub(crate) use book::{Asked, Book, Moves};
pub(crate) use data::info;
pub(crate) use filters::{modes, offered};

/// Breakpoints of one request that are accepted.
const MOST_BREAKPOINTS: usize = 10_000;

impl Lane {
    /// Serves a request that sets breakpoints. What cannot be done with one is said at that one; the others are set.
    pub(crate) fn set(&mut self, asked: Asked) -> Answer<SetBreakpointsResponse> {
        match self.phase {
            // Without a debuggee they wait for the next one.
            Phase::Configuring { .. } | Phase::Live | Phase::Over | Phase::Restarting { .. } => {}
            _ => return Err(Error::new(ErrorId::WrongState, "breakpoints can be set once `initialized` was sent")),
        }
        if asked.len() > MOST_BREAKPOINTS {
            return Err(Error::new(ErrorId::InvalidArguments, format!("more than {MOST_BREAKPOINTS} breakpoints")));
        }
        let breakpoints = self.put(&asked, &[])?;
        self.book.keep(asked, &breakpoints);
        Ok(SetBreakpointsResponse { breakpoints })
    }

    /// Sets what was asked; those that are the same as in `before`, by their place, keep its numbers.
    fn put(&mut self, asked: &Asked, before: &[Breakpoint]) -> Answer<Vec<Breakpoint>> {
        match asked {
            Asked::Lines(asked) => self.put_lines(asked, before),
            Asked::Functions(asked) => self.put_functions(asked, before),
            Asked::Instructions(asked) => self.put_instructions(asked, before),
            Asked::Data(asked) => self.put_data(asked, before),
            Asked::Exceptions(asked) => self.put_exceptions(asked, before),
        }
    }

    fn put_lines(&mut self, asked: &SetBreakpointsArguments, before: &[Breakpoint]) -> Answer<Vec<Breakpoint>> {
        let places = self.shared.places();
        let path = places.path_of(&asked.source);
        let checked = wanted_lines(asked).iter().map(|wanted| line_spec(wanted, path.as_deref(), &places)).collect();
        let file = path.as_deref().map(|path| places.from_client(path));
        if let Some(real) = path.as_deref().and_then(|path| path.canonicalize().ok()) {
            places.learn(path.as_deref().unwrap_or(&real), &real);
        }
        self.apply(checked, before, |debuggee, specs: &[BreakpointSpec]| match &file {
            // An empty list removes what was set before.
            Some(file) => {
                let mut bound = debuggee.set_breakpoints(file, specs)?;
                bound.iter_mut().for_each(|bound| advise(bound, path.as_deref().unwrap_or(file), &places));
                Ok(bound)
            }
            None => Ok(Vec::new()),
        })
    }

    fn put_functions(
        &mut self,
        asked: &SetFunctionBreakpointsArguments,
        before: &[Breakpoint],
    ) -> Answer<Vec<Breakpoint>> {
        let checked = asked.breakpoints.iter().map(|wanted| {
            let name = wanted.name.trim().to_owned();
            if name.is_empty() {
                return Err("a function breakpoint needs a name: `run`, `Handler::run` or `/a regex/`".to_owned());
            }
            let in_focus = filters::is_in_focus(wanted.mode.as_deref())?;
            let terms = Terms { in_focus, ..terms(&wanted.condition, &wanted.hit_condition, &wanted.log_message) };
            Ok(FunctionSpec { name, terms })
        });
        self.apply(checked.collect(), before, |debuggee, specs| debuggee.set_function_breakpoints(specs))
    }

    fn put_instructions(
        &mut self,
        asked: &SetInstructionBreakpointsArguments,
        before: &[Breakpoint],
    ) -> Answer<Vec<Breakpoint>> {
        let checked = asked.breakpoints.iter().map(|wanted| {
            let address = parse_address(&wanted.instruction_reference, wanted.offset).map_err(|error| error.message)?;
            let in_focus = filters::is_in_focus(wanted.mode.as_deref())?;
            let terms = Terms { in_focus, ..terms(&wanted.condition, &wanted.hit_condition, &None) };
            Ok(InstructionSpec { address, terms })
        });
        self.apply(checked.collect(), before, |debuggee, specs| debuggee.set_instruction_breakpoints(specs))
    }

    fn put_data(&mut self, asked: &SetDataBreakpointsArguments, before: &[Breakpoint]) -> Answer<Vec<Breakpoint>> {
        let checked = asked.breakpoints.iter().map(|wanted| {
            let data = data::parse(&wanted.data_id)
                .ok_or("this `dataId` was not given by `dataBreakpointInfo`: ask it again")?;
            let access = wanted.access_type.map_or(Access::Write, data::access);
            Ok(DataSpec { data, access, terms: terms(&wanted.condition, &wanted.hit_condition, &None) })
        });
        self.apply(checked.collect(), before, |debuggee, specs| debuggee.set_data_breakpoints(specs))
    }

    fn put_exceptions(
        &mut self,
        asked: &SetExceptionBreakpointsArguments,
        before: &[Breakpoint],
    ) -> Answer<Vec<Breakpoint>> {
        self.apply(filters::specs(asked, self.runtime()), before, |debuggee, specs: &[FilterSpec]| {
            debuggee.set_exception_filters(specs)
        })
    }

    fn apply<S>(
        &mut self,
        checked: Vec<Result<S, String>>,
        before: &[Breakpoint],
        set: impl FnOnce(&dyn Debuggee, &[S]) -> Answer<Vec<Bound>>,
    ) -> Answer<Vec<Breakpoint>> {
        let mut specs = Vec::with_capacity(checked.len());
        let checked: Vec<Result<(), String>> =
            checked.into_iter().map(|spec| spec.map(|spec| specs.push(spec))).collect();
        let Some(debuggee) = self.shared.debuggee().filter(|_| !self.no_debug) else {
            return Ok(self.put_off(checked));
        };
        let mut bound = match set(&*debuggee, &specs) {
            // It is gone, and its end is still to be told.
            Err(error) if error.id == ErrorId::NoDebuggee => return Ok(self.put_off(checked)),
            bound => bound?.into_iter(),
        };
        let places = self.shared.places();
        let kept = before.iter().map(|breakpoint| breakpoint.id).chain(std::iter::repeat(None));
        let mut answers = Vec::with_capacity(checked.len());
        for (spec, kept) in checked.into_iter().zip(kept) {
            answers.push(match (spec, kept) {
                (Err(why), _) => failed(why),
                (Ok(()), kept) => match bound.next() {
                    Some(mut found) => {
                        found.id = self.book.number(found.id, kept);
                        shown(found, &places)
                    }
                    None => failed("it was not set".to_owned()),
                },
            });
        }
        Ok(answers)
    }

    /// Answers for breakpoints that no program is there for. A restart sets them, and says so by their numbers.
    fn put_off(&mut self, checked: Vec<Result<(), String>>) -> Vec<Breakpoint> {
        let ended = "the program has ended, or is not debugged in this session any more";
        let runs_on = self.no_debug && self.shared.debuggee().is_some();
        let answer = |spec: Result<(), String>| match spec {
            Err(why) => failed(why),
            Ok(()) if self.no_debug => {
                failed(if runs_on { "the program runs without debugging" } else { ended }.into())
            }
            Ok(()) => Breakpoint {
                id: Some(self.book.fresh()),
                message: Some(ended.to_owned()),
                reason: Some("pending"),
                ..Breakpoint::default()
            },
        };
        checked.into_iter().map(answer).collect()
    }

    /// News of a breakpoint.
    pub(crate) fn breakpoint_changed(&mut self, mut bound: Bound) {
        bound.id = self.book.number(bound.id, None);
        let breakpoint = shown(bound, &self.shared.places());
        self.book.learn(&breakpoint);
        self.shared.out.event("breakpoint", &BreakpointEventBody { reason: "changed", breakpoint });
    }

    /// The end of a breakpoint.
    pub(crate) fn breakpoint_removed(&mut self, id: i64, why: String) {
        let id = self.book.number(id, None);
        self.book.forget(id);
        self.remove(id, why);
    }

    fn remove(&self, id: i64, why: String) {
        self.shared.out.say(Channel::Console, &format!("weft: {why}"));
        let breakpoint = Breakpoint { id: Some(id), message: Some(why), ..Breakpoint::default() };
        self.shared.out.event("breakpoint", &BreakpointEventBody { reason: "removed", breakpoint });
    }

    /// Sets in a new debuggee what was set in the one before, and says what came out differently.
    pub(crate) fn set_all_again(&mut self, moves: &Moves) {
        self.book.forget_numbers();
        for (asked, before) in self.book.take() {
            let (asked, before, lost) = moves.apply(asked, before);
            for (id, why) in lost {
                self.remove(id, why);
            }
            match self.put(&asked, &before) {
                Ok(now) => {
                    for breakpoint in now.iter().filter(|now| now.id.is_some() && !before.contains(now)) {
                        let body = BreakpointEventBody { reason: "changed", breakpoint: breakpoint.clone() };
                        self.shared.out.event("breakpoint", &body);
                    }
                    self.book.keep(asked, &now);
                }
                Err(error) => {
                    self.shared.out.say(Channel::Important, &format!("weft: breakpoints were lost: {error}"));
                }
            }
        }
    }
}

fn wanted_lines(asked: &SetBreakpointsArguments) -> Vec<SourceBreakpoint> {
    match (&asked.breakpoints, &asked.lines) {
        (Some(breakpoints), _) => breakpoints.clone(),
        (None, Some(lines)) => {
            lines.iter().map(|line| SourceBreakpoint { line: *line, ..SourceBreakpoint::default() }).collect()
        }
        (None, None) => Vec::new(),
    }
}

/// Notes where the client sees the file, or says how it could be found.
fn advise(bound: &mut Bound, given: &Path, places: &Places) {
    if let Some(at) = &bound.at {
        places.learn(given, &at.file);
    }
    let advice = bound.similar.as_deref().and_then(|similar| places.advice_for(given, similar));
    if let (Some(message), Some(advice)) = (&mut bound.message, advice) {
        message.push_str("; ");
        message.push_str(&advice);
    }
}

fn line_spec(asked: &SourceBreakpoint, path: Option<&Path>, places: &Places) -> Result<BreakpointSpec, String> {
    if path.is_none() {
        return Err("a breakpoint needs a file with a path".into());
    }
    let in_focus = filters::is_in_focus(asked.mode.as_deref())?;
    let line = places.line_from_client(asked.line).ok_or("there is no such line")?;
    let column = asked.column.map(|column| places.column_from_client(column).ok_or("there is no such column"));
    let terms = Terms { in_focus, ..terms(&asked.condition, &asked.hit_condition, &asked.log_message) };
    Ok(BreakpointSpec { line, column: column.transpose()?, terms })
}

/// Empty texts are those of fields that a user left empty.
fn terms(condition: &Option<String>, hits: &Option<String>, log: &Option<String>) -> Terms {
    let given = |text: &Option<String>| text.as_deref().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    Terms { condition: given(condition), hits: given(hits), log: given(log), in_focus: false }
}

fn failed(message: String) -> Breakpoint {
    Breakpoint { message: Some(message), reason: Some("failed"), ..Breakpoint::default() }
}

fn shown(bound: Bound, places: &Places) -> Breakpoint {
    let at = bound.at.as_ref();
    Breakpoint {
        id: Some(bound.id),
        verified: bound.verified,
        message: bound.message,
        source: at.map(|location| places.source(&location.file)),
        line: at.map(|location| places.line(location.line)),
        column: at.filter(|location| location.column > 0).map(|location| places.column(location.column)),
        instruction_reference: bound.address.map(address_text),
        reason: None,
    }
}
