//! Where the program keeps account of itself: a file in shared memory, which a test reads whenever it likes, while the
//! program runs, stands or is gone. A forked child that should not count uses a board of its own.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU64;

/// Marked lines that are counted.
pub const LINES: usize = 12;
/// Values of `key`.
pub const KEYS: usize = 256;

/// Numbers of eight bytes, in this order in the file.
#[repr(C)]
pub struct Board {
    /// SIGTRAPs that reached the program. None is meant for it.
    pub sigtraps: AtomicU64,
    /// Ticks of the timer that were handled.
    pub ticks: AtomicU64,
    /// Ticks that interrupted code of no file.
    pub strays: AtomicU64,
    /// Children that ended as they should.
    pub children: AtomicU64,
    /// Children that did not.
    pub bad_children: AtomicU64,
    /// Workers that are done.
    pub finished: AtomicU64,
    /// Workers whose sum was wrong.
    pub wrong: AtomicU64,
    /// Workers that are at work.
    pub alive: AtomicU64,
    /// How often each marked line was about to run, by key.
    pub before: [[AtomicU64; KEYS]; LINES],
    /// How often each marked line has run, by key.
    pub after: [[AtomicU64; KEYS]; LINES],
}

/// What children count on, each its own copy.
pub static PRIVATE: Board = Board {
    sigtraps: AtomicU64::new(0),
    ticks: AtomicU64::new(0),
    strays: AtomicU64::new(0),
    children: AtomicU64::new(0),
    bad_children: AtomicU64::new(0),
    finished: AtomicU64::new(0),
    wrong: AtomicU64::new(0),
    alive: AtomicU64::new(0),
    before: [const { [const { AtomicU64::new(0) }; KEYS] }; LINES],
    after: [const { [const { AtomicU64::new(0) }; KEYS] }; LINES],
};

/// Maps the file, as large as a board.
pub fn open(path: &str) -> &'static Board {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the board is a file");
    let length = size_of::<Board>();
    file.set_len(length as u64).expect("the board can grow");
    // SAFETY: a new mapping of a file that is long enough; it stays for as long as the process.
    let address = unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    assert_ne!(address, libc::MAP_FAILED, "the board can be mapped");
    // SAFETY: zeroes are a valid board, and all of it is atomic.
    unsafe { &*address.cast::<Board>() }
}
