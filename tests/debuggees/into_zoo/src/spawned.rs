//! Tasks are spawned, and awaited by their handles.

use std::hint::black_box;

use crate::{leaf, pause};

async fn job(id: u64) -> u64 {
    let twice = black_box(id * 2); // BP: job first
    pause().await; // BP: job await
    twice // BP: job last
}

pub(crate) async fn spawn(id: u64) -> u64 {
    let done = tokio::spawn(job(id)).await; // BP: spawn
    let handle = tokio::spawn(leaf(id)); // BP: spawn only
    done.unwrap_or(0) + handle.await.unwrap_or(0) // BP: spawn last
}

pub(crate) async fn spawn_local(id: u64) -> u64 {
    let others: Vec<_> = (10..14).map(|other| tokio::task::spawn_local(job(other))).collect();
    let handle = tokio::task::spawn_local(job(id)); // BP: spawn_local
    let mut sum = handle.await.unwrap_or(0); // BP: spawn_local join
    for other in others {
        sum += other.await.unwrap_or(0);
    }
    sum // BP: spawn_local last
}

pub(crate) async fn join_set(id: u64) -> u64 {
    let mut set = tokio::task::JoinSet::new();
    set.spawn(job(id + 100));
    set.spawn(job(id)); // BP: join_set
    let mut sum = 0; // BP: join_set behind
    while let Some(done) = set.join_next().await {
        sum += done.unwrap_or(0); // BP: join_set body
    }
    sum
}

#[rustfmt::skip]
pub(crate) async fn spawn_block(id: u64) -> u64 {
    let task = tokio::spawn(async move { // BP: spawn_block
        let thrice = black_box(id * 3); // BP: spawned block first
        pause().await;
        thrice
    });
    task.await.unwrap_or(0) // BP: spawn_block last
}

/// It is cancelled before it is polled.
pub(crate) async fn spawn_cancelled(id: u64) -> u64 {
    let others: Vec<_> = (10..14).map(|other| tokio::task::spawn_local(job(other))).collect();
    let task = tokio::task::spawn_local(job(id)); // BP: spawn_cancelled
    task.abort();
    let ended = task.await;
    let mut sum = u64::from(ended.is_err()); // BP: spawn_cancelled behind
    for other in others {
        sum += other.await.unwrap_or(0);
    }
    sum
}

/// Its runtime does not run any more.
pub(crate) fn spawn_forgotten(id: u64) -> u64 {
    let idle = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let task = idle.spawn(job(id)); // BP: spawn_forgotten
    std::mem::forget((idle, task));
    id
}
