//! Channels whose ends are all with somebody who goes on, or who waits for the world outside.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel, unbounded_channel};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinSet;

use crate::tick;

pub(crate) fn all() {
    // A pipeline that is idle: its input never comes.
    let (first, input) = channel::<u64>(4);
    let (second, output) = channel::<u64>(4);
    tokio::spawn(waits_for_world(first));
    tokio::spawn(passes_on(input, second));
    tokio::spawn(swallows(output, Duration::ZERO));

    // One that is always full.
    let (fast, slow) = channel::<u64>(1);
    for _ in 0..3 {
        tokio::spawn(sends(fast.clone()));
    }
    drop(fast);
    tokio::spawn(swallows(slow, Duration::from_millis(1)));

    // One whose sender lies in a table on the heap.
    let (hidden, results) = channel::<u64>(1);
    let table: Arc<std::sync::Mutex<Vec<Sender<u64>>>> = Arc::default();
    table.lock().expect("not poisoned").push(hidden.clone());
    tokio::spawn(async move {
        let kept = table;
        drop(hidden);
        loop {
            tick().await;
            let sender = kept.lock().expect("not poisoned").last().cloned();
            if let Some(sender) = sender {
                sender.send(1).await.expect("a receiver");
            }
        }
    });
    tokio::spawn(swallows(results, Duration::ZERO));

    tokio::spawn(collects());
    tokio::spawn(requests());
    tokio::spawn(unordered());
    tokio::spawn(sets());
    tokio::spawn(watches());
    tokio::spawn(actor());
}

async fn waits_for_world(sender: Sender<u64>) {
    tokio::signal::ctrl_c().await.expect("a signal");
    sender.send(1).await.expect("a receiver");
}

async fn passes_on(mut input: Receiver<u64>, output: Sender<u64>) {
    while let Some(value) = input.recv().await {
        output.send(value).await.expect("a receiver");
    }
}

async fn swallows(mut input: Receiver<u64>, pause: Duration) {
    while let Some(value) = input.recv().await {
        std::hint::black_box(value);
        tokio::time::sleep(pause).await;
    }
}

async fn sends(output: Sender<u64>) {
    loop {
        output.send(1).await.expect("a receiver");
    }
}

/// The sender was cloned and then dropped: only its bytes are still there.
async fn collects() {
    loop {
        let (sender, mut results) = channel::<u64>(2);
        for number in 0..3 {
            let sender = sender.clone();
            tokio::spawn(async move {
                tick().await;
                sender.send(number).await.expect("a receiver");
            });
        }
        drop(sender);
        while let Some(result) = results.recv().await {
            std::hint::black_box(result);
        }
    }
}

async fn requests() {
    let (ask, mut asked) = unbounded_channel::<oneshot::Sender<u64>>();
    tokio::spawn(async move {
        while let Some(answer) = asked.recv().await {
            tick().await;
            answer.send(1).expect("who asked waits");
        }
    });
    loop {
        let (answer, answered) = oneshot::channel();
        ask.send(answer).expect("a receiver");
        answered.await.expect("an answer");
    }
}

async fn unordered() {
    let lock = Mutex::new(0_u64);
    loop {
        let mut futures: FuturesUnordered<_> = (0..4)
            .map(|number| {
                let lock = &lock;
                async move {
                    let mut value = lock.lock().await;
                    tick().await;
                    *value += number;
                }
            })
            .collect();
        while futures.next().await.is_some() {}
    }
}

async fn sets() {
    loop {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(tick());
        }
        while set.join_next().await.is_some() {}
        let (left, right) = tokio::join!(tokio::spawn(tick()), tokio::time::timeout(Duration::from_millis(2), tick()));
        std::hint::black_box((left.is_ok(), right.is_ok()));
    }
}

async fn watches() {
    let (sender, mut receiver) = watch::channel(0_u64);
    tokio::spawn(async move {
        loop {
            tick().await;
            sender.send_modify(|value| *value += 1);
        }
    });
    while receiver.changed().await.is_ok() {}
}

/// Two that ask each other in turns, with a lock taken while the other one answers.
async fn actor() {
    let state = Arc::new(Mutex::new(0_u64));
    let (ask, mut asked) = channel::<oneshot::Sender<u64>>(1);
    tokio::spawn(async move {
        while let Some(answer) = asked.recv().await {
            tick().await;
            answer.send(2).expect("who asked waits");
        }
    });
    loop {
        let mut state = state.lock().await;
        let (answer, answered) = oneshot::channel();
        ask.send(answer).await.expect("a receiver");
        *state += answered.await.expect("an answer");
    }
}
