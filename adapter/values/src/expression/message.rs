//! Log messages: text with `{expressions}` in it.

use std::sync::Arc;

use weft_memory::FileAddr;
use weft_symbols::{Image, Modules};

use super::evaluation::{Evaluation, Operand};
use super::syntax::Node;
use super::value::{Content, Value};
use super::{AskTask, EvaluateError, Within};
use crate::{Stop, frames, no_variables, variables, view};

/// Levels of nested values that an expression's value is written with.
const DEPTH: usize = 3;
/// Bytes of a text that are written out.
const MAX_VALUE: u64 = 1024;
/// Texts and expressions of one message.
const MAX_PARTS: usize = 64;
/// Longest message that is parsed, in bytes.
const MAX_TEXT: usize = 16_384;

/// A parsed log message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// As it is written, and parsed.
    Expression(String, Node),
}

impl Message {
    /// Parses a message: `{expression}` stands for a value, `{{` and `}}` for braces.
    pub fn parse(text: &str) -> Result<Self, EvaluateError> {
        if text.len() > MAX_TEXT {
            return Err(EvaluateError::Syntax("the message is longer than 16 KB".to_owned()));
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '{' | '}' if after.starts_with(c) => {
                    plain.push(c);
                    rest = after.get(1..).unwrap_or_default();
                }
                '{' => {
                    let end = closing(after).ok_or_else(|| {
                        EvaluateError::Syntax("a `{` is not closed; write `{{` for a brace itself".to_owned())
                    })?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    let expression = after.get(..end).unwrap_or_default();
                    parts.push(Part::Expression(expression.trim().to_owned(), super::syntax::parse(expression)?));
                    rest = after.get(end.saturating_add(1)..).unwrap_or_default();
                }
                '}' => {
                    return Err(EvaluateError::Syntax(
                        "a `}` closes nothing; write `}}` for a brace itself".to_owned(),
                    ));
                }
                c => {
                    plain.push(c);
                    rest = after;
                }
            }
            if parts.len() > MAX_PARTS {
                return Err(EvaluateError::Syntax("the message has more than 64 parts".to_owned()));
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Checks its expressions for the code at `pc` of `image`, as [`crate::Compiled::condition`] does.
    pub fn check(&self, modules: &Modules, image: &Arc<Image>, pc: FileAddr) -> Result<(), EvaluateError> {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(_) => Ok(()),
            Part::Expression(_, node) => super::compiled::check(modules, image, pc, node),
        })
    }

    /// The message in the innermost frame of a thread. What has no value says why, in angle brackets, in its place. `task`
    /// is asked for the task that runs there, if the message names it.
    pub fn text(&self, stop: &Stop, tid: i32, task: &AskTask<'_>) -> String {
        let frame = frames(stop, tid, 1).frames.into_iter().next();
        let list = frame.as_ref().map(|frame| variables(stop, frame)).unwrap_or_default();
        let path = frame.as_ref().and_then(|frame| frame.code.as_ref()).map_or("", |code| code.function.path.as_str());
        let nameless = frame.as_ref().and_then(|frame| no_variables(stop, frame, &list));
        let within = Within { variables: &list, path, nameless: nameless.as_deref() };
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Expression(_, node) => {
                    let evaluation = Evaluation { stop, scope: &within, task: Some(task) };
                    match evaluation.operand(node).and_then(|operand| shown(stop, operand)) {
                        Ok(value) => text.push_str(&value),
                        Err(error) => text.push_str(&in_brackets(&error.to_string())),
                    }
                }
            }
        }
        text
    }
}

/// A value as `{}` writes it where that is plain, texts and characters without quotes; otherwise as it is shown.
fn shown(stop: &Stop, operand: Operand) -> Result<String, EvaluateError> {
    let place = match operand {
        Operand::Value(value) => value.into_place(stop)?,
        Operand::Place(place) => place,
    };
    match Value::load(stop, &place) {
        Ok(Value::ProgramText(bytes, _)) => {
            let cut = bytes.len > MAX_VALUE;
            let total = bytes.len;
            let read = Content::InProgram(&bytes.shortened(MAX_VALUE)).read(stop)?;
            let mut text = String::from_utf8_lossy(&read).into_owned();
            if cut {
                text.push_str(&format!("… ({total} bytes)"));
            }
            Ok(text)
        }
        Ok(Value::Char(char)) => Ok(char.to_string()),
        _ => Ok(view(stop, &place, DEPTH).value),
    }
}

/// Where the brace is that closes an expression: not one in a nested pair, a string or a character.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0_usize;
    while let Some(c) = text.get(at..)?.chars().next() {
        let after = at.checked_add(c.len_utf8())?;
        at = match c {
            '"' => after.checked_add(quoted(text.get(after..)?, '"')?)?,
            '\'' => after.checked_add(character(text.get(after..)?))?,
            '{' => {
                depth = depth.saturating_add(1);
                after
            }
            '}' => match depth.checked_sub(1) {
                Some(outer) => {
                    depth = outer;
                    after
                }
                None => return Some(at),
            },
            _ => after,
        };
    }
    None
}

/// Bytes up to and with the quote that ends a string.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at.checked_add(1),
            _ => {}
        }
    }
    None
}

/// Bytes of a character and the quote behind it; none of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(text, '\'').unwrap_or(0),
        (Some(c), Some('\'')) => c.len_utf8().saturating_add(1),
        _ => 0,
    }
}

fn in_brackets(reason: &str) -> String {
    if reason.starts_with('<') && reason.ends_with('>') { reason.to_owned() } else { format!("<{reason}>") }
}
