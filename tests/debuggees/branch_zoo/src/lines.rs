//! Awaits that macros write.

use crate::{left, quick, right, spend};

/// Spawns the tasks; how many futures will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(own_macro());
    tokio::spawn(own_macro_second());
    tokio::spawn(own_macro_in_loop());
    tokio::spawn(own_macro_nested());
    tokio::spawn(own_macro_statement());
    tokio::spawn(own_select());
    tokio::spawn(two_joins());
    tokio::spawn(two_selects_of_one_type());
    tokio::spawn(own_macro_collapsed());
    tokio::spawn(own_macro_alike());
    1 + 1 + 1 + 1 + 1 + 2 + 2 + 2 + 1 + 1
}

macro_rules! waits {
    ($future:expr) => {
        $future.await // BP: in_waits
    };
}

macro_rules! both {
    ($first:expr, $second:expr) => {{
        let first = $first.await; // BP: in_both_first
        let second = $second.await; // BP: in_both_second
        first + second
    }};
}

macro_rules! waits_twice {
    ($future:expr) => {
        waits!(waits!($future))
    };
}

macro_rules! long_statement {
    () => {
        spend(right(1).await) // BP: in_long_statement
    };
}

macro_rules! either_of {
    ($first:expr, $second:expr) => {
        tokio::select! { // BP: in_either_of
            number = $first => number,
            number = $second => number,
        }
    };
}

async fn own_macro() {
    spend(waits!(quick(1)));
    spend(waits!(left(2))); // BP: own_macro
    spend(waits!(quick(3)));
}

/// Two awaits of one macro: this is the second.
async fn own_macro_second() {
    spend(both!(quick(1), right(2))); // BP: own_macro_second
}

async fn own_macro_in_loop() {
    for number in 0.. {
        spend(waits!(quick(number)));
        if number > 2 {
            spend(waits!(left(number))); // BP: own_macro_in_loop
        }
    }
}

async fn own_macro_nested() {
    spend(waits_twice!(async { left(quick(1).await) })); // BP: own_macro_nested
}

/// Nothing in this macro's call is written by its caller.
async fn own_macro_statement() {
    spend(quick(1).await);
    long_statement!(); // BP: own_macro_statement
}

async fn own_select() {
    spend(either_of!(left(1), right(2))); // BP: own_select
}

/// The futures of both have one type.
async fn two_joins() {
    spend(tokio::join!(quick(1), quick(2)));
    spend(tokio::join!(left(1), right(2))); // BP: two_joins
}

async fn two_selects_of_one_type() {
    for round in 0..2 {
        if round == 0 {
            tokio::select! {
                () = std::future::ready(()) => {}
                number = left_of(round) => spend(number),
            }
        }
        tokio::join!(left(round), right(round)); // BP: two_selects_of_one_type
    }
}

async fn left_of(number: u32) -> u32 {
    std::future::pending::<()>().await;
    number
}

/// The code that this makes has the line of its call.
#[collapse_debuginfo(yes)]
macro_rules! waits_here {
    ($future:expr) => {
        $future.await // BP: in_waits_here
    };
}

async fn own_macro_collapsed() {
    spend(waits_here!(quick(1)));
    spend(waits_here!(left(2))); // BP: own_macro_collapsed
}

/// Which of the calls it is cannot be told.
async fn own_macro_alike() {
    spend(waits_here!(left(1)));
    spend(waits_here!(left(2)));
}
