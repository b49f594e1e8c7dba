//! Tasks that block the worker which polls them.

use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, RwLock};

use crate::{LONG, arrive, spawn};

pub(crate) async fn all() {
    let mutex = Arc::new(Mutex::new(1_u32));
    spawn(hold_std_mutex(mutex.clone())).await;
    spawn(block_on_mutex(mutex)).await;

    let lock = Arc::new(RwLock::new(1_u32));
    spawn(hold_std_write(lock.clone())).await;
    spawn(block_on_read(lock)).await;

    let mutex = Arc::new(parking_lot::Mutex::new(1_u32));
    spawn(hold_parking_lot(mutex.clone())).await;
    spawn(block_on_parking_lot(mutex)).await;

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    spawn(block_on_condvar(pair)).await;

    let (stop, stopped) = channel::<()>();
    std::mem::forget(stop);
    spawn(block_on_channel(stopped)).await;

    let (stop, stopped) = channel::<()>();
    std::mem::forget(stop);
    let thread = std::thread::spawn(move || {
        let _ = stopped.recv();
    });
    spawn(block_on_thread(thread)).await;
    spawn(block_on_sleep()).await;
    spawn(block_on_read_call()).await;
}

/// Blocks its worker as well: what it holds is on that worker's stack.
async fn hold_std_mutex(mutex: Arc<Mutex<u32>>) {
    let guard = mutex.lock().expect("not poisoned");
    arrive();
    std::thread::sleep(LONG); // BP: hold_std_mutex
    drop(guard);
}

async fn block_on_mutex(mutex: Arc<Mutex<u32>>) {
    arrive();
    *mutex.lock().expect("not poisoned") += 1; // BP: block_on_mutex
}

/// Holds a lock over an await, which a compiler's lint warns of for a reason.
#[allow(clippy::await_holding_lock, reason = "that is what is shown")]
fn hold_std_write(lock: Arc<RwLock<u32>>) -> impl Future<Output = ()> + Send + 'static {
    Unchecked(async move {
        let guard = lock.write().expect("not poisoned");
        arrive();
        tokio::time::sleep(LONG).await; // BP: hold_std_write
        drop(guard);
    })
}

async fn block_on_read(lock: Arc<RwLock<u32>>) {
    arrive();
    drop(lock.read()); // BP: block_on_read
}

#[allow(clippy::await_holding_lock, reason = "that is what is shown")]
fn hold_parking_lot(mutex: Arc<parking_lot::Mutex<u32>>) -> impl Future<Output = ()> + Send + 'static {
    Unchecked(async move {
        let guard = mutex.lock();
        arrive();
        tokio::time::sleep(LONG).await; // BP: hold_parking_lot
        drop(guard);
    })
}

async fn block_on_parking_lot(mutex: Arc<parking_lot::Mutex<u32>>) {
    arrive();
    *mutex.lock() += 1; // BP: block_on_parking_lot
}

async fn block_on_condvar(pair: Arc<(Mutex<bool>, Condvar)>) {
    let started = pair.0.lock().expect("not poisoned");
    arrive();
    drop(pair.1.wait(started)); // BP: block_on_condvar
}

async fn block_on_channel(stopped: std::sync::mpsc::Receiver<()>) {
    arrive();
    let _ = stopped.recv(); // BP: block_on_channel
}

async fn block_on_thread(thread: std::thread::JoinHandle<()>) {
    arrive();
    drop(thread.join()); // BP: block_on_thread
}

async fn block_on_sleep() {
    arrive();
    std::thread::sleep(LONG); // BP: block_on_sleep
}

async fn block_on_read_call() {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two descriptors of ours.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    arrive();
    let mut byte = 0_u8;
    // SAFETY: the pointer is to one byte of ours.
    unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) }; // BP: block_on_read_call
}

/// Guards of blocking locks must not move between threads; here nobody unlocks them.
struct Unchecked<F>(F);

// SAFETY: the lock's guard is never dropped, on whatever thread the future is polled.
unsafe impl<F> Send for Unchecked<F> {}

impl<F: Future> Future for Unchecked<F> {
    type Output = F::Output;

    fn poll(self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        // SAFETY: the field is pinned as its owner is.
        unsafe { self.map_unchecked_mut(|unchecked| &mut unchecked.0) }.poll(context)
    }
}
