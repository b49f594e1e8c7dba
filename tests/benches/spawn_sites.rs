//! What `async.spawnSites` costs for each task that is spawned: the same program launched with it and without.
//!
//! `cargo xtask bench spawn_sites [ROUNDS]`: `spawn_zoo churn 20000` spawns tasks one after the other and says how long that
//! took. The least of all rounds is printed (3 unless said).

use serde_json::json;
use weft_tests::programs::{Profile, program};
use weft_tests::{Client, Launch, process};

/// Tasks that are spawned in one run.
const TASKS: u32 = 20_000;

fn main() {
    let rounds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(3);
    println!("{TASKS} tasks, one after the other; the least of {rounds} rounds\n");
    println!(
        "| build | without (µs a spawn) | with | of which spawnSites | adapter, peak (MiB) |\n|---|---|---|---|---|"
    );
    for (name, profile) in [("debug", Profile::Debug), ("release", Profile::Release)] {
        let (mut without, mut with, mut memory) = (f64::INFINITY, f64::INFINITY, 0.0_f64);
        for _ in 0..rounds {
            without = without.min(spawned(profile, false).0);
            let (took, peak) = spawned(profile, true);
            (with, memory) = (with.min(took), memory.max(peak));
        }
        println!("| {name} | {without:.2} | {with:.2} | {:.2} | {memory:.1} |", with - without);
    }
}

/// Microseconds for each task, and the adapter's peak memory in MiB.
fn spawned(profile: Profile, record: bool) -> (f64, f64) {
    let mut client = Client::weft();
    let launch = Launch { more: json!({"async": {"spawnSites": record}}), ..Launch::default() };
    client.launch(&program("spawn_zoo", profile), &["churn", &TASKS.to_string()], &launch);
    let said = client.output_with("stdout", "spawned ");
    let words: Vec<&str> = said.split_whitespace().collect();
    let took: f64 = words.get(3).and_then(|number| number.parse().ok()).expect("nanoseconds");
    let peak = process::peak_memory(client.adapter_pid()).unwrap_or(0);
    client.exited();
    client.disconnect();
    (took / 1e3 / f64::from(TASKS), peak as f64 / 1024.0)
}
