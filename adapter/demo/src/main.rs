//! A small kitchen: waiters take orders, the cook has one stove, the host waits until everybody is fed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

struct Stove {
    dishes: Vec<String>,
}

#[derive(Clone)]
struct Order {
    table: u32,
    dish: &'static str,
    minutes: u64,
}

async fn fry(stove: Arc<Mutex<Stove>>, order: &Order) -> usize {
    let mut stove = stove.lock().await;
    let plate = format!("{} for table {}", order.dish, order.table);
    sleep(Duration::from_millis(order.minutes)).await;
    stove.dishes.push(plate); // BP: plated
    let served = stove.dishes.len();
    served
}

async fn cook(stove: Arc<Mutex<Stove>>, order: Order) -> String {
    let served = fry(stove, &order).await;
    format!("table {}: {} (dish number {served})", order.table, order.dish)
}

async fn serve(stove: Arc<Mutex<Stove>>, order: Order) -> String {
    let note = cook(stove, order).await;
    note.to_uppercase()
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let stove = Arc::new(Mutex::new(Stove { dishes: Vec::new() }));
    let menu = [("soup", 30), ("omelette", 20), ("pancakes", 10)];
    let mut tables = Vec::new();
    for (table, (dish, minutes)) in (1..).zip(menu) {
        let order = Order { table, dish, minutes };
        tables.push(tokio::spawn(serve(stove.clone(), order)));
    }
    for table in tables {
        println!("{}", table.await.expect("a waiter dropped the tray"));
    }
}
