//! A walk, and how it is taken.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Frame, Launch, Stop};

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
    let found = walk.steps(&mut client, &mut stop);
    assert_eq!(found, walk.rows(), "{} on {}", walk.name, python.interpreter.version);
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
        let marker = walk.table.split_whitespace().nth(1).expect("a table begins with a marker");
        let at = line(SCRIPT, &walk.full(marker));
        client.set_source_breakpoints(&source(SCRIPT), &[json!({"line": at, "condition": WALKED})]);
    });
    client.stopped()
}

impl Walk {
    pub(super) fn rows(&self) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.table.lines().map(words).filter(|row| !row.is_empty()).collect()
    }

    /// A marker as it stands in the script.
    pub(super) fn full(&self, marker: &str) -> String {
        let is_own = marker.starts_with(|first: char| first.is_ascii_digit());
        if is_own { format!("{} {marker}", self.name) } else { marker.replace('_', " ") }
    }

    /// Takes the steps, and says in the table's words where each ended.
    fn steps(&self, client: &mut Client, stop: &mut Stop) -> Vec<String> {
        let mut found = Vec::new();
        let mut task = task(&client.stack(stop.thread));
        for row in self.rows() {
            let how = row.split(' ').next().unwrap_or_default();
            if how != "at" {
                match stepped(client, stop.thread, how) {
                    Ok(next) => *stop = next,
                    Err(why) => {
                        found.push(format!("{how} {why}"));
                        break;
                    }
                }
            }
            if stop.body["description"].is_string() {
                task = self::task(&client.stack(stop.thread));
            }
            found.push(format!("{how} {}", self.place(client, stop, &task)));
        }
        found
    }

    /// Where a stop is, and what is out of the ordinary there.
    pub(super) fn place(&self, client: &mut Client, stop: &Stop, task: &str) -> String {
        let frames = client.stack(stop.thread);
        let mut words = vec![self.marker(&frames[0])];
        if frames[0].name != "<module>" {
            words.extend(locals(client, frames[0].id));
        }
        let now = self::task(&frames);
        if now != task {
            words.push(format!("in {now}"));
        }
        words.extend(stop.body["description"].as_str().map(|told| format!("({told})")));
        if !matches!(stop.reason.as_str(), "step" | "breakpoint") {
            words.push(format!("by {}", stop.reason));
        }
        words.join(" ")
    }

    /// The marker of the line that a frame is at.
    pub(super) fn marker(&self, frame: &Frame) -> String {
        let text = frame.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let index = usize::try_from(frame.line - 1).unwrap_or_default();
        match text.lines().nth(index).and_then(|line| line.split_once("# BP: ")) {
            Some((_, marker)) => marker.strip_prefix(&format!("{} ", self.name)).unwrap_or(marker).replace(' ', "_"),
            None => format!("{}:{}", frame.file(), frame.line),
        }
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
    let request = match how {
        "over" => "next",
        "into" => "stepIn",
        "out" => "stepOut",
        other => panic!("there is no step {other}"),
    };
    client.request(request, json!({"threadId": thread})).map_err(|failure| failure.message)?;
    client.stop_or_exit().ok_or_else(|| format!("the program has ended: {}", client.output("console").trim_end()))
}

/// The task that a stack is of, by its label.
pub(super) fn task(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.hint == "label").map_or_else(|| "no task".to_owned(), |frame| frame.name.clone())
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
