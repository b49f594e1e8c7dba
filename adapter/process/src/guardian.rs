//! The guardian: a process that outlives us if we are killed, and takes our traps out of the program we were attached to.
//!
//! It is forked, not executed: it needs nothing but a page of code, works the same in a test binary, and shares with us
//! what it must know (a table of traps, in shared memory that we write before each trap). In the child only system calls
//! run: no allocation, no lock, no library that has state. It gives back the memory and closes the descriptors that it
//! got by the fork, has a session of its own, and blocks every signal.
//!
//! **How it learns of our death.** The kernel does, as it would for a robust mutex: the tracing thread's list of held
//! futexes (`set_robust_list(2)`) names one word of the table, and the first thing a dying thread does, well before its
//! tracees are set free, is to mark that word and wake who waits for it. So the guardian may be at work before the
//! program runs. Now and then it looks whether it still has its parent, should the list have been somebody else's.

use std::{
    cell::{Cell, UnsafeCell},
    collections::HashMap,
    fs::File,
    io,
    os::fd::{AsRawFd, RawFd},
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use crate::{Pid, ProcessError};

/// Traps that can be guarded at a time.
const MOST_TRAPS: usize = 1 << 16;
/// `int3`.
const TRAP: u8 = 0xcc;
/// In an entry: there is a trap. Below it the byte that it replaced and, in 48 bits, its address.
const PLANTED: u64 = 1 << 63;
const ORIGINAL_SHIFT: u32 = 48;
const ADDRESS_MASK: u64 = (1 << ORIGINAL_SHIFT) - 1;
/// The word's value when there is nothing to guard any more. (Otherwise it is the tracing thread's number, with the
/// kernel's mark for a word that somebody waits for, or for one whose owner is dead.)
const DISMISSED: u32 = 0;
/// How long the guardian waits before it looks whether its parent lives, in nanoseconds.
const LOOK: i64 = 500_000_000;

/// A link of a thread's robust list (`struct robust_list`, uapi/linux/futex.h), with the word that it stands for behind it.
#[repr(C)]
struct Node {
    next: AtomicPtr<Node>,
    word: AtomicU32,
}

/// A thread's robust list (`struct robust_list_head`).
#[repr(C)]
struct Head {
    first: UnsafeCell<*mut Node>,
    /// From a link to its word.
    word_offset: libc::c_long,
    pending: UnsafeCell<*mut Node>,
}

thread_local! {
    static HEAD: Head = const {
        Head {
            first: UnsafeCell::new(ptr::null_mut()),
            word_offset: std::mem::offset_of!(Node, word) as libc::c_long,
            pending: UnsafeCell::new(ptr::null_mut()),
        }
    };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// What we and the guardian share.
#[repr(C)]
struct Shared {
    node: Node,
    /// Entries from here on have never been used.
    used: AtomicU32,
    entries: [AtomicU64; MOST_TRAPS],
}

/// The table of traps. Written by whoever plants, read by the guardian when we are dead.
#[derive(Debug)]
pub(crate) struct Table {
    shared: ptr::NonNull<Shared>,
    /// Which entry a trap has, and entries that are free again.
    places: Mutex<(HashMap<u64, usize>, Vec<usize>)>,
}

// SAFETY: what `shared` points to lives as long as the table and is made of atomics, but for the list's link, which only
// the thread that owns the `Guardian` touches.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    fn new() -> Result<Self, ProcessError> {
        // SAFETY: a new mapping; nothing of ours is replaced.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Shared>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        // Zeroes, which are values of every field; pages that are never written take no memory.
        match ptr::NonNull::new(memory.cast::<Shared>()) {
            Some(shared) if memory != libc::MAP_FAILED => Ok(Self { shared, places: Mutex::default() }),
            _ => Err(ProcessError::last("no memory for the guardian")),
        }
    }

    fn shared(&self) -> &Shared {
        // SAFETY: mapped in `new`, until the table is dropped.
        unsafe { self.shared.as_ref() }
    }

    /// To be told before a trap is written, and when the byte that it replaced has changed. `false`: the table is full.
    pub(crate) fn note(&self, address: u64, original: u8) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, free) = &mut *places;
        let index = match taken.get(&address) {
            Some(index) => *index,
            None => {
                let used = &self.shared().used;
                let index = free.pop().unwrap_or_else(|| used.fetch_add(1, Ordering::SeqCst) as usize);
                if index >= MOST_TRAPS {
                    used.store(MOST_TRAPS as u32, Ordering::SeqCst);
                    return false;
                }
                taken.insert(address, index);
                index
            }
        };
        if let Some(entry) = self.shared().entries.get(index) {
            let packed = PLANTED | u64::from(original) << ORIGINAL_SHIFT | address & ADDRESS_MASK;
            entry.store(packed, Ordering::SeqCst);
        }
        true
    }

    /// To be told after a trap was taken away.
    pub(crate) fn forget(&self, address: u64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, free) = &mut *places;
        let Some(index) = taken.remove(&address) else { return };
        if let Some(entry) = self.shared().entries.get(index) {
            entry.store(0, Ordering::SeqCst);
        }
        free.push(index);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length; nobody has a reference any more.
        unsafe { libc::munmap(self.shared.as_ptr().cast(), size_of::<Shared>()) };
    }
}

/// Our end of it: while this lives, the guardian waits for our death. Belongs to the thread that traces, whose death it is.
#[derive(Debug)]
pub(crate) struct Guardian {
    table: Arc<Table>,
    keeper: Option<JoinHandle<()>>,
}

impl Guardian {
    /// Starts one for the program whose memory (`/proc/pid/mem`, writable) is given.
    pub(crate) fn start(memory: &File) -> Result<Self, ProcessError> {
        let table = Arc::new(Table::new()?);
        // SAFETY: gettid takes nothing and cannot fail.
        let tid = unsafe { libc::gettid() }.cast_unsigned();
        table.shared().node.word.store(tid | libc::FUTEX_WAITERS, Ordering::SeqCst);
        enlist(&table.shared().node);
        let memory = memory.try_clone().map_err(ProcessError::system("no descriptor for the guardian"))?;
        let mut guardian = Self { table: Arc::clone(&table), keeper: None };
        let (told, forked) = std::sync::mpsc::channel();
        // A thread of its own is the guardian's parent: whoever waits for tracees must not see it among them.
        let keeper = std::thread::Builder::new().name("guardian".to_owned()).stack_size(1 << 17);
        let keeper = keeper.spawn(move || {
            let pid = fork(&table, memory.as_raw_fd());
            drop(memory);
            let _waits = told.send(pid.as_ref().map(|_| ()).map_err(io::Error::kind));
            if let Ok(pid) = pid {
                // SAFETY: waits for a child that only this thread knows.
                while unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) } == -1
                    && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                {}
            }
        });
        let failed = ProcessError::system("the guardian cannot be started");
        guardian.keeper = Some(keeper.map_err(failed)?);
        match forked.recv() {
            Ok(Ok(())) => Ok(guardian),
            Ok(Err(kind)) => Err(ProcessError::System { what: "the guardian cannot be started", reason: kind.into() }),
            Err(_) => Err(ProcessError::System {
                what: "the guardian cannot be started",
                reason: io::Error::other("its thread ended"),
            }),
        }
    }

    /// What it is told of traps through.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }
}

impl Drop for Guardian {
    /// Sends it away and waits until it is gone.
    fn drop(&mut self) {
        let node = &self.table.shared().node;
        delist(node);
        node.word.store(DISMISSED, Ordering::SeqCst);
        // SAFETY: wakes whoever waits for a word of ours.
        unsafe { libc::syscall(libc::SYS_futex, node.word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
        if let Some(keeper) = self.keeper.take() {
            let _ended = keeper.join();
        }
    }
}

/// Puts a word on the calling thread's robust list.
fn enlist(node: &Node) {
    let node = ptr::from_ref(node).cast_mut();
    HEAD.with(|head| {
        // SAFETY: the list belongs to this thread; the kernel looks at it only when the thread ends. An empty list ends in
        // its own head, of which the kernel wants to know the address and the size once.
        unsafe {
            let end = ptr::from_ref(head).cast_mut().cast::<Node>();
            if !REGISTERED.replace(true) {
                *head.first.get() = end;
                libc::syscall(libc::SYS_set_robust_list, ptr::from_ref(head), size_of::<Head>());
            }
            (*node).next.store(*head.first.get(), Ordering::SeqCst);
            *head.first.get() = node;
        }
    });
}

/// Takes a word off the calling thread's robust list, if it is on it.
fn delist(node: &Node) {
    let node = ptr::from_ref(node).cast_mut();
    HEAD.with(|head| {
        // SAFETY: as above; every link on the list lives, because guardians take themselves off before they end.
        unsafe {
            let end = ptr::from_ref(head).cast_mut().cast::<Node>();
            let first = head.first.get();
            if *first == node {
                *first = (*node).next.load(Ordering::SeqCst);
                return;
            }
            let mut at = *first;
            while !at.is_null() && at != end {
                let next = (*at).next.load(Ordering::SeqCst);
                if next == node {
                    return (*at).next.store((*node).next.load(Ordering::SeqCst), Ordering::SeqCst);
                }
                at = next;
            }
        }
    });
}

/// Forks the guardian; comes back only in the parent. The calling thread gets every signal blocked.
fn fork(table: &Table, memory: RawFd) -> io::Result<Pid> {
    let shared = table.shared.as_ptr();
    // SAFETY: getpid takes nothing; sigset_t is plain data. In the child of a program with threads only async-signal-safe
    // code may run; `guard` makes system calls only and never returns.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, ptr::null_mut());
        let parent = libc::getpid();
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => guard(&*shared, memory, parent),
            pid => Ok(pid),
        }
    }
}

/// The guardian's whole life.
///
/// # Safety
/// To be called once, in the child of a fork, with every signal blocked.
unsafe fn guard(shared: &Shared, memory: RawFd, parent: Pid) -> ! {
    // SAFETY: system calls about ourselves, our descriptors, and memory that was made before the fork.
    unsafe {
        libc::syscall(libc::SYS_setsid);
        libc::syscall(libc::SYS_prctl, libc::PR_SET_NAME, c"weft-guardian".as_ptr());
        // Ahead of the program that it is to save, where that is allowed.
        libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, -20);
        libc::syscall(libc::SYS_dup3, memory, 0, 0);
        libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0);
        leave_memory(ptr::from_ref(shared).addr());
        loop {
            let word = shared.node.word.load(Ordering::SeqCst);
            let is_orphan = libc::syscall(libc::SYS_getppid) != libc::c_long::from(parent);
            if word == DISMISSED {
                break;
            }
            if word & libc::FUTEX_OWNER_DIED != 0 || is_orphan {
                restore(shared);
                break;
            }
            let patience = libc::timespec { tv_sec: 0, tv_nsec: LOOK };
            libc::syscall(libc::SYS_futex, shared.node.word.as_ptr(), libc::FUTEX_WAIT, word, ptr::from_ref(&patience));
        }
        loop {
            libc::syscall(libc::SYS_exit_group, 0);
        }
    }
}

/// Puts every byte back that is still a trap, through descriptor 0.
///
/// # Safety
/// As [`guard`].
unsafe fn restore(shared: &Shared) {
    let used = shared.used.load(Ordering::SeqCst) as usize;
    for entry in shared.entries.iter().take(used) {
        let packed = entry.load(Ordering::SeqCst);
        if packed & PLANTED == 0 {
            continue;
        }
        let [_, original, ..] = packed.to_be_bytes();
        let address = packed & ADDRESS_MASK;
        let mut byte = 0u8;
        // SAFETY: one byte of ours is written, then read, by the kernel.
        unsafe {
            let got = libc::syscall(libc::SYS_pread64, 0, ptr::from_mut(&mut byte), 1, address);
            if got == 1 && byte == TRAP {
                libc::syscall(libc::SYS_pwrite64, 0, ptr::from_ref(&original), 1, address);
            }
        }
    }
}

/// Gives back the heaps and stacks that came along by the fork: all private, writable, anonymous memory, but for the stack
/// that we run on, the table (which is shared), and what belongs to a loaded file (its zeroed data lies right behind it).
/// Where the kernel's list of it cannot be had or understood, everything stays.
///
/// # Safety
/// As [`guard`].
unsafe fn leave_memory(table: usize) {
    let here = ptr::from_ref(&table).addr();
    let mut buffer = [0u8; 1024];
    // SAFETY: a descriptor of our own; the kernel writes into the buffer. What is unmapped is not the stack, not the
    // table, and nothing that system calls need.
    unsafe {
        let maps = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/maps".as_ptr(), libc::O_RDONLY);
        if maps < 0 {
            return;
        }
        let mut line = Line::default();
        // What was decided before the kernel's list is at its end, so that it does not change under our hands.
        let mut found = [(0usize, 0usize); 256];
        let mut count = 0;
        loop {
            let got = libc::syscall(libc::SYS_read, maps, buffer.as_mut_ptr(), buffer.len());
            let Some(bytes) = usize::try_from(got).ok().and_then(|got| buffer.get(..got)) else { break };
            if bytes.is_empty() {
                break;
            }
            for byte in bytes {
                let Some(range) = line.take(*byte) else { continue };
                if range.contains(&here) || range.contains(&table) {
                    continue;
                }
                if let Some(slot) = found.get_mut(count) {
                    *slot = (range.start, range.end);
                    count = count.wrapping_add(1);
                }
            }
        }
        libc::syscall(libc::SYS_close, maps);
        for (start, end) in found.iter().take(count) {
            libc::syscall(libc::SYS_munmap, *start, end.wrapping_sub(*start));
        }
    }
}

/// A line of `/proc/self/maps` as it is read, byte by byte: `start-end rw-p offset major:minor inode name`.
#[derive(Default)]
struct Line {
    field: usize,
    start: usize,
    end: usize,
    permissions: [u8; 4],
    letters: usize,
    has_file: bool,
    /// `[heap]` and no name are ours to give back, `[vdso]`, `[stack]` and so on are not.
    name: [u8; 6],
    named: usize,
    /// Where a loaded file, or the zeroed data behind it, ended on the line before.
    behind_file: usize,
}

impl Line {
    /// Takes a byte; at the end of a line, a range that can be given back.
    fn take(&mut self, byte: u8) -> Option<std::ops::Range<usize>> {
        match (self.field, byte) {
            (_, b'\n') => return self.finish(),
            (0, b'-') => self.field = 1,
            (1..=4, b' ') => self.field = self.field.wrapping_add(1),
            (5, b' ') => self.field = 6,
            (6, b' ') if self.named == 0 => {}
            (0, digit) => self.start = self.start << 4 | hex(digit),
            (1, digit) => self.end = self.end << 4 | hex(digit),
            (2, letter) => {
                if let Some(slot) = self.permissions.get_mut(self.letters) {
                    *slot = letter;
                }
                self.letters = self.letters.wrapping_add(1);
            }
            (5, digit) => self.has_file |= digit != b'0',
            (6, letter) => {
                if let Some(slot) = self.name.get_mut(self.named) {
                    *slot = letter;
                }
                self.named = self.named.wrapping_add(1);
            }
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<std::ops::Range<usize>> {
        let line = std::mem::take(self);
        let follows_file = !line.has_file && line.named == 0 && line.start == line.behind_file && line.start != 0;
        self.behind_file = if line.has_file || follows_file { line.end } else { 0 };
        let is_heap = line.named == 0 || line.named == 6 && &line.name == b"[heap]";
        let is_ours = &line.permissions == b"rw-p" && !line.has_file && is_heap && !follows_file;
        (is_ours && line.start < line.end).then_some(line.start..line.end)
    }
}

fn hex(digit: u8) -> usize {
    match digit {
        b'0'..=b'9' => usize::from(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => usize::from(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_given_back() {
        let maps = b"1000-3000 rw-p 00001000 fe:00 12        /bin/weft\n\
                     3000-4000 rw-p 00000000 00:00 0 \n\
                     5000-6000 rw-p 00000000 00:00 0         [heap]\n\
                     7000-8000 rw-p 00000000 00:00 0 \n\
                     8000-9000 ---p 00000000 00:00 0 \n\
                     a000-b000 rw-s 00000000 00:01 44        /dev/zero (deleted)\n\
                     7ffe000-7fff000 rw-p 00000000 00:00 0   [stack]\n";
        let mut line = Line::default();
        let found: Vec<_> = maps.iter().filter_map(|byte| line.take(*byte)).collect();
        assert_eq!(found, [0x5000..0x6000, 0x7000..0x8000]);
    }

    #[test]
    fn a_place_is_used_again() {
        let table = Table::new().unwrap();
        assert!(table.note(0x1000, 0x55) && table.note(0x2000, 0x90) && table.note(0x1000, 0x56));
        table.forget(0x1000);
        assert!(table.note(0x3000, 0x41));
        let entries: Vec<u64> =
            table.shared().entries.iter().take(3).map(|entry| entry.load(Ordering::SeqCst)).collect();
        assert_eq!(entries, [PLANTED | 0x41 << 48 | 0x3000, PLANTED | 0x90 << 48 | 0x2000, 0]);
        assert_eq!(table.shared().used.load(Ordering::SeqCst), 2);
        table.forget(0x9000);
        for address in 0..MOST_TRAPS as u64 {
            table.note(0x10_0000 + address, 0);
        }
        assert!(!table.note(7, 0), "it says when it is full");
    }
}
