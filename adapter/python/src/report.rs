//! pydevd's events, as the session hears of them; on a thread of its own, since some need a question first.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};

use serde::Deserialize;
use serde_json::{Value, json};
use weft_protocol::{Error, ErrorId, News};
use weft_session::debuggee::{Answer, Channel, DebuggeeEvent, Exception, StopReason, Stopped, Target};

use crate::breakpoints::{PydevdBreakpoint, number};
use crate::face::Face;
use crate::link::{LinkEvent, PATIENCE};
use crate::start::Program;

/// Reports until the connection is over, then the program's end.
pub(crate) fn start(
    face: Arc<Face>,
    early: Vec<LinkEvent>,
    events: Receiver<LinkEvent>,
    program: Option<Program>,
) -> Answer<JoinHandle<()>> {
    let report = move || {
        for event in early.into_iter().chain(events) {
            match event {
                LinkEvent::News(news) => told(&face, news),
                LinkEvent::Gone => break,
            }
        }
        face.standing.leave();
        face.events.send(last_word(program));
    };
    let started = thread::Builder::new().name("python-events".to_owned()).spawn(report);
    started.map_err(|error| Error::new(ErrorId::LaunchFailed, format!("no thread for the program's events: {error}")))
}

fn last_word(program: Option<Program>) -> DebuggeeEvent {
    match program {
        Some(program) => match program.ended() {
            Some(status) => DebuggeeEvent::Exited(status),
            None => DebuggeeEvent::Lost("the program runs on, but its debugger is gone from it".to_owned()),
        },
        None => DebuggeeEvent::Lost("the connection to the program has ended".to_owned()),
    }
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
    let at = face.threads.native(&face.link, told.thread_id).map(Target::Thread);
    let reason = reason(&told.reason);
    let exception = (reason == StopReason::Exception).then(|| exception(face, &told)).flatten();
    face.events.send(DebuggeeEvent::Stopped(Stopped {
        reason,
        at,
        description: exception.as_ref().map(|exception| exception.id.clone()).or(told.description),
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
