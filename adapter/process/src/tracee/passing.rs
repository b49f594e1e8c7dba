//! Threads in slots: how they get in, and how a stop finds them outside.
//!
//! **Invariant:** a thread that is stopped and reported never has its pc in a slot. What it still has to do there is
//! remembered with it, and it is sent back when it is resumed from the same place.

use std::{io, mem, ops::Range};

use weft_memory::{MemAddr, Memory};

use super::{Pace, State, errands::Ran};
use crate::{
    Mapping, Pid, ProcessError, Tid, Tracee, mappings, ptrace,
    slots::{self, LONGEST},
};

const PC: usize = mem::offset_of!(libc::user_regs_struct, rip);
const SP: usize = mem::offset_of!(libc::user_regs_struct, rsp);
/// What a stopped thread that was found in a slot does when it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detour {
    /// The trap that it is passing.
    origin: MemAddr,
    /// Where it is shown to stand.
    shown: MemAddr,
    /// Where it goes on.
    actual: MemAddr,
    /// The instruction has not begun, and will not take long.
    brief: bool,
}

impl Tracee {
    /// Puts a trap into the program's code. Works while it runs.
    pub fn plant(&mut self, address: MemAddr) -> Result<(), ProcessError> {
        let memory = self.memory()?;
        if !memory.is_planted(address) {
            self.slots.doubt(address);
        }
        memory.plant(address).map_err(|error| ProcessError::System {
            what: "a trap cannot be written",
            reason: io::Error::other(error.to_string()),
        })
    }

    /// Takes a trap out of the program's code. Works while it runs.
    pub fn lift(&mut self, address: MemAddr) -> Result<(), ProcessError> {
        self.slots.doubt(address);
        self.memory()?.lift(address).map_err(|error| ProcessError::System {
            what: "a trap cannot be taken away",
            reason: io::Error::other(error.to_string()),
        })
    }

    /// Writes into the program's memory, which may be code under a trap.
    pub fn write_memory(&mut self, address: MemAddr, bytes: &[u8]) -> Result<(), weft_memory::MemoryError> {
        let memory = self.memory().map_err(|_| weft_memory::MemoryError::Unmapped(address))?;
        self.slots.doubt_all();
        self.advance();
        memory.write(address, bytes)
    }

    /// A stopped thread's pc and stack pointer, in one cheap question.
    pub fn position(&self, tid: Tid) -> Result<(MemAddr, MemAddr), ProcessError> {
        let seen = self.threads.get(&tid).and_then(|thread| thread.position.get());
        seen.map_or_else(|| self.look_at_position(tid), Ok)
    }

    fn look_at_position(&self, tid: Tid) -> Result<(MemAddr, MemAddr), ProcessError> {
        let (pc, sp) = ptrace::position(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
        Ok((MemAddr::new(pc), MemAddr::new(sp)))
    }

    /// Whether a thread that a `SIGTRAP` stopped while it ran freely has surely executed a trap of ours: it stands inside
    /// of an instruction that was passed before, where nothing else can bring it. (Behind a one-byte instruction it may
    /// have come otherwise.)
    pub(super) fn is_at_known_trap(&self, tid: Tid) -> bool {
        let Ok((pc, sp)) = self.look_at_position(tid) else { return false };
        let Some(address) = pc.checked_sub(1) else { return false };
        let slot = self.slots.ready(address).and_then(|slot| self.slots.at(slot));
        let inside = slot.is_some_and(|(slot, _)| slot.is_longer_than(1));
        if inside && let Some(thread) = self.threads.get(&tid) {
            thread.position.set(Some((pc, sp)));
        }
        inside
    }

    /// Reads memory without asking what is hidden there: all of `buffer`, or nothing. For data, at every hit.
    pub fn peek(&self, address: MemAddr, buffer: &mut [u8]) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.peek(address, buffer))
    }

    /// Lets a thread that has executed the trap at `address` (its pc is there, or still behind) execute what lies under
    /// it and run on. The trap stays, and no other thread is stopped. `false`: not possible for this instruction;
    /// nothing was changed.
    pub fn pass(&mut self, tid: Tid, address: MemAddr) -> Result<bool, ProcessError> {
        self.resumable(tid)?;
        if !self.is_settled(tid) {
            return Ok(false);
        }
        let Some(slot) = self.slot(tid, address) else { return Ok(false) };
        self.enter(tid, slot)?;
        self.go(tid, 0, Pace::Run);
        Ok(true)
    }

    /// As [`Tracee::pass`], for one instruction: the thread reports [`crate::Trap::Step`] behind it.
    pub fn pass_stepping(&mut self, tid: Tid, address: MemAddr) -> Result<bool, ProcessError> {
        self.resumable(tid)?;
        if !self.is_settled(tid) {
            return Ok(false);
        }
        let Some(slot) = self.slot(tid, address) else { return Ok(false) };
        self.enter(tid, slot)?;
        self.go(tid, 0, Pace::Step);
        Ok(true)
    }

    /// Whether the thread goes on at its pc, and not two bytes before it with a system call that was interrupted. One that
    /// was stopped by a trap does.
    fn is_settled(&self, tid: Tid) -> bool {
        self.threads.get(&tid).is_some_and(|thread| thread.trapped)
            || ptrace::registers(tid)
                .is_ok_and(|registers| registers.orig_rax.cast_signed() < 0 || !is_restart(registers.rax))
    }

    fn enter(&mut self, tid: Tid, slot: MemAddr) -> Result<(), ProcessError> {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.detour = None;
            thread.position.set(None);
        }
        ptrace::poke_user(tid, PC, slot.raw()).map_err(|_| ProcessError::ThreadGone(tid))
    }

    /// The slot for the instruction under the trap at `address`, made now if need be, in the name of `tid`.
    fn slot(&mut self, tid: Tid, address: MemAddr) -> Option<MemAddr> {
        if let Some(slot) = self.slots.ready(address) {
            return Some(slot);
        }
        if self.slots.is_refused(address) {
            return None;
        }
        let made = self.make_slot(tid, address);
        if made.is_none() {
            tracing::debug!(%address, "a trap must be passed with all threads stopped");
            self.slots.refuse(address);
        }
        made
    }

    fn make_slot(&mut self, tid: Tid, address: MemAddr) -> Option<MemAddr> {
        let memory = self.memory.clone()?;
        let mut code = [0; LONGEST];
        let length = memory.read(address, &mut code).ok()?;
        let code = code.get(..length)?;
        if let Some(slot) = self.slots.again(address, code) {
            return Some(slot);
        }
        // What cannot be moved at all needs no room.
        let guarded = self.has_shadow_stack();
        slots::encode(code, address, address, guarded)?;
        let mapped = mappings(self.living()).ok()?;
        let around = slots::extent(&mapped, address)?;
        let slot = match self.slots.vacant(&around) {
            Some(slot) => slot,
            None => {
                self.add_area(tid, &mapped, &around)?;
                self.slots.vacant(&around)?
            }
        };
        let encoded = slots::encode(code, address, slot, guarded)?;
        memory.write(slot, &encoded.bytes).ok()?;
        self.slots.add(slot, address, code, &encoded);
        Some(slot)
    }

    /// Whether the processor compares return addresses with a second stack (`x86_Thread_features` in `/proc`).
    fn has_shadow_stack(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.living())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("x86_Thread_features:") && line.contains("shstk"))
    }

    /// Has the debuggee map memory for slots, where it reaches the code in `around`.
    fn add_area(&mut self, tid: Tid, mapped: &[Mapping], around: &Range<MemAddr>) -> Option<()> {
        const TRIES: usize = 4;
        let size = self.slots.wants_area()?;
        for start in slots::holes(mapped, around, size).into_iter().take(TRIES) {
            match self.map_area(tid, mapped, start, size) {
                Ok(at) if at == start => {
                    self.slots.add_area(start, size);
                    return Some(());
                }
                // An old kernel took the address for a wish; that memory is of no use, and of no harm.
                Ok(at) => tracing::debug!(%start, %at, "slots were mapped elsewhere"),
                Err(error) => tracing::debug!(%start, %error, "slots could not be mapped"),
            }
        }
        self.slots.no_room();
        None
    }

    pub(super) fn map_area(&mut self, tid: Tid, mapped: &[Mapping], start: MemAddr, size: u64) -> io::Result<MemAddr> {
        let protection = (libc::PROT_READ | libc::PROT_EXEC).unsigned_abs();
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE).unsigned_abs();
        let arguments = [start.raw(), size, u64::from(protection), u64::from(flags), u64::MAX, 0];
        let answer = self.call(tid, mapped, libc::SYS_mmap, arguments)?;
        Ok(MemAddr::new(answer))
    }

    /// Finds a thread that has just stopped outside the slot it may be in.
    pub(super) fn leave_slot(&mut self, tid: Tid) {
        if self.slots.is_empty() {
            return;
        }
        let Ok(registers) = ptrace::registers(tid) else { return };
        let actual = MemAddr::new(registers.rip);
        let Some((slot, offset)) = self.slots.at(actual) else { return };
        let standing = slot.standing(offset);
        let brief = slot.is_brief();
        let origin = slot.origin;
        // The kernel will send it back by the instruction's two bytes.
        let restarts = registers.orig_rax.cast_signed() >= 0 && is_restart(registers.rax);
        let actual = if standing.unfinished { actual.checked_sub(offset).unwrap_or(actual) } else { actual };
        if standing.pushed
            && let Err(error) = ptrace::poke_user(tid, SP, registers.rsp.wrapping_add(8))
        {
            tracing::debug!(tid, %error, "a thread was gone before it was moved");
        }
        if let Err(error) = ptrace::poke_user(tid, PC, standing.pc.raw()) {
            tracing::debug!(tid, %error, "a thread was gone before it was moved");
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            let detour = Detour { origin, shown: standing.pc, actual, brief: brief && standing.unfinished };
            thread.detour = (standing.unfinished || restarts).then_some(detour);
        }
    }

    /// Before a thread is resumed: back into the slot that it was found in, if it still stands where it was shown, and
    /// the trap that it would execute again is still there.
    pub(super) fn enter_again(&mut self, tid: Tid) {
        let Some(detour) = self.threads.get_mut(&tid).and_then(|thread| thread.detour.take()) else { return };
        let stands = ptrace::position(tid).is_ok_and(|(pc, _)| pc == detour.shown.raw());
        let planted = self.memory.as_ref().is_some_and(|memory| memory.is_planted(detour.origin));
        let made_for = self.slots.at(detour.actual).map(|(slot, _)| slot.origin);
        let same = self.slots.slot_of(detour.origin).is_some() && made_for == Some(detour.origin);
        if stands
            && planted
            && same
            && let Err(error) = ptrace::poke_user(tid, PC, detour.actual.raw())
        {
            tracing::debug!(tid, %error, "a thread was gone before it went on");
        }
    }

    /// Whether a thread stands in a slot behind a call's push, before the jump that belongs to it.
    pub(super) fn is_halfway(&self, tid: Tid) -> bool {
        !self.slots.is_empty()
            && ptrace::position(tid).is_ok_and(|(pc, _)| {
                self.slots.at(MemAddr::new(pc)).is_some_and(|(slot, offset)| slot.standing(offset).pushed)
            })
    }

    /// A process that shares our debuggee's memory was stopped by a trap: it passes ours. Whether that was it.
    pub(super) fn pass_sharing(&mut self, child: Pid) -> bool {
        let Ok((pc, _)) = ptrace::position(child) else { return true };
        let Some(address) = MemAddr::new(pc).checked_sub(1) else { return false };
        let Some(memory) = self.memory.clone() else { return false };
        if !memory.is_planted(address) {
            // One that was taken away since? Then the program has something else there.
            let gone = memory.read_u8(address).is_ok_and(|byte| byte != 0xcc);
            return gone && ptrace::poke_user(child, PC, address.raw()).and_then(|()| ptrace::cont(child, 0)).is_ok();
        }
        if let Some(slot) = self.slot(child, address) {
            return ptrace::poke_user(child, PC, slot.raw()).and_then(|()| ptrace::cont(child, 0)).is_ok();
        }
        // It cannot be moved. The thread that made the child waits for it; only others could slip through meanwhile.
        let (Ok(()), Ok(())) = (memory.lift(address), ptrace::poke_user(child, PC, address.raw())) else {
            return false;
        };
        let stepped = ptrace::step(child, 0).is_ok().then(|| ptrace::wait_for(child)).flatten();
        if let Err(error) = memory.plant(address) {
            tracing::debug!(%address, %error, "a trap was lost");
        }
        match stepped {
            Some(status) if libc::WIFSTOPPED(status) && status >> 8 != libc::SIGTRAP => {
                self.digest_sharing(child, status);
            }
            Some(status) if libc::WIFSTOPPED(status) => {
                let _gone = ptrace::cont(child, 0);
            }
            _ => {
                self.sharing.remove(&child);
            }
        }
        true
    }

    /// A thread stands at the delivery of a signal, moved out of the slot that it was in. The handler must not find it at
    /// a trap which it has hit already, nor in a slot: the instruction is executed first. A fault of the instruction's own
    /// is delivered where the program would have it.
    pub(super) fn settle_signal(&mut self, tid: Tid, signal: i32) {
        let Some(detour) = self.threads.get(&tid).and_then(|thread| thread.detour) else { return };
        let Ok(info) = ptrace::signal_info(tid) else { return };
        let own = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGSYS];
        if own.contains(&signal) && info.si_code > 0 {
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.detour = None;
            }
            return;
        }
        if !detour.brief {
            // The kernel may send it back, or it may go on for long: this one is delivered from inside the slot.
            return;
        }
        self.enter_again(tid);
        let mut ran = self.run_one(tid);
        if matches!(ran, Ran::Done) && self.is_halfway(tid) {
            ran = self.run_one(tid);
        }
        if matches!(ran, Ran::Gone) {
            return;
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.detour = None;
        }
        // Where the instruction fails, it does so again after the handler.
        self.leave_slot(tid);
        if let Some(thread) = self.threads.get_mut(&tid).filter(|thread| thread.state == State::Stopped) {
            thread.put_off(signal, info);
        }
    }
}

/// Whether a system call's answer means that it is to be begun again (`ERESTARTSYS`, `ERESTARTNOINTR`,
/// `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK` of the kernel's include/linux/errno.h).
fn is_restart(answer: u64) -> bool {
    matches!(answer.cast_signed(), -514..=-512 | -516)
}
