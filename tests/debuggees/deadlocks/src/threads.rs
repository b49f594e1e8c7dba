//! Tasks that block the thread on which others would go on, and one that panics.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};

/// The only thread of a set of local tasks waits for a lock whose holder waits for that thread.
pub(crate) async fn std_mutex() {
    let lock = Arc::new(Mutex::new(1_u32));
    let set = LocalSet::new();
    set.spawn_local(holds_over_await(lock.clone()));
    set.spawn_local(locks(lock));
    set.await;
}

#[allow(clippy::await_holding_lock, reason = "that is what is shown")]
async fn holds_over_await(lock: Arc<Mutex<u32>>) {
    let mut number = lock.lock().expect("not poisoned");
    tokio::time::sleep(Duration::from_secs(3_600)).await; // BP: holds_over_await
    *number += 1;
}

async fn locks(lock: Arc<Mutex<u32>>) {
    crate::ready();
    *lock.lock().expect("not poisoned") += 1; // BP: locks
}

/// The same with the future of a `block_on`, on a runtime of one thread.
#[allow(clippy::await_holding_lock, reason = "that is what is shown")]
pub(crate) async fn std_mutex_of_root() {
    let lock = Arc::new(Mutex::new(1_u32));
    let mut number = lock.lock().expect("not poisoned");
    tokio::spawn(locks(lock.clone()));
    tokio::time::sleep(Duration::from_secs(3_600)).await; // BP: std_mutex_of_root
    *number += 1;
}

/// A task sleeps as threads do, while another one has been woken.
pub(crate) async fn sleeping() {
    let bell = Arc::new(Notify::new());
    tokio::spawn(woken(bell.clone()));
    tokio::task::yield_now().await;
    tokio::spawn(sleeps(bell));
    std::future::pending::<()>().await;
}

async fn woken(bell: Arc<Notify>) {
    bell.notified().await; // BP: woken
}

async fn sleeps(bell: Arc<Notify>) {
    bell.notify_one();
    crate::ready();
    std::thread::sleep(Duration::from_secs(3_600)); // BP: sleeps
}

/// A task receives as threads do.
pub(crate) async fn receiving() {
    let bell = Arc::new(Notify::new());
    tokio::spawn(woken(bell.clone()));
    tokio::task::yield_now().await;
    let (sender, receiver) = std::sync::mpsc::channel();
    tokio::spawn(receives(bell, receiver));
    std::future::pending::<()>().await;
    drop(sender);
}

async fn receives(bell: Arc<Notify>, receiver: std::sync::mpsc::Receiver<u32>) {
    bell.notify_one();
    crate::ready();
    println!("{:?}", receiver.recv()); // BP: receives
}

/// A task reads from a socket as threads do.
pub(crate) async fn reading() {
    let bell = Arc::new(Notify::new());
    tokio::spawn(woken(bell.clone()));
    tokio::task::yield_now().await;
    let (near, far) = UnixStream::pair().expect("two sockets");
    tokio::spawn(reads(bell, near));
    std::future::pending::<()>().await;
    drop(far);
}

async fn reads(bell: Arc<Notify>, mut near: UnixStream) {
    bell.notify_one();
    crate::ready();
    let mut bytes = [0; 16];
    println!("{:?}", near.read(&mut bytes)); // BP: reads
}

/// Both workers of a runtime are blocked, and a third task is ready.
pub(crate) async fn workers() {
    let meet = Arc::new(Barrier::new(2));
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    tokio::spawn(sleeps_beside(meet.clone()));
    tokio::spawn(receives_beside(meet, receiver));
    std::future::pending::<()>().await;
    drop(sender);
}

/// The threads meet, so that neither task can be polled on the other one's.
async fn sleeps_beside(meet: Arc<Barrier>) {
    meet.wait();
    std::thread::sleep(Duration::from_secs(3_600)); // BP: sleeps_beside
}

async fn receives_beside(meet: Arc<Barrier>, receiver: std::sync::mpsc::Receiver<u32>) {
    tokio::spawn(never_runs());
    meet.wait();
    crate::ready();
    println!("{:?}", receiver.recv()); // BP: receives_beside
}

async fn never_runs() {}

/// A task that panicked, whose handle is kept, another one in a set, and one whose handle is gone.
pub(crate) async fn panicked() {
    std::panic::set_hook(Box::new(|_| {}));
    tokio::spawn(waits_for_panic());
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn waits_for_panic() {
    let handle = tokio::spawn(panics(3));
    let mut set = JoinSet::new();
    set.spawn(panics(5));
    drop(tokio::spawn(panics(7)));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    set.join_next().await;
    handle.await.expect("no panic");
}

async fn panics(number: u32) {
    panic!("number {number} is odd")
}
