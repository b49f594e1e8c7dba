//! What a primitive future waits for, read from it and from the coroutines around it.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};
use weft_tasks::{Resource, Wait, WaitKind};

use crate::chain::{Node, Walk, at, leaf_node};
use crate::leaves::{Leaf, LeafKind, wait_kind_of_module};
use crate::names::{base, within};
use crate::shape::pointee;

/// How deep the search for a descriptor inside a stream goes, and how many places it looks at.
const MAX_FD_DEPTH: usize = 24;
const MAX_FD_PLACES: usize = 400;

impl Walk<'_> {
    /// The node of a primitive future.
    pub(crate) fn leaf(&mut self, leaf: &Leaf, ty: &Type, address: MemAddr) -> Node {
        let wait = match &leaf.kind {
            LeafKind::Sleep { deadline } => self.sleep(*deadline, address),
            LeafKind::Join { header } => self.join_wait(header.and_then(|offset| self.pointer(at(address, offset)))),
            LeafKind::Acquire { semaphore, permits } => {
                let semaphore = semaphore.and_then(|offset| self.pointer(at(address, offset)));
                let permits = permits.and_then(|(offset, size)| self.read(at(address, offset), size));
                self.acquire(semaphore, permits)
            }
            LeafKind::Notified { notify } => {
                let notify = notify.and_then(|offset| self.pointer(at(address, offset)));
                self.shared(WaitKind::Notify, "notify".to_owned(), notify)
            }
            LeafKind::Receive { shared, what } => {
                let shared = shared.and_then(|offset| self.pointer(at(address, offset)));
                self.shared(WaitKind::Channel, format!("receive from {what}"), shared)
            }
            LeafKind::Io { operation } => self.io(operation.as_deref(), ty, address),
        };
        leaf_node(Arc::clone(&leaf.name), wait)
    }

    fn sleep(&self, deadline: Option<(u64, u64)>, address: MemAddr) -> Wait {
        let read = || {
            let (seconds, nanoseconds) = deadline?;
            let seconds = i128::from(self.stop.memory.read_u64(at(address, seconds)).ok()?.cast_signed());
            let nanoseconds = i128::from(self.stop.memory.read_u32(at(address, nanoseconds)).ok()?);
            let due = seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?;
            let left = due.checked_sub(self.stop.clock?.total_nanoseconds())?;
            u64::try_from(left.max(0).checked_div(1_000_000)?).ok()
        };
        match read() {
            None => Wait::new(WaitKind::Sleep, "sleep"),
            Some(milliseconds) => {
                let mut wait = Wait::new(WaitKind::Sleep, format!("sleep, {} left", duration(milliseconds)));
                wait.remaining_ms = Some(milliseconds);
                wait
            }
        }
    }

    /// A wait for the task with its header there.
    pub(crate) fn join_wait(&self, header: Option<MemAddr>) -> Wait {
        match header.and_then(|header| (self.key_of)(header)) {
            Some((key, name)) => {
                let mut wait = Wait::new(WaitKind::Join, format!("join {name}"));
                wait.tasks.push(key);
                wait
            }
            None => Wait::new(WaitKind::Join, "join"),
        }
    }

    fn acquire(&self, semaphore: Option<MemAddr>, permits: Option<u128>) -> Wait {
        let kind = self.kind_around().unwrap_or(WaitKind::Semaphore);
        let (object, type_name) = self.object_around().unzip();
        let what = type_name.clone().unwrap_or_else(|| "semaphore".to_owned());
        let text = match (kind, permits) {
            (WaitKind::Mutex, _) => format!("lock {what}"),
            // Tokio's writers take all permits there can be, its readers one.
            (WaitKind::RwLock, Some(1)) => format!("read {what}"),
            (WaitKind::RwLock, _) => format!("write {what}"),
            (WaitKind::Channel, _) => "room in channel".to_owned(),
            (_, Some(count)) if count > 1 => format!("{count} permits of {what}"),
            _ => format!("permit of {what}"),
        };
        let mut wait = Wait::new(kind, text);
        wait.resource = semaphore.or(object).map(|address| Resource {
            id: address.raw(),
            type_name: type_name.map_or_else(|| "Semaphore".into(), Into::into),
        });
        wait
    }

    fn shared(&self, kind: WaitKind, text: String, object: Option<MemAddr>) -> Wait {
        let inner = self.kind_around();
        let text = match inner {
            Some(WaitKind::Barrier) => "barrier".to_owned(),
            Some(WaitKind::Channel) if kind == WaitKind::Notify => "channel".to_owned(),
            Some(WaitKind::Process) => "process".to_owned(),
            _ => text,
        };
        let mut wait = Wait::new(inner.unwrap_or(kind), text);
        let type_name = match kind {
            WaitKind::Notify => "Notify",
            _ => "channel",
        };
        wait.resource = object.map(|address| Resource { id: address.raw(), type_name: type_name.into() });
        wait
    }

    fn io(&self, operation: Option<&str>, ty: &Type, address: MemAddr) -> Wait {
        let inner = self.kind_around().filter(|kind| *kind == WaitKind::Process);
        let called = operation.map(str::to_owned).or_else(|| self.called()).unwrap_or_else(|| "io".to_owned());
        let mut budget = MAX_FD_PLACES;
        let fd = self.find_fd(ty, address, MAX_FD_DEPTH, &mut budget).or_else(|| self.fd_around());
        let text = fd.map_or_else(|| called.clone(), |fd| format!("{called}, fd {fd}"));
        let mut wait = Wait::new(inner.unwrap_or(WaitKind::Io), text);
        wait.fd = fd;
        wait
    }

    /// A future of which only the type is known. If it holds a stream, that is what it waits for, most likely; which of
    /// the stream's directions is not known.
    pub(crate) fn opaque_wait(&self, ty: &Type, address: MemAddr, name: &str) -> Wait {
        let mut budget = MAX_FD_PLACES;
        let streams = ["tokio::net::", "PollEvented", "AsyncFd"];
        let has_stream = streams.iter().any(|stream| ty.path().contains(stream));
        let fd = if has_stream { self.find_fd(ty, address, MAX_FD_DEPTH, &mut budget) } else { None };
        let mut wait = match fd {
            Some(fd) => Wait::new(WaitKind::Io, format!("{name}, fd {fd}")),
            // Inside the runtime's own functions the user knows the function, not the future.
            None => {
                let kind = self.kind_around().unwrap_or(WaitKind::Future);
                Wait::new(kind, self.called().unwrap_or_else(|| name.to_owned()))
            }
        };
        wait.fd = fd;
        wait
    }

    /// What kind of wait the runtime's own coroutines around say this is. The outermost of them is what the user
    /// called: a barrier waits through a channel, which waits through a notification.
    fn kind_around(&self) -> Option<WaitKind> {
        let plumbing = self.around.iter().rev().map_while(|enclosing| {
            let (coroutine, _) = enclosing.saved()?;
            (!coroutine.user_code).then_some(coroutine.path.as_str())
        });
        plumbing.filter_map(wait_kind_of_module).last()
    }

    /// The name of the runtime's function that the user called: the outermost of its coroutines around.
    fn called(&self) -> Option<String> {
        let plumbing = self.around.iter().rev().map_while(|enclosing| {
            let (coroutine, _) = enclosing.saved()?;
            (!coroutine.user_code).then_some(&coroutine.name)
        });
        let name = plumbing.last()?;
        let mut parts = name.rsplit("::");
        let (last, before) = (parts.next()?, parts.next());
        Some(match before {
            Some(owner) if owner.starts_with(char::is_uppercase) => format!("{owner}::{last}"),
            _ => last.to_owned(),
        })
    }

    /// The primitive that a runtime's coroutine around was called on: its address and its type's short name.
    fn object_around(&self) -> Option<(MemAddr, String)> {
        const PRIMITIVES: [&str; 3] =
            ["tokio::sync::mutex::Mutex", "tokio::sync::rwlock::RwLock", "tokio::sync::semaphore::Semaphore"];
        self.around.iter().rev().find_map(|enclosing| {
            let (coroutine, active) = enclosing.saved()?;
            if coroutine.user_code {
                return None;
            }
            active.parts.iter().find_map(|part| {
                let target = pointee(&part.ty).filter(|target| PRIMITIVES.contains(&base(target.path())))?;
                let object = self.pointer(at(enclosing.address, part.offset))?;
                Some((object, weft_values::short_type_name(target.path())))
            })
        })
    }

    /// The descriptor of the stream that a runtime's coroutine around was called on.
    fn fd_around(&self) -> Option<i32> {
        let mut budget = MAX_FD_PLACES;
        self.around.iter().rev().find_map(|enclosing| {
            let (coroutine, active) = enclosing.saved()?;
            if coroutine.user_code {
                return None;
            }
            active
                .parts
                .iter()
                .filter(|part| part.name != "__awaitee")
                .find_map(|part| self.find_fd(&part.ty, at(enclosing.address, part.offset), MAX_FD_DEPTH, &mut budget))
        })
    }

    /// The first open descriptor inside a value: through structs, active variants, references and boxes.
    fn find_fd(&self, ty: &Type, address: MemAddr, depth: usize, budget: &mut usize) -> Option<i32> {
        let depth = depth.checked_sub(1)?;
        *budget = budget.checked_sub(1)?;
        let path = ty.path();
        if path == "std::os::fd::owned::OwnedFd" {
            let raw = self.stop.memory.read_u32(address).ok()?.cast_signed();
            return (raw >= 0).then_some(raw);
        }
        // What the stream shares with its driver holds other streams' descriptors.
        if within(path, "tokio::runtime") || path.starts_with("alloc::sync::Arc<") {
            return None;
        }
        match ty.kind() {
            TypeKind::Pointer(_) if path.starts_with('&') || path.starts_with("alloc::boxed::Box<") => {
                self.find_fd(&pointee(ty)?, self.pointer(address)?, depth, budget)
            }
            TypeKind::Struct { members, variants: None } => members.iter().find_map(|member| {
                let inner = ty.at(member.ty?)?;
                if inner.size() < 4 {
                    return None;
                }
                self.find_fd(&inner, at(address, member.offset), depth, budget)
            }),
            TypeKind::Struct { variants: Some(part), .. } if !ty.is_coroutine() => {
                let choice = crate::shape::choice(ty, part, &|inner| inner.size() >= 4);
                let active = match choice.tag {
                    None => choice.select(None),
                    Some((offset, size)) => choice.select(Some(self.read(at(address, offset), size)?)),
                };
                let (_, active) = active?;
                active.parts.iter().find_map(|part| self.find_fd(&part.ty, at(address, part.offset), depth, budget))
            }
            _ => None,
        }
    }
}

/// A duration as a user reads it.
pub(crate) fn duration(milliseconds: u64) -> String {
    let tenths = milliseconds.checked_div(100).unwrap_or(0);
    let (whole, tenth) = (tenths.checked_div(10).unwrap_or(0), tenths.checked_rem(10).unwrap_or(0));
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{whole}.{tenth} s"),
        _ => {
            let (minutes, seconds) = (whole.checked_div(60).unwrap_or(0), whole.checked_rem(60).unwrap_or(0));
            format!("{minutes} min {seconds} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_234), "1.2 s");
        assert_eq!(duration(3_599_000), "59 min 59 s");
    }
}
