//! The same tasks on every version of Tokio: each folder beside this one pins one.
//!
//! `compatibility multi|current`: nine tasks that sleep, one of which is joined by a tenth, three that wait for a lock two
//! calls deep, and a root that holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, yield_now};

static POLLED: AtomicUsize = AtomicUsize::new(0);

fn polled() {
    POLLED.fetch_add(1, Ordering::SeqCst);
}

async fn sleeper() {
    polled();
    tokio::time::sleep(Duration::from_secs(3600)).await; // BP: sleeps
}

async fn acquire(lock: &Mutex<u32>) -> u32 {
    let held = lock.lock().await; // BP: locks
    *held
}

async fn locker(lock: Arc<Mutex<u32>>) {
    polled();
    let value = acquire(&lock).await; // BP: acquires
    println!("{value}");
}

async fn joiner(other: JoinHandle<()>) {
    polled();
    let _ = other.await; // BP: joins
}

async fn root() {
    let lock = Arc::new(Mutex::new(7));
    let held = lock.lock().await;
    for _ in 0..8 {
        tokio::spawn(sleeper());
    }
    for _ in 0..3 {
        tokio::spawn(locker(lock.clone()));
    }
    tokio::spawn(joiner(tokio::spawn(sleeper())));
    while POLLED.load(Ordering::SeqCst) < 13 {
        let () = yield_now().await;
    }
    println!("ready");
    std::future::pending::<()>().await; // BP: holds
    drop(held);
}

fn runtime(flavor: &str) -> Runtime {
    let mut builder = match flavor {
        "multi" => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.worker_threads(2).enable_time().build().expect("a runtime")
}

fn main() {
    let flavor = std::env::args().nth(1).unwrap_or_default();
    runtime(&flavor).block_on(root());
}
