//! The probe in real interpreters, without pydevd.

mod frames;
mod hostile;
mod notices;
mod program;
mod zoo;
