//! The tasks of real programs, stopped while they wait.

mod fixture;
mod odd;
mod running;
mod spawner;
mod states;
mod zoo;
