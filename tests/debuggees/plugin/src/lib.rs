//! A shared library that a program loads while it runs.

/// Adds, in a few lines.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_add(left: i32, right: i32) -> i32 {
    let sum = left + right; // BP: in plugin
    let kept = sum;
    kept
}
