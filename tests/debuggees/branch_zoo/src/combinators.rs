//! Futures around one or two futures.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::future::{self, Either, FutureExt as _, TryFutureExt as _};
use tracing::Instrument as _;

use crate::{LONG, failing, left, quick, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(timeout());
    tokio::spawn(timeout_of_join());
    tokio::spawn(map());
    tokio::spawn(then_first());
    tokio::spawn(then_second());
    tokio::spawn(and_then());
    tokio::spawn(or_else());
    tokio::spawn(fuse());
    tokio::spawn(shared());
    tokio::spawn(abortable());
    tokio::spawn(catch_unwind());
    tokio::spawn(flatten());
    tokio::spawn(either());
    tokio::spawn(select_function());
    tokio::spawn(join_function());
    tokio::spawn(boxed());
    tokio::spawn(boxed_twice());
    tokio::spawn(instrumented());
    tokio::spawn(left(0).instrument(tracing::Span::none()));
    tokio::spawn(unconstrained());
    tokio::spawn(optional());
    1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 2 + 2 + 1 + 1 + 1 + 1 + 1 + 1
}

async fn timeout() {
    let ended = tokio::time::timeout(LONG, left(1)).await; // BP: timeout
    spend(ended);
}

async fn timeout_of_join() {
    let both = async { tokio::join!(left(1), right(2)) }; // BP: timed_join
    let ended = tokio::time::timeout(LONG, both).await; // BP: timeout_of_join
    spend(ended);
}

async fn map() {
    spend(left(1).map(|number| number + 1).await); // BP: map
}

/// The first of both waits: the second is not made yet.
async fn then_first() {
    spend(left(1).then(right).await); // BP: then_first
}

async fn then_second() {
    spend(quick(1).then(right).await); // BP: then_second
}

async fn and_then() {
    let ended = failing(1).and_then(|number| async move { Ok(right(number).await) }).await; // BP: and_then
    spend(ended);
}

async fn or_else() {
    let failed = async { Err::<u32, u32>(quick(1).await) };
    let ended = failed.or_else(failing).await; // BP: or_else
    spend(ended);
}

async fn fuse() {
    spend(left(1).fuse().await); // BP: fuse
}

async fn shared() {
    let shared = left(1).boxed().shared();
    let other = shared.clone();
    spend(shared.await); // BP: shared
    spend(other);
}

async fn abortable() {
    let (future, handle) = future::abortable(left(1));
    spend(future.await); // BP: abortable
    spend(handle);
}

async fn catch_unwind() {
    spend(AssertUnwindSafe(left(1)).catch_unwind().await.is_ok()); // BP: catch_unwind
}

async fn flatten() {
    let nested = async { left(quick(1).await) };
    spend(nested.flatten().await); // BP: flatten
}

async fn either() {
    let flag = std::hint::black_box(true);
    let one = if flag { Either::Left(left(1)) } else { Either::Right(right(2)) };
    spend(one.await); // BP: either
}

async fn select_function() {
    let (first, second) = (Box::pin(left(1)), Box::pin(right(2)));
    let (Either::Left((number, _)) | Either::Right((number, _))) = future::select(first, second).await; // BP: select_function
    spend(number);
}

async fn join_function() {
    spend(future::join3(left(1), quick(2), right(3)).await); // BP: join_function
}

async fn boxed() {
    let future: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(left(1));
    spend(future.await); // BP: boxed
}

async fn boxed_twice() {
    let future: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(left(1));
    let outer: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(future.map(|number| number + 1));
    spend(outer.await); // BP: boxed_twice
}

async fn instrumented() {
    let span = tracing::info_span!("work");
    spend(left(1).instrument(span).await); // BP: instrumented
}

async fn unconstrained() {
    spend(tokio::task::unconstrained(left(1)).await); // BP: unconstrained
}

async fn optional() {
    let some: future::OptionFuture<_> = Some(left(1)).into();
    spend(some.await); // BP: optional
}
