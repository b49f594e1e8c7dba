//! A little of what debug information has to tell: async functions two deep in a task that another one awaits, a plain
//! function, values that are still there in an optimised build. It is built in every way that programs are built.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first thread is in `block_on`, and counts as a task.
static BLOCKS: AtomicBool = AtomicBool::new(false);

struct Order {
    item: String,
    count: u32,
}

#[inline(never)]
fn record(item: &str, cost: u32) -> u32 {
    // BP: record first
    if cost == 0 {
        return 0;
    }
    println!("{item} for {cost}");
    cost + item.len() as u32
}

async fn quote(order: &Order, rate: u32) -> u32 {
    let cost = black_box(order.count * rate);
    tokio::task::yield_now().await;
    record(&order.item, cost) // BP: resumed
}

async fn deliver(order: Order) -> u32 {
    let cost = quote(&order, 7).await; // BP: deliver awaits
    cost + order.count
}

async fn shop() -> u32 {
    while !BLOCKS.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    let order = Order { item: "lamp".to_owned(), count: 3 };
    tokio::spawn(deliver(order)).await.unwrap_or(0) // BP: shop awaits
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let shop = runtime.spawn(shop());
    let total = runtime.block_on(async {
        BLOCKS.store(true, Ordering::SeqCst);
        shop.await.unwrap_or(0)
    });
    println!("total {total}");
}
