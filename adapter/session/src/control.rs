//! Breakpoints, run control, and what the debuggee reports in between.

use std::path::Path;

use weft_protocol::async_dap::{AsyncFocusTaskArguments, AsyncTasksChangedEventBody};
use weft_protocol::spec::{
    Breakpoint, BreakpointEventBody, ContinueArguments, ContinueResponse, ContinuedEventBody, NextArguments,
    PauseArguments, SetBreakpointsArguments, SetBreakpointsResponse, SetExceptionBreakpointsArguments,
    SetFunctionBreakpointsArguments, SourceBreakpoint, StepInArguments, StepOutArguments, SteppingGranularity,
    StoppedEventBody, ThreadEventBody, ThreadReason,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{
    Answer, Bound, BreakpointSpec, DebuggeeEvent, Granularity, Resume, StepKind, StopReason, Stopped, Target,
};
use crate::lane::Lane;
use crate::lifecycle::Phase;
use crate::outbox::Ticket;
use crate::places::Places;
use crate::shared::Position;
use crate::threads::announce;

/// Breakpoints of one file that are accepted.
const MOST_BREAKPOINTS: usize = 10_000;

impl Lane {
    /// Serves `setBreakpoints`. What this version cannot do with a breakpoint is said at that breakpoint; the others
    /// of the file are set.
    pub(crate) fn set_breakpoints(&self, asked: &SetBreakpointsArguments) -> Answer<SetBreakpointsResponse> {
        match self.phase {
            Phase::Configuring { .. } | Phase::Live | Phase::Over => {}
            _ => return Err(Error::new(ErrorId::WrongState, "breakpoints can be set once `initialized` was sent")),
        }
        let places = self.shared.places();
        let wanted = match (&asked.breakpoints, &asked.lines) {
            (Some(breakpoints), _) => breakpoints.clone(),
            (None, Some(lines)) => {
                lines.iter().map(|line| SourceBreakpoint { line: *line, ..SourceBreakpoint::default() }).collect()
            }
            (None, None) => Vec::new(),
        };
        if wanted.len() > MOST_BREAKPOINTS {
            return Err(Error::new(ErrorId::InvalidArguments, format!("more than {MOST_BREAKPOINTS} breakpoints")));
        }
        let path = asked.source.path.as_deref().filter(|path| !path.is_empty());
        let checked: Vec<Result<BreakpointSpec, String>> =
            wanted.iter().map(|breakpoint| self.check(breakpoint, path, &places)).collect();
        let specs: Vec<BreakpointSpec> = checked.iter().flatten().cloned().collect();
        let mut bound = match (path, self.shared.debuggee()) {
            // An empty list removes what was set before.
            (Some(path), Some(debuggee)) if !self.no_debug => {
                debuggee.set_breakpoints(&places.from_client(Path::new(path)), &specs)?
            }
            _ => Vec::new(),
        }
        .into_iter();
        let breakpoints = checked
            .into_iter()
            .map(|spec| match spec {
                Ok(_) => bound.next().map_or_else(|| failed("it was not set".into()), |bound| shown(bound, &places)),
                Err(why) => failed(why),
            })
            .collect();
        Ok(SetBreakpointsResponse { breakpoints })
    }

    /// What of a breakpoint this version can do, or why nothing.
    fn check(&self, asked: &SourceBreakpoint, path: Option<&str>, places: &Places) -> Result<BreakpointSpec, String> {
        if path.is_none() {
            return Err("a breakpoint needs a file with a path".into());
        }
        if self.no_debug {
            return Err("the program runs without debugging".into());
        }
        if self.shared.debuggee().is_none() {
            return Err("the program has ended".into());
        }
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        for (name, is_given) in [
            ("conditions", given(&asked.condition)),
            ("hit conditions", given(&asked.hit_condition)),
            ("log messages", given(&asked.log_message)),
            ("breakpoint modes", given(&asked.mode)),
        ] {
            if is_given {
                return Err(format!("{name} are not supported yet, so this breakpoint is not set"));
            }
        }
        let line = places.line_from_client(asked.line).ok_or("there is no such line")?;
        let column = asked.column.map(|column| places.column_from_client(column).ok_or("there is no such column"));
        Ok(BreakpointSpec { line, column: column.transpose()? })
    }

    /// Answers `setFunctionBreakpoints`, which is not offered.
    pub(crate) fn refuse_function_breakpoints(asked: &SetFunctionBreakpointsArguments) -> SetBreakpointsResponse {
        let refused = |_| failed("function breakpoints are not supported yet".into());
        SetBreakpointsResponse { breakpoints: asked.breakpoints.iter().map(refused).collect() }
    }

    /// Answers `setExceptionBreakpoints`: no filters are offered, and clients send an empty list unasked.
    pub(crate) fn refuse_filters(asked: &SetExceptionBreakpointsArguments) -> SetBreakpointsResponse {
        let options = asked.filter_options.iter().flatten().map(|option| &option.filter_id);
        let refused = |filter: &String| failed(format!("the exception filter `{filter}` is not supported yet"));
        SetBreakpointsResponse { breakpoints: asked.filters.iter().chain(options).map(refused).collect() }
    }

    pub(crate) fn go_on(&self, asked: &ContinueArguments, ticket: Ticket) {
        match self.resume(asked.single_thread, Resume::Continue) {
            Ok(()) => ticket.ok(&ContinueResponse { all_threads_continued: true }),
            Err(error) => ticket.fail(error),
        }
    }

    pub(crate) fn next(&self, asked: &NextArguments) -> Answer<()> {
        self.step(StepKind::Over, asked.thread_id, asked.single_thread, asked.granularity.as_ref())
    }

    pub(crate) fn step_in(&self, asked: &StepInArguments) -> Answer<()> {
        if asked.target_id.is_some() {
            return Err(Error::new(ErrorId::NotSupported, "`targetId`: step targets are not supported yet"));
        }
        self.step(StepKind::In, asked.thread_id, asked.single_thread, asked.granularity.as_ref())
    }

    pub(crate) fn step_out(&self, asked: &StepOutArguments) -> Answer<()> {
        self.step(StepKind::Out, asked.thread_id, asked.single_thread, asked.granularity.as_ref())
    }

    fn step(
        &self,
        kind: StepKind,
        thread: i64,
        single: Option<bool>,
        granularity: Option<&SteppingGranularity>,
    ) -> Answer<()> {
        let of = self.shared.target(thread)?;
        let granularity = match granularity {
            Some(SteppingGranularity::Instruction) => Granularity::Instruction,
            Some(SteppingGranularity::Line | SteppingGranularity::Statement) | None => Granularity::Line,
        };
        self.resume(single, Resume::Step { kind, of, granularity })
    }

    fn resume(&self, single: Option<bool>, how: Resume) -> Answer<()> {
        match self.shared.position() {
            Position::Stopped(..) => {}
            Position::Running => return Err(Error::new(ErrorId::Running, "the program is running already")),
            Position::Nowhere => return Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged")),
        }
        if single == Some(true) {
            return Err(Error::new(ErrorId::NotSupported, "`singleThread`: running one thread is not supported yet"));
        }
        let task = match how {
            Resume::Step { of: Target::Task(key), .. } => Some(key),
            _ => None,
        };
        self.shared.need_debuggee()?.resume(how)?;
        self.stepping.set(task);
        self.shared.leave(Position::Running);
        Ok(())
    }

    pub(crate) fn pause(&self, asked: &PauseArguments) -> Answer<()> {
        match self.shared.position() {
            Position::Running => self.shared.need_debuggee()?.pause(self.shared.target(asked.thread_id).ok()),
            Position::Stopped(..) => Ok(()),
            Position::Nowhere => Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged")),
        }
    }

    pub(crate) fn focus(&self, asked: &AsyncFocusTaskArguments, ticket: Ticket) {
        let result = self.find_live(asked.task);
        let (key, generation) = match result {
            Ok(found) => found,
            Err(error) => return ticket.fail(error),
        };
        let is_new = self.shared.listing().focus(key);
        ticket.done();
        if is_new {
            announce(&self.shared, key, ThreadReason::Started);
        }
        let stopped = Stopped {
            reason: StopReason::Pause,
            at: Some(Target::Task(key)),
            description: None,
            text: None,
            breakpoints: Vec::new(),
        };
        self.tell_stop(&stopped, generation);
    }

    /// A task that exists at the current stop, and the generation it was seen in.
    fn find_live(&self, number: i64) -> Answer<(weft_tasks::TaskKey, u64)> {
        let Some(look) = self.shared.tasks.here() else {
            self.shared.need_stop()?;
            return Err(Error::running());
        };
        let key = self.shared.tasks.find(number)?;
        let snapshot = self.shared.tasks.look(&look, &*self.shared.need_debuggee()?)?;
        if !snapshot.tasks.iter().any(|task| task.key == key) {
            return Err(Error::new(ErrorId::UnknownTask, format!("task {number} has ended")));
        }
        Ok((key, look.generation))
    }

    pub(crate) fn event(&mut self, event: DebuggeeEvent) {
        match self.phase {
            Phase::Loading { .. } => return self.early.push(event),
            Phase::Configuring { .. } | Phase::Live => {}
            Phase::New | Phase::Ready | Phase::Abandoned { .. } | Phase::Over => return,
        }
        let out = &self.shared.out;
        let thread = |reason, thread_id| out.event("thread", &ThreadEventBody { reason, thread_id });
        match event {
            DebuggeeEvent::Stopped(mut stopped) => {
                let stepped = self.stepping.take();
                // A sentence says that the step ended in an unusual way, perhaps with the task.
                if let (Some(key), StopReason::Step, None) = (stepped, stopped.reason, &stopped.description) {
                    stopped.at = Some(Target::Task(key));
                }
                let generation = self.shared.stop(stopped.clone());
                if let Some(Target::Task(key)) = stopped.at
                    && self.shared.listing().focus(key)
                {
                    // A client looks for the thread that a stop names.
                    announce(&self.shared, key, ThreadReason::Started);
                }
                self.tell_stop(&stopped, generation);
            }
            DebuggeeEvent::Continued => self.continued(),
            DebuggeeEvent::ThreadStarted(id) => thread(ThreadReason::Started, id),
            DebuggeeEvent::ThreadExited(id) => thread(ThreadReason::Exited, id),
            DebuggeeEvent::BreakpointChanged(bound) => {
                let breakpoint = shown(bound, &self.shared.places());
                out.event("breakpoint", &BreakpointEventBody { reason: "changed", breakpoint });
            }
            DebuggeeEvent::Console(channel, line) => out.say(channel, &line),
            DebuggeeEvent::Exited(_) | DebuggeeEvent::Lost(_) => self.ended(Some(&event)),
        }
    }

    fn continued(&self) {
        let at = match self.shared.position() {
            Position::Stopped(_, stopped) => stopped.at,
            Position::Running | Position::Nowhere => return,
        };
        self.shared.leave(Position::Running);
        let thread_id = at.map_or(0, |target| self.shared.thread_id(target));
        self.shared.out.event("continued", &ContinuedEventBody { thread_id, all_threads_continued: true });
    }

    /// One `stopped`, and what follows it.
    fn tell_stop(&self, stopped: &Stopped, generation: u64) {
        let reason = match stopped.reason {
            StopReason::Entry => "entry",
            StopReason::Breakpoint => "breakpoint",
            StopReason::Step => "step",
            StopReason::Pause => "pause",
            StopReason::Exception => "exception",
        };
        let body = StoppedEventBody {
            reason: reason.into(),
            description: stopped.description.clone(),
            thread_id: stopped.at.map(|target| self.shared.thread_id(target)),
            preserve_focus_hint: Some(false),
            text: stopped.text.clone(),
            all_threads_stopped: true,
            hit_breakpoint_ids: (!stopped.breakpoints.is_empty()).then(|| stopped.breakpoints.clone()),
        };
        self.shared.out.event("stopped", &body);
        self.shared.out.event("asyncTasksChanged", &AsyncTasksChangedEventBody { generation });
    }
}

fn failed(message: String) -> Breakpoint {
    Breakpoint { message: Some(message), reason: Some("failed"), ..Breakpoint::default() }
}

fn shown(bound: Bound, places: &Places) -> Breakpoint {
    let at = bound.at.as_ref();
    Breakpoint {
        id: Some(bound.id),
        verified: at.is_some(),
        message: bound.message,
        source: at.map(|location| places.source(&location.file)),
        line: at.map(|location| places.line(location.line)),
        column: at.filter(|location| location.column > 0).map(|location| places.column(location.column)),
        reason: None,
    }
}
