//! An executor written by hand, as books do it: tasks that are shared, each with its future in a mutex, and a queue of
//! those that are to be polled. Beside it a thread that drives one future with pollster. All wait for ever; says "ready"
//! when they do, ends when its standard input does. With `spin`, the first task keeps the executor's thread busy.

#[path = "../../settle.rs"]
mod settle;

use std::future::Future;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    future: Mutex<Option<Boxed>>,
    queue: SyncSender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        queue.send(self).expect("room");
    }
}

struct Executor {
    ready: Receiver<Arc<Task>>,
}

impl Executor {
    fn run(&self) {
        while let Ok(task) = self.ready.recv() {
            let mut slot = task.future.lock().expect("not poisoned");
            if let Some(mut future) = slot.take() {
                let waker = Waker::from(task.clone());
                let mut context = Context::from_waker(&waker);
                if future.as_mut().poll(&mut context).is_pending() {
                    *slot = Some(future);
                }
            }
        }
    }
}

/// Wakers of those that wait.
static WAITING: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
static SPINNING: AtomicBool = AtomicBool::new(false);

/// Never ready; told apart from others by who waits.
struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        WAITING.lock().expect("not poisoned").push(context.waker().clone());
        Poll::Pending
    }
}

fn main() {
    let spin = std::env::args().nth(1).is_some_and(|argument| argument == "spin");
    let (queue, ready) = sync_channel(16);
    let spawn = |future: Boxed| {
        let task = Arc::new(Task { future: Mutex::new(Some(future)), queue: queue.clone() });
        queue.send(task).expect("room");
    };
    let (said, all_said) = channel();
    for number in 1..=3 {
        spawn(Box::pin(waits(number)));
    }
    spawn(Box::pin(nested()));
    spawn(Box::pin(ends()));
    let told = said.clone();
    spawn(Box::pin(async move {
        told.send(()).expect("somebody waits"); // BP: told
    }));
    if spin {
        spawn(Box::pin(spins()));
    }
    thread::Builder::new().name("executor".to_owned()).spawn(move || Executor { ready }.run()).expect("a thread");
    thread::Builder::new().name("driver".to_owned()).spawn(move || pollster::block_on(drives(said))).expect("a thread");
    for _ in 0..2 {
        all_said.recv().expect("somebody says");
    }
    while spin && !SPINNING.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    if !std::env::args().any(|argument| argument == "spin") {
        settle::settle();
    }
    println!("ready"); // BP: ready
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}

async fn waits(number: u32) {
    step().await; // BP: waits
    println!("{number}");
}

async fn step() {
    Never.await; // BP: step
}

/// Awaits a boxed future, which is no task of its own.
async fn nested() {
    let inner: Boxed = Box::pin(step());
    inner.await; // BP: nested
}

async fn ends() {}

async fn drives(said: std::sync::mpsc::Sender<()>) {
    said.send(()).expect("somebody waits");
    step().await; // BP: drives
}

async fn spins() {
    println!("{}", spin()); // BP: spins
}

#[inline(never)]
fn spin() -> u64 {
    SPINNING.store(true, Ordering::Relaxed);
    let mut turns = 0_u64;
    while SPINNING.load(Ordering::Relaxed) {
        turns = std::hint::black_box(turns.wrapping_mul(3)); // BP: spin
    }
    turns
}
