//! One future is awaited, in the many ways there are.

use std::hint::black_box;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use tracing::Instrument as _;

use crate::{leaf, other, pause};

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

pub(crate) async fn direct(id: u64) -> u64 {
    let first = leaf(id).await; // BP: direct
    let both = leaf(first).await + other(id).await; // BP: two
    both + first // BP: direct last
}

pub(crate) async fn started(id: u64) -> u64 {
    let mut future = pin!(leaf(id));
    let early = futures_util::poll!(&mut future).is_ready(); // BP: starts
    let done = future.await; // BP: started
    done + u64::from(early) // BP: started last
}

#[rustfmt::skip]
async fn several(
    id: u64,
    more: u64,
) -> u64
where
    u64: Copy,
{
    let sum = black_box(id + more); // BP: several first
    pause().await;
    sum // BP: several last
}

pub(crate) async fn lines(id: u64) -> u64 {
    several(id, 10).await // BP: lines
}

async fn doubled<T: Into<u64> + Copy>(id: T) -> u64 {
    let number: u64 = black_box(id.into() * 2); // BP: doubled first
    pause().await;
    number
}

pub(crate) async fn generic(id: u64) -> u64 {
    let small = doubled(1_u8).await;
    let large = doubled(id).await; // BP: generic
    small + large
}

pub(crate) struct Doubler;

trait Static {
    async fn compute(&self, id: u64) -> u64;
}

impl Static for Doubler {
    async fn compute(&self, id: u64) -> u64 {
        let twice = black_box(id * 2); // BP: afit first
        pause().await;
        twice
    }
}

pub(crate) async fn afit(id: u64) -> u64 {
    Doubler.compute(id).await // BP: afit
}

#[async_trait::async_trait]
trait Object: Send + Sync {
    async fn object(&self, id: u64) -> u64;
}

#[async_trait::async_trait]
impl Object for Doubler {
    async fn object(&self, id: u64) -> u64 {
        let twice = black_box(id * 2); // BP: async_trait first
        pause().await;
        twice
    }
}

pub(crate) async fn async_trait(id: u64) -> u64 {
    let object: Box<dyn Object> = Box::new(Doubler);
    object.object(id).await // BP: async_trait
}

pub(crate) async fn closure(id: u64) -> u64 {
    let closure = async |more: u64| {
        let sum = black_box(id + more); // BP: closure first
        pause().await;
        sum
    };
    closure(5).await // BP: closure
}

#[rustfmt::skip]
async fn short(id: u64) -> u64 { black_box(id) + 1 } // BP: short

pub(crate) async fn one_line(id: u64) -> u64 {
    short(id).await // BP: one_line
}

pub(crate) async fn boxed(id: u64) -> u64 {
    Box::pin(leaf(id)).await // BP: boxed
}

/// Returns before what it has made is polled.
#[inline(always)]
fn maker(id: u64) -> Boxed {
    let twice = black_box(id * 2); // BP: maker first
    Box::pin(leaf(twice))
}

pub(crate) async fn made(id: u64) -> u64 {
    let sum = maker(id).await + 1; // BP: made
    black_box(sum) // BP: made last
}

pub(crate) async fn dynamic(id: u64) -> u64 {
    let future: Boxed = Box::pin(leaf(id));
    future.await // BP: dynamic
}

pub(crate) async fn recursion(id: u64, depth: u64) -> u64 {
    let deeper = depth - 1; // BP: recursion first
    if deeper == 0 {
        return leaf(id).await;
    }
    Box::pin(recursion(id, deeper)).await + deeper // BP: recursion
}

pub(crate) async fn block(id: u64) -> u64 {
    let block = async {
        let twice = black_box(id * 2); // BP: block first
        pause().await;
        twice
    };
    block.await // BP: block
}

pub(crate) async fn map(id: u64) -> u64 {
    let mapped = leaf(id).map(|value| value + 1);
    mapped.await // BP: map
}

pub(crate) async fn timeout(id: u64) -> u64 {
    let limit = Duration::from_secs(3_600);
    tokio::time::timeout(limit, leaf(id)).await.unwrap_or(0) // BP: timeout
}

pub(crate) async fn caught(id: u64) -> u64 {
    AssertUnwindSafe(leaf(id)).catch_unwind().await.unwrap_or(0) // BP: caught
}

pub(crate) async fn instrumented(id: u64) -> u64 {
    leaf(id).instrument(tracing::Span::none()).await // BP: instrumented
}

#[tracing::instrument]
async fn marked(id: u64) -> u64 {
    let twice = black_box(id * 2); // BP: marked first
    pause().await;
    twice
}

pub(crate) async fn attribute(id: u64) -> u64 {
    marked(id).await // BP: attribute
}

/// Polls what it holds, as a program's own wrapper does.
struct Wrapper(Pin<Box<dyn Future<Output = u64> + Send>>);

impl Future for Wrapper {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let inner = &mut self.0; // BP: wrapper first
        inner.as_mut().poll(cx) // BP: wrapper polls
    }
}

pub(crate) async fn written(id: u64) -> u64 {
    Wrapper(Box::pin(leaf(id))).await // BP: written
}

fn number(id: u64) -> u64 {
    let more = black_box(id + 1); // BP: number first
    more * 2
}

pub(crate) async fn sync(id: u64) -> u64 {
    let before = number(id); // BP: sync
    let after = leaf(number(id)).await; // BP: sync argument
    after + before
}

/// Nothing of these is ours to step into.
pub(crate) async fn leaves(id: u64) -> u64 {
    let (send, receive) = tokio::sync::oneshot::channel();
    let spawned = tokio::spawn(async move { send.send(id).is_ok() });
    tokio::time::sleep(Duration::from_millis(1)).await; // BP: leaves sleep
    let received = receive.await.unwrap_or(0); // BP: leaves receive
    let sent = spawned.await.unwrap_or(false); // BP: leaves join
    received + u64::from(sent) // BP: leaves last
}
