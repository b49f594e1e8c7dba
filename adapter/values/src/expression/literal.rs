//! Literals in expressions.

use syn::Lit;

use super::{EvaluateError, unsupported};
use crate::{At, Place, Stop, ValueError};

/// A value written in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// `5`, `-1`, `7u8`; the suffix names its type, otherwise `i32` or, if it does not fit, `i64`, `i128`.
    Integer {
        /// The number.
        value: i128,
        /// `u8`, or empty.
        suffix: String,
    },
    /// `1.5`.
    Float(f64),
    /// `true`.
    Bool(bool),
    /// `'a'`.
    Char(char),
}

impl Literal {
    pub(super) fn parse(literal: &Lit) -> Result<Self, EvaluateError> {
        let syntax = |error: syn::Error| EvaluateError::Syntax(error.to_string());
        Ok(match literal {
            Lit::Int(int) => {
                let value = int.base10_parse().map_err(syntax)?;
                Self::Integer { value, suffix: int.suffix().to_owned() }
            }
            Lit::Float(float) => Self::Float(float.base10_parse().map_err(syntax)?),
            Lit::Bool(bool) => Self::Bool(bool.value),
            Lit::Char(char) => Self::Char(char.value()),
            _ => return Err(unsupported("a string literal has no place of its own")),
        })
    }

    pub(super) fn negated(self) -> Result<Self, EvaluateError> {
        match self {
            Self::Integer { value, suffix } => match value.checked_neg() {
                Some(value) => Ok(Self::Integer { value, suffix }),
                None => Err(EvaluateError::Syntax("the number is too large".to_owned())),
            },
            Self::Float(value) => Ok(Self::Float(-value)),
            Self::Bool(_) | Self::Char(_) => Err(unsupported("`-` applies to numbers only")),
        }
    }

    /// Its bytes, with a type taken from the program's debug information.
    pub(super) fn into_place(self, stop: &Stop) -> Result<Place, EvaluateError> {
        let (name, bytes) = match &self {
            Self::Integer { value, suffix } => {
                let name = if suffix.is_empty() { default_integer(*value) } else { suffix.as_str() };
                (name, value.to_le_bytes().to_vec())
            }
            Self::Float(value) => ("f64", value.to_le_bytes().to_vec()),
            Self::Bool(value) => ("bool", vec![u8::from(*value)]),
            Self::Char(value) => ("char", u32::from(*value).to_le_bytes().to_vec()),
        };
        let ty = stop.modules.iter().find_map(|module| module.image.types(name).into_iter().next());
        let ty = ty.ok_or_else(|| ValueError::NoType(format!("a literal: the program has no `{name}`")))?;
        Ok(Place::at(ty, At::bytes(bytes)))
    }
}

fn default_integer(value: i128) -> &'static str {
    if i32::try_from(value).is_ok() {
        "i32"
    } else if i64::try_from(value).is_ok() {
        "i64"
    } else {
        "i128"
    }
}
