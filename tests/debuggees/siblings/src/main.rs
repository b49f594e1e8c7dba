//! Tasks that run the same code at the same time on several threads, each adding up its own number.

async fn pause() {
    tokio::task::yield_now().await;
}

async fn work(id: u64) -> u64 {
    let mut sum = id; // BP: work first
    pause().await; // BP: first await
    sum += id; // BP: between
    pause().await; // BP: second await
    sum += inner(id).await; // BP: third await
    finish(sum) // BP: work last
}

async fn inner(id: u64) -> u64 {
    let twice = id * 2; // BP: inner first
    pause().await; // BP: inner await
    twice // BP: inner last
}

#[inline(never)]
fn finish(sum: u64) -> u64 {
    sum + 1
}

#[tokio::main(worker_threads = 3)]
async fn main() {
    let handles: Vec<_> = (1..=8).map(|id| tokio::spawn(work(id))).collect();
    let mut total = 0;
    for handle in handles {
        total += handle.await.unwrap_or(0);
    }
    println!("total {total}"); // BP: total
}
