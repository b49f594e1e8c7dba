//! Many busy things at once, all of which go on: whatever a debugger says is wrong with them is a false alarm. Says
//! "ready", ends when its standard input does. The first argument `current` puts everything on one thread.

mod channels;
mod locks;

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;

fn main() {
    let current = std::env::args().nth(1).as_deref() == Some("current");
    let mut builder = if current { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(all());
    std::process::exit(0);
}

async fn all() {
    locks::all();
    channels::all();
    tick().await;
    println!("ready");
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}

/// A moment in which others go on.
pub(crate) async fn tick() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
