//! Small types of the standard library that have a notation of their own: time, addresses, ranges.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::shape::Shape;
use crate::{Place, Stop, ValueError};

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "core::time::Duration" => duration(stop, place).map(|time| Shape::Leaf(format!("{time:?}"))),
        "std::time::Instant" => instant(stop, place),
        "core::net::ip_addr::Ipv4Addr" | "core::net::ip_addr::Ipv6Addr" => address(stop, place),
        "core::net::ip_addr::IpAddr" | "core::net::socket_addr::SocketAddr" => {
            place.variant(stop).and_then(|variant| variant.place.member("__0")).map(Shape::through)
        }
        "core::net::socket_addr::SocketAddrV4" | "core::net::socket_addr::SocketAddrV6" => socket(stop, place),
        "alloc::vec::Vec"
        | "alloc::collections::vec_deque::VecDeque"
        | "alloc::collections::binary_heap::BinaryHeap" => place.sequence(stop).map(Shape::Items),
        _ => return None,
    })
}

fn duration(stop: &Stop, place: &Place) -> Result<Duration, ValueError> {
    let seconds = place.member("secs")?.read_u64(stop)?;
    let nanos = place.member("nanos")?.peel().read_u64(stop)?;
    match u32::try_from(nanos) {
        Ok(nanos) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(ValueError::Invalid(format!("{nanos} nanoseconds in a Duration"))),
    }
}

/// An `Instant`, and how far it is from the moment of the stop.
fn instant(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let seconds = place.find("tv_sec")?.read_u64(stop)?.cast_signed();
    let nanos = place.find("tv_nsec")?.peel().read_u64(stop)?;
    let mut text = format!("Instant {{ tv_sec: {seconds}, tv_nsec: {nanos} }}");
    if let Some(clock) = stop.clock {
        let moment = i128::from(seconds).saturating_mul(1_000_000_000).saturating_add(i128::from(nanos));
        let distance = moment.saturating_sub(clock.total_nanoseconds());
        if let Ok(nanos) = u64::try_from(distance.unsigned_abs()) {
            let distance_text = Duration::from_nanos(nanos);
            let relative =
                if distance < 0 { format!("{distance_text:?} ago") } else { format!("in {distance_text:?}") };
            text = format!("{text} ({relative})");
        }
    }
    Ok(Shape::Leaf(text))
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
