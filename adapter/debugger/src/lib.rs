//! Decides when a native program runs. All it knows about a stop it gives away in one immutable value.
//!
//! For: breakpoints, plans for steps, signals, threads coming and going; one OS thread per debuggee (ptrace demands it)
//! that takes a closed set of inputs. Not for: reading values or tasks (they read the published [`Stop`]), or DAP.
//!
//! **Invariant:** all ptrace calls of a debuggee come from its engine thread.
//! **Invariant:** while a [`Stop`] is current, no thread of the debuggee runs; once one runs, its memory answers
//! `Resumed`.
//! **Invariant:** no debuggee is left stopped or with a trap in it: a launched one dies with its engine, an attached one
//! is restored and runs on, also when the engine panics.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod api;
mod breakpoints;
mod core;
mod engine;
mod entry;
mod handle;
mod hits;
mod images;
mod into_targets;
mod plan;
mod pumps;
mod rewind;
mod signals;
mod stops;
mod targets;
mod terms;

pub use crate::core::core_stop;
pub use api::{
    Access, AttachSpec, Bound, BreakpointKind, Changed, Console, DataSpec, EndKind, Event, FrameIdentity, FunctionSpec,
    Grain, InTarget, InstructionSpec, LaunchSpec, LineSpec, PanicFilter, Reason, Refused, ResumeKind, Settings,
    SignalPolicy, StepKind, StepMode, StepTarget, Stopped, Stream, TargetId, TaskEvent, TaskNumbers, Terms, ThreadName,
};
pub use handle::Debugger;
pub use images::{ImageCache, modules_of};
pub use into_targets::step_in_targets;
pub use signals::{signal_name, signal_number};
pub use stops::stop_of;
pub use targets::goto_targets;
pub use weft_process::{Core, CoreError};
