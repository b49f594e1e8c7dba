//! Coroutines that do not come to their end.

use std::future::pending;

use crate::{leaf, pause};

/// The loser is dropped by the `select!` that polled it.
#[rustfmt::skip]
pub async fn lost(id: u64) -> u64 {
    let start = id * 10; // BP: lost 1
    let won = tokio::select! { // BP: lost 2
        biased;
        n = endless(id) => n, // BP: lost 3
        n = leaf(start) => { // BP: lost 4
            n + 1 // BP: lost 5
        }
    };
    won + id // BP: lost 6
} // BP: lost 7

async fn endless(id: u64) -> u64 {
    let more = id + 1; // BP: endless 1
    pending::<()>().await; // BP: endless 2
    more // BP: endless 3
}

pub async fn aborted(id: u64) -> u64 {
    let task = tokio::spawn(endless(id)); // BP: aborted 1
    for _ in 0..20 {
        pause().await;
    }
    task.abort(); // BP: aborted 2
    let ended = task.await; // BP: aborted 3
    let cancelled = ended.is_err_and(|error| error.is_cancelled()); // BP: aborted 4
    id + u64::from(cancelled) // BP: aborted 5
} // BP: aborted 6

pub async fn panicked(id: u64) -> u64 {
    let task = tokio::spawn(failing(id)); // BP: panicked 1
    let ended = task.await; // BP: panicked 2
    let failed = ended.is_err_and(|error| error.is_panic()); // BP: panicked 3
    id + u64::from(failed) // BP: panicked 4
} // BP: panicked 5

async fn failing(id: u64) -> u64 {
    let more = id + 1; // BP: failing 1
    let never = fails(more).await; // BP: failing 2
    never + 1 // BP: failing 3
}

async fn fails(n: u64) -> u64 {
    pause().await;
    assert!(n > 1000, "{n} is too little");
    n
}
