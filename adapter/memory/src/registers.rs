//! A thread's registers in the numbering that debug information uses.

use crate::MemAddr;

/// A register's number in DWARF (System V ABI for x86-64, figure 3.36).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct DwarfRegister(pub u16);

impl DwarfRegister {
    /// `rax`.
    pub const RAX: Self = Self(0);
    /// `rdx`.
    pub const RDX: Self = Self(1);
    /// `rcx`.
    pub const RCX: Self = Self(2);
    /// `rbx`.
    pub const RBX: Self = Self(3);
    /// `rsi`.
    pub const RSI: Self = Self(4);
    /// `rdi`.
    pub const RDI: Self = Self(5);
    /// `rbp`.
    pub const RBP: Self = Self(6);
    /// `rsp`.
    pub const RSP: Self = Self(7);
    /// The return address column, which holds `rip` in the innermost frame.
    pub const RA: Self = Self(16);
}

/// Names by DWARF number, for showing.
const NAMES: [&str; 17] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
];

/// The general registers of one frame. In an outer frame those that a callee did not save are unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    general: [Option<u64>; 17],
    /// Base of the thread's thread-local storage (`fs_base`); the same in every frame of a thread.
    pub fs_base: u64,
    /// `eflags`, in a thread's innermost frame: no other frame's are kept anywhere.
    pub flags: Option<u64>,
}

impl Registers {
    /// No register known.
    pub const fn unknown(fs_base: u64) -> Self {
        Self { general: [None; 17], fs_base, flags: None }
    }

    /// A register's value, if it is known in this frame and numbered 0 to 16.
    pub fn get(&self, register: DwarfRegister) -> Option<u64> {
        self.general.get(usize::from(register.0)).copied().flatten()
    }

    /// Sets or forgets a register; numbers above 16 are ignored (vector registers are not kept here).
    pub fn set(&mut self, register: DwarfRegister, value: Option<u64>) {
        if let Some(slot) = self.general.get_mut(usize::from(register.0)) {
            *slot = value;
        }
    }

    /// Where the frame executes (innermost) or will return to (outer); zero when unknown.
    pub fn pc(&self) -> MemAddr {
        MemAddr::new(self.get(DwarfRegister::RA).unwrap_or(0))
    }

    /// The stack pointer; zero when unknown.
    pub fn sp(&self) -> MemAddr {
        MemAddr::new(self.get(DwarfRegister::RSP).unwrap_or(0))
    }

    /// Name and value of every known register: those of DWARF in its order, then the flags.
    pub fn known(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let general = NAMES.iter().zip(&self.general).filter_map(|(name, value)| Some((*name, (*value)?)));
        general.chain(self.flags.map(|flags| ("eflags", flags)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_registers_stay_unknown() {
        let mut registers = Registers::unknown(0x7000);
        assert_eq!(registers.get(DwarfRegister::RBX), None);
        registers.set(DwarfRegister::RBX, Some(5));
        registers.set(DwarfRegister::RA, Some(0x1234));
        registers.set(DwarfRegister(40), Some(9));
        assert_eq!(registers.known().collect::<Vec<_>>(), vec![("rbx", 5), ("rip", 0x1234)]);
        registers.flags = Some(0x246);
        assert_eq!(registers.known().last(), Some(("eflags", 0x246)));
        assert_eq!(registers.pc(), MemAddr::new(0x1234));
        assert_eq!(registers.get(DwarfRegister(40)), None);
    }
}
