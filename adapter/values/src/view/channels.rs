//! Ends of channels, of the standard library and of Tokio: who is on the other side, and how much waits between them.

use super::Child;
use super::shape::Shape;
use crate::place::little_endian;
use crate::{Place, Stop, ValueError};

/// Slots of a block of the standard library's list, of which the last one is only a mark.
const LAP: u64 = 32;

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    let name = path.rsplit("::").next()?;
    Some(match path {
        "std::sync::mpsc::Sender" | "std::sync::mpsc::SyncSender" | "std::sync::mpsc::Receiver" => {
            std_channel(stop, place).map(|text| summary(name, &text, place))
        }
        "tokio::sync::mpsc::bounded::Sender"
        | "tokio::sync::mpsc::bounded::Receiver"
        | "tokio::sync::mpsc::unbounded::UnboundedSender"
        | "tokio::sync::mpsc::unbounded::UnboundedReceiver" => {
            tokio_mpsc(stop, place).map(|text| summary(name, &text, place))
        }
        "tokio::sync::oneshot::Sender" | "tokio::sync::oneshot::Receiver" => oneshot(stop, place, name),
        "tokio::sync::watch::Sender" | "tokio::sync::watch::Receiver" => watch(stop, place, name),
        "tokio::sync::broadcast::Sender" | "tokio::sync::broadcast::Receiver" => {
            broadcast(stop, place).map(|text| summary(name, &text, place))
        }
        "tokio::sync::notify::Notify" => notify(stop, place),
        _ => return None,
    })
}

fn summary(name: &str, text: &str, place: &Place) -> Shape {
    let fields = place.members().into_iter().map(|member| Child::field(member.name, member.place)).collect();
    Shape::Summary { text: format!("{name}({text})"), fields }
}

/// `1 sender`, `2 senders`.
fn several(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn number(stop: &Stop, place: &Place, name: &str) -> Result<u64, ValueError> {
    place.member(name)?.peel().read_u64(stop)
}

/// `inner.flavor` is one of three queues behind a counter of both sides.
fn std_channel(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let flavor = place.member("inner")?.member("flavor")?.variant(stop)?;
    let counter = flavor.place.member("__0")?.member("counter")?.deref(stop)?;
    let senders = several(number(stop, &counter, "senders")?, "sender");
    let channel = counter.member("chan")?;
    Ok(match flavor.name.as_str() {
        "List" => {
            let index = |end: &str| channel.member(end)?.find("index")?.peel().read_u64(stop);
            let tail = index("tail")?;
            let queued = listed(index("head")?, tail);
            format!("{senders}, {queued} queued{}", disconnected(tail & 1))
        }
        "Array" => {
            let word = |name: &str| {
                channel.member(name)?.find("value").or_else(|_| channel.member(name))?.peel().read_u64(stop)
            };
            let (head, tail, mark) = (word("head")?, word("tail")?, number(stop, &channel, "mark_bit")?);
            let most = number(stop, &channel, "cap")?;
            let queued = ringed(head, tail, mark, most)
                .ok_or_else(|| ValueError::Invalid(format!("a channel from {head:#x} to {tail:#x} of {most}")))?;
            format!("{senders}, {queued} of {most} queued{}", disconnected(tail & mark))
        }
        _ => format!("{senders}, rendezvous"),
    })
}

const fn disconnected(mark: u64) -> &'static str {
    if mark == 0 { "" } else { ", disconnected" }
}

/// Messages between two positions of a list. A position has a mark in bit 0, and in every block one that holds nothing.
fn listed(head: u64, tail: u64) -> u64 {
    let settled = |position: u64| {
        let slot = position >> 1;
        if slot % LAP == LAP - 1 { slot.saturating_add(1) } else { slot }
    };
    let messages = |slot: u64| slot.saturating_sub(slot / LAP);
    messages(settled(tail)).saturating_sub(messages(settled(head)))
}

/// Messages between two positions of a ring: the index below the mark, the lap above it.
fn ringed(head: u64, tail: u64, mark: u64, most: u64) -> Option<u64> {
    let mask = mark.checked_sub(1).filter(|_| mark.is_power_of_two())?;
    let (first, last) = (head & mask, tail & mask);
    let queued = if first < last {
        last.checked_sub(first)?
    } else if first > last {
        most.checked_sub(first)?.checked_add(last)?
    } else if tail & !mark == head {
        0
    } else {
        most
    };
    (queued <= most).then_some(queued)
}

/// What is behind the `Arc` that an end of a channel holds.
fn shared(stop: &Stop, place: &Place, name: &str) -> Result<Place, ValueError> {
    place.member(name)?.deref(stop)?.member("data")
}

/// `chan.inner` → `Chan {tx, rx_fields, tx_count, semaphore}`.
fn tokio_mpsc(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let channel = shared(stop, &place.member("chan")?, "inner")?;
    let sent = channel.member("tx")?.find("tail_position")?.peel().read_u64(stop)?;
    let taken = channel.member("rx_fields")?.find("index")?.read_u64(stop)?;
    let senders = several(number(stop, &channel, "tx_count")?, "sender");
    let semaphore = channel.member("semaphore")?;
    // When the last sender goes, a position is taken that says so.
    let closed_by_senders = number(stop, &channel, "tx_count")? == 0;
    let queued = sent.saturating_sub(taken).saturating_sub(u64::from(closed_by_senders));
    let Ok(most) = semaphore.member("bound").and_then(|bound| bound.read_u64(stop)) else {
        // Unbounded: what is queued, twice, and whether the receiver is gone.
        let word = semaphore.peel().read_u64(stop)?;
        return Ok(format!("{senders}, {queued} queued{}", closed(word & 1)));
    };
    let word = semaphore.find("permits")?.peel().read_u64(stop)?;
    Ok(format!("{senders}, {queued} of {most} queued, {} free{}", word >> 1, closed(word & 1)))
}

const fn closed(bit: u64) -> &'static str {
    if bit == 0 { "" } else { ", closed" }
}

/// The state says whether a value was sent, and whether the receiver is gone or was closed.
fn oneshot(stop: &Stop, place: &Place, name: &str) -> Result<Shape, ValueError> {
    let inner = place.member("inner")?.variant(stop)?;
    if inner.name != "Some" {
        return Ok(Shape::Leaf(format!("{name}(used up)")));
    }
    let inner = shared(stop, &inner.place, "__0")?;
    let state = number(stop, &inner, "state")?;
    if state & 2 == 0 {
        let text = if state & 4 == 0 { "nothing sent yet" } else { "closed" };
        return Ok(Shape::Leaf(format!("{name}({text})")));
    }
    let value = inner.member("value")?.unwrap_cell().variant(stop)?;
    if value.name != "Some" {
        let text = if name == "Receiver" { "sender dropped or value taken" } else { "value taken" };
        return Ok(Shape::Leaf(format!("{name}({text})")));
    }
    let sent = Child::extra("[sent]", value.place.member("__0"));
    Ok(Shape::Fields { name: name.to_owned(), fields: vec![sent], is_tuple: false })
}

/// The value, and whether this receiver has seen it. The state counts in twos; bit 0 says that all senders are gone.
fn watch(stop: &Stop, place: &Place, name: &str) -> Result<Shape, ValueError> {
    let shared = shared(stop, place, "shared")?;
    let state = shared.member("state")?.peel().read_u64(stop)?;
    let value = shared.member("value")?.find("data")?.unwrap_cell();
    let seen = match place.member("version") {
        Ok(version) if version.peel().read_u64(stop)? != state & !1 => "(changed)",
        Ok(_) => "(seen)",
        Err(_) => "",
    };
    let closed = if state & 1 == 0 { "" } else { "(closed)" };
    let fields = vec![Child::extra("[value]", Ok(value))];
    Ok(Shape::Fields { name: format!("{name}{seen}{closed}"), fields, is_tuple: false })
}

/// What was sent since this receiver last received, of at most `buffer` messages that are kept.
fn broadcast(stop: &Stop, place: &Place) -> Result<String, ValueError> {
    let shared = shared(stop, place, "shared")?;
    let tail = shared.member("tail")?;
    let sent = tail.find("pos")?.read_u64(stop)?;
    let receivers = several(tail.find("rx_cnt")?.read_u64(stop)?, "receiver");
    let senders = several(number(stop, &shared, "num_tx")?, "sender");
    let most = shared.member("mask")?.read_u64(stop)?.saturating_add(1);
    let waiting = match place.member("next") {
        Ok(next) => {
            let behind = sent.wrapping_sub(next.read_u64(stop)?);
            if behind > most {
                format!(", lagging by {}", behind.saturating_sub(most))
            } else {
                format!(", {behind} to receive")
            }
        }
        Err(_) => String::new(),
    };
    Ok(format!("{senders}, {receivers}{waiting}"))
}

/// Two bits of state; the rest counts calls of `notify_waiters`.
fn notify(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let word = place.member("state")?.peel();
    let state = match little_endian(&word.read_at(stop, 0, word.ty.size().min(8))?) & 3 {
        0 => "nobody waits",
        1 => "others wait",
        2 => "a permit is stored",
        other => return Err(ValueError::Invalid(format!("a Notify in state {other}"))),
    };
    Ok(Shape::Leaf(format!("Notify({state})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_messages_and_no_marks() {
        assert_eq!(listed(0, 0), 0);
        assert_eq!(listed(0, 5 << 1), 5);
        assert_eq!(listed(0, 5 << 1 | 1), 5);
        // Slot 31 holds nothing: the next message is in slot 32.
        assert_eq!(listed(0, 31 << 1), 31);
        assert_eq!(listed(0, 32 << 1), 31);
        assert_eq!(listed(3 << 1, 41 << 1), 37);
        assert_eq!(listed(u64::MAX, 0), 0);
    }

    #[test]
    fn a_ring_is_empty_or_full_by_its_laps() {
        // A capacity of four: the mark is 8, a lap 16.
        assert_eq!(ringed(0, 0, 8, 4), Some(0));
        assert_eq!(ringed(0, 16, 8, 4), Some(4));
        assert_eq!(ringed(1, 3, 8, 4), Some(2));
        assert_eq!(ringed(3, 16 + 1, 8, 4), Some(2));
        assert_eq!(ringed(0, 8, 8, 4), Some(0));
        assert_eq!(ringed(7, 1, 8, 4), None);
        assert_eq!(ringed(0, 0, 0, 4), None);
    }
}
