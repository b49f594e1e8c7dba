//! What a thread that polls a task is blocked in: calls of the standard library and of `parking_lot` that put the whole
//! thread to sleep, recognised by the names of the functions on its stack.
//!
//! Only calls that last are looked for, and only threads that sleep in one: a `write` or a receipt of what is there already
//! that happens to be seen is none of them.

use weft_memory::{DwarfRegister, MemAddr, Registers};
use weft_tasks::{Resource, Wait, WaitKind, Want};
use weft_values::{Frame, Stop};

use crate::chain::at;
use crate::names::base;
use crate::shape::{find_member, pointee};
use crate::threads::each_variable;

/// A call that blocks: where its function is, what it is called there, and what it is to a user.
struct Call {
    module: &'static str,
    function: &'static str,
    kind: WaitKind,
    text: &'static str,
}

const fn call(module: &'static str, function: &'static str, kind: WaitKind, text: &'static str) -> Call {
    Call { module, function, kind, text }
}

/// The outermost that is on a stack counts: a channel parks, and a `join` waits for a futex.
const CALLS: [Call; 12] = [
    call("std::thread::", "sleep", WaitKind::Sleep, "std::thread::sleep"),
    call("std::thread::", "sleep_until", WaitKind::Sleep, "std::thread::sleep_until"),
    call("std::thread::", "JoinHandle::join", WaitKind::Unknown, "std::thread::JoinHandle::join"),
    call("std::thread::", "park", WaitKind::Unknown, "std::thread::park"),
    call("std::sync::", "Condvar::wait", WaitKind::Unknown, "std::sync::Condvar::wait"),
    call("std::sync::", "Condvar::wait_while", WaitKind::Unknown, "std::sync::Condvar::wait_while"),
    call("std::sync::", "Barrier::wait", WaitKind::Barrier, "std::sync::Barrier::wait"),
    call("std::sync::mpsc::", "Receiver::recv", WaitKind::Channel, "std::sync::mpsc::Receiver::recv"),
    call("std::sync::mpsc::", "SyncSender::send", WaitKind::Channel, "std::sync::mpsc::SyncSender::send"),
    call("std::process::", "Child::wait", WaitKind::Process, "std::process::Child::wait"),
    call("std::process::", "Command::output", WaitKind::Process, "std::process::Command::output"),
    call("std::process::", "Command::status", WaitKind::Process, "std::process::Command::status"),
];

/// Modules with functions that wait for somebody at the other end, and what those are called.
const IO_MODULES: [&str; 5] = ["std::net::", "std::os::unix::net::", "std::io::", "std::process::", "std::fs::"];
const IO_FUNCTIONS: [&str; 10] = [
    "accept",
    "connect",
    "read",
    "read_exact",
    "read_line",
    "read_to_end",
    "read_to_string",
    "read_until",
    "recv",
    "recv_from",
];

/// A lock that blocks: where its type is, the function that takes it, and what waiting for it is.
struct Lock {
    ty: &'static str,
    function: &'static str,
    kind: WaitKind,
    want: Want,
}

const fn lock(ty: &'static str, function: &'static str, kind: WaitKind, want: Want) -> Lock {
    Lock { ty, function, kind, want }
}

/// The standard library's types moved into `poison` in Rust 1.85.
const LOCKS: [Lock; 9] = [
    lock("std::sync::poison::mutex::Mutex", "Mutex::lock", WaitKind::Mutex, Want::Alone),
    lock("std::sync::mutex::Mutex", "Mutex::lock", WaitKind::Mutex, Want::Alone),
    lock("std::sync::poison::rwlock::RwLock", "RwLock::read", WaitKind::RwLock, Want::Shared),
    lock("std::sync::poison::rwlock::RwLock", "RwLock::write", WaitKind::RwLock, Want::Alone),
    lock("std::sync::rwlock::RwLock", "RwLock::read", WaitKind::RwLock, Want::Shared),
    lock("std::sync::rwlock::RwLock", "RwLock::write", WaitKind::RwLock, Want::Alone),
    lock("lock_api::mutex::Mutex", "Mutex::lock", WaitKind::Mutex, Want::Alone),
    lock("lock_api::rwlock::RwLock", "RwLock::read", WaitKind::RwLock, Want::Shared),
    lock("lock_api::rwlock::RwLock", "RwLock::write", WaitKind::RwLock, Want::Alone),
];

/// What the innermost of these frames (a task's own, innermost first) block the thread in. A task that told its runtime so
/// (`block_in_place`) keeps nobody waiting and is not said to block.
pub(crate) fn blocked(stop: &Stop, frames: &[Frame]) -> Option<Wait> {
    if !frames.first().is_some_and(|innermost| is_asleep(&innermost.registers)) {
        return None;
    }
    let in_place = |frame: &Frame| frame.name.starts_with("tokio::") && frame.name.ends_with("::block_in_place");
    if frames.iter().any(in_place) {
        return None;
    }
    let inside = frames.get(..frames.iter().position(|frame| frame.user_code)?)?;
    inside.iter().enumerate().rev().find_map(|(position, frame)| {
        let below = inside.get(..position)?;
        known_call(frame).or_else(|| known_lock(stop, frame, below))
    })
}

/// Whether the system call in which a thread was stopped had put it to sleep: it is to be made again when the thread goes
/// on (Linux: `ERESTARTSYS` to `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`, which only a debugger gets to see).
fn is_asleep(innermost: &Registers) -> bool {
    const AGAIN: [i64; 4] = [-512, -513, -514, -516];
    innermost.get(DwarfRegister::RAX).is_some_and(|result| AGAIN.contains(&result.cast_signed()))
}

fn known_call(frame: &Frame) -> Option<Wait> {
    let is = |call: &&Call| {
        let name = frame.name.strip_prefix(call.module);
        name.is_some_and(|name| {
            name == call.function || name.strip_suffix(call.function).is_some_and(|rest| rest.ends_with("::"))
        })
    };
    let known = CALLS.iter().find(is).map(|call| Wait::new(call.kind, call.text));
    known.or_else(|| is_io(&frame.name).then(|| Wait::new(WaitKind::Io, frame.name.as_str())))
}

fn is_io(function: &str) -> bool {
    let last = function.rsplit("::").next().unwrap_or_default();
    IO_FUNCTIONS.contains(&last) && IO_MODULES.iter().any(|module| function.starts_with(module))
}

/// A lock whose function has called one that waits: `below` are the frames inside.
fn known_lock(stop: &Stop, frame: &Frame, below: &[Frame]) -> Option<Wait> {
    let waits = |frame: &Frame| ["futex_wait", "park"].iter().any(|end| frame.name.ends_with(end));
    let path = frame.code.as_ref()?.function.path.as_str();
    let lock = LOCKS.iter().find(|lock| path.starts_with(lock.ty) && frame.name.ends_with(lock.function))?;
    if !below.iter().any(waits) {
        return None;
    }
    let of_lock = each_variable(stop, frame, &|ty| pointee(ty).is_some_and(|target| base(target.path()) == lock.ty));
    let target = of_lock.and_then(|place| {
        let address = place.read_pointer(stop).ok()?;
        let (word, _) = find_member(&pointee(&place.ty)?, &["futex", "state"], 5)?;
        Some((at(address, word), weft_values::short_type_name(pointee(&place.ty)?.path())))
    });
    let name = target
        .as_ref()
        .map_or_else(|| lock.ty.rsplit("::").next().unwrap_or_default().to_owned(), |(_, name)| name.clone());
    let address = target.map(|(address, _)| address).or_else(|| std_mutex(lock, below));
    let verb = match (lock.kind, lock.want) {
        (WaitKind::RwLock, Want::Shared) => "read",
        (WaitKind::RwLock, _) => "write",
        _ => "lock",
    };
    let mut wait = Wait::new(lock.kind, format!("{verb} {name}, which blocks the thread"));
    wait.want = lock.want;
    wait.resource = address.map(|address| Resource { id: address.raw(), type_name: name.into() });
    Some(wait)
}

/// The word that a thread waits for in a system call: the first argument of `futex`, which is the standard library's mutex
/// itself. Its reader-writer lock has another word for that.
fn std_mutex(lock: &Lock, below: &[Frame]) -> Option<MemAddr> {
    let innermost = below.first().filter(|_| lock.kind == WaitKind::Mutex && lock.ty.starts_with("std::"))?;
    let is_futex =
        innermost.name == "syscall" && below.get(1).is_some_and(|caller| caller.name.ends_with("::futex_wait"));
    is_futex.then(|| innermost.registers.get(DwarfRegister::RDI)).flatten().map(MemAddr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_for_others_to_send_are_told_from_those_that_return() {
        let waits =
            ["std::os::unix::net::stream::UnixStream::read", "std::io::Read::read_exact", "std::fs::File::read"];
        assert!(waits.into_iter().all(is_io));
        let others = ["std::io::Write::write_all", "tokio::net::TcpStream::read", "mine::read", "read", ""];
        assert!(!others.into_iter().any(is_io));
    }

    #[test]
    fn a_thread_sleeps_if_its_call_is_to_be_made_again() {
        let with = |result: i64| {
            let mut registers = Registers::unknown(0);
            registers.set(DwarfRegister::RAX, Some(result.cast_unsigned()));
            registers
        };
        assert!([-512, -513, -514, -516].into_iter().all(|result| is_asleep(&with(result))));
        // What was read, would block, was interrupted for good.
        assert!(![16, 0, -11, -4].into_iter().any(|result| is_asleep(&with(result))));
        assert!(!is_asleep(&Registers::unknown(0)));
    }
}
