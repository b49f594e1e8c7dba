//! One task for each thing that a task can wait for, and tasks that hold what others wait for. Says "ready" when all of
//! them wait; ends when its standard input does. Without an argument the tasks wait asynchronously; with `blocked` they
//! block the workers that poll them; with `drops` they have given away what they held. The names of the functions are what
//! tests look for.

mod blocked;
mod drops;
mod holders;
mod io;
mod sync;
mod time;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// How many tasks are about to wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Release);
}

/// Waits until so many more tasks than at `before` have arrived.
pub(crate) async fn arrived(before: usize, more: usize) {
    while ARRIVED.load(Ordering::Acquire) < before + more {
        tokio::task::yield_now().await;
    }
}

/// Spawns a task and waits until it has arrived.
pub(crate) async fn spawn<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let before = ARRIVED.load(Ordering::Acquire);
    let handle = tokio::spawn(task);
    arrived(before, 1).await;
    handle
}

fn main() {
    let way = std::env::args().nth(1).unwrap_or_default();
    // One worker polls one task after the other: they queue up in the order in which they were spawned.
    let workers = if way == "blocked" { 10 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.expect("a runtime").block_on(zoo(&way));
    // Threads that sit in a call never end by themselves.
    std::process::exit(0);
}

async fn zoo(way: &str) {
    // What tests cannot know beforehand: `name=value`.
    let mut facts = Vec::new();
    match way {
        "blocked" => blocked::all().await,
        "drops" => drops::all().await,
        _ => {
            sync::all().await;
            holders::all().await;
            time::all().await;
            facts = io::all().await;
        }
    }
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    println!("ready {}", facts.join(" ")); // BP: ready
    let mut rest = Vec::new();
    let ended = tokio::io::stdin().read_to_end(&mut rest).await; // BP: root
    println!("{}", ended.is_ok());
}
