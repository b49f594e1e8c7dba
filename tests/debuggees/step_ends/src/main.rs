//! Ends of futures and tasks, and who goes on then. The argument says which. Numbers that go through a `black_box` keep the code
//! of their lines in optimised builds.

use std::future::Future;
use std::hint::black_box;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet, LocalSet, yield_now};

/// The one that ends.
async fn leaf(n: u64) -> u64 {
    let more = black_box(n) + 1; // BP: leaf first
    yield_now().await; // BP: leaf await
    more * 2 // BP: leaf last
} // BP: leaf end

async fn other() -> u64 {
    yield_now().await;
    yield_now().await;
    7
}

async fn direct() -> u64 {
    let got = leaf(1).await; // BP: direct await
    got + 1 // BP: direct next
}

fn boxed(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(leaf(n))
}

async fn dynamic() -> u64 {
    let got = boxed(2).await;
    got + 1 // BP: dynamic next
}

fn recursive(depth: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return leaf(0).await;
        }
        let below = recursive(depth - 1).await; // BP: recursive await
        below + 1 // BP: recursive next
    })
}

async fn joined() -> u64 {
    let (got, _) = tokio::join!(leaf(3), other());
    got + 1 // BP: joined next
}

async fn selected() -> u64 {
    let got = tokio::select! {
        got = leaf(4) => got + 1, // BP: selected arm
        () = std::future::pending() => 0,
    };
    got + 1 // BP: selected next
}

async fn unordered() -> u64 {
    let mut all: FuturesUnordered<_> = [leaf(5)].into_iter().collect();
    let got = all.next().await;
    got.unwrap_or(0) + 1 // BP: unordered next
}

async fn timed() -> u64 {
    let got = tokio::time::timeout(Duration::from_secs(60), leaf(6)).await;
    got.unwrap_or(0) + 1 // BP: timed next
}

async fn guarded() -> u64 {
    let got = AssertUnwindSafe(leaf(7)).catch_unwind().await;
    got.unwrap_or(0) + 1 // BP: guarded next
}

/// Ends in the last line of a function that has no line behind it.
async fn tail() -> u64 {
    leaf(8).await
}

async fn tailed() -> u64 {
    let got = tail().await;
    got + 1 // BP: tailed next
}

async fn handle() -> u64 {
    let task = tokio::spawn(leaf(10));
    let got = task.await; // BP: handle await
    got.unwrap_or(0) + 1 // BP: handle next
}

/// A future that is too large to lie in its task.
async fn large() -> u64 {
    let room = [1_u8; 16 * 1024];
    let got = leaf(11).await;
    got + u64::from(room[got as usize]) // BP: large last
}

async fn large_handle() -> u64 {
    let got = tokio::spawn(large()).await;
    got.unwrap_or(0) + 1 // BP: large_handle next
}

/// Waits for the end of a task without asking for its output.
async fn finished<T>(task: &JoinHandle<T>) {
    while !task.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn late() -> u64 {
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(async move {
        let got = leaf(12).await;
        tell.send(()).ok(); // BP: late task next
        got
    });
    told.await.ok();
    finished(&task).await;
    let got = task.await;
    got.unwrap_or(0) + 1 // BP: late next
}

async fn set() -> u64 {
    let mut tasks = JoinSet::new();
    tasks.spawn(leaf(13));
    let got = tasks.join_next().await;
    got.map_or(0, |got| got.unwrap_or(0)) + 1 // BP: set next
}

async fn several() -> u64 {
    let tasks = vec![tokio::spawn(other()), tokio::spawn(leaf(14))];
    let mut sum = 0;
    for task in tasks {
        let got = task.await; // BP: several await
        sum += got.unwrap_or(0); // BP: several next
    }
    sum
}

async fn local() -> u64 {
    let tasks = LocalSet::new();
    let outer = async {
        let task = tokio::task::spawn_local(leaf(15));
        let got = task.await;
        got.unwrap_or(0) + 1 // BP: local next
    };
    tasks.run_until(outer).await
}

async fn detached() -> u64 {
    let (tell, told) = oneshot::channel();
    drop(tokio::spawn(async move {
        let got = leaf(16).await;
        tell.send(got) // BP: detached last
    }));
    told.await.unwrap_or(0)
}

async fn dropped() -> u64 {
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(async move {
        let got = leaf(17).await;
        tell.send(got) // BP: dropped last
    });
    let got = told.await.unwrap_or(0);
    finished(&task).await;
    drop(task); // BP: dropped drop
    got + 1 // BP: dropped next
}

async fn forgotten() -> u64 {
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(async move {
        let got = leaf(18).await;
        tell.send(got) // BP: forgotten last
    });
    let got = told.await.unwrap_or(0);
    finished(&task).await;
    std::mem::forget(task);
    got
}

fn job() -> u64 {
    let got = black_box(19); // BP: job first
    black_box(got * 2) // BP: job last
} // BP: job end

async fn blocking() -> u64 {
    let task = tokio::task::spawn_blocking(job);
    let got = task.await;
    got.unwrap_or(0) + 1 // BP: blocking next
}

fn boom(n: u64) -> u64 {
    assert!(black_box(n) == 0, "boom"); // BP: boom assert
    n
}

async fn explodes(n: u64) -> u64 {
    yield_now().await;
    let got = boom(n); // BP: explodes call
    got + 1
}

async fn panics() -> u64 {
    let task = tokio::spawn(explodes(20));
    let got = task.await;
    got.unwrap_or(41) // BP: panics next
}

async fn caught() -> u64 {
    let got = AssertUnwindSafe(explodes(21)).catch_unwind().await;
    got.unwrap_or(42) // BP: caught next
}

async fn unheard() -> u64 {
    drop(tokio::spawn(explodes(22)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    43
}

/// One branch ends in a panic while the other is suspended, and is dropped by it.
async fn both() -> u64 {
    let task = tokio::spawn(async {
        let quiet = async {
            let kept = 23; // BP: both first
            std::future::pending::<()>().await; // BP: both await
            kept
        };
        let loud = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            boom(23)
        };
        let (a, b) = tokio::join!(quiet, loud);
        a + b
    });
    let got = task.await;
    got.unwrap_or(44) // BP: both next
}

async fn victim(started: Arc<Notify>) -> u64 {
    let kept = 24;
    started.notify_one(); // BP: victim first
    std::future::pending::<()>().await; // BP: victim await
    kept
}

async fn aborted() -> u64 {
    let started = Arc::new(Notify::new());
    let task = tokio::spawn(victim(started.clone()));
    started.notified().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    task.abort();
    let got = task.await;
    got.unwrap_or(45) // BP: aborted next
}

/// Aborted while it runs.
async fn aborted_running() -> u64 {
    let (give, given) = oneshot::channel::<tokio::task::AbortHandle>();
    let task = tokio::spawn(async move {
        let own = given.await;
        own.map(|own| own.abort()).ok(); // BP: running abort
        yield_now().await; // BP: running await
        0
    });
    give.send(task.abort_handle()).ok();
    let got = task.await;
    got.unwrap_or(46) // BP: running next
}

async fn loser() -> u64 {
    let kept = black_box(25); // BP: loser first
    std::future::pending::<()>().await; // BP: loser await
    kept
}

async fn lost() -> u64 {
    let got = tokio::select! {
        got = loser() => got,
        () = tokio::time::sleep(Duration::from_millis(50)) => 47, // BP: lost arm
    };
    got + 1 // BP: lost next
}

/// A runtime ends with a task in it; another one awaits that.
fn shut_down(first: Runtime) -> u64 {
    let started = Arc::new(Notify::new());
    let task = first.spawn(victim(started.clone()));
    first.block_on(async move { started.notified().await });
    std::thread::sleep(Duration::from_millis(50));
    drop(first);
    let second = runtime(true);
    let got = second.block_on(task);
    got.unwrap_or(48) // BP: shut_down next
}

/// Sync code in a task.
fn plain(n: u64) -> u64 {
    let got = black_box(n) + 1; // BP: plain first
    black_box(got * 2) // BP: plain last
}

async fn mixed() -> u64 {
    let got = plain(26); // BP: mixed call
    yield_now().await; // BP: mixed await
    got // BP: mixed last
}

fn root(runtime: &Runtime) -> u64 {
    let got = runtime.block_on(leaf(27)); // BP: root call
    got + 1 // BP: root next
}

fn root_handle(runtime: &Runtime) -> u64 {
    let got = runtime.block_on(runtime.spawn(leaf(28)));
    got.unwrap_or(0) + 1 // BP: root_handle next
}

#[tokio::main(flavor = "current_thread")]
async fn entered() {
    let got = leaf(29).await; // BP: entered first
    println!("{got}"); // BP: entered last
} // BP: entered end

fn runtime(single: bool) -> Runtime {
    let mut builder = if single { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

fn main() {
    let role = std::env::args().nth(1).unwrap_or_default();
    let runtime = runtime(std::env::args().nth(2).is_some());
    let role = role.as_str();
    let got = match role {
        "root" => root(&runtime),
        "root_handle" => root_handle(&runtime),
        "shut_down" => shut_down(runtime),
        "entered" => {
            drop(runtime);
            entered();
            0
        }
        _ => runtime.block_on(async move {
            match role {
                "direct" => direct().await,
                "dynamic" => dynamic().await,
                "recursive" => recursive(2).await,
                "joined" => joined().await,
                "selected" => selected().await,
                "unordered" => unordered().await,
                "timed" => timed().await,
                "guarded" => guarded().await,
                "tailed" => tailed().await,
                "handle" => handle().await,
                "large_handle" => large_handle().await,
                "late" => late().await,
                "set" => set().await,
                "several" => several().await,
                "local" => local().await,
                "detached" => detached().await,
                "dropped" => dropped().await,
                "forgotten" => forgotten().await,
                "blocking" => blocking().await,
                "panics" => panics().await,
                "caught" => caught().await,
                "unheard" => unheard().await,
                "both" => both().await,
                "aborted" => aborted().await,
                "aborted_running" => aborted_running().await,
                "lost" => lost().await,
                "mixed" => mixed().await,
                _ => 0,
            }
        }),
    };
    println!("{got}");
}
