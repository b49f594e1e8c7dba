//! What the demo prints, in colour on a terminal.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

const TITLE: Style = Style::new().bold().underline();
const HERE: Style = AnsiColor::Yellow.on_default().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Lines shown above and below the one that is meant.
const AROUND: u64 = 2;

pub(super) fn title(text: &str) {
    anstream::println!("\n{TITLE}{text}{TITLE:#}");
}

pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| path.to_owned())
}

/// The line and its neighbours.
pub(super) fn source(text: &str, line: u64) {
    for (number, content) in (1..).zip(text.lines()).filter(|(number, _)| line.abs_diff(*number) <= AROUND) {
        let content = content.split("// BP:").next().unwrap_or(content).trim_end();
        if number == line {
            anstream::println!("{HERE}→ {number:>4}  {content}{HERE:#}");
        } else {
            anstream::println!("{DIM}  {number:>4}{DIM:#}  {content}");
        }
    }
}

/// The answer to `stackTrace`: the frames down to the executor, whose own frames are only counted.
pub(super) fn stack(answer: &Value) {
    let frames: Vec<&Value> = answer["stackFrames"].as_array().into_iter().flatten().collect();
    let mut folded = 0;
    for frame in frames {
        let name = frame["name"].as_str().unwrap_or("?");
        match frame["presentationHint"].as_str() {
            Some("label") => anstream::println!("  {DIM}── {name}{DIM:#}"),
            Some("subtle") => folded += 1,
            _ => {
                let file = file_name(frame["source"]["path"].as_str().unwrap_or("?"));
                anstream::println!("  {NAME}{name}{NAME:#} {DIM}at {file}:{}{DIM:#}", frame["line"]);
            }
        }
    }
    if folded > 0 {
        anstream::println!("  {DIM}({folded} frames of the runtime and the standard library){DIM:#}");
    }
}

/// The answer to `variables`.
pub(super) fn variables(answer: &Value) {
    for variable in answer["variables"].as_array().into_iter().flatten() {
        let text = |key: &str| variable[key].as_str().unwrap_or("?").to_owned();
        anstream::println!("  {NAME}{}{NAME:#}: {DIM}{}{DIM:#} = {}", text("name"), text("type"), text("value"));
    }
}
