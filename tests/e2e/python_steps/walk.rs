//! A walk, and how it is taken.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Frame, Launch, Stop};

use crate::tables;

const SCRIPT: &str = "walks.py";

/// The walked task's, of all that run the same code.
pub(super) const WALKED: &str = "me == 2";

pub(super) struct Walk {
    /// The function, and the first word of its markers.
    pub(super) name: &'static str,
    /// See the module.
    pub(super) table: &'static str,
}

/// Takes a walk among so many siblings.
pub(super) fn take(python: &Python, walk: &Walk, siblings: usize) {
    let mut client = Client::weft();
    let mut stop = begin(&mut client, python, walk, siblings);
    client.set_breakpoints(&source(SCRIPT), &[]);
    let place = |client: &mut Client, stop: &Stop, task: &str| walk.place(client, stop, task);
    let found = tables::take(walk.table, &mut client, &mut stop, stepped, place);
    assert_eq!(found, tables::rows(walk.table), "{} on {}", walk.name, python.interpreter.version);
    let ended = found.last().is_some_and(|row| row.contains("the program has ended"));
    if !ended {
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }
    // Whatever was stepped, all came to their ends.
    assert_eq!(client.output("stdout").lines().count(), 1);
    assert_eq!(client.output("stderr"), "");
}

/// Launches a walk up to the stop where it begins.
pub(super) fn begin(client: &mut Client, python: &Python, walk: &Walk, siblings: usize) -> Stop {
    let siblings = siblings.to_string();
    let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
    client.launch_configured(&source(SCRIPT), &[walk.name, &siblings], &launch, |client| {
        let at = line(SCRIPT, &tables::begin(walk.table, walk.name));
        client.set_source_breakpoints(&source(SCRIPT), &[json!({"line": at, "condition": WALKED})]);
    });
    client.stopped()
}

impl Walk {
    /// Where a stop is, and what is out of the ordinary there.
    pub(super) fn place(&self, client: &mut Client, stop: &Stop, task: &str) -> String {
        let frames = client.stack(stop.thread);
        let mut words = vec![self.marker(&frames[0])];
        if frames[0].name != "<module>" {
            words.extend(locals(client, frames[0].id));
        }
        words.extend(tables::remarks(stop, &frames, task));
        words.join(" ")
    }

    /// The marker of the line that a frame is at.
    pub(super) fn marker(&self, frame: &Frame) -> String {
        tables::marker(frame, "# BP: ", self.name)
    }
}

/// A step, and the stop that ends it, or why there is none.
pub(super) fn stepped(client: &mut Client, thread: i64, how: &str) -> Result<Stop, String> {
    if let Some(call) = how.strip_prefix("into:") {
        let frame = client.top(thread).id;
        let targets = client.step_in_targets(frame);
        let names: Vec<String> = targets.iter().map(|(_, name)| name.replace(' ', "")).collect();
        let at = names.iter().position(|name| name == call).ok_or_else(|| format!("there are only {names:?}"))?;
        client.ask("stepIn", json!({"threadId": thread, "targetId": targets[at].0}));
        return client.stop_or_exit().ok_or_else(|| "the program has ended".to_owned());
    }
    let stop = tables::step(client, thread, how)?;
    stop.ok_or_else(|| format!("the program has ended: {}", client.output("console").trim_end()))
}

/// Locals; of what has members, only the name.
fn locals(client: &mut Client, frame: i64) -> Vec<String> {
    let scopes = client.ask("scopes", json!({"frameId": frame}));
    let reference = &scopes["scopes"][0]["variablesReference"];
    let locals = client.ask("variables", json!({"variablesReference": reference}));
    let shown = |local: &Value| {
        let text = |name: &str| local[name].as_str().unwrap_or_default().to_owned();
        match local["variablesReference"].as_i64() {
            Some(0) | None => format!("{}={}", text("name"), text("value").replace(' ', "_")),
            Some(_) => text("name"),
        }
    };
    // Groups (`function variables`) and return values have names that no variable has.
    let own = |local: &&Value| local["name"].as_str().is_some_and(|name| !name.contains(' '));
    let mut locals: Vec<String> = locals["variables"].as_array().into_iter().flatten().filter(own).map(shown).collect();
    locals.sort();
    locals
}
