//! The probe in real interpreters, without pydevd.

mod awaits;
mod frames;
mod hostile;
mod kept;
mod notices;
mod on_uvloop;
mod program;
mod zoo;
