//! Primitive futures of smol's crates and of futures, by the paths of their types.
//!
//! Members are those of async-io 2, async-lock 3, async-channel 2, event-listener 5, async-task 4 and futures 0.3; each is
//! searched by name, so that one that is gone only costs what it would have told.

use weft_symbols::{Type, TypeKind};
use weft_tasks::WaitKind;

use crate::leaves::{LeafKind, find_pointer};
use crate::names::{base, within};
use crate::shape::{find_member, pointee};

/// What a future waits for, where that is an object that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: WaitKind,
    /// In a user's words.
    pub(crate) text: String,
    /// The object's type as a user reads it.
    pub(crate) type_name: String,
    /// The way to it: offsets of pointers, each from where the last one leads.
    pub(crate) path: Vec<u64>,
}

const TASK: &str = "async_task::task::Task";
const TIMER: &str = "async_io::Timer";
const READY: [&str; 5] = [
    "async_io::reactor::Ready",
    "async_io::reactor::Readable",
    "async_io::reactor::Writable",
    "async_io::reactor::ReadableOwned",
    "async_io::reactor::WritableOwned",
];
/// Futures that point to what they wait for: path, kind, what they do with it, the member that leads to it.
const OBJECTS: [(&str, WaitKind, &str, &str); 18] = [
    ("async_lock::mutex::Lock", WaitKind::Mutex, "lock", "mutex"),
    ("async_lock::mutex::LockArc", WaitKind::Mutex, "lock", "mutex"),
    ("async_lock::rwlock::futures::Read", WaitKind::RwLock, "read", "lock"),
    ("async_lock::rwlock::futures::ReadArc", WaitKind::RwLock, "read", "lock"),
    ("async_lock::rwlock::futures::UpgradableRead", WaitKind::RwLock, "read", "lock"),
    ("async_lock::rwlock::futures::Write", WaitKind::RwLock, "write", "lock"),
    ("async_lock::rwlock::futures::WriteArc", WaitKind::RwLock, "write", "lock"),
    ("async_lock::rwlock::futures::Upgrade", WaitKind::RwLock, "write", "lock"),
    ("async_lock::semaphore::Acquire", WaitKind::Semaphore, "permit of", "semaphore"),
    ("async_lock::semaphore::AcquireArc", WaitKind::Semaphore, "permit of", "semaphore"),
    ("async_lock::barrier::BarrierWait", WaitKind::Barrier, "barrier", "barrier"),
    ("async_channel::Recv", WaitKind::Channel, "receive from channel", "receiver"),
    ("async_channel::Send", WaitKind::Channel, "room in channel", "sender"),
    ("event_listener::EventListener", WaitKind::Notify, "event", "listener"),
    ("futures_channel::oneshot::Receiver", WaitKind::Channel, "receive from oneshot channel", "inner"),
    ("futures_channel::mpsc::Receiver", WaitKind::Channel, "receive from channel", "inner"),
    ("futures_channel::mpsc::UnboundedReceiver", WaitKind::Channel, "receive from channel", "inner"),
    ("futures_util::lock::mutex::MutexLockFuture", WaitKind::Mutex, "lock", "mutex"),
];
const SEND: &str = "futures_util::sink::send::Send";

/// What is known of a type of these crates; none if it is no primitive future of theirs.
pub(crate) fn leaf_kind(ty: &Type) -> Option<LeafKind> {
    let path = base(ty.path());
    if !["async_", "event_listener::", "futures_"].iter().any(|krate| path.starts_with(krate)) {
        return None;
    }
    if path == TASK {
        return Some(LeafKind::Join { header: find_member(ty, &["ptr"], 1).map(|(offset, _)| offset) });
    }
    if path == TIMER {
        let (at, when) = find_member(ty, &["when"], 1)?;
        let part = |name: &str| Some(at.saturating_add(within_variants(&when, name, 8)?));
        return Some(LeafKind::Sleep { deadline: part("tv_sec").zip(part("tv_nsec")) });
    }
    if READY.contains(&path) {
        return Some(LeafKind::Io { operation: None });
    }
    if path == SEND {
        let sink = ty.template_argument("Si").filter(|sink| base(sink.path()) == "futures_channel::mpsc::Sender")?;
        let (outer, _) = find_member(ty, &["sink"], 2)?;
        let (inner, _) = find_pointer(&sink, 8, &|_| true)?;
        return Some(LeafKind::Object(Object {
            kind: WaitKind::Channel,
            text: "room in channel".to_owned(),
            type_name: "channel".to_owned(),
            path: vec![outer, inner],
        }));
    }
    let (_, kind, text, member) = OBJECTS.iter().find(|(known, ..)| *known == path)?;
    Some(LeafKind::Object(object(ty, *kind, text, member)))
}

fn object(ty: &Type, kind: WaitKind, text: &str, member: &str) -> Object {
    let value = ty.template_argument("T").map(|value| weft_values::short_type_name(value.path())).unwrap_or_default();
    let type_name = match kind {
        WaitKind::Mutex => format!("Mutex<{value}>"),
        WaitKind::RwLock => format!("RwLock<{value}>"),
        WaitKind::Semaphore => "Semaphore".to_owned(),
        WaitKind::Barrier => "Barrier".to_owned(),
        WaitKind::Notify => "Event".to_owned(),
        _ => "channel".to_owned(),
    };
    let text = match kind {
        WaitKind::Mutex | WaitKind::RwLock | WaitKind::Semaphore => format!("{text} {type_name}"),
        _ => text.to_owned(),
    };
    Object { kind, text, type_name, path: way(ty, member).unwrap_or_default() }
}

/// The way to the object: through the member of that name; what both halves of a channel share, or a listener and its
/// event, is one pointer further.
fn way(ty: &Type, member: &str) -> Option<Vec<u64>> {
    let (at, holder) = find_member(ty, &[member], 4)?;
    let (inner, target) = find_pointer(&holder, 8, &|_| true)?;
    let mut path = vec![at.saturating_add(inner)];
    let further = match member {
        "receiver" | "sender" => find_pointer(&target, 8, &|_| true),
        "listener" => find_member(&target, &["event"], 1).and_then(|(event, arc)| {
            let (pointer, shared) = find_pointer(&arc, 8, &|_| true)?;
            Some((event.saturating_add(pointer), shared))
        }),
        // `&Arc<RwLock<T>>`.
        _ if base(target.path()) == "alloc::sync::Arc" => find_pointer(&target, 4, &|_| true),
        _ => None,
    };
    path.extend(further.map(|(offset, _)| offset));
    Some(path)
}

/// Offset of a member of that name, through structs and the variants of enums.
fn within_variants(ty: &Type, name: &str, levels: usize) -> Option<u64> {
    let levels = levels.checked_sub(1)?;
    let TypeKind::Struct { members, variants } = ty.kind() else { return None };
    if let Some(found) = members.iter().find(|member| member.name == name) {
        return Some(found.offset);
    }
    let payloads = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
    members.iter().chain(payloads).find_map(|member| {
        let inner = ty.at(member.ty?).filter(|inner| pointee(inner).is_none())?;
        Some(member.offset.saturating_add(within_variants(&inner, name, levels)?))
    })
}

/// What the module of a function says about a wait inside it.
pub(crate) fn wait_kind_of_module(path: &str) -> Option<WaitKind> {
    const MODULES: [(&str, WaitKind); 8] = [
        ("async_io", WaitKind::Io),
        ("async_net", WaitKind::Io),
        ("async_std::net", WaitKind::Io),
        ("async_std::task::sleep", WaitKind::Sleep),
        ("async_lock::mutex", WaitKind::Mutex),
        ("async_lock::rwlock", WaitKind::RwLock),
        ("async_lock::semaphore", WaitKind::Semaphore),
        ("async_channel", WaitKind::Channel),
    ];
    MODULES.iter().find(|(module, _)| within(path, module)).map(|(_, kind)| *kind)
}
