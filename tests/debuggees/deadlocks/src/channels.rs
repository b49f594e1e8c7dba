//! Tasks that wait for each other's messages, or ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

/// Two tasks send to each other until both channels are full.
pub(crate) async fn bounded_circle() {
    let (to_right, from_left) = channel::<u32>(1);
    let (to_left, from_right) = channel::<u64>(1);
    tokio::spawn(left(to_right, from_right));
    tokio::spawn(right(to_left, from_left));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn left(to_right: Sender<u32>, mut from_right: Receiver<u64>) {
    loop {
        to_right.send(1).await.expect("a receiver"); // BP: left
        if to_right.capacity() == 9 {
            from_right.recv().await;
        }
    }
}

async fn right(to_left: Sender<u64>, mut from_left: Receiver<u32>) {
    loop {
        to_left.send(1).await.expect("a receiver"); // BP: right
        if to_left.capacity() == 9 {
            from_left.recv().await;
        }
    }
}

/// Two tasks each of which waits for the other one to end.
pub(crate) async fn joins() {
    let slot = Arc::new(Mutex::new(None));
    let (tell, told) = oneshot::channel();
    let first = tokio::spawn(joins_slot(slot.clone(), told));
    let second = tokio::spawn(joins_first(first));
    *slot.lock().await = Some(second);
    tell.send(()).expect("it waits");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn joins_slot(slot: Arc<Mutex<Option<JoinHandle<()>>>>, told: oneshot::Receiver<()>) {
    told.await.expect("a message");
    let other = slot.lock().await.take().expect("a task");
    other.await.expect("no panic"); // BP: joins_slot
}

async fn joins_first(first: JoinHandle<()>) {
    first.await.expect("no panic"); // BP: joins_first
}

/// A task waits for what a future of its own would send if it were polled.
pub(crate) async fn never_polled() {
    tokio::spawn(forgets_to_poll());
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn forgets_to_poll() {
    let (sender, receiver) = oneshot::channel();
    let producer = produce(sender);
    let answer = receiver.await; // BP: forgets_to_poll
    producer.await;
    println!("{answer:?}");
}

// BP: produce
async fn produce(sender: oneshot::Sender<u32>) {
    sender.send(7).expect("a receiver");
}

/// The same where a task waits for several at once.
pub(crate) async fn never_polled_join() {
    tokio::spawn(forgets_in_join());
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn forgets_in_join() {
    let ((one, first), (two, second)) = (oneshot::channel(), oneshot::channel());
    let (one, two) = (produce(one), produce(two));
    let answers = tokio::join!(first, second); // BP: forgets_in_join
    tokio::join!(one, two);
    println!("{answers:?}");
}

pub(crate) async fn never_polled_select() {
    tokio::spawn(forgets_in_select());
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn forgets_in_select() {
    let ((one, first), (two, second)) = (oneshot::channel(), oneshot::channel());
    let (one, two) = (produce(one), produce(two));
    tokio::select! { // BP: forgets_in_select
        answer = first => println!("{answer:?}"),
        answer = second => println!("{answer:?}"),
    }
    tokio::join!(one, two);
}

/// The well-known forgotten sender: the channel's end never comes because who waits for it could still send.
pub(crate) async fn own_sender() {
    tokio::spawn(collect());
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn collect() {
    let (sender, mut results) = channel::<u32>(4);
    for number in 0..3 {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(number).await.expect("a receiver") });
    }
    let mut sum = 0;
    // BP: collect
    while let Some(result) = results.recv().await {
        sum += result;
    }
    drop(sender);
    println!("{sum}");
}
