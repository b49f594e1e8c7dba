//! Pauses: a program that waits is woken for them, and one that does not stop is told of.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, Channel, DebuggeeEvent, Target};

use crate::face::Face;
use crate::link::{Fault, Pending, lock};
use crate::state::{Awaited, Epoch, fault_as};

/// How long a program may go on after it was to stop, before that is told.
const PAUSE_PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take until the interpreter can be told at all.
const LONG: Duration = Duration::from_secs(24 * 3600);

const LOCKED: &str = "a call that is not Python's holds the interpreter's lock, and it stops when that returns";

/// Has the program stop where it is; `at`: who the user looks at.
pub(crate) fn pause(face: &Arc<Face>, at: Option<Target>) -> Answer<()> {
    if face.standing.current().is_ok() {
        return Ok(());
    }
    *lock(&face.paused_at) = at;
    if let Some(tasks) = &face.tasks {
        tasks.settle();
    }
    let last = face.standing.last();
    let asked =
        face.link.post("pause", &json!({"threadId": "*"})).map_err(|fault| fault_as(ErrorId::Control, fault))?;
    let watched = Arc::clone(face);
    let started = thread::Builder::new().name("pause".to_owned()).spawn(move || watch(&watched, last, &asked));
    started.map(drop).map_err(|error| Error::new(ErrorId::Control, format!("no thread to watch the pause: {error}")))
}

/// Sees to it that a pause is noticed by whoever waits; `last`: the stop before it.
fn watch(face: &Face, last: Epoch, asked: &Pending) {
    let tell = |why: &str| {
        let line = format!("weft: the program has not stopped yet: {why}");
        face.events.send(DebuggeeEvent::Console(Channel::Important, line));
    };
    let mut heard = asked.wait(PAUSE_PATIENCE);
    let late = matches!(heard, Err(Fault::Late { .. }));
    if late {
        tell(LOCKED);
        heard = asked.wait(LONG);
    }
    if heard.is_err() {
        return;
    }
    if let Some(tasks) = &face.tasks {
        tasks.wake();
    }
    if !late && face.standing.wait(last, PAUSE_PATIENCE) == Awaited::Runs {
        tell(&why(face));
    }
}

/// What keeps it from stopping, as far as can be seen.
fn why(face: &Face) -> String {
    let held = face.tasks.as_ref().map(|tasks| tasks.held());
    match held {
        Some(Ok(Some((thread, function, at)))) => {
            format!("{thread} is in a call that is not Python's, at {at} ({function}), and stops when that returns")
        }
        Some(Err(())) => LOCKED.to_owned(),
        Some(Ok(None)) | None => "it is in a call that is not Python's, and stops when that returns".into(),
    }
}
