//! The tasks of real programs, stopped while they wait.

mod fixture;
mod running;
mod spawner;
mod states;
mod zoo;
