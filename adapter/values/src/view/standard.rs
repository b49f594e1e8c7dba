//! Small types of the standard library that have a notation of their own: addresses, ranges, layouts, ids of types.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Child;
use super::line::line;
use super::shape::Shape;
use crate::{Place, Stop, ValueError};

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "core::net::ip_addr::Ipv4Addr" | "core::net::ip_addr::Ipv6Addr" => address(stop, place),
        "core::net::ip_addr::IpAddr" | "core::net::socket_addr::SocketAddr" => {
            place.variant(stop).and_then(|variant| variant.place.member("__0")).map(Shape::through)
        }
        "core::net::socket_addr::SocketAddrV4" | "core::net::socket_addr::SocketAddrV6" => socket(stop, place),
        "alloc::vec::Vec"
        | "alloc::collections::vec_deque::VecDeque"
        | "alloc::collections::binary_heap::BinaryHeap" => place.sequence(stop).map(Shape::Items),
        "core::ops::range::RangeFull" => Ok(Shape::Leaf("..".to_owned())),
        "core::alloc::layout::Layout" => layout(stop, place),
        "core::any::TypeId" => type_id(stop, place),
        path => return ranges(path).map(|between| range(stop, place, between)),
    })
}

/// What stands between a range's start and its end.
fn ranges(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix("core::ops::range::").or_else(|| path.strip_prefix("core::range::"))?;
    match name {
        "Range" | "RangeFrom" | "RangeTo" => Some(".."),
        "RangeInclusive" | "RangeToInclusive" => Some("..="),
        _ => None,
    }
}

/// A range as it is written; one that is used up says so.
fn range(stop: &Stop, place: &Place, between: &str) -> Result<Shape, ValueError> {
    let ends = [place.member("start"), place.member("end").or_else(|_| place.member("last"))];
    if let [Err(error), Err(_)] = &ends {
        return Err(error.clone());
    }
    let written = ends.each_ref().map(|end| end.as_ref().map_or_else(|_| String::new(), |end| line(stop, end, 1)));
    let [start, end] = &written;
    let is_over = place.member("exhausted").and_then(|over| over.read_uint(stop)).is_ok_and(|over| over == 1);
    let over = if is_over { " (exhausted)" } else { "" };
    let named = ["start", "end"].into_iter().zip(ends).filter_map(|(name, end)| end.ok().map(|end| (name, end)));
    let fields = named.map(|(name, end)| Child::field(name, Ok(end))).collect();
    Ok(Shape::Summary { text: format!("{start}{between}{end}{over}"), fields })
}

/// The alignment is an enum of powers of two; its number is the alignment.
fn layout(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let size = place.member("size")?.read_u64(stop)?;
    let align = place.member("align")?.read_u64(stop)?;
    if !align.is_power_of_two() {
        return Err(ValueError::Invalid(format!("a Layout aligned to {align}")));
    }
    let shift = align.trailing_zeros();
    Ok(Shape::Leaf(format!("Layout {{ size: {size}, align: {align} (1 << {shift}) }}")))
}

/// One number of 64 or 128 bits; from Rust 1.80 to 1.86 its halves, the upper one first.
fn type_id(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let halves = place.member("t").and_then(|halves| Ok((halves.member("__0")?, halves.member("__1")?)));
    let number = match halves {
        Ok((upper, lower)) => (upper.read_uint(stop)? << 64) | lower.read_uint(stop)?,
        Err(_) => place.read_uint(stop)?,
    };
    Ok(Shape::Leaf(format!("TypeId({number:#034x})")))
}

fn address(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    ip(stop, place).map(Shape::Leaf)
}

fn ip(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let octets = place.member("octets")?.read_bytes(stop, 16)?;
    let invalid = || ValueError::Invalid(format!("{} bytes in an address", octets.len()));
    match <[u8; 4]>::try_from(octets.as_slice()) {
        Ok(four) => Ok(Ipv4Addr::from(four).to_string()),
        Err(_) => {
            let sixteen = <[u8; 16]>::try_from(octets.as_slice()).map_err(|_| invalid())?;
            Ok(Ipv6Addr::from(sixteen).to_string())
        }
    }
}

fn socket(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let ip = ip(stop, &place.member("ip")?)?;
    let port = place.member("port")?.read_u64(stop)?;
    Ok(Shape::Leaf(if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }))
}
