//! Other ways of writing async code: traits, closures, recursion, futures by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::{left, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(in_trait());
    tokio::spawn(in_async_trait());
    tokio::spawn(async_closure());
    tokio::spawn(recursion());
    tokio::spawn(by_hand());
    tokio::spawn(poll_fn());
    tokio::spawn(pinned_on_the_stack());
    tokio::spawn(Box::pin(left(1)));
    1 + 1 + 1 + 1 + 2 + 1 + 1 + 1
}

struct Door;

trait Opens {
    fn open(&self, number: u32) -> impl Future<Output = u32> + Send;
}

impl Opens for Door {
    async fn open(&self, number: u32) -> u32 {
        left(number).await // BP: opens
    }
}

async fn in_trait() {
    spend(Door.open(1).await); // BP: in_trait
}

#[async_trait::async_trait]
trait Closes {
    async fn close(&self, number: u32) -> u32;
}

#[async_trait::async_trait]
impl Closes for Door {
    async fn close(&self, number: u32) -> u32 {
        right(number).await // BP: closes
    }
}

async fn in_async_trait() {
    let door: Box<dyn Closes + Send + Sync> = Box::new(Door);
    spend(door.close(1).await); // BP: in_async_trait
}

async fn async_closure() {
    let closure = async |number: u32| left(number).await; // BP: closure
    spend(closure(1).await); // BP: async_closure
}

async fn recursion() {
    spend(down(2).await); // BP: recursion
}

fn down(depth: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return right(0).await; // BP: deepest
        }
        1 + down(depth - 1).await // BP: deeper
    })
}

/// A future written by hand that polls two others.
struct Both<A, B> {
    first: Pin<Box<A>>,
    second: Pin<Box<B>>,
}

impl<A: Future, B: Future> Future for Both<A, B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let first = self.first.as_mut().poll(context).is_ready();
        let second = self.second.as_mut().poll(context).is_ready();
        if first && second { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn by_hand() {
    Both { first: Box::pin(left(1)), second: Box::pin(right(2)) }.await; // BP: by_hand
}

async fn poll_fn() {
    let mut inner = Box::pin(left(1));
    spend(std::future::poll_fn(|context| inner.as_mut().poll(context)).await); // BP: poll_fn
}

async fn pinned_on_the_stack() {
    let inner = pin!(right(1));
    spend(inner.await); // BP: pinned_on_the_stack
}
