//! Guards that were borrowed and then given away, whose bytes outlive them, beside some that are alive. Who waits for what
//! a `gone_` task has given away waits for a holder that nobody can find.

use std::hint::black_box;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard, RwLock, Semaphore, mpsc};

use crate::sync::Db;
use crate::{LONG, arrive, spawn};

type Lock = Arc<Mutex<Db>>;

/// A lock that a task locks and gives away again; and one that waits for it, while somebody has it for good.
macro_rules! gone {
    ($($task:ident $waiter:ident)*) => {
        $(
            let lock = Arc::new(Mutex::new(Db { rows: 1 }));
            spawn($task(lock.clone())).await;
            std::mem::forget(lock.clone().lock_owned().await);
            spawn($waiter(lock)).await;
        )*
    };
}

/// A lock that a task holds, and one that waits for it.
macro_rules! held {
    ($($task:ident $waiter:ident)*) => {
        $(
            let lock = Arc::new(Mutex::new(Db { rows: 1 }));
            spawn($task(lock.clone())).await;
            spawn($waiter(lock)).await;
        )*
    };
}

macro_rules! waiters {
    ($($waiter:ident)*) => {
        $(async fn $waiter(lock: Lock) {
            arrive();
            lock.lock().await.rows += 1; // BP: waiter
            // Linkers make one function of several that are equal.
            black_box(stringify!($waiter));
        })*
    };
}

waiters! {
    for_gone_dropped for_gone_owned for_gone_nested for_gone_boxed for_gone_joined for_gone_captured for_gone_field
    for_held for_held_inwards for_held_struct for_handed for_flagged for_cleared
}

pub(crate) async fn all() {
    gone! {
        gone_dropped for_gone_dropped
        gone_owned for_gone_owned
        gone_nested for_gone_nested
        gone_boxed for_gone_boxed
        gone_joined for_gone_joined
        gone_captured for_gone_captured
        gone_field for_gone_field
    }
    held! {
        held for_held
        held_inwards for_held_inwards
        held_struct for_held_struct
        gone_handed for_handed
    }

    let lock = Arc::new(Mutex::new(Db { rows: 1 }));
    spawn(flagged(lock.clone(), black_box(false))).await;
    spawn(for_flagged(lock)).await;
    let lock = Arc::new(Mutex::new(Db { rows: 1 }));
    spawn(flagged(lock.clone(), black_box(true))).await;
    std::mem::forget(lock.clone().lock_owned().await);
    spawn(for_cleared(lock)).await;

    others().await;
}

async fn others() {
    let lock = Arc::new(RwLock::new(1_u32));
    spawn(gone_read(lock.clone())).await;
    spawn(gone_write(lock.clone())).await;
    spawn(held_read(lock.clone())).await;
    spawn(for_read(lock)).await;

    let permits = Arc::new(Semaphore::new(1));
    spawn(gone_permit(permits.clone())).await;
    spawn(held_permit(permits.clone())).await;
    spawn(for_permit(permits)).await;

    let (sender, receiver) = mpsc::channel(1);
    spawn(gone_sender(sender.clone())).await;
    spawn(held_sender(sender)).await;
    spawn(for_sender(receiver)).await;
}

async fn gone_dropped(lock: Lock) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_dropped
}

async fn gone_owned(lock: Lock) {
    let mut guard = lock.lock_owned().await;
    guard.rows += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_owned
}

/// In a coroutine that another one awaits.
async fn gone_nested(lock: Lock) {
    let name = String::from("outer");
    lets_go(&lock).await; // BP: gone_nested
    black_box(name);
}

async fn lets_go(lock: &Mutex<Db>) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: lets_go
    black_box("lets_go");
}

async fn gone_boxed(lock: Lock) {
    let future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let mut guard = lock.lock().await;
        guard.rows += 1;
        drop(guard);
        arrive();
        tokio::time::sleep(LONG).await; // BP: boxed
    });
    future.await; // BP: gone_boxed
}

/// In a branch that others run beside.
async fn gone_joined(lock: Lock) {
    // BP: gone_joined
    tokio::join!(lets_go(&lock), std::future::pending::<()>());
}

/// An async block took it and gave it away.
async fn gone_captured(lock: Lock) {
    let guard = lock.lock_owned().await;
    let block = async move {
        black_box(guard.rows);
        drop(guard);
        arrive();
        tokio::time::sleep(LONG).await; // BP: captured
    };
    block.await; // BP: gone_captured
}

struct Session<'a> {
    guard: MutexGuard<'a, Db>,
    name: String,
}

/// Out of a struct of which the rest stays.
async fn gone_field(lock: Lock) {
    let session = Session { guard: lock.lock().await, name: String::from("session") };
    black_box(&session);
    drop(session.guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_field
    black_box(session.name);
}

async fn held(lock: Lock) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    arrive();
    tokio::time::sleep(LONG).await; // BP: held
    guard.rows += 1;
}

/// Given to the function that it awaits.
async fn held_inwards(lock: Lock) {
    let mut guard = lock.lock_owned().await;
    guard.rows += 1;
    keeps(guard).await; // BP: held_inwards
}

async fn keeps(guard: OwnedMutexGuard<Db>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: keeps
    drop(guard);
}

/// Given to a struct that is kept.
async fn held_struct(lock: Lock) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    let session = Session { guard, name: String::from("session") };
    black_box(&session);
    arrive();
    tokio::time::sleep(LONG).await; // BP: held_struct
    black_box(session.name);
}

/// Given to another task.
async fn gone_handed(lock: Lock) {
    let mut guard = lock.lock_owned().await;
    guard.rows += 1;
    spawn(has_it(guard)).await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_handed
}

async fn has_it(guard: OwnedMutexGuard<Db>) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: has_it
    drop(guard);
}

/// Whether it is alive only the coroutine's drop flag says.
async fn flagged(lock: Lock, drops: bool) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    if drops {
        drop(guard);
    }
    arrive();
    tokio::time::sleep(LONG).await; // BP: flagged
}

async fn gone_read(lock: Arc<RwLock<u32>>) {
    let guard = lock.read().await;
    black_box(*guard);
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_read
}

async fn gone_write(lock: Arc<RwLock<u32>>) {
    let mut guard = lock.write_owned().await;
    *guard += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_write
}

async fn held_read(lock: Arc<RwLock<u32>>) {
    let guard = lock.read().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: held_read
    black_box(*guard);
}

async fn for_read(lock: Arc<RwLock<u32>>) {
    arrive();
    *lock.write().await += 1; // BP: for_read
}

async fn gone_permit(permits: Arc<Semaphore>) {
    let permit = permits.acquire().await;
    black_box(&permit);
    drop(permit);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_permit
}

async fn held_permit(permits: Arc<Semaphore>) {
    let permit = permits.acquire().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: held_permit
    drop(permit);
}

async fn for_permit(permits: Arc<Semaphore>) {
    arrive();
    let _ = permits.acquire().await; // BP: for_permit
}

async fn gone_sender(sender: mpsc::Sender<u8>) {
    let mine = sender.clone();
    black_box(&mine);
    drop(sender);
    drop(mine);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_sender
}

async fn held_sender(sender: mpsc::Sender<u8>) {
    let mine = sender.clone();
    black_box(&mine);
    drop(mine);
    arrive();
    tokio::time::sleep(LONG).await; // BP: held_sender
    drop(sender);
}

async fn for_sender(mut receiver: mpsc::Receiver<u8>) {
    arrive();
    let _ = receiver.recv().await; // BP: for_sender
}
