//! Signals that a user wants to see.

use weft_process::Pid;

/// Whether the signal, sent by the kernel, says that an instruction cannot be executed.
pub(crate) fn is_fault(signal: i32) -> bool {
    use nix::libc;
    matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE)
}

/// Whether a signal is about to end the program. Faults of the machine always are: the runtime's own handler for stack
/// overflows only prints and dies. Others are when the program has no handler for them.
pub(crate) fn is_fatal(pid: Pid, signal: i32) -> bool {
    use nix::libc;
    let others = matches!(signal, libc::SIGABRT | libc::SIGTRAP | libc::SIGSYS);
    is_fault(signal) || (others && !is_caught(pid, signal))
}

/// What a signal means to a user.
pub(crate) fn meaning(signal: i32) -> &'static str {
    use nix::libc;
    match signal {
        libc::SIGSEGV => "invalid memory reference",
        libc::SIGBUS => "access to memory that does not exist",
        libc::SIGILL => "illegal instruction",
        libc::SIGFPE => "arithmetic fault",
        libc::SIGABRT => "the program aborts",
        libc::SIGTRAP => "trap",
        libc::SIGSYS => "a system call that is not allowed",
        libc::SIGINT => "interrupt from a terminal",
        libc::SIGTERM => "a request to end",
        libc::SIGHUP => "the terminal is gone",
        libc::SIGPIPE => "nobody reads what the program writes",
        libc::SIGCHLD => "a child process has changed",
        libc::SIGALRM | libc::SIGVTALRM | libc::SIGPROF => "a timer has run out",
        _ => "a signal",
    }
}

/// Real-time signals: from the first one that programs may use (glibc's `SIGRTMIN`; 32 and 33 are its own) to the last.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// A signal's name (`SIGKILL`, `SIGRTMIN+3`), or its number for one that has none.
pub fn signal_name(signal: i32) -> String {
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        return signal.as_str().to_owned();
    }
    match signal.saturating_sub(*REAL_TIME.start()) {
        0 => "SIGRTMIN".to_owned(),
        offset if REAL_TIME.contains(&signal) => format!("SIGRTMIN+{offset}"),
        _ => format!("signal {signal}"),
    }
}

/// The number of a signal that a user names: `SIGUSR1`, `usr1`, `SIGRTMIN+3`, `SIGRTMAX`, `10`.
pub fn signal_number(name: &str) -> Option<i32> {
    let upper = name.trim().to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |text: &str| text.trim_start_matches(['+', '-']).parse::<i32>().ok();
    let number = if let Some(above) = short.strip_prefix("RTMIN") {
        REAL_TIME.start().checked_add(if above.is_empty() { 0 } else { offset(above)? })
    } else if let Some(below) = short.strip_prefix("RTMAX") {
        REAL_TIME.end().checked_sub(if below.is_empty() { 0 } else { offset(below)? })
    } else if let Ok(number) = short.parse::<i32>() {
        Some(number)
    } else {
        format!("SIG{short}").parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32)
    };
    number.filter(|number| (1..=64).contains(number))
}

/// Whether the process has a handler for the signal (`SigCgt` in `/proc/pid/status`, a mask with bit `signal - 1`).
pub(crate) fn is_caught(pid: Pid, signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1)).unwrap_or(63);
    mask.checked_shr(bit).unwrap_or(0) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (name, number) in [("SIGUSR1", 10), ("usr1", 10), ("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("SIGRTMAX", 64)] {
            assert_eq!(signal_number(name), Some(number), "{name}");
        }
        assert_eq!((signal_number("SIGRTMAX-1"), signal_number("15")), (Some(63), Some(15)));
        for name in ["", "SIG", "SIGNOPE", "0", "65", "SIGRTMIN+99", "-3"] {
            assert_eq!(signal_number(name), None, "{name}");
        }
        assert_eq!([signal_name(11), signal_name(34), signal_name(40)], ["SIGSEGV", "SIGRTMIN", "SIGRTMIN+6"]);
        assert_eq!(signal_name(33), "signal 33");
    }
}
