//! Tasks of async-std, which runs them on a global executor. All wait for ever; says "ready" when they do, ends when its
//! standard input does.

use std::time::Duration;

use async_std::channel;
use async_std::task;

fn main() {
    task::block_on(root());
}

async fn root() {
    let sleeper = task::spawn(sleeps());
    let named = task::Builder::new().name("joiner".to_owned()).spawn(joins(sleeper)).expect("a task");
    task::spawn(receives());
    task::spawn_local(bound());
    task::sleep(Duration::from_millis(50)).await;
    println!("ready");
    task::spawn_blocking(read_input).await; // BP: root
    drop(named);
}

fn read_input() {
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut std::io::stdin(), &mut rest); // BP: job
}

async fn sleeps() {
    task::sleep(Duration::from_secs(3600)).await; // BP: sleeps
}

async fn joins(task: task::JoinHandle<()>) {
    task.await; // BP: joins
}

async fn receives() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let _ = receiver.recv().await; // BP: receives
    drop(sender);
}

async fn bound() {
    task::sleep(Duration::from_secs(3600)).await; // BP: bound
}
