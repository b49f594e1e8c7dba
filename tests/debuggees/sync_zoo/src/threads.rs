//! Threads that come and go while others are stepped.

use std::sync::Barrier;
use std::thread;

pub(crate) fn all() {
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for index in 0..3 {
            let barrier = &barrier;
            thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn_scoped(scope, move || work(index, barrier))
                .expect("a thread");
        }
        barrier.wait();
        println!("three are here"); // BP: all here
        barrier.wait();
    });
    churn();
    println!("done");
}

#[inline(never)]
fn work(index: usize, barrier: &Barrier) {
    barrier.wait();
    let square = index * index; // BP: in work
    barrier.wait();
    std::hint::black_box(square);
}

/// Each line starts and ends a thread.
fn churn() {
    let first = short(1); // BP: churn first
    let second = short(2); // BP: churn second
    let third = short(3); // BP: churn third
    println!("churned {}", first + second + third); // BP: churn last
}

fn short(value: u64) -> u64 {
    thread::spawn(move || value * 10).join().expect("no panic")
}
