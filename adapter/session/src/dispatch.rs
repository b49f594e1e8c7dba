//! Which way a request takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Semaphore;
use weft_protocol::spec::CancelArguments;
use weft_protocol::{Command, Request};

use crate::lane::Input;
use crate::outbox::Ticket;
use crate::shared::{Shared, lock};
use crate::{assign, async_tasks, breakpoints, machine, modules, reads, sources, targets, threads};

/// Reads that run at the same time; more wait, and can be cancelled meanwhile.
const WORKERS: usize = 16;

/// Sends requests their way; never blocks.
pub(crate) struct Dispatch {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: tokio::sync::mpsc::UnboundedSender<Input>,
    workers: Arc<Semaphore>,
}

impl Dispatch {
    pub(crate) fn new(shared: Arc<Shared>, lane: tokio::sync::mpsc::UnboundedSender<Input>) -> Self {
        Self { shared, lane, workers: Arc::new(Semaphore::new(WORKERS)) }
    }

    /// Takes a request on.
    pub(crate) fn request(&self, request: &Request) {
        let ticket = Ticket::new(request, self.shared.out.clone());
        let command = match Command::parse(request) {
            Ok(command) => command,
            Err(error) => return ticket.fail(error),
        };
        match command {
            Command::Cancel(asked) => self.cancel(&asked, ticket),
            command if is_read(&command) => self.read(command, ticket),
            command => {
                if matches!(command, Command::Disconnect(_)) {
                    // A request before it may be waiting for it.
                    self.shared.works.close();
                }
                // A lane that is over drops the ticket, which answers.
                let _ = self.lane.send(Input::Request(Box::new(command), ticket));
            }
        }
    }

    /// A read that is not answered yet is answered now, as cancelled; what its worker finds goes nowhere. A control request
    /// has to know whether it was done: of it only the work that it waits for is given up, and it answers then.
    fn cancel(&self, asked: &CancelArguments, ticket: Ticket) {
        let waiting = asked.request_id.and_then(|seq| lock(&self.shared.reads).remove(&seq));
        if let Some(waiting) = waiting {
            waiting.cancel(&self.shared.out);
        } else if asked.request_id.is_some_and(|seq| seq == self.shared.at_request.load(Ordering::Acquire)) {
            self.shared.works.cancel_all();
        }
        if let Some(id) = &asked.progress_id {
            self.shared.works.cancel(id);
        }
        ticket.done();
    }

    fn read(&self, command: Command, ticket: Ticket) {
        let waiting = ticket.waiting();
        lock(&self.shared.reads).insert(waiting.seq, Arc::clone(&waiting));
        let shared = Arc::clone(&self.shared);
        let workers = Arc::clone(&self.workers);
        tokio::spawn(async move {
            let _permit = workers.acquire_owned().await;
            if !waiting.is_answered() {
                let worker = Arc::clone(&shared);
                let work = move || {
                    // The ticket answers while it is dropped, should this panic.
                    if catch_unwind(AssertUnwindSafe(|| serve(&worker, command, ticket))).is_err() {
                        tracing::error!("a read panicked");
                    }
                };
                let _ = tokio::task::spawn_blocking(work).await;
            }
            let mut reads = lock(&shared.reads);
            if reads.get(&waiting.seq).is_some_and(|known| Arc::ptr_eq(known, &waiting)) {
                reads.remove(&waiting.seq);
            }
        });
    }
}

fn is_read(command: &Command) -> bool {
    matches!(
        command,
        Command::Threads
            | Command::StackTrace(_)
            | Command::Scopes(_)
            | Command::Variables(_)
            | Command::Evaluate(_)
            | Command::SetVariable(_)
            | Command::SetExpression(_)
            | Command::Completions(_)
            | Command::ExceptionInfo(_)
            | Command::StepInTargets(_)
            | Command::GotoTargets(_)
            | Command::BreakpointLocations(_)
            | Command::DataBreakpointInfo(_)
            | Command::Disassemble(_)
            | Command::ReadMemory(_)
            | Command::Modules(_)
            | Command::LoadedSources
            | Command::Source(_)
            | Command::AsyncTasks(_)
            | Command::AsyncStack(_)
    )
}

fn serve(shared: &Shared, command: Command, ticket: Ticket) {
    match command {
        Command::Threads => ticket.settle(threads::threads(shared)),
        Command::StackTrace(asked) => ticket.settle(reads::stack_trace(shared, &asked)),
        Command::Scopes(asked) => ticket.settle(reads::scopes(shared, &asked)),
        Command::Variables(asked) => ticket.settle(reads::variables(shared, &asked)),
        Command::Evaluate(asked) => {
            let waiting = ticket.waiting();
            ticket.settle(reads::evaluate(shared, &asked, &|| waiting.is_answered()));
        }
        Command::SetVariable(asked) => assign::tell(shared, ticket, assign::variable(shared, &asked)),
        Command::SetExpression(asked) => assign::tell(shared, ticket, assign::expression(shared, &asked)),
        Command::Completions(asked) => ticket.settle(assign::completions(shared, &asked)),
        Command::ExceptionInfo(asked) => ticket.settle(reads::exception_info(shared, &asked)),
        Command::StepInTargets(asked) => ticket.settle(targets::step_in(shared, &asked)),
        Command::GotoTargets(asked) => ticket.settle(targets::goto(shared, &asked)),
        Command::BreakpointLocations(asked) => ticket.settle(targets::locations(shared, &asked)),
        Command::DataBreakpointInfo(asked) => ticket.settle(breakpoints::info(shared, &asked)),
        Command::Disassemble(asked) => ticket.settle(machine::disassemble(shared, &asked)),
        Command::ReadMemory(asked) => ticket.settle(machine::read(shared, &asked)),
        Command::Modules(asked) => ticket.settle(modules::modules(shared, &asked)),
        Command::LoadedSources => ticket.settle(sources::loaded(shared)),
        Command::Source(asked) => ticket.settle(sources::text(shared, &asked)),
        Command::AsyncStack(asked) => ticket.settle(async_tasks::stack(shared, &asked)),
        Command::AsyncTasks(asked) => match async_tasks::tasks(shared, &asked) {
            Ok((body, announced)) => {
                ticket.ok(&body);
                if let Some(changed) = announced {
                    shared.out.event("asyncTasksChanged", &changed);
                }
            }
            Err(error) => ticket.fail(error),
        },
        // `is_read` lets nothing else through; if it ever does, the ticket says that it failed.
        _ => drop(ticket),
    }
}
