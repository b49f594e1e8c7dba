//! Numbers, `bool`, `char`, `()`, and enums without data.

use weft_symbols::{BaseEncoding, Enumerator};

use super::shape::Shape;
use crate::place::sign_extended;
use crate::{Place, Stop, ValueError};

/// A base type, as `{:?}` writes it.
pub(super) fn base(stop: &Stop, place: &Place, encoding: BaseEncoding) -> Result<Shape, ValueError> {
    let size = place.ty.size();
    if size == 0 {
        let text = if place.ty.name() == "!" { "<a value of type `!` cannot exist>" } else { "()" };
        return Ok(Shape::Leaf(text.to_owned()));
    }
    let bits = place.read_uint(stop)?;
    Ok(Shape::Leaf(match encoding {
        BaseEncoding::Unsigned => bits.to_string(),
        BaseEncoding::Signed => sign_extended(bits, size).to_string(),
        BaseEncoding::Bool => match bits {
            0 => "false".to_owned(),
            1 => "true".to_owned(),
            other => return Err(ValueError::Invalid(format!("a bool of {other:#x}"))),
        },
        BaseEncoding::Char => {
            let char = u32::try_from(bits).ok().and_then(char::from_u32);
            format!("{:?}", char.ok_or_else(|| ValueError::Invalid(format!("a char of {bits:#x}")))?)
        }
        BaseEncoding::Float => float(bits, size),
        BaseEncoding::Unit => "()".to_owned(),
        BaseEncoding::Other(_) => format!("{bits:#x}"),
    }))
}

fn float(bits: u128, size: u64) -> String {
    match (size, u32::try_from(bits), u64::try_from(bits)) {
        (4, Ok(bits), _) => format!("{:?}", f32::from_bits(bits)),
        (8, _, Ok(bits)) => format!("{:?}", f64::from_bits(bits)),
        // f16 and f128 have no stable type to write them with.
        _ => format!("{bits:#x} (bits)"),
    }
}

/// An enum without data.
pub(super) fn enumeration(stop: &Stop, place: &Place, enumerators: &[Enumerator]) -> Result<Shape, ValueError> {
    let size = place.ty.size();
    let bits = place.read_uint(stop)?;
    let masked = |value: i128| sign_extended(value.cast_unsigned(), size);
    let value = sign_extended(bits, size);
    let found = enumerators.iter().find(|enumerator| masked(enumerator.value) == value);
    let name = found.map(|enumerator| enumerator.name.clone());
    let invalid = || ValueError::InvalidTag { ty: crate::short_type_name(place.ty.path()), tag: bits };
    name.map(Shape::Leaf).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_like_debug_does() {
        assert_eq!(float(u128::from(1.0_f32.to_bits()), 4), "1.0");
        assert_eq!(float(u128::from((-2.5e300_f64).to_bits()), 8), "-2.5e300");
        assert_eq!(float(0x3c00, 2), "0x3c00 (bits)");
    }
}
