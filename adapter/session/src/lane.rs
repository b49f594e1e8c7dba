//! The control lane: one thread that handles control requests and the debuggee's events in the order they came, so
//! that a response precedes the events it causes. What is decided here is in [`crate::lifecycle`] (beginning and end)
//! and [`crate::control`] (in between).

use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use weft_protocol::{Command, Error, ErrorId};

use crate::breakpoints::{Asked, Book};
use crate::debuggee::{Answer, Debuggee, DebuggeeEvent, Factory, ModuleInfo};
use crate::lifecycle::Phase;
use crate::outbox::Ticket;
use crate::restart::Origin;
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
    /// What the client made of a forked process of the so-many-eth debuggee: taken over, or why not.
    Adopted(u64, i64, Result<(), String>),
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
    /// The program was let run on with one thread alone; the next stop says that the others did not run.
    pub(crate) alone: Cell<bool>,
    /// The client's breakpoints.
    pub(crate) book: Book,
    /// What the debuggee was loaded with.
    pub(crate) origin: Option<Origin>,
    /// Forked processes that the client was asked to take over.
    pub(crate) forks: Vec<i64>,
    /// It was said that forked processes run undebugged.
    pub(crate) forks_told: bool,
    /// The files of the debuggee that is being replaced.
    pub(crate) said_before: Vec<ModuleInfo>,
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
            Input::Request(command, ticket) => {
                let shared = Arc::clone(&self.shared);
                shared.at_request.store(ticket.waiting().seq, Ordering::Release);
                let flow = self.request(*command, ticket);
                shared.at_request.store(0, Ordering::Release);
                return flow;
            }
            Input::Event(load, event) if load == self.loads => self.event(event),
            Input::Event(_, event) => self.unheard(&event),
            Input::Loaded(result) => return self.loaded(result),
            Input::Adopted(load, pid, answer) => self.adopted(load, pid, answer),
            Input::Gone => return self.gone(),
        }
        ControlFlow::Continue(())
    }

    fn request(&mut self, command: Command, ticket: Ticket) -> ControlFlow<()> {
        match command {
            Command::Initialize(asked) => self.initialize(&asked, ticket),
            Command::Launch(asked) => self.launch(*asked, ticket),
            Command::Attach(asked) => self.attach(*asked, ticket),
            Command::ConfigurationDone => self.configuration_done(ticket),
            Command::Disconnect(asked) => return self.disconnect(&asked, ticket),
            Command::Terminate(_) => self.terminate(ticket),
            Command::Restart(asked) => self.restart(*asked, ticket),
            Command::SetBreakpoints(asked) => ticket.settle(self.set(Asked::Lines(asked))),
            Command::SetFunctionBreakpoints(asked) => ticket.settle(self.set(Asked::Functions(asked))),
            Command::SetInstructionBreakpoints(asked) => ticket.settle(self.set(Asked::Instructions(asked))),
            Command::SetDataBreakpoints(asked) => ticket.settle(self.set(Asked::Data(asked))),
            Command::SetExceptionBreakpoints(asked) => ticket.settle(self.set(Asked::Exceptions(asked))),
            Command::Continue(asked) => self.go_on(&asked, ticket),
            Command::Next(asked) => ticket.settle_bare(self.next(&asked)),
            Command::StepIn(asked) => ticket.settle_bare(self.step_in(&asked)),
            Command::StepOut(asked) => ticket.settle_bare(self.step_out(&asked)),
            Command::Pause(asked) => ticket.settle_bare(self.pause(&asked)),
            Command::Goto(asked) => ticket.settle_bare(self.go_to(&asked)),
            Command::RestartFrame(asked) => ticket.settle_bare(self.restart_frame(&asked)),
            Command::TerminateThreads(asked) => ticket.settle_bare(self.terminate_threads(&asked)),
            Command::WriteMemory(asked) => self.write_memory(&asked, ticket),
            Command::AsyncFocusTask(asked) => self.focus(&asked, ticket),
            Command::AsyncRunTo(asked) => ticket.settle_bare(self.run_to(&asked)),
            Command::AsyncTaskStops(asked) => ticket.settle_bare(self.set_task_stops(&asked)),
            // Reads do not come here; if one ever does, its ticket says that it failed.
            _ => drop(ticket),
        }
        ControlFlow::Continue(())
    }
}
