//! Uses much of the standard library, and says what came out. Run with a trap on every line that it has.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::panic::{catch_unwind, set_hook};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

fn work(seed: u64, count: usize) -> String {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut numbers: Vec<u32> = (0..count).map(|_| next()).collect();
    numbers.sort();
    let mut counts: HashMap<u32, Vec<u32>> = HashMap::new();
    for number in &numbers {
        counts.entry(number % 7).or_default().push(*number);
    }
    let ordered: BTreeMap<u32, u64> =
        counts.iter().map(|(key, list)| (*key, list.iter().copied().map(u64::from).sum())).collect();
    let mut text = String::new();
    for (key, sum) in &ordered {
        write!(text, "{key}:{sum:#x}:{:.3};", *sum as f64 / 7.0).unwrap();
    }
    let caught = catch_unwind(|| {
        let index = (seed % 5) as usize + 3;
        [1, 2, 3][index]
    });
    write!(text, "{:?}", caught.map_err(|panic| panic.downcast_ref::<String>().cloned())).unwrap();
    text.split(';').rev().collect::<Vec<_>>().join("|")
}

fn main() {
    set_hook(Box::new(|_| {}));
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    let (send, receive) = channel();
    let shared = Arc::new(Mutex::new(BTreeMap::new()));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let (send, shared) = (send.clone(), shared.clone());
            thread::spawn(move || {
                for round in 0..2 {
                    let text = work(seed * 10 + round, count);
                    shared.lock().unwrap().insert((seed, round), text.len());
                    send.send((seed, round, text)).unwrap();
                }
            })
        })
        .collect();
    drop(send);
    let mut all: Vec<_> = receive.iter().collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    all.sort();
    for (seed, round, text) in &all {
        println!("{seed} {round} {text}");
    }
    println!("{:?}", shared.lock().unwrap());
    let status = Command::new("/bin/sh").args(["-c", "exit 3"]).status().unwrap();
    println!("{status}");
    std::process::exit(5);
}
