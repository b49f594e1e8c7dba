//! Futures inside streams.

use std::pin::pin;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_stream::wrappers::ReceiverStream;

use crate::{failing, left, quick, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(buffer_unordered());
    tokio::spawn(buffered());
    tokio::spawn(for_each_concurrent());
    tokio::spawn(try_for_each_concurrent());
    tokio::spawn(for_each());
    tokio::spawn(made_by_macro());
    tokio::spawn(receiver_stream());
    tokio::spawn(unfold());
    tokio::spawn(then_stream());
    tokio::spawn(boxed_stream());
    2 + 2 + 2 + 2 + 1 + 1 + 0 + 1 + 1 + 1
}

async fn buffer_unordered() {
    let numbers: Vec<u32> = stream::iter(0..5).map(left).buffer_unordered(2).collect().await; // BP: buffer_unordered
    spend(numbers);
}

async fn buffered() {
    let mut numbers = stream::iter(0..5).map(right).buffered(2);
    spend(numbers.next().await); // BP: buffered
}

async fn for_each_concurrent() {
    let each = |number| async move { spend(left(number).await) }; // BP: each_concurrent
    stream::iter(0..5).for_each_concurrent(2, each).await; // BP: for_each_concurrent
}

async fn try_for_each_concurrent() {
    let each = |number| async move { failing(number).await.map(spend) }; // BP: try_each_concurrent
    let numbers = stream::iter((0..5).map(Ok));
    spend(numbers.try_for_each_concurrent(2, each).await); // BP: try_for_each_concurrent
}

async fn for_each() {
    stream::iter(0..5).for_each(|number| async move { spend(left(number).await) }).await; // BP: for_each
}

async fn made_by_macro() {
    let numbers = async_stream::stream! {
        yield quick(1).await;
        yield left(2).await; // BP: yields
    };
    let mut numbers = pin!(numbers);
    while numbers.next().await.is_some() {} // BP: made_by_macro
}

async fn receiver_stream() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<u32>(1);
    let mut numbers = ReceiverStream::new(receiver);
    spend(numbers.next().await); // BP: receiver_stream
    spend(sender);
}

async fn unfold() {
    let numbers = stream::unfold(1, |number| async move { Some((right(number).await, number + 1)) }); // BP: unfolds
    let mut numbers = pin!(numbers);
    spend(numbers.next().await); // BP: unfold
}

async fn then_stream() {
    let mut numbers = pin!(stream::iter(0..5).then(left));
    spend(numbers.next().await); // BP: then_stream
}

async fn boxed_stream() {
    let mut numbers = stream::iter(0..5).then(right).boxed();
    spend(numbers.next().await); // BP: boxed_stream
}
