//! Locks with their state, of the standard library, `parking_lot` and Tokio, and the guards that stand for what they protect.

use super::Child;
use super::shape::Shape;
use crate::{Place, Stop, ValueError};

/// Of the standard library's `RwLock`: the bits that count readers; all of them set for a writer.
const READERS: u128 = (1 << 30) - 1;
/// Where the types of this family are.
const HOMES: [&str; 3] = ["std::sync::", "lock_api::", "tokio::sync::"];

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    if !HOMES.iter().any(|home| path.starts_with(home)) {
        return None;
    }
    let is_std = path.starts_with("std::");
    Some(match path {
        "lock_api::mutex::Mutex" => parking_lot_mutex(stop, place),
        "lock_api::rwlock::RwLock" => parking_lot_rwlock(stop, place),
        "tokio::sync::mutex::Mutex" => tokio_mutex(stop, place),
        "tokio::sync::rwlock::RwLock" => tokio_rwlock(stop, place),
        "tokio::sync::semaphore::Semaphore" => semaphore(stop, place),
        path if is_std && path.ends_with("::mutex::Mutex") => std_mutex(stop, place),
        path if is_std && path.ends_with("::rwlock::RwLock") => std_rwlock(stop, place),
        path if is_std && path.ends_with("::condvar::Condvar") => Ok(Shape::Leaf("Condvar".to_owned())),
        path if is_guard(path) => guarded(stop, place).map(Shape::through),
        _ => return None,
    })
}

fn is_guard(path: &str) -> bool {
    let name = path.rsplit("::").next().unwrap_or(path);
    name.ends_with("Guard") && (name.contains("Mutex") || name.contains("RwLock"))
}

/// What a guard gives access to: what it points to, or the data of the lock that it points to.
fn guarded(stop: &Stop, place: &Place) -> Result<Place, ValueError> {
    if let Ok(data) = place.member("data") {
        return data.deref(stop);
    }
    let names = ["lock", "mutex", "rwlock"];
    let lock = names.iter().find_map(|name| place.member(name).ok());
    let lock = lock
        .ok_or_else(|| ValueError::NoMember { ty: crate::short_type_name(place.ty.path()), name: "lock".to_owned() })?;
    let mut lock = lock.deref(stop)?;
    if lock.ty.path().starts_with("alloc::sync::ArcInner<") {
        lock = lock.member("data")?;
    }
    let data = lock.member("data").or_else(|_| lock.member("c"))?;
    data.unwrap_cell().concrete(stop)
}

fn lock(name: &str, state: &str, place: &Place, field: &str) -> Result<Shape, ValueError> {
    let data = place.member(field)?.unwrap_cell();
    let child = if field == "data" { Child::field("data", Ok(data)) } else { Child::extra("data", Ok(data)) };
    Ok(Shape::Fields { name: format!("{name}({state})"), fields: vec![child], is_tuple: false })
}

/// A lock's word.
fn word(stop: &Stop, place: &Place, name: &str) -> Result<u128, ValueError> {
    place.find(name)?.peel().read_uint(stop)
}

fn poisoned(stop: &Stop, place: &Place, mut state: String) -> String {
    let failed = place.member("poison").and_then(|poison| word(stop, &poison, "failed"));
    if failed.is_ok_and(|failed| failed != 0) {
        state.push_str(", poisoned");
    }
    state
}

fn readers(count: u128) -> String {
    if count == 1 { "1 reader".to_owned() } else { format!("{count} readers") }
}

fn std_mutex(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let state = match place.member("inner").and_then(|inner| word(stop, &inner, "futex")) {
        Ok(0) => "unlocked",
        Ok(1) => "locked",
        Ok(2) => "locked, others wait",
        _ => "state unknown",
    };
    lock("Mutex", &poisoned(stop, place, state.to_owned()), place, "data")
}

/// Readers in the lower 30 bits; bit 30 says that readers wait, bit 31 that writers do.
fn std_rwlock(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let word = place.member("inner").and_then(|inner| word(stop, &inner, "state"));
    let state = word.map_or_else(|_| "state unknown".to_owned(), rwlock_state);
    lock("RwLock", &poisoned(stop, place, state), place, "data")
}

fn rwlock_state(word: u128) -> String {
    let mut state = match word & READERS {
        0 => "unlocked".to_owned(),
        READERS => "write locked".to_owned(),
        count => readers(count),
    };
    if word & !READERS != 0 {
        state.push_str(", others wait");
    }
    state
}

/// Whether what is in a `lock_api` lock is `parking_lot`'s: others have other words.
fn raw_of_parking_lot(place: &Place, name: &str) -> Result<Option<Place>, ValueError> {
    let raw = place.member("raw")?;
    let path = raw.ty.path();
    Ok((path.starts_with("parking_lot::") && path.ends_with(name)).then_some(raw))
}

/// Bit 0: locked; bit 1: others wait.
fn parking_lot_mutex(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let raw = raw_of_parking_lot(place, "::RawMutex")?;
    let state = match raw.map(|raw| word(stop, &raw, "state")).transpose()? {
        Some(0) => "unlocked",
        Some(1) => "locked",
        Some(3) => "locked, others wait",
        _ => "state unknown",
    };
    lock("Mutex", state, place, "data")
}

/// Bits 0 and 1: others wait; bit 2: an upgradable reader; bit 3: a writer; above them the readers.
fn parking_lot_rwlock(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let raw = raw_of_parking_lot(place, "::RawRwLock")?;
    let word = raw.map(|raw| word(stop, &raw, "state")).transpose()?;
    let state = word.map_or_else(|| "state unknown".to_owned(), parking_lot_state);
    lock("RwLock", &state, place, "data")
}

fn parking_lot_state(word: u128) -> String {
    let mut state = match (word & 8 != 0, word >> 4) {
        // A writer that still waits for readers has its bit already.
        (true, 0) => "write locked".to_owned(),
        (_, 0) => "unlocked".to_owned(),
        (_, count) => readers(count),
    };
    if word & 3 != 0 || (word & 8 != 0 && word >> 4 != 0) {
        state.push_str(", others wait");
    }
    state
}

/// The free permits of a semaphore of Tokio's, and whether somebody waits for one.
fn permits(stop: &Stop, semaphore: &Place) -> Result<(u128, bool, bool), ValueError> {
    let word = word(stop, semaphore, "permits")?;
    let head = semaphore.find("queue").and_then(|queue| queue.member("head"))?;
    let waits = crate::place::little_endian(&head.read_at(stop, 0, 8)?) != 0;
    // Bit 0 says that it is closed.
    Ok((word >> 1, word & 1 != 0, waits))
}

fn tokio_mutex(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let state = match permits(stop, &place.member("s")?)? {
        (1, _, _) => "unlocked",
        (0, _, false) => "locked",
        (0, _, true) => "locked, others wait",
        (permits, ..) => return Err(ValueError::Invalid(format!("a mutex with {permits} permits"))),
    };
    lock("Mutex", state, place, "c")
}

/// A reader takes one of `mr` permits, a writer all of them. One that waits has taken what there was.
fn tokio_rwlock(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let most = place.member("mr")?.read_uint(stop)?;
    let state = match permits(stop, &place.member("s")?)? {
        (free, ..) if free > most => {
            return Err(ValueError::Invalid(format!("a lock of {most} readers with {free} permits")));
        }
        (free, ..) if free == most => "unlocked".to_owned(),
        (_, _, true) => "locked, others wait".to_owned(),
        (0, ..) => "write locked".to_owned(),
        (free, ..) => readers(most.saturating_sub(free)),
    };
    lock("RwLock", &state, place, "c")
}

fn semaphore(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let (free, is_closed, waits) = permits(stop, place)?;
    let mut text = format!("Semaphore({free} free");
    for (is_so, word) in [(is_closed, ", closed"), (waits, ", others wait")] {
        if is_so {
            text.push_str(word);
        }
    }
    Ok(Shape::Leaf(format!("{text})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_that_are_waited_for_say_so() {
        assert_eq!(rwlock_state(0), "unlocked");
        assert_eq!(rwlock_state(1), "1 reader");
        assert_eq!(rwlock_state(5 | 1 << 31), "5 readers, others wait");
        assert_eq!(rwlock_state(0x3fff_ffff | 1 << 30), "write locked, others wait");
        assert_eq!(parking_lot_state(8), "write locked");
        assert_eq!(parking_lot_state(32), "2 readers");
        assert_eq!(parking_lot_state(16 | 8), "1 reader, others wait");
        assert_eq!(parking_lot_state(8 | 1), "write locked, others wait");
    }
}
