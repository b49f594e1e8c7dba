//! `soak [STEPS [SEED]]`: random steps through a server under load.

use std::time::{Duration, Instant, SystemTime};

use weft_tests::soak;

const STEPS: usize = 10_000;

/// How often it is said how far it has come.
const EVERY: Duration = Duration::from_secs(10);

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let steps = arguments.next().map_or(STEPS, |steps| usize::try_from(steps).expect("fewer steps"));
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = arguments.next().unwrap_or_else(now);
    println!("{steps} steps, seed {seed}");
    let begun = Instant::now();
    let mut told = Instant::now();
    let done = soak::run(steps, seed, |soak| {
        if told.elapsed() >= EVERY {
            told = Instant::now();
            println!("{:7.1} s: {soak:?}", begun.elapsed().as_secs_f64());
        }
    });
    println!("{:7.1} s: {done:?}", begun.elapsed().as_secs_f64());
    println!("no step ended in another task, none hung, and every client was answered right");
}
