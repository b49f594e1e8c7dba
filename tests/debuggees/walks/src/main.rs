//! Coroutines to be walked through, step by step: `walks NAME..`, one after the other. The task that is walked has the id 2;
//! until it is done, its siblings do the same again and again. The lines of a walk are marked in the order of the source.

mod branches;
mod chains;
mod ends;
mod herd;
mod homes;
mod shapes;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const WALKED: u64 = 2;

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for name in std::env::args().skip(1) {
        match name.as_str() {
            "current_thread" => homes::current_thread(),
            "local_set" => homes::local_set(),
            "block_on" => homes::block_on(),
            "tokio_main" => homes::tokio_main(),
            name => runtime.block_on(walk(name)),
        }
    }
}

async fn walk(name: &str) {
    match name {
        "chain" => among(4, name, chains::chain).await,
        "crowd" => among(100, name, chains::chain).await,
        "four" => four().await,
        "fallible" => among(4, name, chains::fallible).await,
        "one_line" => among(4, name, chains::one_line).await,
        "received" => among(4, name, chains::received).await,
        "matched" => among(4, name, chains::matched).await,
        "tailed" => among(4, name, chains::tailed).await,
        "ready" => among(4, name, chains::ready).await,
        "repolled" => among(4, name, chains::repolled).await,
        "long" => among(4, name, chains::long).await,
        "moving" => among(4, name, chains::moving).await,
        "joined" => among(4, name, branches::joined).await,
        "selected" => among(4, name, branches::selected).await,
        "ticking" => among(4, name, branches::ticking).await,
        "gathered" => among(4, name, branches::gathered).await,
        "streamed" => among(4, name, branches::streamed).await,
        "nested" => among(4, name, shapes::nested).await,
        "dynamic" => among(4, name, shapes::dynamic).await,
        "kinds" => among(4, name, shapes::kinds).await,
        "roomy" => among(4, name, shapes::roomy).await,
        "large" => among(4, name, shapes::large).await,
        "calling" => among(4, name, shapes::calling).await,
        "lost" => among(4, name, ends::lost).await,
        "aborted" => among(4, name, ends::aborted).await,
        "laps" => herd::laps(WALKED).await,
        "herd" => herd::herd().await,
        "panicked" => among(4, name, ends::panicked).await,
        other => panic!("there is no walk {other}"),
    }
}

/// Spawns the task that is walked, and siblings that run the same code as long as it does.
async fn among<F>(count: u64, name: &str, walk: fn(u64) -> F)
where
    F: Future<Output: Debug + Send> + Send + 'static,
{
    let done = Arc::new(AtomicBool::new(false));
    let ids = (1..=count).filter(|id| *id != WALKED);
    let siblings: Vec<_> = ids.map(|id| tokio::spawn(again(walk, id, done.clone()))).collect();
    let task = tokio::spawn(walk(WALKED));
    let result = task.await; // BP: awaiter 1
    done.store(true, Ordering::Relaxed); // BP: awaiter 2
    for sibling in siblings {
        sibling.await.expect("no sibling panics");
    }
    println!("{name} {:?}", result.expect("the walk comes to its end"));
}

async fn again<F: Future>(walk: fn(u64) -> F, id: u64, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        walk(id).await;
        pause().await;
    }
}

/// Four tasks that run the same code, once each.
async fn four() {
    let tasks: Vec<_> = (1..=4).map(|id| tokio::spawn(chains::chain(id))).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("the chain comes to its end");
    }
    println!("four {sum}");
}

/// Suspends once.
async fn pause() {
    tokio::task::yield_now().await;
}

/// Suspends twice.
async fn leaf(n: u64) -> u64 {
    pause().await; // BP: leaf 1
    pause().await; // BP: leaf 2
    n + 1 // BP: leaf 3
} // BP: leaf 4

/// Suspends once, and fails from 2 on.
async fn checked(n: u64) -> Result<u64, String> {
    pause().await;
    if n < 2 { Ok(n * 10) } else { Err(format!("{n} is too much")) }
}
