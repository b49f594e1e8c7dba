//! The states that every coroutine has, in the order of its variants in the debug information and of the jump table of its
//! poll function (rustc's coroutine layout; 1.63 to 1.97).

/// Never polled.
pub const UNRESUMED: usize = 0;

/// Has run to its end.
pub const RETURNED: usize = 1;

/// Was left by a panic.
pub const PANICKED: usize = 2;

/// Suspended at its first `.await`; those at the others follow.
pub const FIRST_AWAIT: usize = 3;
