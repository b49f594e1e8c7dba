//! Futures whose type does not say what they are: a boxed trait object, one without a size, a set of tasks that are
//! bound to a thread. All of them wait for ever; says "ready" when they do, ends when its standard input does.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let set = tokio::task::LocalSet::new();
    set.block_on(&runtime, async {
        tokio::task::spawn_local(bound());
        tokio::spawn(erased(2));
        let joined = tokio::spawn(sizeless());
        tokio::spawn(join(erased(0), joined));
        tokio::time::sleep(Duration::from_millis(50)).await;
        println!("ready");
        let mut rest = Vec::new();
        tokio::io::stdin().read_to_end(&mut rest).await // BP: root
    })?;
    Ok(())
}

async fn bound() {
    std::future::pending::<()>().await;
}

/// Awaits itself `depth` times.
fn erased(depth: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            sizeless().await; // BP: innermost
        }
        1 + erased(depth - 1).await // BP: recursion
    })
}

async fn sizeless() {
    std::future::pending::<()>().await; // BP: sizeless
}

async fn join(erased: Pin<Box<dyn Future<Output = u32> + Send>>, handle: tokio::task::JoinHandle<()>) {
    let inner = tokio::spawn(erased);
    let (number, nothing) = tokio::join!(inner, handle);
    println!("{number:?} {nothing:?}");
}
