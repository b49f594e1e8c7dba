//! Ways to await an async function, to be stepped into: the first argument says which, and eight tasks do it at the same time
//! on four threads. Whatever runs has its task's number as `id`. `// BP: name` marks lines.

mod awaited;
mod branches;
mod spawned;

use std::hint::black_box;

pub(crate) async fn pause() {
    tokio::task::yield_now().await;
}

pub(crate) async fn leaf(id: u64) -> u64 {
    let twice = black_box(id * 2); // BP: leaf first
    pause().await; // BP: leaf await
    black_box(twice) + 1 // BP: leaf last
}

pub(crate) async fn other(id: u64) -> u64 {
    let thrice = black_box(id * 3); // BP: other first
    pause().await; // BP: other await
    black_box(thrice) + 2 // BP: other last
}

async fn work(role: &'static str, id: u64) -> u64 {
    match role {
        "direct" => awaited::direct(id).await,
        "started" => awaited::started(id).await,
        "lines" => awaited::lines(id).await,
        "generic" => awaited::generic(id).await,
        "afit" => awaited::afit(id).await,
        "async_trait" => awaited::async_trait(id).await,
        "closure" => awaited::closure(id).await,
        "one_line" => awaited::one_line(id).await,
        "boxed" => awaited::boxed(id).await,
        "made" => awaited::made(id).await,
        "dynamic" => awaited::dynamic(id).await,
        "recursion" => awaited::recursion(id, 2).await,
        "block" => awaited::block(id).await,
        "map" => awaited::map(id).await,
        "timeout" => awaited::timeout(id).await,
        "caught" => awaited::caught(id).await,
        "instrumented" => awaited::instrumented(id).await,
        "attribute" => awaited::attribute(id).await,
        "written" => awaited::written(id).await,
        "sync" => awaited::sync(id).await,
        "leaves" => awaited::leaves(id).await,
        "join" => branches::join(id).await,
        "try_join" => branches::try_join(id).await,
        "select" => branches::select(id).await,
        "select_loop" => branches::select_loop(id).await,
        "futures_join" => branches::futures_join(id).await,
        "futures_select" => branches::futures_select(id).await,
        "join_all" => branches::join_all(id).await,
        "unordered" => branches::unordered(id).await,
        "buffered" => branches::buffered(id).await,
        "stream" => branches::stream(id).await,
        "loses" => branches::loses(id).await,
        "twins" => branches::twins(id).await,
        "spawn" => spawned::spawn(id).await,
        "spawn_local" => spawned::spawn_local(id).await,
        "join_set" => spawned::join_set(id).await,
        "spawn_block" => spawned::spawn_block(id).await,
        "spawn_cancelled" => spawned::spawn_cancelled(id).await,
        "spawn_forgotten" => spawned::spawn_forgotten(id),
        _ => 0,
    }
}

fn main() {
    let role: &'static str = Box::leak(std::env::args().nth(1).unwrap_or_default().into_boxed_str());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let total = if ["spawn_local", "spawn_cancelled", "spawn_forgotten"].contains(&role) {
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(work(role, 1)))
    } else {
        runtime.block_on(all(role))
    };
    println!("total {total}");
}

async fn all(role: &'static str) -> u64 {
    let handles: Vec<_> = (1..=8).map(|id| tokio::spawn(work(role, id))).collect();
    let mut total = 0;
    for handle in handles {
        total += handle.await.unwrap();
    }
    total
}
