//! The marked lines. Each is counted just before and just after, by `key`; they begin with instructions of many kinds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::board::{Board, KEYS};

static SEEN: AtomicU64 = AtomicU64::new(0);

/// What conditions are about: spread evenly, and known to whoever knows worker and turn.
pub fn key_of(worker: u64, turn: u64) -> u64 {
    let mixed = (worker ^ turn.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) % KEYS as u64
}

fn before(board: &Board, line: usize, key: u64) {
    board.before[line][key as usize].fetch_add(1, Relaxed);
}

fn after(board: &Board, line: usize, key: u64) {
    board.after[line][key as usize].fetch_add(1, Relaxed);
}

/// What a turn adds to its worker's sum, without a marked line.
pub fn expected(worker: u64, turn: u64) -> u64 {
    let key = key_of(worker, turn);
    let exclusive = worker ^ (turn << 1);
    let parity = if key.is_multiple_of(2) { 3 } else { 5 };
    let counted = 4 * (key % 4);
    exclusive.wrapping_add(worker.wrapping_add(turn)).wrapping_add(parity).wrapping_add(counted).wrapping_add(10 * key)
}

/// A turn through all marked lines.
pub fn turn(board: &Board, worker: u64, turn: u64) -> u64 {
    let key = key_of(worker, turn);
    let mut sum = exclusive(board, worker, turn, key);
    sum = sum.wrapping_add(called(board, worker, turn, key));
    sum = sum.wrapping_add(branch(board, worker, turn, key));
    sum = sum.wrapping_add(looped(board, worker, turn, key));
    for which in [global, product, compared, shifted] {
        sum = sum.wrapping_add(which(board, worker, turn, key));
    }
    sum = sum.wrapping_add(returned(board, worker, turn, key));
    after(board, 8, key);
    sum
}

#[inline(never)]
fn exclusive(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let mut sum = worker;
    before(board, 0, key);
    sum ^= turn << 1; // BP: exclusive
    after(board, 0, key);
    sum
}

#[inline(never)]
fn called(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    before(board, 1, key);
    let sum = worker.wrapping_add(turn); // BP: called
    after(board, 1, key);
    sum
}

#[inline(never)]
fn branch(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    let is_even = key.is_multiple_of(2);
    let mut sum = 5;
    before(board, 2, key);
    // BP: branch
    if is_even {
        sum = 3;
    }
    after(board, 2, key);
    sum
}

#[inline(never)]
fn looped(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    let mut left = key % 4;
    let mut sum = 0;
    while left > 0 {
        before(board, 3, key);
        left -= 1; // BP: looped
        after(board, 3, key);
        sum += 4;
    }
    sum
}

#[inline(never)]
fn global(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    before(board, 4, key);
    SEEN.store(key, Relaxed); // BP: global
    after(board, 4, key);
    key
}

#[inline(never)]
fn product(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    before(board, 5, key);
    let product = key * 3; // BP: product
    after(board, 5, key);
    product
}

#[inline(never)]
fn compared(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = turn;
    before(board, 6, key);
    let is_own = worker == key; // BP: compared
    after(board, 6, key);
    key + u64::from(is_own) - u64::from(worker == key)
}

#[inline(never)]
fn shifted(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    let mut sum = key;
    before(board, 7, key);
    sum <<= 2; // BP: shifted
    after(board, 7, key);
    sum
}

/// Its last line is the marked one, so the caller counts that it has run.
#[inline(never)]
fn returned(board: &Board, worker: u64, turn: u64, key: u64) -> u64 {
    let _ = (worker, turn);
    before(board, 8, key);
    key
} // BP: returned

/// The first thing that a thread does. Its `turn` is 0.
#[inline(never)]
pub fn born(board: &Board, worker: u64) {
    let turn = 0;
    let key = key_of(worker, turn);
    before(board, 9, key);
    board.alive.fetch_add(1, Relaxed); // BP: born
    after(board, 9, key);
}
