//! What one stop costs on this machine, whoever makes it: the floor under every debugger that stops for a condition.

use std::time::Instant;

const STOPS: u32 = 100_000;

/// Stops a second of a program that does nothing but execute `int3`, resumed by `PTRACE_CONT` and nothing else, both on
/// one core: the fastest that the kernel can do here.
pub(crate) fn stops_per_second() -> f64 {
    let before = pin_to_one_core();
    // SAFETY: the child only makes system calls and executes `int3` until it is killed; it touches no memory that another
    // thread of ours might have been changing.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: TRACEME reads and writes no memory; raise and int3 stop this process, which is traced.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
            loop {
                std::arch::asm!("int3");
            }
        }
    }
    assert!(child > 0, "a process can be started");
    wait(child);
    let begun = Instant::now();
    for _ in 0..STOPS {
        // SAFETY: CONT takes numbers; the child is our tracee and stopped.
        unsafe { libc::ptrace(libc::PTRACE_CONT, child, 0, 0) };
        wait(child);
    }
    let seconds = begun.elapsed().as_secs_f64();
    // SAFETY: kill takes numbers; the child is ours and not collected.
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
    // SAFETY: the set is one that the kernel gave us.
    unsafe { libc::sched_setaffinity(0, size_of_val(&before), &before) };
    f64::from(STOPS) / seconds
}

fn wait(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: waitpid writes one int.
    let waited = unsafe { libc::waitpid(child, &mut status, libc::__WALL) };
    assert_eq!(waited, child);
}

/// Moves this thread to one of the cores it may use; gives those.
fn pin_to_one_core() -> libc::cpu_set_t {
    // SAFETY: cpu_set_t is plain data; the kernel fills in one set and reads another, both ours.
    unsafe {
        let mut before: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&before), &mut before);
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        let core = (0..libc::CPU_SETSIZE as usize).find(|core| libc::CPU_ISSET(*core, &before)).unwrap_or(0);
        libc::CPU_SET(core, &mut one);
        libc::sched_setaffinity(0, size_of_val(&one), &one);
        before
    }
}
