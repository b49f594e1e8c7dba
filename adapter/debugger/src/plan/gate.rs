//! A gate, as a plan sees it: every call for one task comes by it, and no other task's.

use std::collections::BTreeMap;

use weft_memory::{DwarfRegister, MemAddr};

use super::{Hit, Passerby};

/// Who is in a call for the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Nobody: whoever comes has to come by the gate.
    Nobody,
    /// Somebody may be who has not come by it.
    Unknown,
    /// This thread, until it returns there with that stack pointer.
    Thread(i32, MemAddr, MemAddr),
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// What the calls have as their first argument.
    pub(crate) task: MemAddr,
    /// The traps that tell of a call, each with the function in which the caller is found.
    pub(crate) stubs: BTreeMap<MemAddr, MemAddr>,
    /// Who is in one now.
    pub(crate) inside: Inside,
}

impl Gate {
    /// Its own traps.
    pub(crate) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        let back = match self.inside {
            Inside::Thread(_, returns_to, _) => Some(returns_to),
            Inside::Nobody | Inside::Unknown => None,
        };
        self.stubs.keys().copied().chain(back)
    }

    /// Nobody can have to do with the task's future.
    pub(crate) fn is_shut(&self) -> bool {
        self.inside == Inside::Nobody
    }

    /// Whether a hit is that of another task which returns from a call of the same function; none if it is at none of the traps.
    pub(crate) fn is_anothers(&self, by: &Passerby<'_>) -> Option<bool> {
        match self.inside {
            _ if self.stubs.contains_key(&by.pc) => Some(false),
            Inside::Thread(tid, returns_to, sp) if returns_to == by.pc => Some((tid, sp) != (by.tid, by.sp)),
            _ => None,
        }
    }

    /// Takes note of a thread that calls, or has returned. Whether that is what has happened.
    pub(crate) fn passed(&mut self, hit: &Hit<'_>) -> bool {
        let Some(registers) = hit.stop.thread(hit.tid).map(|thread| &thread.registers) else { return false };
        let (pc, sp) = (registers.pc(), registers.sp());
        if self.inside == Inside::Thread(hit.tid, pc, sp) {
            self.inside = Inside::Nobody;
            return true;
        }
        let is_call = self.stubs.values().any(|function| *function == pc);
        if !is_call || registers.get(DwarfRegister::RDI) != Some(self.task.raw()) {
            return false;
        }
        // At a function's begin the return address is on top of the stack.
        let back = hit.stop.memory.read_u64(sp).ok().map(MemAddr::new).zip(sp.checked_add(8));
        self.inside = back.map_or(Inside::Unknown, |(returns_to, sp)| Inside::Thread(hit.tid, returns_to, sp));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weft_memory::{Bytes, Registers};
    use weft_values::{Stacks, Stop, ThreadState};

    use super::*;

    const TASK: u64 = 0x7000;
    const STUB: u64 = 0x1000;
    const POLL: u64 = 0x2000;
    const BACK: u64 = 0x3000;
    /// The stack pointer inside of a call; the return address is there.
    const SP: u64 = 0x8000;

    fn gate(inside: Inside) -> Gate {
        let stubs = BTreeMap::from([(MemAddr::new(STUB), MemAddr::new(POLL))]);
        Gate { task: MemAddr::new(TASK), stubs, inside }
    }

    /// A thread that stands there, with such a first argument; whether the gate takes note of it.
    fn passes(gate: &mut Gate, tid: i32, pc: u64, sp: u64, argument: u64) -> bool {
        let mut registers = Registers::default();
        for (register, value) in [(DwarfRegister::RA, pc), (DwarfRegister::RSP, sp), (DwarfRegister::RDI, argument)] {
            registers.set(register, Some(value));
        }
        let stop = Stop {
            generation: 1,
            pid: 1,
            memory: Arc::new(Bytes::new().with_words(MemAddr::new(SP), &[BACK])),
            modules: Arc::default(),
            threads: vec![ThreadState { tid, name: String::new(), registers }],
            clock: None,
            descriptors: None,
            stacks: Stacks::default(),
        };
        gate.passed(&Hit { tid, stop: &stop })
    }

    fn is_anothers(gate: &Gate, tid: i32, pc: u64, sp: u64) -> Option<bool> {
        let (register, read) = (|_| None, |_: MemAddr, _: &mut [u8]| false);
        let by = Passerby { tid, pc: MemAddr::new(pc), sp: MemAddr::new(sp), register: &register, read: &read };
        gate.is_anothers(&by)
    }

    #[test]
    fn a_call_opens_it_and_its_own_return_shuts_it() {
        let mut gate = gate(Inside::Nobody);
        assert_eq!(gate.traps().collect::<Vec<_>>(), [MemAddr::new(STUB)]);
        assert!(!passes(&mut gate, 5, POLL, SP, TASK + 8) && gate.is_shut());
        assert!(passes(&mut gate, 5, POLL, SP, TASK) && !gate.is_shut());
        assert_eq!(gate.traps().collect::<Vec<_>>(), [MemAddr::new(STUB), MemAddr::new(BACK)]);
        assert_eq!([is_anothers(&gate, 5, BACK, SP + 8), is_anothers(&gate, 5, BACK, SP)], [Some(false), Some(true)]);
        assert_eq!([is_anothers(&gate, 6, BACK, SP + 8), is_anothers(&gate, 6, STUB, SP)], [Some(true), Some(false)]);
        assert_eq!(is_anothers(&gate, 5, POLL, SP), None);
        assert!(!passes(&mut gate, 6, BACK, SP + 8, 0) && !gate.is_shut());
        assert!(passes(&mut gate, 5, BACK, SP + 8, 0) && gate.is_shut());
    }

    #[test]
    fn the_next_caller_takes_the_place_of_one_that_is_on_its_way_out() {
        let mut gate = gate(Inside::Thread(5, MemAddr::new(BACK), MemAddr::new(SP + 8)));
        assert!(passes(&mut gate, 6, POLL, SP, TASK));
        assert!(!passes(&mut gate, 5, BACK, SP + 8, 0) && !gate.is_shut());
        assert!(passes(&mut gate, 6, BACK, SP + 8, 0) && gate.is_shut());
    }

    #[test]
    fn somebody_inside_who_has_not_come_by_keeps_it_open() {
        let mut gate = gate(Inside::Unknown);
        assert!(!passes(&mut gate, 5, BACK, SP + 8, 0) && !gate.is_shut());
        // Where it returns to cannot be read.
        assert!(passes(&mut gate, 5, POLL, 0x10, TASK) && !gate.is_shut());
    }
}
