//! End-to-end sessions: a DAP client that drives the `weft` binary on live programs.
//!
//! For: [`Client`], which speaks to an adapter and checks every message against the protocol's schema; the programs it
//! debugs ([`programs`], [`mini_redis`]); looking after processes. Not for: anything that knows how weft works inside,
//! so nothing here depends on its rooms.
//!
//! **Invariant:** nothing sleeps. Every wait is for an event, with a deadline generous enough for a busy machine.
//! **Invariant:** a client that is dropped takes its adapter along and sees the launched debuggee disappear.

mod adapter;
mod client;
pub mod code;
mod control;
mod fifo;
mod installed;
pub mod mini_redis;
pub mod packages;
mod port;
pub mod process;
pub mod programs;
pub mod python;
pub mod random;
pub mod schema;
mod session;
pub mod soak;
mod transcript;
mod transport;
pub mod variants;

pub use adapter::{Adapter, weft, weft_command};
pub use client::{Client, Failure, Reply};
pub use control::{DataInfo, Instruction, address};
pub use fifo::Fifo;
pub use installed::Installed;
pub use port::Port;
pub use session::{Breakpoint, Frame, Launch, Scope, Stop, Variable, list};

use std::time::Duration;

/// How long a single wait may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);
