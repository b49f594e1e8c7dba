//! Types of libraries that are in most programs: `smallvec`, `uuid`, `http`.

use weft_symbols::TypeKind;

use super::shape::Shape;
use super::{Child, text};
use crate::{Place, Sequence, Stop, ValueError, sequence};

/// What `http` keeps instead of a query's position where there is none.
const NO_QUERY: u64 = 0xffff;

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "smallvec::SmallVec" => small_vec(stop, place).map(Shape::Items),
        "uuid::Uuid" => uuid(stop, place),
        "http::method::Method" => method(stop, place),
        "http::status::StatusCode" => place.member("__0").map(|code| Shape::through(code.peel())),
        "http::version::Version" => version(stop, place),
        "http::uri::Uri" => uri(stop, place).map(Shape::Leaf),
        "http::byte_str::ByteStr" => text::bytes_as_text(stop, place),
        "http::uri::authority::Authority" => place.member("data").and_then(|data| text::bytes_as_text(stop, &data)),
        "http::uri::path::PathAndQuery" => path_and_query(stop, place).map(|path| Shape::Leaf(format!("{path:?}"))),
        "http::uri::scheme::Scheme" => scheme(stop, place).map(|scheme| Shape::Leaf(format!("{scheme:?}"))),
        "http::header::name::HeaderName" => header_name(stop, place),
        "http::header::value::HeaderValue" => header_value(stop, place),
        _ => return None,
    })
}

/// `{capacity, data}`: a capacity that fits inside is the length, and the elements are inside; else `data` is a pointer and
/// the length. With the feature `union` nothing else tells which.
fn small_vec(stop: &Stop, place: &Place) -> Result<Sequence, ValueError> {
    let no_element = || ValueError::NoType("the elements of a SmallVec".to_owned());
    let array = place.ty.template_argument("A").ok_or_else(no_element)?;
    let TypeKind::Array { element: Some(element), count: Some(inside) } = array.kind() else {
        return Err(no_element());
    };
    let element = array.at(*element).ok_or_else(no_element)?;
    let inside = if element.size() == 0 { u64::MAX } else { *inside };
    let capacity = place.member("capacity")?.read_u64(stop)?;
    let data = place.member("data")?;
    let is_union = matches!(data.ty.kind(), TypeKind::Union(_));
    if capacity <= inside {
        let start = if is_union { data } else { data.variant(stop)?.place.member("__0")? };
        return sequence::checked(Sequence::contiguous(element, start.at, capacity));
    }
    let heap = if is_union { data.member("heap")? } else { data.variant(stop)?.place };
    let pointer = heap.member("ptr").or_else(|_| heap.member("__0"))?.peel().read_pointer(stop)?;
    let len = heap.member("len").or_else(|_| heap.member("__1"))?.read_u64(stop)?;
    if len > capacity {
        return Err(ValueError::Invalid(format!("length {len} is more than the capacity {capacity}")));
    }
    sequence::checked(Sequence::contiguous(element, crate::At::Memory(pointer), len))
}

fn uuid(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let number = u128::from_be_bytes(
        <[u8; 16]>::try_from(place.read_bytes(stop, 16)?).map_err(|_| ValueError::TooLarge(place.size()))?,
    );
    let hex = format!("{number:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| hex.get(group).unwrap_or_default());
    Ok(Shape::Leaf(groups.join("-")))
}

/// `GET`; what the standard does not name is text.
fn method(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let inner = place.member("__0")?.variant(stop)?;
    let text = match inner.name.as_str() {
        "ExtensionInline" => {
            let inline = inner.place.member("__0")?;
            let len = usize::try_from(inline.member("__1")?.read_u64(stop)?).unwrap_or(usize::MAX);
            let bytes = inline.member("__0")?.read_bytes(stop, 64)?;
            let bytes = bytes.get(..len).ok_or_else(|| ValueError::Invalid(format!("a method of {len} bytes")))?;
            String::from_utf8_lossy(bytes).into_owned()
        }
        "ExtensionAllocated" => {
            let bytes = inner.place.member("__0")?.member("__0")?.sequence(stop)?;
            text::short(stop, &bytes)?
        }
        named => named.to_ascii_uppercase(),
    };
    Ok(Shape::Leaf(text))
}

/// `HTTP/1.1`.
fn version(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let kind = place.member("__0")?;
    let name = super::line::line(stop, &kind, 1);
    let text = match name.as_str() {
        "Http09" => "HTTP/0.9",
        "Http10" => "HTTP/1.0",
        "Http11" => "HTTP/1.1",
        "H2" => "HTTP/2.0",
        "H3" => "HTTP/3.0",
        _ => return Ok(Shape::through(kind)),
    };
    Ok(Shape::Leaf(text.to_owned()))
}

/// What a `ByteStr` says, cut when long.
fn byte_str(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    text::short(stop, &text::byte_str(stop, place)?)
}

fn scheme(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let scheme = place.member("inner")?.variant(stop)?;
    match scheme.name.as_str() {
        "Standard" => Ok(super::line::line(stop, &scheme.place.member("__0")?, 1).to_ascii_lowercase()),
        "Other" => byte_str(stop, &scheme.place.member("__0")?.deref(stop)?),
        _ => Ok(String::new()),
    }
}

/// The path, `/` if it is empty, and the query, which begins at an offset in the same text.
fn path_and_query(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let text = byte_str(stop, &place.member("data")?)?;
    let query = place.member("query")?.read_u64(stop)?;
    let is_bare = text.is_empty() || (query == 0 && query != NO_QUERY);
    Ok(if is_bare { format!("/{text}") } else { text })
}

/// A `Uri` as it is written.
fn uri(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let scheme = scheme(stop, &place.member("scheme")?)?;
    let authority = byte_str(stop, &place.member("authority")?.member("data")?)?;
    let rest = place.member("path_and_query")?;
    // `example.org:80` alone has no path, not even the empty one.
    let is_alone = scheme.is_empty() && !authority.is_empty();
    let path = if is_alone { byte_str(stop, &rest.member("data")?)? } else { path_and_query(stop, &rest)? };
    let scheme = if scheme.is_empty() { scheme } else { format!("{scheme}://") };
    Ok(format!("{scheme}{authority}{path}"))
}

fn header_name(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let name = place.member("inner")?.variant(stop)?;
    let inner = name.place.member("__0")?;
    if name.name == "Custom" {
        return inner.member("__0").map(Shape::through);
    }
    let standard = super::line::line(stop, &inner, 1);
    Ok(Shape::Leaf(format!("{:?}", hyphenated(&standard))))
}

/// `ContentType` → `content-type`.
fn hyphenated(name: &str) -> String {
    let mut text = String::new();
    // The only one that is written otherwise than its name.
    for c in name.replace("WebSocket", "Websocket").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// A secret stays one: the program does not print it either.
fn header_value(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let inner = place.member("inner")?;
    if place.member("is_sensitive")?.read_uint(stop)? != 0 {
        let fields = vec![Child::field("inner", Ok(inner))];
        return Ok(Shape::Summary { text: "Sensitive".to_owned(), fields });
    }
    text::bytes_as_text(stop, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_on_the_wire() {
        for (name, written) in [
            ("Te", "te"),
            ("ContentType", "content-type"),
            ("SecWebSocketKey", "sec-websocket-key"),
            ("XXssProtection", "x-xss-protection"),
            ("WwwAuthenticate", "www-authenticate"),
        ] {
            assert_eq!(hyphenated(name), written);
        }
    }
}
