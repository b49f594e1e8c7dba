//! What the fake notes of breakpoints, as short texts.

use weft_session::debuggee::{BreakpointSpec, Terms};

/// Texts that are said without quotes.
pub(super) struct Said(Vec<String>);

impl FromIterator<String> for Said {
    fn from_iter<T: IntoIterator<Item = String>>(texts: T) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.0.join(", "))
    }
}

pub(super) fn line(spec: &BreakpointSpec) -> String {
    let column = spec.column.map(|column| format!(":{column}")).unwrap_or_default();
    terms(format!("{}{column}", spec.line), &spec.terms)
}

pub(super) fn terms(mut text: String, terms: &Terms) -> String {
    for (word, value) in [("if", &terms.condition), ("hits", &terms.hits), ("log", &terms.log)] {
        if let Some(value) = value {
            text = format!("{text} {word} {value}");
        }
    }
    text
}
