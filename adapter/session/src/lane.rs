//! The control lane: one thread that handles control requests and the debuggee's events in the order they came, so
//! that a response precedes the events it causes. What is decided here is in [`crate::lifecycle`] (beginning and end)
//! and [`crate::control`] (in between).

use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use weft_protocol::{Command, Error, ErrorId};
use weft_tasks::TaskKey;

use crate::debuggee::{Answer, Debuggee, DebuggeeEvent, Factory};
use crate::lifecycle::Phase;
use crate::outbox::Ticket;
use crate::serve::ServeOptions;
use crate::shared::{Shared, lock};

/// What the lane handles.
pub(crate) enum Input {
    /// A control request.
    Request(Box<Command>, Ticket),
    /// News of the debuggee that was loaded as the so-many-eth.
    Event(u64, DebuggeeEvent),
    /// The factory is done.
    Loaded(Answer<Arc<dyn Debuggee>>),
    /// The client is gone.
    Gone,
}

/// The lane's state. Nobody else sees it.
pub(crate) struct Lane {
    pub(crate) shared: Arc<Shared>,
    pub(crate) factory: Arc<dyn Factory>,
    pub(crate) options: ServeOptions,
    pub(crate) sender: UnboundedSender<Input>,
    /// How many debuggees were asked for; those that could not be started count.
    pub(crate) loads: u64,
    pub(crate) phase: Phase,
    /// News that came before the client was told of the debuggee.
    pub(crate) early: Vec<DebuggeeEvent>,
    /// The debuggee was launched, not attached to: it ends with the session.
    pub(crate) launched: bool,
    pub(crate) no_debug: bool,
    /// The task whose thread number a step was asked of; the step's end names it.
    pub(crate) stepping: Cell<Option<TaskKey>>,
    /// The session is being ended: whatever goes wrong now, it ends.
    pub(crate) ending: bool,
}

impl Lane {
    /// Works until the session is over, and leaves no debuggee behind.
    pub(crate) fn run(mut self, mut inputs: UnboundedReceiver<Input>) {
        while let Some(input) = inputs.blocking_recv() {
            match catch_unwind(AssertUnwindSafe(|| self.handle(input))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(_) => {
                    tracing::error!("a control request panicked");
                    if self.ending {
                        break;
                    }
                }
            }
        }
        if catch_unwind(AssertUnwindSafe(|| self.release())).is_err() {
            tracing::error!("ending the debuggee panicked");
        }
        inputs.close();
        while let Ok(input) = inputs.try_recv() {
            if let Input::Request(_, ticket) = input {
                ticket.fail(Error::new(ErrorId::WrongState, "the session is over"));
            }
        }
        for (_, waiting) in lock(&self.shared.reads).drain() {
            waiting.cancel(&self.shared.out);
        }
        self.shared.out.end();
    }

    fn handle(&mut self, input: Input) -> ControlFlow<()> {
        match input {
            Input::Request(command, ticket) => return self.request(*command, ticket),
            Input::Event(load, event) if load == self.loads => self.event(event),
            Input::Event(..) => {}
            Input::Loaded(result) => return self.loaded(result),
            Input::Gone => return self.gone(),
        }
        ControlFlow::Continue(())
    }

    fn request(&mut self, command: Command, ticket: Ticket) -> ControlFlow<()> {
        match command {
            Command::Initialize(asked) => self.initialize(&asked, ticket),
            Command::Launch(asked) => self.launch(&asked, ticket),
            Command::Attach(asked) => self.attach(&asked, ticket),
            Command::ConfigurationDone => self.configuration_done(ticket),
            Command::Disconnect(asked) => return self.disconnect(&asked, ticket),
            Command::Terminate(_) => self.terminate(ticket),
            Command::SetBreakpoints(asked) => ticket.settle(self.set_breakpoints(&asked)),
            Command::SetFunctionBreakpoints(asked) => ticket.ok(&Self::refuse_function_breakpoints(&asked)),
            Command::SetExceptionBreakpoints(asked) => ticket.ok(&Self::refuse_filters(&asked)),
            Command::Continue(asked) => self.go_on(&asked, ticket),
            Command::Next(asked) => ticket.settle_bare(self.next(&asked)),
            Command::StepIn(asked) => ticket.settle_bare(self.step_in(&asked)),
            Command::StepOut(asked) => ticket.settle_bare(self.step_out(&asked)),
            Command::Pause(asked) => ticket.settle_bare(self.pause(&asked)),
            Command::AsyncFocusTask(asked) => self.focus(&asked, ticket),
            // Reads do not come here; if one ever does, its ticket says that it failed.
            _ => drop(ticket),
        }
        ControlFlow::Continue(())
    }
}
