//! One task in each state that a task can be in while another computes: never polled, woken, aborted, waiting. The root
//! says "ready" and then blocks its thread, so that nothing changes any more.

use std::sync::Arc;

use tokio::sync::Notify;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let never = Arc::new(Notify::new());
    let soon = Arc::new(Notify::new());
    tokio::spawn(waiting(never.clone()));
    tokio::spawn(ready(soon.clone()));
    let cancelled = tokio::spawn(cancelled(never.clone()));
    tokio::task::yield_now().await;
    soon.notify_one();
    cancelled.abort();
    tokio::spawn(created(never));
    hold(); // BP: root
}

async fn waiting(bell: Arc<Notify>) {
    bell.notified().await; // BP: waiting
}

async fn ready(bell: Arc<Notify>) {
    bell.notified().await; // BP: ready
}

async fn cancelled(bell: Arc<Notify>) {
    bell.notified().await; // BP: cancelled
}

async fn created(bell: Arc<Notify>) {
    bell.notified().await; // BP: in created
}

#[inline(never)]
fn hold() {
    println!("ready");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line); // BP: hold
}
