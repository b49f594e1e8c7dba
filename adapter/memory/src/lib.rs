//! Words shared by everything that reads a program.
//!
//! For: addresses that cannot be mixed up, the one trait through which bytes of a program are read, and a thread's
//! registers. Not for: getting bytes from anywhere (`process` does), or knowing what they mean (`symbols`, `values`).
//!
//! **Invariant:** nothing here does I/O.
//! **Invariant:** [`FileAddr`] and [`MemAddr`] never convert into one another but through a [`Bias`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod address;
mod bytes;
mod copied;
mod read;
mod registers;
mod window;

pub use address::{Bias, FileAddr, MemAddr};
pub use bytes::Bytes;
pub use copied::Copied;
pub use read::{Memory, MemoryError, Region};
pub use registers::{DwarfRegister, Registers};
pub use window::Window;
