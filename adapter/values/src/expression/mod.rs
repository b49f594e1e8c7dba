//! Expressions that a user types: parsed as Rust, evaluated to a place.

use crate::{FrameVariable, Place, Stop, ValueError};

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Not Rust.
    #[error("cannot parse this expression: {0}")]
    Syntax(String),
    /// Rust, but not evaluated here.
    #[error("{0} cannot be evaluated here; paths, fields, indices, `*` and literals can")]
    Unsupported(String),
    /// No such name in scope.
    #[error("no variable `{name}` in this frame{hint}")]
    Unknown {
        /// The name.
        name: String,
        /// Near names: `; did you mean ...?`, or empty.
        hint: String,
    },
    /// A part of it cannot be read.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The names that an expression can use.
pub trait Scope {
    /// The place of the visible variable of this name; `None`: there is none.
    fn lookup(&self, name: &str) -> Option<Result<Place, ValueError>>;
    /// All visible names, for hints.
    fn names(&self) -> Vec<String>;
}

/// A frame's variables as a scope.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a>(pub &'a [FrameVariable]);

impl Scope for Variables<'_> {
    fn lookup(&self, name: &str) -> Option<Result<Place, ValueError>> {
        self.0
            .iter()
            .find(|variable| !variable.shadowed && variable.name == name)
            .map(|variable| variable.place.clone())
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().filter(|variable| !variable.shadowed).map(|variable| variable.name.clone()).collect()
    }
}

/// Evaluates an expression to a place.
pub fn evaluate(_stop: &Stop, _scope: &dyn Scope, text: &str) -> Result<Place, EvaluateError> {
    Err(EvaluateError::Unsupported(format!("`{text}`")))
}
