//! Tasks of futures' own pools: one of this thread, one of two threads, and a future that a thread drives itself. All
//! wait for ever; says "ready" when they do, ends when its standard input does.

#[path = "../../settle.rs"]
mod settle;

use std::future::pending;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures::channel::{mpsc, oneshot};
use futures::executor::{LocalPool, ThreadPool, block_on};
use futures::lock::Mutex;
use futures::task::{LocalSpawnExt as _, SpawnExt as _};
use futures::{SinkExt as _, StreamExt as _};

static SPINS: AtomicBool = AtomicBool::new(true);

fn main() {
    let pool = ThreadPool::builder().pool_size(2).name_prefix("pool-").create().expect("a pool");
    let (said, mut all_said) = mpsc::unbounded();
    let (keep, oneshot) = oneshot::channel::<u8>();
    pool.spawn(pool_oneshot(said.clone(), oneshot)).expect("spawned");
    pool.spawn(pool_receive(said.clone())).expect("spawned");
    pool.spawn(pool_send(said.clone())).expect("spawned");
    pool.spawn(pool_lock(said.clone())).expect("spawned");
    pool.spawn(ends(said.clone())).expect("spawned");
    let handle = pool.spawn_with_handle(handled(said.clone())).expect("spawned");
    if std::env::args().any(|argument| argument == "spin") {
        pool.spawn(spins(said.clone())).expect("spawned");
    } else {
        tell(&said);
    }
    let driven = said.clone();
    thread::Builder::new().name("driver".to_owned()).spawn(move || block_on(drives(driven))).expect("a thread");

    let mut local = LocalPool::new();
    let spawner = local.spawner();
    spawner.spawn_local(local_wait(1)).expect("spawned");
    spawner.spawn_local(local_wait(2)).expect("spawned");
    local.run_until_stalled();
    // Not yet taken over by the pool.
    spawner.spawn_local(local_new()).expect("spawned");

    let other = thread::Builder::new().name("local".to_owned()).spawn(local_pool).expect("a thread");
    // The pool's seven, the one that is driven.
    block_on(async {
        for _ in 0..8 {
            all_said.next().await;
        }
    });
    if !std::env::args().any(|argument| argument == "spin") {
        settle::settle();
    }
    println!("ready"); // BP: ready
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
    drop((pool, local, keep, other, handle));
}

/// A pool whose thread is inside it.
fn local_pool() {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    spawner.spawn_local(local_other()).expect("spawned");
    pool.run_until(until());
}

async fn until() {
    pending::<()>().await; // BP: until
}

async fn local_wait(number: u32) {
    pending::<()>().await; // BP: local_wait
    println!("{number}");
}

async fn local_other() {
    pending::<()>().await; // BP: local_other
}

async fn local_new() {
    pending::<()>().await; // BP: local_new
}

async fn drives(said: mpsc::UnboundedSender<()>) {
    tell(&said);
    pending::<()>().await; // BP: drives
}

async fn pool_oneshot(said: mpsc::UnboundedSender<()>, receiver: oneshot::Receiver<u8>) {
    tell(&said);
    let _ = receiver.await; // BP: pool_oneshot
}

async fn pool_receive(said: mpsc::UnboundedSender<()>) {
    let (sender, mut receiver) = mpsc::channel::<u8>(1);
    tell(&said);
    receiver.next().await; // BP: pool_receive
    drop(sender);
}

async fn pool_send(said: mpsc::UnboundedSender<()>) {
    let (mut sender, receiver) = mpsc::channel::<u8>(0);
    tell(&said);
    let _ = sender.send(1).await; // BP: pool_send
    drop(receiver);
}

async fn pool_lock(said: mpsc::UnboundedSender<()>) {
    let mutex = Mutex::new(7_u8);
    let held = mutex.lock().await;
    tell(&said);
    let second = mutex.lock().await; // BP: pool_lock
    drop((held, second));
}

/// Whoever spawned it keeps a handle to it.
async fn handled(said: mpsc::UnboundedSender<()>) -> u8 {
    tell(&said);
    pending::<u8>().await // BP: handled
}

async fn spins(said: mpsc::UnboundedSender<()>) {
    tell(&said);
    while SPINS.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

async fn ends(said: mpsc::UnboundedSender<()>) {
    tell(&said);
}

fn tell(said: &mpsc::UnboundedSender<()>) {
    let _ = said.unbounded_send(());
}
