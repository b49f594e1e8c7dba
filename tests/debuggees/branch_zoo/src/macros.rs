//! Futures that macros keep side by side.

use futures_util::FutureExt as _;

use crate::{failing, left, quick, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(tokio_join());
    tokio::spawn(tokio_try_join());
    tokio::spawn(tokio_select());
    tokio::spawn(select_disabled());
    tokio::spawn(select_loop());
    tokio::spawn(select_by_reference());
    tokio::spawn(join_in_select());
    tokio::spawn(select_in_join());
    tokio::spawn(futures_join());
    tokio::spawn(futures_try_join());
    tokio::spawn(futures_select());
    2 + 2 + 2 + 1 + 2 + 2 + 3 + 3 + 2 + 2 + 2
}

async fn tokio_join() {
    let all = tokio::join!(left(1), quick(2), right(3)); // BP: tokio_join
    spend(all);
}

async fn tokio_try_join() {
    let all = tokio::try_join!(failing(1), failing(2)); // BP: tokio_try_join
    spend(all);
}

async fn tokio_select() {
    tokio::select! { // BP: tokio_select
        number = left(1) => spend(number),
        number = right(2) => spend(number),
    }
}

/// One branch is over, one was never allowed, one is live.
async fn select_disabled() {
    let allowed = std::hint::black_box(false);
    tokio::select! { // BP: select_disabled
        biased;
        7 = quick(1) => {}
        number = left(2), if allowed => spend(number),
        number = right(3) => spend(number),
    }
}

async fn select_loop() {
    let mut rounds = 0;
    loop {
        tokio::select! { // BP: select_loop
            biased;
            number = quick(1), if rounds < 3 => rounds += number,
            number = left(2) => spend(number),
            number = right(3) => spend(number),
        }
    }
}

async fn select_by_reference() {
    let mut kept = Box::pin(left(1));
    let other = right(2);
    tokio::pin!(other);
    tokio::select! { // BP: select_by_reference
        number = &mut kept => spend(number),
        number = &mut other => spend(number),
    }
}

async fn join_in_select() {
    tokio::select! { // BP: join_in_select
        both = async { tokio::join!(left(1), right(2)) } => spend(both), // BP: inner_join
        number = left(3) => spend(number),
    }
}

async fn select_in_join() {
    let first = async {
        tokio::select! { // BP: inner_select
            number = left(1) => number,
            number = right(2) => number,
        }
    };
    let both = tokio::join!(first, right(3)); // BP: select_in_join
    spend(both);
}

async fn futures_join() {
    let all = futures_util::join!(left(1), quick(2), right(3)); // BP: futures_join
    spend(all);
}

async fn futures_try_join() {
    let all = futures_util::try_join!(failing(1), failing(2)); // BP: futures_try_join
    spend(all);
}

async fn futures_select() {
    let over = futures_util::future::Fuse::<futures_util::future::Pending<u32>>::terminated();
    let (first, second) = (left(1).fuse(), right(2).fuse());
    futures_util::pin_mut!(over, first, second);
    futures_util::select! { // BP: futures_select
        number = over => spend(number),
        number = first => spend(number),
        number = second => spend(number),
    }
}
