//! Waits for descriptors: sockets, pipes, terminals, child processes.

use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};
use weft_tasks::{Wait, WaitKind};

use crate::chain::{Walk, at};
use crate::names::within;
use crate::shape::{choice, pointee};

/// How deep the search for a descriptor inside a stream goes, and how many places it looks at.
const MAX_DEPTH: usize = 24;
const MAX_PLACES: usize = 400;

/// What is looked for inside a stream or a child process.
type Wanted<'a> = dyn Fn(&str, &Type) -> bool + 'a;

impl Walk<'_> {
    pub(super) fn io(&self, operation: Option<&str>, ty: &Type, address: MemAddr) -> Wait {
        let called = operation.or_else(|| self.called()).unwrap_or("io");
        if self.kind_around() == Some(WaitKind::Process) {
            return self.process(called);
        }
        let fd = self.fd_in(ty, address).or_else(|| self.fd_around());
        // What reads the standard input through a thread has no descriptor of its own.
        let input = if fd.is_none() && ty.path().contains("tokio::io::stdin::Stdin") { " of stdin" } else { "" };
        self.descriptor_wait(&format!("{called}{input}"), fd)
    }

    /// A wait of a future that holds a stream, by the future's name.
    pub(super) fn stream_wait(&self, ty: &Type, address: MemAddr, name: &str) -> Option<Wait> {
        let streams = ["tokio::net::", "PollEvented", "AsyncFd"];
        let has_stream = streams.iter().any(|stream| ty.path().contains(stream));
        let fd = has_stream.then(|| self.fd_in(ty, address)).flatten()?;
        Some(self.descriptor_wait(name, Some(fd)))
    }

    fn descriptor_wait(&self, called: &str, fd: Option<i32>) -> Wait {
        let Some(fd) = fd else { return Wait::new(WaitKind::Io, called) };
        let ends = self.stop.descriptors.as_ref().and_then(|descriptors| descriptors.ends(fd)).unwrap_or_default();
        let socket = match (&ends.peer, &ends.local) {
            (Some(peer), _) => format!(", peer {peer}"),
            (None, Some(local)) => format!(", on {local}"),
            (None, None) => String::new(),
        };
        let mut wait = Wait::new(WaitKind::Io, format!("{called}, fd {fd}{socket}"));
        wait.fd = Some(fd);
        wait.peer = ends.peer.map(Into::into);
        wait
    }

    /// A wait for a child process to exit.
    pub(super) fn process(&self, called: &str) -> Wait {
        let child = self.object_around(&["tokio::process::Child"]);
        let pid = child.and_then(|(address, way)| {
            let mut budget = MAX_PLACES;
            let wanted = |name: &str, inner: &Type| name == "pid" && inner.size() == 4;
            let found = self.find(&way.object, address, MAX_DEPTH, &mut budget, "", &wanted)?;
            Some(self.stop.memory.read_u32(found).ok()?.cast_signed()).filter(|pid| *pid > 0)
        });
        let child = pid.map_or_else(String::new, |pid| format!(", process {pid}"));
        Wait::new(WaitKind::Process, format!("{called}{child}"))
    }

    /// The descriptor of the stream that a runtime's coroutine around was called on.
    fn fd_around(&self) -> Option<i32> {
        self.around.iter().rev().find_map(|enclosing| {
            let (coroutine, active) = enclosing.saved()?;
            if coroutine.user_code {
                return None;
            }
            let saved = active.parts.iter().filter(|part| part.name != "__awaitee");
            saved.into_iter().find_map(|part| self.fd_in(&part.ty, at(enclosing.address, part.offset)))
        })
    }

    /// The first open descriptor inside a value.
    fn fd_in(&self, ty: &Type, address: MemAddr) -> Option<i32> {
        let mut budget = MAX_PLACES;
        let wanted = |_: &str, inner: &Type| inner.path() == "std::os::fd::owned::OwnedFd";
        let found = self.find(ty, address, MAX_DEPTH, &mut budget, "", &wanted)?;
        Some(self.stop.memory.read_u32(found).ok()?.cast_signed()).filter(|fd| *fd >= 0)
    }

    /// The first wanted place inside a value, which is a member of that name itself: through structs, active variants,
    /// references and boxes.
    fn find(
        &self,
        ty: &Type,
        address: MemAddr,
        depth: usize,
        budget: &mut usize,
        name: &str,
        wanted: &Wanted<'_>,
    ) -> Option<MemAddr> {
        let depth = depth.checked_sub(1)?;
        *budget = budget.checked_sub(1)?;
        if wanted(name, ty) {
            return Some(address);
        }
        let path = ty.path();
        // What the stream shares with its driver holds other streams' descriptors.
        if within(path, "tokio::runtime") || path.starts_with("alloc::sync::Arc<") {
            return None;
        }
        match ty.kind() {
            TypeKind::Pointer(_) if path.starts_with('&') || path.starts_with("alloc::boxed::Box<") => {
                self.find(&pointee(ty)?, self.pointer(address)?, depth, budget, "", wanted)
            }
            TypeKind::Struct { members, variants: None } => members.iter().find_map(|member| {
                let inner = ty.at(member.ty?)?;
                if inner.size() < 4 {
                    return None;
                }
                self.find(&inner, at(address, member.offset), depth, budget, &member.name, wanted)
            }),
            TypeKind::Struct { variants: Some(part), .. } if !ty.is_coroutine() => {
                let choice = choice(ty, part, &|inner| inner.size() >= 4);
                let active = match choice.tag {
                    None => choice.select(None),
                    Some((offset, size)) => choice.select(Some(self.read(at(address, offset), size)?)),
                };
                let parts = &active?.1.parts;
                parts
                    .iter()
                    .find_map(|part| self.find(&part.ty, at(address, part.offset), depth, budget, &part.name, wanted))
            }
            _ => None,
        }
    }
}
