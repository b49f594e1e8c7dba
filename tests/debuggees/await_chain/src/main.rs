//! Async functions three deep inside a task that another task awaits, which the root awaits in turn.

use std::sync::Arc;

use tokio::sync::Mutex;

/// Something with a method, so that a frame has a `self`.
struct Ledger {
    entries: Vec<u32>,
    owner: String,
}

impl Ledger {
    async fn total(&mut self, extra: u32) -> u32 {
        let mut total = extra;
        for entry in &self.entries {
            total += entry; // BP: adding
        }
        tokio::task::yield_now().await; // BP: yields
        self.entries.push(total); // BP: resumed
        total
    }
}

async fn audit(ledger: &mut Ledger, extra: u32) -> u32 {
    let before = ledger.entries.len();
    let total = ledger.total(extra).await; // BP: audit awaits
    total + before as u32
}

async fn child(book: Arc<Mutex<Ledger>>, extra: u32) -> u32 {
    let mut ledger = book.lock().await;
    let audited = audit(&mut ledger, extra).await; // BP: child awaits
    audited + 1
}

async fn parent(book: Arc<Mutex<Ledger>>) -> u32 {
    let weight = 10;
    let handle = tokio::spawn(child(book, 5));
    let answer = handle.await.unwrap_or(0); // BP: parent awaits
    answer * weight
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let book = Arc::new(Mutex::new(Ledger { entries: vec![1, 2, 3], owner: "ada".to_owned() }));
    let handle = tokio::spawn(parent(book.clone()));
    let result = handle.await.unwrap_or(0); // BP: main awaits
    let block = async {
        let inside = result + 1;
        tokio::task::yield_now().await;
        inside // BP: in block
    };
    let last = block.await;
    let ledger = book.lock().await;
    println!("result {result} {last} {} {}", ledger.owner, ledger.entries.len());
}
