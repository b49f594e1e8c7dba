//! What can be awaited.

use std::hint::black_box;
use std::pin::Pin;

use async_trait::async_trait;

use crate::{leaf, pause};

#[rustfmt::skip]
pub async fn nested(id: u64) -> u64 {
    let start = id * 10; // BP: nested 1
    let sum = async { // BP: nested 2
        let inner = leaf(start).await; // BP: nested 3
        async { // BP: nested 4
            leaf(inner).await // BP: nested 5
        }.await // BP: nested 6
    }.await; // BP: nested 7
    sum + id // BP: nested 8
} // BP: nested 9

pub async fn dynamic(id: u64) -> u64 {
    let boxed: Pin<Box<dyn Future<Output = u64> + Send>> = Box::pin(leaf(id)); // BP: dynamic 1
    let one = boxed.await; // BP: dynamic 2
    let service: Box<dyn Service> = Box::new(Double(one)); // BP: dynamic 3
    let two = service.serve(id).await; // BP: dynamic 4
    let three = deep(2, two).await; // BP: dynamic 5
    one + two + three // BP: dynamic 6
} // BP: dynamic 7

#[async_trait]
trait Service: Send + Sync {
    async fn serve(&self, n: u64) -> u64;
}

struct Double(u64);

#[async_trait]
impl Service for Double {
    async fn serve(&self, n: u64) -> u64 {
        let twice = n * 2; // BP: serve 1
        pause().await; // BP: serve 2
        twice + self.0 // BP: serve 3
    } // BP: serve 4
}

#[rustfmt::skip]
async fn deep(depth: u64, n: u64) -> u64 {
    if depth == 0 { // BP: deep 1
        return leaf(n).await; // BP: deep 2
    }
    let below = Box::pin(deep(depth - 1, n)).await; // BP: deep 3
    below + depth // BP: deep 4
} // BP: deep 5

pub async fn kinds(id: u64) -> u64 {
    let wide = wide(id).await; // BP: kinds 1
    let text = generic(wide[8], "text").await; // BP: kinds 2
    let short = short(text.len() as u64).await; // BP: kinds 3
    let own = Double(short).own(id).await; // BP: kinds 4
    let closure = async |n: u64| leaf(n).await + own; // BP: kinds 5
    let called = closure(1).await; // BP: kinds 6
    let Some(last) = maybe(called).await else { return 0 }; // BP: kinds 7
    wide[0] + last // BP: kinds 8
} // BP: kinds 9

/// Its value is returned through memory.
async fn wide(n: u64) -> [u64; 9] {
    pause().await; // BP: wide 1
    [n; 9] // BP: wide 2
}

async fn generic<T: ToString>(n: u64, value: T) -> String {
    let text = value.to_string(); // BP: generic 1
    pause().await; // BP: generic 2
    format!("{text}{n}") // BP: generic 3
}

#[rustfmt::skip]
async fn short(n: u64) -> u64 { leaf(n).await } // BP: short 1

trait Own {
    async fn own(&self, n: u64) -> u64;
}

impl Own for Double {
    async fn own(&self, n: u64) -> u64 {
        pause().await; // BP: own 1
        n + self.0 // BP: own 2
    }
}

async fn maybe(n: u64) -> Option<u64> {
    pause().await;
    Some(n)
}

/// Too large for its task, which keeps it in a box.
pub async fn large(id: u64) -> u64 {
    let numbers = [id; 4096]; // BP: large 1
    let one = leaf(id).await; // BP: large 2
    let two = leaf(numbers[4095]).await; // BP: large 3
    one + two // BP: large 4
} // BP: large 5

/// The frame of its poll function is larger than a page.
pub async fn roomy(id: u64) -> u64 {
    let page = black_box([id; 1024]); // BP: roomy 1
    let last = page[1023]; // BP: roomy 2
    let one = leaf(last).await; // BP: roomy 3
    let two = leaf(one).await; // BP: roomy 4
    one + two // BP: roomy 5
} // BP: roomy 6

pub async fn calling(id: u64) -> u64 {
    let one = callee(id); // BP: calling 1
    let two = callee(one) + leaf(one).await; // BP: calling 2
    one + two // BP: calling 3
} // BP: calling 4

fn callee(n: u64) -> u64 {
    let more = n + 1; // BP: callee 1
    more * 2 // BP: callee 2
} // BP: callee 3
