//! One task for each way in which futures hold futures. All of them wait for ever; says "ready" when they do, ends when its
//! standard input does. The names of the functions are what tests look for; what is awaited in the end is mostly `left` or
//! `right`.

mod combinators;
mod lines;
mod macros;
mod sets;
mod streams;
mod written;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

const LONG: Duration = Duration::from_secs(3_600);

/// How many futures have come to where they wait for ever.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

#[tokio::main(worker_threads = 2)]
async fn main() {
    let expected =
        macros::spawn() + sets::spawn() + combinators::spawn() + streams::spawn() + written::spawn() + lines::spawn();
    while ARRIVED.load(Ordering::Acquire) < expected {
        tokio::task::yield_now().await;
    }
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("ready");
    let mut rest = Vec::new();
    let ended = tokio::io::stdin().read_to_end(&mut rest).await; // BP: root
    println!("{}", ended.is_ok());
}

// BP: before_left
async fn left(number: u32) -> u32 {
    ARRIVED.fetch_add(1, Ordering::Release);
    tokio::time::sleep(LONG).await; // BP: left
    std::hint::black_box(number)
}

async fn right(number: u32) -> u32 {
    ARRIVED.fetch_add(1, Ordering::Release);
    tokio::time::sleep(LONG).await; // BP: right
    std::hint::black_box(number)
}

async fn failing(number: u32) -> Result<u32, String> {
    ARRIVED.fetch_add(1, Ordering::Release);
    tokio::time::sleep(LONG).await; // BP: failing
    Err(format!("{number}"))
}

/// Ends the first time it is asked.
async fn quick(number: u32) -> u32 {
    std::hint::black_box(number)
}

/// Takes what nobody needs.
fn spend<T>(value: T) {
    std::hint::black_box(value);
}
