//! Something to measure debuggers with: `laps run THREADS TURNS FILE` runs a small loop and writes into FILE how long that
//! took, `laps wait THREADS` has many threads, a few of them busy.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|text| text.parse::<u64>().ok()).expect("a number");
    match args.first().map(String::as_str) {
        Some("run") => run(number(1), number(2), &args[3]),
        Some("wait") => wait(number(1)),
        other => panic!("no such thing to do: {other:?}"),
    }
}

fn run(threads: u64, turns: u64, file: &str) {
    let start = Arc::new(Barrier::new(threads as usize + 1));
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let start = start.clone();
            thread::spawn(move || {
                start.wait();
                lap(turns)
            })
        })
        .collect();
    start.wait();
    let begun = Instant::now();
    let sums: Vec<u64> = running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect();
    let seconds = begun.elapsed().as_secs_f64();
    let expected = (0..turns).fold(0, |sum, i| sum ^ (i << 1));
    let right = sums.iter().filter(|sum| **sum == expected).count();
    std::fs::write(file, format!("{seconds} {right}\n")).expect("the file can be written");
}

#[inline(never)]
fn lap(turns: u64) -> u64 {
    let mut acc: u64 = 0;
    let mut i: u64 = 0;
    while i < turns {
        acc ^= i << 1; // BP: body
        i += 1; // BP: next
    }
    acc
}

/// Every sixteenth thread calculates, the others wake up a hundred times a second.
fn wait(threads: u64) {
    for index in 0..threads {
        thread::spawn(move || {
            loop {
                if index % 16 == 0 {
                    black_box(lap(black_box(1_000)));
                } else {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
    }
    println!("ready");
    loop {
        thread::park();
    }
}
