//! Walks as tables: what those through Rust's and those through Python's coroutines have in common.

use serde_json::json;
use weft_tests::{Client, Frame, Stop};

/// A table's rows, with one space between words.
pub(crate) fn rows(table: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    table.lines().map(words).filter(|row| !row.is_empty()).collect()
}

/// The marker on which a table begins, as it stands in the source; `name`: that of the walk's own markers.
pub(crate) fn begin(table: &str, name: &str) -> String {
    let marker = table.split_whitespace().nth(1).expect("a table begins with a marker");
    let is_own = marker.starts_with(|first: char| first.is_ascii_digit());
    if is_own { format!("{name} {marker}") } else { marker.replace('_', " ") }
}

/// The marker of the line that a frame is at; `comment`: what it stands behind.
pub(crate) fn marker(frame: &Frame, comment: &str, name: &str) -> String {
    let text = frame.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let index = usize::try_from(frame.line - 1).unwrap_or_default();
    match text.lines().nth(index).and_then(|line| line.split_once(comment)) {
        Some((_, marker)) => marker.strip_prefix(&format!("{name} ")).unwrap_or(marker).replace(' ', "_"),
        None => format!("{}:{}", frame.file(), frame.line),
    }
}

/// Takes the steps of a table, and says in its words where each ended: `stepped` takes one and says why it has no end, `place` tells
/// where a stop is, by the task that the walk is in.
pub(crate) fn take(
    table: &str,
    client: &mut Client,
    stop: &mut Stop,
    stepped: impl Fn(&mut Client, i64, &str) -> Result<Stop, String>,
    place: impl Fn(&mut Client, &Stop, &str) -> String,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut task = task(&client.stack(stop.thread));
    for row in rows(table) {
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
        // It has ended, and the walk goes on in its awaiter.
        if stop.body["description"].is_string() {
            task = self::task(&client.stack(stop.thread));
        }
        found.push(format!("{how} {}", place(client, stop, &task)));
    }
    found
}

/// A step, and the stop that ends it; none where the program has ended.
pub(crate) fn step(client: &mut Client, thread: i64, how: &str) -> Result<Option<Stop>, String> {
    let request = match how {
        "over" => "next",
        "into" => "stepIn",
        "out" => "stepOut",
        other => panic!("there is no step {other}"),
    };
    client.request(request, json!({"threadId": thread})).map_err(|failure| failure.message)?;
    Ok(client.stop_or_exit())
}

/// What is out of the ordinary at a stop of a walk in this task.
pub(crate) fn remarks(stop: &Stop, frames: &[Frame], task: &str) -> Vec<String> {
    let now = self::task(frames);
    let elsewhere = (now != task).then(|| format!("in {now}"));
    let told = stop.body["description"].as_str().map(|told| format!("({told})"));
    let reason = stop.reason.as_str();
    let by = (!matches!(reason, "step" | "breakpoint")).then(|| format!("by {reason}"));
    elsewhere.into_iter().chain(told).chain(by).collect()
}

/// The task that a stack is of, by its label.
pub(crate) fn task(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.hint == "label").map_or_else(|| "no task".to_owned(), |frame| frame.name.clone())
}
