//! Variables in scopes of every kind. Each `stop!` is a breakpoint compiled in; the test resumes from one to the next.
#![allow(unused_variables, unused_mut)]

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

macro_rules! stop {
    () => {
        unsafe { std::arch::asm!("int3", "nop") }
    };
}

struct Account {
    owner: String,
    balance: i64,
}

impl Account {
    fn deposit(&mut self, amount: i64) -> i64 {
        let before = self.balance;
        self.balance += amount;
        stop!();
        self.balance - before
    }
}

trait Named {
    fn name(&self, suffix: &str) -> String;
}

impl Named for Account {
    fn name(&self, suffix: &str) -> String {
        stop!();
        format!("{}{suffix}", self.owner)
    }
}

fn shadows(x: u8) {
    let x = u32::from(x) + 1;
    {
        let x = format!("inner {x}");
        stop!();
        black_box(&x);
    }
    let later = 1;
    black_box(later);
}

fn guarded(value: Option<u8>) {
    match value {
        Some(k) if k > 3 => {
            stop!();
            black_box(k);
        }
        _ => {}
    }
}

fn patterns((a, b): (u8, &str), [first, ..]: [u16; 3], _: u32) {
    stop!();
    black_box((a, b, first));
}

fn generic<T: Clone, const N: usize>(items: [T; N]) {
    let copy = items.to_vec();
    stop!();
    black_box(copy);
}

#[inline(always)]
fn inlined(left: u32, right: u32) -> u32 {
    let sum = left + right;
    stop!();
    black_box(sum)
}

fn caller(seed: u32) -> u32 {
    let doubled = seed * 2;
    let item = shadows;
    black_box(item);
    inlined(doubled, 1)
}

fn closures() {
    let text = String::from("captured");
    let mut count = 1;
    let mut add = |by: i32| {
        let was = count;
        count += by;
        stop!();
        black_box((&text, was));
    };
    add(5);
}

fn recursion(depth: u32) {
    if depth == 0 {
        stop!();
    } else {
        recursion(depth - 1);
    }
    black_box(depth);
}

/// Pending once.
struct Yield(bool);

impl Future for Yield {
    type Output = u8;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        let before = self.0;
        self.0 = true;
        if before { Poll::Ready(7) } else { Poll::Pending }
    }
}

async fn leaf(limit: u32, label: &str) -> u8 {
    let kept = String::from("kept");
    let got = Yield(false).await;
    stop!();
    black_box((&kept, limit, label));
    got
}

async fn outer(start: u32) -> u8 {
    let limit = start + 1;
    let limit = limit.to_string();
    let result = leaf(start, &limit).await;
    black_box(&limit);
    result
}

impl Account {
    /// Captures by reference: a place in `self`, an unsized argument, a local.
    async fn blocks(&self, text: &str, list: &[u32]) -> u8 {
        let local = 3_u16;
        let part = async {
            let got = Yield(false).await;
            stop!();
            black_box((self.balance, text, list, local));
            got
        };
        let check = || {
            stop!();
            black_box((self.balance, text.len(), list.len(), local));
        };
        check();
        part.await
    }
}

macro_rules! wait {
    () => {
        Yield(false).await
    };
}

/// Both awaits have the macro's line.
async fn twice() {
    wait!();
    let between = 2;
    black_box(between);
    wait!();
    let after = 3;
    stop!();
    black_box(after);
}

#[inline(never)]
fn look<T>(future: &T) {
    stop!();
    black_box(future);
}

fn main() {
    let mut account = Account { owner: "ann".into(), balance: 10 };
    account.deposit(5);
    account.name("!");
    shadows(1);
    guarded(Some(9));
    patterns((1, "two"), [3, 4, 5], 6);
    generic(["p", "q"]);
    caller(20);
    closures();
    recursion(3);
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(outer(41));
    look(&*future);
    assert!(future.as_mut().poll(&mut context).is_pending());
    look(&*future);
    assert!(future.as_mut().poll(&mut context).is_ready());
    look(&*future);
    let mut blocks = pin!(account.blocks("unsized", &[8, 9]));
    assert!(blocks.as_mut().poll(&mut context).is_pending());
    look(&*blocks);
    assert!(blocks.as_mut().poll(&mut context).is_ready());
    let mut twice = pin!(twice());
    assert!(twice.as_mut().poll(&mut context).is_pending());
    assert!(twice.as_mut().poll(&mut context).is_pending());
    assert!(twice.as_mut().poll(&mut context).is_ready());
}
