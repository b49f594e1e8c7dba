//! Beginning and end of a session.
//!
//! ```text
//! New ─initialize→ Ready ─launch/attach→ Loading ─loaded→ Configuring ─configurationDone→ Live ─exited→ Over
//!                    ↑                      │ failed          │ failed
//!                    └──────────────────────┴─────────────────┘
//! ```
//! `initialized` is sent when the program is loaded and held, so that breakpoints can be verified against it; the
//! response to `launch` follows the one to `configurationDone`, as several adapters have taught their clients.
//! `disconnect`, or the client's end of the stream, ends the session from any state.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weft_protocol::launch::{AttachArguments, Console, LaunchArguments};
use weft_protocol::spec::{
    Capabilities, CapabilitiesEventBody, DisconnectArguments, ExitedEventBody, InitializeArguments, PathFormat,
    ProcessEventBody, StandardCapabilities,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, Channel, Debuggee, DebuggeeEvent, End, Factory};
use crate::events::EventSender;
use crate::lane::{Input, Lane};
use crate::outbox::Ticket;
use crate::peculiar::unbearable;
use crate::places::Style;
use crate::restart::Origin;
use crate::serve::Runtime;
use crate::shared::{Client, Position};

/// What the factory does.
pub(crate) type Work = Box<dyn FnOnce(&dyn Factory, EventSender) -> Answer<Arc<dyn Debuggee>> + Send>;

/// Where the session stands.
pub(crate) enum Phase {
    /// Nothing was said yet.
    New,
    /// The client has introduced itself.
    Ready,
    /// The factory loads a debuggee for this request. A client may say `configurationDone` early.
    Loading { start: Ticket, configured: Option<Ticket> },
    /// The factory loads another debuggee in place of the one before.
    Restarting { start: Ticket },
    /// The client left while the factory was loading; what it brings is ended at once.
    Abandoned { leave: Option<Ticket>, end: End },
    /// The debuggee is held while the client sends breakpoints.
    Configuring { start: Ticket },
    /// The debuggee was started.
    Live,
    /// The debuggee has ended; the client is still there.
    Over,
}

/// What this version can do, and nothing else: for a kind of program, or for both while it is not known.
fn capabilities(runtime: Option<Runtime>) -> Capabilities {
    let native = runtime != Some(Runtime::Python);
    Capabilities {
        standard: StandardCapabilities {
            supports_function_breakpoints: Some(true),
            supports_conditional_breakpoints: Some(true),
            supports_hit_conditional_breakpoints: Some(true),
            supports_log_points: Some(true),
            supports_instruction_breakpoints: Some(native),
            supports_data_breakpoints: Some(native),
            supports_exception_filter_options: Some(true),
            supports_breakpoint_locations_request: Some(native),
            supports_stepping_granularity: Some(native),
            supports_step_in_targets_request: Some(true),
            supports_goto_targets_request: Some(true),
            supports_restart_frame: Some(native),
            supports_restart_request: Some(true),
            supports_single_thread_execution_requests: Some(native),
            supports_terminate_threads_request: Some(native),
            supports_disassemble_request: Some(native),
            supports_read_memory_request: Some(native),
            supports_write_memory_request: Some(native),
            supports_modules_request: Some(native),
            supports_loaded_sources_request: Some(native),
            supports_set_variable: Some(true),
            supports_set_expression: Some(true),
            supports_completions_request: Some(true),
            completion_trigger_characters: Some(vec![".".to_owned()]),
            supports_configuration_done_request: Some(true),
            supports_evaluate_for_hovers: Some(true),
            supports_exception_info_request: Some(true),
            support_terminate_debuggee: Some(true),
            supports_delayed_stack_trace_loading: Some(true),
            supports_terminate_request: Some(true),
            supports_cancel_request: Some(true),
            ..StandardCapabilities::default()
        },
        exception_breakpoint_filters: crate::breakpoints::offered(runtime),
        breakpoint_modes: crate::breakpoints::modes(runtime),
        supports_data_breakpoint_bytes: native,
        supports_async_tasks: true,
    }
}

impl Lane {
    pub(crate) fn initialize(&mut self, asked: &InitializeArguments, ticket: Ticket) {
        if !matches!(self.phase, Phase::New) {
            return ticket.fail(Error::new(ErrorId::WrongState, "`initialize` was served already"));
        }
        let unbearable = unbearable(asked.client_id.as_deref());
        self.shared.set_client(Client {
            style: Style {
                lines_from_1: asked.lines_start_at1.unwrap_or(true),
                columns_from_1: asked.columns_start_at1.unwrap_or(true),
                uris: matches!(asked.path_format, Some(PathFormat::Uri)),
            },
            shows_types: asked.supports_variable_type.unwrap_or(false),
            pages_variables: asked.supports_variable_paging.unwrap_or(false),
            reads_memory: asked.supports_memory_references.unwrap_or(false),
            runs_terminals: asked.supports_run_in_terminal_request.unwrap_or(false),
            starts_debugging: asked.supports_start_debugging_request.unwrap_or(false),
            hears_invalidated: asked.supports_invalidated_event.unwrap_or(false),
            hears_memory: asked.supports_memory_event.unwrap_or(false),
            shows_progress: asked.supports_progress_reporting.unwrap_or(false),
            unbearable,
        });
        self.shared.out.never_send(unbearable.events);
        self.phase = Phase::Ready;
        ticket.ok(&capabilities(self.options.runtime));
    }

    pub(crate) fn launch(&mut self, asked: LaunchArguments, ticket: Ticket) {
        self.start(Origin::Launch(asked), ticket);
    }

    pub(crate) fn attach(&mut self, asked: AttachArguments, ticket: Ticket) {
        self.start(Origin::Attach(asked), ticket);
    }

    fn start(&mut self, origin: Origin, ticket: Ticket) {
        match self.may_start().and_then(|()| self.plan(&origin)) {
            Ok(work) => {
                self.load(origin, Phase::Loading { start: ticket, configured: None }, work);
            }
            Err(error) => ticket.fail(error),
        }
    }

    /// What the factory has to do for a configuration.
    pub(crate) fn plan(&mut self, origin: &Origin) -> Answer<Work> {
        match origin {
            Origin::Launch(asked) => {
                let mut config = crate::launch::launch(asked)?;
                let start = config.start_mut();
                if start.console != Console::InternalConsole && !self.shared.client().runs_terminals {
                    start.console = Console::InternalConsole;
                    let line = "weft: this editor cannot open a terminal (`runInTerminal`): the program's input and \
                                output are in the debug console";
                    self.shared.out.say(Channel::Console, line);
                }
                (self.launched, self.no_debug) = (true, config.start().no_debug);
                Ok(Box::new(move |factory, events| factory.launch(config, events)))
            }
            Origin::Attach(asked) => {
                let config = crate::launch::attach(asked)?;
                (self.launched, self.no_debug) = (false, false);
                Ok(Box::new(move |factory, events| factory.attach(config, events)))
            }
        }
    }

    fn may_start(&self) -> Answer<()> {
        let wrong = |sentence: &str| Err(Error::new(ErrorId::WrongState, sentence));
        match self.phase {
            Phase::Ready => Ok(()),
            Phase::New => wrong("send `initialize` first"),
            Phase::Over => wrong("the program has ended: start a new session"),
            _ => wrong("a program is being debugged already"),
        }
    }

    /// Lets the factory work on another thread: the lane stays free for `disconnect`.
    pub(crate) fn load(&mut self, origin: Origin, phase: Phase, work: Work) {
        let common = origin.common();
        let places = self.shared.places().again(&common.source_map, &origin.folder(), self.shared.client().style);
        for (from, to) in places.paths().broken() {
            let line = format!("weft: `sourceMap`: there is no {} for {}", to.display(), from.display());
            self.shared.out.say(Channel::Console, &line);
        }
        self.shared.set_places(places);
        self.shared.listing().configure(common.tasks.clone());
        self.origin = Some(origin);
        self.phase = phase;
        self.early.clear();
        self.alone.set(false);
        self.loads = self.loads.saturating_add(1);
        let events = EventSender::new(self.sender.clone(), Arc::clone(&self.shared), self.loads);
        let (factory, lane) = (Arc::clone(&self.factory), self.sender.clone());
        tokio::task::spawn_blocking(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&*factory, events)));
            let failed = |_| Err(Error::new(ErrorId::Internal, "weft failed to load the program; its log says more"));
            let _ = lane.send(Input::Loaded(result.unwrap_or_else(failed)));
        });
    }

    pub(crate) fn loaded(&mut self, result: Answer<Arc<dyn Debuggee>>) -> ControlFlow<()> {
        match (std::mem::replace(&mut self.phase, Phase::Ready), result) {
            (Phase::Loading { start, configured }, Ok(debuggee)) => {
                self.introduce(debuggee, true);
                self.phase = Phase::Configuring { start };
                for event in std::mem::take(&mut self.early) {
                    self.event(event);
                }
                if let Some(ticket) = configured {
                    self.configuration_done(ticket);
                }
            }
            (Phase::Loading { start, configured }, Err(error)) => {
                self.early.clear();
                if let Some(ticket) = configured {
                    ticket.fail(error.clone());
                }
                start.fail(error);
            }
            (Phase::Restarting { start }, Ok(debuggee)) => self.restarted(debuggee, start),
            (Phase::Restarting { start }, Err(error)) => {
                self.early.clear();
                self.phase = Phase::Over;
                start.fail(error);
                self.shared.out.bare_event("terminated");
            }
            (Phase::Abandoned { leave, end }, result) => {
                self.leaving();
                let ended = result.map_or(Ok(()), |debuggee| debuggee.end(end));
                if let Some(ticket) = leave {
                    ticket.settle_bare(ended);
                }
                return ControlFlow::Break(());
            }
            (phase, _) => self.phase = phase,
        }
        ControlFlow::Continue(())
    }

    /// The kind of program that is debugged, or would be.
    pub(crate) fn runtime(&self) -> Runtime {
        self.origin.as_ref().map(Origin::runtime).or(self.options.runtime).unwrap_or(Runtime::Native)
    }

    /// What `initialize` offered for another kind of program, or for both, is put right.
    fn correct_capabilities(&mut self) {
        let runtime = Some(self.runtime());
        if std::mem::replace(&mut self.options.runtime, runtime) != runtime {
            self.shared.out.event("capabilities", &CapabilitiesEventBody { capabilities: capabilities(runtime) });
        }
    }

    /// Tells the client of the debuggee and asks for its breakpoints.
    pub(crate) fn introduce(&mut self, debuggee: Arc<dyn Debuggee>, wants_configuration: bool) {
        self.correct_capabilities();
        let process = debuggee.process();
        self.shared.set_debuggee(Some(debuggee));
        let body = ProcessEventBody {
            name: process.path.to_string_lossy().into_owned(),
            system_process_id: process.pid,
            is_local_process: true,
            start_method: if self.launched { "launch" } else { "attach" },
            pointer_size: Some(64),
        };
        self.shared.out.event("process", &body);
        self.first_modules();
        if wants_configuration {
            self.shared.out.bare_event("initialized");
        }
    }

    pub(crate) fn configuration_done(&mut self, ticket: Ticket) {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Configuring { start } => {
                ticket.done();
                self.begin(start);
            }
            Phase::Loading { start, configured: None } => {
                self.phase = Phase::Loading { start, configured: Some(ticket) };
            }
            phase => {
                self.phase = phase;
                ticket.fail(Error::new(ErrorId::WrongState, "there is nothing to configure: launch or attach first"));
            }
        }
    }

    /// The debuggee runs from here on.
    pub(crate) fn begin(&mut self, start: Ticket) {
        self.shared.leave(Position::Running);
        match self.shared.need_debuggee().and_then(|debuggee| debuggee.start()) {
            Ok(()) => {
                self.phase = Phase::Live;
                start.done();
            }
            Err(error) => {
                self.phase = Phase::Ready;
                self.release();
                start.fail(error);
            }
        }
    }

    /// Nothing is left to debug: the debuggee's last event, or none if it is not waited for.
    pub(crate) fn ended(&mut self, event: Option<&DebuggeeEvent>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        if let Phase::Configuring { start } = phase {
            start.fail(Error::new(ErrorId::NoDebuggee, "the program ended before it was started"));
        } else if !matches!(phase, Phase::Live) {
            self.phase = phase;
            return;
        }
        self.shared.tell_dropped_logs();
        // Reads know of it before the client does.
        let debuggee = self.take_debuggee();
        match event {
            Some(DebuggeeEvent::Exited(code)) => {
                self.shared.out.event("exited", &ExitedEventBody { exit_code: i64::from(*code) });
            }
            Some(DebuggeeEvent::Lost(why)) => self.shared.out.say(Channel::Important, &format!("weft: {why}")),
            _ => {}
        }
        self.shared.out.bare_event("terminated");
        self.end(debuggee);
    }

    pub(crate) fn terminate(&mut self, ticket: Ticket) {
        match self.phase {
            Phase::Live if self.origin.as_ref().is_some_and(Origin::stands) => {
                ticket.done();
                self.ended(None);
            }
            Phase::Live => {
                let result = self.shared.need_debuggee().and_then(|debuggee| debuggee.terminate());
                if result.is_ok() {
                    self.shared.leave(Position::Running);
                }
                ticket.settle_bare(result);
            }
            Phase::Configuring { .. } => {
                // It has not run yet: there is nothing it could do to end by itself.
                ticket.done();
                self.ended(None);
            }
            Phase::Loading { .. } | Phase::Restarting { .. } => {
                ticket.fail(Error::new(ErrorId::WrongState, "the program is being loaded: disconnect instead"));
            }
            Phase::New | Phase::Ready | Phase::Over | Phase::Abandoned { .. } => ticket.done(),
        }
    }

    pub(crate) fn disconnect(&mut self, asked: &DisconnectArguments, ticket: Ticket) -> ControlFlow<()> {
        let end = match asked.terminate_debuggee {
            Some(true) => End::Kill,
            Some(false) => End::Detach,
            None => self.default_end(),
        };
        if self.abandon(end) {
            if let Phase::Abandoned { leave, .. } = &mut self.phase {
                *leave = Some(ticket);
            }
            return ControlFlow::Continue(());
        }
        self.leaving();
        let debuggee = self.take_debuggee();
        ticket.settle_bare(debuggee.map_or(Ok(()), |debuggee| debuggee.end(end)));
        ControlFlow::Break(())
    }

    pub(crate) fn gone(&mut self) -> ControlFlow<()> {
        if self.abandon(self.default_end()) {
            return ControlFlow::Continue(());
        }
        self.leaving();
        ControlFlow::Break(())
    }

    /// Leaves while the factory works. False if it does not.
    fn abandon(&mut self, end: End) -> bool {
        // The factory may be waiting for the client, which has other plans.
        self.shared.asked.close();
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Loading { start, configured } => {
                let left = || Error::new(ErrorId::WrongState, "the session was ended before the program was loaded");
                start.fail(left());
                if let Some(ticket) = configured {
                    ticket.fail(left());
                }
                self.phase = Phase::Abandoned { leave: None, end };
                true
            }
            Phase::Restarting { start } => {
                start.fail(Error::new(ErrorId::WrongState, "the session was ended before the program was loaded"));
                self.phase = Phase::Abandoned { leave: None, end };
                true
            }
            Phase::Abandoned { leave, end } => {
                self.phase = Phase::Abandoned { leave, end };
                true
            }
            phase => {
                self.phase = phase;
                false
            }
        }
    }

    /// The end has begun: nothing may hold it up, not even a program that writes to a client that does not read.
    fn leaving(&mut self) {
        self.ending = true;
        self.shared.budget.close();
        if let Phase::Configuring { start } = std::mem::replace(&mut self.phase, Phase::Over) {
            start.fail(Error::new(ErrorId::WrongState, "the session was ended before the program was started"));
        }
    }

    fn default_end(&self) -> End {
        if self.launched { End::Kill } else { End::Detach }
    }

    /// Lets go of the debuggee, if there still is one.
    pub(crate) fn release(&mut self) {
        let debuggee = self.take_debuggee();
        self.end(debuggee);
    }

    fn take_debuggee(&mut self) -> Option<Arc<dyn Debuggee>> {
        let debuggee = self.shared.debuggee();
        if let Some(debuggee) = &debuggee {
            // Nobody will hear whether the client took them over.
            std::mem::take(&mut self.forks).into_iter().for_each(|pid| debuggee.let_go(pid));
        }
        self.shared.set_debuggee(None);
        self.shared.leave(Position::Nowhere);
        debuggee
    }

    fn end(&self, debuggee: Option<Arc<dyn Debuggee>>) {
        if let Some(debuggee) = debuggee
            && let Err(error) = debuggee.end(self.default_end())
        {
            tracing::warn!("ending the debuggee: {error}");
        }
    }
}
