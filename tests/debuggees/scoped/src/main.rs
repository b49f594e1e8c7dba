//! Tasks that are told apart: `scoped siblings [multi]`, `scoped links [multi]`, `scoped ends [multi]`,
//! `scoped kept FIFO [multi]`, `scoped long FIFO [multi]`.
//!
//! On one thread the order is always the same: every task is polled up to its pause, in the order they were spawned.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

async fn pause() {
    tokio::task::yield_now().await; // BP: yields
}

async fn work(id: u64) -> u64 {
    let mut sum = id; // BP: work first
    pause().await; // BP: work waits
    sum += id; // BP: work goes on
    sum += helper(id).await; // BP: work asks
    finish(sum) // BP: work last
}

async fn helper(id: u64) -> u64 {
    let double = id * 2; // BP: helper first
    pause().await;
    double
}

#[inline(never)]
fn finish(sum: u64) -> u64 {
    sum + 1 // BP: finish
}

async fn stranger(word: u64) -> u64 {
    let length = word + 3; // BP: stranger first
    pause().await;
    finish(length)
}

/// Four siblings and a stranger.
async fn siblings() {
    let strange = |word| tokio::spawn(stranger(word));
    let mut handles: Vec<_> = (1..=4).map(|id| tokio::spawn(work(id))).collect();
    handles.push(strange(5));
    let mut total = finish(0); // BP: spawned
    for handle in handles {
        total += handle.await.unwrap_or(0);
    }
    println!("total {total}");
}

/// Awaits a task of its own kind.
async fn link(before: Option<JoinHandle<u64>>) -> u64 {
    let first = u64::from(before.is_none()); // BP: link first
    let got = match before {
        Some(before) => taken(before.await.unwrap_or(0)), // BP: link awaits
        None => first,
    };
    got + 1 // BP: link last
}

#[inline(never)]
fn taken(got: u64) -> u64 {
    got * 2 // BP: taken
}

/// Three tasks, each of which awaits the one before it.
async fn links() {
    let link = |before| Some(tokio::spawn(link(before)));
    let last = link(link(link(None)));
    println!("linked {}", last.expect("three were spawned").await.unwrap_or(0)); // BP: links
}

async fn finishes(gate: Arc<Semaphore>) -> u64 {
    let _opened = gate.acquire().await; // BP: finishes waits
    7
}

async fn panics(gate: Arc<Semaphore>) -> u64 {
    let _opened = gate.acquire().await;
    panic!("out of luck"); // BP: panics
}

async fn pends() -> u64 {
    std::future::pending().await
}

async fn early(gate: Arc<Semaphore>) -> u64 {
    let _opened = gate.acquire().await;
    if std::env::args().count() > 1 {
        return 1;
    }
    2 // BP: never reached
}

/// Tasks that end in every way.
async fn ends() {
    let gate = Arc::new(Semaphore::new(0));
    let finished = tokio::spawn(finishes(Arc::clone(&gate)));
    let panicked = tokio::spawn(panics(Arc::clone(&gate)));
    let cancelled = tokio::spawn(pends());
    let short = tokio::spawn(early(Arc::clone(&gate)));
    settled(4).await;
    println!("ready"); // BP: ends ready
    gate.add_permits(3);
    cancelled.abort();
    let (finished, panicked, cancelled) = (finished.await, panicked.await.is_err(), cancelled.await.is_err());
    println!("ended {finished:?} {panicked} {cancelled} {:?}", short.await); // BP: ends over
}

async fn ended() -> u64 {
    finish(5) // BP: kept last
}

/// The task ends long before anybody awaits it.
async fn kept(fifo: String) {
    let task = tokio::spawn(ended());
    let more = tokio::task::spawn_blocking(|| std::fs::read(fifo).map_or(0, |bytes| bytes.len())).await;
    let got = task.await.unwrap_or(0);
    println!("kept {got} {}", more.unwrap_or(0)); // BP: kept next
}

/// Waits until as many tasks have nothing to do but to wait.
async fn settled(tasks: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    while metrics.num_alive_tasks() < tasks {
        pause().await;
    }
    for _ in 0..100 {
        pause().await;
    }
}

/// Keeps its thread until somebody writes.
async fn long(fifo: String) -> usize {
    pause().await;
    std::fs::read(fifo).map_or(0, |bytes| bytes.len()) // BP: long poll
}

async fn short(turns: u64) -> u64 {
    for _ in 0..turns {
        pause().await;
    }
    turns
}

async fn longs(fifo: String) {
    let quick = tokio::spawn(short(1000));
    let slow = tokio::spawn(long(fifo));
    println!("read {} after {:?} turns", slow.await.unwrap_or(0), quick.await);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let asked = |word: &str| args.iter().any(|arg| arg == word);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    if asked("multi") {
        builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(3);
    }
    let runtime = builder.build().expect("a runtime");
    match args.get(1).map(String::as_str) {
        Some("siblings") => runtime.block_on(siblings()),
        Some("links") => runtime.block_on(links()),
        Some("ends") => runtime.block_on(ends()),
        Some("kept") => runtime.block_on(kept(args.get(2).expect("a path").clone())),
        Some("long") => runtime.block_on(longs(args.get(2).expect("a path").clone())),
        _ => println!("what?"), // BP: main
    }
}
