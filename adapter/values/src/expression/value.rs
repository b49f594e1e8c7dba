//! What operators work on: a place's value, looked at through references and smart pointers, or a computed one.

use weft_memory::MemAddr;
use weft_symbols::{BaseEncoding, Type, TypeKind};

use super::EvaluateError;
use super::number::{FloatType, Integer, IntegerType};
use crate::place::MAX_READ;
use crate::view::{Reached, is_raw_pointer, reached};
use crate::{At, Meta, Place, Sequence, Stop, ValueError};

/// References to references that are looked through.
pub(super) const MAX_DEREFS: usize = 32;

/// Bytes of a text that is written out in an expression.
const MAX_WRITTEN: u64 = 200;

/// What a value is to operators.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Without a type: it adapts to the other side.
    Integer(Option<IntegerType>),
    Float(Option<FloatType>),
    Bool,
    Char,
    /// A raw or function pointer, with its type's name.
    Pointer(String),
    /// `str`, `String` and the like, with the type's name.
    Text(String),
    /// A run of `u8`, with the type's name.
    Bytes(String),
    /// An enum, with or without data.
    Enumeration(Type),
    /// An `Option` that is none of the program's, with its type's name.
    Found(String),
    /// What no operator works on.
    Other(String),
    /// Only the program's memory tells.
    Unknown,
}

impl Kind {
    /// The type's name as a programmer writes it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Integer(Some(ty)) => ty.name().to_owned(),
            Self::Integer(None) => "integer".to_owned(),
            Self::Float(Some(ty)) => ty.name().to_owned(),
            Self::Float(None) => "f64".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Char => "char".to_owned(),
            Self::Pointer(name) | Self::Text(name) | Self::Bytes(name) | Self::Found(name) | Self::Other(name) => {
                name.clone()
            }
            Self::Enumeration(ty) => crate::type_name(ty),
            Self::Unknown => "_".to_owned(),
        }
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Integer(Integer),
    /// A number of type `f32` is kept exactly.
    Float(f64, Option<FloatType>),
    Bool(bool),
    Char(char),
    /// With the name of its type.
    Pointer(MemAddr, String),
    /// A string literal.
    Text(Vec<u8>),
    /// A byte string literal.
    Bytes(Vec<u8>),
    /// Text in the program, with the name of its type; read when it is needed.
    ProgramText(Sequence, String),
    /// Bytes in the program.
    ProgramBytes(Sequence, String),
    /// An enum's place.
    Enumeration(Place),
    /// What `.get(..)` and its like found.
    Found(Option<Box<Place>>),
    /// What no operator works on, by its type's name.
    Other(String),
}

impl Value {
    /// A floating-point number, rounded to its type.
    #[allow(clippy::cast_possible_truncation, reason = "rounding is meant")]
    pub(super) fn float(value: f64, ty: Option<FloatType>) -> Self {
        match ty {
            Some(FloatType::F32) => Self::Float(f64::from(value as f32), ty),
            _ => Self::Float(value, ty),
        }
    }

    /// What it is to operators.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Integer(integer) => Kind::Integer(integer.ty),
            Self::Float(_, ty) => Kind::Float(*ty),
            Self::Bool(_) => Kind::Bool,
            Self::Char(_) => Kind::Char,
            Self::Pointer(_, name) => Kind::Pointer(name.clone()),
            Self::Text(_) => Kind::Text("str".to_owned()),
            Self::Bytes(_) => Kind::Bytes("[u8]".to_owned()),
            Self::ProgramText(_, name) => Kind::Text(name.clone()),
            Self::ProgramBytes(_, name) => Kind::Bytes(name.clone()),
            Self::Enumeration(place) => Kind::Enumeration(place.ty.clone()),
            Self::Found(place) => Kind::Found(match place {
                Some(place) => format!("Option<&{}>", crate::view::type_name(place)),
                None => "Option<&_>".to_owned(),
            }),
            Self::Other(name) => Kind::Other(name.clone()),
        }
    }

    /// The value at a place, behind references, `Box`, `Rc`, atomics and other wrappers.
    pub(super) fn load(stop: &Stop, place: &Place) -> Result<Self, EvaluateError> {
        let mut place = place.clone();
        for _ in 0..MAX_DEREFS {
            if let Some(scalar) = scalar(stop, &place)? {
                return Ok(scalar);
            }
            let name = crate::view::type_name(&place);
            place = match reached(stop, &place)? {
                Reached::Through(target) => target,
                Reached::Text { bytes, is_str: true } => return Ok(Self::ProgramText(bytes, name)),
                Reached::Text { bytes, is_str: false } => return Ok(Self::ProgramBytes(bytes, name)),
                Reached::Items(items) if is_byte(&items.element) => return Ok(Self::ProgramBytes(items, name)),
                _ => return Ok(Self::Other(name)),
            };
        }
        Err(ValueError::Bound("32 references to references").into())
    }

    /// Length and bytes of text or bytes; none for other values.
    pub(super) fn content(&self) -> Option<Content<'_>> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => Some(Content::Known(bytes)),
            Self::ProgramText(bytes, _) | Self::ProgramBytes(bytes, _) => Some(Content::InProgram(bytes)),
            _ => None,
        }
    }

    /// As it is written in an expression; nothing for what is long, or cannot be.
    pub(super) fn written(&self, stop: &Stop) -> Option<String> {
        Some(match self {
            Self::Integer(integer) => integer.text(),
            Self::Bool(value) => value.to_string(),
            Self::Char(value) => format!("{value:?}"),
            Self::Text(_) | Self::ProgramText(..) => {
                let content = self.content().filter(|content| content.len() <= MAX_WRITTEN)?;
                format!("{:?}", String::from_utf8(content.read(stop).ok()?).ok()?)
            }
            _ => return None,
        })
    }

    /// As a place of known bytes, with a type taken from the program's debug information.
    pub(super) fn into_place(self, stop: &Stop) -> Result<Place, EvaluateError> {
        let (name, bytes, meta) = match self {
            Self::Integer(integer) => {
                let ty = integer.ty.unwrap_or_else(|| default_type(integer));
                (ty.name(), integer.bytes(ty.size.into()), Meta::Sized)
            }
            #[allow(clippy::cast_possible_truncation, reason = "it is an f32")]
            Self::Float(value, Some(FloatType::F32)) => ("f32", (value as f32).to_le_bytes().to_vec(), Meta::Sized),
            Self::Float(value, _) => ("f64", value.to_le_bytes().to_vec(), Meta::Sized),
            Self::Bool(value) => ("bool", vec![u8::from(value)], Meta::Sized),
            Self::Char(value) => ("char", u32::from(value).to_le_bytes().to_vec(), Meta::Sized),
            Self::Pointer(address, _) => ("usize", address.raw().to_le_bytes().to_vec(), Meta::Sized),
            Self::Text(text) => ("u8", text.clone(), Meta::Str(length(&text))),
            Self::Bytes(bytes) => ("u8", bytes.clone(), Meta::Length(length(&bytes))),
            Self::ProgramText(bytes, _) => return Ok(Place { meta: Meta::Str(bytes.len), ..bytes.whole() }),
            Self::ProgramBytes(bytes, _) => return Ok(bytes.whole()),
            Self::Enumeration(place) => return Ok(place),
            Self::Found(Some(place)) => return Ok(*place),
            Self::Found(None) => {
                return Err(EvaluateError::Unavailable("`None`: there is nothing at this index or key".to_owned()));
            }
            Self::Other(name) => return Err(ValueError::NoType(format!("a value of type `{name}`")).into()),
        };
        let ty = stop.modules.iter().find_map(|module| module.image.types(name).into_iter().next());
        let ty = ty.ok_or_else(|| ValueError::NoType(format!("the result: the program has no `{name}`")))?;
        Ok(Place { ty, at: At::bytes(bytes), meta })
    }
}

/// Bytes that are compared.
pub(super) enum Content<'a> {
    Known(&'a [u8]),
    InProgram(&'a Sequence),
}

impl Content<'_> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Known(bytes) => length(bytes),
            Self::InProgram(sequence) => sequence.len,
        }
    }

    /// All of them; no more than are read at once.
    pub(super) fn read(&self, stop: &Stop) -> Result<Vec<u8>, ValueError> {
        match self {
            Self::Known(bytes) => Ok(bytes.to_vec()),
            Self::InProgram(sequence) if sequence.len > MAX_READ => Err(ValueError::TooLarge(sequence.len)),
            Self::InProgram(sequence) => sequence.contiguous_at(0, sequence.len)?.read_at(stop, 0, sequence.len),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The type that Rust gives a literal, or a larger one that it fits.
fn default_type(integer: Integer) -> IntegerType {
    let small = ["i32", "i64"].iter().filter_map(|name| IntegerType::named(name));
    let mut fitting = small.filter(|ty| integer.adapted(*ty).is_ok());
    fitting.next().unwrap_or(IntegerType { size: 16, signed: true, pointer_sized: false })
}

pub(super) fn is_byte(ty: &Type) -> bool {
    IntegerType::of(ty).is_some_and(|ty| ty.size == 1 && !ty.signed)
}

/// What is no reference and no wrapper: a number, a pointer, an enum.
fn scalar(stop: &Stop, place: &Place) -> Result<Option<Value>, EvaluateError> {
    if place.meta != Meta::Sized {
        return Ok(None);
    }
    Ok(match scalar_kind(place) {
        None => None,
        Some(Kind::Integer(Some(ty))) => Some(Value::Integer(Integer::read(place.read_uint(stop)?, ty))),
        Some(Kind::Float(ty)) => float(place.read_uint(stop)?, ty),
        Some(Kind::Bool) => Some(Value::Bool(read_bool(stop, place)?)),
        Some(Kind::Char) => Some(Value::Char(read_char(stop, place)?)),
        Some(Kind::Pointer(name)) => {
            // The address comes first in wide pointers too.
            let bytes = crate::place::little_endian(&place.read_at(stop, 0, 8)?);
            let address = u64::try_from(bytes).map_err(|_| ValueError::TooLarge(8))?;
            Some(Value::Pointer(MemAddr::new(address), name))
        }
        Some(Kind::Enumeration(_)) => Some(Value::Enumeration(place.clone())),
        Some(kind) => Some(Value::Other(kind.name())),
    })
}

/// What a place is to operators, if its own type says so and there is nothing to look through.
pub(super) fn scalar_kind(place: &Place) -> Option<Kind> {
    if is_raw_pointer(place) {
        return Some(Kind::Pointer(crate::type_name(&place.ty)));
    }
    if is_atomic_bool(&place.ty) {
        return Some(Kind::Bool);
    }
    let other = || Kind::Other(crate::type_name(&place.ty));
    match place.ty.kind() {
        TypeKind::Base(encoding) => Some(match (encoding, place.ty.size()) {
            (BaseEncoding::Unsigned | BaseEncoding::Signed, _) => {
                IntegerType::of(&place.ty).map_or_else(other, |ty| Kind::Integer(Some(ty)))
            }
            (BaseEncoding::Float, 4) => Kind::Float(Some(FloatType::F32)),
            (BaseEncoding::Float, 8) => Kind::Float(Some(FloatType::F64)),
            (BaseEncoding::Bool, _) => Kind::Bool,
            (BaseEncoding::Char, _) => Kind::Char,
            _ => other(),
        }),
        TypeKind::Enumeration { .. } => Some(Kind::Enumeration(place.ty.clone())),
        TypeKind::Struct { variants: Some(_), .. } if !place.ty.is_coroutine() => {
            Some(Kind::Enumeration(place.ty.clone()))
        }
        _ => None,
    }
}

/// An `AtomicBool` holds a `u8`.
pub(super) fn is_atomic_bool(ty: &Type) -> bool {
    match crate::names::without_arguments(ty.path()) {
        "core::sync::atomic::AtomicBool" => true,
        "core::sync::atomic::Atomic" => ty.template_argument("T").is_some_and(|ty| ty.name() == "bool"),
        _ => false,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the size was looked at")]
fn float(bits: u128, ty: Option<FloatType>) -> Option<Value> {
    Some(match ty? {
        FloatType::F32 => Value::Float(f64::from(f32::from_bits(u32::try_from(bits).ok()?)), ty),
        FloatType::F64 => Value::Float(f64::from_bits(u64::try_from(bits).ok()?), ty),
    })
}

fn read_bool(stop: &Stop, place: &Place) -> Result<bool, ValueError> {
    match place.peel().read_uint(stop)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(ValueError::Invalid(format!("a bool of {other:#x}"))),
    }
}

fn read_char(stop: &Stop, place: &Place) -> Result<char, ValueError> {
    let bits = place.read_uint(stop)?;
    let char = u32::try_from(bits).ok().and_then(char::from_u32);
    char.ok_or_else(|| ValueError::Invalid(format!("a char of {bits:#x}")))
}
