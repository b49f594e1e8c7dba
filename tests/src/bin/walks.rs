//! `walks [PROGRAMS [SEED]]`: random steps through random programs, compared with what those write down.

use std::time::{Instant, SystemTime};

use weft_tests::programs::Profile;
use weft_tests::random::{Registers, programs, walk};

const PROGRAMS: u64 = 30;

/// Walks through each program, in each way.
const WALKS: u64 = 4;

/// How programs are built, and whether steps have a debug register.
const WAYS: [(Profile, Registers); 3] =
    [(Profile::Debug, Registers::Free), (Profile::Debug, Registers::Taken), (Profile::Release, Registers::Free)];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let count = arguments.next().unwrap_or(PROGRAMS);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let first = arguments.next().unwrap_or_else(now);
    println!("{count} programs, the first from seed {first}");
    let seeds: Vec<u64> = (0..count).map(|number| first.wrapping_add(number)).collect();
    for (profile, registers) in WAYS {
        let built = programs(&seeds, profile);
        let begun = Instant::now();
        let walks = built.iter().flat_map(|program| (0..WALKS).map(move |seed| (program, seed)));
        let stops: usize = walks.map(|(program, seed)| walk(program, profile, seed, registers)).sum();
        let seconds = begun.elapsed().as_secs_f64();
        println!("{profile:?}, registers {registers:?}: {stops} stops in {seconds:.0} s, none wrong, none lost");
    }
}
