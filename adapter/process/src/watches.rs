//! Data that is watched by the processor: debug registers 0 to 3, and what 6 and 7 say about them.
//!
//! Layout: Intel SDM volume 3B, 19.2. The registers belong to a thread and are not inherited by those it creates, so each
//! thread gets them before it is resumed: whoever has run since they were set is watched by them.

use std::mem::offset_of;

use weft_memory::MemAddr;

use crate::{ProcessError, Tid, Tracee, ptrace};

/// Debug registers that hold an address.
const SLOTS: usize = 4;
/// What happened, and what is to happen.
const STATUS: usize = 6;
const CONTROL: usize = 7;
/// The bits of the status register that say which slot it was.
const STATUS_SLOTS: u64 = 0b1111;

/// What a watch is hit by. The processor cannot watch for reads alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchAccess {
    /// Something is written there, be it what was there before.
    Write,
    /// Something is read or written there.
    ReadWrite,
}

/// What one debug register watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    /// The first byte; a multiple of `size`.
    pub address: MemAddr,
    /// Bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// What it is hit by.
    pub access: WatchAccess,
}

impl Watch {
    /// The watches that cover `size` bytes at `address`, whatever its alignment; fewest possible. Empty for no bytes, or
    /// when they reach past the end of memory.
    pub fn cover(address: MemAddr, size: u64, access: WatchAccess) -> Vec<Self> {
        let (mut at, Some(end)) = (address.raw(), address.raw().checked_add(size)) else { return Vec::new() };
        let mut watches = Vec::new();
        while let Some(left) = end.checked_sub(at).filter(|left| *left > 0) {
            let fits = |piece: &u64| at.is_multiple_of(*piece) && *piece <= left;
            let piece = [8_u8, 4, 2].into_iter().find(|piece| fits(&u64::from(*piece))).unwrap_or(1);
            watches.push(Self { address: MemAddr::new(at), size: piece, access });
            at = at.saturating_add(u64::from(piece));
        }
        watches
    }

    /// The bits of the control register for this watch in a slot: enabled for the thread, its access and length.
    fn control(self, slot: usize) -> u64 {
        let access: u64 = match self.access {
            WatchAccess::Write => 0b01,
            WatchAccess::ReadWrite => 0b11,
        };
        let length: u64 = match self.size {
            8 => 0b10,
            4 => 0b11,
            2 => 0b01,
            _ => 0b00,
        };
        let kind = access | (length << 2);
        let (enable, fields) = match slot {
            0 => (0, 16),
            1 => (2, 20),
            2 => (4, 24),
            _ => (6, 28),
        };
        (1_u64 << enable) | (kind << fields)
    }
}

/// The version of a thread's debug registers in which nothing is enabled.
const NOTHING: u64 = 0;

/// What all threads of a program watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    list: Vec<Watch>,
    /// How often they were set: a thread that has an older state is brought up to date before it is resumed.
    pub(crate) version: u64,
    /// Threads that stand have none of them in their debug registers, and get them when they are resumed.
    disarmed: bool,
}

impl Tracee {
    /// Has every thread, those to come as well, watch this from when it is resumed next: stop all threads before, or those
    /// that run go on unwatched until they have stopped once. At most four watches. An exec ends them.
    pub fn set_watches(&mut self, wanted: &[Watch]) -> Result<(), ProcessError> {
        if wanted.len() > SLOTS {
            return Err(ProcessError::TooManyWatches);
        }
        let before = std::mem::take(&mut self.watches.list);
        self.watches.version = self.watches.version.saturating_add(1);
        wanted.clone_into(&mut self.watches.list);
        let stopped: Vec<Tid> = self.threads().into_iter().filter(|tid| self.is_stopped(*tid)).collect();
        for tid in stopped {
            if let Err(error) = self.bring_up_to_date(tid) {
                self.watches.list = before;
                self.watches.version = self.watches.version.saturating_add(1);
                return Err(error);
            }
        }
        if self.watches.disarmed {
            self.disarm_watches();
        }
        Ok(())
    }

    /// Takes the watches out of the debug registers of threads that stand: they would outlive us there, and the program
    /// would be ended by the first hit. What is watched stays known, and may be changed.
    pub(crate) fn disarm_watches(&mut self) {
        self.watches.disarmed = true;
        let stopped: Vec<Tid> = self.threads().into_iter().filter(|tid| self.is_stopped(*tid)).collect();
        for tid in stopped {
            if self.watched_version(tid).is_none_or(|has| has == NOTHING) {
                continue;
            }
            match ptrace::poke_user(tid, register(CONTROL), 0) {
                Ok(()) => self.set_watched_version(tid, NOTHING),
                Err(error) => tracing::debug!(tid, %error, "a thread's debug registers stay as they are"),
            }
        }
    }

    /// From now on threads that stand may have their watches again; each gets them when it is resumed.
    pub(crate) fn arm_watches(&mut self) {
        self.watches.disarmed = false;
    }

    /// What was set last.
    pub fn watches(&self) -> &[Watch] {
        &self.watches.list
    }

    /// Which watches (bit 0: the first one set) the last debug exception of a stopped thread was about.
    pub(crate) fn read_watch_hits(&self, tid: Tid) -> u8 {
        if self.watches.list.is_empty() {
            return 0;
        }
        let status = ptrace::peek_user(tid, register(STATUS)).unwrap_or(0) & STATUS_SLOTS;
        if status != 0 {
            // The processor only ever adds to it.
            let _gone = ptrace::poke_user(tid, register(STATUS), 0);
        }
        u8::try_from(status).unwrap_or(0)
    }

    /// Gives a stopped thread the debug registers that all are to have. A thread that is gone is none of our business.
    pub(crate) fn bring_up_to_date(&mut self, tid: Tid) -> Result<(), ProcessError> {
        let version = self.watches.version;
        let is_old = self.watched_version(tid).is_some_and(|has| has != version);
        if !is_old {
            return Ok(());
        }
        match write(tid, &self.watches.list) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            Err(error) => Err(ProcessError::system("the processor's debug registers cannot be set")(error)),
            Ok(()) => {
                self.set_watched_version(tid, version);
                Ok(())
            }
        }
    }
}

fn write(tid: Tid, watches: &[Watch]) -> std::io::Result<()> {
    // Nothing may be enabled while addresses change: the kernel checks each write against the whole.
    ptrace::poke_user(tid, register(CONTROL), 0)?;
    let mut control = 0;
    for (slot, watch) in watches.iter().enumerate() {
        ptrace::poke_user(tid, register(slot), watch.address.raw())?;
        control |= watch.control(slot);
    }
    ptrace::poke_user(tid, register(STATUS), 0)?;
    ptrace::poke_user(tid, register(CONTROL), control)
}

/// Where the kernel's `struct user` has a debug register.
fn register(number: usize) -> usize {
    offset_of!(libc::user, u_debugreg).saturating_add(number.saturating_mul(size_of::<libc::c_ulonglong>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unaligned_bytes_take_several_registers() {
        let cover = |address, size| {
            let watches = Watch::cover(MemAddr::new(address), size, WatchAccess::Write);
            watches.iter().map(|watch| (watch.address.raw(), watch.size)).collect::<Vec<_>>()
        };
        assert_eq!(cover(0x1000, 8), [(0x1000, 8)]);
        assert_eq!(cover(0x1004, 8), [(0x1004, 4), (0x1008, 4)]);
        assert_eq!(cover(0x1001, 8), [(0x1001, 1), (0x1002, 2), (0x1004, 4), (0x1008, 1)]);
        assert_eq!(cover(0x1006, 3), [(0x1006, 2), (0x1008, 1)]);
        assert_eq!(cover(0x1003, 1), [(0x1003, 1)]);
        assert_eq!(cover(0x1000, 0), []);
        assert_eq!(cover(u64::MAX, 8), []);
    }

    #[test]
    fn the_control_register_is_laid_out_as_the_manual_says() {
        let watch = |size, access| Watch { address: MemAddr::new(0), size, access };
        assert_eq!(watch(8, WatchAccess::Write).control(0), 0x0009_0001);
        assert_eq!(watch(1, WatchAccess::ReadWrite).control(1), 0x0030_0004);
        assert_eq!(watch(2, WatchAccess::Write).control(2), 0x0500_0010);
        assert_eq!(watch(4, WatchAccess::ReadWrite).control(3), 0xf000_0040);
    }
}
