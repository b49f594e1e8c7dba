//! pydevd's events, as the session hears of them; on a thread of its own, since some need a question first.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};

use serde::Deserialize;
use serde_json::{Value, json};
use weft_protocol::{Error, ErrorId, News};
use weft_session::debuggee::{Answer, Channel, DebuggeeEvent, Exception, StopReason, Stopped, Target};
use weft_tasks::TaskKey;

use crate::breakpoints::{PydevdBreakpoint, number};
use crate::children::{Announced, is_tracker, was_started_as_fork_server};
use crate::ending::{Ending, last_word};
use crate::face::Face;
use crate::link::{LinkEvent, PATIENCE, lock};
use crate::probe::Notice;
use crate::tasks::Tasks;

/// Reports until the connection is over, then the program's end.
pub(crate) fn start(
    face: Arc<Face>,
    early: Vec<LinkEvent>,
    events: Receiver<LinkEvent>,
    ending: Ending,
) -> Answer<JoinHandle<()>> {
    let report = move || {
        for event in early.into_iter().chain(events) {
            match event {
                // debugpy's own adapter keeps the connection when the program is gone.
                LinkEvent::News(news) if news.event == "terminated" && matches!(ending, Ending::Unknown) => break,
                LinkEvent::News(news) => told(&face, news),
                LinkEvent::Gone => break,
            }
        }
        face.standing.end();
        if matches!(ending, Ending::Unknown) {
            face.link.close();
        }
        face.events.send(last_word(&face, ending));
    };
    let started = thread::Builder::new().name("python-events".to_owned()).spawn(report);
    started.map_err(|error| Error::new(ErrorId::LaunchFailed, format!("no thread for the program's events: {error}")))
}

fn told(face: &Face, News { event, body }: News) {
    match event.as_str() {
        "stopped" => stopped(face, body),
        "continued" => went_on(face),
        "thread" => thread_news(face, &body),
        "breakpoint" => {
            let told = body.get("breakpoint").cloned().map(serde_json::from_value::<PydevdBreakpoint>);
            if let Some(Ok(breakpoint)) = told {
                face.events.send(DebuggeeEvent::BreakpointChanged(breakpoint.bound()));
            }
        }
        "output" => output(face, &body),
        "debugpyAttach" => child_waits(face, &body),
        // Of modules, process and the rest the session has its own mind.
        _ => {}
    }
}

/// It was asked to, as a rule, and then it does not stand any more.
fn went_on(face: &Face) {
    if face.standing.leave().is_some() {
        face.events.send(DebuggeeEvent::Continued);
    }
}

/// A child of a program whose own adapter answers it.
fn child_waits(face: &Face, body: &Value) {
    let Some(announced) = Announced::read(body) else { return };
    if !face.follows_children || is_tracker(announced.pid()) {
        return announced.let_go();
    }
    if was_started_as_fork_server(announced.pid()) {
        // That adapter announces only the children of processes that have sessions.
        let line = format!(
            "weft: process {} is multiprocessing's fork server; what it forks runs undebugged, since the program was \
             attached to by `connect`: launch it to have it debugged",
            announced.pid()
        );
        face.events.send(DebuggeeEvent::Console(Channel::Console, line));
        return announced.let_go();
    }
    let forked = announced.forked();
    lock(&face.announced).push(announced);
    face.events.send(DebuggeeEvent::Forked(forked));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PydevdStop {
    #[serde(default)]
    reason: String,
    thread_id: i64,
    description: Option<String>,
    text: Option<String>,
    #[serde(default)]
    hit_breakpoint_ids: Vec<i64>,
}

fn stopped(face: &Face, body: Value) {
    let told: PydevdStop = match serde_json::from_value(body) {
        Ok(told) => told,
        Err(error) => return tracing::debug!(%error, "pydevd tells of a stop that cannot be read"),
    };
    face.standing.stop();
    let reason = reason(&told.reason);
    let looked_at = lock(&face.paused_at).take().filter(|_| reason == StopReason::Pause);
    let at = match looked_at {
        Some(Target::Task(key)) if face.tasks.as_ref().is_some_and(|tasks| tasks.is_alive(face, key)) => {
            Some(Target::Task(key))
        }
        _ => face.threads.native(&face.link, told.thread_id).map(Target::Thread),
    };
    let watched = at.and_then(|at| watched(face, at));
    let (over, given_on) = face.tasks.as_ref().and_then(Tasks::step_over).unzip();
    let at = given_on.flatten().filter(|_| reason == StopReason::Step).or(at);
    if let Some(passed) = over.as_ref().and_then(|over| over.passed(|task| face.events.task_number(task))) {
        face.events.send(DebuggeeEvent::Console(Channel::Console, passed));
    }
    let mut exception = (reason == StopReason::Exception).then(|| exception(face, &told)).flatten();
    let of_task = exception.as_mut().and_then(|exception| of_task(face, at, exception));
    let what = of_task.or_else(|| exception.as_ref().map(|exception| exception.id.clone())).or(told.description);
    if let Some((task, said, notice)) = watched {
        let reason = if notice.run { StopReason::Step } else { StopReason::Task };
        let interrupted = over.filter(|_| !notice.run).and_then(|over| over.description(&said));
        let (at, description) = (Some(Target::Task(task)), Some(interrupted.unwrap_or(said)));
        let stopped = Stopped { description, text: notice.exception, ..Stopped::new(reason, at) };
        return face.events.send(DebuggeeEvent::Stopped(stopped));
    }
    face.events.send(DebuggeeEvent::Stopped(Stopped {
        reason,
        at,
        description: over.and_then(|over| over.description(what.as_deref().unwrap_or(&told.reason))).or(what),
        text: exception.as_ref().and_then(|exception| exception.message.clone()).or(told.text),
        breakpoints: told.hit_breakpoint_ids.into_iter().map(number).collect(),
        exception,
    }));
}

fn reason(told: &str) -> StopReason {
    match told {
        "breakpoint" => StopReason::Breakpoint,
        "function breakpoint" => StopReason::FunctionBreakpoint,
        "exception" => StopReason::Exception,
        "step" => StopReason::Step,
        "entry" => StopReason::Entry,
        "goto" => StopReason::Goto,
        _ => StopReason::Pause,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExceptionInfo {
    exception_id: String,
    description: Option<String>,
    break_mode: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    message: Option<String>,
    type_name: Option<String>,
}

fn exception(face: &Face, told: &PydevdStop) -> Option<Exception> {
    let answer = face.link.request("exceptionInfo", &json!({"threadId": told.thread_id}), PATIENCE).ok()?;
    let info: ExceptionInfo = serde_json::from_value(answer).ok()?;
    let (message, type_name) = info.details.map(|details| (details.message, details.type_name)).unwrap_or_default();
    Some(Exception {
        description: info.description.unwrap_or_default(),
        message,
        type_name: type_name.unwrap_or_else(|| info.exception_id.clone()),
        id: info.exception_id,
        fatal: info.break_mode.is_some_and(|mode| mode == "unhandled"),
    })
}

/// The task for which it has stopped, if it is watched, and what is said of it.
fn watched(face: &Face, at: Target) -> Option<(TaskKey, String, Notice)> {
    let Target::Thread(native) = at else { return None };
    let (task, notice) = face.tasks.as_ref()?.watched_at(face, native)?;
    let said = notice.said(|task| face.events.task_number(task));
    Some((task, said, notice))
}

/// What is said instead of the exception's name, if it has ended a task; more is said of the exception then.
fn of_task(face: &Face, at: Option<Target>, exception: &mut Exception) -> Option<String> {
    let Some(Target::Thread(native)) = at else { return None };
    let notice = face.tasks.as_ref()?.stopped_at(face, native)?;
    let number = |task| face.events.task_number(task);
    exception.description = notice.text(number);
    let raised = notice.at.as_ref()?;
    let file = raised.file.file_name().unwrap_or_default().display();
    Some(format!("{}; raised at {file}:{}", notice.said(number), raised.line))
}

fn thread_news(face: &Face, body: &Value) {
    let Some(pydevd) = body.get("threadId").and_then(Value::as_i64) else { return };
    let event = match body.get("reason").and_then(Value::as_str) {
        Some("started") => face.threads.native(&face.link, pydevd).map(DebuggeeEvent::ThreadStarted),
        Some("exited") => face.threads.ended(pydevd).map(DebuggeeEvent::ThreadExited),
        _ => None,
    };
    if let Some(event) = event {
        face.events.send(event);
    }
}

fn output(face: &Face, body: &Value) {
    let Some(text) = body.get("output").and_then(Value::as_str).filter(|text| !text.is_empty()) else { return };
    if is_of_slow_evaluation(text) {
        return tracing::debug!("pydevd tells of a slow evaluation: {text}");
    }
    let channel = match body.get("category").and_then(Value::as_str) {
        Some("stdout") => Channel::Stdout,
        Some("stderr") => Channel::Stderr,
        Some("important") => Channel::Important,
        Some("telemetry") => return,
        _ => Channel::Console,
    };
    match channel {
        Channel::Stdout | Channel::Stderr => {
            face.events.output(channel, text.to_owned());
        }
        Channel::Console | Channel::Important => {
            face.events.send(DebuggeeEvent::Console(channel, text.trim_end().to_owned()));
        }
    }
}

/// Whether pydevd tells that something takes long to evaluate. It quotes that, which is weft's own as often as the user's (a busy
/// machine may take seconds to put the probe in), and its advice is for who starts pydevd.
fn is_of_slow_evaluation(text: &str) -> bool {
    text.starts_with("Evaluating: ") && text.contains(" did not finish after ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_evaluations_of_wefts_own_are_not_told() {
        let told = "Evaluating: exec(compile(\"x\", 'y', 'exec')) did not finish after 3.00 seconds.\nThis may mean a number of \
                    things:\n- This evaluation is really slow and this is expected.\n";
        assert!(is_of_slow_evaluation(told));
        assert!(
            !is_of_slow_evaluation("Evaluating: all of it\n") && !is_of_slow_evaluation("it did not finish after 3 s")
        );
    }
}
