//! The tasks of real programs, stopped while they wait.

mod branches;
mod compatibility;
mod drops;
mod executors;
mod fixture;
mod locals;
mod odd;
mod owners;
mod polled;
mod problems;
mod running;
mod spawned;
mod spawner;
mod states;
mod torn;
mod waits;
mod zoo;
