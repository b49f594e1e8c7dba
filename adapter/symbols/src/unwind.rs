//! From a frame to its caller, by call-frame information.

use weft_memory::{MemAddr, Memory, MemoryError, Registers};

use crate::Modules;

/// A frame's caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerFrame {
    /// The caller's registers; its pc is the return address.
    pub registers: Registers,
    /// The CFA of the frame that was asked about (the caller's stack pointer).
    pub cfa: MemAddr,
    /// The frame asked about is a signal trampoline: the "caller" was interrupted, its pc is exact.
    pub signal_frame: bool,
}

/// Why a frame has no caller that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwindError {
    /// No rule covers the address.
    #[error("no unwinding information covers {0}")]
    NoRule(MemAddr),
    /// A rule is malformed or of a kind that is not supported.
    #[error("the unwinding rule at {0} cannot be used: {1}")]
    BadRule(MemAddr, String),
    /// The stack cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Modules {
    /// The caller of the frame with these registers. `pc_is_return_address` is true for all frames but the innermost
    /// and those interrupted by a signal. `Ok(None)`: the outermost frame.
    pub fn caller(
        &self,
        _registers: &Registers,
        _pc_is_return_address: bool,
        _memory: &dyn Memory,
    ) -> Result<Option<CallerFrame>, UnwindError> {
        todo!()
    }
}
