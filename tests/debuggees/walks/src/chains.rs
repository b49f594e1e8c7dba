//! Awaits one after the other.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::{checked, leaf, pause};

pub async fn chain(id: u64) -> u64 {
    let one = id + 1; // BP: chain 1
    let two = leaf(one).await; // BP: chain 2
    let three = leaf(two).await; // BP: chain 3
    let sum = leaf(three).await + one; // BP: chain 4
    let all = sum * 2; // BP: chain 5
    all + id // BP: chain 6
} // BP: chain 7

/// A loop that an error leaves.
#[rustfmt::skip]
pub async fn fallible(id: u64) -> Result<u64, String> {
    let mut sum = id; // BP: fallible 1
    for n in 0..4 { // BP: fallible 2
        let more = checked(n).await?; // BP: fallible 3
        sum += more; // BP: fallible 4
    }
    Ok(sum) // BP: fallible 5
} // BP: fallible 6

#[rustfmt::skip]
pub async fn one_line(id: u64) -> u64 {
    let mut sum = id; // BP: one_line 1
    for _ in 0..3 { sum = leaf(sum).await; } // BP: one_line 2
    sum * 2 // BP: one_line 3
} // BP: one_line 4

#[rustfmt::skip]
pub async fn received(id: u64) -> u64 {
    let (send, mut recv) = mpsc::channel(1); // BP: received 1
    tokio::spawn(supply(send)); // BP: received 2
    let mut sum = id; // BP: received 3
    while let Some(n) = recv.recv().await { // BP: received 4
        sum += n; // BP: received 5
    }
    sum // BP: received 6
} // BP: received 7

async fn supply(send: mpsc::Sender<u64>) {
    for n in [10, 20] {
        pause().await;
        let _ = send.send(n).await;
    }
}

/// Both arms.
#[rustfmt::skip]
pub async fn matched(id: u64) -> u64 {
    let mut sum = id; // BP: matched 1
    for n in 1..3 { // BP: matched 2
        match checked(n).await { // BP: matched 3
            Ok(more) => { // BP: matched 4
                sum += more; // BP: matched 5
            } // BP: matched 6
            Err(why) => { // BP: matched 7
                sum += why.len() as u64; // BP: matched 8
            } // BP: matched 9
        }
    }
    sum // BP: matched 10
} // BP: matched 11

/// The last thing is an await, twice.
pub async fn tailed(id: u64) -> u64 {
    let sum = tail(id).await; // BP: tailed 1
    sum + id // BP: tailed 2
} // BP: tailed 3

async fn tail(id: u64) -> u64 {
    let n = id * 2; // BP: tail 1
    leaf(n).await // BP: tail 2
} // BP: tail 3

/// Nothing here ever waits.
pub async fn ready(id: u64) -> u64 {
    let one = std::future::ready(id).await; // BP: ready 1
    let two = without(one).await; // BP: ready 2
    let three = without(two).await + one; // BP: ready 3
    one + two + three // BP: ready 4
} // BP: ready 5

async fn without(n: u64) -> u64 {
    n + 1 // BP: without 1
}

pub async fn repolled(id: u64) -> u64 {
    let before = id * 3; // BP: repolled 1
    spurious(200).await; // BP: repolled 2
    let after = before + 1; // BP: repolled 3
    after + id // BP: repolled 4
} // BP: repolled 5

/// Is polled that many times in vain.
async fn spurious(mut times: u32) {
    poll_fn(move |context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Awaits in the middle of an expression of several lines.
#[rustfmt::skip]
pub async fn long(id: u64) -> Result<u64, String> {
    let start = id * 10; // BP: long 1
    let sum = start // BP: long 2
        + checked(0) // BP: long 3
            .await? // BP: long 4
        + checked(1) // BP: long 5
            .await?; // BP: long 6
    Ok(sum) // BP: long 7
} // BP: long 8

/// Comes to lines on another worker each.
pub async fn moving(id: u64) -> u64 {
    let here = thread::current().id(); // BP: moving 1
    elsewhere().await; // BP: moving 2
    let there = thread::current().id(); // BP: moving 3
    elsewhere().await; // BP: moving 4
    id + u64::from(here != there) // BP: moving 5
} // BP: moving 6

/// Suspends until another worker goes on with it. What a thread that is no worker wakes up waits for whichever worker is the
/// first to look.
async fn elsewhere() {
    let here = thread::current().id();
    while thread::current().id() == here {
        let _ = spawn_blocking(|| ()).await;
    }
}
