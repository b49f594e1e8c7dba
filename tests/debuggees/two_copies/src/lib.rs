//! A shared library with a Tokio of its own, whose runtime nobody drives from outside.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

/// Starts a runtime with three tasks that wait for ever, and comes back when they do.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("inner").build();
    let runtime = Box::leak(Box::new(runtime.expect("a runtime")));
    let waiting = Arc::new(Semaphore::new(0));
    for number in 0..3 {
        runtime.spawn(of_library(number, Arc::clone(&waiting)));
    }
    runtime.block_on(async {
        let _all = waiting.acquire_many(3).await;
    });
}

async fn of_library(number: u32, waiting: Arc<Semaphore>) {
    waiting.add_permits(1);
    Notify::new().notified().await; // BP: of_library
    println!("{number}");
}
