//! Channels: which halves there are, what both share, and what that says of the channel.
//!
//! The members read here are those of Tokio 1.0 to 1.54; each is searched by name.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_values::Stop;

use crate::chain::at;
use crate::leaves::find_pointer;
use crate::names::base;
use crate::shape::{find_by, find_member, peel};

/// A half of a channel. Numbers are offsets in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Half {
    /// It sends; else it receives.
    pub(crate) sends: bool,
    /// Of the pointer to what both halves share, in this one.
    pub(crate) pointer: u64,
    /// Of the shared part, from where the pointer leads (an `Arc`'s allocation begins with its counts).
    pub(crate) identity: u64,
    pub(crate) channel: Channel,
}

/// What both halves of a channel share. Numbers are offsets from its begin, with sizes.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// The function that makes such a channel, with the message's type: `mpsc::channel<String>`.
    pub(crate) name: Arc<str>,
    senders: Option<(u64, u64)>,
    /// Handles that can become senders again.
    weak_senders: Option<(u64, u64)>,
    capacity: Option<(u64, u64)>,
    /// A oneshot channel has one sender, as long as it is open.
    oneshot: bool,
}

/// Paths of halves: whether they send, and the function that makes them.
const HALVES: [(&str, bool, &str); 12] = [
    ("tokio::sync::mpsc::bounded::Sender", true, "mpsc::channel"),
    ("tokio::sync::mpsc::bounded::Receiver", false, "mpsc::channel"),
    ("tokio::sync::mpsc::unbounded::UnboundedSender", true, "mpsc::unbounded_channel"),
    ("tokio::sync::mpsc::unbounded::UnboundedReceiver", false, "mpsc::unbounded_channel"),
    ("tokio::sync::oneshot::Sender", true, "oneshot::channel"),
    ("tokio::sync::oneshot::Receiver", false, "oneshot::channel"),
    ("tokio::sync::broadcast::Sender", true, "broadcast::channel"),
    ("tokio::sync::broadcast::Receiver", false, "broadcast::channel"),
    ("tokio::sync::watch::Sender", true, "watch::channel"),
    ("tokio::sync::watch::Receiver", false, "watch::channel"),
    // What the halves of an mpsc channel consist of.
    ("tokio::sync::mpsc::chan::Rx", false, "mpsc::channel"),
    ("tokio::sync::mpsc::chan::Tx", true, "mpsc::channel"),
];

/// Whether a value of this type is half of a channel.
pub(crate) fn is_half(ty: &Type) -> bool {
    let path = base(ty.path());
    path.starts_with("tokio::sync::") && HALVES.iter().any(|(half, ..)| *half == path)
}

/// The half that values of this type are.
pub(crate) fn half(ty: &Type) -> Option<Half> {
    let path = base(ty.path());
    let (_, sends, maker) = HALVES.iter().find(|(half, ..)| *half == path)?;
    let (pointer, allocation) = find_pointer(ty, 8, &|target| shared_in(target).is_some())?;
    let (identity, shared) = shared_in(&allocation)?;
    let count = |names: &[&str]| {
        let (offset, counter) = find_member(&shared, names, 4)?;
        let (inner, number) = peel(&counter);
        Some((offset.saturating_add(inner), number.size().clamp(1, 8)))
    };
    let unbounded = find_by(&shared, 2, &|_, inner| inner.path() == "tokio::sync::mpsc::unbounded::Semaphore");
    let maker = if unbounded.is_some() { "mpsc::unbounded_channel" } else { maker };
    let item = ty.template_argument("T").map(|item| weft_values::short_type_name(item.path()));
    let channel = Channel {
        name: item.map_or_else(|| maker.into(), |item| format!("{maker}<{item}>").into()),
        senders: count(&["tx_count", "num_tx", "ref_count_tx"]),
        weak_senders: count(&["tx_weak_count", "num_weak_tx"]),
        capacity: if maker == "mpsc::channel" { count(&["bound"]) } else { None },
        oneshot: path.starts_with("tokio::sync::oneshot::"),
    };
    Some(Half { sends: *sends, pointer, identity, channel })
}

/// The part of an allocation that a channel's halves share: its offset and type.
fn shared_in(ty: &Type) -> Option<(u64, Type)> {
    const SHARED: [&str; 4] = [
        "tokio::sync::mpsc::chan::Chan",
        "tokio::sync::oneshot::Inner",
        "tokio::sync::broadcast::Shared",
        "tokio::sync::watch::Shared",
    ];
    let is_shared = |ty: &Type| SHARED.contains(&base(ty.path()));
    if is_shared(ty) {
        return Some((0, ty.clone()));
    }
    // `ArcInner`.
    find_by(ty, 1, &|_, inner| is_shared(inner))
}

impl Half {
    /// Where the shared part lies of the half that lies at `address`; none if it has given it up.
    pub(crate) fn shared(&self, stop: &Stop, address: MemAddr) -> Option<MemAddr> {
        let allocation = stop.memory.read_pointer(at(address, self.pointer)).ok()?;
        (allocation.raw() != 0).then(|| at(allocation, self.identity))
    }
}

impl Channel {
    /// How many senders there are. None if that is not known, or if there are handles from which others can be made.
    pub(crate) fn senders(&self, stop: &Stop, shared: MemAddr) -> Option<u64> {
        if self.oneshot {
            return Some(1);
        }
        let weak = self.weak_senders.map_or(Some(0), |field| number(stop, shared, field))?;
        self.senders.and_then(|field| number(stop, shared, field)).filter(|_| weak == 0)
    }

    /// How many messages a bounded channel has room for.
    pub(crate) fn capacity(&self, stop: &Stop, shared: MemAddr) -> Option<u64> {
        self.capacity.and_then(|field| number(stop, shared, field))
    }

    /// What is to be said of the channel: `, capacity 4, 2 senders`.
    pub(crate) fn details(&self, stop: &Stop, shared: MemAddr) -> String {
        let capacity = self.capacity(stop, shared).map_or_else(String::new, |count| format!(", capacity {count}"));
        let senders = self.senders.filter(|_| !self.oneshot).and_then(|field| number(stop, shared, field));
        let senders = match senders {
            None => String::new(),
            Some(1) => ", 1 sender".to_owned(),
            Some(count) => format!(", {count} senders"),
        };
        format!("{capacity}{senders}")
    }
}

fn number(stop: &Stop, base: MemAddr, (offset, size): (u64, u64)) -> Option<u64> {
    let value = stop.memory.read_uint(at(base, offset), usize::try_from(size).ok()?).ok()?;
    u64::try_from(value).ok()
}
