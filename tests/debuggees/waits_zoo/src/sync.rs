//! Locks, semaphores, channels and their like.

use std::sync::Arc;

use tokio::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{LONG, arrive, spawn};

pub(crate) struct Db {
    pub(crate) rows: u32,
}

pub(crate) async fn all() {
    locks().await;
    counts().await;
    channels().await;
    signals().await;
}

async fn locks() {
    let mutex = Arc::new(Mutex::new(Db { rows: 1 }));
    spawn(hold_mutex(mutex.clone())).await;
    spawn(first_in_queue(mutex.clone())).await;
    spawn(second_in_queue(mutex)).await;

    let lock = Arc::new(RwLock::new(String::from("kept")));
    spawn(hold_read(lock.clone())).await;
    spawn(hold_read_owned(lock.clone())).await;
    spawn(wait_write(lock.clone())).await;
    spawn(wait_read_behind(lock)).await;

    let lock = Arc::new(RwLock::new(7_u64));
    spawn(hold_write(lock.clone())).await;
    spawn(wait_read(lock)).await;
}

async fn hold_mutex(mutex: Arc<Mutex<Db>>) {
    let mut guard = mutex.lock().await;
    guard.rows += 1;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_mutex
    guard.rows += 1;
}

async fn first_in_queue(mutex: Arc<Mutex<Db>>) {
    arrive();
    mutex.lock().await.rows += 1; // BP: first_in_queue
}

async fn second_in_queue(mutex: Arc<Mutex<Db>>) {
    arrive();
    mutex.lock_owned().await.rows += 1; // BP: second_in_queue
}

async fn hold_read(lock: Arc<RwLock<String>>) {
    let guard = lock.read().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_read
    drop(guard);
}

async fn hold_read_owned(lock: Arc<RwLock<String>>) {
    let guard = lock.read_owned().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_read_owned
    drop(guard);
}

async fn wait_write(lock: Arc<RwLock<String>>) {
    arrive();
    lock.write().await.push('!'); // BP: wait_write
}

async fn wait_read_behind(lock: Arc<RwLock<String>>) {
    arrive();
    let _ = lock.read().await.len(); // BP: wait_read_behind
}

async fn hold_write(lock: Arc<RwLock<u64>>) {
    let guard = lock.write().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_write
    drop(guard);
}

async fn wait_read(lock: Arc<RwLock<u64>>) {
    arrive();
    let _ = *lock.read().await; // BP: wait_read
}

async fn counts() {
    let semaphore = Arc::new(Semaphore::new(4));
    spawn(hold_permits(semaphore.clone())).await;
    spawn(wait_permits(semaphore.clone())).await;
    spawn(wait_permit_owned(semaphore)).await;

    let cell = Arc::new(OnceCell::new());
    spawn(init_cell(cell.clone())).await;
    spawn(wait_cell(cell)).await;

    spawn(wait_barrier(Arc::new(Barrier::new(3)))).await;
}

async fn hold_permits(semaphore: Arc<Semaphore>) {
    let permits = semaphore.acquire_many(3).await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_permits
    drop(permits);
}

async fn wait_permits(semaphore: Arc<Semaphore>) {
    arrive();
    let _ = semaphore.acquire_many(2).await; // BP: wait_permits
}

async fn wait_permit_owned(semaphore: Arc<Semaphore>) {
    arrive();
    let _ = semaphore.acquire_owned().await; // BP: wait_permit_owned
}

async fn init_cell(cell: Arc<OnceCell<u32>>) {
    cell.get_or_init(slowly).await; // BP: init_cell
}

async fn slowly() -> u32 {
    arrive();
    tokio::time::sleep(LONG).await; // BP: slowly
    3
}

async fn wait_cell(cell: Arc<OnceCell<u32>>) {
    arrive();
    cell.get_or_init(slowly).await; // BP: wait_cell
}

async fn wait_barrier(barrier: Arc<Barrier>) {
    arrive();
    barrier.wait().await; // BP: wait_barrier
}

async fn channels() {
    let (full, drain) = mpsc::channel::<u8>(2);
    let _ = full.send(1).await;
    let _ = full.send(2).await;
    spawn(hold_receiver(drain)).await;
    spawn(wait_send(full.clone())).await;
    spawn(wait_reserve(full)).await;

    let (sender, queue) = mpsc::channel::<String>(4);
    spawn(hold_sender(sender.clone())).await;
    spawn(hold_sender_too(sender)).await;
    spawn(wait_receive(queue)).await;

    let (sender, queue) = mpsc::unbounded_channel::<u32>();
    spawn(wait_unbounded(queue)).await;
    keep(sender);

    let (sender, receiver) = oneshot::channel::<u8>();
    spawn(hold_oneshot(sender)).await;
    spawn(wait_oneshot(receiver)).await;
    let (sender, receiver) = oneshot::channel::<u8>();
    spawn(wait_oneshot_closed(sender)).await;
    keep(receiver);

    let (sender, receiver) = broadcast::channel::<u16>(8);
    spawn(wait_broadcast(receiver)).await;
    keep(sender);

    let (sender, receiver) = watch::channel(0_u32);
    spawn(wait_watch(receiver)).await;
    keep(sender);
}

/// Keeps a value for as long as the program lives, where no task has it.
fn keep<T>(value: T) {
    std::mem::forget(value);
}

async fn hold_receiver(mut drain: mpsc::Receiver<u8>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_receiver
    drain.close();
}

async fn wait_send(full: mpsc::Sender<u8>) {
    arrive();
    let _ = full.send(3).await; // BP: wait_send
}

async fn wait_reserve(full: mpsc::Sender<u8>) {
    arrive();
    let _ = full.reserve().await; // BP: wait_reserve
}

async fn hold_sender(sender: mpsc::Sender<String>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_sender
    drop(sender);
}

async fn hold_sender_too(sender: mpsc::Sender<String>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_sender_too
    drop(sender);
}

async fn wait_receive(mut queue: mpsc::Receiver<String>) {
    arrive();
    let _ = queue.recv().await; // BP: wait_receive
}

async fn wait_unbounded(mut queue: mpsc::UnboundedReceiver<u32>) {
    arrive();
    let _ = queue.recv().await; // BP: wait_unbounded
}

async fn hold_oneshot(sender: oneshot::Sender<u8>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_oneshot
    let _ = sender.send(1);
}

async fn wait_oneshot(receiver: oneshot::Receiver<u8>) {
    arrive();
    let _ = receiver.await; // BP: wait_oneshot
}

async fn wait_oneshot_closed(mut sender: oneshot::Sender<u8>) {
    arrive();
    sender.closed().await; // BP: wait_oneshot_closed
}

async fn wait_broadcast(mut receiver: broadcast::Receiver<u16>) {
    arrive();
    let _ = receiver.recv().await; // BP: wait_broadcast
}

async fn wait_watch(mut receiver: watch::Receiver<u32>) {
    arrive();
    let _ = receiver.changed().await; // BP: wait_watch
}

async fn signals() {
    spawn(wait_notify(Arc::new(Notify::new()))).await;
    spawn(wait_cancellation(CancellationToken::new())).await;
}

async fn wait_notify(notify: Arc<Notify>) {
    arrive();
    notify.notified().await; // BP: wait_notify
}

async fn wait_cancellation(token: CancellationToken) {
    arrive();
    token.cancelled().await; // BP: wait_cancellation
}
