//! Programs that give a debugger something to do: `busy threads N TURNS`, `forever N`, `fork`, `deep N`, `signals`, `exec PROGRAM ARG..`.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

static TURNS: AtomicU64 = AtomicU64::new(0);
static CAUGHT: AtomicU64 = AtomicU64::new(0);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|text| text.parse().ok()).expect("a number");
    match args.first().map(String::as_str) {
        Some("threads") => threads(number(1), number(2)),
        Some("forever") => forever(number(1)),
        Some("fork") => fork(),
        Some("deep") => println!("depth {}", deep(number(1))),
        Some("signals") => signals(),
        Some("exec") => panic!("{}", Command::new(&args[1]).args(&args[2..]).exec()),
        other => panic!("no such thing to do: {other:?}"),
    }
}

fn threads(count: u64, turns: u64) {
    let running: Vec<_> = (0..count).map(|_| thread::spawn(move || (0..turns).for_each(|_| hot()))).collect();
    for thread in running {
        thread.join().expect("no thread panics");
    }
    println!("turns {}", TURNS.load(Ordering::SeqCst)); // BP: joined
}

#[inline(never)]
fn hot() {
    TURNS.fetch_add(1, Ordering::SeqCst); // BP: hot
}

/// Threads that never rest; a line tells that they are at it.
fn forever(count: u64) {
    for _ in 0..count {
        thread::spawn(|| {
            let mut own: u64 = 0;
            // BP: around
            loop {
                hot(); // BP: calls hot
                own = own.wrapping_add(1); // BP: own
            }
        });
    }
    println!("running");
    for line in std::io::stdin().lines() {
        let before = TURNS.load(Ordering::SeqCst);
        while TURNS.load(Ordering::SeqCst) < before + 1_000 {
            thread::yield_now();
        }
        println!("alive {}", line.unwrap_or_default());
    }
    loop {
        thread::park();
    }
}

/// A child that runs the same code as its parent.
fn fork() {
    hot();
    // SAFETY: there is one thread, and the child only adds and leaves.
    let child = unsafe { libc::fork() };
    hot(); // BP: both
    if child == 0 {
        // SAFETY: leaves without running destructors, as a child should.
        unsafe { libc::_exit(7) };
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    println!("child {:?} {}", libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)), TURNS.load(Ordering::SeqCst));
}

#[inline(never)]
fn deep(left: u64) -> u64 {
    if left == 0 {
        hot();
        return 0; // BP: bottom
    }
    1 + deep(left - 1)
}

extern "C" fn caught(_: libc::c_int) {
    CAUGHT.fetch_add(1, Ordering::SeqCst); // BP: in handler
}

/// Signals that the program handles itself, and one that it dies of.
fn signals() {
    let handler = caught as extern "C" fn(libc::c_int);
    // SAFETY: the handler only adds to an atomic.
    unsafe {
        libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
        for _ in 0..5 {
            libc::raise(libc::SIGUSR1); // BP: raises
        }
    }
    println!("caught {}", CAUGHT.load(Ordering::SeqCst)); // BP: caught
    // SAFETY: none; that is what it is for.
    unsafe { std::ptr::null_mut::<u64>().write_volatile(1) }; // BP: faults
}
