//! Expressions that a user types: parsed as Rust, evaluated to a place.
//!
//! What can be shown can be typed: a field is looked for where [`crate::children`] shows it, references and smart
//! pointers are looked through as Rust's own auto-deref does. Nothing is ever called, so nothing in the program runs.

mod assigning;
mod check;
mod check_methods;
mod compiled;
mod completing;
mod evaluation;
mod literal;
mod loading;
mod location;
mod machine;
mod message;
mod methods;
mod number;
mod operators;
mod pattern;
mod quick;
mod reach;
mod spot;
mod syntax;
mod task;
mod value;
mod variants;

use crate::{FrameVariable, Place, Stop, ValueError};
use evaluation::Evaluation;
use value::{Kind, Value};

pub use assigning::{Write, assignment};
pub use compiled::Compiled;
pub use completing::{Offered, completions};
pub use message::Message;
pub use quick::Quick;
pub use task::{AskTask, TaskValue, TaskVariable};

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Not Rust.
    #[error("this is not a Rust expression: {0}")]
    Syntax(String),
    /// Rust, but not evaluated here.
    #[error("{0}; names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated")]
    Unsupported(String),
    /// No such name in scope.
    #[error("no variable `{name}` in this frame{hint}")]
    Unknown {
        /// The name.
        name: String,
        /// Near names: `; did you mean ...?`, or empty.
        hint: String,
    },
    /// No such field.
    #[error("no field `{name}` on type `{ty}`{hint}")]
    NoField {
        /// The field.
        name: String,
        /// The type that lacks it.
        ty: String,
        /// Near names, or empty.
        hint: String,
    },
    /// Types that do not go together; the sentence names them.
    #[error("{0}")]
    Mismatch(String),
    /// Numbers that cannot be computed with: overflow, division by zero.
    #[error("{0}")]
    Arithmetic(String),
    /// A name whose value is not there at this place of the code, with the reason.
    #[error("{0}")]
    Unavailable(String),
    /// It asks for the task that runs, and none does.
    #[error("no task runs here")]
    NoTask,
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
    /// The path of the function at work (`krate::module::f`), or nothing: statics are named relative to it.
    fn path(&self) -> &str {
        ""
    }
    /// Why there are no names, if that is not the source's doing.
    fn nameless(&self) -> Option<&str> {
        None
    }
}

/// A frame's variables in the function at a path: statics can be named as they are in its source.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The variables.
    pub variables: &'a [FrameVariable],
    /// The path of the function.
    pub path: &'a str,
    /// Why there are no variables, if [`crate::no_variables`] knows.
    pub nameless: Option<&'a str>,
}

impl Scope for Within<'_> {
    fn lookup(&self, name: &str) -> Option<Result<Place, ValueError>> {
        Variables(self.variables).lookup(name)
    }

    fn names(&self) -> Vec<String> {
        Variables(self.variables).names()
    }

    fn path(&self) -> &str {
        self.path
    }

    fn nameless(&self) -> Option<&str> {
        self.nameless
    }
}

/// A name as it has to be typed: `r#type`.
pub fn typed_name(name: &str) -> String {
    let is_keyword =
        syn::parse_str::<syn::Ident>(name).is_err() && !matches!(name, "self" | "Self" | "super" | "crate");
    if is_keyword && syn::parse_str::<syn::Ident>(&format!("r#{name}")).is_ok() {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}

/// A frame's variables as a scope.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a>(pub &'a [FrameVariable]);

impl Scope for Variables<'_> {
    fn lookup(&self, name: &str) -> Option<Result<Place, ValueError>> {
        let visible = self.0.iter().find(|variable| !variable.shadowed && variable.name == name);
        visible.map(|variable| variable.place.clone())
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().filter(|variable| !variable.shadowed).map(|variable| variable.name.clone()).collect()
    }
}

/// Evaluates an expression to a place. What lies nowhere in the program (a literal, a sum) becomes a place of known
/// bytes.
pub fn evaluate(stop: &Stop, scope: &dyn Scope, text: &str) -> Result<Place, EvaluateError> {
    let node = syntax::parse(text)?;
    Evaluation { stop, scope, task: None }.operand(&node)?.into_place(stop)
}

/// What follows a map's expression to name the value of its `index`-th entry: the key, where it can be written.
pub(crate) fn entry_access(stop: &Stop, key: &Place, index: u64) -> String {
    let written = Value::load(stop, key).ok().and_then(|key| key.written(stop));
    written.map_or_else(|| value_access(index), |key| format!("[{key}]"))
}

/// What follows a map's expression to name the value of its `index`-th entry by that number.
pub(crate) fn value_access(index: u64) -> String {
    format!(".values().nth({index})")
}

/// What follows an expression to name a part that is no field of the source: `[value]` is reached by `.value`.
pub(crate) fn extra_access(name: &str) -> Option<String> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_index = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    let typed = typed_name(bare);
    (is_index || syn::parse_str::<syn::Ident>(&typed).is_ok()).then(|| format!(".{typed}"))
}

/// An expression as the beginning of a longer one: in brackets where what follows it would concern only its end.
pub fn as_operand(text: &str) -> String {
    if syntax::is_operand(text) { text.trim().to_owned() } else { format!("({})", text.trim()) }
}

fn unsupported(what: &str) -> EvaluateError {
    EvaluateError::Unsupported(what.to_owned())
}

/// A name that stands for nothing; `nameless` says why nothing has a name here.
fn unknown(name: &str, names: &[String], nameless: Option<&str>) -> EvaluateError {
    if let Some(why) = nameless {
        return EvaluateError::Unknown { name: name.to_owned(), hint: format!(": {why}") };
    }
    let last = name.rsplit("::").next().unwrap_or(name);
    let is_constant = last.len() > 1 && !last.contains(char::is_lowercase) && last.contains(char::is_uppercase);
    let hint = match reach::hint(name, names) {
        hint if hint.is_empty() && is_constant => "; a `const` is nowhere in the program: write its value".to_owned(),
        hint => hint,
    };
    EvaluateError::Unknown { name: name.to_owned(), hint }
}

fn not_bool(kind: &Kind) -> EvaluateError {
    EvaluateError::Mismatch(format!("a condition is a `bool`, and this is `{}`{}", kind.name(), operators::truth(kind)))
}

fn not_index(kind: &Kind) -> EvaluateError {
    EvaluateError::Mismatch(format!("an index is a whole number, and this is `{}`", kind.name()))
}

/// A name that would be a variant if it were compared with an enum.
fn no_variant(path: &str, has_arguments: bool, kind: &Kind, names: &[String]) -> EvaluateError {
    if has_arguments || path.contains("::") {
        EvaluateError::Mismatch(format!("cannot compare `{}` with `{path}`", kind.name()))
    } else {
        unknown(path, names, None)
    }
}

#[cfg(test)]
mod tests;
