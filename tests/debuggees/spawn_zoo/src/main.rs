//! Spawns a task in each of the ways that Tokio has. Says `ready` when all of them wait.
//!
//! `spawn_zoo [multi|current]`. A line `more` on standard input spawns one task more, `end` ends the program.
//! `spawn_zoo churn N` spawns N tasks that end at once, and says how long that took.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinSet, LocalSet};

/// How many tasks wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

async fn wait() {
    ARRIVED.fetch_add(1, Ordering::SeqCst);
    std::future::pending::<()>().await;
}

// BP: plain
async fn plain() {
    wait().await;
}

async fn helped() {
    wait().await;
}

async fn generic<T>(value: T) {
    wait().await;
    drop(value);
}

async fn in_set() {
    wait().await;
}

async fn from_thread() {
    wait().await;
}

async fn in_local_set() {
    wait().await;
}

async fn child() {
    wait().await;
}

async fn grandchild() {
    wait().await;
}

async fn late() {
    wait().await;
}

async fn parent() {
    // BP: parent spawns
    tokio::spawn(async {
        tokio::spawn(grandchild()); // BP: block spawns
        child().await;
    });
    wait().await;
}

#[inline(never)]
fn help() {
    tokio::spawn(helped()); // BP: helper spawns
}

async fn run() {
    tokio::spawn(plain()); // BP: root spawns
    help(); // BP: root calls helper
    for number in 0..2_u8 {
        tokio::spawn(generic(number)); // BP: loop spawns
    }
    tokio::spawn(generic("text")); // BP: other type
    tokio::spawn(parent()); // BP: root spawns parent
    // BP: blocking
    tokio::task::spawn_blocking(|| {
        ARRIVED.fetch_add(1, Ordering::SeqCst);
        std::thread::park();
    });
    let mut set = JoinSet::new();
    set.spawn(in_set()); // BP: set spawns
    let handle = Handle::current();
    let thread = std::thread::spawn(move || {
        handle.spawn(from_thread()); // BP: thread spawns
    });
    thread.join().expect("a thread that spawns");
    let local = LocalSet::new();
    local.spawn_local(in_local_set()); // BP: set of locals
    let ready = async {
        while ARRIVED.load(Ordering::SeqCst) < 11 {
            tokio::task::yield_now().await;
        }
        announce();
        std::future::pending::<()>().await;
    };
    local.run_until(ready).await;
}

#[inline(never)]
fn announce() {
    println!("ready"); // BP: ready
}

/// Does what lines on standard input say, until there are no more.
fn obey(handle: &Handle) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "more" => {
                handle.spawn(late()); // BP: spawns late
                println!("more");
            }
            "end" => std::process::exit(0),
            other => println!("what is {other}?"),
        }
    }
}

async fn churn(count: usize) {
    let begun = Instant::now();
    for _ in 0..count {
        let ended = tokio::spawn(std::future::ready(())).await; // BP: churns
        ended.expect("a task that ends");
    }
    println!("spawned {count} in {} ns", begun.elapsed().as_nanos());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flavor = args.first().map_or("multi", String::as_str);
    let mut builder = if flavor == "multi" { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = builder.worker_threads(2).enable_time().build().expect("a runtime");
    if flavor == "churn" {
        let count = args.get(1).and_then(|count| count.parse().ok()).expect("how many tasks");
        return runtime.block_on(churn(count));
    }
    let handle = runtime.handle().clone();
    std::thread::spawn(move || obey(&handle));
    runtime.block_on(run());
}
