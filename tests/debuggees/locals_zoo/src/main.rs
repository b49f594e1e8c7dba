//! Variables of suspended tasks: hidden by others of their name, saved or not, not there yet, gone. All tasks wait for
//! ever; says "ready" when they do, ends when its standard input does. The names of the functions are what tests look for.

mod tricky;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

/// How many tasks wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

#[tokio::main(worker_threads = 2)]
async fn main() {
    tokio::spawn(kept(1));
    tokio::spawn(shadowed(7));
    tokio::spawn(outer_kept());
    tokio::spawn(inner_kept());
    tokio::spawn(rebound(60));
    tokio::spawn(argument_not_kept(5, String::from("gone")));
    tokio::spawn(not_kept());
    tokio::spawn(moved());
    tokio::spawn(not_yet());
    let captured = String::from("captured");
    tokio::spawn(async move {
        let number = captured.len();
        wait().await; // BP: in block
        spend((number, captured));
    });
    let waiting = 10 + tricky::spawn();
    while ARRIVED.load(Ordering::Acquire) < waiting {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("ready");
    let mut rest = Vec::new();
    let ended = tokio::io::stdin().read_to_end(&mut rest).await;
    println!("{}", ended.is_ok());
}

async fn wait() {
    ARRIVED.fetch_add(1, Ordering::Release);
    std::future::pending::<()>().await;
}

fn spend<T>(value: T) {
    std::hint::black_box(value);
}

async fn kept(number: u32) {
    let text = format!("kept {number}");
    wait().await; // BP: kept
    spend((number, text));
}

async fn shadowed(x: u8) {
    spend(&x);
    let x = format!("text {x}");
    spend(&x);
    let x = vec![1_u16, 2, x.len() as u16];
    wait().await; // BP: shadowed
    spend(x);
}

/// The one that is visible is not saved.
async fn outer_kept() {
    let x = String::from("outer");
    {
        let x = x.len();
        spend(x);
        wait().await; // BP: outer_kept
    }
    spend(x);
}

async fn inner_kept() {
    let x = 1_u8;
    spend(x);
    let x = String::from("inner");
    wait().await; // BP: inner_kept
    spend(x);
}

async fn rebound(seconds: u64) {
    let seconds = seconds + 1;
    wait().await; // BP: rebound
    spend(seconds);
}

async fn argument_not_kept(number: u32, text: String) {
    spend((number, text));
    wait().await; // BP: argument_not_kept
}

async fn not_kept() {
    let number = 5_u32;
    spend(number);
    wait().await; // BP: not_kept
}

async fn moved() {
    let text = String::from("moved");
    spend(text);
    let flag = true;
    wait().await; // BP: moved
    spend(flag);
}

async fn not_yet() {
    let late: u32;
    wait().await; // BP: not_yet
    late = 3;
    spend(late);
}
