//! Values on one line, never longer than a reader takes in at a glance.

use super::shape::{Shape, shape};
use super::{Child, text};
use crate::{Place, Stop};

/// Characters after which a line takes no more contents. Brackets that are open are closed and counts of what was left
/// out are said, so that a line may be a little longer.
const LINE: usize = 120;
/// Wrappers in wrappers, references to references: steps on one line that write nothing.
const MAX_STEPS: usize = 256;
/// Elements looked at for one line.
const MAX_ITEMS: u64 = 64;

/// A line being written.
pub(super) struct Line<'a> {
    stop: &'a Stop,
    text: String,
    used: usize,
    steps: usize,
}

/// The value at a place on one line, `depth` levels of brackets deep.
pub(super) fn line(stop: &Stop, place: &Place, depth: usize) -> String {
    let mut line = Line { stop, text: String::new(), used: 0, steps: 0 };
    line.value(place, depth);
    line.text
}

impl Line<'_> {
    /// Writes, whatever the length: for what is short or must be said.
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.used = self.used.saturating_add(text.chars().count());
    }

    /// Writes as much as there is room for.
    fn put_bounded(&mut self, text: &str) {
        let room = self.room().max(8);
        if text.chars().count() <= room {
            self.put(text);
        } else {
            let cut: String = text.chars().take(room).collect();
            self.put(&cut);
            self.put("…");
        }
    }

    const fn room(&self) -> usize {
        LINE.saturating_sub(self.used)
    }

    fn value(&mut self, place: &Place, depth: usize) {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MAX_STEPS {
            return self.put("…");
        }
        match shape(self.stop, place) {
            Ok(shape) => self.shape(&shape, depth),
            Err(error) => self.put(&reason(&error)),
        }
    }

    fn shape(&mut self, shape: &Shape, depth: usize) {
        match shape {
            Shape::Leaf(text) | Shape::Summary { text, .. } => self.put_bounded(text),
            Shape::Text(text) => {
                let room = self.room().max(text::SHORTEST);
                match text.line(self.stop, room) {
                    Ok(text) => self.put(&text),
                    Err(error) => self.put(&reason(&error)),
                }
            }
            Shape::Through { prefix, target } => {
                self.put(prefix);
                self.value(target, depth);
            }
            Shape::Fields { name, fields, is_tuple } => self.fields(name, fields, *is_tuple, depth),
            Shape::Items(sequence) => {
                let total = sequence.len;
                self.list("[", "]", total, depth, |line, index, depth| match sequence.get(index) {
                    Ok(place) => line.value(&place, depth),
                    Err(error) => line.put(&reason(&error)),
                });
            }
            Shape::Entries(entries) => match entries.range(self.stop, 0, MAX_ITEMS) {
                Err(error) => self.put(&reason(&error)),
                Ok(found) => self.list(entries.open(), entries.close(), entries.len(), depth, |line, index, depth| {
                    let entry = usize::try_from(index).ok().and_then(|index| found.get(index));
                    let Some((key, value)) = entry else { return line.put("…") };
                    line.value(key, depth);
                    if let Some(value) = value {
                        line.put(": ");
                        line.value(value, depth);
                    }
                }),
            },
        }
    }

    fn fields(&mut self, name: &str, fields: &[Child], is_tuple: bool, depth: usize) {
        self.put(name);
        let (open, close) = match (is_tuple, name.is_empty()) {
            (true, _) => ("(", ")"),
            (false, true) => ("{ ", " }"),
            (false, false) => (" { ", " }"),
        };
        if fields.is_empty() {
            // A unit struct or variant is its name alone.
            if name.is_empty() {
                self.put("()");
            }
            return;
        }
        let Some(depth) = depth.checked_sub(1) else { return self.put(&format!("{open}…{close}")) };
        self.put(open);
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.put(", ");
            }
            if self.room() == 0 {
                self.put("…");
                break;
            }
            if !is_tuple {
                self.put(&format!("{}: ", field.name));
            }
            match &field.place {
                Ok(place) => self.value(place, depth),
                Err(error) => self.put(&reason(error)),
            }
        }
        if is_tuple && name.is_empty() && fields.len() == 1 {
            self.put(",");
        }
        self.put(close);
    }

    fn list(&mut self, open: &str, close: &str, total: u64, depth: usize, mut item: impl FnMut(&mut Self, u64, usize)) {
        self.put(open);
        match depth.checked_sub(1) {
            None if total > 0 => self.put(&format!("… {total}")),
            None => {}
            Some(depth) => {
                for index in 0..total {
                    if index > 0 {
                        self.put(", ");
                    }
                    if self.room() == 0 || index >= MAX_ITEMS {
                        self.put(&format!("… {} more", total.saturating_sub(index)));
                        break;
                    }
                    item(self, index, depth);
                }
            }
        }
        self.put(close);
    }
}

/// An error where a value would stand: in angle brackets.
pub(super) fn reason(error: &crate::ValueError) -> String {
    let text = error.to_string();
    if text.starts_with('<') { text } else { format!("<{text}>") }
}
