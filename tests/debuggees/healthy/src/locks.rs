//! Locks that many want and everybody gets.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, oneshot};

use crate::tick;

pub(crate) fn all() {
    let counter = Arc::new(Mutex::new(0_u64));
    let log = Arc::new(Mutex::new(Vec::new()));
    for number in 0..4 {
        tokio::spawn(contend(counter.clone(), number));
        tokio::spawn(drops_early(counter.clone(), log.clone()));
        tokio::spawn(in_order(counter.clone(), log.clone()));
    }
    tokio::spawn(polled_holder(counter.clone()));
    tokio::spawn(select_keeps_future(counter));
    tokio::spawn(polls_by_hand());
    tokio::spawn(drops_what_it_left());

    let table = Arc::new(RwLock::new(0_u64));
    for _ in 0..3 {
        tokio::spawn(reads(table.clone()));
        tokio::spawn(reads_then_joins(table.clone()));
    }
    tokio::spawn(writes(table));

    let permits = Arc::new(Semaphore::new(2));
    for _ in 0..2 {
        tokio::spawn(sleeps_with_permit(permits.clone()));
    }
    for _ in 0..3 {
        tokio::spawn(wants_permit(permits.clone()));
    }
    let slots = Arc::new(Semaphore::new(3));
    for _ in 0..5 {
        tokio::spawn(takes_turns(slots.clone()));
    }
    let signal = Arc::new(Semaphore::new(0));
    tokio::spawn(raises(signal.clone()));
    tokio::spawn(is_signalled(signal));

    let barrier = Arc::new(Barrier::new(3));
    for number in 0..3 {
        tokio::spawn(meets(barrier.clone(), number));
    }
    let short = Arc::new(StdMutex::new(Vec::new()));
    for _ in 0..3 {
        tokio::spawn(brief_std_lock(short.clone()));
        tokio::spawn(std_guard_dropped(short.clone()));
        tokio::task::spawn_blocking({
            let short = short.clone();
            move || loop {
                short.lock().expect("not poisoned").clear();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
    tokio::spawn(notifies());
}

async fn contend(counter: Arc<Mutex<u64>>, number: u64) {
    loop {
        let mut counter = counter.lock().await;
        *counter += number;
        tick().await;
    }
}

/// The guard's bytes stay in the suspended state although it was given back.
async fn drops_early(counter: Arc<Mutex<u64>>, log: Arc<Mutex<Vec<u64>>>) {
    loop {
        let guard = counter.lock().await;
        let value = *guard;
        drop(guard);
        let mut log = log.lock().await;
        log.clear();
        log.push(value);
        tick().await;
    }
}

async fn in_order(counter: Arc<Mutex<u64>>, log: Arc<Mutex<Vec<u64>>>) {
    loop {
        let counter = counter.lock().await;
        let mut log = log.lock().await;
        log.push(*counter);
        tick().await;
    }
}

/// A future that holds the lock is polled beside others all the time.
async fn polled_holder(counter: Arc<Mutex<u64>>) {
    loop {
        let mut held = pin!(async {
            let mut counter = counter.lock().await;
            tick().await;
            *counter += 1;
            tick().await;
        });
        let mut beat = tokio::time::interval(Duration::from_millis(1));
        loop {
            tokio::select! {
                () = &mut held => break,
                _ = beat.tick() => {}
            }
        }
    }
}

/// A future that waits for a lock is left for a moment and polled again.
async fn select_keeps_future(counter: Arc<Mutex<u64>>) {
    loop {
        let mut wanted = Box::pin(counter.lock());
        loop {
            tokio::select! {
                guard = &mut wanted => {
                    drop(guard);
                    break;
                }
                () = tick() => tick().await,
            }
        }
    }
}

/// Something of the user's that polls a future of its own.
struct Background(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Background {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(work) = &mut self.0 else { return Poll::Ready(()) };
        let is_ready = work.as_mut().poll(context);
        if is_ready.is_ready() {
            self.0 = None;
        }
        is_ready
    }
}

/// What holds the lock is polled beside what waits for it, by a closure.
async fn polls_by_hand() {
    let lock = Arc::new(Mutex::new(0_u64));
    loop {
        let held = lock.clone();
        let work = async move {
            let mut value = held.lock().await;
            tick().await;
            *value += 1;
        };
        let mut background = Background(Some(Box::pin(work)));
        let mut wanted = pin!(lock.lock());
        let guard = poll_fn(|context| {
            let _ = background.advance(context);
            wanted.as_mut().poll(context)
        });
        drop(guard.await);
    }
}

/// A future is left with the lock and dropped; then a thread that is nobody's has the lock for a while.
async fn drops_what_it_left() {
    let lock = Arc::new(Mutex::new(0_u64));
    loop {
        let mut holder = Box::pin(holds(lock.clone()));
        tokio::select! {
            () = &mut holder => {}
            () = tick() => {}
        }
        drop(holder);
        let (tell, told) = oneshot::channel();
        let taken = lock.clone();
        std::thread::spawn(move || {
            let guard = taken.blocking_lock();
            tell.send(()).expect("who asked waits");
            std::thread::sleep(Duration::from_millis(5));
            drop(guard);
        });
        told.await.expect("it is taken");
        *lock.lock().await += 1;
    }
}

async fn holds(lock: Arc<Mutex<u64>>) {
    let mut value = lock.lock().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    *value += 1;
}

async fn reads(table: Arc<RwLock<u64>>) {
    loop {
        let table = table.read().await;
        tick().await;
        std::hint::black_box(*table);
    }
}

/// Waits for a task that writes what it has just read, and does not hold any more.
async fn reads_then_joins(table: Arc<RwLock<u64>>) {
    loop {
        let seen = table.read().await;
        let value = *seen;
        std::hint::black_box(&seen);
        drop(seen);
        let table = table.clone();
        let writer = tokio::spawn(async move {
            *table.write().await = value;
            tick().await;
        });
        writer.await.expect("no panic");
    }
}

async fn writes(table: Arc<RwLock<u64>>) {
    loop {
        *table.write().await += 1;
        tick().await;
    }
}

async fn sleeps_with_permit(permits: Arc<Semaphore>) {
    let permit = permits.acquire().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    drop(permit);
}

async fn wants_permit(permits: Arc<Semaphore>) {
    drop(permits.acquire().await);
}

async fn takes_turns(slots: Arc<Semaphore>) {
    loop {
        let slot = slots.clone().acquire_owned().await;
        tick().await;
        drop(slot);
    }
}

async fn raises(signal: Arc<Semaphore>) {
    loop {
        tick().await;
        signal.add_permits(1);
    }
}

async fn is_signalled(signal: Arc<Semaphore>) {
    loop {
        signal.acquire().await.expect("open").forget();
    }
}

async fn meets(barrier: Arc<Barrier>, number: u64) {
    loop {
        barrier.wait().await;
        tokio::time::sleep(Duration::from_millis(number)).await;
    }
}

async fn brief_std_lock(short: Arc<StdMutex<Vec<u64>>>) {
    loop {
        short.lock().expect("not poisoned").push(1);
        tokio::task::yield_now().await;
        tick().await;
    }
}

async fn std_guard_dropped(short: Arc<StdMutex<Vec<u64>>>) {
    loop {
        {
            let guard = short.lock().expect("not poisoned");
            std::hint::black_box(&guard);
        }
        tick().await;
    }
}

async fn notifies() {
    let bell = Arc::new(Notify::new());
    let other = bell.clone();
    tokio::spawn(async move {
        loop {
            tick().await;
            other.notify_one();
        }
    });
    loop {
        bell.notified().await;
    }
}
