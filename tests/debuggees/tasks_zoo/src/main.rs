//! One task for each way of waiting that a user meets often. Says "ready" when all of them wait; ends when its standard
//! input does. The names of the functions are what tests look for. With the argument `spin` one more task computes
//! without end, and another awaits it; with `spin joined` it computes in a branch of a macro.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, RwLock, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

const LONG: Duration = Duration::from_secs(3_600);

/// How many tasks are about to wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

/// How often the task that computes has gone round.
static TURNS: AtomicUsize = AtomicUsize::new(0);

fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Release);
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mutex = Arc::new(Mutex::new(0_u32));
    let rwlock = Arc::new(RwLock::new(String::from("kept")));
    let semaphore = Arc::new(Semaphore::new(0));
    let notify = Arc::new(Notify::new());
    let (never, receiver) = oneshot::channel::<u8>();
    let (sender, queue) = mpsc::channel::<u8>(1);
    let (_full, _kept) = (fill(&sender).await, sender.clone());

    let held = tokio::spawn(hold_mutex(mutex.clone()));
    until(1).await;
    tokio::spawn(wait_mutex(mutex.clone()));
    tokio::spawn(hold_rwlock(rwlock.clone()));
    until(3).await;
    tokio::spawn(wait_rwlock(rwlock));
    tokio::spawn(wait_semaphore(semaphore.clone()));
    tokio::spawn(wait_notify(notify.clone()));
    tokio::spawn(wait_oneshot(receiver));
    tokio::spawn(wait_send(sender));
    tokio::spawn(wait_receive());
    tokio::spawn(wait_join(held));
    tokio::spawn(wait_join_macro());
    tokio::spawn(wait_select());
    tokio::spawn(wait_timeout());
    tokio::spawn(wait_boxed());
    tokio::spawn(wait_unordered());
    tokio::spawn(wait_join_set());
    tokio::spawn(wait_accept());
    tokio::spawn(wait_read());
    tokio::spawn(wait_interval());
    tokio::spawn(big_future());
    tokio::spawn(Worker { name: String::from("worker") }.run());
    tokio::spawn(async move {
        arrive();
        tokio::time::sleep(LONG).await; // BP: block
    });
    // Twenty-two of them, and the two tasks inside `wait_join_set`.
    until(24).await;
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("spin") {
        if arguments.next().as_deref() == Some("joined") {
            tokio::spawn(spin_joined(3));
        } else {
            tokio::spawn(wait_spin());
            until(25).await;
        }
        while TURNS.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("ready");
    let mut rest = Vec::new();
    let ended = tokio::io::stdin().read_to_end(&mut rest).await; // BP: root
    println!("{} {}", ended.is_ok(), queue.len());
    drop(never);
}

async fn until(count: usize) {
    while ARRIVED.load(Ordering::Acquire) < count {
        tokio::task::yield_now().await;
    }
}

async fn fill(sender: &mpsc::Sender<u8>) -> bool {
    sender.send(1).await.is_ok()
}

async fn hold_mutex(mutex: Arc<Mutex<u32>>) {
    let guard = mutex.lock().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_mutex
    drop(guard);
}

async fn wait_mutex(mutex: Arc<Mutex<u32>>) {
    arrive();
    let mut guard = mutex.lock().await; // BP: wait_mutex
    *guard += 1;
}

async fn hold_rwlock(lock: Arc<RwLock<String>>) {
    let guard = lock.read().await;
    arrive();
    tokio::time::sleep(LONG).await; // BP: hold_rwlock
    drop(guard);
}

async fn wait_rwlock(lock: Arc<RwLock<String>>) {
    arrive();
    lock.write().await.push('!'); // BP: wait_rwlock
}

async fn wait_semaphore(semaphore: Arc<Semaphore>) {
    arrive();
    let permit = semaphore.acquire_many(2).await; // BP: wait_semaphore
    drop(permit);
}

async fn wait_notify(notify: Arc<Notify>) {
    arrive();
    notify.notified().await; // BP: wait_notify
}

async fn wait_oneshot(receiver: oneshot::Receiver<u8>) {
    arrive();
    let _ = receiver.await; // BP: wait_oneshot
}

async fn wait_send(sender: mpsc::Sender<u8>) {
    arrive();
    let _ = sender.send(2).await; // BP: wait_send
}

async fn wait_receive() {
    let (sender, mut receiver) = mpsc::channel::<String>(4);
    arrive();
    let got = receiver.recv().await; // BP: wait_receive
    drop((sender, got));
}

async fn wait_join(other: JoinHandle<()>) {
    arrive();
    let _ = other.await; // BP: wait_join
}

async fn wait_join_macro() {
    arrive();
    tokio::join!(leaf_a(1), leaf_b(2)); // BP: wait_join_macro
}

async fn wait_select() {
    arrive();
    tokio::select! { // BP: wait_select
        () = leaf_a(3) => {}
        () = leaf_b(4) => {}
    }
}

async fn wait_timeout() {
    arrive();
    let _ = tokio::time::timeout(LONG, leaf_a(5)).await; // BP: wait_timeout
}

async fn wait_boxed() {
    arrive();
    let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(leaf_b(6));
    future.await; // BP: wait_boxed
}

async fn wait_unordered() {
    let mut set: FuturesUnordered<_> = (0..3).map(leaf_a).collect();
    arrive();
    while set.next().await.is_some() {} // BP: wait_unordered
}

async fn wait_join_set() {
    let mut set = JoinSet::new();
    for number in 0..2 {
        set.spawn(member(number));
    }
    arrive();
    while set.join_next().await.is_some() {} // BP: wait_join_set
}

async fn member(number: u32) {
    arrive();
    leaf_b(number).await; // BP: member
}

async fn wait_accept() {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
    arrive();
    let _ = listener.accept().await; // BP: wait_accept
}

async fn wait_read() {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
    let Ok(address) = listener.local_addr() else { return };
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let mut buffer = [0; 16];
    arrive();
    let _ = stream.read(&mut buffer).await; // BP: wait_read
}

async fn wait_interval() {
    let mut interval = tokio::time::interval(LONG);
    interval.tick().await;
    arrive();
    interval.tick().await; // BP: wait_interval
}

/// Large enough for Tokio to box it.
async fn big_future() {
    let mut ballast = [0_u8; 20_000];
    ballast[7] = 1;
    arrive();
    leaf_a(8).await; // BP: big_future
    std::hint::black_box(ballast);
}

async fn leaf_a(number: u32) {
    tokio::time::sleep(LONG).await; // BP: leaf_a
    std::hint::black_box(number);
}

async fn leaf_b(number: u32) {
    tokio::time::sleep(LONG).await; // BP: leaf_b
    std::hint::black_box(number);
}

/// Computes in a branch. One variable is called as one of the macro's own.
async fn spin_joined(number: u32) {
    let start = number + 1;
    tokio::join!(spin_outer(start.into()), leaf_a(number)); // BP: spin_joined
    std::hint::black_box(start);
}

async fn wait_spin() {
    let spinning = tokio::spawn(spin_outer(3));
    arrive();
    let _ = spinning.await; // BP: wait_spin
}

async fn spin_outer(start: u64) {
    spin_inner(start).await; // BP: spin_outer
}

async fn spin_inner(start: u64) {
    let mut sum = start;
    loop {
        sum = std::hint::black_box(sum.wrapping_mul(3));
        TURNS.fetch_add(1, Ordering::Release); // BP: spin_inner
    }
}

struct Worker {
    name: String,
}

impl Worker {
    async fn run(self) {
        arrive();
        leaf_b(9).await; // BP: worker
        drop(self.name);
    }
}
