//! Strings of every kind.

use super::shape::Shape;
use crate::names::without_arguments;
use crate::{Meta, Place, Sequence, Stop, ValueError, sequence};

/// Characters of a string that are shown even when the line is full.
pub(super) const SHORTEST: usize = 12;

/// Bytes of a text that is a part of another one.
const MOST_QUOTED: u64 = 96;

/// How a string is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `"text"`.
    Str,
    /// `b"bytes"`.
    Bytes,
}

/// Bytes that are text, not read yet.
pub(super) struct Text {
    bytes: Sequence,
    style: Style,
    /// What is counted in the bytes but not shown: the NUL of a C string.
    trailing: u64,
}

impl Text {
    /// The bytes without what is not shown, and whether they are text (and not just bytes).
    pub(super) fn content(self) -> (Sequence, bool) {
        let len = self.bytes.len.saturating_sub(self.trailing);
        (self.bytes.shortened(len), self.style == Style::Str)
    }

    /// The text in quotes, at most `room` characters of it, with the full length when it is cut.
    pub(super) fn line(&self, stop: &Stop, room: usize) -> Result<String, ValueError> {
        let len = self.bytes.len.saturating_sub(self.trailing);
        // A character has at most four bytes; one more tells whether there is more.
        let wanted = u64::try_from(room.saturating_add(1)).unwrap_or(u64::MAX).saturating_mul(4).min(len);
        let bytes = self.bytes.whole().read_at(stop, 0, wanted)?;
        let all_read = wanted == len;
        if self.style == Style::Bytes {
            return Ok(byte_string(&bytes, room, len));
        }
        let (text, is_valid) = decoded(&bytes, all_read);
        let cut = !all_read || text.chars().count() > room;
        let shown: String = text.chars().take(room).collect();
        let quoted = format!("{shown:?}");
        let mut line = if cut {
            let open = quoted.strip_suffix('"').unwrap_or(&quoted);
            format!("{open}…\" ({len} bytes)")
        } else {
            quoted
        };
        if !is_valid {
            line.push_str(" <not UTF-8>");
        }
        Ok(line)
    }
}

/// UTF-8, lossily; whether it was valid. A character cut off at the end of what was read is not an error.
fn decoded(bytes: &[u8], is_all: bool) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(error) if !is_all && error.error_len().is_none() => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (String::from_utf8_lossy(valid).into_owned(), true)
        }
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
    }
}

fn byte_string(bytes: &[u8], room: usize, len: u64) -> String {
    let mut escaped = String::new();
    for byte in bytes {
        if escaped.len() > room {
            return format!("b\"{escaped}…\" ({len} bytes)");
        }
        match byte {
            b'\0' => escaped.push_str("\\0"),
            byte => escaped.extend(std::ascii::escape_default(*byte).map(char::from)),
        }
    }
    format!("b\"{escaped}\"")
}

/// Whether the target of a wide pointer is text: `str`, `Path`, `OsStr`, `CStr`.
pub(crate) fn is_text_tail(place: &Place) -> bool {
    match place.meta {
        Meta::Str(_) => place.ty.size() == 1,
        Meta::Length(_) | Meta::Tail(_) => tail_style(place.ty.path()).is_some(),
        _ => false,
    }
}

fn tail_style(path: &str) -> Option<u64> {
    match path {
        "std::path::Path" | "std::ffi::os_str::OsStr" => Some(0),
        "core::ffi::c_str::CStr" => Some(1),
        _ => None,
    }
}

/// A text at the end of a wide pointer.
pub(super) fn tail(place: &Place) -> Result<Shape, ValueError> {
    let (Meta::Str(len) | Meta::Length(len) | Meta::Tail(len)) = place.meta else {
        return Err(ValueError::NotSequence(place.ty.path().to_owned()));
    };
    let trailing = tail_style(place.ty.path()).unwrap_or(0);
    let bytes = sequence::checked(Sequence::contiguous(byte_of(place), place.at.clone(), len))?;
    Ok(Shape::Text(Text { bytes, style: Style::Str, trailing }))
}

/// The byte type below a text type; its size is what counts.
fn byte_of(place: &Place) -> weft_symbols::Type {
    let mut inner = place.clone();
    for _ in 0..8 {
        match inner.members().into_iter().next().map(|field| field.place) {
            Some(Ok(field)) => inner = field,
            _ => break,
        }
    }
    inner.ty
}

/// Owned strings, by the path of their type.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    let (bytes, style, trailing) = match path {
        "alloc::string::String" => (place.member("vec").and_then(|vec| vec.sequence(stop)), Style::Str, 0),
        "std::ffi::os_str::OsString" | "std::path::PathBuf" => (byte_vec(stop, place), Style::Str, 0),
        "alloc::ffi::c_str::CString" => (place.member("inner").and_then(|inner| inner.sequence(stop)), Style::Str, 1),
        "bytes::bytes::Bytes" | "bytes::bytes_mut::BytesMut" => (pointer_and_length(stop, place), Style::Bytes, 0),
        _ => return None,
    };
    Some(bytes.map(|bytes| Shape::Text(Text { bytes, style, trailing })))
}

/// The `Vec<u8>` below `inner`, `inner`, ...
fn byte_vec(stop: &Stop, place: &Place) -> Result<Sequence, ValueError> {
    let mut inner = place.clone();
    for _ in 0..8 {
        if without_arguments(inner.ty.path()) == "alloc::vec::Vec" {
            break;
        }
        inner = inner.member("inner")?;
    }
    inner.sequence(stop)
}

/// The bytes of a `ByteStr {bytes: Bytes}`, or of `Bytes` themselves.
pub(super) fn byte_str(stop: &Stop, place: &Place) -> Result<Sequence, ValueError> {
    let bytes = place.member("bytes").unwrap_or_else(|_| place.clone());
    pointer_and_length(stop, &bytes)
}

/// The same as text.
pub(super) fn bytes_as_text(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let bytes = byte_str(stop, place)?;
    Ok(Shape::Text(Text { bytes, style: Style::Str, trailing: 0 }))
}

/// Text that is a part of other text, cut when it is long.
pub(super) fn short(stop: &Stop, bytes: &Sequence) -> Result<String, ValueError> {
    let read = bytes.whole().read_at(stop, 0, bytes.len.min(MOST_QUOTED))?;
    let (mut text, _) = decoded(&read, bytes.len <= MOST_QUOTED);
    if bytes.len > MOST_QUOTED {
        text.push_str(&format!("… ({} bytes)", bytes.len));
    }
    Ok(text)
}

fn pointer_and_length(stop: &Stop, place: &Place) -> Result<Sequence, ValueError> {
    let len = place.member("len")?.read_u64(stop)?;
    let pointer = place.member("ptr")?;
    if len == 0 {
        let byte = pointer.deref(stop)?.ty;
        return Ok(Sequence::contiguous(byte, crate::At::bytes(Vec::new()), 0));
    }
    let target = pointer.deref(stop)?;
    sequence::checked(Sequence::contiguous(target.ty, target.at, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_no_error() {
        let bytes = "aé".as_bytes();
        assert_eq!(decoded(&bytes[..2], false), ("a".to_owned(), true));
        assert_eq!(decoded(&bytes[..2], true), ("a\u{fffd}".to_owned(), false));
    }

    #[test]
    fn bytes_are_escaped_like_the_bytes_crate_does() {
        assert_eq!(byte_string(b"a\n\0\xff\"", 100, 5), "b\"a\\n\\0\\xff\\\"\"");
        assert_eq!(byte_string(b"abcdef", 2, 6), "b\"abc…\" (6 bytes)");
    }
}
