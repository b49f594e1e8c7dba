//! One thread, three tasks that wait for three different things, and a root that looks at them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

async fn sleeper() -> u32 {
    tokio::time::sleep(Duration::from_secs(3600)).await; // BP: sleeps
    1
}

async fn listener(bell: Arc<Notify>) -> u32 {
    bell.notified().await; // BP: listens
    2
}

async fn joiner(other: JoinHandle<u32>) -> u32 {
    let value = other.await.unwrap_or(7); // BP: joins
    value + 2
}

async fn locker(shared: Arc<Mutex<u32>>) -> u32 {
    let mut held = shared.lock().await; // BP: locks
    *held += 1;
    *held
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bell = Arc::new(Notify::new());
    let shared = Arc::new(Mutex::new(40));
    let guard = shared.lock().await;
    let sleeping = tokio::spawn(sleeper());
    let listening = tokio::spawn(listener(bell.clone()));
    let joining = tokio::spawn(joiner(sleeping));
    let locking = tokio::spawn(locker(shared.clone()));
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    println!("ready"); // BP: ready
    bell.notify_one();
    println!("heard {}", listening.await.unwrap_or(0)); // BP: rung
    drop(guard);
    println!("locked {}", locking.await.unwrap_or(0)); // BP: locked
    joining.abort();
}
