//! Several futures are awaited together.

use std::hint::black_box;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::{leaf, other, pause};

pub(crate) async fn join(id: u64) -> u64 {
    let (a, b) = tokio::join!(leaf(id), other(id)); // BP: join
    a + b // BP: join last
}

async fn fallible(id: u64) -> Result<u64, String> {
    let value = black_box(id + 7); // BP: fallible first
    pause().await;
    Ok(value)
}

pub(crate) async fn try_join(id: u64) -> u64 {
    let both = tokio::try_join!(fallible(id), async { Ok(other(id).await) }); // BP: try_join
    both.map_or(0, |(a, b)| a + b) // BP: try_join last
}

#[rustfmt::skip]
pub(crate) async fn select(id: u64) -> u64 {
    let won = tokio::select! { // BP: select
        biased;
        a = leaf(id) => a, // BP: select a
        b = other(id) => b, // BP: select b
    };
    won + 1 // BP: select last
}

pub(crate) async fn select_loop(id: u64) -> u64 {
    let mut future = std::pin::pin!(leaf(id));
    let mut rounds = 0;
    loop {
        tokio::select! { // BP: select_loop
            biased;
            () = pause() => rounds += 1, // BP: select_loop round
            done = &mut future => return done + rounds, // BP: select_loop done
        }
    }
}

pub(crate) async fn futures_join(id: u64) -> u64 {
    let (a, b) = futures_util::join!(leaf(id), other(id)); // BP: futures_join
    a + b // BP: futures_join last
}

#[rustfmt::skip]
pub(crate) async fn futures_select(id: u64) -> u64 {
    use futures_util::FutureExt as _;
    let mut a = std::pin::pin!(leaf(id).fuse());
    let mut b = std::pin::pin!(other(id).fuse());
    futures_util::select_biased! { // BP: futures_select
        a = a => a, // BP: futures_select a
        b = b => b, // BP: futures_select b
    } // BP: futures_select last
}

pub(crate) async fn join_all(id: u64) -> u64 {
    let all = futures_util::future::join_all([leaf(id), leaf(id)]).await; // BP: join_all
    all.iter().sum() // BP: join_all last
}

#[rustfmt::skip]
pub(crate) async fn unordered(id: u64) -> u64 {
    let mut set: FuturesUnordered<_> = [leaf(id), leaf(id)].into_iter().collect();
    let mut sum = 0;
    while let Some(value) = set.next().await { // BP: unordered
        sum += value; // BP: unordered body
    }
    sum
}

#[rustfmt::skip]
pub(crate) async fn buffered(id: u64) -> u64 {
    let mut set = futures_util::stream::iter([id, id]).map(leaf).buffer_unordered(2);
    let mut sum = 0;
    while let Some(value) = set.next().await { // BP: buffered
        sum += value; // BP: buffered body
    }
    sum
}

#[rustfmt::skip]
pub(crate) async fn stream(id: u64) -> u64 {
    let numbers = futures_util::stream::unfold(0, |at| async move {
        let next = (at < 2).then(|| (id, at + 1)); // BP: stream first
        pause().await;
        next
    });
    let mut numbers = std::pin::pin!(numbers);
    let mut sum = 0;
    while let Some(value) = numbers.next().await { // BP: stream
        sum += value; // BP: stream body
    }
    sum
}

async fn slow(id: u64) -> u64 {
    let value = black_box(id); // BP: slow first
    for _ in 0..20 {
        pause().await; // BP: slow await
    }
    value
}

/// The second branch is never polled again when the first one ends at its second poll.
#[rustfmt::skip]
pub(crate) async fn loses(id: u64) -> u64 {
    let mut future = std::pin::pin!(slow(id));
    let early = futures_util::poll!(&mut future).is_ready(); // BP: loses starts
    let won = tokio::select! { // BP: loses
        biased;
        () = std::future::ready(()) => 1, // BP: loses a
        b = &mut future => b, // BP: loses b
    };
    won + u64::from(early) // BP: loses last
}

/// Two branches of one function, told apart by what they were given.
pub(crate) async fn twins(id: u64) -> u64 {
    let (a, b) = tokio::join!(leaf(id), leaf(id + 100)); // BP: twins
    a + b // BP: twins last
}
