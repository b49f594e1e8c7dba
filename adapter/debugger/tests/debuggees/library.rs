//! A library that the tests' debuggee loads while it runs.

/// What the debuggee calls.
#[unsafe(no_mangle)]
pub extern "C" fn loaded(x: u64) -> u64 {
    let twice = x * 2;
    twice + 1
}
