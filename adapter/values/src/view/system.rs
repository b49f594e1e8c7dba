//! What the operating system is known by: errors, files, sockets.

use std::io;

use weft_symbols::{Type, TypeKind};

use super::shape::Shape;
use super::{Child, aggregates};
use crate::place::sign_extended;
use crate::{At, Place, Stop, ValueError};

/// Types around a file descriptor, without those of `socket2` and `mio` around them.
const FILES: [&str; 5] =
    ["std::fs::File", "std::net::", "std::os::unix::net::", "std::os::fd::owned::", "tokio::net::"];

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    match path {
        "std::io::error::Error" => Some(error(stop, place)),
        path if FILES.iter().any(|start| path.starts_with(start)) => {
            let fd = descriptor(stop, place)?;
            Some(fd.and_then(|fd| file(stop, path, &fd)))
        }
        _ => None,
    }
}

/// The descriptor in a file or socket; none in other types of the same modules.
fn descriptor(stop: &Stop, place: &Place) -> Option<Result<Place, ValueError>> {
    if let Ok(fd) = place.find("fd") {
        return Some(Ok(fd.peel()));
    }
    // Tokio's have it in an `Option` that is empty only while they are dropped.
    let io = place.member("io").ok()?.member("io").ok()?;
    let inner = io.variant(stop).and_then(|io| io.place.member("__0")).and_then(|inner| inner.find("fd"));
    Some(inner.map(|fd| fd.peel()))
}

fn file(stop: &Stop, path: &str, fd: &Place) -> Result<Shape, ValueError> {
    let name = path.rsplit("::").next().unwrap_or(path);
    let number = sign_extended(fd.read_uint(stop)?, fd.ty.size());
    let mut text = format!("{name} {{ fd: {number}");
    let kernel = stop.descriptors.as_ref().zip(i32::try_from(number).ok());
    if let Some((descriptors, fd)) = kernel {
        let ends = descriptors.ends(fd).unwrap_or_default();
        let target = if name == "File" { descriptors.target(fd) } else { None };
        for (what, value) in [("local", ends.local), ("peer", ends.peer), ("path", target)] {
            if let Some(value) = value {
                text.push_str(&format!(", {what}: {value}"));
            }
        }
    }
    Ok(Shape::Summary { text: format!("{text} }}"), fields: vec![Child::extra("fd", Ok(fd.clone()))] })
}

/// The variants that a packed `io::Error` can stand for: their types, which only a marker keeps.
struct Packed(Place);

impl Packed {
    fn of(repr: &Place) -> Option<Self> {
        let data = repr.member("__1").ok()?.ty.template_argument("T")?;
        Some(Self(Place::at(data, At::bytes(Vec::new()))))
    }

    /// The first field's type of a variant.
    fn payload(&self, variant: &str) -> Option<Type> {
        let ty = self.0.variant_types().into_iter().find(|(name, _)| name == variant)?.1?;
        ty.at(ty.members().first()?.ty?)
    }

    /// What a variant's first field points to.
    fn pointee(&self, variant: &str) -> Option<Type> {
        let pointer = self.payload(variant)?;
        match pointer.kind() {
            TypeKind::Pointer(Some(target)) => pointer.at(*target),
            _ => None,
        }
    }
}

/// An `io::Error` is one word; its lower two bits say what: a static message, a box, the system's number, a kind.
fn error(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let repr = place.member("repr")?;
    let bits = repr.member("__0")?.peel().read_pointer(stop)?;
    let unknown = || ValueError::NoType("what an io::Error is made of".to_owned());
    let packed = Packed::of(&repr).ok_or_else(unknown)?;
    let high = u32::try_from(bits.raw() >> 32).unwrap_or(0);
    match bits.raw() & 3 {
        0 => fields_of(
            "Error",
            packed.pointee("SimpleMessage").map(|ty| Place::new(ty, bits)).ok_or_else(unknown)?,
            stop,
        ),
        1 => {
            let address = bits.checked_sub(1).ok_or(ValueError::Dangling(bits))?;
            fields_of("Custom", Place::new(packed.pointee("Custom").ok_or_else(unknown)?, address), stop)
        }
        // The program's system is this one: its words for the number are the same.
        2 => Ok(Shape::Leaf(format!("{:?}", io::Error::from_raw_os_error(high.cast_signed())))),
        _ => {
            let kind = packed.payload("Simple").ok_or_else(unknown)?;
            let kind = Place::at(kind, At::bytes(high.to_le_bytes().to_vec()));
            Ok(Shape::Fields { name: "Kind".to_owned(), fields: vec![Child::extra("0", Ok(kind))], is_tuple: true })
        }
    }
}

fn fields_of(name: &str, place: Place, stop: &Stop) -> Result<Shape, ValueError> {
    Ok(match aggregates::structure(stop, &place)? {
        Shape::Fields { fields, is_tuple, .. } => Shape::Fields { name: name.to_owned(), fields, is_tuple },
        other => other,
    })
}
