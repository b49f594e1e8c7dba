//! One task for each way of waiting, on each of smol's executors: the global one, a static one with a thread of its own,
//! one on the stack that nobody drives, one that is bound to the main thread. All wait for ever but those that are meant
//! not to; says "ready" when they do, ends when its standard input does. With `spin`, one task keeps a thread busy.

use std::future::{Future, pending};
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use event_listener::Event;
use smol::lock::{Barrier, Mutex, RwLock, Semaphore};
use smol::net::TcpListener;
use smol::{Executor, LocalExecutor, Task, Timer, channel};

const LONG: Duration = Duration::from_secs(3600);

static WORKERS: Executor<'static> = Executor::new();
static SPINNING: AtomicBool = AtomicBool::new(false);

fn main() {
    let spin = std::env::args().nth(1).is_some_and(|argument| argument == "spin");
    thread::Builder::new()
        .name("worker".to_owned())
        .spawn(|| smol::block_on(WORKERS.run(pending::<()>())))
        .expect("a thread");
    let mut kept: Vec<Task<()>> = Vec::new();
    spawn_waits(&mut kept);
    kept.push(WORKERS.spawn(on_static(1)));
    kept.push(WORKERS.spawn(on_static(2)));
    if spin {
        kept.push(WORKERS.spawn(spin_outer()));
    }

    // On this one tasks are polled only by hand.
    let idle = Executor::new();
    let woken = Arc::new(Event::new());
    let ready = idle.spawn(waits_ready(woken.clone()));
    while idle.try_tick() {}
    woken.notify(1);
    let created = idle.spawn(never_polled());
    let cancelled = idle.spawn(is_cancelled());
    let mut cancel = Box::pin(cancelled.cancel());
    let _ = smol::block_on(smol::future::poll_once(&mut cancel));

    let local = LocalExecutor::new();
    local.spawn(on_thread()).detach();
    smol::block_on(local.run(root(spin)));
    drop((kept, ready, created, cancel));
}

async fn root(spin: bool) {
    Timer::after(Duration::from_millis(50)).await;
    while spin && !SPINNING.load(Ordering::Relaxed) {
        smol::future::yield_now().await;
    }
    println!("ready"); // BP: ready
    smol::unblock(read_input).await; // BP: root
}

fn read_input() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest); // BP: job
}

fn spawn_waits(kept: &mut Vec<Task<()>>) {
    let mutex = Arc::new(Mutex::new(1_u32));
    let held = smol::spawn(hold_mutex(mutex.clone()));
    kept.push(smol::spawn(wait_mutex(mutex)));
    kept.push(smol::spawn(wait_join(held)));
    let lock = Arc::new(RwLock::new(String::new()));
    kept.push(smol::spawn(wait_rwlock(lock)));
    kept.push(smol::spawn(wait_semaphore(Arc::new(Semaphore::new(0)))));
    kept.push(smol::spawn(wait_barrier(Arc::new(Barrier::new(2)))));
    kept.push(smol::spawn(wait_event(Arc::new(Event::new()))));
    kept.push(smol::spawn(wait_receive()));
    kept.push(smol::spawn(wait_send()));
    kept.push(smol::spawn(wait_accept()));
    kept.push(smol::spawn(wait_timer()));
    kept.push(smol::spawn(wait_boxed()));
    kept.push(smol::spawn(wait_either()));
    kept.push(smol::spawn(big_future()));
    smol::spawn(detached()).detach();
}

async fn hold_mutex(mutex: Arc<Mutex<u32>>) {
    let guard = mutex.lock().await;
    Timer::after(LONG).await; // BP: hold_mutex
    drop(guard);
}

async fn wait_mutex(mutex: Arc<Mutex<u32>>) {
    *mutex.lock().await += 1; // BP: wait_mutex
}

async fn wait_join(task: Task<()>) {
    task.await; // BP: wait_join
}

async fn wait_rwlock(lock: Arc<RwLock<String>>) {
    let read = lock.read().await;
    let write = lock.write().await; // BP: wait_rwlock
    drop((read, write));
}

async fn wait_semaphore(semaphore: Arc<Semaphore>) {
    let permit = semaphore.acquire().await; // BP: wait_semaphore
    drop(permit);
}

async fn wait_barrier(barrier: Arc<Barrier>) {
    barrier.wait().await; // BP: wait_barrier
}

async fn wait_event(event: Arc<Event>) {
    event.listen().await; // BP: wait_event
}

async fn wait_receive() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let _ = receiver.recv().await; // BP: wait_receive
    drop(sender);
}

async fn wait_send() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let _ = sender.send(1).await;
    let _ = sender.send(2).await; // BP: wait_send
    drop(receiver);
}

async fn wait_accept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let _ = listener.accept().await; // BP: wait_accept
}

async fn wait_timer() {
    leaf().await; // BP: wait_timer
}

async fn leaf() {
    Timer::after(LONG).await; // BP: leaf
}

async fn wait_boxed() {
    let boxed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(leaf());
    boxed.await; // BP: wait_boxed
}

async fn wait_either() {
    smol::future::or(leaf(), pending::<()>()).await; // BP: wait_either
}

async fn big_future() {
    let bytes = vec![[7_u8; 4096]];
    leaf().await; // BP: big_future
    drop(bytes);
}

async fn detached() {
    leaf().await; // BP: detached
}

async fn on_static(number: u32) {
    Timer::after(LONG).await; // BP: on_static
    println!("{number}");
}

async fn on_thread() {
    leaf().await; // BP: on_thread
}

async fn waits_ready(event: Arc<Event>) {
    event.listen().await; // BP: waits_ready
}

async fn never_polled() {
    leaf().await;
}

async fn is_cancelled() {
    leaf().await;
}

async fn spin_outer() {
    println!("{}", spin_inner()); // BP: spin_outer
}

#[inline(never)]
fn spin_inner() -> u64 {
    SPINNING.store(true, Ordering::Relaxed);
    let mut turns = 0_u64;
    while SPINNING.load(Ordering::Relaxed) {
        turns = std::hint::black_box(turns.wrapping_mul(3)); // BP: spin_inner
    }
    turns
}
