//! One task in each state that a task can be in while another computes: never polled, woken, aborted, waiting, and ended
//! in each way with its result not yet taken. The root says "ready" and then blocks its thread, so that nothing changes
//! any more.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let never = Arc::new(Notify::new());
    let soon = Arc::new(Notify::new());
    tokio::spawn(waiting(never.clone()));
    tokio::spawn(ready(soon.clone()));
    let cancelled = tokio::spawn(cancelled(never.clone()));
    let aborted = tokio::spawn(aborted(never.clone()));
    aborted.abort();
    let ended = [aborted, tokio::spawn(fine()), tokio::spawn(formatted(7)), tokio::spawn(plain()), tokio::spawn(odd())];
    tokio::spawn(results(Kept { ended }));
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

async fn aborted(bell: Arc<Notify>) -> String {
    bell.notified().await;
    String::new()
}

async fn fine() -> String {
    "fine".to_owned()
}

async fn formatted(number: u32) -> String {
    panic!("number {number}") // BP: in formatted
}

async fn plain() -> String {
    panic!("plain")
}

async fn odd() -> String {
    std::panic::panic_any(7_u8)
}

async fn results(kept: Kept) {
    kept.await; // BP: results
}

/// Holds the results of tasks and never takes them.
struct Kept {
    #[expect(dead_code, reason = "for the debugger")]
    ended: [JoinHandle<String>; 5],
}

impl Future for Kept {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }
}

#[inline(never)]
fn hold() {
    println!("ready");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line); // BP: hold
}
