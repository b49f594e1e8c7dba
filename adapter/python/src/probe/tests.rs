//! The probe in real interpreters, without pydevd.

mod program;
mod zoo;
