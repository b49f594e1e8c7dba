//! Run control, and what the debuggee reports in between.

use std::sync::Arc;

use weft_protocol::async_dap::{
    AsyncFocusTaskArguments, AsyncRunToArguments, AsyncTaskStopsArguments, AsyncTasksChangedEventBody,
};
use weft_protocol::spec::{
    ContinueArguments, ContinueResponse, ContinuedEventBody, GotoArguments, InvalidatedEventBody, NextArguments,
    PauseArguments, RestartFrameArguments, StepInArguments, StepOutArguments, SteppingGranularity, StoppedEventBody,
    TerminateThreadsArguments, ThreadEventBody, ThreadReason,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, DebuggeeEvent, Granularity, Resume, StepKind, StopReason, Stopped, Target};
use crate::lane::Lane;
use crate::lifecycle::Phase;
use crate::outbox::Ticket;
use crate::shared::Position;
use crate::threads::announce;

impl Lane {
    pub(crate) fn go_on(&self, asked: &ContinueArguments, ticket: Ticket) {
        let alone = asked.single_thread == Some(true);
        let result = self.known(asked.thread_id).and_then(|of| self.resume(alone.then_some(of), Resume::Continue));
        match result {
            Ok(()) => ticket.ok(&ContinueResponse { all_threads_continued: !alone }),
            Err(error) => ticket.fail(error),
        }
    }

    /// Somebody that exists.
    fn known(&self, thread: i64) -> Answer<Target> {
        self.need_stopped()?;
        let of = self.shared.target(thread)?;
        if let Target::Thread(id) = of
            && !self.shared.need_debuggee()?.has_thread(id)?
        {
            return Err(Error::new(
                ErrorId::UnknownThread,
                format!("there is no thread {id}: ask for `threads` again"),
            ));
        }
        Ok(of)
    }

    pub(crate) fn next(&self, asked: &NextArguments) -> Answer<()> {
        self.step(StepKind::Over, asked.thread_id, asked.single_thread, asked.granularity.as_ref())
    }

    pub(crate) fn step_in(&self, asked: &StepInArguments) -> Answer<()> {
        let Some(target) = asked.target_id else {
            return self.step(StepKind::In, asked.thread_id, asked.single_thread, asked.granularity.as_ref());
        };
        self.need_stopped()?;
        let of = self.shared.target(asked.thread_id)?;
        let target = self.shared.handles().find_target(target)?;
        let alone = (asked.single_thread == Some(true)).then_some(of);
        self.resume(alone, Resume::StepInto { of, target })
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
        self.need_stopped()?;
        let of = self.shared.target(thread)?;
        let granularity = match granularity {
            Some(SteppingGranularity::Instruction) => Granularity::Instruction,
            Some(SteppingGranularity::Statement) => Granularity::Statement,
            Some(SteppingGranularity::Line) | None => Granularity::Line,
        };
        self.resume((single == Some(true)).then_some(of), Resume::Step { kind, of, granularity })
    }

    fn need_stopped(&self) -> Answer<()> {
        match self.shared.position() {
            Position::Stopped(..) => Ok(()),
            Position::Running => {
                Err(self.shared.running(Error::new(ErrorId::Running, "the program is running already")))
            }
            Position::Nowhere => Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged")),
        }
    }

    fn resume(&self, alone: Option<Target>, how: Resume) -> Answer<()> {
        self.need_stopped()?;
        self.shared.need_debuggee()?.resume(how, alone)?;
        self.set_off(alone.is_some());
        Ok(())
    }

    /// Serves `goto`. The stop that follows says where the thread is now.
    pub(crate) fn go_to(&self, asked: &GotoArguments) -> Answer<()> {
        self.need_stopped()?;
        let of = self.shared.target(asked.thread_id)?;
        let address = self.shared.handles().find_address(asked.target_id)?;
        self.shared.need_debuggee()?.go_to(of, address)
    }

    /// Serves `restartFrame`. The stop that follows says where the thread is now.
    pub(crate) fn restart_frame(&self, asked: &RestartFrameArguments) -> Answer<()> {
        self.need_stopped()?;
        let frame = self.shared.handles().find_frame(asked.frame_id)?;
        let call = frame.and_then(|frame| frame.call()).ok_or_else(|| {
            Error::new(ErrorId::NotSupported, "this frame is not on a thread's stack, so it cannot be run again")
        })?;
        self.shared.need_debuggee()?.restart_frame(call)
    }

    /// Serves `terminateThreads`.
    pub(crate) fn terminate_threads(&self, asked: &TerminateThreadsArguments) -> Answer<()> {
        self.need_stopped()?;
        let threads = asked.thread_ids.iter().flatten();
        let threads = threads.map(|thread| self.known(*thread)).collect::<Answer<Vec<Target>>>()?;
        if threads.iter().any(|thread| matches!(thread, Target::Task(_))) {
            let sentence = "a task cannot be ended from outside: only threads of the operating system can";
            return Err(Error::new(ErrorId::NotSupported, sentence));
        }
        self.shared.need_debuggee()?.end_threads(&threads)
    }

    pub(crate) fn pause(&self, asked: &PauseArguments) -> Answer<()> {
        match self.shared.position() {
            Position::Running => self.shared.need_debuggee()?.pause(self.shared.target(asked.thread_id).ok()),
            Position::Stopped(..) => Ok(()),
            Position::Nowhere => Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged")),
        }
    }

    /// Serves `asyncRunTo`.
    pub(crate) fn run_to(&self, asked: &AsyncRunToArguments) -> Answer<()> {
        self.need_stopped()?;
        let (key, _) = self.find_live(asked.task)?;
        let places = self.shared.places();
        let wrong = |sentence: &str| Error::new(ErrorId::InvalidArguments, sentence);
        let path = places.path_of(&asked.source).ok_or_else(|| wrong("`asyncRunTo` needs a file with a path"))?;
        let line = places.line_from_client(asked.line).ok_or_else(|| wrong("there is no such line"))?;
        self.shared.need_debuggee()?.run_to(key, &places.from_client(&path), line)?;
        self.set_off(false);
        Ok(())
    }

    /// Serves `asyncTaskStops`.
    pub(crate) fn set_task_stops(&self, asked: &AsyncTaskStopsArguments) -> Answer<()> {
        let key = self.shared.tasks.find(asked.task)?;
        self.shared.need_debuggee()?.set_task_stops(key, &asked.on)
    }

    /// The program is on its way.
    fn set_off(&self, alone: bool) {
        self.alone.set(alone);
        self.shared.leave(Position::Running);
    }

    pub(crate) fn focus(&self, asked: &AsyncFocusTaskArguments, ticket: Ticket) {
        let result = self.find_live(asked.task);
        let (key, generation) = match result {
            Ok(found) => found,
            Err(error) => return ticket.fail(error),
        };
        if let Some(listed) = asked.listed {
            return self.list(key, listed, ticket);
        }
        if let Err(error) = self.shared.need_debuggee().and_then(|debuggee| debuggee.focus(key)) {
            return ticket.fail(error);
        }
        let is_new = self.shared.listing().focus(key);
        ticket.done();
        if is_new {
            announce(&self.shared, key, ThreadReason::Started);
        }
        let stopped = Stopped::new(StopReason::Pause, Some(Target::Task(key)));
        self.tell_stop(&stopped, generation);
    }

    /// Lists a task among the threads, or takes it off the list, without moving the focus.
    fn list(&self, key: weft_tasks::TaskKey, listed: bool, ticket: Ticket) {
        let is_news = match listed {
            true => self.shared.listing().focus(key),
            false => self.shared.listing().unfocus(key),
        };
        ticket.done();
        if is_news {
            announce(&self.shared, key, if listed { ThreadReason::Started } else { ThreadReason::Exited });
        }
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
            // What is said while a program is built or fetched is for now, and also for who waits in vain.
            Phase::Loading { .. } | Phase::Restarting { .. }
                if matches!(event, DebuggeeEvent::Console(..) | DebuggeeEvent::Log(..)) => {}
            Phase::Loading { .. } | Phase::Restarting { .. } => return self.early.push(event),
            Phase::Configuring { .. } | Phase::Live => {}
            Phase::New | Phase::Ready | Phase::Abandoned { .. } | Phase::Over => return self.unheard(&event),
        }
        let shared = Arc::clone(&self.shared);
        let out = &shared.out;
        let thread = |reason, thread_id| out.event("thread", &ThreadEventBody { reason, thread_id });
        match event {
            DebuggeeEvent::Stopped(mut stopped) => {
                stopped.breakpoints = self.book.hit(&stopped.breakpoints);
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
            DebuggeeEvent::Changed => self.changed(),
            DebuggeeEvent::ThreadStarted(id) => thread(ThreadReason::Started, id),
            DebuggeeEvent::ThreadExited(id) => thread(ThreadReason::Exited, id),
            DebuggeeEvent::BreakpointChanged(bound) => self.breakpoint_changed(bound),
            DebuggeeEvent::BreakpointRemoved(id, why) => self.breakpoint_removed(id, why),
            DebuggeeEvent::Log(text, at) => self.shared.log(text, at.as_ref()),
            DebuggeeEvent::ModulesChanged => self.modules_changed(),
            DebuggeeEvent::Forked(forked) => self.forked(forked),
            DebuggeeEvent::Console(channel, line) => out.say(channel, &line),
            DebuggeeEvent::Exited(_) | DebuggeeEvent::Lost(_) => self.ended(Some(&event)),
        }
    }

    /// News that nobody is told of any more.
    pub(crate) fn unheard(&self, event: &DebuggeeEvent) {
        if let DebuggeeEvent::Log(..) = event {
            self.shared.logs.give_back();
        }
    }

    fn changed(&self) {
        if !matches!(self.shared.position(), Position::Stopped(..)) {
            return;
        }
        let generation = self.shared.tasks.begin();
        if self.shared.client().hears_invalidated {
            self.shared.out.event("invalidated", &InvalidatedEventBody { areas: vec!["all"] });
        }
        self.shared.out.event("asyncTasksChanged", &AsyncTasksChangedEventBody { generation });
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
        self.shared.tell_dropped_logs();
        let reason = match stopped.reason {
            StopReason::Entry => "entry",
            StopReason::Breakpoint => "breakpoint",
            StopReason::FunctionBreakpoint => "function breakpoint",
            StopReason::DataBreakpoint => "data breakpoint",
            StopReason::InstructionBreakpoint => "instruction breakpoint",
            StopReason::Step => "step",
            StopReason::Pause => "pause",
            StopReason::Goto => "goto",
            StopReason::Task => "task",
            StopReason::Restarted => "restart",
            StopReason::Exception => "exception",
        };
        let body = StoppedEventBody {
            reason: reason.into(),
            description: stopped.description.clone(),
            thread_id: stopped.at.map(|target| self.shared.thread_id(target)),
            preserve_focus_hint: Some(false),
            text: stopped.text.clone(),
            all_threads_stopped: !self.alone.get(),
            hit_breakpoint_ids: (!stopped.breakpoints.is_empty()).then(|| stopped.breakpoints.clone()),
        };
        self.shared.out.event("stopped", &body);
        self.shared.out.event("asyncTasksChanged", &AsyncTasksChangedEventBody { generation });
    }
}
