//! A throng of tasks of ten kinds, all of them suspended: `throng N [multi|current]` spawns N and says `ready N` when every
//! one of them waits. A line on standard input ends it.
//!
//! Task number n is of kind n % 10, in the order of `spawn_one`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

const HOUR: Duration = Duration::from_secs(3600);

/// What the tasks share, and how many have come as far as waiting.
struct Hall {
    gate: Notify,
    door: Mutex<u64>,
    arrived: AtomicUsize,
}

impl Hall {
    fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
    }
}

async fn sleeps(hall: Arc<Hall>) {
    hall.arrive();
    dozes(HOUR).await;
}

async fn dozes(time: Duration) {
    tokio::time::sleep(time).await; // BP: in dozes
}

async fn is_notified(hall: Arc<Hall>) {
    let passed = hall.gate.notified();
    hall.arrive();
    passed.await; // BP: in is_notified
}

async fn locks(hall: Arc<Hall>) -> u64 {
    hall.arrive();
    *hall.door.lock().await // BP: in locks
}

async fn receives(hall: Arc<Hall>) -> Option<u64> {
    let (sender, mut receiver) = mpsc::channel::<u64>(1);
    hall.arrive();
    let received = receiver.recv().await; // BP: in receives
    drop(sender);
    received
}

async fn selects(hall: Arc<Hall>) -> u64 {
    hall.arrive();
    tokio::select! { // BP: in selects
        () = hall.gate.notified() => 1,
        () = dozes(HOUR) => 2,
    }
}

fn boxed(hall: Arc<Hall>) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let (_sender, receiver) = oneshot::channel::<u64>();
        hall.arrive();
        receiver.await.unwrap_or(0) // BP: in boxed
    })
}

async fn joins_two(hall: Arc<Hall>) {
    hall.arrive();
    tokio::join!(dozes(HOUR), is_told(&hall)); // BP: in joins_two
}

async fn is_told(hall: &Hall) {
    hall.gate.notified().await;
}

async fn in_time(hall: Arc<Hall>) -> bool {
    hall.arrive();
    tokio::time::timeout(HOUR, is_told(&hall)).await.is_ok() // BP: in in_time
}

async fn awaits(hall: Arc<Hall>, other: JoinHandle<bool>) -> bool {
    hall.arrive();
    other.await.unwrap_or(false) // BP: in awaits
}

async fn carries(hall: Arc<Hall>) -> usize {
    let load = [7_u8; 300];
    hall.arrive();
    hall.gate.notified().await; // BP: in carries
    load.iter().map(|byte| usize::from(*byte)).sum()
}

/// Spawns task number `n`; `timed` is the handle of the latest one that `in_time` made and nobody awaits.
fn spawn_one(n: usize, hall: &Arc<Hall>, timed: &mut Option<JoinHandle<bool>>) {
    let hall = Arc::clone(hall);
    match n % 10 {
        0 => drop(tokio::spawn(sleeps(hall))),
        1 => drop(tokio::spawn(is_notified(hall))),
        2 => drop(tokio::spawn(locks(hall))),
        3 => drop(tokio::spawn(receives(hall))),
        4 => drop(tokio::spawn(selects(hall))),
        5 => drop(tokio::spawn(boxed(hall))),
        6 => drop(tokio::spawn(joins_two(hall))),
        7 => *timed = Some(tokio::spawn(in_time(hall))),
        8 => drop(tokio::spawn(awaits(hall, timed.take().expect("number 7 came before")))),
        _ => drop(tokio::spawn(carries(hall))),
    }
}

async fn run(count: usize, current: bool) {
    let hall = Arc::new(Hall { gate: Notify::new(), door: Mutex::new(1), arrived: AtomicUsize::new(0) });
    let _closed = hall.door.lock().await;
    let mut timed = None;
    for n in 0..count {
        spawn_one(n, &hall, &mut timed);
    }
    while hall.arrived.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
    if !current {
        all_parked();
    }
    announce(count);
    let (quit, end) = oneshot::channel();
    std::thread::spawn(move || read_line(quit));
    let _ = end.await; // BP: in run
}

/// All tasks have arrived, but a worker may still be on its way out of the last poll: it is not once all are parked.
fn all_parked() {
    let metrics = Handle::current().metrics();
    while (0..metrics.num_workers()).any(|worker| metrics.worker_park_unpark_count(worker) % 2 == 0) {
        std::thread::yield_now();
    }
}

#[inline(never)]
fn announce(count: usize) {
    println!("ready {count}"); // BP: ready
}

fn read_line(quit: oneshot::Sender<()>) {
    // At the end of input nobody will ever say a word: the program stays, as a server would.
    if std::io::stdin().read_line(&mut String::new()).is_ok_and(|length| length > 0) {
        let _ = quit.send(());
    } else {
        std::mem::forget(quit);
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let count = args.next().expect("how many tasks").parse().expect("a number of tasks");
    let current = args.next().is_some_and(|flavor| flavor == "current");
    let mut builder = if current { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(count, current));
}
