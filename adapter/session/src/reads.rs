//! Looking: stacks, scopes, variables, values. Each request runs on a worker of its own.

use std::ops::Range;
use std::sync::Arc;

use weft_protocol::spec::{
    EvaluateArguments, EvaluateResponse, ExceptionDetails, ExceptionInfoArguments, ExceptionInfoResponse, FrameHint,
    Scope, ScopeHint, ScopesArguments, ScopesResponse, StackFrame, StackTraceArguments, StackTraceResponse, Variable,
    VariablesArguments, VariablesFilter, VariablesResponse,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{self, Answer, Channel, Container, Counts, FrameBody, Row, ScopeKind, Target, Value};
use crate::handles::{Epoch, FrameSlot};
use crate::shared::Shared;

/// Rows of a stack that one answer contains at most; what is behind them is asked for with `startFrame`.
const MOST_ROWS: usize = 1 << 16;

/// Rows of a stack that is told as text.
const MOST_TEXT_ROWS: usize = 100;

/// Children that one answer contains at most.
const MOST_CHILDREN: usize = 10_000;

/// Serves `stackTrace`.
pub(crate) fn stack_trace(shared: &Shared, asked: &StackTraceArguments) -> Answer<StackTraceResponse> {
    let epoch = shared.need_look()?;
    let target = shared.target(asked.thread_id)?;
    let start = natural(asked.start_frame, "startFrame")?;
    let levels = match natural(asked.levels, "levels")? {
        0 => MOST_ROWS,
        levels => levels.min(MOST_ROWS),
    };
    let stack = shared.need_debuggee()?.stack(target, start..start.saturating_add(levels))?;
    let reader = Reader { shared, epoch };
    let rows = stack.rows.iter().zip(start..);
    let stack_frames: Vec<_> = rows.map(|(row, at)| reader.row(target, at, row)).collect::<Answer<_>>()?;
    // Of a stack that was not walked to its end there are more rows than these: the specification lets a client ask until
    // it gets fewer than it asked for, and editors offer more only if they are told of more.
    let more = start.saturating_add(stack_frames.len()).saturating_add(levels);
    Ok(StackTraceResponse { stack_frames, total_frames: Some(number(stack.total.unwrap_or(more))) })
}

/// Serves `scopes`.
pub(crate) fn scopes(shared: &Shared, asked: &ScopesArguments) -> Answer<ScopesResponse> {
    let epoch = shared.need_look()?;
    let frame = shared.handles().find_frame(asked.frame_id)?;
    let Some(frame) = frame else { return Ok(ScopesResponse { scopes: Vec::new() }) };
    let reader = Reader { shared, epoch };
    let scopes = frame.scopes()?.into_iter().map(|scope| reader.scope(scope)).collect::<Answer<_>>()?;
    Ok(ScopesResponse { scopes })
}

/// Serves `variables`.
pub(crate) fn variables(shared: &Shared, asked: &VariablesArguments) -> Answer<VariablesResponse> {
    let (epoch, _) = shared.need_stop()?;
    let container = shared.handles().find_container(asked.variables_reference)?;
    let counts = container.counted()?;
    let start = natural(asked.start, "start")?;
    let wanted = match natural(asked.count, "count")? {
        0 => usize::MAX,
        count => count,
    };
    let end = start.saturating_add(wanted.min(MOST_CHILDREN));
    let (children, all) = match asked.filter {
        Some(VariablesFilter::Named) => (container.named(start..end.min(counts.named))?, counts.named),
        Some(VariablesFilter::Indexed) => (container.indexed(start..end.min(counts.indexed))?, counts.indexed),
        None => (both(&*container, counts, start..end)?, counts.named.saturating_add(counts.indexed)),
    };
    let reader = Reader { shared, epoch };
    let mut variables = children.into_iter().map(|child| reader.variable(child)).collect::<Answer<Vec<_>>>()?;
    if wanted == usize::MAX && all > end {
        let value = format!("{} more, not shown", all.saturating_sub(end));
        variables.push(Variable { name: "…".into(), value, ..Variable::default() });
    }
    Ok(VariablesResponse { variables })
}

/// The named children, then the indexed ones, as one list.
fn both(container: &dyn Container, counts: Counts, range: Range<usize>) -> Answer<Vec<debuggee::Variable>> {
    let mut children = Vec::new();
    let named = range.start.min(counts.named)..range.end.min(counts.named);
    if !named.is_empty() {
        children.extend(container.named(named)?);
    }
    let past = |at: usize| at.saturating_sub(counts.named).min(counts.indexed);
    let indexed = past(range.start)..past(range.end);
    if !indexed.is_empty() {
        children.extend(container.indexed(indexed)?);
    }
    Ok(children)
}

/// The frame of a number, if one is given.
pub(crate) fn frame(shared: &Shared, id: Option<i64>) -> Answer<Option<Arc<dyn FrameBody>>> {
    let Some(id) = id else { return Ok(None) };
    let frame = shared.handles().find_frame(id)?;
    frame.map(Some).ok_or_else(|| Error::new(ErrorId::Evaluate, "this frame has no variables"))
}

/// Serves `evaluate`; `called_off`: whether it was cancelled meanwhile.
pub(crate) fn evaluate(
    shared: &Shared,
    asked: &EvaluateArguments,
    called_off: &dyn Fn() -> bool,
) -> Answer<EvaluateResponse> {
    let (epoch, _) = shared.need_stop()?;
    let expression = asked.expression.trim();
    if expression.is_empty() {
        return Err(Error::new(ErrorId::Evaluate, "nothing to evaluate"));
    }
    let context = asked.context.as_ref();
    // Looked up before it is used: what the program runs for it may take long, and others look up theirs meanwhile.
    let value = match frame(shared, asked.frame_id)? {
        Some(frame) => frame.evaluate_unless(expression, context, called_off)?,
        None => shared.need_debuggee()?.evaluate(expression, context)?,
    };
    let value = Reader { shared, epoch }.value(value)?;
    Ok(EvaluateResponse {
        result: value.text,
        type_field: value.type_name,
        presentation_hint: value.hint,
        variables_reference: value.reference,
        named_variables: value.named,
        indexed_variables: value.indexed,
        memory_reference: value.memory,
    })
}

/// Serves `exceptionInfo`.
pub(crate) fn exception_info(shared: &Shared, _: &ExceptionInfoArguments) -> Answer<ExceptionInfoResponse> {
    let (_, stopped) = shared.need_stop()?;
    let Some(exception) = stopped.exception.clone() else {
        return Err(Error::new(ErrorId::Unreadable, "the program was not stopped by an exception"));
    };
    let stack_trace = stopped.at.and_then(|at| stack_text(shared, at).ok());
    Ok(ExceptionInfoResponse {
        exception_id: exception.id,
        description: Some(exception.description),
        break_mode: if exception.fatal { "unhandled" } else { "always" },
        details: Some(ExceptionDetails {
            message: exception.message,
            type_name: Some(exception.type_name),
            stack_trace: stack_trace.filter(|text| !text.is_empty()),
        }),
    })
}

/// A stack as text, a line for each frame.
fn stack_text(shared: &Shared, of: Target) -> Answer<String> {
    let stack = shared.need_debuggee()?.stack(of, 0..MOST_TEXT_ROWS)?;
    let places = shared.places();
    let line = |row: &Row| match row {
        Row::Frame(frame) => match &frame.location {
            Some(at) => {
                format!("{} at {}:{}", frame.name, places.to_client(&at.file).display(), places.line(at.line))
            }
            None => frame.name.clone(),
        },
        Row::Task(key, name) => format!("task {} {name}", shared.tasks.numbering().task(*key)),
        Row::AwaitedBy(key, name) => format!("awaited by task {} {name}", shared.tasks.numbering().task(*key)),
        Row::Cut(why) => why.clone(),
    };
    Ok(stack.rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Puts what was read at one stop into DAP's words.
pub(crate) struct Reader<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) epoch: Epoch,
}

/// A value in DAP's words.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) type_name: Option<String>,
    hint: Option<weft_protocol::spec::VariableHint>,
    pub(crate) reference: i64,
    pub(crate) named: Option<i64>,
    pub(crate) indexed: Option<i64>,
    pub(crate) memory: Option<String>,
}

impl Reader<'_> {
    fn row(&self, target: Target, at: usize, row: &Row) -> Answer<StackFrame> {
        let slot = FrameSlot::Row(target, at);
        match row {
            Row::Frame(frame) => self.frame(slot, frame),
            Row::Task(key, name) => {
                let number = self.shared.tasks.numbering().task(*key);
                self.label(slot, format!("task {number} {name}"))
            }
            Row::AwaitedBy(key, name) => {
                let number = self.shared.tasks.numbering().task(*key);
                self.label(slot, format!("awaited by task {number} {name}"))
            }
            Row::Cut(why) => self.label(slot, why.clone()),
        }
    }

    fn frame(&self, slot: FrameSlot, frame: &debuggee::Frame) -> Answer<StackFrame> {
        let id = self.shared.handles().frame(self.epoch, slot, frame.body.clone())?;
        let subtle = frame.subtle && !self.shared.listing().shows_runtime_frames();
        let places = self.shared.places();
        let location = frame.location.as_ref();
        if let Some(advice) = location.filter(|_| frame.own).and_then(|at| places.advice(&at.file)) {
            self.shared.out.say(Channel::Console, &format!("weft: {advice}"));
        }
        Ok(StackFrame {
            id,
            name: frame.name.clone(),
            source: location.map(|location| places.source(&location.file)),
            line: location.map_or(0, |location| places.line(location.line)),
            column: location.map_or(0, |location| places.column(location.column)),
            instruction_pointer_reference: frame.instruction.map(|address| format!("{address:#x}")),
            can_restart: (!frame.restartable).then_some(false),
            presentation_hint: subtle.then_some(FrameHint::Subtle),
        })
    }

    fn label(&self, slot: FrameSlot, name: String) -> Answer<StackFrame> {
        Ok(StackFrame {
            id: self.shared.handles().frame(self.epoch, slot, None)?,
            name,
            source: None,
            line: 0,
            column: 0,
            instruction_pointer_reference: None,
            can_restart: Some(false),
            presentation_hint: Some(FrameHint::Label),
        })
    }

    fn scope(&self, scope: debuggee::Scope) -> Answer<Scope> {
        let (name, hint, expensive) = match scope.kind {
            ScopeKind::Arguments => ("Arguments", Some(ScopeHint::Arguments), false),
            ScopeKind::Locals => ("Locals", Some(ScopeHint::Locals), false),
            ScopeKind::Globals => ("Globals", None, true),
            ScopeKind::Statics => ("Statics", None, true),
            ScopeKind::Registers => ("Registers", Some(ScopeHint::Registers), true),
        };
        let (named, indexed) = self.counts(scope.variables.counts());
        Ok(Scope {
            name: name.into(),
            presentation_hint: hint,
            variables_reference: self.shared.handles().container(self.epoch, scope.variables)?,
            named_variables: named,
            indexed_variables: indexed,
            expensive,
            ..Scope::default()
        })
    }

    fn variable(&self, variable: debuggee::Variable) -> Answer<Variable> {
        let value = self.value(variable.value)?;
        Ok(Variable {
            name: variable.name,
            value: value.text,
            type_field: value.type_name,
            presentation_hint: value.hint,
            evaluate_name: variable.evaluate_name,
            variables_reference: value.reference,
            named_variables: value.named,
            indexed_variables: value.indexed,
            memory_reference: value.memory,
        })
    }

    pub(crate) fn value(&self, value: Value) -> Answer<Shown> {
        let client = self.shared.client();
        let (mut reference, mut named, mut indexed) = (0, None, None);
        if let Some(children) = value.children {
            (named, indexed) = self.counts(children.counts());
            reference = self.shared.handles().container(self.epoch, Arc::clone(&children))?;
        }
        Ok(Shown {
            text: value.text,
            type_name: value.type_name.filter(|_| client.shows_types),
            hint: value.hint,
            reference,
            named,
            indexed,
            memory: value.address.filter(|_| client.reads_memory).map(|address| format!("{address:#x}")),
        })
    }

    /// Counts make a client ask in pages; one that cannot is not told.
    fn counts(&self, counts: Counts) -> (Option<i64>, Option<i64>) {
        let pages = self.shared.client().pages_variables && counts.indexed > 0;
        (pages.then(|| number(counts.named)), pages.then(|| number(counts.indexed)))
    }
}

/// DAP counts in 31 bits.
fn number(count: usize) -> i64 {
    i64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// A number that may be left out and must not be negative.
fn natural(given: Option<i64>, name: &str) -> Answer<usize> {
    usize::try_from(given.unwrap_or(0))
        .map_err(|_| Error::new(ErrorId::InvalidArguments, format!("`{name}` must not be negative")))
}
