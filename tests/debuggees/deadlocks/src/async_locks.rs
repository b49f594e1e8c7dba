//! Tasks that wait for asynchronous locks.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Barrier, Mutex, Notify, OwnedMutexGuard, RwLock, Semaphore};

/// Two tasks take two locks in different orders; a third one only waits for one of the locks.
pub(crate) async fn two_mutexes() {
    let (first, second, all) = locks();
    tokio::spawn(number_then_text(first.clone(), second.clone(), all.clone()));
    tokio::spawn(text_then_number(first.clone(), second, all.clone()));
    tokio::spawn(bystander(first, all));
}

/// The same with guards that bear the names of their locks.
pub(crate) async fn two_shadowed() {
    let (first, second, all) = locks();
    tokio::spawn(hides_number(first.clone(), second.clone(), all.clone()));
    tokio::spawn(hides_text(first.clone(), second, all.clone()));
    tokio::spawn(bystander(first, all));
}

fn locks() -> (Arc<Mutex<u32>>, Arc<Mutex<String>>, Arc<Barrier>) {
    (Arc::new(Mutex::new(1)), Arc::default(), Arc::new(Barrier::new(3)))
}

async fn number_then_text(number: Arc<Mutex<u32>>, text: Arc<Mutex<String>>, all: Arc<Barrier>) {
    let value = number.lock().await;
    all.wait().await;
    let mut words = text.lock().await; // BP: number_then_text
    words.push_str(&value.to_string());
}

async fn text_then_number(number: Arc<Mutex<u32>>, text: Arc<Mutex<String>>, all: Arc<Barrier>) {
    let words = text.lock().await;
    all.wait().await;
    let mut value = number.lock().await; // BP: text_then_number
    *value += u32::try_from(words.len()).expect("short");
}

async fn hides_number(number: Arc<Mutex<u32>>, text: Arc<Mutex<String>>, all: Arc<Barrier>) {
    let number = number.lock().await;
    all.wait().await;
    let mut text = text.lock().await; // BP: hides_number
    text.push_str(&number.to_string());
}

async fn hides_text(number: Arc<Mutex<u32>>, text: Arc<Mutex<String>>, all: Arc<Barrier>) {
    let text = text.lock().await;
    all.wait().await;
    let mut number = number.lock().await; // BP: hides_text
    *number += u32::try_from(text.len()).expect("short");
}

async fn bystander(number: Arc<Mutex<u32>>, all: Arc<Barrier>) {
    all.wait().await;
    *number.lock().await += 1; // BP: bystander
}

/// A task locks what it has locked.
pub(crate) async fn twice() {
    tokio::spawn(lock_twice(Arc::new(Mutex::new(1_u32))));
}

async fn lock_twice(number: Arc<Mutex<u32>>) {
    let outer = number.lock().await;
    let inner = number.lock().await; // BP: lock_twice
    drop((outer, inner));
}

/// A `select!` leaves a future behind that waits for a lock, in a queue in front of its own task: when the lock becomes
/// free it is given to the future that nobody polls.
pub(crate) async fn futurelock() {
    given_away(leaves_behind).await;
}

/// Has the lock until the task has left its future in the queue.
async fn given_away<F: Future<Output = ()> + Send + 'static>(task: fn(Arc<Mutex<u8>>, Arc<Notify>) -> F) {
    let lock = Arc::new(Mutex::new(1_u8));
    let left = Arc::new(Notify::new());
    let guard = lock.lock().await;
    tokio::spawn(task(lock.clone(), left.clone()));
    left.notified().await;
    drop(guard);
}

async fn leaves_behind(lock: Arc<Mutex<u8>>, left: Arc<Notify>) {
    let mut slow = Box::pin(slow(lock.clone()));
    tokio::select! {
        biased;
        () = &mut slow => {}
        () = std::future::ready(()) => {
            left.notify_one();
            fallback(lock).await; // BP: leaves_behind
        }
    }
}

async fn slow(lock: Arc<Mutex<u8>>) {
    *lock.lock().await += 1; // BP: slow
}

async fn fallback(lock: Arc<Mutex<u8>>) {
    *lock.lock().await += 2; // BP: fallback
}

/// The same in one branch of several, all of which wait for that lock.
pub(crate) async fn futurelock_join() {
    given_away(joins_branches).await;
}

async fn joins_branches(lock: Arc<Mutex<u8>>, left: Arc<Notify>) {
    tokio::join!(leaves_behind(lock.clone(), left), fallback(lock));
}

/// What is in a set of futures is polled only while somebody asks the set for the next one.
pub(crate) async fn unordered() {
    tokio::spawn(asks_between(Arc::new(Mutex::new(1_u16))));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn asks_between(lock: Arc<Mutex<u16>>) {
    let mut jobs: FuturesUnordered<_> = (0..2).map(|number| job(lock.clone(), number)).collect();
    while jobs.next().await.is_some() {
        *lock.lock().await += 1; // BP: asks_between
    }
}

async fn job(lock: Arc<Mutex<u16>>, number: u16) {
    if number == 0 {
        return tokio::task::yield_now().await;
    }
    let mut value = lock.lock().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await; // BP: job
    *value += number;
}

/// The same with a future that has the lock already.
pub(crate) async fn guard_left() {
    tokio::spawn(keeps_guard(Arc::new(Mutex::new(7_u64))));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn keeps_guard(lock: Arc<Mutex<u64>>) {
    let mut holder = std::pin::pin!(hold_long(lock.clone().lock_owned().await));
    tokio::select! {
        biased;
        () = &mut holder => {}
        () = std::future::ready(()) => {}
    }
    *lock.lock().await += 1; // BP: keeps_guard
    holder.await;
}

async fn hold_long(guard: OwnedMutexGuard<u64>) {
    tokio::time::sleep(Duration::from_secs(3_600)).await; // BP: hold_long
    drop(guard);
}

/// Three tasks in a circle through two locks for readers and writers and the permits of a semaphore.
pub(crate) async fn three() {
    let table = Arc::new(RwLock::new(1_u32));
    let cache = Arc::new(RwLock::new(String::new()));
    let slots = Arc::new(Semaphore::new(2));
    let all = Arc::new(Barrier::new(3));
    tokio::spawn(table_then_cache(table.clone(), cache.clone(), all.clone()));
    tokio::spawn(cache_then_slots(cache, slots.clone(), all.clone()));
    tokio::spawn(slots_then_table(table, slots, all));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn table_then_cache(table: Arc<RwLock<u32>>, cache: Arc<RwLock<String>>, all: Arc<Barrier>) {
    let table = table.read().await;
    all.wait().await;
    let mut cache = cache.write().await; // BP: table_then_cache
    cache.push_str(&table.to_string());
}

async fn cache_then_slots(cache: Arc<RwLock<String>>, slots: Arc<Semaphore>, all: Arc<Barrier>) {
    let cache = cache.write().await;
    all.wait().await;
    let slot = slots.acquire().await; // BP: cache_then_slots
    drop((cache, slot));
}

async fn slots_then_table(table: Arc<RwLock<u32>>, slots: Arc<Semaphore>, all: Arc<Barrier>) {
    let both = slots.acquire_many(2).await.expect("open");
    all.wait().await;
    let mut table = table.write().await; // BP: slots_then_table
    *table += 1;
    drop(both);
}
