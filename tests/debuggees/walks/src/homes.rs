//! Other places that tasks live in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::chains::chain;
use crate::{WALKED, again, among, leaf};

pub fn current_thread() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(among(4, "current_thread", chain));
}

pub fn local_set() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let done = Arc::new(AtomicBool::new(false));
        let sibling = tokio::task::spawn_local(again(chain, 1, done.clone()));
        let result = tokio::task::spawn_local(chain(WALKED)).await; // BP: local_set 1
        done.store(true, Ordering::Relaxed); // BP: local_set 2
        sibling.await.expect("no sibling panics");
        println!("local_set {}", result.expect("the walk comes to its end"));
    });
}

pub fn block_on() {
    let runtime = Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
    let done = Arc::new(AtomicBool::new(false));
    let sibling = runtime.spawn(again(chain, 1, done.clone()));
    let result = runtime.block_on(chain(WALKED)); // BP: block_on 1
    done.store(true, Ordering::Relaxed); // BP: block_on 2
    runtime.block_on(sibling).expect("no sibling panics");
    println!("block_on {result}");
}

#[tokio::main(worker_threads = 4)]
pub async fn tokio_main() {
    let id = WALKED; // BP: tokio_main 1
    let one = leaf(id).await; // BP: tokio_main 2
    println!("tokio_main {one}"); // BP: tokio_main 3
} // BP: tokio_main 4
