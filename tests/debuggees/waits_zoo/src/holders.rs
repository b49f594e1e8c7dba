//! Guards in every place where a task can have them, and some that are dead.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::sync::Db;
use crate::{LONG, arrive, spawn};

/// A lock and a task that waits for it, so that its holder has somebody to be named to.
macro_rules! contended {
    ($holder:ident, $waiter:ident) => {
        let lock = Arc::new(Mutex::new(Db { rows: 1 }));
        spawn($holder(lock.clone())).await;
        spawn($waiter(lock)).await;
    };
}

macro_rules! waiters {
    ($($waiter:ident)*) => {
        $(async fn $waiter(lock: Arc<Mutex<Db>>) {
            arrive();
            lock.lock().await.rows += 1; // BP: waiter
            // Linkers make one function of several that are equal.
            std::hint::black_box(stringify!($waiter));
        })*
    };
}

waiters! {
    for_owned for_mapped for_vector for_kept for_selected for_unordered for_captured for_handed for_gone_one
    for_boxed
}

pub(crate) async fn all() {
    contended!(owned, for_owned);
    contended!(mapped, for_mapped);
    contended!(vector, for_vector);
    contended!(kept, for_kept);
    contended!(selected, for_selected);
    contended!(unordered, for_unordered);
    contended!(captured, for_captured);
    contended!(boxed, for_boxed);

    // Two guards that were dropped, and one that lives: nobody else is the holder.
    let lock = Arc::new(Mutex::new(Db { rows: 1 }));
    spawn(gone(lock.clone())).await;
    spawn(gone_moved(lock.clone())).await;
    spawn(still_held(lock.clone())).await;
    spawn(for_gone_one(lock)).await;

    // Dropped, and free.
    let lock = Arc::new(Mutex::new(Db { rows: 1 }));
    spawn(free(lock)).await;

    let permits = Arc::new(Semaphore::new(2));
    if let Ok(permit) = permits.clone().acquire_owned().await {
        spawn(permit_argument(permit)).await;
    }
    if let Ok(permit) = permits.clone().acquire_owned().await {
        spawn(permit_argument(permit)).await;
    }
    spawn(for_permit(permits)).await;

    let lock = Arc::new(Mutex::new(Db { rows: 1 }));
    let guard = lock.clone().lock_owned().await;
    spawn(async move {
        arrive();
        tokio::time::sleep(LONG).await; // BP: captured_block
        drop(guard);
    })
    .await;
    spawn(for_handed(lock)).await;
}

struct Session {
    guard: Option<OwnedMutexGuard<Db>>,
    name: String,
}

async fn owned(lock: Arc<Mutex<Db>>) {
    let session = Session { guard: Some(lock.lock_owned().await), name: String::from("owned") };
    arrive();
    tokio::time::sleep(LONG).await; // BP: owned
    drop((session.guard, session.name));
}

async fn mapped(lock: Arc<Mutex<Db>>) {
    let guard: MappedMutexGuard<'_, u32> = MutexGuard::map(lock.lock().await, |db| &mut db.rows);
    arrive();
    tokio::time::sleep(LONG).await; // BP: mapped
    drop(guard);
}

async fn vector(lock: Arc<Mutex<Db>>) {
    let guards = vec![(1_u8, lock.lock().await)];
    arrive();
    tokio::time::sleep(LONG).await; // BP: vector
    drop(guards);
}

async fn boxed(lock: Arc<Mutex<Db>>) {
    let guard = Box::new(lock.lock().await);
    arrive();
    tokio::time::sleep(LONG).await; // BP: boxed
    drop(guard);
}

/// Holds the lock inside a future that was polled once and is not polled any more.
async fn kept(lock: Arc<Mutex<Db>>) {
    let mut future = pin!(inner(&lock));
    futures_util::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: kept
    future.await;
}

async fn inner(lock: &Mutex<Db>) {
    let guard = lock.lock().await;
    tokio::time::sleep(LONG).await; // BP: inner
    drop(guard);
}

/// Holds the lock in a branch of a `select!` that goes on being polled.
async fn selected(lock: Arc<Mutex<Db>>) {
    tokio::select! { // BP: selected
        () = inner(&lock) => {}
        () = waiting() => {}
    }
}

async fn waiting() {
    arrive();
    tokio::time::sleep(LONG).await; // BP: waiting
}

/// Holds the lock in a member of a set that is not polled while its owner awaits something else.
async fn unordered(lock: Arc<Mutex<Db>>) {
    let mut set: FuturesUnordered<_> = [Some(&*lock), None].into_iter().map(member).collect();
    set.next().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: unordered
    set.next().await;
}

async fn member(lock: Option<&Mutex<Db>>) {
    match lock {
        Some(lock) => inner(lock).await,
        None => {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn captured(lock: Arc<Mutex<Db>>) {
    let guard = lock.lock().await;
    let block = async {
        arrive();
        tokio::time::sleep(LONG).await; // BP: captured
        guard.rows
    };
    block.await; // BP: captured_awaits
}

async fn gone(lock: Arc<Mutex<Db>>) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone
}

async fn gone_moved(lock: Arc<Mutex<Db>>) {
    let mut guard = lock.lock_owned().await;
    guard.rows += 1;
    take(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: gone_moved
}

fn take(guard: OwnedMutexGuard<Db>) {
    std::hint::black_box(guard.rows);
}

async fn still_held(lock: Arc<Mutex<Db>>) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    arrive();
    tokio::time::sleep(LONG).await; // BP: still_held
    guard.rows += 1;
}

async fn free(lock: Arc<Mutex<Db>>) {
    let mut guard = lock.lock().await;
    guard.rows += 1;
    drop(guard);
    arrive();
    tokio::time::sleep(LONG).await; // BP: free
}

async fn permit_argument(permit: OwnedSemaphorePermit) {
    arrive();
    tokio::time::sleep(LONG).await; // BP: permit_argument
    drop(permit);
}

async fn for_permit(permits: Arc<Semaphore>) {
    arrive();
    let _ = permits.acquire().await; // BP: for_permit
}
