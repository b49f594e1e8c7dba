//! Displaced instructions: what lies under a trap is executed from a copy elsewhere.
//!
//! A trap stays in while a thread passes it: the thread goes on at a *slot*, which does what the instruction does and
//! jumps back behind it. So no other thread slips through, none has to be stopped, and a pass costs no stop of its own.
//! For code: `encode`. For where slots may lie: `room`. Tables only; nobody here touches the debuggee.
//!
//! **Invariant:** a slot is never given to another instruction, so whoever comes back into it from wherever still
//! executes what it went in for.

mod encode;
mod room;

use std::collections::{HashMap, HashSet};

use weft_memory::MemAddr;

pub(crate) use encode::{Encoded, Kind, LONGEST, SIZE, encode};
pub(crate) use room::{extent, holes};

/// Bytes of the first area of slots that serves a file, and of those that are added when it is full.
pub(crate) const FIRST_AREA: u64 = 64 << 10;
pub(crate) const NEXT_AREA: u64 = 1 << 20;
/// Areas in one debuggee, at most.
const MOST_AREAS: usize = 256;
/// After so many failed attempts to get room, no more are made.
const MOST_FAILURES: u32 = 8;

/// An instruction's copy.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Where the instruction really is.
    pub(crate) origin: MemAddr,
    /// Its bytes.
    code: Vec<u8>,
    next: MemAddr,
    kind: Kind,
    first: u8,
}

/// Where a thread inside a slot stands, in the program's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The program's own address.
    pub(crate) pc: MemAddr,
    /// A return address has been pushed that the program does not know of yet.
    pub(crate) pushed: bool,
    /// The instruction is still to be executed, or to be ended.
    pub(crate) unfinished: bool,
}

impl Slot {
    /// Where a thread stands whose pc is `offset` bytes into the slot.
    pub(crate) fn standing(&self, offset: u64) -> Standing {
        let done = offset != 0 && offset == u64::from(self.first);
        match (done, self.kind) {
            (false, _) => Standing { pc: self.origin, pushed: false, unfinished: true },
            (true, Kind::Call { target }) => Standing { pc: target, pushed: false, unfinished: false },
            (true, Kind::CallThrough) => Standing { pc: self.origin, pushed: true, unfinished: true },
            (true, _) => Standing { pc: self.next, pushed: false, unfinished: false },
        }
    }

    /// Whether the original instruction has more bytes than that.
    pub(crate) fn is_longer_than(&self, bytes: usize) -> bool {
        self.code.len() > bytes
    }

    /// Whether one step, or two, surely end the instruction without the kernel or a long repetition in between.
    pub(crate) fn is_brief(&self) -> bool {
        !matches!(self.kind, Kind::Syscall | Kind::Repeated)
    }
}

/// Memory of the debuggee that holds slots.
#[derive(Debug)]
struct Area {
    start: MemAddr,
    size: u64,
    slots: Vec<Slot>,
}

impl Area {
    fn end(&self) -> MemAddr {
        self.start.offset(self.size.cast_signed())
    }

    /// The address of the slot that would be made next; none when it is full.
    fn vacant(&self) -> Option<MemAddr> {
        let used = (self.slots.len() as u64).checked_mul(SIZE as u64)?;
        (used < self.size).then(|| self.start.checked_add(used))?
    }
}

/// All slots of a debuggee.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    areas: Vec<Area>,
    /// The slot made last for an instruction.
    made: HashMap<MemAddr, MemAddr>,
    /// Traps that can be passed right away, with their slots.
    ready: HashMap<MemAddr, MemAddr>,
    /// Traps that cannot be passed this way.
    refused: HashSet<MemAddr>,
    failures: u32,
}

impl Slots {
    /// Whether no slot was ever made, so that no thread can be in one.
    pub(crate) fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The slot to pass the trap at `origin`, if it is known to be right.
    pub(crate) fn ready(&self, origin: MemAddr) -> Option<MemAddr> {
        self.ready.get(&origin).copied()
    }

    /// The slot that serves an instruction now or did before.
    pub(crate) fn slot_of(&self, origin: MemAddr) -> Option<MemAddr> {
        self.made.get(&origin).copied()
    }

    pub(crate) fn is_refused(&self, origin: MemAddr) -> bool {
        self.refused.contains(&origin)
    }

    pub(crate) fn refuse(&mut self, origin: MemAddr) {
        self.refused.insert(origin);
    }

    /// The code at `origin` may be another one when it is asked for again.
    pub(crate) fn doubt(&mut self, origin: MemAddr) {
        self.ready.remove(&origin);
        self.refused.remove(&origin);
    }

    /// The code at any address may be another one.
    pub(crate) fn doubt_all(&mut self) {
        self.ready.clear();
        self.refused.clear();
    }

    /// The slot that was made before for this very instruction; it is ready now.
    pub(crate) fn again(&mut self, origin: MemAddr, code: &[u8]) -> Option<MemAddr> {
        let slot = *self.made.get(&origin)?;
        let (found, _) = self.at(slot)?;
        if !code.starts_with(&found.code) {
            return None;
        }
        self.ready.insert(origin, slot);
        Some(slot)
    }

    /// Where a new slot within reach of `around` could lie.
    pub(crate) fn vacant(&self, around: &std::ops::Range<MemAddr>) -> Option<MemAddr> {
        const REACH: u64 = 1 << 31;
        let reaches = |area: &&Area| {
            let (low, high) = (area.start.min(around.start), area.end().max(around.end));
            high.since(low).is_some_and(|span| span < REACH)
        };
        self.areas.iter().filter(reaches).find_map(Area::vacant)
    }

    /// How many bytes an area more should have; none if there shall be no more.
    pub(crate) fn wants_area(&self) -> Option<u64> {
        let allowed = self.areas.len() < MOST_AREAS && self.failures < MOST_FAILURES;
        allowed.then_some(if self.areas.is_empty() { FIRST_AREA } else { NEXT_AREA })
    }

    pub(crate) fn no_room(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub(crate) fn add_area(&mut self, start: MemAddr, size: u64) {
        self.areas.push(Area { start, size, slots: Vec::new() });
    }

    /// Takes note of a slot that was written at `slot`, which [`Slots::vacant`] named.
    pub(crate) fn add(&mut self, slot: MemAddr, origin: MemAddr, code: &[u8], encoded: &Encoded) {
        let Some(area) = self.areas.iter_mut().find(|area| area.vacant() == Some(slot)) else { return };
        let length = encoded.next.since(origin).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let code = code.get(..length).unwrap_or(code).to_vec();
        area.slots.push(Slot { origin, code, next: encoded.next, kind: encoded.kind, first: encoded.first });
        self.made.insert(origin, slot);
        self.ready.insert(origin, slot);
    }

    /// The slot that `pc` lies in, and how far from its begin.
    pub(crate) fn at(&self, pc: MemAddr) -> Option<(&Slot, u64)> {
        self.areas.iter().find_map(|area| {
            let within = pc.since(area.start).filter(|within| *within < area.size)?;
            let index = usize::try_from(within.checked_div(SIZE as u64)?).ok()?;
            Some((area.slots.get(index)?, within.checked_rem(SIZE as u64)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(raw: u64) -> MemAddr {
        MemAddr::new(raw)
    }

    fn with(code: &[u8]) -> (Slots, MemAddr) {
        let mut slots = Slots::default();
        slots.add_area(addr(0x1_0000), FIRST_AREA);
        let origin = addr(0x40_0000);
        let slot = slots.vacant(&(origin..addr(0x40_1000))).unwrap();
        let encoded = encode(code, origin, slot, false).unwrap();
        slots.add(slot, origin, code, &encoded);
        (slots, slot)
    }

    #[test]
    fn a_pc_in_a_slot_is_somewhere_in_the_program() {
        let standing = |code: &[u8], offset| {
            let (slots, slot) = with(code);
            let (found, within) = slots.at(slot.checked_add(offset).unwrap()).unwrap();
            found.standing(within)
        };
        let at = |pc, pushed, unfinished| Standing { pc: addr(pc), pushed, unfinished };
        // xor eax, ecx
        assert_eq!(standing(&[0x31, 0xc8], 0), at(0x40_0000, false, true));
        assert_eq!(standing(&[0x31, 0xc8], 2), at(0x40_0002, false, false));
        // je: nearer to what it was than to the six bytes it has become
        assert_eq!(standing(&[0x74, 0x10], 6), at(0x40_0002, false, false));
        // call +0x20; call rax
        assert_eq!(standing(&[0xe8, 0x20, 0, 0, 0], 6), at(0x40_0025, false, false));
        assert_eq!(standing(&[0xff, 0xd0], 6), at(0x40_0000, true, true));
        assert_eq!(standing(&[0xff, 0xd0], 0), at(0x40_0000, false, true));
    }

    #[test]
    fn a_slot_serves_the_same_code_again_and_no_other() {
        let (mut slots, slot) = with(&[0x31, 0xc8, 0x90]);
        let origin = addr(0x40_0000);
        assert_eq!(slots.ready(origin), Some(slot));
        slots.doubt(origin);
        assert_eq!(slots.ready(origin), None);
        assert_eq!(slots.again(origin, &[0x31, 0xc9]), None);
        assert_eq!(slots.again(origin, &[0x31, 0xc8]), Some(slot));
        assert_eq!(slots.ready(origin), Some(slot));
        assert!(slots.at(addr(0x40_0000)).is_none());
        assert!(slots.at(addr(0x1_0040)).is_none());
    }

    #[test]
    fn an_area_ends() {
        let mut slots = Slots::default();
        slots.add_area(addr(0x1_0000), 128);
        let around = addr(0x40_0000)..addr(0x40_1000);
        for index in 0..2 {
            let slot = slots.vacant(&around).unwrap();
            assert_eq!(slot, addr(0x1_0000 + 64 * index));
            let encoded = encode(&[0x90], addr(0x40_0000), slot, false).unwrap();
            slots.add(slot, addr(0x40_0000), &[0x90], &encoded);
        }
        assert_eq!(slots.vacant(&around), None);
        assert_eq!(slots.vacant(&(addr(1 << 40)..addr(1 << 41))), None);
    }
}
