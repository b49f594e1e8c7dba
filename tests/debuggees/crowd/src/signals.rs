//! Signals that the program handles: SIGTRAP, which none should send it, and the ticks of a fast timer.

use std::fs;
use std::mem::zeroed;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use crate::board::Board;

struct Known {
    board: &'static Board,
    code: Vec<Range<u64>>,
}

static KNOWN: OnceLock<Known> = OnceLock::new();

/// Handles SIGTRAP and SIGALRM from now on.
pub fn install(board: &'static Board) {
    assert!(KNOWN.set(Known { board, code: code() }).is_ok(), "installed once");
    for (signal, handler) in [(libc::SIGTRAP, trapped as Handler), (libc::SIGALRM, ticked)] {
        // SAFETY: the handlers only add to atomics and read what was set before.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
        }
    }
}

/// Has the timer tick every millisecond.
pub fn tick() {
    let interval = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: sets a timer from a value that lives.
    unsafe { assert_eq!(libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()), 0) };
}

type Handler = extern "C" fn(libc::c_int, *const libc::siginfo_t, *const libc::ucontext_t);

extern "C" fn trapped(_: libc::c_int, _: *const libc::siginfo_t, _: *const libc::ucontext_t) {
    if let Some(known) = KNOWN.get() {
        known.board.sigtraps.fetch_add(1, Relaxed);
    }
}

extern "C" fn ticked(_: libc::c_int, _: *const libc::siginfo_t, context: *const libc::ucontext_t) {
    let Some(known) = KNOWN.get() else { return };
    known.board.ticks.fetch_add(1, Relaxed);
    // SAFETY: the kernel hands every handler of this kind a context.
    let pc = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] } as u64;
    if !known.code.iter().any(|range| range.contains(&pc)) {
        known.board.strays.fetch_add(1, Relaxed);
    }
}

/// The code that the program consists of: mapped from files, and the kernel's own pages.
fn code() -> Vec<Range<u64>> {
    let maps = fs::read_to_string("/proc/self/maps").expect("a process can read its own mappings");
    let named = maps.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let is_named = words.nth(3).is_some();
        let (start, end) = range.split_once('-')?;
        let parsed = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        (is_named && rights.contains('x')).then_some(parsed)
    });
    named.collect()
}
