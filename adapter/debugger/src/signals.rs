//! Signals that a user wants to see.

use weft_process::Pid;

/// Whether the signal, sent by the kernel, says that an instruction cannot be executed.
pub(crate) fn is_fault(signal: i32) -> bool {
    use nix::libc;
    matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE)
}

/// Name and meaning of a signal that is about to end the program. Faults of the machine always are: the runtime's own
/// handler for stack overflows only prints and dies. Others are shown when the program has no handler for them.
pub(crate) fn fatal(pid: Pid, signal: i32) -> Option<(String, String)> {
    use nix::libc;
    let (name, text) = match signal {
        libc::SIGSEGV => ("SIGSEGV", "invalid memory reference"),
        libc::SIGBUS => ("SIGBUS", "access to memory that does not exist"),
        libc::SIGILL => ("SIGILL", "illegal instruction"),
        libc::SIGFPE => ("SIGFPE", "arithmetic fault"),
        libc::SIGABRT => ("SIGABRT", "the program aborts"),
        libc::SIGTRAP => ("SIGTRAP", "trap"),
        libc::SIGSYS => ("SIGSYS", "a system call that is not allowed"),
        _ => return None,
    };
    (is_fault(signal) || !is_caught(pid, signal)).then(|| (name.to_owned(), text.to_owned()))
}

/// A signal's name (`SIGKILL`), or its number for one that has none.
pub fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// Whether the process has a handler for the signal (`SigCgt` in `/proc/pid/status`, a mask with bit `signal - 1`).
fn is_caught(pid: Pid, signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1)).unwrap_or(63);
    mask.checked_shr(bit).unwrap_or(0) & 1 == 1
}
