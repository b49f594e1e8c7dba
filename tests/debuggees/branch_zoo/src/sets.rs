//! Sets of futures.

use futures_util::stream::{FuturesOrdered, FuturesUnordered, StreamExt as _};
use tokio::task::JoinSet;

use crate::{failing, left, quick, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(unordered());
    tokio::spawn(ordered());
    tokio::spawn(join_set());
    tokio::spawn(join_all_small());
    tokio::spawn(join_all_big());
    tokio::spawn(try_join_all());
    tokio::spawn(select_all());
    tokio::spawn(select_ok());
    tokio::spawn(never_polled());
    2 + 2 + 2 + 2 + 33 + 2 + 2 + 2 + 1
}

async fn unordered() {
    let mut set: FuturesUnordered<_> = (0..2).map(left).collect();
    while set.next().await.is_some() {} // BP: unordered
}

async fn ordered() {
    let mut set: FuturesOrdered<_> = (0..2).map(left).collect();
    while set.next().await.is_some() {} // BP: ordered
}

async fn join_set() {
    let mut set = JoinSet::new();
    set.spawn(left(1));
    set.spawn(right(2));
    while set.join_next().await.is_some() {} // BP: join_set
}

async fn join_all_small() {
    let futures = (0..2).map(left);
    spend(futures_util::future::join_all(futures).await); // BP: join_all_small
}

/// More than thirty are kept in another way.
async fn join_all_big() {
    let futures = (0..33).map(left);
    spend(futures_util::future::join_all(futures).await); // BP: join_all_big
}

async fn try_join_all() {
    let futures = (0..2).map(failing);
    spend(futures_util::future::try_join_all(futures).await); // BP: try_join_all
}

async fn select_all() {
    let futures = (0..2).map(|number| Box::pin(left(number)));
    spend(futures_util::future::select_all(futures).await); // BP: select_all
}

async fn select_ok() {
    let futures = (0..2).map(|number| Box::pin(failing(number)));
    spend(futures_util::future::select_ok(futures).await.is_ok()); // BP: select_ok
}

/// A set that is not polled beside what is awaited, and one whose new member is not polled yet.
async fn never_polled() {
    let set = FuturesUnordered::new();
    set.push(quick(1));
    let chained = set.chain(futures_util::stream::once(right(2)).chain(futures_util::stream::once(left(3))));
    chained.for_each(|number| async move { spend(number) }).await; // BP: never_polled
}
