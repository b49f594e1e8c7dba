//! The engine's events in the session's words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weft_debugger::{BreakpointKind, Event, Reason, Stopped, signal_name};
use weft_runtimes::{Polling, Runtimes};
use weft_session::EventSender;
use weft_session::debuggee::{Channel, DebuggeeEvent, Exception, Forked, StopReason, Target, Work};
use weft_tasks::TaskKey;

use crate::breakpoints::to_bound;
use crate::control::SteppedTask;
use crate::words::location;

/// Signals that stop unasked, because they are about to end the program. Others stop because a user wants to see them.
const ENDING: [&str; 7] = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS"];

/// Tells the session what the engine reports.
pub(crate) struct Reporter {
    events: EventSender,
    stepped: SteppedTask,
    restarting: Arc<AtomicBool>,
    runtimes: Arc<Runtimes>,
}

impl Reporter {
    pub(crate) fn new(
        events: EventSender,
        stepped: SteppedTask,
        restarting: Arc<AtomicBool>,
        runtimes: Arc<Runtimes>,
    ) -> Self {
        Self { events, stepped, restarting, runtimes }
    }

    pub(crate) fn report(&self, event: Event) {
        let told = match event {
            Event::Stopped(stopped) => {
                let stepped = self.stepped.take().filter(|task| self.ends_in(&stopped, *task));
                let mut told = to_stopped(&stopped, stepped);
                if stopped.reason == Reason::Moved && self.restarting.swap(false, Ordering::AcqRel) {
                    told.reason = StopReason::Restarted;
                }
                DebuggeeEvent::Stopped(told)
            }
            Event::ThreadStarted(tid) => DebuggeeEvent::ThreadStarted(i64::from(tid)),
            Event::ThreadExited(tid) => DebuggeeEvent::ThreadExited(i64::from(tid)),
            Event::BreakpointChanged(bound) => DebuggeeEvent::BreakpointChanged(to_bound(bound)),
            Event::BreakpointRemoved(id, why) => DebuggeeEvent::BreakpointRemoved(id, why),
            Event::Log(text, at) => return self.events.log(text, at.as_ref().and_then(location)),
            Event::Forked(pid) => DebuggeeEvent::Forked(Forked::by_number(i64::from(pid))),
            Event::ModulesChanged => DebuggeeEvent::ModulesChanged,
            Event::Note(sentence) => DebuggeeEvent::Console(Channel::Console, format!("{sentence}\n")),
            Event::Working(work) => return self.events.work(Arc::new(Reading(work))),
            Event::Exited(status) => DebuggeeEvent::Exited(status),
            Event::Killed(signal) => {
                let sentence = format!("the program was ended by {}\n", signal_name(signal));
                self.events.send(DebuggeeEvent::Console(Channel::Console, sentence));
                DebuggeeEvent::Exited(signal.saturating_add(128))
            }
            Event::Lost(sentence) => DebuggeeEvent::Lost(sentence),
        };
        self.events.send(told);
    }

    /// Whether a step that was given on a task has ended in it. Where nobody can tell, one that has nothing unusual to say
    /// has.
    fn ends_in(&self, stopped: &Stopped, task: TaskKey) -> bool {
        let Reason::Step(sentence) = &stopped.reason else { return false };
        match self.runtimes.polled_by(&stopped.stop, stopped.tid) {
            Polling::Task(polled) => polled.key == task,
            Polling::Nobody | Polling::Unknown(_) => sentence.is_none(),
        }
    }
}

/// The names of a file are being read.
struct Reading(Arc<weft_symbols::Work>);

impl Work for Reading {
    fn title(&self) -> String {
        format!("Reading the names in {}", self.0.file())
    }

    fn percentage(&self) -> Option<u64> {
        self.0.percentage()
    }

    fn wait(&self, at_most: Duration) -> bool {
        self.0.wait(at_most)
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}

fn to_stopped(stopped: &Stopped, stepped: Option<TaskKey>) -> weft_session::debuggee::Stopped {
    let thread = Target::Thread(i64::from(stopped.tid));
    let new = |reason| weft_session::debuggee::Stopped::new(reason, Some(thread));
    let mut told = match &stopped.reason {
        Reason::Entry => new(StopReason::Entry),
        Reason::Breakpoint { ids, kind, text } => {
            let reason = match kind {
                BreakpointKind::Line => StopReason::Breakpoint,
                BreakpointKind::Function => StopReason::FunctionBreakpoint,
                BreakpointKind::Instruction => StopReason::InstructionBreakpoint,
                BreakpointKind::Data => StopReason::DataBreakpoint,
            };
            // Old and new data, or why a condition has no value, is what a user wants to read at once.
            let description = text.as_ref().map(|text| format!("{}: {text}", kind_of(reason)));
            weft_session::debuggee::Stopped { breakpoints: ids.clone(), text: text.clone(), description, ..new(reason) }
        }
        Reason::Panic { message, in_task } => panicked(message.as_deref(), *in_task, new(StopReason::Exception)),
        Reason::Moved => new(StopReason::Goto),
        Reason::Step(sentence) => {
            // A step given on a task ends naming the task, unless it has left it.
            let at = stepped.map_or(thread, Target::Task);
            weft_session::debuggee::Stopped { at: Some(at), description: sentence.clone(), ..new(StopReason::Step) }
        }
        Reason::Task { task, what, text } => {
            let stopped = new(StopReason::Task);
            let description = Some(what.clone());
            weft_session::debuggee::Stopped {
                at: Some(Target::Task(*task)),
                description,
                text: text.clone(),
                ..stopped
            }
        }
        Reason::Pause => new(StopReason::Pause),
        Reason::Signal { name, text } => signalled(name, text, new(StopReason::Exception)),
    };
    if let Some(sentence) = &stopped.interrupted {
        // What a user reads first: a step that did not end where it was meant to would look like a mistake.
        let what = told.description.as_deref().unwrap_or_else(|| kind_of(told.reason)).to_owned();
        told.description = Some(format!("{what}; {sentence}"));
    }
    told
}

fn panicked(
    message: Option<&str>,
    in_task: bool,
    stopped: weft_session::debuggee::Stopped,
) -> weft_session::debuggee::Stopped {
    let what = if in_task { "panic in a task" } else { "panic" };
    let exception = Exception {
        id: "panic".to_owned(),
        description: match message {
            Some(message) => format!("{what}: {message}"),
            None => format!("{what}; its message cannot be read"),
        },
        message: message.map(str::to_owned),
        type_name: "panic".to_owned(),
        fatal: false,
    };
    weft_session::debuggee::Stopped {
        description: Some(what.to_owned()),
        text: message.map(str::to_owned),
        exception: Some(exception),
        ..stopped
    }
}

fn signalled(name: &str, text: &str, stopped: weft_session::debuggee::Stopped) -> weft_session::debuggee::Stopped {
    let exception = Exception {
        id: name.to_owned(),
        description: format!("{name}: {text}"),
        message: Some(text.to_owned()),
        type_name: "signal".to_owned(),
        fatal: ENDING.contains(&name),
    };
    weft_session::debuggee::Stopped {
        description: Some(format!("signal {name}")),
        text: Some(text.to_owned()),
        exception: Some(exception),
        ..stopped
    }
}

/// What a user reads where there is no description of its own.
fn kind_of(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Entry => "entry",
        StopReason::Breakpoint => "breakpoint",
        StopReason::FunctionBreakpoint => "function breakpoint",
        StopReason::DataBreakpoint => "data breakpoint",
        StopReason::InstructionBreakpoint => "instruction breakpoint",
        StopReason::Step => "step",
        StopReason::Pause => "pause",
        StopReason::Goto | StopReason::Restarted => "moved",
        StopReason::Task => "task",
        StopReason::Exception => "exception",
    }
}
