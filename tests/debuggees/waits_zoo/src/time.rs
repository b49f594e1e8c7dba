//! Timers, tasks, groups.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::{LONG, arrive, spawn};

pub(crate) async fn all() {
    let sleeping = spawn(wait_sleep()).await;
    spawn(wait_join(sleeping)).await;
    spawn(wait_until()).await;
    spawn(wait_interval()).await;
    spawn(wait_timeout()).await;
    spawn(wait_select()).await;
    spawn(wait_join_macro()).await;
    spawn(wait_join_set()).await;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    std::mem::forget(stop);
    let job = tokio::task::spawn_blocking(move || stopped.recv().is_ok()); // BP: job
    spawn(wait_job(job)).await;
}

async fn wait_sleep() {
    arrive();
    tokio::time::sleep(LONG).await; // BP: wait_sleep
}

async fn wait_until() {
    arrive();
    tokio::time::sleep_until(tokio::time::Instant::now() + LONG * 2).await; // BP: wait_until
}

async fn wait_join(other: JoinHandle<()>) {
    arrive();
    let _ = other.await; // BP: wait_join
}

async fn wait_interval() {
    let mut interval = tokio::time::interval(LONG);
    interval.tick().await;
    arrive();
    interval.tick().await; // BP: wait_interval
}

async fn wait_timeout() {
    let mutex = Arc::new(Mutex::new(0_u8));
    let _guard = mutex.clone().lock_owned().await;
    arrive();
    let _ = tokio::time::timeout(LONG, mutex.lock()).await; // BP: wait_timeout
}

async fn wait_select() {
    let (_sender, mut queue) = mpsc::channel::<u8>(1);
    arrive();
    tokio::select! { // BP: wait_select
        () = tokio::time::sleep(LONG) => {}
        _ = queue.recv() => {}
    }
}

async fn wait_join_macro() {
    arrive();
    tokio::join!(tokio::time::sleep(LONG), tokio::time::sleep(LONG * 2)); // BP: wait_join_macro
}

async fn wait_join_set() {
    let mut set = JoinSet::new();
    for _ in 0..2 {
        set.spawn(member());
    }
    arrive();
    while set.join_next().await.is_some() {} // BP: wait_join_set
}

async fn member() {
    tokio::time::sleep(LONG).await; // BP: member
}

async fn wait_job(job: JoinHandle<bool>) {
    arrive();
    let _ = job.await; // BP: wait_job
}
