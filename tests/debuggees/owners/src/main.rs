//! Tasks of every owner there is: `owners idle|local|undriven|bound|jobs|several|entered|dropped`. Each way prints "ready" and then
//! does nothing.

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, LocalOptions, Runtime};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_blocking, spawn_local, yield_now};

async fn sleeper() {
    tokio::time::sleep(Duration::from_secs(3600)).await; // BP: sleeps
}

async fn receiver(receiver: oneshot::Receiver<u32>) {
    let _ = receiver.await; // BP: receives
}

async fn bound() {
    pending::<()>().await; // BP: bound
}

async fn never_polled() {}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn threads(workers: usize, blocking: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).max_blocking_threads(blocking).enable_all().build().expect("a runtime")
}

async fn settled() {
    for _ in 0..8 {
        yield_now().await;
    }
}

fn ready() {
    println!("ready");
    loop {
        thread::park();
    }
}

/// A runtime with three tasks, two of which were polled, and nobody inside.
fn idle() {
    let runtime = current_thread();
    let (sender, of_sender) = oneshot::channel();
    runtime.spawn(sleeper());
    runtime.spawn(receiver(of_sender));
    runtime.block_on(settled());
    runtime.spawn(never_polled());
    static KEPT: std::sync::Mutex<Option<(Runtime, oneshot::Sender<u32>)>> = std::sync::Mutex::new(None);
    *KEPT.lock().expect("nobody panicked") = Some((runtime, sender));
    ready();
}

/// A set that a runtime's root drives, with two tasks, beside one task of the runtime itself.
fn local() {
    let runtime = current_thread();
    runtime.spawn(sleeper());
    let set = LocalSet::new();
    set.block_on(&runtime, async {
        spawn_local(bound());
        spawn_local(bound());
        settled().await;
        println!("ready");
        pending::<()>().await; // BP: drives
    });
}

/// Two sets that nobody drives at the moment, one inside a runtime of two threads.
fn undriven() {
    let alone = LocalSet::new();
    alone.spawn_local(never_polled());
    threads(2, 1).block_on(async {
        let set = LocalSet::new();
        set.run_until(async {
            spawn_local(bound());
            settled().await;
        })
        .await;
        tokio::spawn(sleeper());
        println!("ready");
        pending::<()>().await; // BP: aside
        drop(set);
    });
    drop(alone);
}

/// A runtime whose tasks are bound to its thread.
fn bound_runtime() {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).expect("a runtime");
    runtime.block_on(async {
        spawn_local(bound());
        tokio::spawn(sleeper());
        settled().await;
        println!("ready");
        pending::<()>().await;
    });
}

/// Two jobs on the only two threads there are, three that wait for one, and somebody who joins the last.
fn jobs() {
    let runtime = threads(1, 2);
    runtime.block_on(async {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..2 {
            let sender = sender.clone();
            spawn_blocking(move || {
                let _ = sender.send(());
                loop {
                    thread::park(); // BP: works
                }
            });
        }
        for _ in 0..2 {
            let _ = receiver.recv();
        }
        for _ in 0..2 {
            spawn_blocking(|| println!("never"));
        }
        let last = spawn_blocking(|| 7);
        println!("ready");
        let _ = last.await; // BP: joins
    });
}

/// Three runtimes: one of two threads, one of one thread that somebody drives, one that nobody does.
fn several() {
    let (pool, idle) = (threads(2, 1), current_thread());
    for _ in 0..2 {
        pool.spawn(sleeper());
    }
    idle.spawn(never_polled());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        current_thread().block_on(async {
            tokio::spawn(bound());
            settled().await;
            let _ = sender.send(());
            pending::<()>().await; // BP: elsewhere
        });
    });
    let _ = receiver.recv();
    pool.block_on(settled());
    ready();
}

/// A plain thread with a handle to a runtime, and one inside of another within it.
fn entered() {
    let (outer, inner) = (threads(1, 1), current_thread());
    let handle: Handle = outer.handle().clone();
    outer.spawn(sleeper());
    inner.spawn(never_polled());
    outer.block_on(settled());
    let _first = handle.enter();
    let _second = inner.enter();
    ready();
}

/// What is left of a runtime that is gone, of one that is shutting down, and of sets that are gone.
fn dropped() {
    for _ in 0..3 {
        let runtime = current_thread();
        runtime.spawn(sleeper());
        runtime.block_on(settled());
        drop(LocalSet::new().spawn_local(never_polled()));
    }
    let last = threads(1, 1);
    last.spawn(sleeper());
    last.block_on(settled());
    last.shutdown_background();
    let kept = current_thread();
    kept.spawn(sleeper());
    kept.block_on(settled());
    ready();
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("idle") => idle(),
        Some("local") => local(),
        Some("undriven") => undriven(),
        Some("bound") => bound_runtime(),
        Some("jobs") => jobs(),
        Some("several") => several(),
        Some("entered") => entered(),
        Some("dropped") => dropped(),
        other => eprintln!("owners {other:?}: there is no such way"),
    }
}
