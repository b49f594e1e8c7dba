//! The probe in real interpreters, without pydevd.

mod frames;
mod program;
mod zoo;
