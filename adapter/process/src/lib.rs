//! The operating system's side of a debuggee: x86-64 Linux through ptrace.
//!
//! For: launching, attaching, waiting, stopping and resuming threads; their registers; the program's memory and what
//! `/proc` says about it. Not for: knowing what a breakpoint is for, when a program should stop, or what any byte means.
//!
//! **Invariant:** this room reports and obeys; it never decides. What it does unasked is stated at [`Tracee`].
//! **Invariant:** nothing that happened is lost: an event that arrives while threads are being stopped is queued, and
//! comes out of [`Tracee::wait`] later, in order (`tests/threads.rs`).
//! **Invariant:** a thread or process that vanishes at any moment is an event, never an error.
//! **Invariant:** whoever reads memory sees the program's own bytes, never the traps ([`LiveMemory`]).
//! **Invariant:** `unsafe` lives in this room (and where files are mapped); each block says why it is sound.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("weft's native engine is for x86-64 Linux");

mod allocator;
mod attach;
mod calls;
mod child;
mod core;
mod cores;
mod error;
mod event;
mod executable;
mod guardian;
mod keeper;
mod launch;
mod memory;
mod proc;
mod ptrace;
mod pty;
mod registers;
mod rendezvous;
mod slots;
mod sockets;
mod spawn;
mod terminal;
mod tracee;
mod wait;
mod watches;

pub use crate::core::{Core, CoreError, CoreMemory, CoreThread};
pub use allocator::give_memory_back_soon;
pub use attach::may_attach;
pub use calls::{Borrowed, By, Calls, Placed, Rest, Text, Word};
pub use child::{Child, StartedChild};
pub use cores::Cores;
pub use error::ProcessError;
pub use event::{Ended, Trap, Wait, WaitEvent};
pub use executable::check_executable;
pub use keeper::keep_program;
pub use launch::{LaunchSpec, Launched, Output, Stdin};
pub use memory::{LiveMemory, StoppedMemory};
pub use proc::{
    Auxv, Mapping, ProcessState, VDSO, auxv, command_line, executable_path, mappings, process_state, stack_start,
    thread_name, threads,
};
pub use pty::OutputEnd;
pub use rendezvous::{Rendezvous, take_over};
pub use sockets::{Socket, Sockets};
pub use terminal::{Helper, Meeting, become_program};
pub use tracee::{Gate, Tracee};
pub use wait::Waker;
pub use watches::{Watch, WatchAccess};

/// A process, by its number.
pub type Pid = libc::pid_t;
/// A thread, by its number; the first thread of a process has the process's number.
pub type Tid = libc::pid_t;
