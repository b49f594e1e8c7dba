//! Giving places of the program other values: which bytes are to be written, and why some cannot be.
//!
//! Nothing is allocated and nothing is dropped: what owns memory keeps it, and only what fits is written.

use weft_memory::MemAddr;
use weft_symbols::TypeKind;

use super::evaluation::{Evaluation, Operand, named};
use super::number::{FloatType, Integer};
use super::syntax::Node;
use super::value::{Kind, Value, is_atomic_bool, scalar_kind};
use super::{EvaluateError, Scope, variants};
use crate::names::without_arguments;
use crate::view::is_raw_pointer;
use crate::{At, Meta, Place, Stop, ValueError};

/// Wrappers of numbers, which have the bytes of what they hold.
const PLAIN: [&str; 8] = [
    "core::sync::atomic::Atomic",
    "core::num::nonzero::",
    "core::num::niche_types::NonZero",
    "core::num::wrapping::",
    "core::num::saturating::",
    "core::cell::Cell",
    "core::cell::UnsafeCell",
    "core::cell::SyncUnsafeCell",
];
/// Bytes of an enum that is written as a whole.
const MAX_ENUM: u64 = 4096;

/// Bytes to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub address: MemAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// What is to be written so that a place has the value of an expression. The error is a sentence: why it cannot have it.
pub fn assignment(stop: &Stop, scope: &dyn Scope, target: &Place, value: &str) -> Result<Vec<Write>, EvaluateError> {
    let node = super::syntax::parse(value)?;
    let evaluation = Evaluation { stop, scope, task: None };
    Assignment { evaluation }.writes(target, &node)
}

struct Assignment<'a> {
    evaluation: Evaluation<'a>,
}

impl Assignment<'_> {
    fn writes(&self, target: &Place, node: &Node) -> Result<Vec<Write>, EvaluateError> {
        let name = crate::view::type_name(target);
        if target.meta == Meta::Sized && without_arguments(target.ty.path()) == "alloc::string::String" {
            return self.text(target, node);
        }
        let address = target.address().ok_or_else(|| {
            refused("this value lies nowhere in memory: it is computed, or held in a register, and cannot be set here")
        })?;
        if target.meta != Meta::Sized {
            return Err(refused(&format!("a `{name}` is not set as a whole: set its elements")));
        }
        let bytes = self.bytes(target, node)?;
        Ok(vec![Write { address, bytes }])
    }

    /// The bytes of a value of the target's type.
    fn bytes(&self, target: &Place, node: &Node) -> Result<Vec<u8>, EvaluateError> {
        let is_nonzero = target.ty.path().contains("core::num::nonzero::");
        let target = plain(target);
        if matches!(target.ty.kind(), TypeKind::Struct { variants: Some(_), .. }) {
            return self.variant(&target, node);
        }
        if is_reference(&target) {
            return self.reference(&target, node);
        }
        let kind = scalar_kind(&target).filter(|kind| !matches!(kind, Kind::Other(_)));
        let name = crate::type_name(&target.ty);
        let kind = kind.ok_or_else(|| refused(&format!("a `{name}` is not set as a whole: set its fields")))?;
        if let Kind::Enumeration(ty) = &kind
            && let Some(variant) = named(node)
            && let Ok(wanted) = variants::meant(ty, variant.path)
        {
            return variants::enumerator(ty, &wanted).ok_or_else(|| refused("this variant has no number"));
        }
        let value = self.evaluation.value(node)?;
        let bytes = scalar(self.evaluation.stop, &kind, value, &target)?;
        if is_nonzero && bytes.iter().all(|byte| *byte == 0) {
            return Err(refused("this type has no zero"));
        }
        Ok(bytes)
    }

    /// `None`, `Some(5)`: all bytes of the enum, with the tag of the variant.
    fn variant(&self, target: &Place, node: &Node) -> Result<Vec<u8>, EvaluateError> {
        let (ty, name) = (&target.ty, crate::type_name(&target.ty));
        let variant = named(node).ok_or_else(|| {
            refused(&format!("a `{name}` is set to one of its variants, with what it holds: `Some(5)`, `None`"))
        })?;
        let wanted = variants::meant(ty, variant.path)?;
        variants::check_arguments(ty, &wanted, variant.arguments.len())?;
        if ty.size() > MAX_ENUM {
            return Err(ValueError::TooLarge(ty.size()).into());
        }
        let mut bytes = target.read_at(self.evaluation.stop, 0, ty.size())?;
        let (part, found) = variants::part(ty, &wanted).ok_or(ValueError::NoVariants(name.clone()))?;
        if let (Some(discriminant), Some((tag, _))) = (&part.discriminant, found.discriminants.first()) {
            let size = ty.discriminant_size().min(16);
            let tag = tag.to_le_bytes();
            put(&mut bytes, discriminant.offset, tag.get(..usize::try_from(size).unwrap_or(16)).unwrap_or_default())?;
        }
        let at = |bytes: &[u8]| Place::at(ty.clone(), At::bytes(bytes.to_vec()));
        let payload = at(&bytes).field(&found.member)?;
        let sized = |field: &crate::FieldPlace| field.place.as_ref().is_ok_and(|place| place.ty.size() > 0);
        if payload.members().iter().filter(|field| sized(field)).count() > variant.arguments.len() {
            return Err(refused(&format!("`{wanted}` has named fields: a `{name}` cannot be set to it as a whole")));
        }
        for (index, argument) in variant.arguments.iter().enumerate() {
            let field = payload.member(&format!("__{index}"))?;
            let At::Bytes { offset, .. } = field.at else { return Err(ValueError::OptimisedOut.into()) };
            put(&mut bytes, offset, &self.bytes(&field, argument)?)?;
        }
        // A niche: what was written says the variant, or the value is none that the type can hold.
        let active = at(&bytes).variant(self.evaluation.stop)?;
        if active.name != wanted {
            return Err(refused(&format!("with this value a `{name}` would be `{}`", active.name)));
        }
        Ok(bytes)
    }

    /// Another reference of the same type, or the address of something of the type it refers to.
    fn reference(&self, target: &Place, node: &Node) -> Result<Vec<u8>, EvaluateError> {
        let stop = self.evaluation.stop;
        let name = crate::type_name(&target.ty);
        let wrong = || {
            refused(&format!(
                "a `{name}` can be set to another `{name}`, or to the `&` of what it may refer to; what it refers to is set \
                 by `*`"
            ))
        };
        let Operand::Place(value) = self.evaluation.operand(node)? else { return Err(wrong()) };
        if value.ty == target.ty && value.meta == Meta::Sized {
            return Ok(value.read_at(stop, 0, target.ty.size())?);
        }
        let TypeKind::Pointer(Some(pointee)) = target.ty.kind() else { return Err(wrong()) };
        let address = value.address().filter(|_| value.meta == Meta::Sized);
        match (target.ty.at(*pointee), address) {
            (Some(ty), Some(address)) if ty == value.ty => Ok(address.raw().to_le_bytes().to_vec()),
            _ => Err(wrong()),
        }
    }

    /// A text, in the memory that the `String` has.
    fn text(&self, target: &Place, node: &Node) -> Result<Vec<Write>, EvaluateError> {
        let stop = self.evaluation.stop;
        let value = self.evaluation.value(node)?;
        let content = match &value {
            Value::Text(_) | Value::ProgramText(..) => value.content(),
            _ => None,
        };
        let Some(content) = content else {
            return Err(refused(&format!(
                "a `String` is set to a text: `\"..\"`, and this is `{}`",
                value.kind().name()
            )));
        };
        let text = content.read(stop)?;
        if std::str::from_utf8(&text).is_err() {
            return Err(refused("this text is not UTF-8, as a `String` has to be"));
        }
        let vec = target.member("vec")?;
        let sequence = vec.sequence(stop)?;
        let capacity = sequence.capacity.unwrap_or(0);
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if length > capacity {
            return Err(refused(&format!(
                "the text has {length} bytes, and this `String` has memory for {capacity}; the debugger allocates none"
            )));
        }
        let in_registers = || refused("this `String` lies in registers, and cannot be set here");
        let count = vec.member("len")?.address().ok_or_else(in_registers)?;
        let start = sequence.whole().address().ok_or_else(in_registers)?;
        let text = (!text.is_empty()).then_some(Write { address: start, bytes: text });
        Ok(text.into_iter().chain([Write { address: count, bytes: length.to_le_bytes().to_vec() }]).collect())
    }
}

fn refused(why: &str) -> EvaluateError {
    EvaluateError::Mismatch(why.to_owned())
}

fn put(bytes: &mut [u8], offset: u64, part: &[u8]) -> Result<(), EvaluateError> {
    let start = usize::try_from(offset).ok();
    let place = start.and_then(|start| bytes.get_mut(start..start.checked_add(part.len())?));
    place.ok_or(ValueError::TooLarge(offset))?.copy_from_slice(part);
    Ok(())
}

/// What a number's wrappers hold: they have its bytes.
fn plain(place: &Place) -> Place {
    let mut place = place.clone();
    for _ in 0..super::value::MAX_DEREFS {
        let path = without_arguments(place.ty.path());
        match place.peel_once() {
            // Its byte is written as a `bool`, and not as the number that holds it.
            Some(_) if is_atomic_bool(&place.ty) => break,
            Some(inner) if PLAIN.iter().any(|start| path.starts_with(start)) => place = inner,
            _ => break,
        }
    }
    place
}

/// `&T`, `&mut T`, `&[T]`, `&str`: what has the bytes of a pointer and owns nothing.
fn is_reference(place: &Place) -> bool {
    let is_pointer = matches!(place.ty.kind(), TypeKind::Pointer(_)) || place.is_wide_pointer();
    is_pointer && !is_raw_pointer(place) && place.ty.name().starts_with('&')
}

fn scalar(stop: &Stop, kind: &Kind, value: Value, target: &Place) -> Result<Vec<u8>, EvaluateError> {
    let size = usize::try_from(target.ty.size()).unwrap_or(0);
    let (wanted, given) = (kind.name(), value.kind());
    Ok(match (kind, value) {
        (Kind::Integer(Some(ty)), Value::Integer(integer)) if integer.ty.is_none_or(|own| own == *ty) => {
            integer.adapted(*ty)?.bytes(size)
        }
        #[allow(clippy::cast_possible_truncation, reason = "it is an f32")]
        (Kind::Float(Some(FloatType::F32)), Value::Float(value, ty)) if ty.is_none_or(|ty| ty == FloatType::F32) => {
            (value as f32).to_le_bytes().to_vec()
        }
        (Kind::Float(Some(FloatType::F64)), Value::Float(value, ty)) if ty.is_none_or(|ty| ty == FloatType::F64) => {
            value.to_le_bytes().to_vec()
        }
        (Kind::Bool, Value::Bool(value)) => vec![u8::from(value)],
        (Kind::Char, Value::Char(value)) => u32::from(value).to_le_bytes().to_vec(),
        (Kind::Pointer(_), Value::Pointer(address, _)) if size == 8 => address.raw().to_le_bytes().to_vec(),
        (Kind::Pointer(_), Value::Integer(address)) if size == 8 => {
            Integer::adapted(address, super::number::IntegerType::USIZE)?.bytes(size)
        }
        (Kind::Enumeration(ty), Value::Enumeration(place)) if place.ty == *ty => {
            place.read_at(stop, 0, place.ty.size())?
        }
        _ => {
            let convert = match (kind, &given) {
                (Kind::Integer(Some(_)), Kind::Integer(_) | Kind::Float(_))
                | (Kind::Float(Some(_)), Kind::Integer(Some(_)) | Kind::Float(_)) => {
                    format!("; convert it: `as {wanted}`")
                }
                (Kind::Float(_), Kind::Integer(None)) => "; write the number with a point: `1.0`".to_owned(),
                (Kind::Enumeration(ty), _) => format!("; it is set to a variant: `{}::..`", variants::own_name(ty)),
                _ => String::new(),
            };
            return Err(refused(&format!("a `{wanted}` cannot be set to `{}`{convert}", given.name())));
        }
    })
}
