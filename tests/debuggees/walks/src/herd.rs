//! Something to measure: an await that is always ready, and a task that waits among a thousand which do not.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{WALKED, pause};

const HERD: u64 = 1000;

/// Turns that the herd has made.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// Nobody ever writes these.
static QUIET_A: AtomicU64 = AtomicU64::new(0);
static QUIET_B: AtomicU64 = AtomicU64::new(0);
static QUIET_C: AtomicU64 = AtomicU64::new(0);
static QUIET_D: AtomicU64 = AtomicU64::new(0);

/// For ever: an await that is ready, and a line without one.
pub async fn laps(id: u64) {
    let mut sum = id;
    loop {
        sum += std::future::ready(id).await; // BP: laps 1
        lap(&mut sum); // BP: laps 2
    }
}

/// A call, so that its line has code in optimised builds too.
#[inline(never)]
fn lap(sum: &mut u64) {
    *sum = black_box(*sum);
}

/// A thousand tasks run `turn`, and a thread says again and again how often they have.
pub async fn herd() {
    black_box([&QUIET_A, &QUIET_B, &QUIET_C, &QUIET_D]);
    for id in 0..HERD {
        tokio::spawn(turn(id));
    }
    thread::spawn(|| {
        let begun = Instant::now();
        loop {
            thread::sleep(Duration::from_millis(100));
            println!("{} {}", begun.elapsed().as_micros(), TURNS.load(Ordering::Relaxed));
        }
    });
    std::future::pending().await
}

async fn turn(id: u64) {
    loop {
        if id == WALKED {
            std::future::pending::<()>().await; // BP: turn 1
        }
        pause().await;
        TURNS.fetch_add(1, Ordering::Relaxed);
    }
}
