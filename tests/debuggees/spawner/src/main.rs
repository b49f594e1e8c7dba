//! Spawns N tasks, each suspended three calls deep on one gate, and says `ready` when every one of them is.
//!
//! `spawner N [multi|current] [spin|set]`. A line on standard input opens the gate; then the program ends with `sum S`. With
//! `spin` the root computes and never ends once it has said `ready`; with `set` the tasks are in a set.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What all tasks wait for, and how many have come as far as waiting.
struct Gate {
    open: Notify,
    arrived: AtomicUsize,
}

async fn handle(id: usize, gate: Arc<Gate>) -> usize {
    let doubled = id * 2;
    let answer = stage(id, &gate).await; // BP: in handle
    answer + doubled - doubled
}

async fn stage(id: usize, gate: &Gate) -> usize {
    let label = format!("task-{id}");
    let answer = wait(id, gate).await; // BP: in stage
    answer + label.len() - label.len()
}

async fn wait(id: usize, gate: &Gate) -> usize {
    let passed = gate.open.notified();
    gate.arrived.fetch_add(1, Ordering::SeqCst);
    passed.await; // BP: in wait
    id // BP: passed
}

/// Returns when every spawned task is suspended.
async fn settled(count: usize, gate: &Gate) {
    while gate.arrived.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
    // All have arrived, but a worker may still be on its way out of the last poll: it is not once all are parked.
    let metrics = Handle::current().metrics();
    while (0..metrics.num_workers()).any(|worker| metrics.worker_park_unpark_count(worker) % 2 == 0) {
        std::thread::yield_now();
    }
}

/// Joins all tasks at once.
async fn in_set(count: usize, gate: Arc<Gate>) {
    let mut set: JoinSet<usize> = (0..count).map(|id| handle(id, gate.clone())).collect();
    settled(count, &gate).await;
    announce(count);
    set.join_next().await; // BP: joins set
}

async fn run(count: usize, current: bool) {
    let gate = Arc::new(Gate { open: Notify::new(), arrived: AtomicUsize::new(0) });
    if std::env::args().nth(3).is_some_and(|flag| flag == "set") {
        return in_set(count, gate).await;
    }
    let handles: Vec<_> = (0..count).map(|id| tokio::spawn(handle(id, gate.clone()))).collect();
    if current {
        while gate.arrived.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    } else {
        settled(count, &gate).await;
    }
    announce(count); // BP: announces
    if std::env::args().nth(3).is_some_and(|flag| flag == "spin") {
        turn_for_ever().await; // BP: root spins
    }
    std::thread::spawn(move || open_on_line(&gate));
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("no task fails"); // BP: join
    }
    println!("sum {sum}");
}

async fn turn_for_ever() {
    let mut turns = 0u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1)); // BP: turns
    }
}

#[inline(never)]
fn announce(count: usize) {
    println!("ready {count}"); // BP: ready
}

/// A plain thread, so that the runtime has no task but the spawned ones and the root.
fn open_on_line(gate: &Gate) {
    let mut line = String::new();
    // At the end of input nobody will ever open the gate: the program stays, as a server would.
    if std::io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
        gate.open.notify_waiters();
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let count = args.next().expect("how many tasks").parse().expect("a number of tasks");
    let current = args.next().is_some_and(|flavor| flavor == "current");
    let mut builder = if current { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(count, current));
}
