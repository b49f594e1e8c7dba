//! A crowd of threads that come, run the same marked lines, and go: `crowd BOARD LANES LIVES TURNS [ticks] [forks]`.
//!
//! Each of LANES lanes holds one thread at a time; it takes TURNS turns, starts its successor and ends, LIVES times over
//! (with LIVES 0: until a line comes on standard input). The program counts on BOARD how often each marked line ran,
//! and checks every sum.

mod board;
mod lines;
mod signals;

use std::process::Command;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use board::{Board, PRIVATE};

static LANES_LEFT: AtomicU64 = AtomicU64::new(0);
static ENOUGH: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy)]
struct Plan {
    board: &'static Board,
    lives: u64,
    turns: u64,
    forks: bool,
    main: &'static thread::Thread,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|text| text.parse::<u64>().ok()).expect("a number");
    let asked = |word: &str| args.iter().any(|arg| arg == word);
    let board = board::open(&args[0]);
    let main = Box::leak(Box::new(thread::current()));
    let plan = Plan { board, lives: number(2), turns: number(3), forks: asked("forks"), main };
    signals::install(board);
    if asked("ticks") {
        signals::tick();
    }
    LANES_LEFT.store(number(1), SeqCst);
    for lane in 0..number(1) {
        thread::spawn(move || live(plan, lane, 0));
    }
    println!("running"); // BP: running
    if plan.lives == 0 {
        std::io::stdin().read_line(&mut String::new()).expect("standard input can be read");
        ENOUGH.store(true, SeqCst); // BP: enough
    }
    while LANES_LEFT.load(SeqCst) > 0 {
        thread::park();
    }
    println!("finished {} wrong {}", board.finished.load(SeqCst), board.wrong.load(SeqCst)); // BP: finished
}

fn live(plan: Plan, lane: u64, life: u64) {
    let worker = (lane << 32) | life;
    lines::born(plan.board, worker);
    if plan.forks {
        beget(plan.board, lane + life);
    }
    let sum = (0..plan.turns).fold(0, |sum: u64, turn| sum.wrapping_add(lines::turn(plan.board, worker, turn)));
    let expected = (0..plan.turns).fold(0, |sum: u64, turn| sum.wrapping_add(lines::expected(worker, turn)));
    plan.board.wrong.fetch_add(u64::from(sum != expected), Relaxed);
    plan.board.finished.fetch_add(1, Relaxed);
    plan.board.alive.fetch_sub(1, Relaxed);
    if life + 1 == plan.lives || ENOUGH.load(SeqCst) {
        LANES_LEFT.fetch_sub(1, SeqCst);
        plan.main.unpark();
        return;
    }
    thread::spawn(move || live(plan, lane, life + 1));
}

/// Children now and then: copies that run the marked lines, and other programs.
fn beget(board: &'static Board, which: u64) {
    let ended_well = match which % 16 {
        0 | 5 => forked(),
        11 => Command::new("/bin/true").status().is_ok_and(|status| status.success()),
        _ => return,
    };
    let count = if ended_well { &board.children } else { &board.bad_children };
    count.fetch_add(1, Relaxed);
}

fn forked() -> bool {
    // SAFETY: the child only calculates, counts and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let sum = (0..20).fold(0, |sum: u64, turn| sum.wrapping_add(lines::turn(&PRIVATE, 1, turn)));
        let expected = (0..20).fold(0, |sum: u64, turn| sum.wrapping_add(lines::expected(1, turn)));
        // SAFETY: leaves without running destructors, as a child should.
        unsafe { libc::_exit(if sum == expected { 7 } else { 8 }) };
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {}
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7
}
