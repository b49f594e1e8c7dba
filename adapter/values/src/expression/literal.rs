//! Literals in expressions.

use syn::Lit;

use super::number::{FloatType, Integer, IntegerType};
use super::value::Value;
use super::{EvaluateError, unsupported};

/// A value written in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// `5`, `-1`, `7u8`.
    Integer {
        negative: bool,
        magnitude: u128,
        /// From the suffix; without one it adapts to what it meets.
        ty: Option<IntegerType>,
    },
    /// `1.5`, `1.5f32`.
    Float(f64, Option<FloatType>),
    /// `true`.
    Bool(bool),
    /// `'a'`.
    Char(char),
    /// `"text"`.
    Text(String),
    /// `b"bytes"`.
    Bytes(Vec<u8>),
}

impl Literal {
    pub(super) fn parse(literal: &Lit) -> Result<Self, EvaluateError> {
        let syntax = |error: syn::Error| EvaluateError::Syntax(error.to_string());
        Ok(match literal {
            // In a pattern the sign belongs to the literal.
            Lit::Int(int) if int.base10_digits().starts_with('-') => {
                let positive = int.to_string();
                Self::parse(&Lit::Int(syn::parse_str(positive.trim_start_matches('-')).map_err(syntax)?))?.negated()?
            }
            Lit::Int(int) => {
                let magnitude = int.base10_parse().map_err(syntax)?;
                match (int.suffix(), FloatType::named(int.suffix()), IntegerType::named(int.suffix())) {
                    ("", ..) => Self::Integer { negative: false, magnitude, ty: None },
                    (_, Some(float), _) => Self::Float(int.base10_digits().parse().unwrap_or(f64::NAN), Some(float)),
                    (_, _, Some(ty)) => Self::Integer { negative: false, magnitude, ty: Some(ty) },
                    (suffix, ..) => return Err(no_suffix(suffix)),
                }
            }
            Lit::Float(float) => {
                let value = float.base10_parse().map_err(syntax)?;
                match (float.suffix(), FloatType::named(float.suffix())) {
                    ("", _) => Self::Float(value, None),
                    (_, Some(ty)) => Self::Float(value, Some(ty)),
                    (suffix, None) => return Err(no_suffix(suffix)),
                }
            }
            Lit::Bool(bool) => Self::Bool(bool.value),
            Lit::Char(char) => Self::Char(char.value()),
            Lit::Byte(byte) => {
                Self::Integer { negative: false, magnitude: byte.value().into(), ty: IntegerType::named("u8") }
            }
            Lit::Str(text) => Self::Text(text.value()),
            Lit::ByteStr(bytes) => Self::Bytes(bytes.value()),
            _ => return Err(unsupported("this kind of literal is not evaluated")),
        })
    }

    pub(super) fn negated(self) -> Result<Self, EvaluateError> {
        match self {
            Self::Integer { negative, magnitude, ty } => Ok(Self::Integer { negative: !negative, magnitude, ty }),
            Self::Float(value, ty) => Ok(Self::Float(-value, ty)),
            _ => Err(unsupported("`-` applies to numbers only")),
        }
    }

    /// What it is worth.
    pub(super) fn value(&self) -> Result<Value, EvaluateError> {
        Ok(match self {
            Self::Integer { negative, magnitude, ty } => Value::Integer(Integer::written(*negative, *magnitude, *ty)?),
            Self::Float(value, ty) => Value::float(*value, *ty),
            Self::Bool(value) => Value::Bool(*value),
            Self::Char(value) => Value::Char(*value),
            Self::Text(text) => Value::Text(text.clone().into_bytes()),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
        })
    }
}

fn no_suffix(suffix: &str) -> EvaluateError {
    EvaluateError::Syntax(format!("there is no number type `{suffix}`"))
}
