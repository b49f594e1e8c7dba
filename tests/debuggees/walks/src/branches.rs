//! Several awaits at a time.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};

use crate::{leaf, pause};

#[rustfmt::skip]
pub async fn joined(id: u64) -> u64 {
    let start = id * 10; // BP: joined 1
    let (a, b) = tokio::join!(leaf(start), leaf(start + 1)); // BP: joined 2
    let sum = a + b; // BP: joined 3
    let (c, d) = futures_util::join!( // BP: joined 4
        leaf(sum), // BP: joined 5
        async { // BP: joined 6
            leaf(b).await + 1 // BP: joined 7
        },
    );
    c + d // BP: joined 8
} // BP: joined 9

#[rustfmt::skip]
pub async fn selected(id: u64) -> u64 {
    let never = std::future::pending::<u64>(); // BP: selected 1
    let won = tokio::select! { // BP: selected 2
        n = never => n, // BP: selected 3
        n = leaf(id) => { // BP: selected 4
            n * 2 // BP: selected 5
        }
    };
    won + id // BP: selected 6
} // BP: selected 7

/// A future that outlives the `select!` which polls it.
#[rustfmt::skip]
pub async fn ticking(id: u64) -> u64 {
    let mut slow = pin!(leaf(id)); // BP: ticking 1
    let mut ticks = 0; // BP: ticking 2
    loop {
        tokio::select! { // BP: ticking 3
            biased;
            n = &mut slow => { // BP: ticking 4
                return n + ticks; // BP: ticking 5
            }
            () = pause() => { // BP: ticking 6
                ticks += 1; // BP: ticking 7
            }
        }
    }
} // BP: ticking 8

#[rustfmt::skip]
pub async fn gathered(id: u64) -> u64 {
    let all = join_all([leaf(id), leaf(id + 1)]).await; // BP: gathered 1
    let mut some: FuturesUnordered<_> = all.into_iter().map(leaf).collect(); // BP: gathered 2
    let mut sum = 0; // BP: gathered 3
    while let Some(n) = some.next().await { // BP: gathered 4
        sum += n; // BP: gathered 5
    }
    let hour = Duration::from_secs(3600); // BP: gathered 6
    let last = tokio::time::timeout(hour, leaf(sum)).await; // BP: gathered 7
    sum + last.unwrap_or_default() // BP: gathered 8
} // BP: gathered 9

#[rustfmt::skip]
pub async fn streamed(id: u64) -> u64 {
    let mut numbers = pin!(stream::unfold(1, next)); // BP: streamed 1
    let mut sum = id; // BP: streamed 2
    while let Some(n) = numbers.next().await { // BP: streamed 3
        sum += n; // BP: streamed 4
    }
    sum // BP: streamed 5
} // BP: streamed 6

async fn next(n: u64) -> Option<(u64, u64)> {
    pause().await;
    (n < 3).then_some((n * 10, n + 1))
}
