//! Cells that are written once: `OnceCell`, `OnceLock`, the lazy ones, `Once`. What is in them is read only if it is there.

use super::Child;
use super::shape::Shape;
use crate::place::little_endian;
use crate::{Place, Stop, ValueError};

/// What stands for a value that was not made yet.
const UNSET: &str = "<uninit>";

/// How far an initialisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Incomplete,
    Poisoned,
    Running,
    Complete,
}

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "core::cell::once::OnceCell" => place.member("inner").and_then(|inner| optional(stop, "OnceCell", &inner)),
        "core::cell::lazy::LazyCell" => lazy_cell(stop, place),
        "std::sync::once_lock::OnceLock" => once_lock(stop, place, "OnceLock", "value"),
        "std::sync::lazy_lock::LazyLock" => once_lock(stop, place, "LazyLock", "data"),
        "std::sync::once::Once" | "std::sync::poison::once::Once" => once(stop, place),
        "once_cell::sync::OnceCell" => place.find("value").and_then(|value| optional(stop, "OnceCell", &value)),
        "once_cell::unsync::OnceCell" => place.member("inner").and_then(|inner| optional(stop, "OnceCell", &inner)),
        "once_cell::sync::Lazy" => {
            place.member("cell").and_then(|cell| cell.find("value")).and_then(|value| optional(stop, "Lazy", &value))
        }
        "once_cell::unsync::Lazy" => {
            place.member("cell").and_then(|cell| cell.member("inner")).and_then(|inner| optional(stop, "Lazy", &inner))
        }
        "tokio::sync::once_cell::OnceCell" => tokio(stop, place),
        _ => return None,
    })
}

fn set(name: &str, value: Place) -> Shape {
    Shape::Fields { name: name.to_owned(), fields: vec![Child::extra("[value]", Ok(value))], is_tuple: true }
}

fn unset(name: &str, why: &str) -> Shape {
    Shape::Leaf(format!("{name}({why})"))
}

/// A cell around an `Option`.
fn optional(stop: &Stop, name: &str, cell: &Place) -> Result<Shape, ValueError> {
    let variant = cell.unwrap_cell().variant(stop)?;
    match variant.name.as_str() {
        "Some" => Ok(set(name, variant.place.member("__0")?)),
        _ => Ok(unset(name, UNSET)),
    }
}

fn lazy_cell(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let variant = place.member("state")?.unwrap_cell().variant(stop)?;
    Ok(match variant.name.as_str() {
        "Init" => set("LazyCell", variant.place.member("__0")?),
        "Poisoned" => unset("LazyCell", "<poisoned>"),
        _ => unset("LazyCell", UNSET),
    })
}

/// `once` says whether what begins where `field` does is a `T`.
fn once_lock(stop: &Stop, place: &Place, name: &str, field: &str) -> Result<Shape, ValueError> {
    Ok(match progress(stop, &place.member("once")?)? {
        Progress::Complete => set(name, item_at(place, field)?),
        Progress::Incomplete => unset(name, UNSET),
        Progress::Running => unset(name, "<being initialised>"),
        Progress::Poisoned if name == "LazyLock" => unset(name, "<poisoned>"),
        // The next one to ask tries again.
        Progress::Poisoned => unset(name, UNSET),
    })
}

fn tokio(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    match place.member("value_set")?.peel().read_uint(stop)? {
        0 => Ok(unset("OnceCell", UNSET)),
        1 => Ok(set("OnceCell", item_at(place, "value")?)),
        other => Err(ValueError::Invalid(format!("a bool of {other:#x}"))),
    }
}

/// The `T` in the wrappers that a field is made of, all of which begin where it does.
fn item_at(place: &Place, field: &str) -> Result<Place, ValueError> {
    let item = place.ty.template_argument("T").ok_or_else(|| ValueError::NoType(format!("field `{field}`")))?;
    Ok(Place::at(item, place.member(field)?.at))
}

fn once(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let state = match progress(stop, place)? {
        Progress::Incomplete => "incomplete",
        Progress::Poisoned => "poisoned",
        Progress::Running => "running",
        Progress::Complete => "complete",
    };
    Ok(Shape::Leaf(format!("Once({state})")))
}

/// The state of a `Once`. Its encoding was turned around in Rust 1.90, which no name in the debug information tells.
fn progress(stop: &Stop, once: &Place) -> Result<Progress, ValueError> {
    let read = |name: &str| {
        let word = once.find(name)?.peel();
        Ok::<_, ValueError>(little_endian(&word.read_at(stop, 0, word.ty.size().min(8))?))
    };
    if let Ok(word) = read("state_and_queued") {
        let minor = once.ty.producer().and_then(|producer| minor_version(&producer));
        let minor =
            minor.ok_or_else(|| ValueError::Unavailable(format!("state {word} of an unknown compiler's Once")))?;
        return queued(word, minor);
    }
    // Rust 1.63 has the waiters' list in the upper bits; 1.70 a state for waiters of its own.
    match read("state_and_queue") {
        Ok(word) => named(word & 3, &[Progress::Incomplete, Progress::Poisoned, Progress::Running, Progress::Complete]),
        Err(_) => named(
            read("state")?,
            &[Progress::Incomplete, Progress::Poisoned, Progress::Running, Progress::Running, Progress::Complete],
        ),
    }
}

/// `state_and_queued`, from Rust 1.85 on; bit 2 says that somebody waits.
fn queued(word: u128, minor: u32) -> Result<Progress, ValueError> {
    let mut states = [Progress::Incomplete, Progress::Poisoned, Progress::Running, Progress::Complete];
    if minor >= 90 {
        states.reverse();
    }
    named(word & !4, &states)
}

fn named(word: u128, states: &[Progress]) -> Result<Progress, ValueError> {
    let state = usize::try_from(word).ok().and_then(|word| states.get(word));
    state.copied().ok_or_else(|| ValueError::Invalid(format!("a Once in state {word:#x}")))
}

/// `clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))` → 95.
fn minor_version(producer: &str) -> Option<u32> {
    let (_, version) = producer.split_once("rustc version 1.")?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_a_once_depends_on_the_compiler() {
        assert_eq!(queued(3, 85), Ok(Progress::Complete));
        assert_eq!(queued(0, 89), Ok(Progress::Incomplete));
        assert_eq!(queued(0, 90), Ok(Progress::Complete));
        assert_eq!(queued(3, 97), Ok(Progress::Incomplete));
        assert_eq!(queued(1 | 4, 95), Ok(Progress::Running));
        assert_eq!(queued(2 | 4, 86), Ok(Progress::Running));
        assert!(queued(0x60, 95).is_err());
    }

    #[test]
    fn a_compiler_says_its_version() {
        assert_eq!(minor_version("clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))"), Some(95));
        assert_eq!(minor_version("clang LLVM (rustc version 1.97.0-nightly (e50aa6fba 2026-05-19))"), Some(97));
        assert_eq!(minor_version("GNU C17 12.2.0"), None);
    }
}
