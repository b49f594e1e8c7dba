//! Programs that do not go on, by the name of what is wrong with them: the first argument. Each says "ready" when its
//! tasks have done what they can, and ends when its standard input does (one whose only thread is blocked does not).

mod async_locks;
mod channels;
mod threads;

use std::io::Write as _;

use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;

fn main() {
    let wanted = std::env::args().nth(1).expect("what to do");
    let mut builder = match wanted.as_str() {
        "std-mutex" | "std-mutex-of-root" | "sleeping" | "receiving" | "reading" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(&wanted));
    // Threads that sit in a call never end by themselves.
    std::process::exit(0);
}

async fn run(wanted: &str) {
    match wanted {
        "mutexes" => async_locks::two_mutexes().await,
        "shadowed" => async_locks::two_shadowed().await,
        "twice" => async_locks::twice().await,
        "futurelock" => async_locks::futurelock().await,
        "futurelock-join" => async_locks::futurelock_join().await,
        "unordered" => async_locks::unordered().await,
        "guard-left" => async_locks::guard_left().await,
        "three" => async_locks::three().await,
        "channels" => channels::bounded_circle().await,
        "joins" => channels::joins().await,
        "never-polled" => channels::never_polled().await,
        "never-polled-join" => channels::never_polled_join().await,
        "never-polled-select" => channels::never_polled_select().await,
        "own-sender" => channels::own_sender().await,
        "std-mutex" => threads::std_mutex().await,
        "std-mutex-of-root" => threads::std_mutex_of_root().await,
        "sleeping" => threads::sleeping().await,
        "receiving" => threads::receiving().await,
        "reading" => threads::reading().await,
        "workers" => threads::workers().await,
        "panicked" => threads::panicked().await,
        other => panic!("there is no `{other}`"),
    }
    rest().await;
}

/// Says "ready" once everything else has come to rest, and waits for the end of the input.
async fn rest() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    ready();
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}

pub(crate) fn ready() {
    println!("ready");
    std::io::stdout().flush().expect("standard output");
}
