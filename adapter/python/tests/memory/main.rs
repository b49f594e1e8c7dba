//! Programs of CPython 3.14 and later, looked into from outside.

mod agreement;
mod chains;
mod cores;
mod fixture;
mod holds;
mod torn;
