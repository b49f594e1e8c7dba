//! One editor, one debuggee.
//!
//! For: DAP's order and ids. The session decodes requests, keeps the lifecycle, gives numbers to threads, tasks,
//! frames and variables, and turns what a [`Debuggee`] answers into DAP's words. Not for: looking inside a value,
//! reading a program, or knowing what kind of program it is.
//!
//! Requests take one of two ways. *Control* (launch, breakpoints, run control, disconnect) and the debuggee's
//! events are handled one at a time, in order, by the session's lane, so that a response always precedes the events
//! it causes. *Reads* (stacks, variables, tasks…) each run on a worker and never wait for control. A configuration's
//! `sourceMap` and the client's way to count lines and to write paths are applied here, in [`Places`]; a debuggee knows its own paths
//! and counts from 1.
//!
//! **Invariant:** every request gets exactly one response, also when a handler panics.
//! **Invariant:** numbers are never reused in a session; those of frames and variables are refused after a resume.
//! **Invariant:** when a session ends, however it ends, its debuggee ends or is detached first.
//! **Invariant:** the loop that reads the client's requests never blocks.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod assign;
mod async_tasks;
mod breakpoints;
pub mod config;
mod control;
pub mod debuggee;
mod dispatch;
mod encoding;
mod events;
mod handles;
mod lane;
mod launch;
mod lifecycle;
mod machine;
mod memory;
mod modules;
mod numbering;
mod outbox;
mod output;
mod paths;
mod peculiar;
mod places;
mod progress;
mod questions;
mod reads;
mod restart;
mod serve;
mod shared;
mod sources;
mod targets;
mod terminal;
mod threads;
mod waiting;
mod wire;

pub use config::{
    AttachConfig, CargoBuild, LaunchConfig, NativeAttach, NativeLaunch, NativeProgram, PythonAttach, PythonLaunch,
};
pub use debuggee::{Debuggee, Factory};
pub use events::EventSender;
pub use numbering::{FIRST_TASK_THREAD, Numbering};
pub use output::Pump;
pub use places::{Places, Style};
pub use serve::{Runtime, ServeOptions, serve};
pub use terminal::{Terminal, TerminalCommand, TerminalProcess, terminal_helper};
pub use waiting::Waiting;
pub use wire::tasks_body;
