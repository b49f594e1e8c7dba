//! Two kinds of address and the only bridge between them.

use std::fmt;

/// An address as a compiled file states it (`p_vaddr`, `DW_AT_low_pc`, `st_value`): before loading.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileAddr(u64);

/// An address in a running program (or its core file).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemAddr(u64);

macro_rules! address {
    ($name:ident, $tag:literal) => {
        impl $name {
            /// Wraps a number that is known to be such an address.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The number itself.
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// The address `bytes` further on; `None` past the end of the address space.
            #[must_use]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The address `bytes` before; `None` below zero.
            #[must_use]
            pub const fn checked_sub(self, bytes: u64) -> Option<Self> {
                match self.0.checked_sub(bytes) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The address moved by a signed number of bytes, wrapping as the machine's own address arithmetic does.
            #[must_use]
            pub const fn offset(self, bytes: i64) -> Self {
                Self(self.0.wrapping_add_signed(bytes))
            }

            /// How many bytes lie between `earlier` and this address; `None` if `earlier` is the later one.
            pub const fn since(self, earlier: Self) -> Option<u64> {
                self.0.checked_sub(earlier.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($tag, ":{:#x}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address!(FileAddr, "file");
address!(MemAddr, "mem");

/// How far a file's addresses were moved when it was loaded. Wrapping, as the ELF loader's own arithmetic is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Bias(u64);

impl Bias {
    /// The bias of a file of which `file` was loaded at `memory`.
    pub const fn between(file: FileAddr, memory: MemAddr) -> Self {
        Self(memory.0.wrapping_sub(file.0))
    }

    /// Where a file's address lies in memory.
    pub const fn to_memory(self, address: FileAddr) -> MemAddr {
        MemAddr(address.0.wrapping_add(self.0))
    }

    /// What a memory address is called in the file.
    pub const fn to_file(self, address: MemAddr) -> FileAddr {
        FileAddr(address.0.wrapping_sub(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bias_goes_there_and_back() {
        let bias = Bias::between(FileAddr::new(0x1000), MemAddr::new(0x5555_5555_5000));
        assert_eq!(bias.to_memory(FileAddr::new(0x1234)), MemAddr::new(0x5555_5555_5234));
        assert_eq!(bias.to_file(MemAddr::new(0x5555_5555_5234)), FileAddr::new(0x1234));
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(MemAddr::new(u64::MAX).checked_add(1), None);
        assert_eq!(MemAddr::new(3).checked_sub(4), None);
        assert_eq!(MemAddr::new(8).since(MemAddr::new(5)), Some(3));
        assert_eq!(MemAddr::new(5).since(MemAddr::new(8)), None);
        assert_eq!(MemAddr::new(8).offset(-8), MemAddr::new(0));
    }
}
