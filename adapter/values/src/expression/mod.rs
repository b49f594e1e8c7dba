//! Expressions that a user types: parsed as Rust, evaluated to a place.
//!
//! What can be shown can be typed: a field is looked for where [`crate::children`] shows it, references and smart
//! pointers are looked through as Rust's own auto-deref does. Nothing is ever called, so nothing in the program runs.

mod compiled;
mod literal;
mod message;
mod quick;
mod reach;

use syn::ext::IdentExt;
use syn::{Expr, Member, UnOp};

use crate::{FrameVariable, Meta, Place, Stop, ValueError};
pub use compiled::Compiled;
pub use message::Message;
pub use quick::Quick;

use literal::Literal;

/// Longest text that is parsed.
const MAX_TEXT: usize = 4096;
/// Nested brackets, fields and operators of one expression. The parser itself recurses: text is checked before it.
const MAX_NESTING: usize = 64;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Not Rust.
    #[error("this is not a Rust expression: {0}")]
    Syntax(String),
    /// Rust, but not evaluated here.
    #[error("{0}; paths, fields, indices, `*` and literals can be evaluated")]
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
}

/// A frame's variables in the function at a path: statics can be named as they are in its source.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The variables.
    pub variables: &'a [FrameVariable],
    /// The path of the function.
    pub path: &'a str,
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

/// Evaluates an expression to a place. Literals become places of known bytes.
pub fn evaluate(stop: &Stop, scope: &dyn Scope, text: &str) -> Result<Place, EvaluateError> {
    let parsed = parsed(text)?;
    let evaluation = Evaluation { stop, scope };
    evaluation.operand(&parsed)?.into_place(stop)
}

/// An expression's syntax, bounded before it is parsed.
fn parsed(text: &str) -> Result<Expr, EvaluateError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EvaluateError::Syntax("there is nothing to evaluate".to_owned()));
    }
    if text.len() > MAX_TEXT || nesting(text) > MAX_NESTING {
        return Err(EvaluateError::Syntax("it is too long or too deeply nested".to_owned()));
    }
    syn::parse_str(text).map_err(|error| EvaluateError::Syntax(error.to_string()))
}

/// How deep the parser recurses at most, without parsing: brackets, operators, and words that follow one another
/// (`return return ..`).
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut is_word, mut is_gap) = (false, false);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' | '<' | '*' | '&' | '-' | '!' | '|' | '.' => depth = depth.saturating_add(1),
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            _ if is_word && is_gap && is_in_word(c) => depth = depth.saturating_add(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        is_gap = c.is_whitespace();
        is_word = is_in_word(c) || (is_word && is_gap);
    }
    deepest
}

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a part of an expression comes to.
enum Operand {
    /// Something in the program.
    Place(Place),
    /// Something written in the expression.
    Literal(Literal),
}

impl Operand {
    fn into_place(self, stop: &Stop) -> Result<Place, EvaluateError> {
        match self {
            Self::Place(place) => Ok(place),
            Self::Literal(literal) => literal.into_place(stop),
        }
    }
}

struct Evaluation<'a> {
    stop: &'a Stop,
    scope: &'a dyn Scope,
}

impl Evaluation<'_> {
    fn operand(&self, expression: &Expr) -> Result<Operand, EvaluateError> {
        match expression {
            Expr::Lit(literal) => Literal::parse(&literal.lit).map(Operand::Literal),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match self.operand(&unary.expr)? {
                Operand::Literal(literal) => literal.negated().map(Operand::Literal),
                Operand::Place(_) => Err(unsupported("arithmetic is not done")),
            },
            Expr::Paren(inner) => self.operand(&inner.expr),
            Expr::Group(inner) => self.operand(&inner.expr),
            other => self.place(other).map(Operand::Place),
        }
    }

    fn place(&self, expression: &Expr) -> Result<Place, EvaluateError> {
        match expression {
            Expr::Path(path) => self.path(path),
            Expr::Field(field) => self.field(field),
            Expr::Index(index) => {
                let base = self.place(&index.expr)?;
                self.index(&base, &index.index)
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => {
                let target = self.place(&unary.expr)?;
                Ok(reach::dereferenced(self.stop, &target)?)
            }
            Expr::Paren(inner) => self.place(&inner.expr),
            Expr::Group(inner) => self.place(&inner.expr),
            Expr::Lit(_) => self.operand(expression)?.into_place(self.stop),
            other => Err(unsupported(refusal(other))),
        }
    }

    fn path(&self, path: &syn::ExprPath) -> Result<Place, EvaluateError> {
        if path.qself.is_some() || path.path.segments.iter().any(|segment| !segment.arguments.is_empty()) {
            return Err(unsupported("a path with generic arguments is not looked up"));
        }
        let segments: Vec<String> =
            path.path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
        let name = segments.join("::");
        if let Some(place) = self.scope.lookup(&name) {
            return Ok(place?);
        }
        for path in reach::static_paths(&name, self.scope.path()) {
            if let Some(place) = reach::static_variable(self.stop, &path) {
                return place;
            }
        }
        let hint = reach::hint(&name, &self.scope.names());
        Err(EvaluateError::Unknown { name, hint })
    }

    fn field(&self, field: &syn::ExprField) -> Result<Place, EvaluateError> {
        let name = match &field.member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        match self.place(&field.base) {
            Ok(base) => reach::field(self.stop, &base, &name),
            // A closure knows a captured part of a place by a name of its own: `self.v`, or `p__v`.
            Err(error @ EvaluateError::Unknown { .. }) => {
                let names = ["__", "."].map(|dot| Some(format!("{}{dot}{name}", joined_name(&field.base, dot)?)));
                match names.iter().flatten().find_map(|name| self.scope.lookup(name)) {
                    Some(place) => Ok(place?),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn index(&self, base: &Place, index: &Expr) -> Result<Place, EvaluateError> {
        let sequence = reach::sequence(self.stop, base)?;
        if let Expr::Range(range) = index {
            let start = range.start.as_ref().map_or(Ok(0), |start| self.number(start))?;
            let end = range.end.as_ref().map_or(Ok(sequence.len), |end| self.number(end))?;
            let end = match range.limits {
                syn::RangeLimits::Closed(_) if range.end.is_some() => end.saturating_add(1),
                _ => end,
            };
            return Ok(reach::slice(&sequence, start, end)?);
        }
        Ok(sequence.get(self.number(index)?)?)
    }

    fn number(&self, expression: &Expr) -> Result<u64, EvaluateError> {
        let no_index = || unsupported("an index that is not a whole number is not looked up");
        match self.operand(expression)? {
            Operand::Literal(Literal::Integer { value, .. }) => u64::try_from(value).map_err(|_| no_index()),
            Operand::Literal(_) => Err(no_index()),
            Operand::Place(place) => match place.ty.kind() {
                weft_symbols::TypeKind::Base(weft_symbols::BaseEncoding::Unsigned) if place.meta == Meta::Sized => {
                    Ok(place.read_u64(self.stop)?)
                }
                _ => Err(no_index()),
            },
        }
    }
}

/// The name under which a closure would keep this place.
fn joined_name(expression: &Expr, dot: &str) -> Option<String> {
    match expression {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => {
            let base = joined_name(&field.base, dot)?;
            Some(match &field.member {
                Member::Named(name) => format!("{base}{dot}{name}"),
                Member::Unnamed(index) => format!("{base}{dot}{}", index.index),
            })
        }
        _ => None,
    }
}

fn unsupported(what: &str) -> EvaluateError {
    EvaluateError::Unsupported(what.to_owned())
}

fn refusal(expression: &Expr) -> &'static str {
    match expression {
        Expr::Call(_) | Expr::MethodCall(_) => "functions and methods of the program are not called",
        Expr::Await(_) => "a future is not awaited",
        Expr::Macro(_) => "macros are not expanded",
        Expr::Binary(_) => "arithmetic and comparisons are not done",
        Expr::Assign(_) => "variables are not assigned to",
        Expr::Cast(_) => "`as` is not applied",
        Expr::Reference(_) => "`&` is not needed and not applied",
        Expr::Closure(_) | Expr::Async(_) => "closures and async blocks are not evaluated",
        Expr::Range(_) => "a range stands only in an index",
        _ => "this kind of expression is not evaluated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_bounds_what_the_parser_recurses_on() {
        assert_eq!(nesting("a.b[1].c"), 2);
        assert_eq!(nesting(&"(".repeat(100)), 100);
        assert_eq!(nesting(&"return ".repeat(50)), 49);
        assert_eq!(nesting("v[0]   "), 1);
    }

    #[test]
    fn the_deepest_text_that_is_parsed_fits_a_small_stack() {
        let deepest = [
            format!("{}a{}", "(".repeat(MAX_NESTING), ")".repeat(MAX_NESTING)),
            format!("{}a", "*".repeat(MAX_NESTING)),
            "return ".repeat(MAX_NESTING),
            format!("{}a{}", "[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING)),
            format!("{}a{}", "{".repeat(MAX_NESTING), "}".repeat(MAX_NESTING)),
            format!("{}a{}", "a::<".repeat(MAX_NESTING), ">".repeat(MAX_NESTING)),
        ];
        for text in deepest {
            assert!(nesting(&text) <= MAX_NESTING, "{text}");
            let parsing = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
                let _ = syn::parse_str::<Expr>(&text);
            });
            assert!(parsing.expect("a thread starts").join().is_ok());
        }
    }
}
