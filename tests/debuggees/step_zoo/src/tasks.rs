//! Coroutines that several threads poll, with an executor of a screenful: whatever a step makes of them needs no library.

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Queue {
    ready: Mutex<VecDeque<Arc<Task>>>,
    more: Condvar,
}

struct Task {
    job: Mutex<Option<Job>>,
    queue: Arc<Queue>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.queue.ready.lock().unwrap().push_back(self.clone());
        self.queue.more.notify_one();
    }
}

fn spawn(queue: &Arc<Queue>, job: impl Future<Output = ()> + Send + 'static) {
    Arc::new(Task { job: Mutex::new(Some(Box::pin(job))), queue: queue.clone() }).wake();
}

static LEFT: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);

#[inline(never)]
fn add(number: u64) {
    TOTAL.fetch_add(number, Ordering::SeqCst);
}

/// Polls what is ready until nothing is left.
fn serve(queue: &Queue) {
    while LEFT.load(Ordering::SeqCst) > 0 {
        let ready = queue.ready.lock().unwrap();
        let mut ready =
            queue.more.wait_while(ready, |ready| ready.is_empty() && LEFT.load(Ordering::SeqCst) > 0).unwrap();
        let Some(task) = ready.pop_front() else { return };
        drop(ready);
        let waker = Waker::from(task.clone());
        let mut job = task.job.lock().unwrap();
        let done = job.as_mut().is_some_and(|job| job.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        if done {
            *job = None;
            LEFT.fetch_sub(1, Ordering::SeqCst);
            queue.more.notify_all();
        }
    }
}

/// Not ready so many times; it is woken at once.
pub struct Pause(u32);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn siblings(id: u64) {
    let mut sum = id; // BP: sibling first
    Pause(black_box(3)).await; // BP: sibling pause
    sum += id; // BP: sibling between
    Pause(black_box(2)).await; // BP: sibling again
    sum += nested(id).await; // BP: sibling nested
    add(sum); // BP: sibling last
}

async fn nested(id: u64) -> u64 {
    let twice = black_box(id) * 2; // BP: nested first
    Pause(black_box(1)).await; // BP: nested pause
    black_box(twice) // BP: nested last
} // BP: nested end

/// Polls one future once, drops it, and is ready.
struct Impatient<F>(Option<Pin<Box<F>>>, bool);

impl<F: Future> Future for Impatient<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.1 {
            self.1 = true;
            let _ = self.0.as_mut().map(|future| future.as_mut().poll(context));
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.0 = None;
        Poll::Ready(())
    }
}

struct Held(u64);

impl Drop for Held {
    fn drop(&mut self) {
        TOTAL.fetch_add(self.0, Ordering::SeqCst);
    }
}

async fn loser() {
    let held = Held(black_box(100)); // BP: loser first
    Pause(black_box(1000)).await; // BP: loser pause
    drop(held); // BP: loser last
}

async fn racing() {
    Impatient(Some(Box::pin(loser())), false).await; // BP: racing await
    add(1); // BP: racing last
}

async fn ready(id: u64) -> u64 {
    black_box(id) + 1
}

async fn often() {
    for round in 0..black_box(200) {
        // BP: often for
        add(ready(round).await); // BP: often await
    }
}

pub fn run(role: &str) {
    let queue = Arc::new(Queue::default());
    let (tasks, threads) = if role == "siblings" { (8, 3) } else { (1, 2) };
    LEFT.store(tasks, Ordering::SeqCst);
    for id in 1..=tasks {
        match role {
            "siblings" => spawn(&queue, siblings(id)),
            "racing" => spawn(&queue, racing()),
            _ => spawn(&queue, often()),
        }
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| serve(&queue));
        }
    });
    let mut last = pin!(ready(TOTAL.load(Ordering::SeqCst)));
    if let Poll::Ready(total) = last.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        println!("total {total}");
    }
}
